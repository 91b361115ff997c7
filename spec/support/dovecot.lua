--- dovecot: Dovecot's submission server, which relays to Postfix, and the passwords behind Postfix's AUTH.
--
-- Not to be changed unknowingly: without the last block of the configuration one wrong password makes later logins
-- from 127.0.0.1 wait for seconds. Dovecot regards loopback as secure, so it offers AUTH even before STARTTLS.
local ports = require "spec.support.ports"

local dovecot = {}

local configuration = [[
base_dir = @folder@/run
state_dir = @folder@/state
log_path = /dev/stderr
auth_verbose = yes
instance_name = smtpsec-test
listen = 127.0.0.1
protocols = submission
hostname = mail.example.test

ssl = required
ssl_cert = <@chain_file@
ssl_key = <@key_file@
ssl_min_protocol = TLSv1.2

auth_mechanisms = plain login cram-md5 scram-sha-1 scram-sha-256
auth_realms = mail.example.test localhost example.test
auth_failure_delay = 0
auth_username_chars =
first_valid_uid = 1
mail_location = maildir:~/Maildir
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%Ln @folder@/users
}
userdb {
  driver = passwd-file
  args = username_format=%Ln @folder@/users
}

service auth {
  unix_listener auth-client {
    mode = 0666
  }
}
service submission-login {
  inet_listener submission {
    port = @submission@
  }
  inet_listener submissions {
    port = @submissions@
    ssl = yes
  }
}
submission_relay_host = 127.0.0.1
submission_relay_port = @relay_port@
submission_backend_capabilities = 8BITMIME CHUNKING DSN ENHANCEDSTATUSCODES PIPELINING SIZE VRFY
submission_max_mail_size = 20M

service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
]]

function dovecot.prepare(self)
  self.ports = { submission = ports.take(), submissions = ports.take() }
  self.relays_to, self.relay_port = "postfix", ports.take()
  self.auth_socket = self.folder .. "/run/auth-client"
  local account = "%s:{PLAIN}%s:@user_id@:@group_id@::@folder@/home::\n"
  local accounts = ""
  for _, login in pairs(self.users) do
    accounts = accounts .. account:format(login.user, login.password)
  end
  self:write("users", accounts)
  local file = self:write("dovecot.conf", configuration)
  local user, group = self.host.user_id, self.host.group_id
  self:as_root(("mkdir -m 755 run state && mkdir home && chown %d:%d home"):format(user, group))
  return { "/usr/sbin/dovecot", "-F", "-c", file }
end

return dovecot
