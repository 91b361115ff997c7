--- dns: a name server on loopback that knows a few names, in a process of its own, for programs that can be told
-- which server to ask (nginx's `resolver`).
local keeper = require "spec.support.keeper"
local process = require "spec.support.process"

local dns = {}
dns.__index = dns

local program = debug.getinfo(1, "S").source:match("^@(.*)%.lua$") .. "_process.lua"
local interpreter = rawget(_G, "jit") and "luajit" or "lua5.4"

--- Starts it; it answers when this returns.
---@param names table<string, string[]> name to IPv4 addresses; an empty list is never answered
---@return table server with `port`
function dns.start(names)
  local folder = keeper.own():new_folder("dns")
  local self = setmetatable({ name = folder:match "[^/]+$" }, dns)
  local words = { interpreter, program, folder .. "/port" }
  for name, addresses in pairs(names) do
    words[#words + 1] = name .. "=" .. table.concat(addresses, ",")
  end
  keeper.own():spawn(self.name, words)
  self.port = process.wait(function() return tonumber(process.read(folder .. "/port") or "") end, 10)
  assert(self.port, "the name server did not start: " .. keeper.own():output(self.name))
  return self
end

function dns:stop()
  keeper.own():stop(self.name)
end

return dns
