--- mechanisms: the SASL mechanisms there are (csrc/sasl), and which of them somebody can use with what he has. One that
-- a caller has written says what it needs in the same words.

local core = require "smtpsec.core"

local mechanisms = {}

--- By name in capital letters; nil where the engine has none of it.
---@param name string
---@return table? mechanism name; user, password, token, certificate: whether it needs them; binds, prepares, only_named
function mechanisms.find(name)
  for _, mechanism in ipairs(core.mechanisms) do
    if mechanism.name == name then return mechanism end
  end
end

--- The names of all, strongest first.
---@return string[]
function mechanisms.names()
  local names = {}
  for i, mechanism in ipairs(core.mechanisms) do names[i] = mechanism.name end
  return names
end

--- Those that may be used, the preferred first: the named ones, else those of the engine that need not be named.
---@param named table? names and tables, as config/auth.lua gave them
---@return table[]
function mechanisms.allowed(named)
  local list = {}
  for _, entry in ipairs(named or core.mechanisms) do
    local mechanism = type(entry) == "string" and mechanisms.find(entry) or entry
    if named or not mechanism.only_named then list[#list + 1] = mechanism end
  end
  return list
end

--- Whether somebody has all that a mechanism needs.
---@param mechanism table
---@param has table user, password, token, certificate: anything but nil and false
---@return boolean
function mechanisms.is_served(mechanism, has)
  for _, need in ipairs { "user", "password", "token", "certificate" } do
    if mechanism[need] and not has[need] then return false end
  end
  return true
end

return mechanisms
