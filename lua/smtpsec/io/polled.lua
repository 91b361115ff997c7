--- A driver made of smtpsec.sock and one function that waits.
--
-- The sockets of smtpsec.sock never wait when they are given no time, and an event loop only has to know how to wait
-- for a descriptor. So the drivers for plain scripts, cqueues and luv are this file and their way of waiting: they
-- share the connecting (RFC 8305), the bounds and the words of their errors. No protocol, and no event loop, in here.
--
-- The driver contract, for these and for a driver of your own (`io = your_table`):
--
--     driver.name
--     driver.now() -> seconds on a clock that only moves forward
--     driver.connect(target, seconds) -> stream | nil, why, text
--         target is { host =, port = } or { path = }; why is "dns", "connect" or "timeout".
--     driver.hello(stream) -> the name for EHLO where the user gives none
--     driver.unpark(token) -> stream, which is alive and this process has opened | nil
--     driver.sleep(seconds): waits, and the host's other work goes on
--     driver.crew() -> crew | nil, text
--     stream:read(max, seconds) -> bytes, at least one | nil, "closed" | "timeout" | "error", text
--     stream:write(bytes, seconds) -> #bytes | nil, why, text, most: how many may have been taken
--         Never less than the peer can have got: what is above that number was certainly not sent, and whether a mail
--         may be sent again hangs on it. A driver that is not told how much of a failed write went out counts it all.
--     stream:alive() -> true when an idle stream is open and silent
--     stream:park(seconds) -> a token to keep until the next use, for at most that long | nil, text
--     stream:close(), any number of times
--     stream.address, stream.port: the peer's, where they are known
--
-- The seconds bound the whole step: a connect with its name and every address of it, a write to its last byte. nil
-- seconds are no bound.
--
-- A crew runs several functions side by side, so that one caller has several connections at work:
--
--     crew:start(key, fn, ...)  runs fn(...) until it waits for the first time
--     crew:wait(seconds) -> key, true, results... | key, false, the error: of one function that has ended, in the order
--         in which they end; nil when none is running, nil, "timeout" when the seconds are over. nil seconds: no bound
--     crew:close()              forgets what is still running; nothing of it runs any more. Whoever has their streams
--         closes them, and for more than that a stream that was waited for is no good any more
--
-- The driver's streams wait in the crew's functions as they do elsewhere, whoever made them and where, and a stream is
-- used by one function at a time. A function that fails disturbs no other. start() and wait() are called by the one
-- who made the crew. A driver of your own may be without crew (one connection at a time) and sleep (no pause).
--
-- @module smtpsec.io.polled

local hello = require "smtpsec.io.hello"
local names = require "smtpsec.io.names"
local sock = require "smtpsec.sock"

local polled = {}

local LONGEST_WAIT = 3600 -- an event loop's timer need not take more, nor infinity

local crew -- smtpsec.io.crew, loaded with the first that is made: before that nobody waits in one

local function deadline_in(seconds)
  return sock.now() + (seconds or math.huge)
end

-- Waits for one descriptor. False, at once, when the deadline has passed.
local function wait_for(stream, mode, deadline)
  local left = deadline - sock.now()
  if left <= 0 then return false end
  stream.wait({ { stream.socket:fd(), mode } }, math.min(left, LONGEST_WAIT))
  return true
end

local Stream = {}
Stream.__index = Stream
Stream.__name = "smtpsec.io.stream"

function Stream:read(max, seconds)
  if self.blocks() then return self.socket:read(max, seconds or math.huge) end
  local deadline = deadline_in(seconds)
  local bytes, why, text
  repeat
    bytes, why, text = self.socket:read(max, 0)
  until why ~= "timeout" or not wait_for(self, "r", deadline)
  return bytes, why, text
end

function Stream:write(bytes, seconds)
  if self.blocks() then return self.socket:write(bytes, seconds or math.huge) end
  local deadline, written = deadline_in(seconds), 0
  local all, why, text, taken
  repeat
    all, why, text, taken = self.socket:write(bytes, 0, written + 1)
    written = written + (all or taken)
  until why ~= "timeout" or not wait_for(self, "w", deadline)
  if all then return written end
  return nil, why, text, written
end

function Stream:alive()
  return self.socket:alive()
end

-- Nothing but the process holds such a stream: it is its own token.
function Stream:park()
  return self
end

function Stream:close()
  self.socket:close()
end

-- A process that was forked has the descriptor, too. But two of them on one connection would write with the same keys,
-- and the same numbers, what is not the same: it stays the one's who opened it.
local function unpark(stream)
  if stream.process == sock.process() and stream:alive() then return stream end
  stream:close()
  return nil
end

local function hello_of(stream)
  return hello(sock.hostname(), (stream.socket:name()))
end

--- Makes a driver.
---@param name string
---@param host_wait fun(list: table, seconds: number): table? returns when one of the list's { descriptor, "r" | "w" }
--- is ready or the seconds are over; sooner does no harm. Where it knows which are ready, it returns the list of these
---@param host_blocks? fun(): boolean whether that stops the whole program, now: then a socket may wait by itself
---@return table driver
function polled.driver(name, host_wait, host_blocks)
  local function wait(list, seconds)
    if not (crew and crew.wait(list, seconds)) then return host_wait(list, seconds) end
  end

  local function blocks()
    return host_blocks ~= nil and not (crew and crew.is_running()) and host_blocks()
  end

  local driver = { name = name, wait = wait, blocks = blocks, now = sock.now, hello = hello_of, unpark = unpark }

  function driver.sleep(seconds)
    local deadline = deadline_in(seconds)
    local left = seconds
    while left > 0 do
      wait({}, math.min(left, LONGEST_WAIT))
      left = deadline - sock.now()
    end
  end

  function driver.crew()
    crew = crew or require "smtpsec.io.crew"
    return crew.new(wait)
  end

  local function dial_to(target, host, seconds)
    local dial, why, text = sock.dial { host = host, port = target.port, path = target.path, timeout = seconds }
    while dial do
      local socket
      socket, why, text = dial:step()
      if socket then
        local address, port = socket:peer()
        return setmetatable({
          socket = socket, wait = wait, blocks = blocks, address = address, port = port, process = sock.process(),
        }, Stream)
      end
      if why ~= "again" then break end
      local list, left = dial:waits()
      wait(list, math.min(left, LONGEST_WAIT))
    end
    return nil, why, text
  end

  function driver.connect(target, seconds)
    seconds = seconds or math.huge
    local started, address = sock.now(), names.find(target.host)
    if address then
      local stream = dial_to(target, address, math.min(seconds / 2, names.PATIENCE))
      if stream then return stream end
      names.forget(target.host)
    end
    local stream, why, text = dial_to(target, target.host, seconds - (sock.now() - started))
    if stream then names.keep(target.host, stream.address) end
    return stream, why, text
  end

  return driver
end

return polled
