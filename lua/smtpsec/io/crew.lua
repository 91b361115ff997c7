--- crew: several functions side by side on one thread, each waiting as if it were alone.
--
-- Each function is a coroutine. Where one of a driver's streams has to wait in it, it yields to the crew what it waits
-- for; the crew waits once for all of them, in the way of the driver and in the coroutine of whoever asked it to, and
-- lets those go on whose socket is ready or whose time is over. No sockets and no protocol in here.
--
-- A stream waits where it is used, not where it was connected: none has to be told that it is in a crew. Whatever else
-- a function yields (a password function that waits for a loop of its own) goes on to whoever resumes the crew's
-- owner, and what comes back goes back to the function; the others stand still meanwhile.
--
-- @module smtpsec.io.crew

local roll = require "smtpsec.io.roll"
local sock = require "smtpsec.sock"

local crew = {}

local Crew = { __name = "smtpsec.io.crew" }
Crew.__index = Crew

local WAITS = {} -- what a member yields first when it waits in its crew

local current -- the member that runs: { key =, co =, list = what it waits for, ends = and until when }

--- Makes a crew.
---@param wait fun(list: table, seconds: number): table? the driver's way of waiting: see smtpsec.io.polled
---@return table crew
function crew.new(wait)
  return setmetatable({ host_wait = wait, roll = roll.new() }, Crew)
end

--- Whether a member of a crew is running.
---@return boolean
function crew.is_running()
  return current ~= nil and coroutine.running() == current.co
end

--- Waits in the crew whose member is running; returns false, at once, where that is none. (In a coroutine that a member
-- made, too: to yield there would be to yield to the member.)
---@param list table entries of sock.poll
---@param seconds number
---@return boolean waited
function crew.wait(list, seconds)
  if not crew.is_running() then return false end
  coroutine.yield(WAITS, list, sock.now() + seconds)
  return true
end

local function can_yield()
  local co, main = coroutine.running()
  return co ~= nil and not main
end

local go_on

-- What a member did when it was resumed: it ended, it waits, or it yielded to somebody else.
local function settle(self, member, ok, what, ...)
  if coroutine.status(member.co) == "dead" then return self.roll:ended(member, member.key, ok, what, ...) end
  if what == WAITS then
    member.list, member.ends = ...
  elseif can_yield() then
    return go_on(self, member, coroutine.yield(what, ...))
  else
    self.roll:ended(member, member.key, false, "attempt to yield from outside a coroutine")
  end
end

local function left(outer, ...)
  current = outer
  return ...
end

function go_on(self, member, ...)
  if member.forgotten then return end
  local outer = current
  current, member.list = member, nil
  return settle(self, member, left(outer, coroutine.resume(member.co, ...)))
end

--- Runs a function until it waits for the first time.
---@param key any what wait() calls it; not nil
---@param fn function
---@param ... any its arguments
function Crew:start(key, fn, ...)
  local member = { key = key, co = coroutine.create(fn) }
  self.roll:add(member)
  go_on(self, member, ...)
end

-- All that the members wait for, whose it is, and when the first of them has waited for long enough.
local function merged(self, ends)
  local list, owners = {}, {}
  for _, member in ipairs(self.roll:at_work()) do
    for _, entry in ipairs(member.list or {}) do
      list[#list + 1], owners[entry[1]] = entry, member
    end
    ends = math.min(ends, member.ends or math.huge)
  end
  return list, owners, ends
end

-- The members that may go on.
local function woken(self, ready, owners)
  local now, is_ready, members = sock.now(), {}, {}
  for _, entry in ipairs(ready) do
    is_ready[owners[entry[1]]] = true
  end
  for _, member in ipairs(self.roll:at_work()) do
    if member.list and (is_ready[member] or member.ends <= now) then members[#members + 1] = member end
  end
  return members
end

-- Waits once for all, and lets those go on that may.
local function turn(self, deadline)
  local list, owners, ends = merged(self, deadline)
  local ready = self.host_wait(list, math.max(0, ends - sock.now())) or assert(sock.poll(list, 0))
  for _, member in ipairs(woken(self, ready, owners)) do
    if member.list then go_on(self, member) end
  end
end

--- Waits until a function has ended: the one that ended first of those not told yet.
---@param seconds? number nil: for as long as it takes
---@return any key, boolean ok, any ... its results, or its error
---@return nil, string? why "timeout", or nil when none is running
function Crew:wait(seconds)
  local deadline = sock.now() + (seconds or math.huge)
  while not self.roll:ready() and not self.roll:is_empty() do
    turn(self, deadline)
    if not self.roll:ready() and sock.now() >= deadline then return nil, "timeout" end
  end
  return self.roll:next()
end

--- Forgets the functions that still run and what has ended, so that nothing of them runs any more. What they held open
-- is their owners' business.
function Crew:close()
  for _, member in ipairs(self.roll:clear()) do member.list, member.forgotten = nil, true end
end

return crew
