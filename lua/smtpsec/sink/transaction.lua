--- transaction: MAIL, RCPT, DATA or BDAT, and the message: one mail from its sender to its place in the store.

local body = require "smtpsec.sink.body"
local command = require "smtpsec.sink.command"
local reply = require "smtpsec.sink.reply"

local transaction = {}

local MOST_RECIPIENTS = 1000

-- Parameter of MAIL or RCPT -> the extension that it belongs to.
local PARAMETERS = {
  FROM = { SIZE = "SIZE", BODY = "8BITMIME", SMTPUTF8 = "SMTPUTF8", RET = "DSN", ENVID = "DSN",
    REQUIRETLS = "REQUIRETLS", BY = "DELIVERBY", ["MT-PRIORITY"] = "MT-PRIORITY", HOLDFOR = "FUTURERELEASE",
    HOLDUNTIL = "FUTURERELEASE" },
  TO = { NOTIFY = "DSN", ORCPT = "DSN" },
}

-- Reads a path and looks at its parameters; refuses what is wrong, and returns nil then.
local function path(session, argument, keyword, status)
  local address, found, internationalized = command.path(argument, keyword, keyword == "FROM")
  if not address then
    session:refuse(501, status, found)
    return nil
  end
  for key in pairs(found) do
    local extension = PARAMETERS[keyword][key]
    if not extension or not session:offers(extension) then
      session:refuse(555, "5.5.4", "the parameter " .. key .. " is not known")
      return nil
    end
  end
  return address, found, internationalized
end

-- Code, enhanced code and text against what MAIL says; nil when nothing is wrong.
local function objection(session, found, internationalized)
  local size, kind = found.SIZE, (found.BODY or "7BIT"):upper()
  local binary = kind == "BINARYMIME" and session:offers("BINARYMIME") and session:offers("CHUNKING")
  if size and not size:find("^%d+$") then return 501, "5.5.4", "SIZE is a number" end
  if size and tonumber(size) > session.sink.size then return 552, "5.3.4", "the message is too long" end
  if kind ~= "7BIT" and kind ~= "8BITMIME" and not binary then return 501, "5.5.4", "BODY is 7BIT or 8BITMIME" end
  if internationalized and not found.SMTPUTF8 then return 553, "5.6.7", "the address needs SMTPUTF8" end
end

--- MAIL.
function transaction.mail(session, argument)
  if session.sink.require_auth and not session.user then
    return session:refuse(530, "5.7.0", "authentication required")
  end
  local address, found, internationalized = path(session, argument, "FROM", "5.1.7")
  if not address then return end
  local code, enhanced, text = objection(session, found, internationalized)
  if code then return session:refuse(code, enhanced, text) end
  if session.mails >= session.sink.limits.MAILMAX then
    session:refuse(421, "4.7.0", "no more mails on this connection")
    return session:goodbye()
  end
  if not session:answer("mail", address, 250, "2.1.0", "sender ok") then return end
  session.mails = session.mails + 1
  session.state, session.transaction = "mail", { from = address, to = {}, parameters = found, to_parameters = {} }
end

-- Whether one more recipient is too many (RFC 9422, where LIMITS says so).
local function crowded(session, to, address)
  local limits, domains, count = session.sink.limits, {}, 0
  if #to >= math.min(MOST_RECIPIENTS, limits.RCPTMAX) then return true end
  local function see(one)
    local domain = one:match("[^@]*$"):lower()
    if not domains[domain] then domains[domain], count = true, count + 1 end
  end
  for _, one in ipairs(to) do see(one) end
  see(address)
  return count > limits.RCPTDOMAINMAX
end

--- RCPT.
function transaction.rcpt(session, argument)
  local to, parameters = session.transaction.to, session.transaction.parameters
  local address, found, internationalized = path(session, argument, "TO", "5.1.3")
  if not address then return end
  if internationalized and not parameters.SMTPUTF8 then
    return session:refuse(553, "5.6.7", "the address needs SMTPUTF8")
  end
  if crowded(session, to, address) then return session:refuse(452, "4.5.3", "too many recipients") end
  if not session:answer("rcpt", address, 250, "2.1.5", "recipient ok") then return end
  session.state = "rcpt"
  to[#to + 1] = address
  session.transaction.to_parameters[address] = found
end

-- What a rule's `match` looks at.
local function subject(one)
  return one.from .. " " .. table.concat(one.to, " ")
end

local function mail_of(session, one, to)
  return {
    connection = session.number, helo = session.helo, auth = session.user, tls = session.tls or false,
    from = one.from, to = to, parameters = one.parameters, to_parameters = one.to_parameters,
    data = one.body:content(), time = os.time(),
  }
end

-- Who is answered at the end, each with the rule that strikes: all recipients at once, or with LMTP each by itself
-- (RFC 2033 section 4.2).
local function verdicts(session, one)
  local faults, list = session.sink.faults, {}
  if not session.sink.lmtp then return { { to = one.to, fault = faults:find("final", subject(one)) or {} } } end
  for i, address in ipairs(one.to) do list[i] = { to = { address }, fault = faults:find("final", address) or {} } end
  return list
end

-- Keeps the message for those recipients that no rule refuses. Returns what is said to them.
local function keep(session, one, list)
  if one.body:too_long() then return 552, "5.3.4", "the message is too long" end
  local to = {}
  for _, verdict in ipairs(list) do
    local kept = reply.takes_effect(verdict.fault, 250)
    for _, address in ipairs(kept and verdict.to or {}) do to[#to + 1] = address end
  end
  if #to == 0 then return 250, "2.0.0", "ok" end -- which nobody hears
  local name, why = session.sink.store:add(mail_of(session, one, to))
  if not name then return 452, "4.3.1", why end
  return 250, "2.0.0", "ok: queued as " .. name
end

local function entry_of(one, to)
  return { event = "message", size = one.body.size, from = one.from, to = to }
end

local function finish(session, one)
  local list = verdicts(session, one)
  local code, enhanced, text = keep(session, one, list)
  session:read_lines()
  for _, verdict in ipairs(list) do
    session.entry = entry_of(one, verdict.to)
    session:say(verdict.fault, code, enhanced, text)
  end
  session:reset()
end

-- The rule for the body strikes once, when the message has come that far.
local function strike(session, one)
  local fault = one.fault
  if not fault or one.body.received < (fault.after_bytes or 0) then return false end
  one.fault = nil
  local entry = entry_of(one, one.to)
  entry.code = reply.code(fault)
  session:note(entry)
  session:push(reply.act(fault, reply.said(fault, ""), 0))
  return true
end

local function read_body(session)
  local one = session.transaction
  if strike(session, one) then return true end
  if one.ended then
    finish(session, one)
    return true
  end
  local bytes = session:take_all()
  if bytes == "" then return false end
  local rest = one.body:feed(bytes)
  if rest then
    one.ended = true
    session:feed(rest)
  end
  return true
end

--- DATA.
function transaction.data(session, argument)
  local one = session.transaction
  if argument ~= "" then return session:refuse(501, "5.5.4", "DATA takes no argument") end
  if (one.parameters.BODY or ""):upper() == "BINARYMIME" then -- RFC 3030 section 3
    return session:refuse(503, "5.5.1", "BODY=BINARYMIME needs BDAT")
  end
  if not session:answer("data", subject(one), 354, nil, "end with CRLF, a dot, CRLF") then return end
  one.body = body.new(session.sink.size)
  one.fault = session.sink.faults:find("body", subject(one))
  session:read_by(read_body)
end

-- What a chunk is to: the transaction, or why it is to none.
local function chunk_of(session)
  local one = session.transaction
  if session.state == "rcpt" then
    one.body = body.chunked(session.sink.size)
    one.fault = session.sink.faults:find("body", subject(one))
    session.state = "bdat"
    return one
  end
  if session.state ~= "bdat" then return nil, one and "no recipient was accepted" or "this command is out of order" end
  if one.failed then return nil, "a chunk was refused before: RSET" end
  return one
end

local function finish_chunk(session, chunk)
  local one = chunk.to
  if not one then
    session:read_lines()
    return session:refuse(503, "5.5.1", chunk.why)
  end
  if chunk.last then
    session:note(session.entry) -- what is answered is the message
    return finish(session, one)
  end
  session:read_lines()
  if one.body:too_long() then
    one.failed = true
    return session:refuse(552, "5.3.4", "the message is too long")
  end
  one.failed = not session:answer("bdat", subject(one), 250, "2.0.0", string.format("%d octets", chunk.size))
end

-- The bytes of a chunk are its own, also where it is refused (RFC 3030 section 2).
local function read_chunk(session)
  local chunk = session.chunk
  if chunk.to and strike(session, chunk.to) then return true end
  if chunk.left == 0 then
    finish_chunk(session, chunk)
    return true
  end
  local bytes = session:take_some(chunk.left)
  chunk.left = chunk.left - #bytes
  if chunk.to then chunk.to.body:add(bytes) end
  return bytes ~= ""
end

--- BDAT (RFC 3030).
function transaction.bdat(session, argument)
  local digits, word = argument:match("^(%d+) ?(%a*)$")
  if not digits or #digits > 15 or (word ~= "" and word:upper() ~= "LAST") then
    session:refuse(501, "5.5.4", "BDAT size [LAST] is expected, and what follows cannot be told from commands")
    return session:goodbye()
  end
  local size = tonumber(digits)
  local to, why = chunk_of(session)
  session.chunk = { size = size, left = size, last = word ~= "", to = to, why = why }
  session:read_by(read_chunk)
end

return transaction
