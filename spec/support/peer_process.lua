--- peer_process SCRIPT JOURNAL: the process of a scripted peer; see peer.lua.
--
-- Each connection is a coroutine that yields what it waits for: a mode ("r", "w") or nil, and a deadline.
local sock = require "smtpsec.sock"

local plan = assert(loadfile(arg[1]))()
local journal = assert(io.open(arg[2], "w"))

local function write_down(number, what, value)
  journal:write(("{%d,%q,%s},\1\n"):format(number, what, type(value) == "number" and ("%d"):format(value)
    or ("%q"):format(value)))
  journal:flush()
end

local FOREVER = 86400

local Connection = {}
Connection.__index = Connection

function Connection:ended(how)
  error({ how = how }, 0)
end

function Connection:wait(mode, seconds)
  coroutine.yield(mode, sock.now() + (seconds or FOREVER))
end

-- The next bytes of the wire.
function Connection:receive(max)
  while true do
    local bytes, why = self.stream:read(max or 16384, 0)
    if bytes then
      return bytes
    end
    if why ~= "timeout" then
      self:ended "client"
    end
    self:wait "r"
  end
end

-- The next bytes that the client said, be it in TLS or not.
function Connection:hear(max)
  while true do
    local bytes, why
    if self.tls then
      bytes, why = self.tls:read()
    end
    if bytes then
      return bytes
    end
    if why and why ~= "again" then
      self:ended "client"
    end
    bytes = self:receive(max)
    if not self.tls then
      return bytes
    end
    write_down(self.number, "wire", bytes)
    self.tls:feed(bytes)
  end
end

-- Reads what has come into the buffer.
function Connection:fill(max)
  local bytes = self:hear(max)
  write_down(self.number, "received", bytes)
  self.buffer = self.buffer .. bytes
end

-- Sends what TLS has for the wire.
function Connection:push()
  local bytes = self.tls:output()
  self.tls:consumed(#bytes)
  self:transmit(bytes)
end

function Connection:write(bytes)
  if not self.tls then
    self:transmit(bytes)
    return
  end
  local from = 1
  while from <= #bytes do
    from = from + assert(self.tls:write(bytes:sub(from, from + 16383)))
    self:push()
  end
end

function Connection:transmit(bytes)
  local from = 1
  while from <= #bytes do
    local all, why, _, taken = self.stream:write(bytes, 0, from)
    from = from + (all or taken)
    write_down(self.number, "sent", all or taken)
    if not all and why ~= "timeout" then
      self:ended "client"
    end
    if not all then
      self:wait "w"
    end
  end
end

-- Takes the first n bytes from the buffer.
function Connection:cut(n)
  local bytes = self.buffer:sub(1, n)
  self.buffer = self.buffer:sub(n + 1)
  return bytes
end

local steps = {}

function steps.send(connection, step)
  for _ = 1, step.times or 1 do
    if step.every then
      for byte in step.send:gmatch "." do
        connection:write(byte)
        connection:wait(nil, step.every)
      end
    else
      connection:write(step.send)
    end
  end
end

function steps.upto(connection, step)
  local _, last = connection.buffer:find(step.upto, 1, true)
  while not last do
    connection:fill(step.exact and 1)
    _, last = connection.buffer:find(step.upto, 1, true)
  end
  return connection:cut(last)
end

local function unexpected(connection, line)
  write_down(connection.number, "line", line)
  connection:ended "unexpected"
end

function steps.expect(connection, step)
  local line = steps.upto(connection, { upto = "\n" })
  if line:sub(1, #step.expect) ~= step.expect then unexpected(connection, line) end
end

function steps.take(connection, step)
  while #connection.buffer < step.take do
    connection:fill(step.every and 1 or step.take - #connection.buffer)
    if step.every then
      connection:wait(nil, step.every)
    end
  end
  connection:cut(step.take)
end

function steps.bdat(connection)
  local line = steps.upto(connection, { upto = "\n" })
  local octets = line:match "^BDAT (%d+)\r\n$" or line:match "^BDAT (%d+) LAST\r\n$"
  if not octets then unexpected(connection, line) end
  steps.take(connection, { take = tonumber(octets) })
end

function steps.sleep(connection, step)
  connection:wait(nil, step.sleep)
end

function steps.drain(connection)
  while true do
    connection:fill()
    connection.buffer = ""
  end
end

function steps.stall(connection)
  while true do
    connection:wait()
  end
end

function steps.close(connection)
  if connection.tls then
    connection.tls:close_notify()
    connection:push()
  end
  connection:ended "script"
end

function steps.cut(connection)
  connection:ended "script"
end

-- TCP answers with a reset when what has come is thrown away unread.
function steps.reset(connection)
  connection:wait "r"
  connection:ended "script"
end

local contexts = {}

local function context_of(settings)
  if not contexts[settings] then
    local all = { role = "server" }
    for name, value in pairs(settings) do
      all[name] = value
    end
    contexts[settings] = assert(require "smtpsec.core".context(all))
  end
  return contexts[settings]
end

function steps.tls(connection, step)
  local filter = assert(require "smtpsec.core".tls_server(context_of(step.tls)))
  connection.tls = filter
  if connection.buffer ~= "" then
    filter:feed(connection.buffer)
    connection.buffer = ""
  end
  while true do
    local done, why, text, reason = filter:handshake()
    connection:push()
    if done then
      break
    end
    if why ~= "again" then
      write_down(connection.number, "text", reason or text)
      connection:ended "tls"
    end
    local bytes = connection:receive()
    write_down(connection.number, "wire", bytes)
    filter:feed(bytes)
  end
  write_down(connection.number, "secured", filter:facts().resumed and "resumed" or "whole")
end

local function play(connection, script)
  for _, step in ipairs(script) do
    for name, run in pairs(steps) do
      if step[name] ~= nil then
        run(connection, step)
      end
    end
  end
  steps.close(connection)
end

local listener = assert(sock.listen(plan.options))
write_down(0, "ready", listener:port() or 0)

local playing, accepted = {}, 0

local function resume(connection)
  local _, mode, deadline = coroutine.resume(connection.co)
  connection.mode, connection.deadline = mode, deadline
  if coroutine.status(connection.co) == "dead" then
    local how = type(mode) == "table" and mode.how or "error"
    if how == "error" then
      write_down(connection.number, "text", tostring(mode))
    end
    write_down(connection.number, "ended", how)
    connection.stream:close()
    playing[connection] = nil
  end
end

local function accept()
  local stream = listener:accept(0)
  if not stream then return end
  accepted = accepted + 1
  local connection = setmetatable({ number = accepted, stream = stream, buffer = "" }, Connection)
  local script = plan.script[accepted] or plan.script[#plan.script]
  connection.co = coroutine.create(function() play(connection, script) end)
  playing[connection] = true
  resume(connection)
end

while true do
  local list, sooner, of = { { listener, "r" } }, sock.now() + FOREVER, {}
  for connection in pairs(playing) do
    sooner = math.min(sooner, connection.deadline)
    if connection.mode then
      list[#list + 1] = { connection.stream, connection.mode }
      of[connection.stream] = connection
    end
  end
  local ready = assert(sock.poll(list, sooner - sock.now()))
  local due = {}
  for _, entry in ipairs(ready) do
    due[of[entry[1]] or listener] = true
  end
  for connection in pairs(playing) do
    if connection.deadline <= sock.now() then
      due[connection] = true
    end
  end
  for connection in pairs(due) do
    if connection == listener then
      accept()
    else
      resume(connection)
    end
  end
end
