--- pace: how fast mails may leave: the caller's limits, kept exactly, and caution after temporary refusals.
--
-- Who has several things to do asks how long to wait; who has only this waits here.

local errors = require "smtpsec.errors"

local pace = {}

local Pace = { __name = "smtpsec.pace" }
Pace.__index = Pace

local SPANS = { second = 1, hour = 3600 }
local FIRST_PENALTY, LONGEST_PENALTY, FORGIVEN = 0.5, 30, 0.25

-- Never more than `most` in any span of `seconds`: the times of the last `most`, in a ring.
local function window(most, seconds)
  return { most = most, seconds = seconds, at = 1 }
end

--- Makes a pace. While its `free` is true, every mail may leave at once and nothing has to be asked.
---@param limits? { second: integer?, hour: integer? } mails in any second, in any hour
---@return table
function pace.new(limits)
  local windows = {}
  for name, seconds in pairs(SPANS) do
    if limits and limits[name] then windows[#windows + 1] = window(limits[name], seconds) end
  end
  return setmetatable({ windows = windows, penalty = 0, earliest = 0, free = #windows == 0 }, Pace)
end

--- Seconds until the next mail may leave.
---@param now number
---@return number 0 when it may leave now
function Pace:delay(now)
  local wait = self.earliest - now
  for _, one in ipairs(self.windows) do
    local oldest = one[one.at]
    if oldest then wait = math.max(wait, oldest + one.seconds - now) end
  end
  return math.max(wait, 0)
end

--- A mail leaves.
---@param now number
function Pace:spend(now)
  for _, one in ipairs(self.windows) do
    one[one.at] = now
    one.at = one.at % one.most + 1
  end
  if self.penalty > 0 then self.earliest = now + self.penalty end
end

--- Waits until a mail may leave, and counts it.
---@param driver table
---@param deadline? number absolute end of the call
---@return table? err of kind "limit" where that would be too late
function Pace:wait(driver, deadline)
  while not self.free do
    local now = driver.now()
    local seconds = self:delay(now)
    if seconds == 0 then return self:spend(now) end
    if deadline and now + seconds > deadline then
      return errors.new("limit", "the rate that was set lets no mail go before the time for the call is over",
        { stage = "mail", temporary = true })
    end
    driver.sleep(seconds)
  end
end

--- The server said 4yz: wait before the next, longer each time.
---@param now number
function Pace:slow(now)
  self.free = false
  self.penalty = math.min(LONGEST_PENALTY, math.max(FIRST_PENALTY, self.penalty * 2))
  self.earliest = now + self.penalty
end

--- A mail was accepted: half the caution is enough.
function Pace:ease()
  if self.penalty == 0 then return end
  self.penalty = self.penalty / 2
  if self.penalty < FORGIVEN then self.penalty, self.earliest, self.free = 0, 0, #self.windows == 0 end
end

return pace
