--- retry: whether a mail that failed is tried again, and when.
--
-- Never where it could arrive twice: only what failed for now (4yz, the network) and certainly was not accepted.

local core = require "smtpsec.core"

local retry = {}

-- Attempts in all, seconds before the second one, and at most.
local DEFAULT = { attempts = 3, first = 1, longest = 60 }

--- A policy from what a caller wrote.
---@param given false|integer|table|nil false: never; a number of attempts; or some of { attempts, first, longest }
---@return false|table|nil policy nil where nothing was said
function retry.policy(given)
  if given == nil or given == false then return given end
  if type(given) == "number" then given = { attempts = given } end
  local policy = {}
  for name, value in pairs(DEFAULT) do policy[name] = given[name] or value end
  return policy
end

--- What send_all does where nothing was said.
retry.DEFAULT = retry.policy {}

--- Whether trying again is safe and may help.
---@param err table
---@return boolean
function retry.is_safe(err)
  return err.temporary == true and err.retry_safe ~= false
end

-- Twice as long each time, less a random part of up to a half, so that those who failed together do not come back
-- together.
local function backoff(policy, attempt)
  local seconds = math.min(policy.longest, policy.first * 2 ^ (attempt - 1))
  return seconds * (1 - core.random(1):byte() / 512)
end

-- What is not the mail's fault is made good at once, and only once: a connection that had died while it was idle, and
-- an extension that the server offers and does not master. A mail whose recipients are too many for one connection goes
-- on over the next one at once, too.
local function at_once(mail)
  local failure = mail.failure
  if failure.retry_safe == false then return nil end
  if mail.on_dead and not mail.revived then
    mail.revived = true
    return "the connection had died while it was idle"
  end
  local keyword = mail.breaks
  mail.breaks = nil
  if keyword then return "without " .. keyword end
  mail.goes_on = mail.waiting ~= nil
  return mail.goes_on and "the other recipients, over another connection" or nil
end

--- Whether a delivery whose attempt is over is to be tried again.
---@param mail table
---@param policy table|false|nil of retry.policy; without one, never for a failure of its own
---@param now number
---@param deadline? number absolute end of the call
---@return number? seconds to wait before that; nil when this was the end
---@return boolean? fresh whether it needs a connection that was not idle
---@return string? why for a transcript
function retry.after(mail, policy, now, deadline)
  local failure = mail.failure
  if not failure then return nil end
  local why = at_once(mail)
  if why then return 0, true, why end
  mail.attempts = (mail.attempts or 0) + 1
  if not (policy and mail.attempts < policy.attempts and mail.left and failure.retry_safe ~= false) then return nil end
  local seconds = backoff(policy, mail.attempts)
  if deadline and now + seconds >= deadline then return nil end
  mail:note(string.format("attempt %d failed: %s", mail.attempts, failure.message))
  return seconds, false, failure.message
end

return retry
