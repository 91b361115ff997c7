--- crew for luv: see the driver contract in smtpsec.io.polled.
--
-- Each function is a coroutine that the loop resumes itself. For luv there is no other way: what waits there says by
-- which coroutine it is to be resumed, so nobody may stand between.
--
-- @module smtpsec.io.luv.crew

local luv_wait = require "smtpsec.io.luv.wait"
local roll = require "smtpsec.io.roll"
local sock = require "smtpsec.sock"

local LONGEST_WAIT = 3600 -- a timer need not take more, nor infinity

local crew = {}

local Crew = { __name = "smtpsec.io.luv.crew" }
Crew.__index = Crew

--- Makes a crew.
---@return table crew
function crew.new()
  return setmetatable({ roll = roll.new() }, Crew)
end

function Crew:start(key, fn, ...)
  local co
  co = coroutine.create(function(...)
    if self.roll:ended(co, key, pcall(fn, ...)) and self.sleeper then luv_wait.wake(self.sleeper) end
  end)
  self.roll:add(co)
  assert(coroutine.resume(co, ...))
end

function Crew:wait(seconds)
  local deadline = sock.now() + (seconds or math.huge)
  while not self.roll:ready() and not self.roll:is_empty() do
    local left = deadline - sock.now()
    if left <= 0 then return nil, "timeout" end
    self.sleeper = luv_wait.running()
    luv_wait.sleep(math.min(left, LONGEST_WAIT))
    self.sleeper = nil
  end
  return self.roll:next()
end

function Crew:close()
  for _, co in ipairs(self.roll:clear()) do luv_wait.forget(co) end
end

return crew
