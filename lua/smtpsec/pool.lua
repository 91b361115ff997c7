--- pool: the connections of one mailer: those that are idle, kept for the next mail, and how many there may be.
--
-- A session is taken out of the table before anything can yield, so that two requests of one nginx worker never
-- speak on one connection; it comes back only when nothing is unread, unwritten or unanswered on it. All sessions
-- of a pool belong to one mailer and so to one host, port, TLS policy and user: nothing else may ever be handed one
-- of them.
--
-- Whoever has a connection holds a place. A call can end without another word (its request or its coroutine was given
-- up, a function of the user's raised): what held the place then is garbage, and so the pool's hold on it is weak.

local callback = require "smtpsec.callback"
local errors = require "smtpsec.errors"

local pool = {}

local Pool = { __name = "smtpsec.pool" }
Pool.__index = Pool

local LOOK_AGAIN = 0.01 -- seconds between looks whether a connection has become free
local WEAK = { __mode = "k" }

--- Makes a pool.
---@param driver table
---@param limits { size: integer, idle: number, max_messages: integer?, connections: integer? } sessions kept, seconds
--- an idle one is kept, mails that one connection may carry, connections at a time
function pool.new(driver, limits)
  return setmetatable({ driver = driver, limits = limits, idle = {}, places = setmetatable({}, WEAK) }, Pool)
end

local function revive(self, session)
  local stream = self.driver.unpark(session.token)
  session.stream, session.token = stream, nil
  if stream then session.pump.stream = stream end
  return stream ~= nil
end

--- How many connections there are, idle ones included.
---@return integer
function Pool:live()
  local count = 0
  for _ in pairs(self.places) do count = count + 1 end
  return count
end

--- Takes a live idle session, the youngest first; nil when there is none. Dead ones are dropped on the way.
---@return table? session
---@return number? seconds it was idle
function Pool:take()
  while true do
    local session = table.remove(self.idle)
    if not session then return nil end
    local seconds = self.driver.now() - session.since
    if seconds <= self.limits.idle and revive(self, session) then return session, seconds end
    session:abandon()
    self:forget(session.place)
  end
end

-- Ends the session that was idle for longest, to make room.
local function make_room(self)
  local session = table.remove(self.idle, 1)
  if revive(self, session) then session:quit() else session:abandon() end
  self:forget(session.place)
end

--- Asks for leave to open a connection. It counts until it is put back and ended, or forgotten, or its place is
-- garbage.
---@param deadline? number absolute end of the call
---@param seconds? number how long to wait for a free one where as many as may be are open
---@param fresh? boolean not one that was idle
---@return table? place to be kept as `place` in the session; nil, and no err, where one has become idle meanwhile
---@return table? err
---@return table? session that one
---@return number? seconds it was idle
function Pool:claim(deadline, seconds, fresh)
  local most, now = self.limits.connections, self.driver.now
  local ends = math.min(deadline or math.huge, now() + (seconds or math.huge))
  local late = false
  while most and self:live() >= most do
    if self.idle[1] then
      if fresh then make_room(self) else
        local session, since = self:take()
        if session then return nil, nil, session, since end
      end
    elseif late then
      return nil, errors.new("limit", string.format("all %d connections that pool.connections allows are busy", most),
        { stage = "connect", temporary = true })
    elseif now() >= ends or not self.driver.sleep then
      late = true
      collectgarbage()
    else
      self.driver.sleep(LOOK_AGAIN)
    end
  end
  local place = {}
  self.places[place] = true
  return place
end

--- A connection is gone.
---@param place table
function Pool:forget(place)
  self.places[place] = nil
end

--- Keeps a session, or ends it when it cannot be used again or there are enough. While it is kept, `token` and `since`
-- in it are the pool's.
---@param session table
---@return string? trouble where not even QUIT could be said
function Pool:put(session)
  local limits = self.limits
  local token
  if not self.closed and session:usable() and session.mails < session.most and #self.idle < limits.size then
    session.pump.deadline = nil -- it was that call's
    token = session.stream:park(limits.idle)
  end
  if token then
    session.token, session.since = token, self.driver.now()
    self.idle[#self.idle + 1] = session
    return nil
  end
  self:forget(session.place)
  return session:quit()
end

--- Ends all idle sessions politely, those too that come after one at which a function of the caller's raises, and lets
-- none become idle any more.
---@return string[] troubles
function Pool:close()
  local troubles = {}
  self.closed = true
  while true do
    local session = self:take()
    if not session then return troubles end
    self:forget(session.place)
    troubles[#troubles + 1] = callback.guard(self.close, self, session.quit, session)
  end
end

return pool
