--- tls: the TLS options, completed and found free of contradictions, before anything is connected.
--
-- What OpenSSL alone can judge (ciphers, what stands in a certificate) is left to the TLS context.

local access = require "smtpsec.config.access"
local printable = require "smtpsec.printable"
local secret = require "smtpsec.config.secret"
local server = require "smtpsec.config.server"

local tls = {}

local FILES = { "ca_file", "ca_path", "crl_file", "cert", "key" }

-- Two options that take back what the other asks for.
local function contradiction(given)
  if given.insecure_skip_verify and (given.verify or given.pins) then
    return '"tls.insecure_skip_verify" takes back what "tls.' .. (given.verify and "verify" or "pins") .. '" asks for'
  end
  if given.verify == "pin" and not given.pins then return '"tls.verify" is "pin", but there are no "tls.pins"' end
  if given.pins and #given.pins == 0 then return '"tls.pins" is empty: no server would ever match' end
  if given.key and not given.cert then return '"tls.key" is given without "tls.cert"' end
  if given.key_password and not given.cert then return '"tls.key_password" is given without "tls.cert"' end
end

local MAX_PINS = 64 -- the engine's bound

-- A pin is the base64 of 32 bytes, as receipts show it (tls.peer.pin). Its last letter says four bits, and two of 0.
local PIN = "^[%w+/]+[AEIMQUYcgkosw048]=$"

local function bad_pin(pins)
  if #pins > MAX_PINS then return string.format('"tls.pins" has more than %d entries', MAX_PINS) end
  for i, pin in ipairs(pins) do
    if #pin ~= 44 or not pin:find(PIN) then
      return string.format('"tls.pins[%d]" must be the base64 of a SHA-256 digest (44 characters), got %s', i,
        printable.value(pin))
    end
  end
end

-- The first option, in the order of the alphabet, that would silently do nothing.
local function useless(given)
  local names = {}
  for name in pairs(given) do
    if name ~= "mode" then names[#names + 1] = name end
  end
  table.sort(names)
  return names[1] and string.format('"tls.%s" has no effect with mode "none"', names[1])
end

local function unusable_file(name, path, environment)
  if path:find("-----BEGIN ", 1, true) then
    return string.format('"tls.%s" must be the path of a PEM file, not what stands in one', name)
  end
  local fine, why = environment.readable(path)
  return not fine and string.format('"tls.%s" cannot be opened: %s', name, why) or nil
end

local function missing_file(given, environment)
  for _, name in ipairs(FILES) do
    local why = given[name] and unusable_file(name, given[name], environment)
    if why then return why end
  end
end

-- A private key is a secret, whether it has a file of its own or stands beside the certificate.
local function key_file(given)
  if given.key then return given.key, '"tls.key"' end
  return given.cert, '"tls.cert"'
end

local function exposed_key(given, environment)
  local path, label = key_file(given)
  local why = path and access.fault(path, environment)
  return why and label .. " cannot be used: " .. why
end

local function bad_key_password(given)
  local why = secret.fault(given.key_password)
  return why and '"tls.key_password" ' .. why
end

local function copy(given)
  local result = {}
  for name, value in pairs(given) do result[name] = value end
  return result
end

--- Completes the TLS options.
---@param option string|table|nil the option "tls", checked
---@param place table as server.resolve gave it
---@param environment table
---@return table? settings the option's fields; mode, verify, insecure_skip_verify, min_version and session_cache are
--- always there; key_password is a secret
---@return string? why, or what is to be told of the file with the key
function tls.resolve(option, place, environment)
  local given = type(option) == "table" and option or {}
  local why = contradiction(given) or bad_pin(given.pins or {}) or (place.mode == "none" and useless(given))
    or missing_file(given, environment) or exposed_key(given, environment) or bad_key_password(given)
  if why then return nil, why end
  local result = copy(given)
  result.mode = place.mode
  result.verify = given.verify or "pkix"
  result.insecure_skip_verify = given.insecure_skip_verify or false
  result.min_version = given.min_version or "TLSv1.2"
  result.session_cache = given.session_cache ~= false
  if given.server_name then
    result.server_name, why = server.check_host(given.server_name)
    if not result.server_name then
      return nil, string.format('"tls.server_name" %s %s', printable.value(given.server_name), why)
    end
  elseif place.path and place.mode ~= "none" then
    return nil, '"tls.server_name" is needed: the path of a socket is no name that a certificate could have'
  end
  if given.key_password then
    result.key_password = secret.new(given.key_password, { label = '"tls.key_password"', environment = environment })
  end
  local key = key_file(given)
  return result, key and access.note(key, "a private key", environment)
end

return tls
