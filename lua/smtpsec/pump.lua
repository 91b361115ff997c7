--- pump: turns the engine's crank with a driver's hands: next event, else write output, else read.
--
-- It knows bytes, time and the engine's events; which commands to send is session's and transaction's business. Each
-- event has one deadline for all the reads and writes that it takes, so that a peer which trickles gains nothing.
--
-- Works on a `conn` (smtpsec.core connection) and a `stream` (from a driver of smtpsec.io).

local errors = require "smtpsec.errors"
local printable = require "smtpsec.printable"

local READ_MAX = 16384 -- what the engine takes at once
local ALERT_SECONDS = 1 -- for the last bytes on a connection that has failed

local pump = {}

local Pump = { __name = "smtpsec.pump" }
Pump.__index = Pump

--- What a command is called as the stage of an error: by its verb, and `finish` by its method.
local STAGES = {
  greeting = "greeting", EHLO = "ehlo", HELO = "ehlo", LHLO = "ehlo", STARTTLS = "starttls", AUTH = "auth",
  MAIL = "mail", RCPT = "rcpt", DATA = "data", ["end"] = "final", FINISH = "final", RSET = "mail", NOOP = "mail",
  QUIT = "quit",
}

-- Engine phase -> which of the timeouts applies.
local TIMEOUTS = {
  greeting = "greeting", command = "command", tls = "tls", data = "data", body = "data", final = "final",
}

-- Engine status -> kind of error, and whether trying later can help.
local KINDS = {
  protocol = { "protocol" }, limit = { "limit" }, tls = { "tls" }, auth = { "auth" },
  closed = { "closed", temporary = true }, memory = { "internal", temporary = true }, policy = { "policy" },
  argument = { "message" }, unoffered = { "message" }, state = { "internal" }, full = { "internal" },
  internal = { "internal" },
}

--- Makes a pump.
---@param conn userdata engine connection
---@param stream table a driver's stream
---@param options { now: function, timeout: table, deadline: number?, on_event: function? } clock of the driver,
--- bounds in seconds, absolute end of the whole call
function pump.new(conn, stream, options)
  return setmetatable({
    conn = conn, stream = stream, now = options.now, timeout = options.timeout, deadline = options.deadline,
    on_event = options.on_event,
  }, Pump)
end

--- The stage in which an error would happen now: that of the command whose reply is due, else of the one before it.
function Pump:stage()
  local phase = self.conn:phase()
  if phase == "tls" or phase == "body" then return phase end
  return STAGES[self.conn:waiting() or ""] or self.at or "mail"
end

local function fail(self, kind, message, fields)
  fields = fields or {}
  fields.stage = fields.stage or self:stage()
  self.failed = true
  return nil, errors.new(kind, message, fields)
end

-- When the step that begins now has to be over, and what to say when it is not.
local function bound(self)
  local name = TIMEOUTS[self.conn:phase()]
  local seconds = self.timeout[name]
  local ends = seconds and self.now() + seconds
  if self.deadline and (not ends or self.deadline < ends) then
    return self.deadline, "the time for the whole call was over"
  end
  return ends, seconds and string.format("the %s time-out of %g s passed", name, seconds)
end

local function left(self, ends)
  return ends and math.max(0, ends - self.now())
end

local function timed_out(self, words)
  local waiting = self.conn:waiting()
  local what = self.conn:phase() == "tls" and "the TLS handshake did not finish"
    or waiting == "greeting" and "the server sent no greeting"
    or waiting == "end" and "no reply came to the end of the message"
    or waiting and "no complete reply came to " .. waiting
    or "the server took no more bytes"
  return fail(self, "timeout", what .. ": " .. words, { temporary = true })
end

local function broken(self, why, text, words)
  if why == "timeout" then return timed_out(self, words) end
  return fail(self, "closed", "the connection broke: " .. (text or why), { temporary = true })
end

-- Writes what the engine has for the wire. One bound covers all of it.
local function flush(self, ends, words)
  while true do
    local bytes = self.conn:output()
    if bytes == "" then return true end
    local count, why, problem, written = self.stream:write(bytes, left(self, ends))
    self.conn:consumed(count or written or 0)
    if not count then return broken(self, why, problem, words) end
  end
end

-- What the engine still has to say to the peer (a TLS alert) goes out if it goes at once; the error is what counts.
local function say_why(self)
  local bytes = self.conn:output()
  if bytes == "" then return end
  local count, _, _, written = self.stream:write(bytes, ALERT_SECONDS)
  self.conn:consumed(count or written or 0)
end

--- Turns an engine's refusal into an error. Mistakes of the caller leave the connection usable.
---@param stage? string of the command that was refused; without it, the stage of now
---@return nil, table err
function Pump:refuse(status, text, reason, stage)
  local known = KINDS[status] or KINDS.internal
  local err = errors.new(known[1], text, {
    stage = stage or self:stage(), temporary = known.temporary or false, reason = reason,
    tls = self.conn:tls(),
  })
  if self.conn:failed() then
    self.failed = true
    say_why(self)
  end
  return nil, err
end

local function trace(self, event)
  if self.on_event then self.on_event(event) end
end

-- A reply as it goes on from here, to receipts, errors and transcripts: its text is for people now.
local function told(self, verb, tag, code, enhanced, text)
  text = printable.text(text)
  trace(self, { type = "reply", verb = verb, code = code, enhanced = enhanced, text = text })
  return verb, tag, code, enhanced, text
end

-- Reads once and feeds the engine; the end of the stream is news for the engine, not an error yet.
local function fill(self, ends, words)
  local bytes, why, text = self.stream:read(READ_MAX, left(self, ends))
  if not bytes and why ~= "closed" then return broken(self, why, text, words) end
  local ok, status, problem, reason = self.conn:feed(bytes or "")
  if not ok then return self:refuse(status, problem, reason) end
  return true
end

--- The next event of the engine.
---@return string kind "reply" or "secured"
---@return string verb, integer tag, integer code, string? enhanced, string text of a reply: one line, controls escaped
---@return nil, table err when the connection cannot go on
function Pump:event()
  self.conn:output() -- lets go what may be sent: the phase is then that of the command whose reply is due
  local ends, words = bound(self)
  while true do
    local kind, verb, tag, code, enhanced, text = self.conn:next()
    if kind == "reply" then
      return kind, told(self, verb, tag, code, enhanced, text)
    elseif kind == "secured" then
      return kind
    elseif not kind then
      return self:refuse(verb, tag, code)
    end
    local ok, err = flush(self, ends, words)
    if ok then ok, err = fill(self, ends, words) end
    if not ok then return nil, err end
  end
end

--- Queues a command by the name of the engine's method for it.
---@param name string "ehlo", "mail", …
---@param shown string? what a transcript shows of the arguments
---@return integer tag | nil, table err
function Pump:command(name, shown, ...)
  local stage = STAGES[name:upper()]
  local tag, status, text, reason = self.conn[name](self.conn, ...)
  if not tag then
    if status == "full" then return nil, "full" end
    return self:refuse(status, text, reason, stage)
  end
  self.at = stage
  trace(self, { type = "command", verb = name:upper(), argument = shown })
  return tag
end

--- Queues a command and waits for its reply, which must be the next one.
---@return table reply { code, enhanced, text, good } | nil, table err
function Pump:ask(name, shown, ...)
  local tag, err = self:command(name, shown, ...)
  if not tag then return nil, err end
  return self:reply()
end

local function as_reply(self, verb, tag, code, enhanced, text)
  return { verb = verb, tag = tag, code = code, enhanced = enhanced, text = text, good = code < 400,
    stage = STAGES[verb] or self:stage() }
end

--- Waits for one reply.
---@return table reply { verb, tag, code, enhanced, text, good, stage } | nil, table err
function Pump:reply()
  local kind, verb, tag, code, enhanced, text = self:event()
  if not kind then return nil, verb end
  return as_reply(self, verb, tag, code, enhanced, text)
end

--- After a write has failed: the reply that had come before, where there is one. Nothing is waited for.
---@return table? reply
function Pump:last_words()
  while true do
    local kind, verb, tag, code, enhanced, text = self.conn:next()
    if kind == "reply" then return as_reply(self, told(self, verb, tag, code, enhanced, text)) end
    local bytes = kind == "again" and self.stream:read(READ_MAX, 0)
    if not bytes or not self.conn:feed(bytes) then return nil end
  end
end

--- Sends one piece of the message. Each write has its own bound.
---@param bytes string
---@return true | nil, table err
function Pump:body(bytes)
  local from = 1
  while from <= #bytes do
    local taken, status, text, reason = self.conn:body(bytes, from)
    if not taken then return self:refuse(status, text, reason) end
    from = from + taken
    local ends, words = bound(self)
    local ok, err = flush(self, ends, words)
    if not ok then return nil, err end
  end
  return true
end

--- Writes what is queued without waiting for an answer, bounded by `seconds`.
function Pump:push(seconds)
  return flush(self, self.now() + seconds, "nothing more is waited for")
end

return pump
