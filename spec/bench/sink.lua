--- sink: starts the bench's sink and talks to its control port. sink/control.c says what may be asked.
--
-- The sink ends when this process does, because its standard input does.
local pki = require "spec.support.pki"
local process = require "spec.support.process"
local socket = require "socket"

local sink = {}
sink.__index = sink

--- Starts the sink, with an authority and a certificate for localhost of its own.
---@param program string path of the built sink
---@return table sink `{ ports = { plain=, tls=, control= }, ca = path, dir = temporary folder }`
function sink.start(program)
  local authority = pki.new()
  authority:ca "root"
  local names = { "DNS:localhost", "IP:127.0.0.1" }
  local leaf = authority:leaf { name = "server", cn = "localhost", san = names, ca = "root" }
  local said = authority.dir .. "/ports"
  local command = process.command { program, leaf.chain, leaf.key } .. " >" .. process.quote(said)
  local self = { pki = authority, dir = authority.dir, ca = authority.dir .. "/root.pem", ports = {} }
  self.input = assert(io.popen(command, "w"))
  local line = process.wait(function() return (process.read(said) or ""):match "^(.-)\n" end, 10)
  for name, port in assert(line, "the sink did not start"):gmatch "(%w+)=(%d+)" do self.ports[name] = tonumber(port) end
  self.control = assert(socket.connect("127.0.0.1", self.ports.control))
  return setmetatable(self, sink)
end

--- Tells or asks something.
---@param command string
---@return string[] lines
function sink:ask(command)
  assert(self.control:send(command .. "\n"))
  local lines = {}
  while true do
    local line = assert(self.control:receive())
    if line == "ok" then return lines end
    if line:find "^error:" then error(command .. ": " .. line, 2) end
    lines[#lines + 1] = line
  end
end

--- What was counted since `reset`.
---@return table<string, integer>
function sink:stats()
  local counts = {}
  for _, line in ipairs(self:ask "stats") do
    local name, value = line:match "^([%w_]+)=(%d+)$"
    counts[name] = math.tointeger and math.tointeger(tonumber(value)) or tonumber(value)
  end
  return counts
end

--- Ends the sink and removes its folder.
function sink:stop()
  self:ask "stop"
  self.control:close()
  self.input:close()
  self.pki:remove()
end

return sink
