--- flight: transactions on one session, several of them under way at once: what is asked when, and which reply
-- belongs to whom.
--
-- Where the server takes commands in groups (RFC 2920), MAIL, RCPT and DATA share a flight, and the next MAIL rides
-- behind the end of the message before it. Where it takes CHUNKING too (RFC 3030), a small message rides with its
-- own MAIL, so that a mail is one flight. Replies come in the order of the commands, so they belong to the oldest
-- transaction that is not over. When the connection breaks, each transaction is told exactly how far it had come.
--
-- It never opens or closes connections; after an error `session:usable()` tells whether the connection lives.

local content = require "smtpsec.content"
local errors = require "smtpsec.errors"

local flight = {}

local Flight = { __name = "smtpsec.flight" }
Flight.__index = Flight

local RESET_SECONDS = 5 -- nothing depends on the answer to RSET but whether the connection is kept

--- Makes the flight of a session, which is kept with it.
---@param session table an open session
---@return table
function flight.new(session)
  local pipelining, chunking = session.offers.PIPELINING ~= nil, session.offers.CHUNKING ~= nil
  local eager = pipelining and not session.options.all
  return setmetatable({
    session = session, pump = session.pump, conn = session.conn, pipelining = pipelining, chunking = chunking,
    eager = eager, whole = eager and chunking, -- whether DATA rides with its RCPTs; whether a small message does
    owner = false, -- is told what is over: owner:over(transaction)
    head = false, tail = false, -- the oldest and the newest transaction that is not over; each knows its next
    heard = 0, -- replies since the owner took it over
    cautious = false, -- the first message waits for the answer to its MAIL
    proven = false, -- a mail was taken over it
    binary = session.extensions.BINARYMIME, -- one may be binary, which is proven by itself
    suspected = false, -- the extension that the server breaks on, once that was told
    mail_options = {}, -- one table for all mails without wishes
  }, Flight)
end

-- ---- replies --------------------------------------------------------------------------------------------------------

local function settle(self)
  local one = self.head
  while one and one.launched and one.due <= 0 do
    self.head = one.next
    if not self.head then self.tail = false end
    if one.final and one.final.code < 400 and (not self.proven or (self.binary and one:is_binary())) then
      self.proven = true
      self.session.quirks:prove(self, one)
    end
    self.owner:over(one)
    one = self.head
  end
end

-- 421 is the server's last word, whatever command it answers (RFC 5321 section 3.8): what comes after that command was
-- not looked at.
local function leave(self, verb, code, enhanced, text)
  local head = self.head
  local early = verb == "end" and head and not head.end_tag
  local goodbye = errors.new("rejected", "the server ends the session", {
    stage = early and "body" or self.pump:stage(verb), code = code, enhanced = enhanced, text = text, temporary = true,
  })
  if head then head:dismiss(goodbye) end
  return goodbye
end

-- An extension is to blame: the mail may go at once, over a connection that does without, and this one carries no more.
local function suspect(self, one, keyword)
  if not keyword then return end
  one.breaks = keyword
  self.session:retire()
  if self.suspected == keyword then return end
  self.suspected = keyword
  if self.pump.on_event then
    local notes = self.session.quirks.notes
    self.pump.on_event { type = "quirk", keyword = keyword, text = notes[#notes] }
  end
end

local function hear(self, verb, tag, code, enhanced, text, skipped)
  self.heard = self.heard + 1 + skipped
  if code == 421 then return nil, leave(self, verb, code, enhanced, text), true end
  local head = self.head
  if not head then return true end
  if code >= 500 then suspect(self, head, self.session.quirks:judge(self, head, verb, code, enhanced, text)) end
  head:hear(verb, tag, code, enhanced, text, skipped)
  if head.due <= 0 then settle(self) end
  return true
end

-- The connection is gone. Replies that had come before count; then each transaction learns how far it got. After a
-- goodbye nothing that was sent can have been accepted.
local function cut(self, err, goodbye)
  self.pump.failed = true
  while self.head and not goodbye do
    local kind, verb, tag, code, enhanced, text, skipped = self.pump:last_words()
    if not kind then break end
    local ok, said = hear(self, verb, tag, code, enhanced, text, skipped)
    if not ok then err, goodbye = said, true end
  end
  local head = self.head
  if head then suspect(self, head, self.session.quirks:blame(self, head, self.conn:waiting(), err)) end
  local one = head
  while one do
    local was_sent = not goodbye and one.end_tag and self.conn:sent(one.end_tag)
    one:cut(err, was_sent, one == head)
    one = one.next
  end
  settle(self)
end

--- Waits for one reply and gives it to whom it belongs; and so those that came together with it, as far as all has been
-- asked that they may answer.
---@return true | nil, table err when the connection is gone; then all transactions are over
function Flight:turn()
  local pump, head, at_hand = self.pump, self.head, false
  repeat
    -- The last reply of a transaction is never passed over.
    local kind, verb, tag, code, enhanced, text, skipped = pump:event(head and head.end_tag, at_hand)
    if kind == "again" then
      self.heard, head.due = self.heard + verb, head.due - verb
      return true
    end
    local ok, err, goodbye = nil, verb, nil
    if kind then
      ok, err, goodbye = hear(self, verb, tag, code, enhanced, text, skipped)
    elseif head and tag then
      self.heard, head.due = self.heard + tag, head.due - tag -- cut counts on
    end
    if not ok then
      cut(self, err, goodbye)
      return nil, err
    end
    head, at_hand = self.head, true
  until not (head and head.launched)
  return true
end

-- ---- asking ---------------------------------------------------------------------------------------------------------

--- Makes room in the engine, which is full: of commands without a reply, or of bytes that were not written.
---@return true | nil, table err
function Flight:relieve()
  -- Where there is nothing to write either, something has come that nobody asked for: that has to be heard.
  if self.conn:waiting() or self.conn:output() == "" then return self:turn() end
  return self.pump:flush()
end

--- Waits until all replies to what a transaction asked so far are there.
---@return true | nil, table err
function Flight:hear_all(one)
  while one.due > 0 do
    local ok, err = self:turn()
    if not ok then return nil, err end
  end
  return true
end

--- Queues a command of a transaction, and waits for its reply where the server takes no groups.
---@return integer tag | nil, table err
function Flight:ask(one, name, words, ...)
  local tag, err = self.pump:command(name, words, ...)
  while not tag and err == "full" do
    local ok
    ok, err = self:relieve()
    if not ok then return nil, err end
    tag, err = self.pump:command(name, words, ...)
  end
  if not tag then return nil, err end
  if name == "rcpt" then one.rcpt_tag = one.rcpt_tag or tag end
  one.due = one.due + 1
  if self.pipelining then return tag end
  local ok
  ok, err = self:hear_all(one)
  return ok and tag, err
end

local NONE = {}

local function mail_options(self, one)
  local message, wishes = one.delivery.message, one.delivery.wishes
  local options, needs = self.mail_options, message:needs()
  if wishes then
    options = {}
    for name, value in pairs(wishes.mail) do options[name] = value end
  end
  options.size = message:size()
  options.body = needs.BINARYMIME and "binary" or needs["8BITMIME"] and "8bit" or nil
  options.smtputf8 = needs.SMTPUTF8
  return options
end

-- What a transcript shows of a command; nobody pays for it where there is none.
local function shown(self, word, address)
  return self.pump.on_event and word .. ":<" .. address .. ">" or nil
end

-- What is not forgotten lets no other mail begin.
local function refuses_reset(self)
  self.pump.failed = true
  return nil, errors.new("protocol", "the server refuses RSET", { stage = "mail", temporary = true })
end

local function envelope(self, one)
  local from, rcpt_options = one.delivery.from, one.delivery.wishes and one.delivery.wishes.rcpt or nil
  if not self.conn:ready() then
    local done, trouble = self:ask(one, "rset")
    if not done then return nil, trouble end
    if not (self.pipelining or self.conn:ready()) then return refuses_reset(self) end
  end
  local tag, err = self:ask(one, "mail", shown(self, "FROM", from), from, mail_options(self, one))
  if not tag then return nil, err end
  for i = 1, #one.to do
    if one.sender and not self.pipelining then return true end
    tag, err = self:ask(one, "rcpt", shown(self, "TO", one.to[i]), one.to[i], rcpt_options)
    if not tag then return nil, err end
  end
  return true
end

-- The same in one call, and with the message, as far as there is room for all of it.
local function all_at_once(self, one, whole)
  local mail = one.delivery
  local queued, rcpt_tag, end_tag, err = self.pump:transact(mail.from, one.to, mail_options(self, one),
    mail.wishes and mail.wishes.rcpt or NONE, whole)
  if not queued then return envelope(self, one) end
  one.due = one.due + queued
  if err then return nil, err end
  one.rcpt_tag, one.end_tag = rcpt_tag, end_tag or false
  if end_tag then one.bytes = #whole end
  return true
end

-- ---- in and out -----------------------------------------------------------------------------------------------------

local function send(self, one)
  local whole = self.whole and not self.cautious and one.delivery.message:whole() or nil
  local ok, err
  if self.pipelining and not self.pump.on_event then
    ok, err = all_at_once(self, one, whole)
  else
    ok, err = envelope(self, one)
  end
  if not ok or one.end_tag or not (self.pipelining or one:may_go_on()) then return ok, err end
  if self.chunking then return content.by_bdat(self, one, whole) end
  return content.by_data(self, one)
end

-- The last of a transaction has been asked.
local function launched(self, one)
  one.launched, self.cautious = true, false
  if one.due <= 0 then settle(self) end
end

--- Sends a transaction, behind those that are under way; waits only as far as the server makes it necessary. What
-- comes of it is told to the owner.
---@param one table a transaction
---@return table? err when the connection is gone
function Flight:launch(one)
  if self.tail then self.tail.next = one else self.head = one end
  self.tail, self.session.mails = one, self.session.mails + 1
  local ok, err = send(self, one)
  if ok then return launched(self, one) end
  if self.pump.failed then
    if self.head then cut(self, err) end
    return err
  end
  one.failure = err -- the caller's mistake, and nobody else's trouble
  launched(self, one)
end

--- Waits for all that is under way, and for the end of what was refused, so that the connection can be used again.
function Flight:rest()
  while self.head do
    if not self:turn() then return end
  end
  if not self.pump.failed and not self.conn:idle() then
    local timeout = self.pump:hurry(RESET_SECONDS)
    self.pump:ask "rset"
    self.pump.timeout = timeout
  end
end

return flight
