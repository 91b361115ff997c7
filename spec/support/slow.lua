--- slow: peers that are silent or that trickle, and mails to them: each has a bound that must hold in every driver.
--
-- A case has a name, the script of its peer (spec/support/peer.lua), options and fields of the mail, and what must come
-- of it: kind and stage of the error (or status "accepted"), and the seconds of the bound. No busted in here: nginx is
-- another process, which loads this file, too.
local smtpsec = require "smtpsec"

local slow = {}

local TRICKLE = 0.2 -- seconds between two bytes: less than any bound, so that one which began anew would never end
local BOUND = 0.5

-- Timeouts that no case waits for, but for those that are given.
local function only(bounds)
  local all = { connect = 9, greeting = 9, tls = 9, command = 9, data = 9, final = 9 }
  for name, seconds in pairs(bounds) do all[name] = seconds end
  return all
end

local function case(name, script, fields)
  fields.name, fields.script, fields.seconds = name, script, fields.seconds or BOUND
  fields.options = fields.options or {}
  fields.options.timeout = only(fields.timeout)
  fields.options.tls = fields.options.tls or "none"
  slow[#slow + 1] = fields
end

local function play(...)
  local steps = {}
  for _, line in ipairs { ... } do
    local who, text = line:match "^(.): (.*)$"
    steps[#steps + 1] = who == "C" and { expect = text } or { send = text .. "\r\n" }
  end
  return steps
end

local function then_(steps, ...)
  for _, step in ipairs { ... } do steps[#steps + 1] = step end
  return steps
end

local SILENCE = { drain = true }
local function trickle(text) return { send = text .. ("x"):rep(1000), every = TRICKLE } end

local GREETED = { "S: 220 mail.test", "C: EHLO" }
local OPEN = { GREETED[1], GREETED[2], "S: 250 mail.test" }
local function after(list, ...)
  local lines = {}
  for _, line in ipairs(list) do lines[#lines + 1] = line end
  for _, line in ipairs { ... } do lines[#lines + 1] = line end
  return play((table.unpack or unpack)(lines)) -- luacheck: ignore 113
end

local function in_body(...)
  return then_(after(OPEN, "C: MAIL", "S: 250 ok", "C: RCPT", "S: 250 ok", "C: DATA", "S: 354 go"), ...)
end

-- More than the sockets of both sides hold.
local function endless()
  local block = ("0123456789abcde\r\n"):rep(4000)
  local count = 0
  return { raw = { reader = function()
    count = count + 1
    return count == 1 and "From: from@client.test\r\n\r\n" or count < 1000 and block or nil
  end }, envelope = { from = "from@client.test", to = "to@mail.test" } }
end

case("connecting to who does not answer", nil,
  { timeout = { connect = BOUND }, kind = "timeout", stage = "connect", hole = true })
case("connecting, within the whole call", nil,
  { timeout = { total = BOUND }, kind = "timeout", stage = "connect", hole = true })

case("no greeting", { SILENCE }, { timeout = { greeting = BOUND }, kind = "timeout", stage = "greeting" })
case("a greeting that trickles", { trickle "220 mail.test" },
  { timeout = { greeting = BOUND }, kind = "timeout", stage = "greeting" })
case("a greeting of one byte a second", { { send = "220-mail.test\r\n220 ready\r\n", every = 1 } },
  { timeout = { greeting = 1.5 }, kind = "timeout", stage = "greeting", seconds = 1.5 })

case("no reply", then_(after(GREETED), SILENCE), { timeout = { command = BOUND }, kind = "timeout", stage = "ehlo" })
case("a reply that trickles", then_(after(GREETED), trickle "250-mail.test"),
  { timeout = { command = BOUND }, kind = "timeout", stage = "ehlo" })
case("a reply of lines without end that trickle", then_(after(GREETED),
  { send = ("250-\r\n"):rep(100), every = 0.05 }),
  { timeout = { command = BOUND }, kind = "timeout", stage = "ehlo" })
case("no reply to AUTH", then_(play("S: 220 mail.test", "C: EHLO", "S: 250-mail.test", "S: 250 AUTH PLAIN",
  "C: AUTH"), SILENCE),
  { timeout = { command = BOUND }, kind = "timeout", stage = "auth",
    options = { user = "me", password = "secret", auth = { insecure_cleartext = true } } })
case("no reply to MAIL", then_(after(OPEN), SILENCE), { timeout = { command = BOUND }, kind = "timeout",
  stage = "mail" })

local OFFERED = play("S: 220 mail.test", "C: EHLO", "S: 250-mail.test", "S: 250 STARTTLS", "C: STARTTLS",
  "S: 220 go")
case("no handshake", { SILENCE }, { timeout = { tls = BOUND }, kind = "timeout", stage = "tls",
  options = { tls = "implicit" } })
case("no handshake after STARTTLS", then_(OFFERED, SILENCE),
  { timeout = { tls = BOUND }, kind = "timeout", stage = "tls", options = { tls = "starttls" } })
case("a handshake that trickles", { { send = "\22\3\3\63\255" .. ("\2"):rep(1000), every = TRICKLE } },
  { timeout = { tls = BOUND }, kind = "timeout", stage = "tls", options = { tls = "implicit" } })

case("no reply to DATA", then_(after(OPEN, "C: MAIL", "S: 250 ok", "C: RCPT", "S: 250 ok", "C: DATA"), SILENCE),
  { timeout = { data = BOUND }, kind = "timeout", stage = "data" })
case("a reader that stops in the message", in_body { stall = true },
  { timeout = { data = BOUND }, kind = "timeout", stage = "body", fields = endless })
case("a reader that takes little in the message", in_body { take = 1e9, every = TRICKLE },
  { timeout = { data = BOUND }, kind = "timeout", stage = "body", fields = endless })

local SENT = { upto = "\r\n.\r\n" }
case("no reply to the message", in_body(SENT, SILENCE),
  { timeout = { final = BOUND }, kind = "in_doubt", stage = "final" })
case("a reply to the message that trickles", in_body(SENT, trickle "250 ok"),
  { timeout = { final = BOUND }, kind = "in_doubt", stage = "final" })

case("replies each of which is in time, within the whole call", then_(play "S: 220 mail.test", { expect = "EHLO" },
  { sleep = 0.3 }, { send = "250 mail.test\r\n" }, { expect = "MAIL" }, { sleep = 0.3 }, { send = "250 ok\r\n" },
    SILENCE),
  { timeout = { total = BOUND }, kind = "timeout", stage = "mail" })
case("a reader that takes little, within the whole call", in_body { take = 1e9, every = TRICKLE },
  { timeout = { total = BOUND }, kind = "timeout", stage = "body", fields = endless })
case("no reply to QUIT, within the whole call", in_body(SENT, { send = "250 ok\r\n" }, SILENCE),
  { timeout = { total = BOUND }, status = "accepted" })

--- Sends the mail of a case; everything here may wait as the driver does.
---@param index integer of the case
---@param place { port: integer }
---@param io string name of a driver
---@return table outcome kind, stage, temporary, retry_safe, status, seconds
function slow.run(index, place, io)
  local wanted = slow[index]
  local options = { host = "127.0.0.1", port = place.port, env_file = false, hello = "client.test", io = io }
  for name, value in pairs(wanted.options) do options[name] = value end
  local fields = wanted.fields and wanted.fields() or { from = "from@client.test", to = "to@mail.test",
    text = "text" }
  local now = require("smtpsec.io." .. io).now
  local started = now()
  local receipt, err = smtpsec.send(fields, options)
  local seconds = now() - started
  if receipt then return { status = receipt.status, seconds = seconds } end
  return { kind = err.kind, stage = err.stage, temporary = err.temporary, retry_safe = err.retry_safe,
    seconds = seconds }
end

return slow
