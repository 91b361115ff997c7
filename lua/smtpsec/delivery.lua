--- delivery: one mail on its way: what is still to be sent of it, what came of each attempt, and what is told in the
-- end.
--
-- A mail is one transaction, or several where the server takes only so many recipients at once (RFC 9422). It is tried
-- again only as far as nobody can have got it yet.

local core = require "smtpsec.core"
local errors = require "smtpsec.errors"
local retry = require "smtpsec.retry"
local transaction = require "smtpsec.transaction"
local wishes = require "smtpsec.wishes"

local delivery = {}

local Delivery = { __name = "smtpsec.delivery" }
Delivery.__index = Delivery

--- Makes a delivery of which nothing has happened yet.
---@param draft table what message.new made
---@param index integer its place among the mails of the call
---@param now number|false when it began, or that it begins with its first attempt
---@return table
function delivery.new(draft, index, now)
  local envelope = draft:envelope()
  return setmetatable({ -- the fields that every mail needs, so that the table is made once
    draft = draft, index = index, started = now, from = envelope.from, wishes = draft.wished or false,
    todo = envelope.to, -- the recipients of the next attempt
    due = 0, -- transactions of this attempt that are not over
    message = false, launched = 0, failure = false, -- of this attempt
    taken = false, session = false, -- the first transaction that was accepted, and over what
    over = false, -- the attempt is
    receipt = false, err = false, next = false, -- for those who collect results
  }, Delivery)
end

local function append(to, from)
  if not to or not from then return to or from end
  for _, value in ipairs(from) do to[#to + 1] = value end
  return to
end

-- ---- what to send ---------------------------------------------------------------------------------------------------

-- The message as this server takes it. A size over the declared limit is refused here, with the right kind, before the
-- engine refuses it as unoffered.
local function render(self, session)
  local message, err = self.draft:render(session.extensions)
  local size = message and message:size()
  if size and size > session.largest then
    return nil, errors.new("limit", string.format("the message has %.0f bytes, and the server takes at most %.0f", size,
      session.largest), { stage = "mail" })
  end
  return message, err
end

local function domain_of(address)
  return address:match("[^@]*$"):lower()
end

-- The recipients in as many lists as the server's limits need, in their order.
local function split(recipients, limits)
  local most, domains = limits.RCPTMAX or math.huge, limits.RCPTDOMAINMAX or math.huge
  if #recipients <= most and domains == math.huge then return { recipients } end
  local lists, seen, count = {}, nil, nil
  for _, address in ipairs(recipients) do
    local list, domain = lists[#lists], domain_of(address)
    if not list or #list >= most or (not seen[domain] and count >= domains) then
      list, seen, count = {}, {}, 0
      lists[#lists + 1] = list
    end
    if not seen[domain] then seen[domain], count = true, count + 1 end
    list[#list + 1] = address
  end
  return lists
end

-- What comes from a reader can be read once.
local function check_repeatable(message, lists)
  if #lists == 1 or message:size() then return nil end
  return errors.new("limit", string.format("the server takes this mail only in %d parts, and a reader can be "
    .. "read only once", #lists), { stage = "mail" })
end

local function transact(self, session, recipients)
  self.due = self.due + 1
  return transaction.new(self, recipients, session.options)
end

-- Several transactions, as the server's limits want it, and as many as the connection may still carry. Who is in none
-- of them waits for another connection.
local function transact_in_parts(self, session)
  local lists, parts = split(self.todo, session.limits), {}
  local err = check_repeatable(self.message, lists)
  if err then return nil, err end
  self.in_parts = self.in_parts or #lists > 1
  for i, list in ipairs(lists) do
    if i <= session.most - session.mails then
      parts[i] = transact(self, session, list)
    else
      self.waiting = append(self.waiting, list)
    end
  end
  return table.remove(parts, 1), parts
end

--- Begins an attempt.
---@param session table
---@return table transaction | nil, table err when this mail cannot go to this server
---@return table[]? more transactions, where one is not enough
function Delivery:attempt(session)
  local message, err = render(self, session)
  if not message then return nil, err end
  self.message = message
  err = self.wishes and wishes.refuse(self.wishes, session)
  if err then return nil, err end
  if not session.limits.recipients then return transact(self, session, self.todo) end
  return transact_in_parts(self, session)
end

-- ---- what came of it ------------------------------------------------------------------------------------------------

-- The recipients of a failed transaction that have no verdict of their own get its error for one.
local function verdicts(one, err)
  local known, list = {}, {}
  for _, entry in ipairs(one.rejected or {}) do known[entry.address] = entry end
  for i, address in ipairs(one.to) do
    list[i] = known[address] or { address = address, code = err.code, enhanced = err.enhanced,
      text = err.text or err.message, temporary = err.temporary }
  end
  return list
end

-- Of several failures the one that matters most: doubt before anything, then what will not pass.
local function worse(a, b)
  if not a or a.kind == "in_doubt" then return a or b end
  if b.kind == "in_doubt" or (a.temporary and not b.temporary) then return b end
  return a
end

-- Who may be tried again, and who has what there is to be told.
local function tell_apart(self, one, err)
  if retry.is_safe(err) or (one.breaks and err.retry_safe) then
    self.left, self.unsent = append(self.left, one.to), append(self.unsent, verdicts(one, err))
  elseif err.kind == "in_doubt" then -- the others may have got it
    self.accepted, self.rejected = append(self.accepted, err.accepted), append(self.rejected, err.rejected)
  else
    self.rejected = append(self.rejected, verdicts(one, err))
  end
end

-- What is left to be done of an attempt of which something failed.
local function fail(self, one, err, session)
  if not err.tls then err.tls = session.way.tls or nil end
  self.failure = worse(self.failure, err)
  self.breaks = self.breaks or one.breaks
  tell_apart(self, one, err)
end

-- The attempt is over for now where somebody waits for another connection.
local function pause(self)
  self.paused = errors.new("limit", "the server takes no more recipients over this connection",
    { stage = "mail", temporary = true })
  self.failure = self.failure or self.paused
end

--- Takes what came of a transaction. The attempt is over when `due` is 0.
---@param one table
---@param session table
function Delivery:absorb(one, session)
  self.due = self.due - 1
  local ok, err = one:outcome()
  if not ok then
    fail(self, one, err, session)
  elseif not self.taken then
    self.taken, self.session = one, session
  else
    self.accepted, self.rejected = append(self.accepted, one:accepted()), append(self.rejected, one.rejected)
  end
  if self.due == 0 and self.waiting then pause(self) end
end

--- The attempt could not begin.
---@param err table
function Delivery:fail(err)
  self.due, self.failure = 0, worse(self.failure, err)
  tell_apart(self, { to = self.todo }, err)
end

-- For those who wait for another connection; who has failed meanwhile waits for them.
local function go_on(self)
  self.todo, self.waiting, self.goes_on, self.over = self.waiting, nil, false, false
  if self.failure == self.paused then self.failure = false end
end

--- Prepares another attempt, for those who got nothing.
function Delivery:again()
  self.started, self.unopened = self.started or self.launched, nil -- the latter is of one attempt
  if self.goes_on then return go_on(self) end
  self.todo, self.left, self.unsent = append(self.left, self.waiting) or self.todo, nil, nil
  self.waiting, self.failure, self.over = nil, false, false
end

-- Lists of their own: what a caller does to a receipt is nobody else's business.
local function rejections(self)
  local list = self.taken.rejected or {}
  if self.rejected then append(list, self.rejected) end
  return self.unsent and append(list, self.unsent) or list
end

local function warnings(self)
  local list = self.session:warnings()
  if self.wishes then append(list, wishes.missing(self.wishes, self.session.offers)) end
  if self.message.warnings then append(list, self.message.warnings) end
  return self.notes and append(list, self.notes) or list
end

local function receipt(self, now)
  local one, session = self.taken, self.session
  local way, timing, final = session.way, session.timing, one.final
  local rejected = rejections(self)
  return {
    id = self.draft.id, queue_id = core.queue_id(final.text), status = rejected[1] and "partial" or "accepted",
    reply = final, accepted = append(one:accepted(), self.accepted), rejected = rejected,
    server = way.server, tls = way.tls, auth = way.auth,
    timing = { connect = timing.connect, tls = timing.tls, auth = timing.auth, transaction = now - self.launched,
      total = now - (self.started or self.launched) },
    bytes = one.bytes, warnings = warnings(self), dkim = self.message.signatures,
  }
end

--- Says in the receipt what would otherwise be told only by an event.
---@param text string
function Delivery:note(text)
  self.notes = append(self.notes, { text })
end

-- Each part failed in its own way: the error that matters most names the recipients of all.
local function of_all_parts(self, failure)
  local list = append(append({}, self.rejected), self.unsent)
  return errors.again(failure, { accepted = self.accepted, rejected = list[1] and list })
end

--- What is told in the end.
---@param now number
---@return table receipt | nil, table err
function Delivery:result(now)
  local failure = self.failure
  if self.waiting then self.unsent = append(self.unsent, verdicts({ to = self.waiting }, self.paused)) end
  if not failure or (self.taken and failure.kind ~= "in_doubt") then return receipt(self, now) end
  if not self.taken then return nil, self.in_parts and of_all_parts(self, failure) or failure end
  local told = { accepted = append(self.taken:accepted(), self.accepted), rejected = rejections(self) }
  return nil, errors.again(failure, told)
end

return delivery
