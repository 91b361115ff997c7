--- crew for nginx: see the driver contract in smtpsec.io.polled.
--
-- Each function is a light thread. Their end is told by a semaphore: who once waited for one of several threads by
-- ngx.thread.wait would be resumed by the others' end too, in the middle of whatever it waits for then.
--
-- @module smtpsec.io.nginx.crew

-- luacheck: read globals ngx
local ngx = ngx
local dial = require "smtpsec.io.nginx.dial"
local roll = require "smtpsec.io.roll"
local semaphore = require "ngx.semaphore"

local LONGEST_WAIT = 3600 -- a timer need not take more, nor infinity

local crew = {}

local Crew = { __name = "smtpsec.io.nginx.crew" }
Crew.__index = Crew

--- Makes a crew.
---@return table crew
function crew.new()
  return setmetatable({ roll = roll.new(), over = {}, news = assert(semaphore.new()) }, Crew)
end

local function run(self, member, key, fn, ...)
  if not self.roll:ended(member, key, pcall(fn, ...)) then return end
  self.over[#self.over + 1] = member
  if self.waits then self.news:post() end
end

function Crew:start(key, fn, ...)
  local member = {}
  self.roll:add(member)
  member.thread = ngx.thread.spawn(run, self, member, key, fn, ...)
end

-- A light thread that has ended takes its place until its parent asks for it, which is answered at once.
local function bury(self)
  for _, member in ipairs(self.over) do ngx.thread.wait(member.thread) end
  self.over = {}
end

function Crew:wait(seconds)
  local deadline = dial.deadline_in(seconds)
  while not self.roll:ready() and not self.roll:is_empty() do
    local left = deadline - dial.now()
    if left <= 0 then return nil, "timeout" end
    self.waits = true
    self.news:wait(math.min(left, LONGEST_WAIT))
    self.waits = false
  end
  bury(self)
  return self.roll:next()
end

function Crew:close()
  bury(self)
  for _, member in ipairs(self.roll:clear()) do ngx.thread.kill(member.thread) end
end

return crew
