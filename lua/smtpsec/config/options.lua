--- options: the shape of the options table, and what of it this version refuses because it cannot do it yet.
--
-- Only types, ranges and names are looked at here: a caller's mistake that does not depend on the world. What options
-- mean together is config.lua's question.

local providers = require "smtpsec.providers"
local schema = require "smtpsec.schema"

local either, secret, text = schema.either, schema.secret, schema.string
local flag, seconds = schema.boolean, schema.number(0.001, 86400)

local options = {}

--- The TLS modes, strictest first.
options.MODES = { "implicit", "starttls", "opportunistic", "none" }

local mode = schema.enum(options.MODES)

local secret_source = secret(either(text, schema.callable,
  schema.record("secret", { file = secret(text), command = secret(text), credential = secret(text) })))

-- A mechanism that the caller has written; config/auth.lua says what must be there.
local mechanism = schema.record("mechanism", {
  name = text, user = flag, password = secret(flag), token = secret(flag),
  start = schema.callable, step = schema.callable,
})

local auth = schema.record("auth", {
  mechanisms = schema.list(either(text, mechanism)),
  insecure_cleartext = flag,
  channel_binding = schema.enum { "tls-exporter", "tls-unique", "tls-server-end-point" },
  require_channel_binding = flag,
  max_iterations = schema.integer(4096, 2 ^ 31 - 1),
})

local tls = schema.record("tls", {
  mode = mode,
  verify = schema.enum { "pkix", "pin", "dane" },
  insecure_skip_verify = flag,
  ca_file = text, ca_path = text, crl_file = text,
  server_name = text,
  pins = schema.list(text),
  cert = text, key = secret(text), key_password = secret_source,
  min_version = schema.enum { "TLSv1.2", "TLSv1.3" },
  ciphers = text, ciphersuites = text, groups = text,
  require_ocsp = flag,
  session_cache = flag,
})

--- Whether and how often a mail that failed for now is tried again: here, and where send_all is told.
options.RETRY = either(schema.constant(false), schema.integer(1, 100), schema.record("retry", {
  attempts = schema.integer(1, 100), first = schema.number(0, 86400), longest = schema.number(0, 86400),
}))

local signer = schema.record("dkim", {
  domain = text, selector = text, key = secret(either(text, schema.callable)), key_path = secret(text),
  algorithm = schema.enum { "rsa-sha256", "ed25519-sha256" }, headers = schema.list(text), identity = text,
  canonicalization = schema.enum { "relaxed/relaxed", "relaxed/simple", "simple/relaxed", "simple/simple" },
  timestamp = either(schema.constant(false), schema.integer(0, 253402300799)),
  expires_in = schema.integer(1, 10000000000), insecure_short_key = flag,
})

-- Who signs a mail.
local signers = schema.shaped("a signer, or a list of them",
  function(value) return type(value) == "table" and value[1] ~= nil end, schema.list(signer), signer)

local timeout = schema.record("timeout", {
  connect = seconds, greeting = seconds, tls = seconds, command = seconds, data = seconds, final = seconds,
  total = seconds,
})

local shape = {
  url = secret(text), host = text, port = schema.integer(1, 65535), provider = schema.enum(providers.names()),
  env_file = either(text, schema.constant(false)),
  tls = either(mode, tls),
  user = either(text, schema.callable, schema.constant(false)), password = secret_source, token = secret_source,
  auth = auth,
  hello = text,
  timeout = either(seconds, timeout),
  io = either(schema.enum { "auto", "socket", "nginx", "cqueues", "luv" }, schema.table),
  pool = schema.record("pool", {
    size = schema.integer(1, 1000), idle = schema.number(0, 86400), max_messages = schema.integer(1),
    connections = schema.integer(1, 1000),
  }),
  rate = schema.record("rate", {
    second = schema.integer(1, 100000), hour = schema.integer(1, 1000000), connection = schema.integer(1, 100000),
  }),
  retry = options.RETRY,
  recipients = schema.enum { "any", "all" },
  dkim = signers,
  on_event = schema.callable,
  from = either(text, schema.table), to = either(text, schema.table),
}

--- The options of smtpsec.message, as options.check.
options.check_message = schema.record("smtpsec.message options", {
  capabilities = schema.list(text), dkim = signers,
})

--- check(options, level) raises at the caller's line when the table is not one of options (see schema.record).
options.check = schema.record("smtpsec options", shape)

-- What this version does not do yet: an option, the value of it that asks for it (any, where none stands here), and
-- what it would have been. Refused rather than ignored, because each of them is a promise about security.
local UNSUPPORTED = {
  { option = "tls", field = "verify", value = "dane", what = "DANE" },
}

--- What of checked options this version cannot do.
---@param given table
---@return string? sentence nil where everything is supported
function options.unsupported(given)
  for _, row in ipairs(UNSUPPORTED) do
    local value, name = given[row.option], row.option
    if row.field then
      value, name = type(value) == "table" and value[row.field] or nil, name .. "." .. row.field
    end
    if value ~= nil and (row.value == nil or value == row.value) then
      return string.format('"%s" asks for %s, which is not supported by this version of smtpsec', name, row.what)
    end
  end
end

return options
