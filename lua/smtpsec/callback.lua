--- callback: functions of the caller's. What one gives where a string is wanted (a secret, a key, a name) is a value,
-- whatever goes wrong in it, since a server may be waiting. What is raised where nothing is wanted, as in on_event,
-- goes on to the caller, and leaves nothing open behind it.

local callback = {}

--- What was raised, or given as a reason, in words. How an object says itself is the caller's too, and may fail.
---@param value any
---@return string
function callback.words(value)
  local ran, text = pcall(tostring, value)
  return ran and text or "a " .. type(value)
end

--- Calls it.
---@param give function returns the string, or nil and why
---@param ... any arguments
---@return string|nil
---@return string|nil why a sentence
function callback.string(give, ...)
  local ran, value, why = pcall(give, ...)
  if not ran then return nil, "the function failed: " .. callback.words(value) end
  if value == nil then return nil, "the function gave nothing" .. (why and ": " .. callback.words(why) or "") end
  if type(value) ~= "string" then return nil, "the function gave a " .. type(value) .. ", not a string" end
  return value
end

local function passed(clean, object, ran, ...)
  if ran then return ... end
  clean(object)
  error((...), 0)
end

--- Calls something of ours in which a function of the caller's may raise.
---@param clean fun(object: any) called before that goes on
---@param object any
---@param work function
---@param ... any its arguments
---@return any ... its results
function callback.guard(clean, object, work, ...)
  return passed(clean, object, pcall(work, ...))
end

return callback
