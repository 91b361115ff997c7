local environment = require "smtpsec.config.environment"
local server = require "smtpsec.config.server"
local sources = require "smtpsec.config.sources"

local function resolve(options, variables)
  variables = variables or {}
  local process = sources.process(environment.new { getenv = function(name) return variables[name] end })
  return server.resolve { sources.options(options), process }
end

-- options, variables -> what comes of them
local CASES = {
  { "a host alone", { host = "h" }, {}, { host = "h", port = 587, mode = "starttls" } },
  { "465", { host = "h", port = 465 }, {}, { port = 465, mode = "implicit" } },
  { "any other port", { host = "h", port = 2525 }, {}, { port = 2525, mode = "starttls" } },
  { "25", { host = "h", port = 25 }, {}, { port = 25, mode = "starttls" } },
  { "implicit", { host = "h", tls = "implicit" }, {}, { port = 465, mode = "implicit" } },
  { "starttls", { host = "h", tls = "starttls" }, {}, { port = 587, mode = "starttls" } },
  { "opportunistic", { host = "h", tls = "opportunistic" }, {}, { port = 25, mode = "opportunistic" } },
  { "none", { host = "h", tls = { mode = "none" } }, {}, { port = 25, mode = "none" } },
  { "mode and port against custom", { host = "h", tls = "starttls", port = 465 }, {}, { port = 465,
    mode = "starttls" } },
  { "smtps://", { url = "smtps://h" }, {}, { host = "h", port = 465, mode = "implicit" } },
  { "smtp://", { url = "smtp://h" }, {}, { port = 587, mode = "starttls" } },
  { "smtp:// on 465", { url = "smtp://h:465" }, {}, { port = 465, mode = "implicit" } },
  { "smtp:// with a mode", { url = "smtp://h:25", tls = "none" }, {}, { port = 25, mode = "none" } },
  { "smtp+plain://", { url = "smtp+plain://h" }, {}, { port = 25, mode = "none" } },
  { "a URL with a port beside it", { url = "smtps://h", port = 1465 }, {}, { port = 1465, mode = "implicit" } },
  { "lmtp://", { url = "lmtp://h" }, {}, { port = 24, mode = "starttls", lmtp = true } },
  { "lmtp:// in clear", { url = "lmtp://h:24", tls = "none" }, {}, { port = 24, mode = "none", lmtp = true } },
  { "a socket", { url = "lmtp:///run/lmtp" }, {}, { path = "/run/lmtp", mode = "none", lmtp = true } },
  { "IPv6", { host = "[2001:db8::1]" }, {}, { host = "2001:db8::1", port = 587 } },
  { "IPv6 bare", { host = "::1" }, {}, { host = "::1" } },
  { "IPv4", { host = "192.0.2.1" }, {}, { host = "192.0.2.1" } },
  { "host:port", { host = "h:2525" }, {}, { host = "h", port = 2525 } },
  { "a container's name", { host = "mail_server" }, {}, { host = "mail_server" } },
  { "the environment", {}, { SMTP_HOST = "h", SMTP_PORT = "465" }, { host = "h", port = 465, mode = "implicit" } },
  { "a URL in the environment", {}, { SMTP_URL = "smtps://h" }, { host = "h", port = 465 } },
  { "a port over the environment's", { port = 2525 }, { SMTP_HOST = "h", SMTP_PORT = "465" },
    { host = "h", port = 2525, mode = "starttls" } },
  { "a mode over the environment's", { tls = "implicit" }, { SMTP_HOST = "h" }, { port = 465, mode = "implicit" } },
  { "a host of its own: not the environment's port and mode", { host = "h" },
    { SMTP_HOST = "x", SMTP_PORT = "25", SMTP_TLS = "none" }, { host = "h", port = 587, mode = "starttls" } },
  { "a host of its own: not even without another host", { host = "h" }, { SMTP_TLS = "none", SMTP_PORT = "25" },
    { port = 587, mode = "starttls" } },
  { "a host of its own: nothing wrong elsewhere matters", { host = "h" }, { SMTP_PORT = "x", SMTP_URL = "x" },
    { host = "h" } },
  { "a provider", { provider = "gmail" }, {},
    { host = "smtp.gmail.com", port = 587, mode = "starttls", provider = "gmail" } },
  { "another name of a provider", { provider = "office365" }, {},
    { host = "smtp.office365.com", provider = "microsoft365" } },
  { "a provider over the environment's host", { provider = "gmail" }, { SMTP_HOST = "x", SMTP_TLS = "none" },
    { host = "smtp.gmail.com", mode = "starttls" } },
  { "a provider in another mode", { provider = "gmail", tls = "implicit" }, {}, { port = 465, mode = "implicit" } },
  { "a provider without 587", { provider = "yahoo.co.jp" }, {}, { port = 465, mode = "implicit" } },
  { "a provider's odd port", { host = "email-smtp.eu-west-1.amazonaws.com", port = 2465 }, {},
    { port = 2465, mode = "implicit", provider = "ses" } },
  { "a provider whose customers have hosts", { provider = "sakura", host = "x.sakura.ne.jp" }, {},
    { host = "x.sakura.ne.jp", port = 587, mode = "starttls" } },
  { "the same, the host from the environment", { provider = "ses" },
    { SMTP_HOST = "email-smtp.us-east-1.amazonaws.com" }, { provider = "ses", port = 587 } },
  { "a provider known by its host", {}, { SMTP_HOST = "smtp.mail.yahoo.co.jp" },
    { port = 465, mode = "implicit", provider = "yahoo.co.jp" } },
  { "a name that is not ASCII", { host = "Bücher.example:25" }, {}, { host = "xn--bcher-kva.example", port = 25 } },
  { "a name that is not ASCII in a URL", { url = "smtps://例え。jp" }, {}, { host = "xn--r8jz45g.jp", port = 465 } },
}

local WRONG = {
  { "nothing", {}, {}, "no server is named" },
  { "a port alone", { port = 25 }, {}, "no server is named" },
  { "a provider whose customers have hosts", { provider = "xserver" }, {},
    '"host" is needed for provider "xserver"' },
  { "two hosts", { host = "a", url = "smtps://b" }, {}, '"url" names another host' },
  { "two ports", { port = 25, url = "smtps://b:465" }, {}, '"url" names another port' },
  { "two modes", { tls = "none", url = "smtps://b" }, {}, '"url" names another mode' },
  { "two ports in a host", { host = "h:25", port = 26 }, {}, "another port" },
  { "two in the environment", {}, { SMTP_HOST = "a", SMTP_URL = "smtps://b" },
    "SMTP_URL in the environment names another" },
  { "a port in a host that is none", { host = "h:65536" }, {}, '"host" "h:65536" has a port that is not' },
  { "a port of many digits in a host", {}, { SMTP_HOST = "h:000025" }, "SMTP_HOST in the environment" },
  { "port 0 in a host", { host = "h:0" }, {}, '"host" "h:0" has a port that is not' },
  { "a URL for a host", { host = "smtps://h" }, {}, '"host" is a URL: give it as "url" or SMTP_URL' },
  { "a URL for a host in the environment", {}, { SMTP_HOST = "smtp://h" },
    "SMTP_HOST in the environment is a URL" },
  { "no host in a URL", { url = "smtps://" }, {}, '"url" names no host' },
  { "a bad URL in the environment", {}, { SMTP_URL = "x" }, "SMTP_URL in the environment has no scheme" },
  { "a bad host in a URL", { url = "smtps://a..b" }, {}, '"url" has a domain with an empty label' },
  { "an empty host", { host = "" }, {}, '"host" "" has an empty domain' },
  { "a space", { host = "a b" }, {}, '"host" "a b" has' },
  { "a line end", { host = "a\r\nb" }, {}, '"host" "a  b" has' },
  { "an @", { host = "u@h" }, {}, '"host"' },
  { "a slash", { host = "h/x" }, {}, '"host"' },
  { "a name that no A-labels are for", { host = "1א.de" }, {}, '"host" "1א.de" has a domain that mixes' },
  { "A-labels that are none", { url = "smtps://xn--0.de" }, {}, '"url" has a domain with a label after xn--' },
  { "half an IPv6 address", { host = "[::1" }, {}, '"host"' },
  { "an address that is none", { host = "::g" }, {}, '"host"' },
  { "a bad port in the environment", {}, { SMTP_HOST = "h", SMTP_PORT = "x" },
    "SMTP_PORT in the environment must be" },
  { "a port beside a socket", { url = "lmtp:///run/x", port = 24 }, {}, '"port" means nothing' },
  { "LMTP with implicit TLS and no port", { url = "lmtp://h", tls = "implicit" }, {}, '"port" is needed' },
}

describe("server", function()
  for _, case in ipairs(CASES) do
    it("works out " .. case[1], function()
      local place, why = resolve(case[2], case[3])
      assert.is_table(place, why)
      for key, value in pairs(case[4]) do assert.equal(value, place[key], key) end
      if place.port then assert.equal(("%d"):format(place.port), tostring(place.port)) end
    end)
  end

  for _, case in ipairs(WRONG) do
    it("refuses " .. case[1], function()
      local place, why = resolve(case[2], case[3])
      assert.is_nil(place)
      assert.is_truthy(why:find(case[4], 1, true), why)
    end)
  end

  it("shows nothing of a URL that may be a password", function()
    for _, text in ipairs { "smtps://u:hunter2", "smtps://u:x@hunter2..", "smtps://hunter2$", "hunter2" } do
      local _, why = resolve { url = text }
      assert.is_nil(why:find("hunter2", 1, true), why)
    end
    local _, why = resolve { host = "smtps://u:hunter2@h" }
    assert.is_nil(why:find("hunter2", 1, true), why)
  end)

  it("counts whole numbers as whole on every Lua", function()
    assert.equal("2525", tostring(resolve({ host = "h", port = 2525.0 }).port))
  end)
end)
