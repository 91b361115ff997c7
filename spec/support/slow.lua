--- slow: peers that are silent or that trickle, and mails to them: each has a bound that must hold in every driver.
--
-- A case has a name, the script of its peer (none: nobody answers the connection), the timeouts that are given, and
-- what must come of it: the kind and stage of the error, or the status. All bounds are half a second where `seconds`
-- says nothing else. No busted in here: nginx is another process, which loads this file, too.
local smtpsec = require "smtpsec"
local steps = require "spec.support.steps"

local TRICKLE = 0.2 -- seconds between two bytes: less than any bound, so that one which began anew would never end
local BOUND = 0.5

local SILENCE = { drain = true }
local function trickle(text)
  return { send = text .. ("x"):rep(1000), every = TRICKLE }
end

local ASKED = { "S: 220 mail.test", "C: EHLO" }
local OPEN = { ASKED, "S: 250 mail.test" }
local SECURE = { ASKED, "S: 250-mail.test", "S: 250 STARTTLS", "C: STARTTLS", "S: 220 go" }
local LOGIN = { ASKED, "S: 250-mail.test", "S: 250 AUTH PLAIN", "C: AUTH" }
local DATA = { OPEN, "C: MAIL", "S: 250 ok", "C: RCPT", "S: 250 ok", "C: DATA" }
local BODY = { DATA, "S: 354 go" }
local SENT = { BODY, { upto = "\r\n.\r\n" } }

-- More than the sockets of both sides hold.
local function endless()
  local block, count = ("0123456789abcde\r\n"):rep(4000), 0
  return { raw = { reader = function()
    count = count + 1
    return count == 1 and "From: from@client.test\r\n\r\n" or count < 1000 and block or nil
  end }, envelope = { from = "from@client.test", to = "to@mail.test" } }
end

local slow = {
  { name = "connecting to who does not answer", timeout = { connect = BOUND }, kind = "timeout", stage = "connect" },
  { name = "connecting, within the whole call", timeout = { total = BOUND }, kind = "timeout", stage = "connect" },

  { name = "no greeting", script = { SILENCE },
    timeout = { greeting = BOUND }, kind = "timeout", stage = "greeting" },
  { name = "a greeting that trickles", script = { trickle "220 mail.test" },
    timeout = { greeting = BOUND }, kind = "timeout", stage = "greeting" },
  { name = "a greeting of one byte a second", script = { { send = "220-mail.test\r\n220 ready\r\n", every = 1 } },
    timeout = { greeting = 1.5 }, seconds = 1.5, kind = "timeout", stage = "greeting" },

  { name = "no reply", script = { ASKED, SILENCE },
    timeout = { command = BOUND }, kind = "timeout", stage = "ehlo" },
  { name = "a reply that trickles", script = { ASKED, trickle "250-mail.test" },
    timeout = { command = BOUND }, kind = "timeout", stage = "ehlo" },
  { name = "a reply of lines without end", script = { ASKED, { send = ("250-\r\n"):rep(100), every = 0.05 } },
    timeout = { command = BOUND }, kind = "timeout", stage = "ehlo" },
  { name = "no reply to AUTH", script = { LOGIN, SILENCE },
    options = { user = "me", password = "langsam-4711", auth = { insecure_cleartext = true } },
    timeout = { command = BOUND }, kind = "timeout", stage = "auth" },
  { name = "no reply to MAIL", script = { OPEN, SILENCE },
    timeout = { command = BOUND }, kind = "timeout", stage = "mail" },

  { name = "no handshake", script = { SILENCE }, options = { tls = "implicit" },
    timeout = { tls = BOUND }, kind = "timeout", stage = "tls" },
  { name = "no handshake after STARTTLS", script = { SECURE, SILENCE }, options = { tls = "starttls" },
    timeout = { tls = BOUND }, kind = "timeout", stage = "tls" },
  { name = "a handshake that trickles", options = { tls = "implicit" },
    script = { { send = "\22\3\3\63\255" .. ("\2"):rep(1000), every = TRICKLE } },
    timeout = { tls = BOUND }, kind = "timeout", stage = "tls" },

  { name = "no reply to DATA", script = { DATA, SILENCE },
    timeout = { data = BOUND }, kind = "timeout", stage = "data" },
  { name = "a reader that stops in the message", script = { BODY, { stall = true } }, fields = endless,
    timeout = { data = BOUND }, kind = "timeout", stage = "body" },
  { name = "a reader that takes little", script = { BODY, { take = 1e9, every = TRICKLE } }, fields = endless,
    timeout = { data = BOUND }, kind = "timeout", stage = "body" },
  { name = "no reply to the message", script = { SENT, SILENCE },
    timeout = { final = BOUND }, kind = "in_doubt", stage = "final" },
  { name = "a reply to the message that trickles", script = { SENT, trickle "250 ok" },
    timeout = { final = BOUND }, kind = "in_doubt", stage = "final" },

  { name = "replies each of which is in time, within the whole call",
    script = { "S: 220 mail.test", "C: EHLO", { sleep = 0.3 }, "S: 250 mail.test", "C: MAIL", { sleep = 0.3 },
      "S: 250 ok", SILENCE },
    timeout = { total = BOUND }, kind = "timeout", stage = "mail" },
  { name = "a reader that takes little, within the whole call", script = { BODY, { take = 1e9, every = TRICKLE } },
    fields = endless, timeout = { total = BOUND }, kind = "timeout", stage = "body" },
  { name = "no reply to QUIT, which nobody waits for", script = { SENT, "S: 250 ok", SILENCE },
    timeout = { total = BOUND }, status = "accepted", seconds = 0 },
}

for _, case in ipairs(slow) do
  case.script = case.script and steps(case.script)
  case.seconds = case.seconds or BOUND
end

-- Bounds that no case waits for, but for those that are given.
local function bounds(given)
  local all = { connect = 9, greeting = 9, tls = 9, command = 9, data = 9, final = 9 }
  for name, seconds in pairs(given) do all[name] = seconds end
  return all
end

--- Sends the mail of a case; everything here may wait as the driver does.
---@param index integer of the case
---@param port integer of its peer
---@param io string name of a driver
---@return table outcome kind, stage, temporary, retry_safe or status; seconds
function slow.run(index, port, io)
  local case = slow[index]
  local options = { host = "127.0.0.1", port = port, tls = "none", io = io, hello = "client.test", env_file = false,
    timeout = bounds(case.timeout) }
  for name, value in pairs(case.options or {}) do options[name] = value end
  local fields = case.fields and case.fields() or { from = "from@client.test", to = "to@mail.test", text = "text" }
  local now = require("smtpsec.io." .. io).now
  local started = now()
  local receipt, err = smtpsec.send(fields, options)
  local seconds = now() - started
  if receipt then return { status = receipt.status, seconds = seconds } end
  return { kind = err.kind, stage = err.stage, temporary = err.temporary, retry_safe = err.retry_safe,
    seconds = seconds }
end

return slow
