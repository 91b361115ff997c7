--- auth: the option "auth", completed: which mechanisms may log in, and what they must be bound to.
--
-- Which login there is, is login.lua's question.

local mechanisms = require "smtpsec.mechanisms"
local printable = require "smtpsec.printable"

local auth = {}

local function unknown(name)
  return string.format('"auth.mechanisms" names %s, which is not supported by this version of smtpsec (%s)',
    printable.value(name), table.concat(mechanisms.names(), ", "))
end

-- RFC 4422 section 3.1: 1 to 20 capital letters, digits, hyphens and underscores.
local function is_name(name)
  return #name <= 20 and name:find("^[%u%d_-]+$") ~= nil
end

-- A mechanism that the caller has written, with every field, so that it can be asked like those of the engine.
local function own(given, path)
  local name = (given.name or ""):upper()
  if not is_name(name) then
    return nil, string.format('"%s.name" must be 1 to 20 letters, digits, "-" and "_", got %s', path,
      printable.value(given.name))
  end
  if not (given.start or given.step) then return nil, string.format('"%s" has neither "start" nor "step"', path) end
  return { name = name, user = given.user or false, password = given.password or false, token = given.token or false,
    certificate = false, binds = false, start = given.start, step = given.step }
end

-- The list with names in capital letters, or nil and why.
local function named(list)
  if #list == 0 then return nil, '"auth.mechanisms" is empty: no login would be possible' end
  local result = {}
  for i, entry in ipairs(list) do
    local why
    if type(entry) == "table" then
      result[i], why = own(entry, string.format("auth.mechanisms[%d]", i))
    else
      result[i] = entry:upper()
      why = not mechanisms.find(result[i]) and unknown(entry)
    end
    if why then return nil, why end
  end
  return result
end

-- A binding that is required and cannot be had.
local function unbindable(given, list, place)
  if not given.require_channel_binding then return nil end
  if place.mode == "none" then return '"auth.require_channel_binding" needs TLS to bind to, and "tls" is "none"' end
  for _, mechanism in ipairs(mechanisms.allowed(list)) do
    if mechanism.binds then return nil end
  end
  return '"auth.require_channel_binding" needs a mechanism that binds, and none of those that may be used does'
end

--- Completes the option.
---@param given table? the option "auth", checked
---@param place table as server.resolve gave it
---@return table? settings mechanisms (a list of names in capital letters and of tables) or nil, channel_binding or nil,
--- insecure_cleartext, require_channel_binding, max_iterations or nil: the engine's bound
---@return string? why
function auth.resolve(given, place)
  given = given or {}
  local list, why
  if given.mechanisms then
    list, why = named(given.mechanisms)
    if not list then return nil, why end
  end
  why = unbindable(given, list, place)
  if why then return nil, why end
  return {
    mechanisms = list, insecure_cleartext = given.insecure_cleartext or false,
    channel_binding = given.channel_binding, require_channel_binding = given.require_channel_binding or false,
    max_iterations = given.max_iterations,
  }
end

return auth
