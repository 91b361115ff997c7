--- dovecot: Dovecot's submission server, which relays to Postfix, and the passwords behind Postfix's and Exim's AUTH.
--
-- Not to be changed unknowingly: without the last block of the configuration one wrong password makes later logins
-- from 127.0.0.1 wait for seconds, and without the first passdb a refusal waits for half a second, whatever
-- auth_failure_delay says: that one judges nobody, and gives everybody the field nodelay. A token is judged by its
-- claims and the key that lies under its algorithm's name (introspection_mode): no OAuth server is asked. A certificate
-- needs no password, since TLS has shown whose it is. Dovecot regards loopback as secure, so it offers AUTH even before
-- STARTTLS; ANONYMOUS it offers only to those who ask for it on behalf of others.
local ports = require "spec.support.ports"
local process = require "spec.support.process"
local token = require "spec.support.token"

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
ssl_ca = <@client_ca_file@
ssl_verify_client_cert = yes
ssl_require_crl = no

auth_mechanisms = plain login cram-md5 digest-md5 scram-sha-1 scram-sha-256 xoauth2 oauthbearer external anonymous
auth_ssl_username_from_cert = yes
auth_anonymous_username = anonymous
auth_realms = mail.example.test localhost example.test
auth_failure_delay = 0
auth_username_chars =
first_valid_uid = 1
mail_location = maildir:~/Maildir
passdb {
  driver = static
  args = noauthenticate nodelay
}
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = @folder@/oauth2.conf
}
passdb {
  driver = static
  mechanisms = external
  args = nopassword=y
}
passdb {
  driver = passwd-file
  mechanisms = plain login cram-md5 digest-md5 scram-sha-1 scram-sha-256
  args = scheme=PLAIN username_format=%Ln @folder@/users
}
userdb {
  driver = static
  args = uid=@user_id@ gid=@group_id@ home=@folder@/home allow_all_users=yes
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

local oauth2 = [[
introspection_mode = local
local_validation_key_dict = fs:posix:prefix=@folder@/keys/
issuers = @issuer@
username_attribute = email
username_format = %Ln
active_attribute =
active_value =
scope = mail
openid_configuration_url = https://login.example.test/.well-known/openid-configuration
]]

function dovecot.prepare(self)
  self.ports = { submission = ports.take(), submissions = ports.take() }
  self.relays_to, self.relay_port = "postfix", ports.take()
  self.auth_socket = self.folder .. "/run/auth-client"
  local accounts = ""
  for _, login in pairs(self.users) do
    accounts = accounts .. ("%s:{PLAIN}%s\n"):format(login.user, login.password)
  end
  self:write("users", accounts)
  self.issuer, self.token_key = token.ISSUER, token.KEY
  self:write("oauth2.conf", oauth2)
  process.run("mkdir -p " .. process.quote(self.folder .. "/keys/default/HS256"))
  self:write("keys/default/HS256/default", "@token_key@")
  local file = self:write("dovecot.conf", configuration)
  local user, group = self.host.user_id, self.host.group_id
  self:as_root(("mkdir -m 755 run state && mkdir home && chown %d:%d home"):format(user, group))
  return { "/usr/sbin/dovecot", "-F", "-c", file }
end

return dovecot
