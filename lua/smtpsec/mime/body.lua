--- body: what a leaf part holds, and which transfer encoding carries it (RFC 2045 section 6).
--
-- Three kinds. Text is judged and carried in the plainest encoding that arrives unaltered. Data is base64, byte for
-- byte. A message inside a message may not be encoded at all (RFC 2046 section 5.2.1), so it must fit as it is. The
-- choice depends on what the server offers, so it is made when the message is rendered. What is short and in memory
-- is encoded there and then; the rest is encoded as it is sent.

local core = require "smtpsec.core"
local source = require "smtpsec.mime.source"
local text = require "smtpsec.mime.text"

local body = {}

--- Octets in a line, its end not counted (RFC 5322 section 2.1.1).
body.LONGEST_LINE = 998

--- Octets of a string that is short.
body.SHORT = 32768

-- What the encodings that change anything are called.
local ENCODED = { ["quoted-printable"] = true, ["base64"] = true }

local Body = {}
Body.__index = Body

-- RFC 2045 section 6.8: 76 characters a line, and no line end after the last.
local function base64_size(octets)
  local characters = math.ceil(octets / 3) * 4
  return characters == 0 and 0 or characters + 2 * (math.ceil(characters / 76) - 1)
end

local function scan(from)
  local scanner, read = core.scanner(), from.open()
  while true do
    local piece, err = read()
    if err then return nil, err end
    if not piece then return scanner end
    scanner:update(piece)
  end
end

-- By the kind of the body.
local CHOICES = {}

function CHOICES.data() return "base64" end

function CHOICES.text(self, offered)
  return offered["8BITMIME"] and self.eight or self.seven
end

function CHOICES.message(self, offered)
  if not self.eight_bit then return "7bit" end
  if offered["8BITMIME"] then return "8bit" end
  return text.refuse(self.field, "the attached message holds 8-bit text, and the server does not offer 8BITMIME",
    "attach it with type = \"application/octet-stream\"")
end

local function long_text(s, field)
  local sound, err = text.verdict(field, text.body_fault(s))
  if not sound then return nil, err end
  local from = source.text(s)
  local scanner = scan(from)
  local facts = scanner:facts()
  local seven, eight = scanner:encodings()
  return setmetatable({ kind = "text", field = field, source = from, octets = facts.canonical, seven = seven,
    eight = eight, open = facts.open }, Body)
end

--- UTF-8 text; its line ends become CRLF.
---@param s string
---@param field string for errors
---@return table|nil body
---@return table|nil err
function body.text(s, field)
  if #s > body.SHORT then return long_text(s, field) end
  local held, seven, eight, open = core.text(s)
  if not held then return text.verdict(field, text.body_fault(s)) end
  return setmetatable({ kind = "text", held = held, seven = seven, eight = eight, open = open,
    encoding = nil, shape = nil }, Body)
end

--- Bytes, which arrive as they are.
---@param from table source
---@param field string
---@return table body
function body.data(from, field)
  local short = from.string and from.size <= body.SHORT and from.string
  return setmetatable({ kind = "data", field = field, source = from, octets = from.size, held = short or nil,
    open = from.size ~= 0 }, Body)
end

--- A complete message inside this one; its line ends become CRLF.
---@param from table source that can be opened again
---@param field string
---@return table|nil body
---@return table|nil err
function body.message(from, field)
  local scanner, err = scan(from)
  if not scanner then return nil, err end
  local facts = scanner:facts()
  local hint = "attach it with type = \"application/octet-stream\""
  if facts.nul then return text.refuse(field, "the attached message contains NUL", hint) end
  if facts.longest > body.LONGEST_LINE then
    return text.refuse(field, "the attached message has a line of %d octets, more than the %d that mail allows", hint,
      facts.longest, body.LONGEST_LINE)
  end
  return setmetatable({ kind = "message", field = field, source = from, octets = facts.canonical,
    eight_bit = facts.eight_bit, open = facts.open }, Body)
end

--- Chooses the transfer encoding to use, which the body then has until this is called again.
---@param offered table set of the server's extensions
---@return string|nil encoding
---@return table|nil err
function Body:choose(offered)
  local encoding, err = CHOICES[self.kind](self, offered)
  self.encoding = encoding
  return encoding, err
end

-- The body in an encoding: a function as a source's open() returns it.
local function read(self, encoding)
  if self.kind == "data" then return source.encoded(self.source, encoding, self.field) end
  local mended = source.through(self.source.open(), "crlf", self.field)
  return ENCODED[encoding] and source.through(mended, encoding, self.field) or mended
end

local function count(self, encoding)
  local octets = 0
  for piece in read(self, encoding) do octets = octets + #piece end
  return octets
end

local function size(self, encoding)
  if encoding == "base64" then return self.octets and base64_size(self.octets) end
  if encoding == "quoted-printable" then return count(self, encoding) end
  return self.octets
end

--- The body in the encoding that was chosen, as a segment of a stream (stream.lua).
---@return string|table segment
function Body:segment()
  local encoding = self.encoding
  if self.held then return ENCODED[encoding] and core.encode(encoding, self.held) or self.held end
  return {
    open = function() return read(self, encoding) end,
    size = function() return size(self, encoding) end,
  }
end

--- Whether a line end has to follow the body where it is the end of the message.
---@return boolean
function Body:ends_open()
  if self.kind == "text" and self.encoding == "base64" then return true end
  return self.open
end

return body
