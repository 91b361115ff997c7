--- login: which user, and which password or token, the sources add up to, and whether that is a login.
--
-- Two rules keep a secret from going where it was not meant to go. It is never used for another user than the one
-- named next to it. What a source of variables says of a login is never used for another server than the one that
-- source names; what the caller wrote is used wherever the caller sends it.
--
-- A login has one secret, a password or a token: that of the strongest source that has either.

local access = require "smtpsec.config.access"
local mechanisms = require "smtpsec.mechanisms"
local providers = require "smtpsec.providers"
local secret = require "smtpsec.config.secret"
local server = require "smtpsec.config.server"

local login = {}

-- The password or the token that a source has: { source, label, kind }; nil where it has neither, nil and why where
-- it cannot be read. Both at once are told when they are used.
local function secret_of(source)
  local found
  for _, kind in ipairs { "password", "token" } do
    local value, label, why = source.get(kind)
    if why then return nil, why end
    if value ~= nil then
      found = { source = value, label = label, kind = kind, clash = found and found.label }
    end
  end
  return found
end

-- The logins of one source: its own fields, and its URL's. nil, nil and why when they cannot be read.
local function logins_of(source)
  local own = {}
  local parts, why
  own.user, own.user_label, why = source.get "user"
  if why then return nil, nil, why end
  own.secret, why = secret_of(source)
  if why then return nil, nil, why end
  parts, why = server.url_of(source)
  if not parts then return nil, nil, why end
  local from_url = { user = parts.user, user_label = parts.label }
  if parts.password then
    from_url.secret = { source = parts.password, label = parts.label, kind = "password" }
    if own.secret and own.secret.kind == "token" then own.secret.clash = own.secret.clash or parts.label end
  end
  return own, from_url
end

-- Whether what a source says of a login may be used at `place`. nil and why when the source cannot be read.
local function serves(source, place)
  if source.explicit then return true end
  local own, why = server.of(source)
  if not own then return nil, why end
  local host, path = own.host and own.host:lower(), own.path
  return (not host or host == (place.host or ""):lower()) and (not path or path == place.path)
end

-- Adds what one login has to what was found so far. Returns nil, or why it cannot be used.
local function add(found, one, source)
  if not found.user and one.user then found.user, found.user_label = one.user, one.user_label end
  if not one.secret or found.secret then return nil end
  if one.user and found.user and one.user ~= found.user then
    found.other = one.secret.label
    return nil
  end
  if one.secret.clash then
    return string.format("%s and %s are both given, and a login has one secret: give one", one.secret.clash,
      one.secret.label)
  end
  found.secret, found.source = one.secret, source
end

-- Adds what one source has. Returns true, or nil and why.
local function add_source(found, source, place)
  local own, from_url, why = logins_of(source)
  if not own then return nil, why end
  if not (own.user or own.secret or from_url.user) then return true end
  local usable
  usable, why = serves(source, place)
  if why then return nil, why end
  if not usable then
    found.notes[#found.notes + 1] =
      "the user and password in " .. source.name .. " were left out: they belong to another server"
    return true
  end
  why = add(found, own, source) or add(found, from_url, source)
  return not why or nil, why
end

-- user = false: no login, whatever the environment has.
local function gather(sources, place)
  local found = { notes = {} }
  if sources[1].get "user" == false then
    found.nobody, found.secret, found.source = true, secret_of(sources[1]), sources[1]
    return found
  end
  for _, source in ipairs(sources) do
    if found.user and found.secret then break end
    local fine, why = add_source(found, source, place)
    if not fine then return nil, why end
  end
  return found
end

-- ---- what mechanisms can do with it -------------------------------------------------------------------------------

local function needs_secret(mechanism)
  return mechanism.password or mechanism.token
end

-- Whether every mechanism that the caller named does without a secret.
local function is_secretless(way)
  if not way.mechanisms then return false end
  for _, mechanism in ipairs(way.candidates) do
    if needs_secret(mechanism) then return false end
  end
  return true
end

-- Whether the client's certificate can stand for the secret.
local function certificate_will_do(way)
  if not way.certificate then return false end
  for _, mechanism in ipairs(way.candidates) do
    if mechanism.certificate and not needs_secret(mechanism) then return true end
  end
  return false
end

local function lacks_certificate(way)
  if not way.mechanisms or way.certificate then return nil end
  for _, mechanism in ipairs(way.candidates) do
    if mechanism.certificate then
      return string.format('"auth.mechanisms" names %s, which needs "tls.cert" and "tls.key"', mechanism.name)
    end
  end
end

local function useless(found, way)
  local has = { user = found.user, certificate = way.certificate }
  if found.secret then has[found.secret.kind] = true end
  for _, mechanism in ipairs(way.candidates) do
    if mechanisms.is_served(mechanism, has) then return nil end
  end
  local what = found.secret and found.secret.label or "what is given"
  local whom = way.mechanisms and 'any of "auth.mechanisms"' or "any mechanism there is"
  return what .. " is not enough for " .. whom
end

-- What is wrong with half a login, or nil.
local function incomplete(found, way)
  local it = found.secret
  if found.user and not it and not way.without_secret then
    local other = found.other and string.format(" (the one from %s is another user's)", found.other) or ""
    return string.format("%s names a user but no password or token is given%s", found.user_label, other)
  end
  if it and not found.user then return string.format("%s gives a %s but no user is named", it.label, it.kind) end
  if type(found.user) == "string" and (found.user == "" or found.user:find("%c")) then
    return found.user_label .. " is empty or has a control character"
  end
  local why = it and secret.fault(it.source)
  return why and it.label .. " " .. why
end

-- A secret that no mechanism will be given: one that the caller wrote is a misunderstanding, one that stands in the
-- environment is not for this login.
local function drop_secret(found)
  if found.secret and found.source.explicit then
    return found.secret.label .. ' would not be used: none of "auth.mechanisms" needs it'
  end
  found.secret = nil
end

-- The user that a provider has for everybody.
local function complete_user(found, known)
  if found.secret and not found.user and known.user and not found.nobody then
    found.user, found.user_label = known.user, '"provider"'
  end
end

-- Turns what was found into secrets that are asked when AUTH needs them. Returns true, or nil and why. Who may write
-- to a .env that has the secret, or names the server that gets it, chooses where it goes.
local function wrap(found, place, known, environment)
  local it, path = found.secret, found.source.path
  local why = (path or place.file) and access.fault(path or place.file, environment)
  if why then return nil, why end
  local tidy = it.kind == "password" and known.grouped_password and secret.ungroup or nil
  local one = secret.new(it.source, { label = it.label, tidy = tidy, environment = environment })
  local fine, note = one:check()
  if not fine then return nil, note end
  found[it.kind], found[it.kind .. "_label"] = one, it.label
  found.notes[#found.notes + 1] = note
  found.notes[#found.notes + 1] = path and access.note(path, "a " .. it.kind, environment)
  return true
end

-- Whether AUTH is wanted at all.
local function is_wanted(found, way)
  if found.nobody then return false end
  return found.user ~= nil or (way.mechanisms ~= nil and way.without_secret)
end

local function judge(found, way)
  local why = way.secretless and drop_secret(found) or incomplete(found, way)
  if why then return why end
  found.login = is_wanted(found, way)
  return found.login and (lacks_certificate(way) or useless(found, way)) or nil
end

--- Which login the sources add up to.
---@param sources table[] the strongest first
---@param place table as server.resolve gave it
---@param environment table
---@param how? { mechanisms: table?, certificate: boolean? } as auth.resolve gave them; whether there is a client
--- certificate
---@return table? found login (whether AUTH is wanted), user (a string, a function or nil), password or token (a secret)
--- or neither, their labels, notes
---@return string|table|nil why a sentence, or an error
function login.resolve(sources, place, environment, how)
  local found, why = gather(sources, place)
  if not found then return nil, why end
  local known = place.provider and providers.get(place.provider) or {}
  local way = { mechanisms = how and how.mechanisms, certificate = how and how.certificate or false }
  way.candidates = mechanisms.allowed(way.mechanisms)
  way.secretless = is_secretless(way)
  way.without_secret = way.secretless or certificate_will_do(way)
  complete_user(found, known)
  why = judge(found, way)
  if why then return nil, why end
  if found.secret then
    local fine, err = wrap(found, place, known, environment)
    if not fine then return nil, err end
  end
  return found
end

return login
