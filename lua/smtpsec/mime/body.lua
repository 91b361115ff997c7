--- body: what a leaf part holds, and which transfer encoding carries it (RFC 2045 section 6).
--
-- Three kinds. Text is scanned and carried in the plainest encoding that arrives unaltered. Data is base64, byte for
-- byte. A message inside a message may not be encoded at all (RFC 2046 section 5.2.1), so it must fit as it is. The
-- choice depends on what the server offers, so it is made when the message is rendered.

local core = require "smtpsec.core"
local source = require "smtpsec.mime.source"
local text = require "smtpsec.mime.text"

local body = {}

--- Octets in a line, its end not counted (RFC 5322 section 2.1.1).
body.LONGEST_LINE = 998

local Body = {}
Body.__index = Body

-- RFC 2045 section 6.8: 76 characters a line, and no line end after the last.
local function base64_size(octets)
  local characters = math.ceil(octets / 3) * 4
  return characters == 0 and 0 or characters + 2 * (math.ceil(characters / 76) - 1)
end

-- About as long as the text becomes in quoted-printable: soft breaks included, to a hundredth or so.
local function quoted_size(facts)
  return (facts.canonical + 2 * facts.escapes) * 1.03
end

--- Looks at everything a source gives.
---@param from table source
---@return table|nil facts of core.scanner
---@return table|nil err
function body.scan(from)
  local scanner, read = core.scanner(), from.open()
  while true do
    local piece, err = read()
    if err then return nil, err end
    if not piece then return scanner:facts() end
    scanner:update(piece)
  end
end

local function passes(facts, eight_bit)
  return facts.longest <= body.LONGEST_LINE and (eight_bit or not facts.eight_bit)
end

local choose = {}

function choose.data() return "base64" end

function choose.text(self, offered)
  local facts = self.facts
  local whole = not facts.fragile
  if whole and passes(facts, false) then return "7bit" end
  if whole and passes(facts, true) and offered["8BITMIME"] then return "8bit" end
  return quoted_size(facts) <= base64_size(facts.canonical) and "quoted-printable" or "base64"
end

function choose.message(self, offered)
  if not self.facts.eight_bit then return "7bit" end
  if offered["8BITMIME"] then return "8bit" end
  return text.refuse(self.field, "the attached message holds 8-bit text, and the server does not offer 8BITMIME",
    "attach it with type = \"application/octet-stream\"")
end

--- UTF-8 text; its line ends become CRLF.
---@param s string checked by text.body_fault
---@param field string for errors
---@return table body
function body.text(s, field)
  local from = source.text(s)
  return setmetatable({ kind = "text", field = field, source = from, facts = body.scan(from) }, Body)
end

--- Bytes, which arrive as they are.
---@param from table source
---@param field string
---@return table body
function body.data(from, field)
  return setmetatable({ kind = "data", field = field, source = from }, Body)
end

--- A complete message inside this one; its line ends become CRLF.
---@param from table source that can be opened again
---@param field string
---@return table|nil body
---@return table|nil err
function body.message(from, field)
  local facts, err = body.scan(from)
  if not facts then return nil, err end
  local hint = "attach it with type = \"application/octet-stream\""
  if facts.nul then return text.refuse(field, "the attached message contains NUL", hint) end
  if facts.longest > body.LONGEST_LINE then
    return text.refuse(field, "the attached message has a line of %d octets, more than the %d that mail allows", hint,
      facts.longest, body.LONGEST_LINE)
  end
  return setmetatable({ kind = "message", field = field, source = from, facts = facts }, Body)
end

--- The transfer encoding to use.
---@param offered table set of the server's extensions
---@return string|nil encoding
---@return table|nil err
function Body:encoding(offered)
  return choose[self.kind](self, offered)
end

function Body:open(encoding)
  local read = self.source.open()
  if self.kind ~= "data" then read = source.through(read, "crlf", self.field) end
  if encoding == "base64" or encoding == "quoted-printable" then read = source.through(read, encoding, self.field) end
  return read
end

function Body:count(encoding)
  local read, octets = self:open(encoding), 0
  for piece in read do octets = octets + #piece end
  return octets
end

function Body:size(encoding)
  local octets = self.facts and self.facts.canonical or self.source.size
  if encoding == "base64" then return octets and base64_size(octets) end
  if encoding == "quoted-printable" then return self:count(encoding) end
  return octets
end

--- The body in an encoding, as a segment of a stream (stream.lua).
---@param encoding string
---@return table segment
function Body:segment(encoding)
  return {
    open = function() return self:open(encoding) end,
    size = function() return self:size(encoding) end,
  }
end

--- Whether a line end has to follow the body where it is the end of the message.
---@param encoding string
---@return boolean
function Body:ends_open(encoding)
  if encoding == "base64" then return self.source.size ~= 0 end
  return self.facts.open
end

return body
