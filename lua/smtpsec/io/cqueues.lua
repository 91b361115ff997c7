--- Driver for cqueues: waiting lets the controller's other coroutines run.
-- @module smtpsec.io.cqueues

local cqueues = require "cqueues"
local polled = require "smtpsec.io.polled"

local unpack = table.unpack or unpack -- luacheck: compat

-- The controller remembers a descriptor that was polled until it is told to forget it; one that was closed meanwhile,
-- and whose number was given to another socket, would never wake anybody. So it forgets after each wait.
local function wait(list, seconds)
  local polls = {}
  for i, entry in ipairs(list) do
    polls[i] = { pollfd = entry[1], events = entry[2] }
  end
  polls[#polls + 1] = seconds
  cqueues.poll(unpack(polls))
  for _, entry in ipairs(list) do
    cqueues.cancel(entry[1])
  end
end

return polled.driver("cqueues", wait)
