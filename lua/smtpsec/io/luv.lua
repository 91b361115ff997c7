--- Driver for luv (libuv): waiting yields the calling coroutine to the running loop.
--
-- The caller is a coroutine that nobody but this driver resumes while it waits, started in a callback or before
-- `uv.run()`.
--
-- @module smtpsec.io.luv

local luv_crew = require "smtpsec.io.luv.crew"
local luv_wait = require "smtpsec.io.luv.wait"
local polled = require "smtpsec.io.polled"

local ADVICE = "the luv driver waits by yielding: call it in a coroutine, not in the main program"

local function wait(list, seconds)
  if not luv_wait.running() then error("smtpsec: " .. ADVICE, 0) end
  luv_wait.sockets(list, seconds)
end

local driver = polled.driver("luv", wait)
local connect = driver.connect

function driver.connect(target, seconds)
  if not luv_wait.running() then return nil, "connect", ADVICE end
  return connect(target, seconds)
end

function driver.crew()
  if not luv_wait.running() then return nil, ADVICE end
  return luv_crew.new()
end

return driver
