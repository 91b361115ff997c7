--- postfix: Postfix, with Dovecot or Cyrus SASL behind its AUTH, and as servers that know no extension or no EHLO.
--
-- Cyrus SASL: Debian's Postfix looks for its configuration in the folder sasl beside its own.
--
-- Not to be changed unknowingly: Postfix waits until a configuration file is some seconds old before it trusts it,
-- which `touch` spares us. Started without its `postfix` command it must be told by POSTLOG_SERVICE where to log.
-- Accepted mail goes to one Maildir for everybody: virtual(8) refuses to compute file names from addresses.
local mailbox = require "spec.support.mailbox"
local ports = require "spec.support.ports"
local process = require "spec.support.process"

local postfix = {}

local main = [[
compatibility_level = 3.6
config_directory = @folder@
queue_directory = @folder@/spool
data_directory = @folder@/data
maillog_file = @folder@/log
maillog_file_prefixes = @folder@
daemon_directory = /usr/lib/postfix/sbin
shlib_directory = /usr/lib/postfix
meta_directory = /etc/postfix

inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.example.test
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
mynetworks = 127.0.0.0/8
smtputf8_enable = yes
message_size_limit = 20480000

virtual_mailbox_domains = example.test, bücher.test, xn--bcher-kva.test
virtual_mailbox_base = @folder@/mail
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:@user_id@
virtual_gid_maps = static:@group_id@
virtual_minimum_uid = 1
default_transport = error:5.1.2 mail leaves this machine nowhere
relay_transport = $default_transport

smtpd_tls_security_level = may
smtpd_tls_chain_files = @key_file@, @chain_file@
smtpd_tls_session_cache_database = btree:$data_directory/smtpd_scache
smtpd_tls_loglevel = 1
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access inline:{
    { nosuch@ = 550 5.1.1 no such user },
    { greylisted@ = 450 4.7.1 try again later },
    { full@ = 452 4.2.2 mailbox full } }, permit
smtpd_sasl_type = dovecot
smtpd_sasl_path = @auth_socket@
smtpd_sasl_security_options = noanonymous

smtpd_client_connection_rate_limit = 0
smtpd_client_connection_count_limit = 0
smtpd_error_sleep_time = 0
smtpd_soft_error_limit = 1000
smtpd_hard_error_limit = 1000
in_flow_delay = 0
enable_long_queue_ids = yes
]]

local master = [[
127.0.0.1:@mx@ inet n - n - - smtpd
127.0.0.1:@data@ inet n - n - - smtpd
  -o smtpd_discard_ehlo_keywords=chunking
127.0.0.1:@old@ inet n - n - - smtpd
  -o smtpd_tls_security_level=none
  -o smtpd_discard_ehlo_keywords=@extensions@
127.0.0.1:@helo@ inet n - n - - smtpd
  -o smtpd_tls_security_level=none
  -o smtpd_command_filter=regexp:@folder@/no_ehlo
127.0.0.1:@submission@ inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_tls_auth_only=yes
  -o smtpd_sasl_auth_enable=yes
  -o { smtpd_relay_restrictions = permit_sasl_authenticated, reject }
127.0.0.1:@submissions@ inet n - n - - smtpd
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o { smtpd_relay_restrictions = permit_sasl_authenticated, reject }
127.0.0.1:@cyrus@ inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_tls_auth_only=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_sasl_type=cyrus
  -o smtpd_sasl_path=smtpd
  -o smtpd_sasl_local_domain=mail.example.test
  -o smtpd_sasl_security_options=
  -o { smtpd_relay_restrictions = permit_sasl_authenticated, reject }
cleanup   unix      n - n - 0 cleanup
qmgr      unix      n - n 300 1 qmgr
tlsmgr    unix      - - n 1000? 1 tlsmgr
rewrite   unix      - - n - - trivial-rewrite
bounce    unix      - - n - 0 bounce
defer     unix      - - n - 0 bounce
trace     unix      - - n - 0 bounce
proxymap  unix      - - n - - proxymap
error     unix      - - n - - error
retry     unix      - - n - - error
virtual   unix      - n n - - virtual
anvil     unix      - - n - 1 anvil
postlog   unix-dgram n - n - 1 postlogd
]]

local cyrus = [[
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: @folder@/sasl/sasldb2
mech_list: PLAIN LOGIN CRAM-MD5 DIGEST-MD5 SCRAM-SHA-1 SCRAM-SHA-256 SCRAM-SHA-512 ANONYMOUS
]]

local no_ehlo = "/^EHLO/ UNKNOWN\n"

-- The queue as `postfix start` would lay it out.
local lay_out = [[
mkdir data mail && chown postfix data && chown %d:%d mail &&
touch -d "1 minute ago" main.cf master.cf &&
mkdir -m 755 spool && cd spool && mkdir pid &&
queues="active bounce corrupt defer deferred flush hold incoming private saved trace" &&
mkdir -m 700 $queues && chown postfix $queues &&
mkdir public maildrop && chown postfix:postdrop public maildrop && chmod 710 public && chmod 730 maildrop]]

-- Its passwords: a file that only Postfix may read.
local function keep_passwords(self)
  process.run("mkdir " .. process.quote(self.folder .. "/sasl"))
  self:write("sasl/smtpd.conf", cyrus)
  for _, login in pairs(self.users) do
    self:as_root(("printf %%s %s | saslpasswd2 -p -c -f sasl/sasldb2 -u mail.example.test %s"):format(
      process.quote(login.password), process.quote(login.user)))
  end
  self:as_root "chown postfix sasl/sasldb2"
end

function postfix.prepare(self, launch)
  local dovecot = launch "dovecot"
  self.auth_socket = dovecot.auth_socket
  self.ports = {
    mx = dovecot.relay_port, data = ports.take(), old = ports.take(), helo = ports.take(),
    submission = ports.take(), submissions = ports.take(), cyrus = ports.take(),
  }
  self.extensions = "pipelining,chunking,8bitmime,dsn,size,etrn,vrfy,smtputf8,enhancedstatuscodes,starttls,auth"
  self.log_file = self.folder .. "/log"
  self.mailbox = mailbox.new(self.folder .. "/mail/all")
  self:write("main.cf", main)
  self:write("master.cf", master)
  self:write("no_ehlo", no_ehlo)
  keep_passwords(self)
  self:as_root(lay_out:format(self.host.user_id, self.host.group_id))
  return { "env", "POSTLOG_SERVICE=postlog", "/usr/lib/postfix/sbin/master", "-d", "-c", self.folder }
end

return postfix
