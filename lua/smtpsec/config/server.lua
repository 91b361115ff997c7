--- server: which server, which port and which TLS mode the sources add up to.
--
-- The first source that names a server decides; those before it may still set port and mode, those behind it may not:
-- a port or a weaker mode written for one server is never used for another.

local core = require "smtpsec.core"
local domain = require "smtpsec.domain"
local printable = require "smtpsec.printable"
local providers = require "smtpsec.providers"

local server = {}

-- Submission with STARTTLS is on 587 (RFC 6409), with TLS from the first byte on 465 (RFC 8314). The two modes that
-- may go without TLS are for relays, which listen on 25.
local DEFAULT_PORT = { implicit = 465, starttls = 587, opportunistic = 25, none = 25 }
local LMTP_PORT = 24

--- Checks a host name or address. A name that is not ASCII becomes its A-labels, by which it is then looked up, and
-- known to TLS. Underscores are let through, though no certificate can have one: names of
-- containers do.
---@param host string
---@return string? bare in ASCII, and without the brackets of an IPv6 address; nil when it is not a host
---@return string? why
function server.check_host(host)
  local bare, strange = domain.to_ascii(host:match("^%[([^%[%]]*)%]$") or host)
  if not bare then return nil, strange end
  local question = bare:find(":", 1, true) and "[IPv6:" .. bare .. "]" or bare:gsub("_", "-")
  local fine, why = core.domain(question)
  if fine then return bare end
  return nil, why
end

-- "host:port", as Python's smtplib takes it, in two; nil and why where that is no port.
local function split(host)
  local name, digits = host:match("^([^:]+):(%d+)$")
  if not name then return host end
  local port = #digits <= 5 and math.floor(tonumber(digits)) or 0
  if port < 1 or port > 65535 then return nil, "has a port that is not a number from 1 to 65535" end
  return name, port
end

-- What the fields of one source say, without its URL.
local function from_fields(source)
  local place = {}
  for _, key in ipairs { "host", "port", "mode", "provider" } do
    local value, label, why = source.get(key)
    if why then return nil, why end
    place[key] = value
    if key == "host" then place.label = label end
  end
  if not place.host then return place end
  if place.host:find("://", 1, true) then -- not shown: it may have a password
    return nil, place.label .. ' is a URL: give it as "url" or SMTP_URL'
  end
  if place.host:find("@", 1, true) then -- nor this, for the same reason
    return nil, place.label .. ' has an @: who logs in is told apart from it, as "user" and "password"'
  end
  local shown = source.explicit and printable.value or printable.word
  local name, port = split(place.host)
  if not name then return nil, string.format("%s %s %s", place.label, shown(place.host), port) end
  if port and place.port and port ~= place.port then
    return nil, place.label .. " names another port than the one given beside it"
  end
  place.port = place.port or port
  local why
  place.host, why = server.check_host(name)
  if not place.host then return nil, string.format("%s %s %s", place.label, shown(name), why) end
  return place
end

--- Takes the URL of a source apart, where it has one.
---@param source table
---@return table? parts empty where there is no URL
---@return string? why
function server.url_of(source)
  local text, label, why = source.get "url"
  if why then return nil, why end
  if not text then return {} end
  local parts
  parts, why = require("smtpsec.config.url").parse(text) -- loaded where there is one
  if not parts then return nil, label .. " " .. why end
  if parts.host then
    parts.host, why = server.check_host(parts.host)
    if not parts.host then return nil, label .. " " .. why end
  end
  parts.label = label
  return parts
end

--- What one source says of the server.
---@param source table
---@return table? place host, path, lmtp, port, mode, provider, label: those that it says
---@return string? why
function server.of(source)
  local place, why = from_fields(source)
  if not place then return nil, why end
  local parts
  parts, why = server.url_of(source)
  if not parts then return nil, why end
  for _, key in ipairs { "host", "port", "mode" } do
    if place[key] and parts[key] and place[key] ~= parts[key] then
      return nil, string.format("%s names another %s than the one given beside it", parts.label, key)
    end
  end
  for _, key in ipairs { "host", "path", "lmtp", "port", "mode", "label" } do
    if place[key] == nil then place[key] = parts[key] end
  end
  local known = place.provider and providers.get(place.provider)
  if known and known.host and not (place.host or place.path) then
    place.host, place.label = known.host, '"provider"'
  end
  return place
end

local function names_server(place)
  return place.host ~= nil or place.path ~= nil
end

-- The facts of all sources down to the first that names a server.
local function gather(sources)
  local found = {}
  for _, source in ipairs(sources) do
    local place, why = server.of(source)
    if not place then return nil, why end
    for _, key in ipairs { "port", "mode", "provider" } do
      if found[key] == nil then found[key] = place[key] end
    end
    if names_server(place) then
      found.host, found.path, found.lmtp, found.label = place.host, place.path, place.lmtp, place.label
      found.file = source.path
      return found
    end
  end
  local known = found.provider and providers.get(found.provider)
  if known then return nil, string.format('"host" is needed for provider "%s": %s', found.provider, known.hint) end
  return nil, 'no server is named: give "host", "url" or "provider", or set SMTP_HOST or SMTP_URL in the environment'
end

-- The first endpoint of the provider that agrees with what is known: its port and mode.
local function endpoint(known, port, mode)
  for _, row in ipairs(known and known.endpoints or {}) do
    if (not port or port == row[1]) and (not mode or mode == row[2]) then return row[1], row[2] end
  end
end

local function usual_mode(found)
  if found.path then return "none" end
  return found.port == 465 and "implicit" or "starttls"
end

local function complete(found)
  if found.host and not found.provider then found.provider = providers.of_host(found.host) end
  local known
  if found.provider then known, found.provider = providers.get(found.provider) end
  local port, mode = endpoint(known, found.port, found.mode)
  found.mode = found.mode or mode or usual_mode(found)
  if not found.path then
    found.port = math.floor(found.port or port or (found.lmtp and LMTP_PORT) or DEFAULT_PORT[found.mode])
  end
  return found
end

--- Which server the sources add up to.
---@param sources table[] the strongest first
---@return table? place host and port, or path; mode; lmtp; provider where it is a known one; label; file, the .env
--- that names the server, where one does
---@return string? why
function server.resolve(sources)
  local found, why = gather(sources)
  if not found then return nil, why end
  if found.path and found.port then return nil, '"port" means nothing beside the path of a socket' end
  if found.lmtp and found.mode == "implicit" and not found.port then
    return nil, '"port" is needed for LMTP with TLS from the first byte, which has no usual one'
  end
  return complete(found)
end

return server
