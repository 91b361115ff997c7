--- bulk: many mails: drawn from an iterator as fast as they leave, several of them under way on each connection, and
-- each told exactly what became of it.
--
-- What is drawn waits in no queue: a mail is drawn when a lane has room for it. Results come in the order of the
-- mails, or as they come.

local callback = require "smtpsec.callback"
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
local LATE = 0.05 -- seconds, of a function that is asked for the next mail

-- Errors of opening a connection that the next mail would meet just as well.
local HOPELESS = { config = true, policy = true, tls = true, auth = true }

-- ---- results --------------------------------------------------------------------------------------------------------

-- Mails whose results are to be given, in that order; each knows its next.
local function enlist(self, mail)
  if self.tail then self.tail.next = mail else self.head = mail end
  self.tail = mail
end

local function tell(self, mail, receipt, err)
  mail.receipt, mail.err = receipt or nil, err
  self.told = self.told + 1
  if not self.ordered then enlist(self, mail) end
  local on_event = self.mailer.settings.on_event
  if on_event then
    on_event { type = "mail", index = mail.index, status = receipt and receipt.status or "failed",
      id = (receipt or err).id, err = err, done = self.told, drawn = self.drawn }
  end
end

local function has_result(self)
  return self.head and self.head.receipt ~= false
end

local function give_result(self, mail)
  self.head, self.given = mail.next, self.given + 1
  if not self.head then self.tail = false end
  return mail.index, mail.receipt, mail.err
end

-- ---- drawing --------------------------------------------------------------------------------------------------------

local function is_callable(value)
  local meta = type(value) == "table" and getmetatable(value)
  return type(value) == "function" or (meta and meta.__call ~= nil)
end

local function source(messages, level)
  if is_callable(messages) then return messages end
  if type(messages) ~= "table" then
    error("smtpsec: send_all: a list of messages or an iterator expected, got a " .. type(messages), level + 2)
  end
  local i = 0
  return function()
    i = i + 1
    return messages[i]
  end
end

-- The next mail; nil where there is none for now. One that cannot be sent is over at once.
local function draw(self)
  local now = self.mailer.driver.now
  while not self.drained and self.drawn - self.given < self.most do
    local began = now()
    local fields = self.messages()
    self.late = now() - began > LATE
    if fields == nil then
      self.drained = true
      return nil
    end
    self.drawn = self.drawn + 1
    local draft, err = self.mailer:draft(fields, 9) -- whoever asks for the next result
    local mail = draft and delivery.new(draft, self.drawn, false)
      or { index = self.drawn, receipt = false, next = false }
    if self.ordered then enlist(self, mail) end
    err = err or self.hopeless
    if not err then return mail end
    tell(self, mail, nil, err)
    if has_result(self) then return nil end
  end
end

-- ---- attempts -------------------------------------------------------------------------------------------------------

local function finish(self, mail, now)
  local receipt, err = mail:result(now)
  if err then errors.explain(err, self.mailer.settings) end
  tell(self, mail, receipt, err)
end

-- Another attempt, where one is safe and worth it; else this was the result.
local function reconsider(self, mail, now)
  local mailer, failure = self.mailer, mail.failure
  if failure.code and failure.code < 500 and mailer.driver.sleep then mailer.pace:slow(now) end
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

--- A lane tells that the attempt of a mail is over.
---@param mail table delivery
---@param one table the lane
function Run:judge(mail, one)
  local now = self.mailer.driver.now()
  one.news, one.stirred = true, now
  if mail.failure then return reconsider(self, mail, now) end
  self.mailer.pace:ease()
  finish(self, mail, now)
end

-- A mail whose time to be tried again has come.
local function due(self)
  local now = self.mailer.driver.now()
  for i, mail in ipairs(self.later) do
    if mail.not_before <= now then return table.remove(self.later, i) end
  end
end

-- Seconds until a mail is to be tried again.
local function next_retry(self)
  local first = math.huge
  for _, mail in ipairs(self.later) do first = math.min(first, mail.not_before) end
  return math.max(0, first - self.mailer.driver.now())
end

-- ---- lanes ----------------------------------------------------------------------------------------------------------

-- The lane with the most room, or nil.
local function roomy(self)
  local best, least = nil, self.mailer.pace.penalty > 0 and 1 or self.window
  if not self.crew then
    local only = self.lanes[1]
    return only.load < least and only
  end
  for _, one in ipairs(self.lanes) do
    if not one.busy and one.load + #one.inbox < least then best, least = one, one.load + #one.inbox end
  end
  return best
end

-- Seconds until the limits let the next mail go; counts it when that is now.
local function hold(self, one)
  local pace, own = self.mailer.pace, one.pace
  if pace.free and own.free then return 0 end
  local now = self.mailer.driver.now()
  local seconds = math.max(pace:delay(now), own:delay(now))
  if seconds == 0 then
    pace:spend(now)
    own:spend(now)
  end
  return seconds
end

-- Sends a mail, where it is not known already what would come of it.
local function submit(self, one, mail)
  if not self.hopeless then return one:submit(mail, mail.fresh) end
  mail:fail(self.hopeless)
  finish(self, mail, self.mailer.driver.now())
end

-- Gives the lanes what they have room for, but not while a function that takes its time makes them wait for what they
-- were given before. Returns the seconds after which there will be more to give, where that is a matter of time.
local function fill(self)
  while not has_result(self) do
    local one = roomy(self)
    if not one then return nil end
    local mail = self.held or self.later[1] and due(self) or draw(self)
    if not mail then return self.later[1] and next_retry(self) end
    local seconds = hold(self, one)
    self.held = seconds > 0 and mail
    if seconds > 0 then return seconds end
    if self.crew then
      one.inbox[#one.inbox + 1] = mail
    else
      self.at = one
      submit(self, one, mail)
      self.at = false
    end
    if self.late then
      self.late = false
      return nil
    end
  end
end

-- One lane's work until something is over: send what was given, then hear.
local function work(self, one)
  local inbox = one.inbox
  one.inbox, one.news = {}, false
  for _, mail in ipairs(inbox) do submit(self, one, mail) end
  while not one.news and one:is_busy() do one:turn() end
end

-- Waits for the work of a lane to end. Where something was raised in it, its connection is gone.
local function wait_for_one(self, seconds)
  local one, ok, problem = self.crew:wait(seconds)
  if one then one.busy = false end
  if one and not ok then one:abandon() end
  return one, ok, problem
end

-- Several lanes take turns in a crew of the driver's.
local function work_together(self, seconds)
  local running = false
  for _, one in ipairs(self.lanes) do
    if not one.busy and (one.inbox[1] or one:is_busy()) then
      one.busy = true
      self.crew:start(one, work, self, one)
    end
    running = running or one.busy
  end
  if not running then return false end
  local one, ok, problem = wait_for_one(self, seconds)
  if one and not ok then error(problem, 0) end
  return true
end

local function work_alone(self)
  local one = self.lanes[1]
  if not one:is_busy() then return false end
  self.at = one
  one:turn()
  self.at = false
  return true
end

-- One step towards the next result. False when there will be none.
local function step(self)
  local seconds = fill(self)
  if has_result(self) then return true end
  local worked
  if self.crew then worked = work_together(self, seconds) else worked = work_alone(self) end
  if worked or has_result(self) then return true end
  if not seconds then return self.later[1] ~= nil end
  self.mailer.driver.sleep(seconds)
  return true
end

-- ---- the iterator ---------------------------------------------------------------------------------------------------

-- Gives all connections back; what a function of the caller's raises meanwhile goes on when that is done.
local function give_back(self)
  local raised, problem
  for _, one in ipairs(self.lanes) do
    local ran, why = pcall(one.close, one)
    if not ran then raised, problem = true, why end
  end
  if raised then error(problem, 0) end
end

-- What a function of the caller's raises ends the run. In the middle of a lane's work it leaves nothing there to go on.
local function fall(self)
  if self.at then self.at:abandon() end
  self:close()
end

--- The next result.
---@return integer? index of the mail, nil at the end
---@return table? receipt
---@return table? err
function Run:__call()
  while not self.ended do
    local mail = self.head
    if mail and mail.receipt ~= false then return give_result(self, mail) end
    if not callback.guard(fall, self, step, self) then self:close() end
  end
end

--- Waits for the mails that are under way, whose results are lost, and gives the connections back. A loop that is left
-- early does this by itself on Lua 5.4.
function Run:close()
  if self.ended then return end
  self.ended = true
  while self.crew and wait_for_one(self) do end -- until none is in the middle of something
  give_back(self)
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
    ordered = options.ordered ~= false,
    retry = mailer.driver.sleep and policy(options.retry, mailer.settings), -- who cannot wait does not try again
    lanes = {}, later = {}, held = false, head = false, tail = false, hopeless = false,
    drawn = 0, told = 0, given = 0,
    at = false, -- the lane at work, where there is one alone
    late = false, -- whether the last mail was long in coming
  }, Run)
  local connections = math.min(options.connections or 1, mailer.settings.pool.connections or math.huge)
  if connections > 1 then
    local crew, why = mailer.driver.crew, "this driver knows no crew (see smtpsec.io.polled)"
    if crew then self.crew, why = crew() end
    if not self.crew then error("smtpsec: send_all: connections: " .. why, level + 1) end
  end
  for i = 1, connections do
    self.lanes[i] = lane.new(mailer, mailer.driver, nil, self)
    self.lanes[i].inbox = {}
  end
  self.most = 2 * self.window * connections
  return self
end

return bulk
