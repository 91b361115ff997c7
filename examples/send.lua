-- Sends one mail with a Japanese subject and a PDF, and shows the proof.
--
--   SMTP_URL=smtp://me%40example.com@smtp.example.com MAIL_PASS=… MAIL_TO=you@example.com \
--     lua examples/send.lua report.pdf
--
-- Everything that is not said here comes from the environment or a .env file. CA_FILE: the certificate of a server's
-- own authority.
local smtpsec = require "smtpsec"

local receipt, err = smtpsec.send({
  subject = "ディスク使用率 93%",
  text = "監視サーバより。\n\n/var の残りは 7% です。報告書を添付します。\n",
  attachments = { { path = arg[1] } },
}, { tls = os.getenv "CA_FILE" and { ca_file = os.getenv "CA_FILE" } })

if not receipt then
  io.stderr:write(tostring(err), "\n")
  os.exit(1)
end

local tls = receipt.tls
print(("%s: %s, as %s"):format(receipt.status, table.concat(receipt.accepted, ", "), receipt.queue_id or receipt.id))
print(("  server   %s (%s port %d)"):format(receipt.server.name or "?", receipt.server.host, receipt.server.port))
if tls then
  print(("  channel  %s, %s, %s, %s"):format(tls.mode, tls.version, tls.cipher, tls.group))
  print(("  proof    %s: %s, valid until %s"):format(tls.authenticated or "none", tls.peer.subject, tls.peer.expires))
else
  print("  channel  not encrypted")
end
print(("  login    %s"):format(receipt.auth and receipt.auth.mechanism or "none"))
print(("  time     %.0f ms, %d bytes"):format(receipt.timing.total * 1000, receipt.bytes))
for _, warning in ipairs(receipt.warnings) do print("  warning  " .. warning) end
