--- charset: text for readers that do not know UTF-8, such as those of Japanese carriers (ISO-2022-JP). The conversion
-- is the engine's (csrc/mime/charset.h); here is what a message that names a charset needs: the charset by its name,
-- and what is said of a character that is not in it. Nothing is replaced by a likeness.

local core = require "smtpsec.core"
local printable = require "smtpsec.printable"
local text = require "smtpsec.mime.text"

local charset = {}

local Charset = {}
Charset.__index = Charset

local MOST = 16 -- that are kept open
local known, count = {}, 0

--- Finds a charset.
---@param name string|nil as the message table has it
---@return table|nil set { name =, core = what the engine writes headers in }; nil where it is UTF-8
---@return table|nil err
function charset.find(name)
  if name == nil or name:upper() == "UTF-8" then return nil end
  if known[name] then return known[name] end
  local opened, why = core.charset(name)
  if not opened then
    return text.refuse("charset", "%s %s", 'such as "ISO-2022-JP"; leave it out for UTF-8', printable.value(name), why)
  end
  if count == MOST then known, count = {}, 0 end
  count = count + 1
  known[name] = setmetatable({ name = name, core = opened }, Charset)
  return known[name]
end

--- Converts a text.
---@param s string UTF-8
---@param field string for errors
---@return string|nil
---@return table|nil err which character is not in the charset
function Charset:convert(s, field)
  local made, at, code, character = self.core:convert(s)
  if made then return made end
  return text.refuse(field, "%s U+%04X at byte %d does not exist in %s", "write it with another character, or leave "
    .. "charset out: UTF-8 has all of them", printable.text(character), code, at, self.name)
end

return charset
