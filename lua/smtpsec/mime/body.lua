--- body: the leaves of the tree that a message is, and which transfer encoding carries each (RFC 2045 section 6).
--
-- Three kinds. Text is judged and carried in the plainest encoding that arrives unaltered. Data is base64, byte for
-- byte, or "binary", which is no encoding at all, where the server takes that (RFC 3030). A message inside a message
-- may not be encoded at all (RFC 2046 section 5.2.1), so it must fit as it is. The choice depends on what the server
-- offers: `seven` is the encoding for a server without 8BITMIME, `eight` that for one with it. What is short and in
-- memory is encoded when the message is rendered, the rest as it is sent.
--
-- A leaf is the list { shape, seven, eight, body, mends }: `shape` is what the part's header says of it (part.lua),
-- `body` the string or what reads it, `mends` whether its line ends become CRLF.

local core = require "smtpsec.core"
local source = require "smtpsec.mime.source"
local text = require "smtpsec.mime.text"

local body = {}

--- Octets in a line, its end not counted (RFC 5322 section 2.1.1).
body.LONGEST_LINE = 998

--- Octets of a string that is short.
body.SHORT = core.text_short

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

-- What is read as it is sent: `open` is whether its last line has no end.
local function streamed(from, field, mends, octets, open)
  return setmetatable({ source = from, field = field, mends = mends, octets = octets, open = open }, Body)
end

local function sound_text(s, field)
  return text.verdict(field, text.body_fault(s))
end

-- The bytes of a text in a charset.
local function converted(s, field, set)
  local sound, err = sound_text(s, field)
  if not sound then return nil, err end
  return set:convert(s, field)
end

local function long_text(s, field, shape)
  local from = source.text(s)
  local scanner = scan(from)
  local facts = scanner:facts()
  local seven, eight = scanner:encodings()
  return { shape, seven, eight, streamed(from, field, true, facts.canonical, facts.open), true }
end

--- Text; its line ends become CRLF.
---@param s string UTF-8
---@param field string for errors
---@param shape table
---@param set table|nil the charset in which it goes out (charset.lua); UTF-8 where there is none
---@return table|nil leaf
---@return table|nil err
function body.text(s, field, shape, set)
  local err
  if set then s, err = converted(s, field, set) end
  if err then return nil, err end
  local long = #s > body.SHORT
  if long and not set then long, err = sound_text(s, field) end
  if err then return nil, err end
  if long then return long_text(s, field, shape) end
  local seven, eight = core.text(s, set ~= nil)
  if not seven then return sound_text(s, field) end
  return { shape, seven, eight, s, true }
end

--- Bytes, which arrive as they are.
---@param from table source
---@param field string
---@param shape table
---@return table leaf
function body.data(from, field, shape)
  local held = from.string and from.size <= body.SHORT and from.string
  return { shape, "base64", "base64", held or streamed(from, field, false, from.size, true), false }
end

--- A complete message inside this one; its line ends become CRLF.
---@param from table source that can be opened again
---@param field string
---@param shape table
---@return table|nil leaf
---@return table|nil err
function body.message(from, field, shape)
  local scanner, err = scan(from)
  if not scanner then return nil, err end
  local facts = scanner:facts()
  local hint = "attach it with type = \"application/octet-stream\""
  if facts.nul then return text.refuse(field, "the attached message contains NUL", hint) end
  if facts.longest > body.LONGEST_LINE then
    return text.refuse(field, "the attached message has a line of %d octets, more than the %d that mail allows", hint,
      facts.longest, body.LONGEST_LINE)
  end
  local seven, eight = "7bit", "7bit"
  if facts.eight_bit then seven, eight = false, "8bit" end
  return { shape, seven, eight, streamed(from, field, true, facts.canonical, facts.open), true }
end

--- Says why there is no encoding for a server without 8BITMIME.
---@param why? string what asks for one, where it is not the server
---@return nil, table err
function Body:refuse(why)
  return text.refuse(self.field, "the attached message holds 8-bit text, %s",
    "attach it with type = \"application/octet-stream\"", why or "and the server does not offer 8BITMIME")
end

-- The body in an encoding: a function as a source's open() returns it, or as its encoded().
local function read(self, encoding, to)
  if encoding == "binary" then return self.source.open() end
  if not self.mends then return source.encoded(self.source, encoding, self.field, to) end
  local mended = source.through(self.source.open(), "crlf", self.field)
  return ENCODED[encoding] and source.through(mended, encoding, self.field) or mended
end

local function count(self, encoding)
  local octets = 0
  for piece in read(self, encoding) do octets = octets + #piece end
  return octets
end

local function size(self, encoding)
  local octets = self.octets or self.source.size -- which a reader may have once it was read
  if encoding == "base64" then return octets and base64_size(octets) end
  if encoding == "quoted-printable" then return count(self, encoding) end
  return self.octets
end

--- The body in an encoding, as a segment of a stream (stream.lua). Its open(to) lets a copy (core.copy) take what is
-- encoded.
---@param encoding string
---@return table segment
function Body:segment(encoding)
  return {
    open = function(to) return read(self, encoding, to) end,
    size = function() return size(self, encoding) end,
  }
end

return body
