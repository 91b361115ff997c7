--- How a coroutine waits in libuv's loop: for sockets, or for another coroutine to wake it, and never for ever.
-- @module smtpsec.io.luv.wait

local sock = require "smtpsec.sock"
local uv = require "luv"

local wait = {}

local LOOK_AGAIN = 0.01 -- seconds, where no descriptor is left to wait with

local stops = {} -- coroutine that waits -> ends its wait, and leaves it where it is

--- The running coroutine; nil in the main program.
---@return thread?
function wait.running()
  local co, main = coroutine.running()
  return not main and co or nil
end

-- Yields until `handles` (or somebody else) wake the coroutine, or the seconds are over.
local function pause(co, handles, seconds)
  local timer = uv.new_timer()
  handles[#handles + 1] = timer
  stops[co] = function()
    stops[co] = nil
    for _, handle in ipairs(handles) do handle:close() end
  end
  timer:start(math.max(math.ceil(seconds * 1000), 0), 0, function() wait.wake(co) end)
  coroutine.yield()
end

--- Lets a coroutine go on that waits; any other is left alone. So is one that was closed while it did (Lua 5.4).
---@param co thread
function wait.wake(co)
  local stop = stops[co]
  if not stop then return end
  stop()
  if coroutine.status(co) == "suspended" then assert(coroutine.resume(co)) end
end

--- Ends the wait of a coroutine that nobody shall resume any more.
---@param co thread
function wait.forget(co)
  if stops[co] then stops[co]() end
end

--- Waits until one of the list is ready. Through a watch, because a poll handle of libuv reports a refused connection
-- as a wrong use of itself. Sooner where there can be no watch: too many open files are no reason to leave a mail in
-- the middle.
---@param list table entries of sock.poll
---@param seconds number
function wait.sockets(list, seconds)
  local co, watch = wait.running(), sock.watch(list)
  local poll = watch and uv.new_poll(watch:fd())
  if not poll then
    if watch then watch:close() end
    return wait.sleep(math.min(seconds, LOOK_AGAIN))
  end
  poll:start("r", function() wait.wake(co) end)
  pause(co, { poll, watch }, seconds)
end

--- Waits until wake() is called for this coroutine.
---@param seconds number
function wait.sleep(seconds)
  pause(wait.running(), {}, seconds)
end

return wait
