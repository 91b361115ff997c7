--- config: what will be used, from what the caller wrote, the process environment and a .env file.
--
-- Each setting comes from the first of these that has it; server.lua and login.lua say which settings keep together.
-- Types and names are checked by config/options.lua and raise; what the world gives is returned as nil and an error
-- of kind "config". Nothing is connected here, and no secret is fetched that costs more than reading a file.

local auth = require "smtpsec.config.auth"
local core = require "smtpsec.core"
local domain = require "smtpsec.domain"
local environments = require "smtpsec.config.environment"
local errors = require "smtpsec.errors"
local login = require "smtpsec.config.login"
local options = require "smtpsec.config.options"
local printable = require "smtpsec.printable"
local retry = require "smtpsec.retry"
local secret = require "smtpsec.config.secret"
local server = require "smtpsec.config.server"
local sources = require "smtpsec.config.sources"
local tls = require "smtpsec.config.tls"

local config = {}

-- Seconds for each whole step. RFC 5321 §4.5.3.2 asks for 300 (greeting, commands), 120 (DATA), 180 (each block) and
-- 600 (after the final dot), for a mail server that has all day; a script has somebody waiting. The final reply keeps
-- the longest bound, because giving up there leaves in doubt whether the mail was taken. There is no bound on the
-- whole ("total") unless one is given.
config.TIMEOUTS = { connect = 15, greeting = 30, tls = 15, command = 30, data = 60, final = 120 }

-- idle: shorter than servers keep a silent connection. A server that takes only so many mails on one connection
-- says 421, which renews it: max_messages is for those who know better.
local POOL = { size = 1, idle = 30 }

local function filled(given, defaults)
  local result = {}
  for name, value in pairs(defaults) do result[name] = value end
  for name, value in pairs(given) do result[name] = value end
  return result
end

local function timeouts(given)
  if type(given) ~= "number" then return filled(given or {}, config.TIMEOUTS) end
  local result = {}
  for step in pairs(config.TIMEOUTS) do result[step] = given end
  return result
end

local function first(list, key)
  for _, source in ipairs(list) do
    local value, label = source.get(key)
    if value then return value, label end
  end
end

-- Who the mail is from and for where a message does not say it. The login is often an address, and stays the sender's
-- even where it is not used to log in.
local function addresses(list, who)
  local from, from_label = first(list, "from")
  local to, to_label = first(list, "to")
  if not from then
    from, from_label = who.user, who.user_label
    if not from then from, from_label = first(list, "user") end
    if type(from) ~= "string" or not core.mailbox(from, true) then from, from_label = nil, nil end
  end
  return { from = from, from_label = from_label, to = to, to_label = to_label }
end

-- The name for EHLO in ASCII, or nil where none was given.
local function hello_name(given)
  if not given then return nil end
  local name, wrong = domain.to_ascii(given)
  local fine = name
  if name then fine, wrong = core.domain(name) end
  if fine then return name end
  return nil, string.format('"hello" %s %s', printable.value(given), wrong)
end

-- Everything that depends on the sources, or nil and why.
local function resolve(given, environment)
  local why = options.unsupported(given)
  if why then return nil, why end
  local file
  file, why = sources.file(environment, given.env_file)
  if not file then return nil, why end
  local list = { sources.options(given), sources.process(environment), file }
  local place, how, who, channel
  place, why = server.resolve(list)
  if not place then return nil, why end
  how, why = auth.resolve(given.auth, place)
  if not how then return nil, why end
  channel, why = tls.resolve(given.tls, place, environment)
  if not channel then return nil, why end
  local notes = { why }
  who, why = login.resolve(list, place, environment, { mechanisms = how.mechanisms,
    certificate = channel.cert ~= nil })
  if not who then return nil, why end
  for _, note in ipairs(who.notes) do notes[#notes + 1] = note end
  local hello
  hello, why = hello_name(given.hello)
  if why then return nil, why end
  local signers
  if given.dkim then
    signers, why = require("smtpsec.config.dkim").resolve(given.dkim, environment, notes)
    if not signers then return nil, why end
  end
  return { place = place, who = who, channel = channel, auth = how, notes = notes, hello = hello,
    mail = addresses(list, who), signers = signers }
end

--- Works out the settings.
--
-- The fields of what it returns: host and port, or path (a unix socket); lmtp; tls (mode, verify and the rest of the
-- option, with defaults); login, whether AUTH is wanted; for it, user (a string, a function or nil) and password or
-- token (a secret, see config/secret.lua) or neither; auth (see config/auth.lua); hello or nil; timeout; io; pool; rate
-- or nil; retry (a policy of retry.lua, false, or nil where nothing was said); recipients; dkim (signers) or nil;
-- on_event; provider (a name of providers.lua) or nil; from and to, for messages that do not say; notes, sentences
-- about what was left out, and about files that others may read; sources: where server, user, password, token, from and
-- to come from, in words.
---@param given table|string|nil options, a URL, or nothing
---@param environment? table getenv, read, readable, access in place of the real ones
---@param level? integer whose line an error about misuse names, as for error() called by the function that calls this
--- one: 1 is that function, 2 (default) its caller
---@return table? settings
---@return table? err kind "config"
function config.resolve(given, environment, level)
  if type(given) == "string" then given = { url = given } end
  given = options.check(given == nil and {} or given, (level or 2) + 1)
  local found, why = resolve(given, environments.new(environment))
  if not found then return nil, errors.is(why) and why or errors.new("config", why) end
  local place, who, mail = found.place, found.who, found.mail
  return {
    host = place.host, port = place.port, path = place.path, lmtp = place.lmtp or false, provider = place.provider,
    tls = found.channel, login = who.login, user = who.user, password = who.password, token = who.token,
    auth = found.auth,
    hello = found.hello, timeout = timeouts(given.timeout), io = given.io or "auto",
    pool = filled(given.pool or {}, POOL), rate = given.rate, retry = retry.policy(given.retry),
    recipients = given.recipients or "any", on_event = given.on_event,
    dkim = found.signers, from = mail.from, to = mail.to, notes = found.notes,
    sources = {
      server = place.label, user = who.user_label, password = who.password_label, token = who.token_label,
      from = mail.from_label, to = mail.to_label,
    },
  }
end

local NOTHING_OFFERED = { capabilities = {} }

--- Works out the options of a message that is composed without a mailer.
---@param given table|nil options
---@param level? integer as for config.resolve
---@return table? settings capabilities (a set of keywords) and dkim (a list of signers, or nil); not to be changed
---@return table? err kind "config"
function config.message(given, level)
  if given == nil then return NOTHING_OFFERED end
  options.check_message(given, (level or 2) + 1)
  local settings = { capabilities = {}, dkim = nil }
  for _, keyword in ipairs(given.capabilities or {}) do settings.capabilities[keyword:upper()] = true end
  if given.dkim then
    local signers, why = require("smtpsec.config.dkim").resolve(given.dkim, environments.new(), {})
    if not signers then return nil, errors.new("config", why) end
    settings.dkim = signers
  end
  return settings
end

local function shown(value)
  local kind = type(value)
  if secret.is(value) then return "***" end
  if kind == "string" or kind == "number" or kind == "boolean" then return value end
  if kind ~= "table" then return "a " .. kind end
  local result = {}
  for key, inner in pairs(value) do result[key] = shown(inner) end
  return result
end

--- Settings to look at: plain values, secrets as "***", functions and drivers by their kind.
---@param settings table as config.resolve gave them
---@return table
function config.public(settings)
  local result = {}
  for key, value in pairs(settings) do
    if key ~= "io" then result[key] = shown(value) end
  end
  if settings.dkim then result.dkim = require("smtpsec.config.dkim").public(settings.dkim) end
  result.io = type(settings.io) == "table" and (settings.io.name or "a driver") or settings.io
  return result
end

return config
