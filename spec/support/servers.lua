--- servers: real mail servers on loopback, each started at its first use and kept until the end of the test run.
--
--     local servers = require "spec.support.servers"
--     local postfix = servers.start "postfix"
--     … send to 127.0.0.1, postfix.ports.submission, trusting postfix.ca_file, as postfix.users.joe …
--     local mail = postfix:wait(message_id)[1]
--
-- | server     | ports                                                            | TLS     |
-- |------------|------------------------------------------------------------------|---------|
-- | "postfix"  | submission, submissions, cyrus, mx, data, old (no extension),    | OpenSSL |
-- |            | helo (no EHLO)                                                   |         |
-- | "dovecot"  | submission, submissions (it relays to Postfix)                   | OpenSSL |
-- | "exim"     | submission, submissions, mx, data                                | GnuTLS  |
-- | "chasquid" | submission, submissions, mx                                      | Go      |
--
-- submission: STARTTLS and AUTH required; submissions: TLS from the first byte, AUTH required; mx: STARTTLS offered,
-- for mail to example.test from anybody; data: the same without CHUNKING; cyrus: as submission, but Cyrus SASL judges
-- logins, and not Dovecot, which Postfix and Exim ask otherwise. Postfix and Exim refuse the recipients nosuch@ (550),
-- greylisted@ (450) and full@ (452), chasquid only nosuch@. The certificate names mail.example.test, localhost and
-- 127.0.0.1. Joe may also log in with a certificate of his own, and with tokens (token.lua).
--
-- How each server is configured stands in the file of its name. Servers need root: a process that is not root uses
-- sudo, which must not ask for a password.
local keeper = require "spec.support.keeper"
local pki = require "spec.support.pki"
local ports = require "spec.support.ports"
local process = require "spec.support.process"

local servers = {}

-- Each has `prepare(self, launch)`, which chooses `self.ports`, says where delivered mail is found (`self.mailbox` or
-- `self.relays_to`), writes the server's files, and returns the command that runs it in the foreground.
local makers = {
  postfix = require "spec.support.postfix",
  dovecot = require "spec.support.dovecot",
  exim = require "spec.support.exim",
  chasquid = require "spec.support.chasquid",
}

-- The users every server knows. chasquid has them in a domain, so there the name is an address.
local users = {
  joe = { user = "joe", password = "secret123" },
  unal = { user = "ünal", password = "pässwörd" },
  kanshi = { user = "監視", password = "秘密の言葉" },
}

local server = {}
server.__index = server
local running = {}
local host

-- What all servers share: the keeper of the daemons, the certificate, and the account that delivers mail, which must
-- not be root and whose files this process must be able to read.
local function the_host()
  if host then
    return host
  end
  local allowed = process.try(process.as_root "true")
  if not allowed then
    error("real mail servers need root: run this as root, or let sudo work without a password", 0)
  end
  local user, group = process.identity()
  if user == 0 then
    user, group = process.run("id -u mail"), process.run("id -g mail")
  end
  local daemons = keeper.new(true)
  local authority = pki.new(daemons.folder .. "/pki")
  local ca = authority:ca "root"
  local leaf = authority:leaf {
    name = "mail.example.test", ca = "root", san = "DNS:mail.example.test,DNS:localhost,IP:127.0.0.1",
  }
  authority:ca "clients"
  local client = authority:leaf {
    name = "client", ca = "clients", cn = users.joe.user, san = false, eku = "clientAuth",
  }
  process.run("chmod -R go+rX " .. process.quote(authority.dir))
  host = {
    keeper = daemons, user_id = tonumber(user), group_id = tonumber(group),
    ca_file = ca.cert, chain_file = leaf.chain, key_file = leaf.key,
    client_ca_file = authority.authorities.clients.cert, certificate = { cert = client.cert, key = client.key },
  }
  return host
end

--- Writes one of the server's files, readable for every user, from a template, in which @name@ stands for a port or
--- another field of the server or of what all share.
---@param name string relative to the server's folder
---@param template string
---@return string path
function server:write(name, template)
  local text = template:gsub("@([%l_]+)@", function(key)
    local value = self.ports[key] or self[key] or self.host[key]
    return type(value) == "number" and ("%d"):format(value)
      or assert(value, "no value for " .. key .. " in the template of " .. name)
  end)
  local path = process.write(self.folder .. "/" .. name, text)
  process.run("chmod 644 " .. process.quote(path))
  return path
end

--- Runs a set-up command as root, in the server's folder.
---@param command string
---@return string output
function server:as_root(command)
  return process.run(process.as_root("umask 022; cd " .. process.quote(self.folder) .. " || exit\n" .. command))
end

local function await(self, pid)
  local up = process.wait(function()
    return ports.listening(self.ports) or not process.alive(pid) and "dead"
  end, 20)
  if up ~= true then
    self.host.keeper:stop(self.name)
    error(("%s %s:\n%s"):format(self.name, up and "ended at its start" or "does not listen", self:last_words()), 0)
  end
end

-- Starts one daemon, if it does not run yet. Its maker may launch others that it needs.
local function launch(name)
  if running[name] then
    return running[name]
  end
  local self = setmetatable({
    name = name, host = the_host(), ca_file = the_host().ca_file, users = users,
    certificate = the_host().certificate, ports = {},
  }, server)
  self.folder = self.host.keeper:new_folder(name)
  local argv = makers[name].prepare(self, launch)
  await(self, self.host.keeper:spawn(name, argv))
  running[name] = self
  return self
end

--- Starts a server, if it does not run yet; error() with its log when it does not start.
---@param name "postfix"|"dovecot"|"exim"|"chasquid"
---@return table server `ports`, `ca_file`, `users` (`joe`, and with names in UTF-8 `unal` and `kanshi`:
--- `{ user=, password= }`), `certificate` (joe's: `{ cert=, key= }`), and the methods below
function servers.start(name)
  local self = launch(assert(makers[name] and name, "unknown server"))
  if self.relays_to then
    self.mailbox = launch(self.relays_to).mailbox
  end
  return self
end

--- The mails delivered so far.
---@param marker string|nil only those whose content contains this
---@return table[] deliveries as in mailbox.lua
function server:delivered(marker)
  return self.mailbox:list(marker)
end

--- Waits for mails; error() with the server's log when they do not arrive.
---@param marker string their content contains this, a Message-ID for instance
---@param count integer|nil how many; default 1
---@param seconds number|nil how long at the most; default 10
---@return table[] deliveries
function server:wait(marker, count, seconds)
  local found = self.mailbox:wait(marker, count, seconds)
  if #found < (count or 1) then
    local complaint = "%s delivered %d of %d mails with %s:\n%s"
    error(complaint:format(self.name, #found, count or 1, marker, self:last_words()), 2)
  end
  return found
end

--- What the server has logged.
---@return string
function server:log()
  local output = self.host.keeper:output(self.name)
  if self.log_file then
    local _, log = process.try(process.as_root("cat " .. process.quote(self.log_file)))
    output = output .. log
  end
  return output
end

-- The end of the log, for error messages.
function server:last_words()
  return self:log():sub(-2000)
end

--- Ends the server, and the one that it relays to, which knows its address; the next `start` starts new ones.
function server:stop()
  if running[self.relays_to] then
    running[self.relays_to]:stop()
  end
  self.host.keeper:stop(self.name)
  running[self.name] = nil
end

return servers
