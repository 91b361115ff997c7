--- transaction: one MAIL, its RCPTs and its message (RFC 5321 section 3.3), and the truth about each recipient.
--
-- It takes the replies in their order and says what came of it. Only the final 2yz reply makes a mail accepted. Which
-- bytes go out when, and what happens to a connection, is flight.lua's business.

local errors = require "smtpsec.errors"

local transaction = {}

local Transaction = { __name = "smtpsec.transaction" }
Transaction.__index = Transaction

--- Makes a transaction that nothing has been sent of.
---@param delivery table the mail that it is, or is a part of: message (rendered: id, needs(), size(), whole(),
--- chunks()), from (the reverse-path, "" for none), wishes
---@param to string[] the recipients of this transaction
---@param options { all: boolean, lmtp: boolean } send only if all recipients are accepted; one verdict a recipient (RFC
--- 2033)
---@return table
function transaction.new(delivery, to, options)
  return setmetatable({ -- the fields that every mail needs, so that the table is made once
    delivery = delivery, to = to, options = options,
    due = 0, -- replies that are still to come
    rcpt_tag = false, end_tag = false, -- of the first RCPT and of the end of the message
    launched = false, -- nothing more is to be asked
    bytes = 0, -- of the message, handed to the engine
    sender = false, final = false, -- replies: a refusal of MAIL, and that to the end of the message
    rejected = false, -- list of verdicts on refused recipients
    judged = false, -- LMTP: list of the replies to the end
    failure = false, -- why nothing came of it, where no reply says so
    next = false, -- on the same connection
  }, Transaction)
end

local TAGS = 2147483647 -- after this many, tags begin again (queue.h)

--- How many recipients were not refused, so far.
function Transaction:remaining()
  return #self.to - (self.rejected and #self.rejected or 0)
end

--- Whether its message was declared binary (RFC 3030).
function Transaction:is_binary()
  return self.delivery.message:needs().BINARYMIME == true
end

--- The recipients that were not refused.
---@return string[] a new list
function Transaction:accepted()
  local to, list, refused = self.to, {}, self.rejected and {}
  if not refused then
    for i = 1, #to do list[i] = to[i] end
    return list
  end
  for _, one in ipairs(self.rejected) do refused[one.address] = true end
  for _, address in ipairs(to) do
    if not refused[address] then list[#list + 1] = address end
  end
  return list
end

-- ---- replies --------------------------------------------------------------------------------------------------------

local function as_reply(code, enhanced, text)
  return { code = code, enhanced = enhanced, text = text }
end

local function reject(self, address, code, enhanced, text)
  self.rejected = self.rejected or {}
  self.rejected[#self.rejected + 1] = { address = address, code = code, enhanced = enhanced, text = text,
    temporary = code < 500 }
end

-- The first reply to the end of the message says how many there are: LMTP has one for each accepted recipient, in
-- their order (RFC 2033 section 4.2), SMTP one for all of them.
local function on_end(self, code, enhanced, text)
  local reply = as_reply(code, enhanced, text)
  if self.options.lmtp and self:remaining() > 0 then
    if not self.judged then
      self.judged, self.due = {}, self.due + self:remaining() - 1
    end
    self.judged[#self.judged + 1] = reply
  end
  if not self.final or self.final.code >= 400 then self.final = reply end
end

-- What each verb's reply means for the mail. A reply below 400 is the one that the verb wants: the engine saw to it.
-- Those to MAIL, RCPT and BDAT may never be heard: what was not refused is accepted.
local HEARD = {
  MAIL = function(self, code, enhanced, text)
    if code >= 400 then self.sender = as_reply(code, enhanced, text) end
  end,
  RCPT = function(self, code, enhanced, text, tag)
    if code < 400 or self.sender then return end -- without a sender, that says nothing about recipients
    reject(self, self.to[(tag - self.rcpt_tag) % TAGS + 1], code, enhanced, text)
  end,
  DATA = function(self, code, enhanced, text)
    if code >= 400 then
      self.data = as_reply(code, enhanced, text)
    elseif self.sender or self:remaining() == 0 then
      self.due = self.due + 1 -- the engine answers with a lone dot (RFC 2920 section 3.1), and that has a reply
    else
      self.wanted = true
    end
  end,
  BDAT = function(self, code, enhanced, text)
    if code >= 400 and not self.body then self.body = as_reply(code, enhanced, text) end
  end,
  ["BDAT LAST"] = on_end, ["end"] = on_end,
}

--- Takes the next reply.
---@param verb string as the engine names the command
---@param tag integer of the command
---@param skipped integer positive ones before it that nobody looked at
function Transaction:hear(verb, tag, code, enhanced, text, skipped)
  self.due = self.due - 1 - skipped
  local heard = HEARD[verb]
  if heard then heard(self, code, enhanced, text, tag) end
end

-- Whether the replies that came say already that nobody gets it.
local function is_refused(self)
  return self.sender or self:remaining() == 0 or self.data or self.body or (self.final and self.final.code >= 400)
end

--- The server ended the session (421) instead of answering. Of an LMTP server's verdicts that is each that was still to
-- come; what it had refused before stays refused.
---@param goodbye table err
function Transaction:dismiss(goodbye)
  if not self.judged then
    self.failure = self.failure or (not is_refused(self) and goodbye)
    return
  end
  local due = self:remaining() - #self.judged
  for _ = 1, due do on_end(self, goodbye.code, goodbye.enhanced, goodbye.text) end
  self.due = 0
end

--- Whether what was heard so far allows its message to be sent.
function Transaction:may_go_on()
  return not (self.failure or self.sender or self.data or self.body or self:remaining() == 0
    or (self.options.all and self.rejected))
end

-- ---- outcome --------------------------------------------------------------------------------------------------------

local function refuse(self, stage, reply, message)
  return errors.new("rejected", message, {
    stage = stage, code = reply.code, enhanced = reply.enhanced, text = reply.text, temporary = reply.code < 500,
    rejected = self.rejected or nil,
  })
end

local function all_refused(self)
  local first, n = self.rejected[1], #self.rejected
  local err = { stage = "rcpt", code = first.code, enhanced = first.enhanced, text = first.text,
    rejected = self.rejected, temporary = true }
  for _, one in ipairs(self.rejected) do err.temporary = err.temporary and one.temporary end
  return errors.new("rejected", n == 1 and "the server refuses the recipient"
    or string.format("the server refuses all %d recipients", n), err)
end

local function some_refused(self)
  local first = self.rejected[1]
  return errors.new("rejected", string.format(
    'the server refuses %d of %d recipients, and recipients = "all" was asked for', #self.rejected, #self.to), {
    stage = "rcpt", code = first.code, enhanced = first.enhanced, text = first.text, rejected = self.rejected,
    temporary = first.temporary,
  })
end

-- LMTP: who was accepted as a recipient may still be refused the message.
local function judge_each(self)
  local judged, final = self.judged, nil
  self.judged = false
  for i, address in ipairs(self:accepted()) do
    local reply = judged[i]
    if reply.code < 400 then
      final = final or reply
    else
      reject(self, address, reply.code, reply.enhanced, reply.text)
    end
  end
  self.final = final or judged[1]
end

local EARLY = "the server refused the message before its end"

--- What came of it, once it is over.
---@return true when at least one recipient got it: accepted(), rejected and final tell the rest | nil, table err
function Transaction:outcome()
  local final = self.final
  if final and final.code < 400 and not (self.rejected or self.failure or self.sender or self.judged) then
    return true -- as most do
  end
  if self.failure then return nil, self.failure end
  if self.sender then return nil, refuse(self, "mail", self.sender, "the server refuses the sender") end
  if self:remaining() == 0 then return nil, all_refused(self) end
  if self.options.all and self.rejected then return nil, some_refused(self) end
  if self.data then return nil, refuse(self, "data", self.data, "the server refuses the message") end
  if self.body then return nil, refuse(self, "body", self.body, EARLY) end
  if self.judged then judge_each(self) end
  if self.final.code < 400 then return true end
  if not self.end_tag then return nil, refuse(self, "body", self.final, EARLY) end
  return nil, refuse(self, "final", self.final, "the server refuses the message")
end

-- The end of the message was written and no reply came: the mail may have been delivered. It must not look like a
-- failure that can be tried again. Of an LMTP server's verdicts some may have come.
local function in_doubt(self, err)
  local doubt = errors.new("in_doubt",
    "the whole message was sent and no answer came, so it may have been delivered: " .. err.message
    .. "; ask the server about Message-ID " .. self.delivery.message.id, {
      stage = "final", retry_safe = false, temporary = false, cause = err.kind, id = self.delivery.message.id,
    })
  local recipients = self.judged and self:accepted()
  for i, reply in ipairs(self.judged or {}) do
    if reply.code < 400 then
      doubt.accepted = doubt.accepted or {}
      table.insert(doubt.accepted, recipients[i])
    else
      reject(self, recipients[i], reply.code, reply.enhanced, reply.text)
    end
  end
  doubt.rejected = self.rejected or nil
  return doubt
end

--- The connection is gone before it was over.
---@param err table what happened to the connection
---@param was_sent boolean whether the last byte of the message had been given to the network
---@param first boolean whether it was the oldest one: the stage of the error is its own
function Transaction:cut(err, was_sent, first)
  local waited = self.due > 0
  self.due, self.launched = 0, true
  local decided = is_refused(self)
  if self.judged then decided = not waited end -- each recipient has a verdict
  if self.failure or decided then return end
  if was_sent then
    self.failure = in_doubt(self, err)
  else
    self.failure = first and err or errors.again(err, { stage = "mail" })
  end
end

return transaction
