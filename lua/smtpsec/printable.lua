--- printable: how a value looks in an error message. The rules for bytes are the engine's (csrc/base/printable.h);
-- this adds what a message needs around them: quotes, and an end.

local core = require "smtpsec.core"

local printable = {}

--- One line of at most 500 bytes that shows as itself; longer text is cut at a character and ends in "...".
---@param s string
---@return string
printable.text = core.printable

-- The first `limit` bytes at the most, without half a character at the end.
local function cut(s, limit)
  if #s <= limit then return s end
  while limit > 0 and s:byte(limit + 1) >= 0x80 and s:byte(limit + 1) < 0xC0 do limit = limit - 1 end
  return s:sub(1, limit) .. "..."
end

--- A value as an error message shows it: strings quoted and shortened, numbers as written, the rest by its type. A URL
-- in a string, where there should be none, may have a password before its @.
---@param value any never a secret: the caller knows which ones are
---@return string
function printable.value(value)
  local kind = type(value)
  if kind == "string" then return '"' .. printable.text(cut(value:gsub("://.*@", "://***@"), 60)) .. '"' end
  if kind == "number" then return value == value and string.format("%.14g", value) or "nan" end
  if kind == "nil" or kind == "boolean" then return tostring(value) end
  return "a " .. kind
end

--- The same for a string that should be one word. What stands behind a word is not shown: where somebody wrote all
-- variables on one line, it is the next of them, and that may be a password.
---@param text string
---@return string
function printable.word(text)
  return printable.value((text:gsub("[%s\\;=].*", " ...")))
end

return printable
