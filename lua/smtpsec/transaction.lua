--- transaction: one mail over a session (RFC 5321 section 3.3): MAIL, RCPT…, DATA, the message, and the truth
-- about each recipient.
--
-- Only the final 2yz reply makes a mail accepted. Where the server takes commands in groups (RFC 2920), MAIL, RCPT
-- and DATA share a flight; else each waits for the one before. It never opens, reuses or closes connections; after
-- an error `session:usable()` tells whether the connection lives.

local errors = require "smtpsec.errors"

local transaction = {}

-- ---- verdicts -------------------------------------------------------------------------------------------------------

local function verdict(reply, address)
  return { address = address, code = reply.code, enhanced = reply.enhanced, text = reply.text,
    temporary = reply.code < 500 }
end

local function refuse(self, stage, reply, message)
  return nil, errors.new("rejected", message, {
    stage = stage, code = reply.code, enhanced = reply.enhanced, text = reply.text, temporary = reply.code < 500,
    rejected = #self.rejected > 0 and self.rejected or nil,
  })
end

local function count(n, one, many)
  return n == 1 and one or string.format(many, n)
end

local function all_refused(self)
  local first = self.rejected[1]
  local message = count(#self.rejected, "the server refuses the recipient", "the server refuses all %d recipients")
  local err = { stage = "rcpt", code = first.code, enhanced = first.enhanced, text = first.text,
    rejected = self.rejected, temporary = true }
  for _, one in ipairs(self.rejected) do err.temporary = err.temporary and one.temporary end
  return nil, errors.new("rejected", message, err)
end

local function some_refused(self)
  local first = self.rejected[1]
  return nil, errors.new("rejected", string.format(
    'the server refuses %d of %d recipients, and recipients = "all" was asked for', #self.rejected,
    #self.rejected + #self.accepted), {
    stage = "rcpt", code = first.code, enhanced = first.enhanced, text = first.text, rejected = self.rejected,
    temporary = first.temporary,
  })
end

-- The server's name for the mail, where its words hold one that is known. Nothing but the receipt uses it.
local function queue_id(text)
  return text:match "queued as ([%w%-%.]+)" or text:match "%f[%w]id=([%w%-%.]+)" or text:match "^Queued! ([%w%-%.]+)"
    or text:match "([%w%.%-]+) %- gsmtp$"
end

-- ---- asking ---------------------------------------------------------------------------------------------------------

-- Gives one reply to whom it belongs. 421 is the server's last word, whatever command it answers (RFC 5321 section
-- 3.8).
local function collect(self)
  local reply, err = self.pump:reply()
  if not reply then return nil, err end
  if reply.code == 421 then return refuse(self, reply.stage, reply, "the server ends the session") end
  local handler = self.waiting[reply.tag]
  self.waiting[reply.tag] = nil
  if handler then handler(reply) end
  return true
end

local function collect_all(self)
  while next(self.waiting) do
    local ok, err = collect(self)
    if not ok then return nil, err end
  end
  return true
end

-- Queues a command whose reply goes to `handler`, and waits where the server takes no groups. A full queue is
-- emptied by reading replies.
local function ask(self, handler, name, shown, ...)
  local tag, err = self.pump:command(name, shown, ...)
  while not tag and err == "full" do
    local ok
    ok, err = collect(self)
    if not ok then return nil, err end
    tag, err = self.pump:command(name, shown, ...)
  end
  if not tag then return nil, err end
  self.waiting[tag] = handler
  if self.pipelining then return true end
  return collect_all(self)
end

-- ---- the steps ------------------------------------------------------------------------------------------------------

local function mail_options(self)
  local needs = self.message:needs()
  return { size = self.message:size(), body_8bit = needs["8BITMIME"] or false, smtputf8 = needs.SMTPUTF8 or false }
end

-- A size over the declared limit is refused here, with the right kind, before the engine refuses it as unoffered.
local function check_size(self)
  local size, limit = self.message:size(), tonumber(self.session.conn:capabilities().SIZE or "")
  if size and limit and limit > 0 and size > limit then
    return nil, errors.new("limit", string.format("the message has %.0f bytes, and the server takes at most %.0f", size,
      limit), { stage = "mail" })
  end
  return true
end

local function envelope(self)
  local sender = self.envelope.from
  local ok, err = ask(self, function(reply) self.mail = reply end, "mail", "FROM:<" .. sender .. ">", sender,
    mail_options(self))
  if not ok then return nil, err end
  if self.mail and not self.mail.good then return true end
  for _, address in ipairs(self.envelope.to) do
    ok, err = ask(self, function(reply)
      if reply.good then self.accepted[#self.accepted + 1] = address
      else self.rejected[#self.rejected + 1] = verdict(reply, address) end
    end, "rcpt", "TO:<" .. address .. ">", address)
    if not ok then return nil, err end
  end
  return true
end

local function ask_data(self)
  return ask(self, function(reply) self.data = reply end, "data")
end

-- Sends MAIL, RCPT and DATA as far as the policy lets them share a flight; afterwards all their replies are known.
local function open(self)
  local ok, err = envelope(self)
  if not ok then return nil, err end
  local eager = self.pipelining and self.session.settings.recipients ~= "all"
  if eager then
    ok, err = ask_data(self)
    if not ok then return nil, err end
  end
  ok, err = collect_all(self)
  if not ok then return nil, err end
  if not self.mail.good then
    self.rejected = {} -- what was said of recipients without a sender says nothing about them
    return refuse(self, "mail", self.mail, "the server refuses the sender")
  end
  if #self.accepted == 0 then return all_refused(self) end
  if #self.rejected > 0 and self.session.settings.recipients == "all" then return some_refused(self) end
  if not eager then
    ok, err = ask_data(self)
    if ok then ok, err = collect_all(self) end
    if not ok then return nil, err end
  end
  if not self.data.good then return refuse(self, "data", self.data, "the server refuses the message") end
  return true
end

-- A server that refuses a message before its end says why, and then mostly hangs up or reads no more: its words are
-- worth more than "broken pipe". They were there before a write failed; or their beginning came with the 354, and
-- their end comes within a second.
local function early_reply(self, err)
  local reply
  if self.pump.failed then
    reply = self.pump:last_words()
  elseif err.kind == "internal" then -- the engine will not go on over an unread reply
    self.pump.timeout = { data = 1, final = 1 }
    reply = self.pump:reply()
  end
  if reply and not reply.good then
    return refuse(self, "body", reply, "the server refused the message before its end")
  end
  return nil, err
end

-- The end of the message was written and no reply came: the mail may have been delivered. It must not look like a
-- failure that can be tried again.
local function in_doubt(self, err)
  local doubt = errors.new("in_doubt", "the whole message was sent and no answer came, so it may have been delivered: "
    .. err.message .. "; ask the server about Message-ID " .. self.message.id, {
    stage = "final", retry_safe = false, temporary = false, cause = err.kind, id = self.message.id,
  })
  return nil, doubt
end

local function body(self)
  local next_chunk = self.message:chunks()
  while true do
    local chunk, problem = next_chunk()
    if problem then
      problem.stage = "body"
      return nil, problem
    end
    if not chunk then return true end
    self.bytes = self.bytes + #chunk
    local ok, err = self.pump:body(chunk)
    if not ok then return early_reply(self, err) end
  end
end

-- The replies to the end of the message: LMTP has one for each accepted recipient, in their order (RFC 2033 section
-- 4.2), SMTP one for all of them.
local function verdicts(self, tag)
  local due, replies = self.session.settings.lmtp and #self.accepted or 1, {}
  for i = 1, due do
    local reply, err = self.pump:reply()
    if not reply then
      if self.session.conn:sent(tag) then return in_doubt(self, err) end
      return early_reply(self, err)
    end
    replies[i] = reply
  end
  return replies
end

local function finish(self)
  local tag, err = self.pump:command "finish"
  if not tag then return early_reply(self, err) end
  local replies
  replies, err = verdicts(self, tag)
  if not replies then return nil, err end
  local recipients = self.accepted
  self.accepted = {}
  for i, address in ipairs(recipients) do
    local reply = replies[i] or replies[1]
    if reply.good then
      self.accepted[#self.accepted + 1], self.final = address, self.final or reply
    elseif self.session.settings.lmtp then
      self.rejected[#self.rejected + 1] = verdict(reply, address)
    end
  end
  if not self.final then return refuse(self, "final", replies[1], "the server refuses the message") end
  return true
end

local function receipt(self)
  local made = self.session:facts()
  made.id = self.message.id
  made.status = #self.rejected > 0 and "partial" or "accepted"
  made.queue_id = queue_id(self.final.text)
  made.reply = { code = self.final.code, enhanced = self.final.enhanced, text = self.final.text }
  made.accepted, made.rejected = self.accepted, self.rejected
  made.bytes = self.bytes
  return made
end

-- Leaves no reply unread and no transaction open; whether that works decides only whether the connection can be used
-- again.
local function clean_up(self)
  local conn = self.session.conn
  self.waiting = {}
  while not self.pump.failed and conn:waiting() do collect(self) end
  if not self.pump.failed and not conn:idle() then self.pump:ask "rset" end
end

--- Sends one rendered message.
---@param session table an open session that is usable
---@param message table a rendered message: envelope(), chunks(), size(), needs(), id
---@return table receipt | nil, table err
function transaction.send(session, message)
  local self = {
    session = session, pump = session.pump, message = message, envelope = message:envelope(), waiting = {},
    accepted = {}, rejected = {}, bytes = 0, pipelining = session.conn:capabilities().PIPELINING ~= nil,
  }
  session.mails = session.mails + 1
  local ok, err = check_size(self)
  if ok then ok, err = open(self) end
  if not ok then
    clean_up(self)
    return nil, err
  end
  ok, err = body(self)
  if not ok then
    session:abandon() -- inside a message there is no way out but to hang up before its end
    return nil, err
  end
  ok, err = finish(self)
  if not ok then return nil, err end
  return receipt(self)
end

return transaction
