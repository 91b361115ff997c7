--- mailer: what smtpsec.new returns. It holds what outlives a call (the settings, the idle connections, the pace, and
-- what was learned about the server) and makes one call of the user into the right calls of message, delivery and lane.

local callback = require "smtpsec.callback"
local config = require "smtpsec.config"
local delivery = require "smtpsec.delivery"
local errors = require "smtpsec.errors"
local io_drivers = require "smtpsec.io"
local lane = require "smtpsec.lane"
local message = require "smtpsec.message"
local pace = require "smtpsec.pace"
local pool = require "smtpsec.pool"
local quirks = require "smtpsec.quirks"
local retry = require "smtpsec.retry"

local mailer = {}

local Mailer = { __name = "smtpsec.mailer" }
Mailer.__index = Mailer

--- Makes a mailer. Nothing is connected yet.
---@param options? table|string as smtpsec.new
---@param level? integer whose line an error about misuse names: 1 is who calls this function (default), 2 its caller
---@param once? boolean for a single mail: its connection is ended before send returns
---@return table mailer | nil, table err of kind "config"
function mailer.new(options, level, once)
  local settings, err = config.resolve(options, nil, (level or 1) + 1)
  if not settings then return nil, err end
  local driver = io_drivers.select(settings.io, (level or 1) + 2)
  if (settings.rate or settings.retry) and not driver.sleep then
    return nil, errors.new("config", '"rate" and "retry" need a driver that can sleep (see smtpsec.io.polled)', {})
  end
  local kept = once and { size = 0 } or settings.pool
  return setmetatable({
    settings = settings, driver = driver, pool = pool.new(driver, kept), quirks = quirks.new(),
    pace = pace.new(settings.rate),
  }, Mailer)
end

local function deadline(self)
  local total = self.settings.timeout.total
  return total and self.driver.now() + total
end

-- From and To may come from the configuration, as MAIL_FROM and MAIL_TO.
local function with_defaults(self, fields)
  if type(fields) ~= "table" or fields.raw then return fields end
  local settings = self.settings
  if (fields.from and fields.to) or not (settings.from or settings.to) then return fields end
  local copy = {}
  for k, v in pairs(fields) do copy[k] = v end
  if getmetatable(fields) then setmetatable(copy, { __index = fields }) end -- by which it may have more of them
  copy.from = copy.from or settings.from
  if not (copy.to or copy.cc or copy.bcc) then copy.to = settings.to end
  return copy
end

--- Judges a message table and makes it ready to be sent.
---@param fields table
---@param level integer whom misuse blames, as for error()
---@return table? draft | nil, table err
function Mailer:draft(fields, level)
  -- No tail call: levels count.
  local draft, err = message.new(with_defaults(self, fields), level + 1, self.settings.dkim)
  return draft, err
end

local function closed()
  return nil, errors.new("config", "the mailer is closed", {})
end

local function again(self, mail, ends)
  local seconds, fresh, why = retry.after(mail, self.settings.retry, self.driver.now(), ends)
  if seconds and self.settings.on_event then
    self.settings.on_event { type = "retry", after = seconds, reason = why }
  end
  return seconds, fresh
end

-- One attempt after the other, until one is the last.
local function carry(self, mail, line, ends)
  local wait, fresh
  repeat
    if wait and wait > 0 then self.driver.sleep(wait) end
    local err = self.pace:wait(self.driver, ends)
    if err then -- an attempt that failed before says more
      if not mail.failure then mail:fail(err) end
      return
    end
    if wait then mail:again() end
    line:submit(mail, fresh)
    while not mail.over do line:turn() end
    if not mail.failure then self.pace:ease() end
    wait, fresh = again(self, mail, ends)
  until not wait
end

--- Sends one mail.
---@param fields table a message
---@return table receipt | nil, table err
function Mailer:send(fields)
  local draft, err = self:draft(fields, 3)
  if not draft then return nil, err end
  if self.closed then return closed() end
  local ends = deadline(self)
  local mail, line = delivery.new(draft, 1, self.driver.now()), lane.new(self, self.driver, ends)
  callback.guard(line.abandon, line, carry, self, mail, line, ends)
  local trouble = line:close()
  local receipt
  receipt, err = mail:result(self.driver.now())
  if not receipt then return nil, errors.explain(err, self.settings) end
  if trouble then table.insert(receipt.warnings, trouble) end
  return receipt
end

--- Sends many mails, several of them under way at once, and tells what became of each.
--
--    for i, receipt, err in mailer:send_all(messages) do … end
--
-- Temporary failures are tried again where that is safe (see `retry`), and each result says so.
---@param messages table|function a list of messages, or a function that returns one after the other, then nil; it is
--- called only as fast as mails leave
---@param options? table { window = mails under way on each connection (64), connections = how many (1), ordered =
--- false for results as they come instead of in the order of the mails, retry = false, the number of attempts, or
--- { attempts = 3, first = 1, longest = 60 } (seconds) }
---@return table iterator index, receipt or nil, err; call :close() on it to leave early on LuaJIT
function Mailer:send_all(messages, options)
  if self.closed then
    local told = false
    return function()
      if told then return nil end
      told = true
      return 1, closed()
    end
  end
  local run = require("smtpsec.bulk").run(self, messages, options, 2) -- loaded where it is used
  return run, nil, nil, run
end

--- Connects, starts TLS, logs in and says NOOP; sends nothing.
---@return table facts { server, tls, auth, login = { offered, why }, timing, warnings, capabilities } | nil, table err
function Mailer:verify()
  if self.closed then return closed() end
  local started = self.driver.now()
  local line = lane.new(self, self.driver, deadline(self))
  local facts, err = callback.guard(line.abandon, line, line.verify, line)
  local trouble = line:close()
  if not facts then return nil, errors.explain(err, self.settings) end
  if trouble then table.insert(facts.warnings, trouble) end
  facts.timing.total = self.driver.now() - started
  return facts
end

--- Ends the idle connections. The mailer cannot be used afterwards; closing it again does nothing.
---@return true, string[] troubles where not even QUIT could be said; it means nothing for mails that were accepted
function Mailer:close()
  self.closed = true
  return true, self.pool:close()
end

Mailer.__close = Mailer.close

--- The settings in use, secrets masked.
function Mailer:__tostring()
  local s = self.settings
  return string.format("smtpsec.mailer: %s:%d, tls = %s", s.host or s.path, s.port or 0, s.tls.mode)
end

return mailer
