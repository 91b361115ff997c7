-- A server to try mail out with: it shows each mail as it arrives, delivers none, and runs until it is interrupted.
--
--    lua examples/sink.lua [PORT [PORT-WITH-IMPLICIT-TLS]]
--
-- Users log in as joe, with the password secret, or not at all.

local sink = require "smtpsec.sink"

io.stdout:setvbuf("line")

local server = assert(sink.new {
  tls = { "starttls", "implicit" },
  port = { starttls = tonumber(arg[1]) or 0, implicit = tonumber(arg[2]) or 0 },
  auth = { joe = "secret" },
})

print(("STARTTLS on port %d, implicit TLS on port %d of localhost; clients trust it with ca_file = %q"):format(
  server.ports.starttls, server.ports.implicit, server.ca_file))

local function show(mail)
  print(("\n--- %s: from <%s> to <%s>, user %s, %s %s"):format(mail.id, mail.from, table.concat(mail.to, ">, <"),
    mail.auth or "none", mail.tls and mail.tls.version or "in clear", mail.tls and mail.tls.cipher or ""))
  print((mail.data:gsub("\r\n", "\n"):gsub("[^%C\n]", "?")))
end

local function serve()
  local shown = 0
  while true do
    server:step(0.5)
    local mails = server:mails()
    for i = shown + 1, #mails do show(mails[i]) end
    shown = #mails
  end
end

local _, why = pcall(serve)
server:close() -- which removes its certificate
print(why)
