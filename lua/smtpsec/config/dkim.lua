--- dkim: from the DKIM options to signers. Keys are read now, so that one that is no good is told before the first
-- mail; they are not read again.

local access = require "smtpsec.config.access"
local callback = require "smtpsec.callback"
local core = require "smtpsec.core"
local domains = require "smtpsec.domain"
local printable = require "smtpsec.printable"
local signing = require "smtpsec.dkim"

local dkim = {}

local LONGEST_NAME, LONGEST_LABEL = 253, 63 -- RFC 1035 section 2.3.4
local LONGEST_LOCAL = 64 -- RFC 5321 section 4.5.3.1.1
local MOST_HEADERS, LONGEST_HEADER = 180, 76

-- What is wrong with a name of labels, or nil (RFC 6376 section 3.5: letters, digits, hyphens).
local function name_fault(name)
  for label in (name .. "."):gmatch("([^.]*)%.") do
    if #label > LONGEST_LABEL then return "has a label of more than 63 characters" end
    if not label:find("^%w[%w-]*$") or label:sub(-1) == "-" then
      return "has a label that is not of letters and digits, with hyphens between them"
    end
  end
  if #name > LONGEST_NAME then return "has more than 253 characters" end
end

-- A name as it is signed, or nil and what is wrong with it: in A-labels, which every verifier knows. In a mail with
-- SMTPUTF8, RFC 8616 section 5 would allow U-labels too.
local function signed_name(name)
  local ascii, why = domains.to_ascii(name)
  if not ascii then return nil, why end
  why = name_fault(ascii)
  if why then return nil, why end
  return ascii
end

-- Domain and selector, by name; or nil, the field that is at fault and what is wrong with it.
local function find_place(given)
  local place = {}
  for _, key in ipairs { "domain", "selector" } do
    if not given[key] then return nil, key, "is missing" end
    local name, why = signed_name(given[key])
    if not name then return nil, key, printable.value(given[key]) .. " " .. why end
    place[key] = name
  end
  if not place.domain:find(".", 1, true) then
    return nil, "domain", printable.value(given.domain) .. " has one label, and a domain that signs has more"
  end
  if #place.selector + #"._domainkey." + #place.domain > LONGEST_NAME then
    return nil, "selector", "is too long for a name in the DNS together with the domain"
  end
  return place
end

-- RFC 6376 section 3.5: the domain of i= is that of d=, or within it. Returns it as it is signed, or nil and why.
local function find_identity(identity, signing_domain)
  local local_part, given = identity:match("^([\32-\126]*)@([^@]+)$")
  if not local_part then
    return nil, printable.value(identity) .. " must be [local]@domain, and its local part ASCII"
  end
  if #local_part > LONGEST_LOCAL then
    return nil, string.format("has more than %d octets before the @", LONGEST_LOCAL)
  end
  local domain, why = signed_name(given)
  if not domain then return nil, printable.value(identity) .. " " .. why end
  local within = "." .. signing_domain:lower()
  if ("." .. domain:lower()):sub(-#within) ~= within then
    return nil, string.format("%s is not within the domain %s", printable.value(identity), signing_domain)
  end
  return local_part .. "@" .. domain
end

local function headers_fault(list)
  if not list then return nil end
  local has_from = false
  for _, name in ipairs(list) do
    if #name > LONGEST_HEADER or not name:find("^[!-9<-~]+$") then -- no semicolon, which would end the tag
      return "names " .. printable.value(name) .. ", which is no name of a field"
    end
    if name:lower() == "dkim-signature" then return "names DKIM-Signature, which signs itself" end
    has_from = has_from or name:lower() == "from"
  end
  if #list > MOST_HEADERS then return string.format("has more than %d names", MOST_HEADERS) end
  if not has_from then return "lacks From, which every signature covers (RFC 6376 section 5.4)" end
end

-- The text of a key, or nil and why; from where it is, in words.
local function read_key(given, environment)
  local path = given.key_path
  if path and given.key then return nil, "are both given: give one of them", "key and key_path" end
  if not path and not given.key then return nil, "is missing: give key (PEM) or key_path", "key" end
  if path then
    if path:find("-----BEGIN ", 1, true) then
      return nil, "must be the path of a PEM file, not what stands in one: that is key", "key_path"
    end
    local why = access.fault(path, environment)
    if why then return nil, "cannot be used: " .. why, "key_path" end
    local pem
    pem, why = environment.read(path)
    return pem, why and "cannot be read: " .. why, "key_path"
  end
  if type(given.key) == "string" then return given.key, nil, "key" end
  local pem, why = callback.string(given.key)
  return pem, why and "cannot be had: " .. why, "key"
end

-- The key, its algorithm and bits; or nil, why and the field that is at fault.
local function load_key(given, environment)
  local pem, why, field = read_key(given, environment)
  if not pem then return nil, why, field end
  local key, algorithm, bits = core.dkim_key(pem, given.insecure_short_key or false)
  if not key then return nil, bits, field end
  if given.algorithm and given.algorithm ~= algorithm then
    return nil, string.format('is "%s", and the key is for %s', given.algorithm, algorithm), "algorithm"
  end
  return key, algorithm, bits
end

local function warning(domain, algorithm, bits)
  if algorithm ~= "rsa-sha256" or bits >= 2048 then return nil end
  return string.format("signed for %s with an RSA key of %d bits: insecure_short_key", domain, bits)
end

-- A signer, or nil, the field that is at fault and what is wrong with it.
local function resolve(given, environment)
  local place, field, why = find_place(given)
  if not place then return nil, field, why end
  local identity
  if given.identity then
    identity, why = find_identity(given.identity, place.domain)
    if not identity then return nil, "identity", why end
  end
  why = headers_fault(given.headers)
  if why then return nil, "headers", why end
  local key, algorithm, bits = load_key(given, environment)
  if not key then return nil, bits, algorithm end
  return signing.signer {
    key = key, algorithm = algorithm, domain = place.domain, selector = place.selector, identity = identity,
    canonicalization = given.canonicalization or "relaxed/relaxed", headers = given.headers,
    timestamp = given.timestamp, expires_in = given.expires_in, warning = warning(place.domain, algorithm, bits),
  }
end

--- Makes signers of the option.
---@param option table one signer or a list of them, checked
---@param environment table
---@param notes string[] to which is added what is to be told of files with keys
---@return table[]? signers
---@return string? why
function dkim.resolve(option, environment, notes)
  local list = option[1] and option or { option }
  local signers, seen = {}, {}
  for i, given in ipairs(list) do
    local path = option[1] and string.format("dkim[%d]", i) or "dkim"
    local signer, field, why = resolve(given, environment)
    if not signer then return nil, string.format('"%s.%s" %s', path, field, why) end
    local name = (signer.selector .. "._domainkey." .. signer.domain):lower()
    if seen[name] then
      return nil, string.format('"%s" has the selector and the domain of "dkim[%d]": one key would be published '
        .. "for two", path, seen[name])
    end
    signers[i], seen[name] = signer, i
    notes[#notes + 1] = given.key_path and access.note(given.key_path, "a private key", environment)
  end
  return signers
end

--- Signers to look at.
---@param signers table[]
---@return table[]
function dkim.public(signers)
  local list = {}
  for i, signer in ipairs(signers) do
    list[i] = { domain = signer.domain, selector = signer.selector, algorithm = signer.algorithm, key = "***" }
  end
  return list
end

return dkim
