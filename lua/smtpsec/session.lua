--- session: a connection from the first byte to the moment when mail may be sent: connect, greeting, EHLO, TLS, AUTH.
--
-- It decides nothing about mail (transaction.lua) and nothing about reuse (pool.lua). The order of steps is RFC 5321
-- section 3.1, RFC 3207 and RFC 4954; what may not happen before TLS is also held by the engine.

local authentication = require "smtpsec.authentication"
local callback = require "smtpsec.callback"
local core = require "smtpsec.core"
local errors = require "smtpsec.errors"
local flight = require "smtpsec.flight"
local pace = require "smtpsec.pace"
local printable = require "smtpsec.printable"
local pump = require "smtpsec.pump"
local quirks = require "smtpsec.quirks"
local session_cache = require "smtpsec.session_cache"
local tls = require "smtpsec.tls"

local session = {}

local Session = { __name = "smtpsec.session" }
Session.__index = Session

local QUIT_SECONDS = 1 -- for writing QUIT: nothing depends on it, and nobody waits for its answer

local function note(self, text)
  self.notes[#self.notes + 1] = text
end

local function refused(reply, stage, message, fields)
  local err = { stage = stage, code = reply.code, enhanced = reply.enhanced, text = reply.text,
    temporary = reply.code >= 400 and reply.code < 500 }
  for k, v in pairs(fields or {}) do err[k] = v end
  return nil, errors.new(err.kind or "rejected", message, err)
end

-- Adds the time since `since` to the receipt's timing.
local function lap(self, name, since)
  self.timing[name] = (self.timing[name] or 0) + self.driver.now() - since
end

-- ---- the steps ------------------------------------------------------------------------------------------------------

local function connect(self, deadline)
  local settings, driver = self.settings, self.driver
  local started = driver.now()
  local seconds = settings.timeout.connect
  if deadline then seconds = math.min(seconds or math.huge, math.max(0, deadline - started)) end
  local target = { host = settings.host, port = settings.port, path = settings.path }
  local stream, why, text = driver.connect(target, seconds)
  if not stream then
    local kind = (why == "dns" or why == "timeout") and why or "connect"
    return nil, errors.new(kind, text, { stage = why == "dns" and "resolve" or "connect", temporary = true })
  end
  self.stream = stream
  lap(self, "connect", started)
  return true
end

local function handshake(self)
  local started = self.driver.now()
  local kind, err = self.pump:event()
  if not kind then return nil, err end
  lap(self, "tls", started)
  if self.pump.on_event then
    self.pump.on_event { type = "tls", facts = tls.facts(self.conn, self.settings) }
  end
  return true
end

local function greeting(self)
  local reply, err = self.pump:reply()
  if not reply then return nil, err end
  if not reply.good then return refused(reply, "greeting", "the server does not take mail from here now") end
  return true
end

-- RFC 5321 section 3.2: HELO where EHLO is refused for good, but only where nothing that EHLO brings is needed.
local function introduce(self)
  local settings, name = self.settings, self.hello
  if settings.lmtp then
    local reply, err = self.pump:ask("lhlo", name, name)
    if not reply then return nil, err end
    if not reply.good then return refused(reply, "ehlo", "the server refuses LHLO") end
    return true
  end
  local reply, err = self.pump:ask("ehlo", name, name)
  if not reply then return nil, err end
  if reply.good then return true end
  local mode = settings.tls.mode
  local needs_ehlo = settings.login or mode == "starttls" or mode == "implicit"
  if reply.code < 500 or needs_ehlo then return refused(reply, "ehlo", "the server refuses EHLO") end
  reply, err = self.pump:ask("helo", name, name)
  if not reply then return nil, err end
  if not reply.good then return refused(reply, "ehlo", "the server refuses EHLO and HELO") end
  return true
end

local function starttls(self)
  local mandatory = self.settings.tls.mode == "starttls"
  local offered = self.conn:capabilities().STARTTLS ~= nil
  if not offered and mandatory then
    return nil, errors.new("policy", "the server does not offer STARTTLS, and TLS is required", { stage = "starttls" })
  end
  if not offered then return true end
  self.offered_in_clear = self.conn:capabilities().AUTH
  local reply, err = self.pump:ask("starttls")
  if not reply then return nil, err end
  if not reply.good then
    if mandatory then return refused(reply, "starttls", "the server refuses STARTTLS, and TLS is required",
      { kind = "policy" }) end
    note(self, string.format("the server offered STARTTLS and refused it (%d)", reply.code))
    return true
  end
  local ok
  ok, err = handshake(self)
  if not ok then return nil, err end
  return introduce(self)
end

local function authenticate(self)
  local started = self.driver.now()
  local ok, err = authentication.run(self, self.call)
  if not ok then return nil, err end
  if self.auth then lap(self, "auth", started) end
  return true
end

local STEPS = {
  implicit = { handshake, greeting, introduce, authenticate },
  starttls = { greeting, introduce, starttls, authenticate },
  opportunistic = { greeting, introduce, starttls, authenticate },
  none = { greeting, introduce, authenticate },
}

-- Credentials that must not cross a channel like this one are refused before anything is sent; the engine would
-- refuse AUTH too, but only after the server has seen that there is a user.
local function check_policy(settings)
  if settings.login and settings.tls.mode == "none" and not settings.auth.insecure_cleartext then
    return nil, errors.new("policy", 'a password would cross the network in clear: tls = "none"', { stage = "auth" })
  end
  return true
end

local function make_connection(self, mode)
  local settings = self.settings
  local options = { tls = mode, insecure_cleartext = settings.auth.insecure_cleartext or false }
  if mode ~= "none" then
    local context, err = tls.context(settings.tls)
    if not context then return nil, err end
    for k, v in pairs(tls.peer(settings)) do options[k] = v end
    options.context, options.session = context, session_cache.take(settings)
  end
  options.without_pipelining = self.quirks:avoids "PIPELINING"
  options.without_chunking = self.quirks:avoids "CHUNKING"
  local conn, status, text, reason = core.connection(options)
  if not conn then
    return nil, errors.new(status == "memory" and "internal" or status == "tls" and "tls" or "config", text,
      { stage = "connect", reason = reason })
  end
  self.conn = conn
  return true
end

-- How mail travels over this connection: made once, and shared by its receipts.
local function way_of(self)
  local facts = tls.facts(self.conn, self.settings)
  local warnings = tls.warnings(facts, self.settings, self.auth ~= nil)
  for _, list in ipairs { self.settings.notes, self.notes, self.quirks.notes } do
    for _, text in ipairs(list) do warnings[#warnings + 1] = text end
  end
  local name = self.conn:server_name()
  return {
    server = { host = self.settings.host, address = self.stream.address, port = self.stream.port or self.settings.port,
      name = name and printable.text(name) },
    tls = facts, auth = self.auth, warnings = warnings,
  }
end

-- What is known for as long as the connection lives: nothing of it is asked again for each mail.
local function settle(self)
  self.extensions = {}
  self.offers, self.limits = self.conn:capabilities(), self.conn:limits()
  for keyword in pairs(self.offers) do self.extensions[keyword] = true end
  if self.quirks:avoids "BINARYMIME" then self.extensions.BINARYMIME = nil end
  self.way = way_of(self)
  self.most = math.min(self.settings.pool.max_messages or math.huge, self.limits.MAILMAX or math.huge) -- mails
  local size = tonumber(tostring(self.offers.SIZE):match "^%d+$") or 0
  self.largest = size > 0 and size or math.huge -- octets that a message may have
  self.limits.recipients = self.limits.RCPTMAX or self.limits.RCPTDOMAINMAX
  self.options = { all = self.settings.recipients == "all", lmtp = self.settings.lmtp } -- of each transaction
  self.pace = self.settings.rate and pace.new { second = self.settings.rate.connection }
  self.flight = flight.new(self)
end

local function run(self, mode, options)
  local ok, err = make_connection(self, mode)
  if not ok then return nil, err end
  ok, err = connect(self, options.deadline)
  if not ok then return nil, err end
  local settings = self.settings
  self.hello = settings.hello or self.driver.hello(self.stream)
  self.pump = pump.new(self.conn, self.stream, {
    now = self.driver.now, timeout = settings.timeout, deadline = options.deadline, on_event = settings.on_event,
  })
  for _, step in ipairs(STEPS[mode]) do
    ok, err = step(self)
    if not ok then return nil, err end
  end
  settle(self)
  return self
end

local function attempt(settings, driver, mode, options, remark)
  local self = setmetatable({
    settings = settings, driver = driver, timing = {}, notes = { remark }, mails = 0, refused = 0,
    quirks = options.quirks or quirks.new(), call = options.call,
  }, Session)
  local ok, err = callback.guard(Session.abandon, self, run, self, mode, options)
  if ok then return self end
  if self.conn then err.tls = tls.facts(self.conn, settings) or nil end
  self:abandon()
  return nil, err
end

--- Opens a session.
---@param settings table what config.resolve made
---@param driver table a driver of smtpsec.io
---@param options? { deadline: number?, quirks: table? } absolute end of the call by driver.now(), what is known of
--- servers like this one
---@return table session | nil, table err
function session.open(settings, driver, options)
  local call = {} -- what the attempts of this call know of each other
  options = { deadline = options and options.deadline, quirks = options and options.quirks, call = call }
  local mode = settings.tls.mode
  local ok, err = check_policy(settings)
  if not ok then return nil, err end
  local self
  self, err = attempt(settings, driver, mode, options)
  -- RFC 7435: opportunistic means that TLS which does not work is like TLS which is not there, once, and only for
  -- mail without credentials. It is told.
  if not self and call.refused then self, err = attempt(settings, driver, mode, options) end -- with a fresh token
  if not self and mode == "opportunistic" and err.stage == "tls" and not settings.login then
    self, err = attempt(settings, driver, "none", options, "TLS was offered and failed: " .. err.message)
  end
  return self, err
end

-- ---- what a session tells and does later ----------------------------------------------------------------------------

--- What a receipt warns of.
---@return string[] a new list
function Session:warnings()
  local list, known = {}, self.way.warnings
  for i = 1, #known do list[i] = known[i] end
  return list
end

--- What a receipt says about the way. Its server, tls and auth are the same tables for all mails of a connection.
---@return table { server, tls, auth, timing, warnings }
function Session:facts()
  local way, timing = self.way, {}
  for name, seconds in pairs(self.timing) do timing[name] = seconds end
  return { server = way.server, tls = way.tls, auth = way.auth, timing = timing, warnings = self:warnings() }
end

--- Lets no further mail go over this connection; those under way are not disturbed.
function Session:retire()
  self.most = 0
end

--- Whether the connection may carry another mail.
---@return boolean
function Session:usable()
  return self.pump ~= nil and not self.pump.failed and self.conn:idle()
end

local function say_quit(self)
  local ok, err = self.pump:command "quit"
  if ok then
    self.conn:output() -- QUIT goes before the goodbye of TLS, and in the same write
    self.conn:close_notify()
    ok, err = self.pump:push(QUIT_SECONDS)
  end
  return not ok and "QUIT: " .. err.message or nil
end

--- Ends politely: QUIT, whose answer is not waited for: whatever it were, it would change nothing.
---@return string? trouble a sentence where not even QUIT could be said
function Session:quit()
  local trouble = self:usable() and callback.guard(self.abandon, self, say_quit, self) or nil
  self:abandon()
  return trouble
end

--- Drops the connection and everything it holds, at once.
function Session:abandon()
  if self.stream then self.stream:close() end
  if self.conn then self.conn:close() end
  if self.pump then self.pump.failed = true end
end

return session
