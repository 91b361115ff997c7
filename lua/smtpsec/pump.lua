--- pump: turns the engine's crank with a driver's hands: next event, else write output, else read.
--
-- It knows bytes, time and the engine's events; which commands to send is session's and transaction's business. Each
-- event has one deadline for all the reads and writes that it takes, so that a peer which trickles gains nothing.
--
-- Works on a `conn` (smtpsec.core connection) and a `stream` (from a driver of smtpsec.io).

local errors = require "smtpsec.errors"
local mask = require "smtpsec.mask"
local printable = require "smtpsec.printable"

local READ_MAX = 16384 -- what the engine takes at once
local COALESCE = 65536 -- a body is written in pieces of at least this: few system calls, few records of TLS
local ALERT_SECONDS = 1 -- for the last bytes on a connection that has failed

local pump = {}

local Pump = { __name = "smtpsec.pump" }
Pump.__index = Pump

-- What a command is called as the stage of an error, by its verb, and by the method of the engine that queues it.
local STAGES = {
  greeting = "greeting", EHLO = "ehlo", HELO = "ehlo", LHLO = "ehlo", STARTTLS = "starttls", AUTH = "auth",
  MAIL = "mail", RCPT = "rcpt", DATA = "data", BDAT = "body", ["BDAT LAST"] = "final", ["end"] = "final",
  RSET = "mail", NOOP = "mail", QUIT = "quit",
  ehlo = "ehlo", helo = "ehlo", lhlo = "ehlo", starttls = "starttls", auth = "auth",
  auth_outside = "auth", mail = "mail", rcpt = "rcpt",
  data = "data", chunk = "body", finish = "final", rset = "mail", noop = "mail", quit = "quit",
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
    secrets = nil, -- during a login: what no reply is to show (mask.lua)
  }, Pump)
end

--- The stage in which an error would happen now: that of the command whose reply is due, else of the one before it;
-- or that of a command.
---@param verb? string
---@return string
function Pump:stage(verb)
  if STAGES[verb] then return STAGES[verb] end
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

local function left(self, ends)
  return ends and math.max(0, ends - self.now())
end

-- When the step that begins now has to be over, and how long that is.
local function bound(self)
  local seconds, deadline = self.timeout[TIMEOUTS[self.conn:phase()]], self.deadline
  if not seconds then return deadline, left(self, deadline) end
  local now = self.now()
  if deadline and deadline < now + seconds then return deadline, math.max(0, deadline - now) end
  return now + seconds, seconds
end

local WAITED = {
  greeting = "the server sent no greeting",
  ["end"] = "no reply came to the end of the message", ["BDAT LAST"] = "no reply came to the end of the message",
}

local function timed_out(self, ends)
  local phase, waiting = self.conn:phase(), self.conn:waiting()
  local what = phase == "tls" and "the TLS handshake did not finish" or WAITED[waiting]
    or waiting and "no complete reply came to " .. waiting or "the server took no more bytes"
  local name = TIMEOUTS[phase]
  local words = ends and ends == self.deadline and "the time for the whole call was over"
    or string.format("the %s time-out of %g s passed", name, self.timeout[name] or 0)
  return fail(self, "timeout", what .. ": " .. words, { temporary = true })
end

local function broken(self, why, text, ends)
  if why == "timeout" then return timed_out(self, ends) end
  return fail(self, "closed", "the connection broke: " .. (text or why), { temporary = true })
end

-- Writes what the engine has for the wire, of which `bytes` are the first. One bound covers all of it, which is so many
-- seconds away.
local function flush(self, bytes, ends, seconds)
  local conn = self.conn
  while bytes ~= "" do
    local count, why, problem, written = self.stream:write(bytes, seconds)
    conn:consumed(count or written or 0)
    if not count then return broken(self, why, problem, ends) end
    bytes = conn:output()
    seconds = bytes ~= "" and left(self, ends) or nil
  end
  return true
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
  -- What it quotes of the peer may be the beginning of a secret, in which nobody can tell that it is one.
  if self.secrets then text = text:gsub('".*"', '"***"') end
  local err = errors.new(known[1], text, {
    stage = stage or self:stage(), temporary = known.temporary or false,
    reason = reason or (status == "auth" and text or nil), -- of a login that failed there is always one
    tls = self.conn:tls(),
  })
  if self.conn:failed() then
    self.failed = true
    say_why(self)
  end
  return nil, err
end

-- A reply as it goes on from here, to receipts, errors and transcripts: its text is for people now.
local function told(self, kind, verb, tag, code, enhanced, text, skipped)
  if self.secrets then text = mask.text(text, self.secrets) end
  text = printable.text(text)
  if self.on_event then
    self.on_event { type = "reply", verb = verb, code = code, enhanced = enhanced, text = text }
  end
  return kind, verb, tag, code, enhanced, text, skipped
end

-- Reads once and feeds the engine; the end of the stream is news for the engine, not an error yet.
local function fill(self, ends)
  local bytes, why, text = self.stream:read(READ_MAX, left(self, ends))
  if not bytes and why ~= "closed" then return broken(self, why, text, ends) end
  local ok, status, problem, reason = self.conn:feed(bytes or "")
  if not ok then return self:refuse(status, problem, reason) end
  return true
end

-- Writes and reads until there is an event. What may be sent is let go first: the bound is then that of the command
-- whose reply is due. A read that finds something at hand does not look at the time: who sends without end what is no
-- event (tickets of TLS) would never be late.
local function await(self, brief, before)
  local conn = self.conn
  local bytes = conn:output()
  local ends, seconds = bound(self)
  while true do
    local ok, err = flush(self, bytes, ends, seconds)
    if ok then ok, err = fill(self, ends) end
    if not ok then return nil, err, before end
    local kind, verb, tag, code, enhanced, text, skipped = conn:next(brief)
    if kind == "reply" then return told(self, kind, verb, tag, code, enhanced, text, before + skipped) end
    if kind == "secured" or kind == "challenge" then return kind, verb end
    if not kind then return self:refuse(verb, tag, code) end
    before, bytes, seconds = before + verb, conn:output(), left(self, ends)
    if seconds == 0 then
      ok, err = timed_out(self, ends)
      return ok, err, before
    end
  end
end

--- The next event of the engine.
---@param brief? boolean positive replies to MAIL, RCPT, BDAT and RSET are only counted, where no transcript is kept
---@param at_hand? boolean nothing is waited for: where it has not come yet, that is "again", and how many were counted
---@return string kind "reply", "secured" or "challenge" (then: its bytes)
---@return string verb, integer tag, integer code, string? enhanced, string text of a reply: one line, controls escaped
---@return integer skipped
---@return nil, table err, integer? skipped when the connection cannot go on; replies that had come may follow them
function Pump:event(brief, at_hand)
  brief = brief and not self.on_event
  local kind, verb, tag, code, enhanced, text, skipped = self.conn:next(brief)
  if kind == "reply" then return told(self, kind, verb, tag, code, enhanced, text, skipped) end
  if kind == "again" then
    if at_hand then return kind, verb end
    return await(self, brief, verb)
  end
  if kind == "secured" or kind == "challenge" then return kind, verb end
  return self:refuse(verb, tag, code)
end

--- Queues a command by the name of the engine's method for it.
---@param name string "ehlo", "mail", …
---@param shown string? what a transcript shows of the arguments
---@return integer tag | nil, table|"full" err
function Pump:command(name, shown, ...)
  local conn = self.conn
  local tag, status, text, reason = conn[name](conn, ...)
  if not tag then
    if status == "full" then return nil, "full" end
    return self:refuse(status, text, reason, STAGES[name])
  end
  self.at = STAGES[name]
  if self.on_event then
    local verb = name:match("^%l+"):upper() -- the engine's auth_outside is AUTH on the wire
    self.on_event { type = "command", verb = verb, argument = shown }
  end
  return tag
end

--- Queues a command and waits for its reply, which must be the next one.
---@return table reply { code, enhanced, text, good } | nil, table err
function Pump:ask(name, shown, ...)
  local tag, err = self:command(name, shown, ...)
  if not tag then return nil, err end
  return self:reply()
end

--- Waits for one reply.
---@return table reply { verb, tag, code, enhanced, text, good, stage } | nil, table err
function Pump:reply()
  local kind, verb, tag, code, enhanced, text = self:event()
  if not kind then return nil, verb end
  return { verb = verb, tag = tag, code = code, enhanced = enhanced, text = text, good = code < 400,
    stage = self:stage(verb) }
end

--- After the connection has failed: a reply that had come before, where there is one. Nothing is waited for, nor is all
-- of it read where there is no end.
---@return string kind, string verb, integer tag, integer code, string? enhanced, string text, integer skipped | nil
function Pump:last_words()
  local conn, ends = self.conn, self.now() + ALERT_SECONDS
  while true do
    local kind, verb, tag, code, enhanced, text, skipped = conn:next()
    if kind == "reply" then return told(self, kind, verb, tag, code, enhanced, text, skipped) end
    local bytes = kind == "again" and self.now() < ends and self.stream:read(READ_MAX, 0)
    if not bytes or not conn:feed(bytes) then return nil end
  end
end

--- Writes what is queued, within the bound of the step.
---@return true | nil, table err
function Pump:flush()
  local bytes = self.conn:output()
  return flush(self, bytes, bound(self))
end

--- Queues a whole transaction, or as much of it as goes at once: RSET where one is due, MAIL, RCPT for each recipient,
-- and the message by BDAT where one is given. (A transcript wants each of them by itself: see command.)
---@return integer? queued how many commands; nil, and nothing was, where there is no room for all of them
---@return integer? rcpt_tag of the first RCPT
---@return integer? end_tag of the end of the message, where it was queued
---@return table? err why no more were queued
function Pump:transact(from, to, options, rcpt_options, message)
  local count, rcpt_tag, end_tag, reason, queued = self.conn:transact(from, to, options, rcpt_options, message)
  if count then
    self.at = end_tag and "body" or "rcpt"
    return count, rcpt_tag, end_tag
  end
  local status, text = rcpt_tag, end_tag
  if status == "full" then return nil end
  local stage = self.conn:ready() and "mail" or "rcpt" -- behind a MAIL that was queued, no other may be
  local _, err = self:refuse(status, text, reason, stage)
  return queued or 0, nil, nil, err
end

--- Gives the engine octets of the message for one BDAT command.
---@param bytes string
---@param from integer the first of them
---@param last boolean whether the message ends with `bytes`
---@return integer tag, integer taken, boolean much whether it is time to write | nil, table|"full" err
function Pump:chunk(bytes, from, last)
  local tag, taken, pending, reason = self.conn:chunk(bytes, from, last)
  if not tag then
    if taken == "full" then return nil, "full" end
    return self:refuse(taken, pending, reason, "body")
  end
  self.at = "body"
  if self.on_event then
    self.on_event { type = "command", verb = "BDAT", argument = string.format("%d octets", taken) }
  end
  return tag, taken, pending >= COALESCE
end

--- Sends one piece of the message after DATA.
-- Each write has its own bound.
---@param bytes string
---@return true | nil, table err
function Pump:body(bytes)
  local from = 1
  while from <= #bytes do
    local taken, pending, text, reason = self.conn:body(bytes, from)
    if taken then
      from = from + taken
    elseif pending ~= "full" then
      return self:refuse(pending, text, reason)
    end
    if not taken or pending >= COALESCE then
      local ok, err = self:flush()
      if not ok then return nil, err end
    end
  end
  return true
end

--- Lets no step take more than so many seconds from here on, nor more than it might have taken anyway.
---@param seconds number
---@return table timeout the bounds until now
function Pump:hurry(seconds)
  local before, bounds = self.timeout, {}
  for _, name in pairs(TIMEOUTS) do bounds[name] = math.min(seconds, before[name] or seconds) end
  self.timeout = bounds
  return before
end

--- Writes what is queued without waiting for an answer, bounded by `seconds`.
---@return true | nil, table err
function Pump:push(seconds)
  return flush(self, self.conn:output(), self.now() + seconds, seconds)
end

return pump
