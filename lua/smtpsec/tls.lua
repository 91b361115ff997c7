--- tls: from the TLS options of a mailer to the engine's context, peer and sessions, and from the engine's facts to
-- what a receipt proves. How TLS works is the engine's business.

local core = require "smtpsec.core"
local errors = require "smtpsec.errors"

local tls = {}

-- The options that make a context; everything else belongs to one connection.
local CONTEXT = { "ca_file", "ca_path", "crl_file", "cert", "key", "key_password", "min_version", "ciphers",
  "ciphersuites", "groups", "require_ocsp" }

-- Loading a trust store is the dearest thing in a short run, and a one-shot send in a web server would pay for it
-- in every request: contexts are kept for the life of the process, a handful of them. Changed files are seen after
-- a restart.
local KEPT = 16
local contexts, order = {}, {}
local keys = setmetatable({}, { __mode = "k" }) -- options -> the key of their context

-- The options of a context as plain values: a key's password may have to be fetched.
local function values(options)
  local wanted = { role = "client" }
  for _, name in ipairs(CONTEXT) do wanted[name] = options[name] end
  if wanted.key_password then
    local password, err = wanted.key_password:reveal()
    if not password then return nil, err end
    wanted.key_password = password
  end
  return wanted
end

--- What tells contexts apart, as text.
---@param options table the tls settings
---@return string
function tls.context_key(options)
  local parts = {}
  for i, name in ipairs(CONTEXT) do
    -- Who knows the path of a key that is already in memory has it: its password says nothing more.
    local value = tostring(name ~= "key_password" and options[name] or "")
    parts[i] = string.format("%d:%s", #value, value)
  end
  return table.concat(parts, ",")
end

--- The shared context for these options.
---@param options table the tls settings
---@return userdata context | nil, table err of kind "config": nothing was connected, so nothing may be
--- taken for TLS that does not work
function tls.context(options)
  local key = keys[options] or tls.context_key(options)
  keys[options] = key
  if contexts[key] then return contexts[key] end
  local wanted, err = values(options)
  if not wanted then return nil, err end
  local context, status, text, reason = core.context(wanted)
  if not context then
    return nil, errors.new(status == "memory" and "internal" or "config", text, { reason = reason })
  end
  if #order == KEPT then contexts[table.remove(order, 1)] = nil end
  contexts[key], order[#order + 1] = context, key
  return context
end

--- What the engine is told about the peer.
---@param settings table
---@return table fields of core.connection
function tls.peer(settings)
  local options = settings.tls
  return {
    server_name = options.server_name or settings.host,
    port = string.format("%d", settings.port or 0),
    verify = options.verify or "pkix",
    optional = options.mode == "opportunistic" or options.insecure_skip_verify or false,
    pins = options.pins,
  }
end

--- The part of a receipt that proves how a mail travelled.
---@param conn userdata
---@param settings table
---@return table|false facts
function tls.facts(conn, settings)
  local facts = conn:tls()
  if not facts then return false end
  local options = settings.tls
  facts.mode = options.mode
  facts.policy = {
    verify = options.verify or "pkix", required = options.mode ~= "opportunistic",
    min_version = options.min_version or "TLSv1.2", pins = options.pins and #options.pins or 0,
    ocsp = options.require_ocsp or false,
  }
  return facts
end

--- What was asked for by a weak switch, or was not to be had, in words for a receipt.
---@param facts table|false
---@param settings table
---@param authenticated boolean whether credentials were sent
---@return string[] warnings
function tls.warnings(facts, settings, authenticated)
  local options, warnings = settings.tls, {}
  local function warn(text) warnings[#warnings + 1] = text end
  if not facts then
    warn(options.mode == "none" and 'sent in clear: tls = "none"'
      or 'sent in clear: tls = "opportunistic" and no TLS was to be had')
  elseif not facts.authenticated then
    local why = options.insecure_skip_verify and "insecure_skip_verify" or 'tls = "opportunistic"'
    warn(string.format("the server was not authenticated (%s): %s", facts.reason or "no proof", why))
  end
  if authenticated and not (facts and facts.authenticated) then
    warn("the password crossed a channel that was not authenticated: insecure_cleartext")
  end
  return warnings
end

return tls
