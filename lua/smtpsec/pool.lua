--- pool: idle sessions of one mailer, kept for the next mail.
--
-- A session is taken out of the table before anything can yield, so that two requests of one nginx worker never
-- speak on one connection; it comes back only when nothing is unread, unwritten or unanswered on it. All sessions
-- of a pool belong to one mailer and so to one host, port, TLS policy and user: nothing else may ever be handed one
-- of them.

local pool = {}

local Pool = { __name = "smtpsec.pool" }
Pool.__index = Pool

--- Makes a pool.
---@param driver table
---@param limits { size: integer, idle: number, max_messages: integer? } sessions kept, seconds an idle one is kept,
--- mails that one connection may carry
function pool.new(driver, limits)
  return setmetatable({ driver = driver, limits = limits, idle = {} }, Pool)
end

local function too_old(self, entry)
  return self.driver.now() - entry.since > self.limits.idle
end

local function revive(self, entry)
  local stream = self.driver.unpark(entry.token)
  entry.session.stream = stream
  if stream then entry.session.pump.stream = stream end
  return stream and stream:alive()
end

--- Takes a live idle session, the youngest first; nil when there is none. Dead ones are dropped on the way.
---@return table? session
function Pool:take()
  while true do
    local entry = table.remove(self.idle)
    if not entry then return nil end
    if not too_old(self, entry) and revive(self, entry) then
      entry.session.reused = true
      return entry.session
    end
    entry.session:abandon()
  end
end

--- Keeps a session, or ends it when it cannot be used again or there are enough.
---@param session table
---@return string? trouble what a server did wrong at QUIT
function Pool:put(session)
  local limits = self.limits
  local worn = limits.max_messages and session.mails >= limits.max_messages
  if not session:usable() or worn or #self.idle >= limits.size then return session:quit() end
  session.pump.deadline = nil -- it was that call's
  local token = session.stream:park(limits.idle)
  if not token then return session:abandon() end
  self.idle[#self.idle + 1] = { session = session, token = token, since = self.driver.now() }
end

--- Ends all idle sessions politely.
---@return string[] troubles
function Pool:close()
  local troubles = {}
  while true do
    local session = self:take()
    if not session then return troubles end
    troubles[#troubles + 1] = session:quit()
  end
end

return pool
