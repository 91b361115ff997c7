--- peer: a TCP (or unix) server that plays a script, in a process of its own.
--
-- A script is data: a list of steps that every connection plays, or a list of such lists, one for each connection in
-- turn, the last one for all that follow. Connections are played side by side. When a script is over the connection
-- is closed. The steps:
--
--     { send = "220 hi\r\n" }               all of it; `times = n` so often; `every = s` one byte each s seconds
--     { expect = "EHLO" }                   reads a line that begins with this text; another one ends the connection
--     { take = n }                          reads n bytes; `every = s` one byte each s seconds
--     { upto = "\r\n.\r\n" }                reads until this text has come; `exact = true` not one byte more
--     { bdat = true }                       reads a BDAT command and its octets
--     { sleep = s }
--     { drain = true }                      reads until the client closes
--     { stall = true }                      does nothing any more; the connection stays open
--     { tls = { cert =, key =, … } }        from here on all is inside TLS; the settings are those of core.context
--     { close = true }                      in TLS it says so first
--     { cut = true }                        closes without saying so in TLS
--     { reset = true }                      waits until something comes and closes without reading it: a TCP reset
--
-- In the transcript each connection has `received` (all bytes, those in TLS decrypted), `wire` (what came in TLS, as
-- it came), `secured` ("whole" or "resumed": how TLS began), `sent` (how many bytes) and `ended`: "script", "client",
-- "unexpected" (then `line` is the line), "tls" or "error" (then `text` tells); nil while it is being played.
local keeper = require "spec.support.keeper"
local process = require "spec.support.process"

local peer = {}
peer.__index = peer

local program = debug.getinfo(1, "S").source:match("^@(.*)%.lua$") .. "_process.lua"

local function literal(value)
  if type(value) ~= "table" then
    return type(value) == "string" and ("%q"):format(value) or tostring(value)
  end
  local parts = {}
  for k, v in pairs(value) do
    parts[#parts + 1] = ("[%s] = %s"):format(literal(k), literal(v))
  end
  return "{ " .. table.concat(parts, ", ") .. " }"
end

local interpreter = rawget(_G, "jit") and "luajit" or "lua5.4"

--- Starts a peer; it listens when this returns.
---@param script table
---@param options? { path: string?, host: string?, port: integer?, backlog: integer? } as of sock.listen
---@return table peer with `port`
function peer.start(script, options)
  if not (script[1] and script[1][1]) then
    script = { script }
  end
  local folder = keeper.own():new_folder("peer")
  local self = setmetatable({ name = folder:match "[^/]+$", journal = folder .. "/journal" }, peer)
  process.write(folder .. "/script", "return " .. literal { script = script, options = options or {} })
  keeper.own():spawn(self.name,
    process.sanitized { interpreter, program, folder .. "/script", self.journal })
  process.wait(function() return self:events()[1] end, 10)
  local ready = self:events()[1]
  assert(ready and ready[2] == "ready", "the peer did not start: " .. keeper.own():output(self.name))
  self.port = ready[3]
  return self
end

function peer:events()
  local text = process.read(self.journal) or ""
  return assert((loadstring or load)("return {" .. (text:match("^.*\1\n") or ""):gsub("\1\n", "\n") .. "}"))()
end

--- What has happened so far.
---@return table list of connections
function peer:transcript()
  local connections = {}
  for _, event in ipairs(self:events()) do
    local number, what, value = event[1], event[2], event[3]
    local connection = connections[number] or { received = "", wire = "", sent = 0 }
    if what == "received" or what == "wire" then
      connection[what] = connection[what] .. value
    elseif what == "sent" then
      connection.sent = connection.sent + value
    elseif what ~= "ready" then
      connection[what] = value
    end
    if number > 0 then
      connections[number] = connection
    end
  end
  return connections
end

--- Waits until the transcript is as wanted.
---@param question fun(transcript: table): any
---@param seconds? number 5 when not given
---@return any answer
function peer:wait(question, seconds)
  return process.wait(function() return question(self:transcript()) end, seconds or 5)
end

--- Ends the peer and with it its connections.
---@return table transcript
function peer:stop()
  keeper.own():stop(self.name)
  return self:transcript()
end

return peer
