--- providers: what the documentation of well-known mail services says about submission. Data, and three ways to look
-- into it.
--
-- A provider is { title, host, hosts, pattern, endpoints, user, grouped_password, hint }:
--   host              the server's name; absent where every customer has his own, then `hint` says where to find it
--   hosts             other names of the same service
--   pattern           Lua pattern of host names that belong to it (in lower case)
--   endpoints         { port, mode } in the order of preference; 587 first where it is offered, so that recognising a
--                     host never changes what its plain name would have meant
--   user              the login where it is the same for everybody
--   grouped_password  app passwords are shown in groups of four letters, which are not part of them
--   hint              one sentence on what the service wants when it refuses a login
-- Limits, prices and policies of services do not belong here: they change too often.

local providers = {}

local STARTTLS_587, IMPLICIT_465 = { 587, "starttls" }, { 465, "implicit" }
local BOTH = { STARTTLS_587, IMPLICIT_465 }

local LIST = {
  ["gmail"] = {
    title = "Gmail", host = "smtp.gmail.com", endpoints = BOTH, grouped_password = true,
    hint = "Gmail wants the whole address as user and an app password, made at myaccount.google.com/apppasswords "
      .. "once two-step verification is on; the password of the account itself is refused",
  },
  ["google-relay"] = {
    title = "Google Workspace relay", host = "smtp-relay.gmail.com", grouped_password = true,
    endpoints = { STARTTLS_587, IMPLICIT_465, { 25, "starttls" } },
    hint = "the relay takes mail only as its administrator set it up (Admin console, Gmail, Routing, SMTP relay "
      .. "service): from listed addresses, or after a login with an app password",
  },
  ["microsoft365"] = {
    title = "Microsoft 365", host = "smtp.office365.com", hosts = { "outlook.office365.com" },
    endpoints = { STARTTLS_587, { 25, "starttls" } },
    hint = "Microsoft 365 takes a password only where the administrator has turned on authenticated SMTP for the "
      .. "mailbox and security defaults allow it, and is retiring passwords in favour of OAuth",
  },
  ["outlook"] = {
    title = "Outlook.com", host = "smtp-mail.outlook.com", endpoints = { STARTTLS_587 },
    hint = "Outlook.com, Hotmail and Live accounts take no password over SMTP since September 2024, app passwords "
      .. "included: OAuth is the only way in",
  },
  ["icloud"] = {
    title = "iCloud Mail", host = "smtp.mail.me.com", endpoints = { STARTTLS_587 }, grouped_password = true,
    hint = "iCloud wants the iCloud address as user and an app-specific password from account.apple.com; the "
      .. "password of the Apple Account itself is refused",
  },
  ["yahoo"] = {
    title = "Yahoo Mail", host = "smtp.mail.yahoo.com", endpoints = BOTH, grouped_password = true,
    hint = "Yahoo wants the whole address as user and an app password (Account security, Generate app password); "
      .. "the password of the account itself is refused",
  },
  ["aol"] = {
    title = "AOL Mail", host = "smtp.aol.com", endpoints = BOTH, grouped_password = true,
    hint = "AOL wants the whole address as user and an app password (Account security, Generate app password); the "
      .. "password of the account itself is refused",
  },
  ["yahoo.co.jp"] = {
    title = "Yahoo! JAPAN Mail", host = "smtp.mail.yahoo.co.jp", endpoints = { IMPLICIT_465 },
    hint = "Yahoo! JAPAN takes mail programs only after access from outside its own services (IMAP/POP/SMTP) was "
      .. "turned on in the settings of Yahoo!メール; the user is the Yahoo! JAPAN ID",
  },
  ["sakura"] = {
    title = "Sakura Rental Server", pattern = "^[%w-]+%.sakura%.ne%.jp$", endpoints = BOTH,
    hint = "Sakura's server is your initial domain (host = \"<account>.sakura.ne.jp\", also for a domain of your "
      .. "own); the user is the whole address, the password that of the mail user",
  },
  ["xserver"] = {
    title = "Xserver", pattern = "^[%w-]+%.xserver%.jp$", endpoints = BOTH,
    hint = "Xserver's server is the one that the server panel names (host = \"svNNNN.xserver.jp\"); the user is "
      .. "the whole address, and logins from outside Japan are refused until the panel allows them",
  },
  ["ses"] = {
    title = "Amazon SES", pattern = "^email%-smtp[%w-]*%.[%w-]+%.amazonaws%.com$",
    endpoints = { STARTTLS_587, IMPLICIT_465, { 2587, "starttls" }, { 2465, "implicit" }, { 25, "starttls" } },
    hint = 'SES has a server in each region (host = "email-smtp.<region>.amazonaws.com") and wants SMTP '
      .. 'credentials made in the SES console of that region; an AWS access key is not one',
  },
  ["sendgrid"] = {
    title = "SendGrid", host = "smtp.sendgrid.net", user = "apikey",
    endpoints = { STARTTLS_587, IMPLICIT_465, { 2525, "starttls" }, { 25, "starttls" } },
    hint = 'SendGrid wants the word "apikey" as user and an API key with permission to send mail as password',
  },
  ["mailgun"] = {
    title = "Mailgun", host = "smtp.mailgun.org",
    endpoints = { STARTTLS_587, IMPLICIT_465, { 2525, "starttls" }, { 25, "starttls" } },
    hint = 'Mailgun wants the SMTP credentials of the sending domain (user@domain), not an API key; domains of its '
      .. 'EU region have another server, provider = "mailgun-eu"',
  },
  ["mailgun-eu"] = {
    title = "Mailgun (EU)", host = "smtp.eu.mailgun.org",
    endpoints = { STARTTLS_587, IMPLICIT_465, { 2525, "starttls" }, { 25, "starttls" } },
    hint = 'Mailgun wants the SMTP credentials of the sending domain (user@domain), not an API key; domains of its '
      .. 'US region have another server, provider = "mailgun"',
  },
  ["postmark"] = {
    title = "Postmark", host = "smtp.postmarkapp.com", hosts = { "smtp-broadcasts.postmarkapp.com" },
    endpoints = { STARTTLS_587, { 2525, "starttls" }, { 25, "starttls" } },
    hint = "Postmark wants the Server API Token as user and as password, or the access key and secret key of an "
      .. "SMTP token",
  },
  ["resend"] = {
    title = "Resend", host = "smtp.resend.com", user = "resend",
    endpoints = { STARTTLS_587, IMPLICIT_465, { 2587, "starttls" }, { 2465, "implicit" }, { 25, "starttls" } },
    hint = 'Resend wants the word "resend" as user and an API key as password',
  },
  ["fastmail"] = {
    title = "Fastmail", host = "smtp.fastmail.com", endpoints = BOTH,
    hint = "Fastmail wants the whole address as user and an app password (Settings, Privacy & Security); the "
      .. "password of the account itself is refused",
  },
  ["zoho"] = {
    title = "Zoho Mail", host = "smtp.zoho.com", endpoints = BOTH,
    hosts = { "smtp.zoho.eu", "smtp.zoho.in", "smtp.zoho.jp", "smtppro.zoho.com", "smtppro.zoho.eu",
      "smtppro.zoho.in" },
    hint = "Zoho wants the whole address as user, the server of the region where the account lives, and an "
      .. "app-specific password once two-factor authentication is on",
  },
  ["gmx"] = {
    title = "GMX", host = "mail.gmx.com", hosts = { "mail.gmx.net" }, endpoints = BOTH,
    hint = "GMX takes mail programs only after POP3 and IMAP access was turned on in the settings of the mailbox, "
      .. "and wants an app password once two-factor authentication is on",
  },
}

-- Other names under which people look for them.
local ALIASES = { ["office365"] = "microsoft365", ["hotmail"] = "outlook", ["amazon-ses"] = "ses" }

--- The facts about a provider, by its name or another name of it.
---@param name string
---@return table? provider
---@return string? name the name it is listed under
function providers.get(name)
  local listed = ALIASES[name] or name
  if LIST[listed] then return LIST[listed], listed end
  return nil
end

--- All names that providers.get knows, in the order of the alphabet.
---@return string[]
function providers.names()
  local names = {}
  for name in pairs(LIST) do names[#names + 1] = name end
  for name in pairs(ALIASES) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function owns(provider, host)
  if provider.host == host or (provider.pattern and host:find(provider.pattern)) then return true end
  for _, other in ipairs(provider.hosts or {}) do
    if other == host then return true end
  end
  return false
end

--- The name of the provider that a host belongs to.
---@param host string
---@return string? name
function providers.of_host(host)
  host = host:lower()
  for name, provider in pairs(LIST) do
    if owns(provider, host) then return name end
  end
  return nil
end

return providers
