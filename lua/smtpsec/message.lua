--- message: a message table becomes a message, ready to be sent by anyone.
--
-- In two steps, because how a message is encoded depends on the server: new() judges the table and fixes what
-- makes the message this one (date, identifier, boundaries); render() writes it for a server that offers certain
-- extensions. It knows nothing of connections.

local composed = require "smtpsec.mime.composed"
local envelope = require "smtpsec.mime.envelope"
local fields = require "smtpsec.mime.fields"
local stream = require "smtpsec.mime.stream"
local text = require "smtpsec.mime.text"

local message = {}

local Draft = { __name = "smtpsec.draft" }
Draft.__index = Draft

local Message = { __name = "smtpsec.message" }
Message.__index = Message

-- What may stand beside `raw`: the rest of the message is in it.
local BESIDE_RAW = { raw = true, envelope = true }

local function stray(given)
  local first
  for key in pairs(given) do
    if not BESIDE_RAW[key] and (not first or key < first) then first = key end
  end
  return first
end

--- Judges a message table. Nothing is sent, and no file is kept open.
---@param given table the fields of a message; an unknown key or a wrong Lua type raises an error
---@param level? integer whom such an error blames, as in error(): 2, the default, is the caller of this function
---@return table|nil draft
---@return table|nil err kind "message"
function message.new(given, level)
  fields.check(given, level or 2)
  local extra = given.raw and stray(given)
  if extra then
    return text.refuse(extra, "cannot be given beside raw", "a raw message is complete: only envelope goes with it")
  end
  local made, err = (given.raw and require "smtpsec.mime.raw" or composed).new(given)
  if not made then return nil, err end
  return setmetatable({ id = made.id, made = made }, Draft)
end

-- The field that keeps the message from servers without SMTPUTF8, or nil.
local function international(made)
  local box = envelope.internationalized(made.envelope)
  return made.international or (box and box.field)
end

--- Who sends and who receives.
---@return table { from = "local@domain" or "", to = list of addresses, each once }
function Draft:envelope()
  return envelope.plain(self.made.envelope)
end

--- Writes the message for a server.
---@param offered? table set of what the server offers ({ ["8BITMIME"] = true, SMTPUTF8 = true }); none: 7-bit
---@return table|nil message
---@return table|nil err kind "message": it cannot be sent to this server
function Draft:render(offered)
  offered = offered or {}
  local field = international(self.made)
  if field and not offered.SMTPUTF8 then
    return text.refuse(field, "is not ASCII, and the server does not offer SMTPUTF8",
      "use an ASCII address, or a server that offers SMTPUTF8 (RFC 6531)")
  end
  local rendered, err = self.made:render(offered)
  if not rendered then return nil, err end
  local utf8_header = self.made.international ~= nil
  return setmetatable({
    id = self.id, draft = self, segments = rendered.segments,
    extensions = {
      ["8BITMIME"] = rendered.eight_bit or (utf8_header and offered["8BITMIME"] == true),
      SMTPUTF8 = field ~= nil,
    },
  }, Message)
end

--- Who sends and who receives.
---@return table { from = "local@domain" or "", to = list of addresses, each once }
function Message:envelope()
  return self.draft:envelope()
end

--- The extensions that this message uses, each of which has to be declared with MAIL (RFC 6152, RFC 6531).
---@return table { ["8BITMIME"] = boolean, SMTPUTF8 = boolean }
function Message:needs()
  return { ["8BITMIME"] = self.extensions["8BITMIME"], SMTPUTF8 = self.extensions.SMTPUTF8 }
end

--- Octets of the whole message as chunks() gives it.
---@return integer|nil nil where a reader's length is unknown
function Message:size()
  return stream.size(self.segments)
end

--- The message, piece by piece: CRLF line ends, the last included, and no dot-stuffing. It can be walked again and
-- gives the same bytes, unless a part comes from a reader.
---@return function next_chunk returns a string of some tens of kilobytes, nil at the end, or nil and the error when a
--- part cannot be read any more or is not what it was
function Message:chunks()
  return stream.chunks(self.segments)
end

function Message:whole()
  local n = self:size()
  return n and n <= 65536 and self:tostring() or nil
end

--- The message as one string.
---@return string|nil
---@return table|nil err
function Message:tostring()
  local next_chunk, pieces = self:chunks(), {}
  while true do
    local chunk, err = next_chunk()
    if err then return nil, err end
    if not chunk then return table.concat(pieces) end
    pieces[#pieces + 1] = chunk
  end
end

return message
