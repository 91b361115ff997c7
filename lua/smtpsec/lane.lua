--- lane: one connection at a time, and the mails that go over it. When a connection has carried all it may, or broke,
-- the next one takes its place.
--
-- Whether a mail is tried again is not decided here.

local callback = require "smtpsec.callback"
local errors = require "smtpsec.errors"
local pace = require "smtpsec.pace"
local session = require "smtpsec.session"
local session_cache = require "smtpsec.session_cache"

local lane = {}

local Lane = { __name = "smtpsec.lane" }
Lane.__index = Lane

-- A connection that was idle for longer than this, in the pool or between two mails, may have died unseen. Its next
-- message is sent only when the server has answered MAIL: else a mail that never arrived would have to be called in
-- doubt.
local DOUBTFUL_IDLE = 2

-- So many refusals on end, and a server may take the RSETs between them for an attack: the next mail goes over a new
-- connection.
local MANY_REFUSED = 8

local UNLIMITED = pace.new()

--- Makes a lane without a connection.
---@param mailer table its settings, pool, pace and quirks
---@param driver table
---@param deadline? number absolute end of the whole call
---@param owner? table who is told when the attempt of a mail is over: owner:judge(delivery, lane)
---@return table
function lane.new(mailer, driver, deadline, owner)
  return setmetatable({
    mailer = mailer, driver = driver, deadline = deadline, owner = owner,
    session = false, reused = false, load = 0, -- mails that were given to it and are not over
    stirred = 0, -- when one of them was begun, or its owner told of one
    pace = owner and mailer.settings.rate and pace.new { second = mailer.settings.rate.connection } or UNLIMITED,
    lost = false, -- why the last connection went
  }, Lane)
end

-- ---- connections ----------------------------------------------------------------------------------------------------

-- Nothing was opened, so there is nothing to tell of that; not to be changed.
local NO_TIMING = {}

local function adopt(self, one, idle)
  one.pump.deadline, one.timing = self.deadline, NO_TIMING
  one.flight.owner, one.flight.heard, one.flight.cautious = self, 0, idle > DOUBTFUL_IDLE
  self.session, self.reused = one, true
end

local function open(self, place)
  local mailer = self.mailer
  local one, err = session.open(mailer.settings, self.driver, {
    deadline = self.deadline, quirks = mailer.quirks,
  })
  if one then one.flight.owner, one.place = self, place else mailer.pool:forget(place) end
  self.session, self.reused = one or false, false
  return one ~= nil, err
end

-- Gives the connection back, and with it what lets the next one resume TLS.
local function release(self)
  local one = self.session
  if not one then return nil end
  self.session = false
  if one:usable() then session_cache.put(self.mailer.settings, one.conn) end
  return self.mailer.pool:put(one)
end

local function drop(self)
  self.session:abandon()
  self.mailer.pool:forget(self.session.place)
  self.session = false
end

-- A connection that may carry a mail: the one there is, an idle one, or a new one.
local function ready(self, fresh)
  local one = self.session
  if one and one.pump.failed then
    drop(self)
  elseif one and one.mails >= one.most then
    while one.flight.head do self:turn() end
    release(self)
  end
  if self.session then return true end
  local pool = self.mailer.pool
  local idle, since, place, err
  if not fresh then idle, since = pool:take() end
  if not idle then
    place, err, idle, since = pool:claim(self.deadline, self.mailer.settings.timeout.connect, fresh)
  end
  if idle then
    adopt(self, idle, since)
    return true
  end
  if not place then return false, err end
  return callback.guard(function() pool:forget(place) end, nil, open, self, place)
end

-- ---- mails ----------------------------------------------------------------------------------------------------------

-- A reused connection may have died while it was idle, and the server may say so only when the next command reaches
-- it. As nothing was heard on it and no message was sent, one fresh connection is no second delivery.
local function died_idle(self, one, failure)
  return self.reused and one.flight.heard <= (failure.code and 1 or 0) and failure.stage == "mail"
    and (failure.kind == "closed" or failure.code == 421)
end

local function finish(self, mail)
  self.load, mail.over = self.load - 1, true
  if self.owner then self.owner:judge(mail, self) end
end

--- A flight tells that a transaction is over.
---@param one table
function Lane:over(one)
  local mail, current = one.delivery, self.session
  mail:absorb(one, current)
  if mail.due > 0 then return end
  if mail.failure then
    mail.on_dead = died_idle(self, current, mail.failure)
    current.refused = current.refused + 1
    if current.refused == MANY_REFUSED then current:retire() end
  else
    current.refused = 0
  end
  finish(self, mail)
end

local function launch(self, one)
  local current = self.session
  if not current.pump.failed then
    self.lost = current.flight:launch(one) or one.failure or self.lost
  else
    one:cut(self.lost, false, false) -- its connection is gone already: it was never sent
    self:over(one)
  end
end

-- Nothing was heard for a while: what is true of a connection that was idle is true of this one.
local function doubt(self)
  local current = self.session.flight
  self.reused, current.heard, current.cautious = true, 0, true
end

--- Sends a mail, behind those that are under way. The limit of its connection is kept here; who has other things to do
-- meanwhile asks `pace` before.
---@param mail table a delivery
---@param fresh? boolean not on a connection that was idle
function Lane:submit(mail, fresh)
  self.load = self.load + 1
  local held = self.session
  local ok, err = ready(self, fresh)
  local one, more
  if ok and self.session.pace then
    err = self.session.pace:wait(self.driver, self.deadline)
    ok = not err
  end
  local now = self.driver.now()
  if ok and self.session == held and now - self.stirred > DOUBTFUL_IDLE then doubt(self) end
  mail.launched, self.stirred = now, now
  if ok then
    one, more = mail:attempt(self.session)
    err = more
  end
  if not one then
    mail:fail(err)
    mail.unopened = not ok
    return finish(self, mail)
  end
  launch(self, one)
  if not more then return end
  for _, another in ipairs(more) do launch(self, another) end
end

--- Waits until something has been heard.
function Lane:turn()
  local _, err = self.session.flight:turn()
  self.lost = err or self.lost
end

--- Whether mails are under way on the connection.
---@return boolean
function Lane:is_busy()
  return self.session and self.session.flight.head and true or false
end

local function noop(self, fresh)
  local ok, err = ready(self, fresh)
  if not ok then return nil, err end
  local reply
  reply, err = self.session.pump:ask "noop"
  local died = not reply and err.kind == "closed" or reply and reply.code == 421
  if not (died and self.reused) then return reply, err end
  self:abandon() -- while it was idle
  return noop(self, true)
end

--- Connects, and says NOOP; sends no mail.
---@return table facts what a receipt says of the way, and capabilities | nil, table err
function Lane:verify()
  local reply, err = noop(self)
  if not reply then return nil, err end
  if not reply.good then
    return nil, errors.new("rejected", "the server refuses NOOP", { stage = "mail", code = reply.code,
      enhanced = reply.enhanced, text = reply.text, temporary = reply.code < 500 })
  end
  local facts = self.session:facts()
  facts.capabilities = self.session.conn:capabilities()
  facts.login = self.session.choice
  return facts
end

--- Drops the connection, whatever is under way on it.
function Lane:abandon()
  if self.session then drop(self) end
end

--- Waits for what is under way and gives the connection back.
---@return string? trouble
function Lane:close()
  if not self.session then return nil end
  local flight = self.session.flight
  callback.guard(self.abandon, self, flight.rest, flight)
  return release(self)
end

return lane
