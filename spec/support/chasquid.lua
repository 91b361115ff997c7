--- chasquid: a mail server with Go's TLS. Its users live in a domain, so its login names are addresses.
local mailbox = require "spec.support.mailbox"
local ports = require "spec.support.ports"
local process = require "spec.support.process"

local chasquid = {}

local configuration = [[
hostname: "mail.example.test"
smtp_address: "127.0.0.1:@mx@"
submission_address: "127.0.0.1:@submission@"
submission_over_tls_address: "127.0.0.1:@submissions@"
data_dir: "@folder@/data"
mail_log_path: "<stderr>"
max_data_size_mb: 20
mail_delivery_agent_bin: "@folder@/deliver"
mail_delivery_agent_args: "%from%"
mail_delivery_agent_args: "%to%"
]]

-- Notes the envelope as other servers do, and lets the mail appear only when it is complete.
local deliver = [[
#!/bin/sh
file=$(mktemp @folder@/mail/tmp/XXXXXXXX) || exit
{ printf 'Return-Path: <%s>\nX-Original-To: %s\n' "$1" "$2" && tr -d '\r'; } >"$file" &&
chmod 644 "$file" && mv "$file" @folder@/mail/new/
]]

local lay_out = [[
cd %s && mkdir -p domains/example.test certs/mail.example.test data mail/tmp mail/new &&
cp %s certs/mail.example.test/fullchain.pem && cp %s certs/mail.example.test/privkey.pem]]

local account = 'users: { key: "%s" value: { plain: { password: "%s" } } }\n'

function chasquid.prepare(self)
  self.ports = { mx = ports.take(), submission = ports.take(), submissions = ports.take() }
  self.mailbox = mailbox.new(self.folder .. "/mail")
  process.run(lay_out:format(self.folder, self.host.chain_file, self.host.key_file))
  local accounts, own = "", {}
  for name, login in pairs(self.users) do
    accounts = accounts .. account:format(login.user, login.password)
    own[name] = { user = login.user .. "@example.test", password = login.password }
  end
  self.users = own
  self:write("domains/example.test/users", accounts)
  self:write("chasquid.conf", configuration)
  process.run("chmod 755 " .. process.quote(self:write("deliver", deliver)))
  return { "chasquid", "--config_dir=" .. self.folder }
end

return chasquid
