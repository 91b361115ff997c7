-- smtpsec: ours, through the public API only. Mails are composed each time, text and html, as large as the ready
-- message that the others are given.
--
--   lua5.4|luajit smtpsec.lua port= ca= mails= warm= recipients= mode=… [tls=implicit|starttls] [user=] [file=]
--     [turns=] [key=]
--
-- Modes: warm (one kept connection), all (send_all, window=), cold (a connection a mail, resuming TLS), first (one mail
-- of a fresh process, ca_path=), file (a file attached; signed, where key= is the path of a key), turns (send_all to a
-- real server, turns= the file to write), sign (what signing adds to composing; nothing is sent),
-- compose (nothing is sent either: text and html, or text and an attachment of size= bytes).
-- What is printed is for run.lua: key=value. A mode that is not built prints missing=NAME.

local smtpsec = require "smtpsec"

local settings = {}
for _, word in ipairs(arg) do
  local key, value = word:match "^(.-)=(.*)$"
  settings[key] = value
end

local function number(key, otherwise)
  return tonumber(settings[key]) or otherwise
end

local dkim = settings.key and { domain = "client.test", selector = "bench", key_path = settings.key }

local function new(options)
  return smtpsec.new {
    host = "localhost", port = number("port"), hello = "client.test", env_file = false,
    tls = { mode = settings.tls or "implicit", ca_file = settings.ca, ca_path = settings.ca_path },
    user = settings.user, password = settings.user and "secret", pool = options and options.pool,
    dkim = dkim,
  }
end

-- ---- mails ----------------------------------------------------------------------------------------------------------

local to = {}
for i = 1, number("recipients", 1) do to[i] = ("user%d@sink.test"):format(i) end

local line = "line %03d of a mail whose text and html say the same things in two ways, no more\n"
local text, html = {}, {}
for i = 1, 9 do
  text[i] = line:format(i)
  html[i] = "<p>" .. line:format(i) .. "</p>"
end
text, html = table.concat(text), table.concat(html)

-- A new table each time, as a program that personalises its mails makes.
local function mail(i, recipients)
  return { from = "bench@client.test", to = recipients or to, subject = ("bench %d"):format(i), text = text,
    html = html }
end

local function check(receipt, err)
  if not receipt then error(tostring(err), 0) end
  return receipt
end

local function send(mailer, n)
  for i = 1, n do check(mailer:send(mail(i))) end
end

-- ---- what is measured -----------------------------------------------------------------------------------------------

local function status(key)
  local file = assert(io.open "/proc/self/status")
  local value = file:read "*a":match(key .. ":%s*(%d+)")
  file:close()
  return tonumber(value)
end

-- Runs `work` and tells what it used. (os.clock is the process's CPU time, user and system.)
local function measure(mails, work)
  collectgarbage()
  local before = os.clock()
  work()
  print(("mails=%d cpu=%.6f rss=%d"):format(mails, os.clock() - before, status "VmRSS"))
end

-- ---- modes ----------------------------------------------------------------------------------------------------------

local modes = {}

function modes.warm()
  local mailer, mails = new(), number("mails", 1000)
  send(mailer, number("warm", 20))
  measure(mails, function() send(mailer, mails) end)
  mailer:close()
end

function modes.cold()
  local mailer, mails = new { pool = { max_messages = 1 } }, number("mails", 100)
  send(mailer, number("warm", 20))
  measure(mails, function() send(mailer, mails) end)
  mailer:close()
end

-- Everything counts here: starting Lua and loading the library, too.
function modes.first()
  local mailer = new()
  send(mailer, 1)
  mailer:close()
  print(("mails=1 cpu=%.6f"):format(os.clock()))
end

function modes.file()
  local mailer = new()
  send(mailer, 1)
  collectgarbage()
  local idle = status "VmHWM"
  local one = { from = "bench@client.test", to = to, subject = "bench", text = "Here is the file.\n",
    attachments = { { path = settings.file } } }
  measure(1, function() check(mailer:send(one)) end)
  print(("idle_kb=%d peak_kb=%d"):format(idle, status "VmHWM"))
  mailer:close()
end

-- The same mails are composed by turns with a signature and without; told is what the former cost more. This is below
-- the public functions: a mailer reads its key once, and its connection is not looked at here.
function modes.sign()
  local message, signers = require "smtpsec.message", assert(require "smtpsec.config".message { dkim = dkim }).dkim
  local mails, used, bytes = number("mails", 1000), { 0, 0 }, nil
  local function compose(with)
    local fields = mail(1)
    if settings.file then fields.attachments = { { path = settings.file } } end
    local made = assert(assert(message.new(fields, 2, with)):render())
    bytes = bytes or made:size()
    local next_chunk = made:chunks()
    while next_chunk() do end
  end
  local function run(which, n, with)
    local before = os.clock()
    for _ = 1, n do compose(with) end
    used[which] = used[which] + os.clock() - before
  end
  run(1, number("warm", 20), signers)
  bytes, used[1] = nil, 0
  for _ = 1, 10 do
    run(2, mails / 10, nil)
    run(1, mails / 10, signers)
  end
  print(("mails=%d cpu=%.6f bytes=%d"):format(mails, used[1] - used[2], bytes))
end

-- An iterator of n mails; the sink refuses every `bad`th.
local function generator(n, bad)
  local i = 0
  return function()
    i = i + 1
    if i <= n then return mail(i, bad and i % bad == 0 and "refuse@sink.test" or nil) end
  end
end

local function send_all(mailer, mails, each)
  local count = 0
  for i, receipt, err in mailer:send_all(mails, { window = number("window", 64), connections = 1 }) do
    count = count + 1
    each(i, receipt, err)
  end
  return count
end

local function all_accepted(mailer, n)
  local count = send_all(mailer, generator(n), function(_, receipt, err) check(receipt, err) end)
  assert(count == n, "not every mail has a verdict")
end

function modes.all()
  local mailer, mails = new(), number("mails", 1000)
  if not mailer.send_all then return print "missing=send_all" end
  all_accepted(mailer, number("warm", 20))
  measure(mails, function() all_accepted(mailer, mails) end)
  mailer:close()
end

-- Mails to the servers people run, each to ten recipients of whom half are refused. When each was drawn and when its
-- verdict came goes to a file, by the clock that the kernel's own are told by (CLOCK_MONOTONIC).
function modes.turns()
  local now, refused = require "smtpsec.sock".now, { "nosuch", "NoSuch", "greylisted", "full", "Full" }
  local mailer = smtpsec.new { host = "localhost", port = number("port"), env_file = false,
    tls = { mode = "starttls", ca_file = settings.ca } }
  local drawn, file, mails = {}, assert(io.open(settings.turns, "w")), number("mails", 1000)
  local function draw()
    local i = #drawn + 1
    if i > mails then return nil end
    local recipients = {}
    for k, name in ipairs(refused) do
      recipients[2 * k - 1], recipients[2 * k] = ("r%d-%d@example.test"):format(k, i), name .. "@example.test"
    end
    drawn[i] = now()
    return mail(i, recipients)
  end
  for i, receipt, err in mailer:send_all(draw, { window = number("window", 64), retry = false }) do
    assert(#check(receipt, err).rejected == #refused, "another verdict than was expected")
    file:write(("%.6f %.6f\n"):format(drawn[i], now()))
  end
  file:close()
  mailer:close()
  print("mails=" .. #drawn)
end

-- A mail as the other composers make it: short, with this beside it.
local function composed(attachments)
  return smtpsec.message { from = "bench@client.test", to = to, subject = "bench", text = text,
    html = not attachments and html or nil, attachments = attachments }
end

function modes.compose()
  local content = settings.size and ("1234567"):rep(math.ceil(number("size") / 7)):sub(1, number("size"))
  local attachments = content and { { content = content, filename = "attachment.bin" } }
  local function compose(n)
    for _ = 1, n do
      local octets = 0
      for chunk in assert(composed(attachments)):chunks() do octets = octets + #chunk end
      assert(octets > 0)
    end
  end
  compose(number("warm", 20))
  local mails = number("mails", 100)
  measure(mails, function() compose(mails) end)
end

modes[settings.mode or "warm"]()
