--- header: writes one header field, folded (RFC 5322 section 2.2.3). How is the engine's business (csrc/mime/header.h);
-- here are the limits that those keep who make tokens out of a user's value, and a way to put a field together.

local core = require "smtpsec.core"

local header = {}

--- Longest token, in octets.
header.LONGEST = core.header_longest

--- Longest name of a field: whatever its value, an encoded word fits on the line behind it.
header.LONGEST_NAME = core.header_width - #": " - 24

local Field = {}
Field.__index = Field

--- Begins a field. Values are UTF-8 without controls, checked before (text.lua): nothing is refused here.
---@param name string
---@param charset? table a core.charset that has all of its characters; UTF-8 where there is none
---@return table field
function header.field(name, charset)
  return setmetatable({ name = name, steps = {}, charset = charset }, Field)
end

function Field:add(kind, s, value)
  local steps = self.steps
  local n = #steps
  steps[n + 1], steps[n + 2], steps[n + 3] = kind, s, value
  return self
end

--- Adds a token of at most header.LONGEST octets, folding before it where the line would be too long.
---@param token string
---@return table field
function Field:token(token)
  return self:add("token", token)
end

--- Adds unstructured text, such as a subject. Spaces arrive as they were typed.
---@param s string
---@return table field
function Field:text(s)
  return self:add("text", s)
end

--- Adds a display name: as atoms, in quotes, or encoded (RFC 5322 section 3.2.5).
---@param name string
---@return table field
function Field:phrase(name)
  return self:add("phrase", name)
end

--- Adds a parameter (RFC 2045 section 5.1): a token, a quoted string, or the form of RFC 2231.
---@param name string
---@param value string
---@return table field
function Field:parameter(name, value)
  return self:add("parameter", name, value)
end

--- The field as it stands in the message.
---@return string with its CRLF
function Field:close()
  return core.header(self.name, self.steps, self.charset)
end

--- A field of one token.
---@param name string
---@param token string of at most header.LONGEST octets
---@return string with its CRLF
function header.token(name, token)
  return core.header(name, { "token", token })
end

--- A field of unstructured text.
---@param name string
---@param s string
---@param charset? table as for header.field
---@return string with its CRLF
header.text = core.header_text

--- The header of a message but for what the tree of its parts says: Date, the fields with addresses, Subject,
-- Message-ID, whatever else there is, MIME-Version.
---@param people table from, sender, reply_to, to, cc: each nil or a list of { name = or nil, address = }
---@param date string
---@param subject string|nil
---@param id string
---@param more string other fields, each with its CRLF
---@param charset? table as for header.field
---@return string with their CRLF
header.message = core.header_message

return header
