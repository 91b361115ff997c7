--- session: the server's side of one SMTP (RFC 5321) or LMTP (RFC 2033) connection, without a wire and a clock.
--
--   session:feed(bytes)       what came from the client, inside TLS where there is TLS
--   session:next() -> act     what to do next; nil: it needs more bytes
--
-- An act is { bytes =, delay =, trickle =, close =, tls = }: after `delay` seconds write `bytes`, `trickle` seconds
-- for each; then close the connection ("end": with a goodbye to TLS, "drop": without, "reset": with a TCP reset), or
-- begin TLS and call secured(). Acts are asked for one at a time, when the last one is done: so a delay holds up what
-- the client has sent behind.
--
-- Here are reading, replying, and the table of which verb may come when. What the verbs do is in hello, auth and
-- transaction; what is done wrong on purpose comes from faults.lua.

local auth = require "smtpsec.sink.auth"
local command = require "smtpsec.sink.command"
local core = require "smtpsec.core"
local hello = require "smtpsec.sink.hello"
local reply = require "smtpsec.sink.reply"
local transaction = require "smtpsec.sink.transaction"

local session = {}

local LONGEST_LINE = 12288 -- octets, of which only AUTH has any need (RFC 4954 section 4)

local Session = { __name = "smtpsec.sink.session" }
Session.__index = Session

-- ---- for the verbs ------------------------------------------------------------------------------------------------

--- Whether an extension is among those that the sink was told to offer.
function Session:offers(keyword)
  return self.sink.offered[keyword] == true
end

--- Queues an act. Behind one that closes, nothing is read or said any more.
function Session:push(act)
  if self.closing then return end
  self.acts[#self.acts + 1] = act
  if act.close then self.closing, self.read = true, nil end
end

--- Says a reply, or what the rule `fault` (may be nil) says instead, and notes it. Returns whether the command takes
-- effect.
function Session:say(fault, code, enhanced, text)
  fault = fault or {}
  local shown = self.extended and self:offers("ENHANCEDSTATUSCODES") and enhanced or nil
  self.entry.code = reply.code(fault, code)
  self:note(self.entry)
  self:push(reply.act(fault, reply.said(fault, reply.format(code, shown, text)), self.sink.hold))
  return reply.takes_effect(fault, code)
end

--- Says that the command was wrong; no rule changes that.
function Session:refuse(code, enhanced, text)
  self:say(nil, code, enhanced, text)
end

--- Says a reply at a point where a rule may strike; `subject` is what its `match` looks at.
function Session:answer(at, subject, code, enhanced, text)
  return self:say(self.sink.faults:find(at, subject), code, enhanced, text)
end

--- Closes the connection behind what was said last.
function Session:goodbye()
  local last = self.acts[#self.acts]
  last.close = last.close or "end"
  self.closing, self.read = true, nil
end

--- Lets a function read what comes next; it returns whether it did anything.
function Session:read_by(reader)
  if not self.closing then self.read = reader end
end

--- Ends the transaction.
function Session:reset()
  self.transaction = nil
  self.state = self.helo and "ready" or "new"
end

--- Forgets what is known of the client, as at the beginning of TLS (RFC 3207 section 4.2).
function Session:forget()
  self.helo, self.extended = nil, false
  self:reset()
end

-- ---- reading ------------------------------------------------------------------------------------------------------

local function states(list)
  local set = {}
  for name in list:gmatch("%S+") do set[name] = true end
  return set
end

local ALWAYS = states "new ready mail rcpt bdat"

local function rset(self)
  if self:answer("rset", "", 250, "2.0.0", "ok") then self:reset() end
end

local function noop(self)
  self:answer("noop", "", 250, "2.0.0", "ok")
end

local function vrfy(self, argument)
  self:answer("vrfy", argument, 252, "2.5.0", "send mail and see")
end

local function quit(self)
  if self:answer("quit", "", 221, "2.0.0", "bye") then self:goodbye() end
end

-- "new" before EHLO, "ready" after it, "mail" and "rcpt" once one was accepted, "refused" after a greeting that was
-- none (RFC 5321 section 3.1), "bdat" between a first chunk and the last. `lmtp` says that a verb is only, or never,
-- LMTP's; `extension`, that there is no such verb where that is not offered.
local VERBS = {
  EHLO = { run = hello.ehlo, after = ALWAYS, lmtp = false },
  HELO = { run = hello.helo, after = ALWAYS, lmtp = false },
  LHLO = { run = hello.ehlo, after = ALWAYS, lmtp = true },
  STARTTLS = { run = hello.starttls, after = states "ready" },
  AUTH = { run = auth, after = states "ready" },
  MAIL = { run = transaction.mail, after = states "ready" },
  RCPT = { run = transaction.rcpt, after = states "mail rcpt" },
  DATA = { run = transaction.data, after = states "rcpt" },
  BDAT = { run = transaction.bdat, after = states "new ready mail rcpt bdat refused", extension = "CHUNKING" },
  RSET = { run = rset, after = ALWAYS },
  NOOP = { run = noop, after = ALWAYS },
  VRFY = { run = vrfy, after = ALWAYS },
  QUIT = { run = quit, after = states "new ready mail rcpt bdat refused" },
}

local function obey(self, line)
  local verb, argument = command.split(line)
  local known = VERBS[verb]
  self.entry = { event = "command", verb = core.printable(verb), argument = core.printable(argument) }
  if known and known.lmtp ~= nil and known.lmtp ~= self.sink.lmtp then known = nil end
  if known and known.extension and not self:offers(known.extension) then known = nil end
  if not known then return self:refuse(500, "5.5.2", "this command is not known") end
  if not known.after[self.state] then return self:refuse(503, "5.5.1", "this command is out of order") end
  known.run(self, argument)
end

--- Takes the next line, without its CRLF; nil where it has not come yet. One that is too long is the client's last.
---@return string|nil
function Session:take_line()
  local stop = self.input:find("\r\n", self.at, true)
  if (stop or #self.input) - self.at > LONGEST_LINE then
    self.entry = { event = "command" }
    self:refuse(500, "5.5.2", "the line is too long")
    self:goodbye()
    return nil
  end
  if not stop then return nil end
  local line = self.input:sub(self.at, stop - 1)
  self.at = stop + 2
  return line
end

--- Takes all bytes that have come.
---@return string
function Session:take_all()
  local bytes = self.input:sub(self.at)
  self.input, self.at = "", 1
  return bytes
end

--- Takes what has come of the next `most` bytes.
---@param most integer
---@return string
function Session:take_some(most)
  local bytes = self.input:sub(self.at, self.at + most - 1)
  self.at = self.at + #bytes
  return bytes
end

local function read_line(self)
  local line = self:take_line()
  if not line then return false end
  if line:find("[\r\n%z]") then
    self.entry = { event = "command" }
    self:refuse(500, "5.5.2", "a line ends with CRLF and has no other CR, LF or NUL")
  else
    obey(self, line)
  end
  return true
end

--- Reads commands from here on.
function Session:read_lines()
  self:read_by(read_line)
end

-- ---- from outside -------------------------------------------------------------------------------------------------

local function greet(self)
  self.entry = { event = "greeting" }
  self:read_lines()
  local words = self.sink.name .. " ESMTP smtpsec sink, for tests only"
  if not self:answer("greeting", "", 220, nil, words) then self.state = "refused" end
end

--- Makes the session of a connection that was accepted.
---@param sink table what all sessions share: name, offer, offered, auth, require_auth, hold, size, lmtp, faults and
--- store
---@param number integer the connection's
---@param mode string "none", "starttls" or "implicit"
---@param note fun(session: table, entry: table) is told what happens
---@return table session
function session.new(sink, number, mode, note)
  local self = setmetatable({ sink = sink, number = number, mode = mode, note = note, input = "", at = 1, acts = {},
    mails = 0 }, Session)
  self:forget()
  if mode == "implicit" then
    hello.begin_tls(self)
  else
    greet(self)
  end
  return self
end

--- The TLS handshake is done.
---@param facts table what the filter tells about it
function Session:secured(facts)
  self.tls = facts
  self:forget()
  self:read_lines()
  if self.mode == "implicit" then greet(self) end
end

--- The client has been silent for too long.
function Session:expire()
  self.entry = { event = "timeout" }
  self:refuse(421, "4.4.2", "nothing came for too long")
  self:goodbye()
end

--- Takes in bytes of the client.
---@param bytes string
function Session:feed(bytes)
  self.input, self.at = self.input:sub(self.at) .. bytes, 1
end

--- How many bytes were taken in and not read yet.
---@return integer
function Session:buffered()
  return #self.input - self.at + 1
end

--- What to do next. Where TLS is to begin, whatever has come in clear was not for that: the connection ends.
---@return table|nil act nil when more bytes are needed
function Session:next()
  while #self.acts == 0 and self.read and self:read() do end
  local act = table.remove(self.acts, 1)
  if not act or not act.tls or self:buffered() == 0 then return act end
  self:note { event = "injection", size = self:buffered() }
  return { bytes = "", delay = 0, close = "drop" }
end

return session
