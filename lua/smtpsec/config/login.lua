--- login: which user and which password the sources add up to.
--
-- Two rules keep a password from going where it was not meant to go. It is never used for another user than the one
-- named next to it. What a source of variables says of a login is never used for another server than the one that
-- source names; what the caller wrote is used wherever the caller sends it.

local providers = require "smtpsec.providers"
local secret = require "smtpsec.config.secret"
local server = require "smtpsec.config.server"

local login = {}

-- The logins of one source: its own fields, and its URL's. nil, nil and why when they cannot be read.
local function logins_of(source)
  local user, user_label, why = source.get "user"
  if why then return nil, nil, why end
  local password, password_label
  password, password_label, why = source.get "password"
  if why then return nil, nil, why end
  local parts
  parts, why = server.url_of(source)
  if not parts then return nil, nil, why end
  return { user = user, user_label = user_label, password = password, password_label = password_label },
    { user = parts.user, user_label = parts.label, password = parts.password, password_label = parts.label }
end

-- Whether what a source says of a login may be used at `place`. nil and why when the source cannot be read.
local function serves(source, place)
  if source.explicit then return true end
  local own, why = server.of(source)
  if not own then return nil, why end
  local host, path = own.host and own.host:lower(), own.path
  return (not host or host == (place.host or ""):lower()) and (not path or path == place.path)
end

-- Adds what one login has to what was found so far.
local function add(found, one)
  if not found.user and one.user then found.user, found.user_label = one.user, one.user_label end
  if one.password == nil or found.password then return end
  if one.user and found.user and one.user ~= found.user then
    found.other = one.password_label
  else
    found.password, found.password_label = one.password, one.password_label
  end
end

-- Adds what one source has. Returns true, or nil and why.
local function add_source(found, source, place)
  local own, from_url, why = logins_of(source)
  if not own then return nil, why end
  if not (own.user or own.password or from_url.user) then return true end
  local usable
  usable, why = serves(source, place)
  if why then return nil, why end
  if usable then
    add(found, own)
    add(found, from_url)
  else
    found.note = "the user and password in " .. source.name .. " were left out: they belong to another server"
  end
  return true
end

-- user = false: no login, whatever the environment has.
local function gather(sources, place)
  if sources[1].get "user" == false then
    local password, label = sources[1].get "password"
    return { nobody = true, password = password, password_label = label }
  end
  local found = {}
  for _, source in ipairs(sources) do
    if found.user and found.password then break end
    local fine, why = add_source(found, source, place)
    if not fine then return nil, why end
  end
  return found
end

-- What is wrong with half a login, or nil.
local function incomplete(found)
  if found.user and not found.password then
    local other = found.other and string.format(" (the one from %s is another user's)", found.other) or ""
    return string.format("%s names a user but no password is given%s", found.user_label, other)
  end
  if found.password and not found.user then
    return found.password_label .. " gives a password but no user is named"
  end
  if type(found.user) == "string" and (found.user == "" or found.user:find("%c")) then
    return found.user_label .. " is empty or has a control character"
  end
  local source = found.password
  if type(source) == "table" and (source.file == nil) == (source.command == nil) then
    return found.password_label .. ' must be either { file = … } or { command = … }'
  end
end

--- Which user and which password the sources add up to.
---@param sources table[] the strongest first
---@param place table as server.resolve gave it
---@param environment table
---@return table? found user (a string or a function), password (a secret), their labels, note; without user: no login
---@return string|table|nil why a sentence, or an error
function login.resolve(sources, place, environment)
  local found, why = gather(sources, place)
  if not found then return nil, why end
  local known = place.provider and providers.get(place.provider) or {}
  if found.password and not found.user and known.user and not found.nobody then
    found.user, found.user_label = known.user, '"provider"'
  end
  why = incomplete(found)
  if why then return nil, why end
  if not found.user then return found end
  found.password = secret.new(found.password, {
    label = found.password_label, tidy = known.grouped_password and secret.ungroup or nil, read = environment.read,
  })
  local fine, err = found.password:check()
  if not fine then return nil, err end
  return found
end

return login
