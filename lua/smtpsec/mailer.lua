--- mailer: what smtpsec.new returns. It holds the settings, the idle connections and the TLS session to resume, and
-- makes one call of the user into the right calls of message, session and transaction.

local config = require "smtpsec.config"
local errors = require "smtpsec.errors"
local io_drivers = require "smtpsec.io"
local message = require "smtpsec.message"
local pool = require "smtpsec.pool"
local session = require "smtpsec.session"
local transaction = require "smtpsec.transaction"

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
  local driver = io_drivers.select(settings.io, (level or 1) + 1)
  local kept = once and { size = 0 } or settings.pool
  return setmetatable({ settings = settings, driver = driver, pool = pool.new(driver, kept) }, Mailer)
end

local function explain(self, err)
  return nil, errors.explain(err, self.settings)
end

local function deadline(self)
  local total = self.settings.timeout.total
  return total and self.driver.now() + total
end

-- A session that may carry mail: an idle one, or a new one, to which the TLS session won last is offered. (One of
-- TLS 1.3 is spent by that, one of TLS 1.2 is not.)
local function acquire(self, ends, fresh)
  local one = not fresh and self.pool:take()
  if one then
    one.pump.deadline, one.timing = ends, {}
    return one
  end
  return session.open(self.settings, self.driver, { deadline = ends, saved = self.saved })
end

-- Gives a session back and remembers what lets the next connection resume TLS.
local function release(self, one)
  if self.settings.tls.session_cache ~= false and one:usable() then self.saved = one.conn:session() or self.saved end
  return self.pool:put(one)
end

-- A reused connection may have died while it was idle, and the server may say so only when the next command reaches
-- it. As nothing was accepted then, one fresh connection is no second delivery.
local function died_idle(one, err)
  return one.reused and err.stage == "mail" and (err.kind == "closed" or err.code == 421)
end

local function with_session(self, ends, work)
  local one, err = acquire(self, ends, false)
  if not one then return nil, err end
  local result
  result, err = work(one)
  if not result and died_idle(one, err) then
    one:abandon()
    one, err = acquire(self, ends, true)
    if not one then return nil, err end
    result, err = work(one)
  end
  if not result then err.tls = one.proof end
  return result, err, one
end

-- From and To may come from the configuration, as MAIL_FROM and MAIL_TO.
local function with_defaults(self, fields)
  if type(fields) ~= "table" or fields.raw then return fields end
  local settings = self.settings
  if (fields.from and fields.to) or not (settings.from or settings.to) then return fields end
  local copy = {}
  for k, v in pairs(fields) do copy[k] = v end
  copy.from = copy.from or settings.from
  if not (copy.to or copy.cc or copy.bcc) then copy.to = settings.to end
  return copy
end

--- Sends one mail.
---@param fields table a message
---@return table receipt | nil, table err
function Mailer:send(fields)
  local draft, err = message.new(with_defaults(self, fields), 3)
  if not draft then return nil, err end
  if self.closed then return nil, errors.new("config", "the mailer is closed", {}) end
  local started = self.driver.now()
  local receipt, one
  receipt, err, one = with_session(self, deadline(self), function(open)
    local capabilities = {}
    for keyword in pairs(open.conn:capabilities()) do capabilities[keyword] = true end
    local rendered, problem = draft:render(capabilities)
    if not rendered then return nil, problem end
    local before = self.driver.now()
    local made, trouble = transaction.send(open, rendered)
    if made then made.timing.transaction = self.driver.now() - before end
    return made, trouble
  end)
  local trouble = one and release(self, one)
  if not receipt then return explain(self, err) end
  if trouble then table.insert(receipt.warnings, trouble) end
  receipt.timing.total = self.driver.now() - started
  return receipt
end

--- Connects, starts TLS, logs in and says NOOP; sends nothing.
---@return table facts { server, tls, auth, timing, warnings, capabilities } | nil, table err
function Mailer:verify()
  if self.closed then return nil, errors.new("config", "the mailer is closed", {}) end
  local started = self.driver.now()
  local facts, err, one = with_session(self, deadline(self), function(open)
    local reply, problem = open.pump:ask "noop"
    if not reply then return nil, problem end
    if not reply.good then
      return nil, errors.new("rejected", "the server refuses NOOP", { stage = "mail", code = reply.code,
        enhanced = reply.enhanced, text = reply.text, temporary = reply.code < 500 })
    end
    local made = open:facts()
    made.capabilities = open.conn:capabilities()
    return made
  end)
  local trouble = one and release(self, one)
  if not facts then return explain(self, err) end
  if trouble then table.insert(facts.warnings, trouble) end
  facts.timing.total = self.driver.now() - started
  return facts
end

--- Ends the idle connections. The mailer cannot be used afterwards; closing it again does nothing.
---@return true, string[] troubles what servers did wrong at QUIT; it means nothing for mails that were accepted
function Mailer:close()
  self.closed, self.saved = true, nil
  return true, self.pool:close()
end

Mailer.__close = Mailer.close

--- The settings in use, secrets masked.
function Mailer:__tostring()
  local s = self.settings
  return string.format("smtpsec.mailer: %s:%d, tls = %s", s.host or s.path, s.port or 0, s.tls.mode)
end

return mailer
