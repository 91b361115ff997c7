-- luasocket: socket.smtp, with LuaSec's TLS put under it as its `create` hook allows. socket.smtp.send makes a
-- connection a mail; its lower functions (open, greet, send) keep one.
--
--   lua5.4 luasocket.lua port= ca= message= mails= warm= recipients= [mode=compose [size=]]
--
-- compose: nothing is sent; a message of text and html, or of text and an attachment of size= bytes, as its manual
-- shows.

local ltn12 = require "ltn12"
local smtp = require "socket.smtp"
local socket = require "socket"
local ssl = require "ssl"

local settings = {}
for _, word in ipairs(arg) do
  local key, value = word:match "^(.-)=(.*)$"
  settings[key] = value
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

-- What socket.tp expects of a TCP socket, with TLS from the first byte.
local function secure()
  local plain, wrapped = assert(socket.tcp()), nil
  local methods = {}
  function methods.connect(_, host, port)
    assert(plain:connect(host, port))
    wrapped = assert(ssl.wrap(plain, { mode = "client", protocol = "any", cafile = settings.ca, verify = "peer",
      options = { "all", "no_sslv3" } }))
    return assert(wrapped:dohandshake())
  end
  return setmetatable(methods, { __index = function(_, name)
    return function(_, ...)
      local of = wrapped or plain
      return of[name](of, ...)
    end
  end })
end

local function compose()
  local mime = require "mime"
  local line = "line %03d of a mail whose text and html say the same things in two ways, no more\n"
  local text, html, content = {}, {}, settings.size and ("x"):rep(tonumber(settings.size))
  for i = 1, 9 do text[i], html[i] = line:format(i), "<p>" .. line:format(i) .. "</p>" end
  text, html = table.concat(text), table.concat(html)
  local function part(kind, encoding, source)
    return { headers = { ["content-type"] = kind, ["content-transfer-encoding"] = encoding }, body = source }
  end
  local function quoted(s)
    return ltn12.source.chain(ltn12.source.string(s), ltn12.filter.chain(mime.normalize(),
      mime.encode "quoted-printable", mime.wrap "quoted-printable"))
  end
  local function second()
    if not content then return part("text/html; charset=utf-8", "quoted-printable", quoted(html)) end
    return part("application/octet-stream", "base64", ltn12.source.chain(ltn12.source.string(content),
      ltn12.filter.chain(mime.encode "base64", mime.wrap "base64")))
  end
  local function one()
    local chunks = {}
    assert(ltn12.pump.all(smtp.message {
      headers = { from = "bench@client.test", to = "user1@sink.test", subject = "bench" },
      body = { part("text/plain; charset=utf-8", "quoted-printable", quoted(text)), second() },
    }, (ltn12.sink.table(chunks))))
    assert(#table.concat(chunks) > 0)
  end
  local mails = tonumber(settings.mails)
  for _ = 1, tonumber(settings.warm or 1) do one() end
  local before = os.clock()
  for _ = 1, mails do one() end
  print(("mails=%d cpu=%.6f"):format(mails, os.clock() - before))
end

if settings.mode == "compose" then return compose() end

local to = {}
for i = 1, tonumber(settings.recipients or 1) do to[i] = ("<user%d@sink.test>"):format(i) end
local head, body = read(settings.message):match "^(.-)\r\n\r\n(.*)$"
local headers = {}
for name, value in head:gmatch "([^\r\n:]+): ([^\r\n]*)" do headers[name:lower()] = value end

local session = smtp.open("127.0.0.1", tonumber(settings.port), secure)
session:greet "client.test"

local function send(n)
  for _ = 1, n do
    session:send { from = "<bench@client.test>", rcpt = to,
      source = ltn12.source.cat(smtp.message { headers = headers, body = body }) }
  end
end

local mails = tonumber(settings.mails)
send(tonumber(settings.warm))
local cpu_before, wall_before = os.clock(), socket.gettime()
send(mails)
print(("mails=%d cpu=%.6f wall=%.6f"):format(mails, os.clock() - cpu_before, socket.gettime() - wall_before))
session:quit()
session:close()
