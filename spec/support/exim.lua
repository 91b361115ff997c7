--- exim: Exim with GnuTLS, run from build/exim, where exim-package.sh unpacks it. It knows PLAIN, LOGIN, CRAM-MD5 and
-- EXTERNAL itself, and asks Dovecot for the other mechanisms. It is told to look up nothing in the DNS.
--
-- Not being setuid root, it must run entirely as the account that delivers; Debian's user for Exim need only exist.
local mailbox = require "spec.support.mailbox"
local ports = require "spec.support.ports"
local process = require "spec.support.process"

local exim = {}

local configuration = [[
primary_hostname = mail.example.test
exim_path = @folder@/program
exim_user = @user_id@
exim_group = @group_id@
keep_environment =
deliver_drop_privilege = true
spool_directory = @folder@/spool
log_file_path = @folder@/spool/%slog
pid_file_path = @folder@/spool/pid

local_interfaces = 127.0.0.1
daemon_smtp_ports = @mx@ : @data@ : @submission@ : @submissions@
tls_on_connect_ports = @submissions@
tls_advertise_hosts = *
tls_certificate = @chain_file@
tls_privatekey = @key_file@
tls_try_verify_hosts = *
tls_verify_certificates = @client_ca_file@
auth_advertise_hosts = ${if and{ {def:tls_in_cipher} {!eq{$received_port}{@mx@}} {!eq{$received_port}{@data@}} } {*}}
chunking_advertise_hosts = ${if eq{$received_port}{@data@} {} {*}}
pipelining_connect_advertise_hosts = *
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
prdr_enable = true
message_size_limit = 20M
host_lookup =
helo_lookup_domains =
smtp_accept_max = 200
smtp_accept_queue_per_connection = 0
never_users =
domainlist local_domains = example.test : bücher.test : xn--bcher-kva.test
acl_smtp_mail = sender
acl_smtp_rcpt = recipient

begin acl
sender:
  accept condition = ${if or{ {eq{$received_port}{@mx@}} {eq{$received_port}{@data@}} }}
  deny   message = 530 5.7.0 Must issue a STARTTLS command first
         !encrypted = *
  deny   message = 530 5.7.0 Authentication required
         !authenticated = *
  accept
recipient:
  deny   message = 550 5.1.1 no such user
         local_parts = nosuch
  defer  message = 450 4.7.1 try again later
         local_parts = greylisted
  defer  message = 452 4.2.2 mailbox full
         local_parts = full
  accept domains = +local_domains
  deny   message = 550 5.7.1 mail leaves this machine nowhere

begin routers
everybody:
  driver = accept
  transport = mailbox

begin transports
mailbox:
  driver = appendfile
  directory = @folder@/mail
  maildir_format
  create_directory
  return_path_add
  envelope_to_add

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if eq{$auth3}{${lookup{$auth2}lsearch{@folder@/passwords}{$value}fail}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${if eq{$auth2}{${lookup{$auth1}lsearch{@folder@/passwords}{$value}fail}}}
  server_set_id = $auth1
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${lookup{$auth1}lsearch{@folder@/passwords}{$value}fail}
  server_set_id = $auth1
external:
  driver = external
  public_name = EXTERNAL
  server_advertise_condition = $tls_in_certificate_verified
  server_param2 = ${certextract{subject,CN}{$tls_in_peercert}}
  server_condition = ${if or{ {eq{$auth1}{}} {eq{$auth1}{$auth2}} }}
  server_set_id = $auth2
]]

local authenticator = [[
%s:
  driver = dovecot
  public_name = %s
  server_socket = @auth_socket@
  server_set_id = $auth1
]]

local asked_of_dovecot = { "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "XOAUTH2", "OAUTHBEARER", "ANONYMOUS" }

-- The program is copied, because Exim runs it again as that account, which may have no way into the checkout.
local lay_out = [[
mkdir spool mail && chown %d:%d spool mail && chown root:root exim.conf && cp %s program]]

function exim.prepare(self, launch)
  self.auth_socket = launch("dovecot").auth_socket
  self.ports = { mx = ports.take(), data = ports.take(), submission = ports.take(), submissions = ports.take() }
  self.log_file = self.folder .. "/spool/mainlog"
  self.mailbox = mailbox.new(self.folder .. "/mail")
  local passwords = ""
  for _, login in pairs(self.users) do
    passwords = passwords .. ("%s: %s\n"):format(login.user, login.password)
  end
  self:write("passwords", passwords)
  local authenticators = ""
  for _, name in ipairs(asked_of_dovecot) do
    authenticators = authenticators .. authenticator:format(name:gsub("-", "_"):lower(), name)
  end
  self:write("exim.conf", configuration .. authenticators)
  local program = process.run 'printf %s "$PWD/build/exim/usr/sbin/exim4"'
  self:as_root(lay_out:format(self.host.user_id, self.host.group_id, process.quote(program)))
  return { self.folder .. "/program", "-C", self.folder .. "/exim.conf", "-bdf" }
end

return exim
