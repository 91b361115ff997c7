--- message: a message table becomes a message, ready to be sent by anyone.
--
-- In two steps, because how a message is encoded depends on the server: new() judges the table and fixes what
-- makes the message this one (date, identifier, boundaries); render() writes it for a server that offers certain
-- extensions. It knows nothing of connections.

local composed = require "smtpsec.mime.composed"
local fields = require "smtpsec.mime.fields"
local stream = require "smtpsec.mime.stream"
local text = require "smtpsec.mime.text"
local wishes = require "smtpsec.wishes"

local message = {}

local Draft = { __name = "smtpsec.draft" }
Draft.__index = Draft

local Message = { __name = "smtpsec.message" }
Message.__index = Message

-- What may stand beside `raw`: the rest of the message is in it.
local BESIDE_RAW = { raw = true, envelope = true }
for name in pairs(wishes.FIELDS) do BESIDE_RAW[name] = true end

-- A table may have its fields from another, by a metatable: so they are asked for by name.
local function stray(given)
  local first
  for key in pairs(fields.KNOWN) do
    if given[key] ~= nil and not BESIDE_RAW[key] and (not first or key < first) then first = key end
  end
  return first
end

-- What a message that is the same for every server asks of one.
local NOTHING = { ["8BITMIME"] = false, SMTPUTF8 = false }

-- The draft's method that writes it.
local function copy(draft)
  return draft.held, nil, false, false
end

-- Such a message is rendered as soon as it is made, unless somebody is to sign it.
local function finished(whole, id, from, to, signers)
  if signers then
    return setmetatable({ id = id, parties = { from = from, to = to }, held = whole, write = copy,
      signers = signers }, Draft)
  end
  return setmetatable({ id = id, from = from, to = to, parties = false, held = whole, octets = #whole,
    extensions = NOTHING }, Message)
end

--- Judges a message table. Nothing is sent, and no file is kept open.
---@param given table the fields of a message; an unknown key or a wrong Lua type raises an error
---@param level? integer whom such an error blames, as in error(): 2, the default, is the caller of this function
---@param signers? table[] who signs it (dkim.lua)
---@return table|nil draft with envelope() and render()
---@return table|nil err kind "message"
function message.new(given, level, signers)
  local written, id, from, to, whole = composed.plain(given)
  if whole then return finished(written, id, from, to, signers) end
  local plain = fields.check(given, level or 2)
  local extra = given.raw and stray(given)
  if extra then
    return text.refuse(extra, "cannot be given beside raw",
      "a raw message is complete: only its envelope, and what it asks of servers, go with it")
  end
  if not plain and given.deliver_by and not given.deliver_by.seconds then
    return text.refuse("deliver_by.seconds", "is missing", "give the seconds within which it is to be delivered")
  end
  local made, err
  if written then made, err = composed.behind(given, written, id, from, to)
  else made, err = (given.raw and require "smtpsec.mime.raw" or composed).new(given) end
  if not made then return nil, err end
  if not plain then made.wished = wishes.of(given) end
  made.signers = signers
  return setmetatable(made, Draft)
end

--- Who sends and who receives.
---@return table { from = "local@domain" or "", to = list of addresses, each once }; the same table every time
function Draft:envelope()
  return self.parties
end

local SEVEN_BIT = {}

-- RFC 6376 section 5.3: what is signed is 7-bit, or a server on its way that has to encode it breaks the signature.
-- Only what may not be encoded (8-bit messages that are attached, or raw) is signed as it is.
local function write_to_sign(draft, offered)
  local whole, segments, eight_bit = draft:write(SEVEN_BIT)
  if whole or segments or not offered["8BITMIME"] then return whole, segments, eight_bit end
  return draft:write(offered)
end

-- Two lists as one; either may be nil.
local function joined(one, other)
  if not (one and other) then return one or other end
  local list = {}
  for _, each in ipairs { one, other } do
    for _, item in ipairs(each) do list[#list + 1] = item end
  end
  return list
end

--- Writes the message for a server. Data goes raw where the server takes that, and BDAT, by which alone it may come
-- (RFC 3030 section 3); never in a message that fixes its encodings, such as a raw or a signed one.
---@param offered? table set of what the server offers ({ ["8BITMIME"] = true, SMTPUTF8 = true }); none: 7-bit
---@return table|nil message
---@return table|nil err kind "message": it cannot be sent to this server
function Draft:render(offered)
  offered = offered or {}
  local field = self.international
  if field and not offered.SMTPUTF8 then
    return text.refuse(field, "is not ASCII, and the server does not offer SMTPUTF8",
      "use an ASCII address, or a server that offers SMTPUTF8 (RFC 6531)")
  end
  local raw_data = offered.BINARYMIME and offered.CHUNKING and not (self.signers or self.fixed)
  local whole, segments, eight_bit, binary = (self.signers and write_to_sign or self.write)(self, offered, raw_data)
  if not whole and not segments then return nil, eight_bit end
  local signed
  if self.signers then
    segments, signed = require("smtpsec.dkim").sign(segments or { whole }, self.signers)
    if not segments then return nil, signed end
    whole = #segments == 1 and segments[1] or nil
  end
  return setmetatable({
    id = self.id, parties = self.parties, held = whole, segments = segments, octets = whole and #whole,
    signatures = signed and signed.signatures, -- for a receipt, as the next
    warnings = joined(self.warnings, signed and signed.warnings),
    extensions = {
      ["8BITMIME"] = eight_bit or (self.utf8_header and offered["8BITMIME"] == true),
      SMTPUTF8 = field ~= nil,
      BINARYMIME = binary or nil,
    },
  }, Message)
end

--- The same message, whatever the server offers.
---@return table message
function Message:render()
  return self
end

--- Who sends and who receives.
---@return table { from = "local@domain" or "", to = list of addresses, each once }; the same table every time
function Message:envelope()
  self.parties = self.parties or { from = self.from, to = self.to }
  return self.parties
end

--- The extensions that this message uses, each of which has to be declared with MAIL (RFC 6152, RFC 6531, RFC 3030).
---@return table { ["8BITMIME"] = boolean, SMTPUTF8 = boolean, BINARYMIME = true or nil, instead of 8BITMIME }; not to
--- be changed
function Message:needs()
  return self.extensions
end

--- Octets of the whole message as chunks() gives it.
---@return integer|nil nil where a reader's length is unknown
function Message:size()
  local octets = self.octets
  if octets == nil then
    octets = stream.size(self.segments) or false
    self.octets = octets
  end
  return octets or nil
end

--- The message, piece by piece: CRLF line ends, the last included, and no dot-stuffing. It can be walked again and
-- gives the same bytes, unless a part comes from a reader.
---@return function next_chunk returns a string of some tens of kilobytes, nil at the end, or nil and the error when a
--- part cannot be read any more or is not what it was
function Message:chunks()
  return self.held and stream.once(self.held) or stream.chunks(self.segments)
end

--- The message as one string.
---@return string|nil
---@return table|nil err
function Message:tostring()
  if self.held then return self.held end
  local next_chunk, pieces = self:chunks(), {}
  while true do
    local chunk, err = next_chunk()
    if err then return nil, err end
    if not chunk then return table.concat(pieces) end
    pieces[#pieces + 1] = chunk
  end
end

--- The whole message, where it is at most 64 KiB long: what chunks() gives, in one piece. Nil too where a part cannot
-- be read: chunks() says why.
---@return string|nil
function Message:whole()
  local octets = self:size()
  if not octets or octets > stream.WHOLE then return nil end
  return self.held or self:tostring()
end

return message
