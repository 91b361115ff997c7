--- bulk: many mails: drawn from an iterator as fast as they leave, several of them under way on each connection, and
-- each told exactly what became of it.
--
-- What is drawn waits in no queue: a mail is drawn when a lane has room for it. Results come in the order of the
-- mails, or as they come.

local delivery = require "smtpsec.delivery"
local errors = require "smtpsec.errors"
local lane = require "smtpsec.lane"
local retry = require "smtpsec.retry"
local schema = require "smtpsec.schema"
local shape = require "smtpsec.config.options"

local bulk = {}

local Run = { __name = "smtpsec.run" }
Run.__index = Run

local check = schema.record("options of send_all", {
  window = schema.integer(1, 1000), connections = schema.integer(1, 1000), ordered = schema.boolean,
  retry = shape.RETRY,
})

local WINDOW = 64

-- Errors of opening a connection that the next mail would meet just as well.
local HOPELESS = { config = true, policy = true, tls = true, auth = true }

-- ---- drawing --------------------------------------------------------------------------------------------------------

local function source(messages, level)
  if type(messages) ~= "table" or getmetatable(messages) and getmetatable(messages).__call then
    if type(messages) ~= "function" and type(messages) ~= "table" then
      error("smtpsec: send_all: a list of messages or an iterator expected, got a " .. type(messages), level + 1)
    end
    return messages
  end
  local i = 0
  return function()
    i = i + 1
    return messages[i]
  end
end

-- The next mail, or nil where there is none. One that cannot be sent is over at once.
local function draw(self)
  if self.drained then return nil end
  local fields = self.messages()
  if fields == nil then
    self.drained = true
    return nil
  end
  self.drawn = self.drawn + 1
  local draft, err = self.mailer:draft(fields, 3)
  local mail = draft and delivery.new(draft, self.drawn, self.mailer.driver.now())
  if mail then return mail end
  self:tell(self.drawn, nil, err)
  return draw(self)
end

-- ---- results --------------------------------------------------------------------------------------------------------

-- A result stands at its place in the order in which results are given: three lists, because a table for each would
-- cost more than all the rest of it.
function Run:tell(index, receipt, err)
  self.told = self.told + 1
  local place = self.ordered and index or self.told
  self.indices[place], self.receipts[place], self.errors[place] = index, receipt, err
  local on_event = self.mailer.settings.on_event
  if on_event then
    on_event { type = "mail", index = index, status = receipt and receipt.status or "failed",
      id = (receipt or err).id, err = err, done = self.told, drawn = self.drawn }
  end
end

-- The results that nobody has asked for yet.
local function untold(self)
  return self.drawn - self.given
end

local function next_result(self)
  local place = self.given + 1
  local index = self.indices[place]
  if not index then return nil end
  self.given = place
  local receipt, err = self.receipts[place], self.errors[place]
  self.indices[place], self.receipts[place], self.errors[place] = nil, nil, nil
  return index, receipt, err
end

-- ---- attempts -------------------------------------------------------------------------------------------------------

local function finish(self, mail, now)
  local receipt, err = mail:result(now)
  if err then errors.explain(err, self.mailer.settings) end
  self:tell(mail.index, receipt, err)
end

local function judge(self, mail)
  local mailer, failure = self.mailer, mail.failure
  local now = mailer.driver.now()
  if not failure then
    mailer.pace:ease()
    return finish(self, mail, now)
  end
  if failure.code and failure.code < 500 then mailer.pace:slow(now) end
  if mail.unopened and HOPELESS[failure.kind] and not failure.temporary then self.hopeless = failure end
  local seconds, fresh, why = retry.after(mail, self.retry, now)
  if not seconds then return finish(self, mail, now) end
  if mailer.settings.on_event then
    mailer.settings.on_event { type = "retry", index = mail.index, after = seconds, reason = why }
  end
  mail:again()
  mail.fresh, mail.not_before = fresh, now + seconds
  self.later[#self.later + 1] = mail
end

-- A mail whose time to be tried again has come.
local function due(self)
  local now = self.later[1] and self.mailer.driver.now()
  for i, mail in ipairs(self.later) do
    if mail.not_before <= now then return table.remove(self.later, i) end
  end
end

-- ---- lanes ----------------------------------------------------------------------------------------------------------

local function load_of(one)
  return #one.inbox + one:size()
end

-- The lane with the most room, or nil.
local function roomy(self)
  local window = self.mailer.pace.penalty > 0 and 1 or self.window
  local best, least
  for _, one in ipairs(self.lanes) do
    local load = load_of(one)
    if not one.busy and load < window and (not least or load < least) then best, least = one, load end
  end
  return best
end

-- Seconds until the limits let the next mail go.
local function held(self, one)
  local now = self.mailer.driver.now()
  return math.max(self.mailer.pace:delay(now), one.pace:delay(now))
end

local function spend(self, one)
  local now = self.mailer.driver.now()
  self.mailer.pace:spend(now)
  one.pace:spend(now)
end

-- Seconds until a mail is to be tried again; nil when none is.
local function next_retry(self)
  local first = math.huge
  for _, mail in ipairs(self.later) do first = math.min(first, mail.not_before) end
  return first < math.huge and math.max(0, first - self.mailer.driver.now()) or nil
end

-- Gives a lane one mail. False when there is none to give: for that many seconds, where it is a matter of time.
local function give(self, one)
  local limited = not (self.mailer.pace.free and one.pace.free)
  local seconds = limited and held(self, one) or 0
  if seconds > 0 then return false, not (self.drained and not self.later[1]) and seconds or nil end
  local mail = self.later[1] and due(self)
  if not mail and untold(self) < self.most then mail = draw(self) end
  if not mail then return false, self.later[1] and next_retry(self) end
  if limited then spend(self, one) end
  if self.hopeless then
    self:tell(mail.index, nil, self.hopeless)
    return false
  end
  one.inbox[#one.inbox + 1] = mail
  return true
end

-- Gives the lanes what they have room for. Returns the seconds after which there will be more to give, where that is
-- a matter of time.
local function fill(self)
  local given, seconds = true, nil
  while given do
    local one = roomy(self)
    if not one then return nil end
    given, seconds = give(self, one)
  end
  return seconds
end

-- One lane's work until something is over: send what was given, then hear.
local function work(one)
  local inbox = one.inbox
  for i = 1, #inbox do
    local mail = inbox[i]
    inbox[i] = nil
    one:submit(mail, mail.fresh)
  end
  while not one.over[1] and one:size() > 0 do one:turn() end
end

local function collect(self, one)
  local mail = one:take()
  while mail do
    judge(self, mail)
    mail = one:take()
  end
end

-- Several lanes take turns in a crew of the driver's.
local function work_together(self, seconds)
  local running = false
  for _, one in ipairs(self.lanes) do
    if not one.busy and (one.inbox[1] or one:size() > 0) then
      one.busy = true
      self.crew:start(one, work, one)
    end
    running = running or one.busy
  end
  if not running then return false end
  local one, ok, problem = self.crew:wait(seconds)
  if not one then return true end
  one.busy = false
  if not ok then error(problem, 0) end
  collect(self, one)
  return true
end

local function work_alone(self)
  local one = self.lanes[1]
  if not one.inbox[1] and one:size() == 0 then return false end
  work(one)
  collect(self, one)
  return true
end

local function step(self)
  local seconds = fill(self)
  if self.indices[self.given + 1] then return true end
  local worked
  if self.crew then worked = work_together(self, seconds) else worked = work_alone(self) end
  if worked then return true end
  if not seconds then return false end
  self.mailer.driver.sleep(seconds)
  return true
end

-- ---- the iterator ---------------------------------------------------------------------------------------------------

--- The next result.
---@return integer? index of the mail, nil at the end
---@return table? receipt
---@return table? err
function Run:__call()
  while not self.ended do
    local index, receipt, err = next_result(self)
    if index then return index, receipt, err end
    if not step(self) then self:close() end
  end
end

--- Waits for the mails that are under way, whose results are lost, and gives the connections back. A loop that is left
-- early does this by itself on Lua 5.4.
function Run:close()
  if self.ended then return end
  self.ended = true
  if self.crew then self.crew:close() end
  for _, one in ipairs(self.lanes) do
    if one.busy then one:abandon() else one:close() end
  end
end

Run.__close = Run.close

-- What was said for this run, else for the mailer, else by nobody.
local function policy(given, settings)
  if given == nil then given = settings.retry end
  if given == nil then return retry.DEFAULT end
  return retry.policy(given)
end

--- Begins a run.
---@param mailer table
---@param messages table|function a list of messages, or a function that returns one after the other
---@param options? table as for mailer:send_all
---@param level integer whom misuse blames, as for error()
---@return table run an iterator
function bulk.run(mailer, messages, options, level)
  options = check(options or {}, level + 1)
  local self = setmetatable({
    mailer = mailer, messages = source(messages, level), window = options.window or WINDOW,
    ordered = options.ordered ~= false, retry = policy(options.retry, mailer.settings),
    lanes = {}, later = {}, indices = {}, receipts = {}, errors = {},
    drawn = 0, told = 0, given = 0,
  }, Run)
  local connections = math.min(options.connections or 1, mailer.settings.pool.connections or math.huge)
  if connections > 1 then
    local why
    self.crew, why = mailer.driver.crew()
    if not self.crew then error("smtpsec: send_all: connections: " .. why, level + 1) end
  end
  for i = 1, connections do
    self.lanes[i] = lane.new(mailer, mailer.driver)
    self.lanes[i].inbox = {}
  end
  self.most = 2 * self.window * connections
  return self
end

return bulk
