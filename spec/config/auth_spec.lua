local auth = require "smtpsec.config.auth"
local core = require "smtpsec.core"

local function step() end

local function resolve(given, mode) return auth.resolve(given, { mode = mode or "starttls" }) end

local function refused(words, given, mode)
  local settings, why = resolve(given, mode)
  assert.is_nil(settings)
  assert.is_truthy(why:find(words, 1, true), why)
end

describe("config.auth", function()
  it("has bounds where nothing is said", function()
    local none = { insecure_cleartext = false, require_channel_binding = false }
    assert.same(none, resolve(nil))
    assert.same(none, resolve {})
  end)

  it("keeps what was said", function()
    local given = { insecure_cleartext = true, channel_binding = "tls-exporter", max_iterations = 4096 }
    local settings = resolve(given)
    given.require_channel_binding = false
    assert.same(given, settings)
  end)

  it("knows mechanisms in any spelling, and no others", function()
    assert.same({ "PLAIN", "CRAM-MD5" }, resolve({ mechanisms = { "plain", "Cram-MD5" } }).mechanisms)
    refused('"auth.mechanisms" is empty', { mechanisms = {} })
    refused('names "KERBEROS_V4", which is not supported', { mechanisms = { "PLAIN", "KERBEROS_V4" } })
    refused("PLAIN, ", { mechanisms = { "" } })
  end)

  it("takes mechanisms that the caller has written", function()
    local given = { name = "x-house", token = true, step = step }
    local settings = resolve { mechanisms = { given, "PLAIN" } }
    assert.same({ { name = "X-HOUSE", user = false, password = false, token = true, certificate = false, binds = false,
      step = step }, "PLAIN" }, settings.mechanisms)
    assert.same({ name = "x-house", token = true, step = step }, given)
    assert.is_table(resolve { mechanisms = { { name = ("X"):rep(20), start = step } } })
  end)

  it("refuses those that could never run", function()
    refused('"auth.mechanisms[2].name" must be', { mechanisms = { "PLAIN", { step = step } } })
    refused('"auth.mechanisms[1].name" must be', { mechanisms = { { name = ("X"):rep(21), step = step } } })
    refused('"auth.mechanisms[1].name" must be', { mechanisms = { { name = "X Y", step = step } } })
    refused('has neither "start" nor "step"', { mechanisms = { { name = "X" } } })
  end)

  it("requires no binding that there cannot be", function()
    local added = { name = "X-BINDS", user = true, password = true, token = false, certificate = false, binds = true,
      only_named = true }
    table.insert(core.mechanisms, added)
    finally(function() table.remove(core.mechanisms) end)
    assert.is_true(resolve({ mechanisms = { "X-BINDS" }, require_channel_binding = true }).require_channel_binding)
    refused("needs a mechanism that binds", { mechanisms = { "PLAIN" }, require_channel_binding = true })
    refused('"tls" is "none"', { mechanisms = { "X-BINDS" }, require_channel_binding = true }, "none")
    assert.is_table(resolve({ mechanisms = { "PLAIN" } }, "none"))
  end)
end)
