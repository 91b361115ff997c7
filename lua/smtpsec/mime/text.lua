--- text: whether a value is text that may stand in a header, an address, a parameter or a body.
--
-- One answer for all of them: UTF-8, and in headers no control character of any kind, so that nothing a user typed
-- can end a line or begin another field. What a value means is not asked here.

local core = require "smtpsec.core"
local errors = require "smtpsec.errors"

local text = {}

local NAMES = { [0] = "NUL", [9] = "a tab", [10] = "a line feed", [13] = "a carriage return", [27] = "an escape",
  [127] = "a delete" }

local FAULTS = {
  utf8 = function(at) return string.format("is not valid UTF-8 at byte %d", at) end,
  control = function(at, byte)
    local name = NAMES[byte] or string.format("the control character %02X", byte)
    return string.format("contains %s at byte %d", name, at)
  end,
  c1 = function(at, byte) return string.format("contains the control character U+%04X at byte %d", byte, at) end,
}

--- What makes a string unfit to be text at all, or nil. Line ends and tabs are welcome, as they are in a body.
---@param s string
---@return string|nil sentence without its subject ("is not valid UTF-8 at byte 7")
function text.body_fault(s)
  local valid, offset = core.utf8_valid(s)
  if not valid then return FAULTS.utf8(offset) end
  local nul = s:find("%z")
  return nul and string.format("contains NUL at byte %d", nul)
end

--- What makes a string unfit for a header, a name, a file name or a parameter, or nil.
---@param s string
---@return string|nil sentence without its subject
function text.fault(s)
  local kind, at, byte = core.line_fault(s)
  return kind and FAULTS[kind](at, byte)
end

--- The error of a message table: which field, what is wrong with it, and what to do about it.
---@param field string as the user knows it ("to[2]", "attachments[1].filename")
---@param what string
---@param hint? string
---@param ... any for string.format of `what`
---@return nil, table err
function text.refuse(field, what, hint, ...)
  if select("#", ...) > 0 then what = string.format(what, ...) end
  return nil, errors.new("message", field .. ": " .. what, { hint = hint })
end

--- The same, where `fault` came from text.fault or text.body_fault; true where it is nil.
---@param field string
---@param fault string|nil
---@return true|nil, table|nil err
function text.verdict(field, fault)
  if not fault then return true end
  local encoding = fault:find("UTF-8", 1, true)
  return text.refuse(field, "the value " .. fault,
    encoding and "convert it to UTF-8 first" or "remove it: control characters are never sent")
end

return text
