--- callback: what a function of the caller's gives where a string is wanted: a secret, a key, a name. Whatever goes
-- wrong in it is a value here, since a server may be waiting.

local callback = {}

--- Calls it.
---@param give function returns the string, or nil and why
---@param ... any arguments
---@return string|nil
---@return string|nil why a sentence
function callback.string(give, ...)
  local ran, value, why = pcall(give, ...)
  if not ran then return nil, "the function failed: " .. tostring(value) end
  if value == nil then return nil, "the function gave nothing" .. (why and ": " .. tostring(why) or "") end
  if type(value) ~= "string" then return nil, "the function gave a " .. type(value) .. ", not a string" end
  return value
end

return callback
