--- Driver for luv (libuv): waiting yields the calling coroutine to the running loop.
--
-- The caller is a coroutine that nobody but this driver resumes while it waits, started in a callback or before
-- `uv.run()`.
--
-- @module smtpsec.io.luv

local polled = require "smtpsec.io.polled"
local sock = require "smtpsec.sock"
local uv = require "luv"

local function running()
  local co, main = coroutine.running()
  return not main and co or nil
end

-- Through a watch, because a poll handle of libuv reports a refused connection as a wrong use of itself.
local function wait(list, seconds)
  local co = running()
  local watch = assert(sock.watch(list))
  local poll, timer = assert(uv.new_poll(watch:fd())), uv.new_timer()
  local function wake()
    if not watch then return end
    poll:close()
    timer:close()
    watch:close()
    watch = nil
    assert(coroutine.resume(co))
  end
  poll:start("r", wake)
  timer:start(math.max(math.ceil(seconds * 1000), 0), 0, wake)
  coroutine.yield()
end

local driver = polled.driver("luv", wait)
local connect = driver.connect

function driver.connect(target, seconds)
  if not running() then
    return nil, "connect", "the luv driver waits by yielding: call it in a coroutine, not in the main program"
  end
  return connect(target, seconds)
end

return driver
