local environment = require "smtpsec.config.environment"
local tls = require "smtpsec.config.tls"

local FILES = { ["ca.pem"] = true, ["crl.pem"] = true, ["certs"] = true, ["me.pem"] = true, ["me.key"] = true }

local PIN = ("A"):rep(43) .. "="

local world = environment.new {
  readable = function(path)
    if FILES[path] then return true end
    return nil, path .. ": No such file or directory"
  end,
}

local function resolve(option, place)
  return tls.resolve(option, place or { mode = "starttls", host = "h" }, world)
end

-- options that are accepted, and the like that are not, with what is said
local CASES = {
  { { ca_file = "ca.pem" }, { ca_file = "none.pem" }, '"tls.ca_file" cannot be opened: none.pem' },
  { { ca_path = "certs" }, { ca_path = "none" }, '"tls.ca_path" cannot be opened' },
  { { crl_file = "crl.pem" }, { crl_file = "none" }, '"tls.crl_file" cannot be opened' },
  { { cert = "me.pem", key = "me.key" }, { cert = "none" }, '"tls.cert" cannot be opened' },
  { { cert = "me.pem" }, { key = "me.key" }, '"tls.key" is given without "tls.cert"' },
  { { cert = "me.pem", key_password = "hunter2" }, { key_password = "hunter2" },
    '"tls.key_password" is given without' },
  { { cert = "me.pem", key = "me.key" }, { cert = "me.pem", key = "-----BEGIN PRIVATE KEY-----\nhunter2" },
    '"tls.key" must be the path' },
  { { verify = "pin", pins = { PIN } }, { verify = "pin" }, 'there are no "tls.pins"' },
  { { pins = { PIN } }, { pins = {} }, '"tls.pins" is empty' },
  { { insecure_skip_verify = true }, { insecure_skip_verify = true, verify = "pkix" }, 'what "tls.verify" asks for' },
  { { insecure_skip_verify = false, pins = { PIN } }, { insecure_skip_verify = true, pins = { PIN } },
    'what "tls.pins" asks for' },
  { { pins = { PIN, PIN } }, { pins = { PIN, "sha256/" .. PIN } }, '"tls.pins[2]" must be the base64' },
  { { pins = { PIN } }, { pins = { ("A"):rep(44) } }, '"tls.pins[1]" must be the base64' },
  { { pins = { ("A"):rep(42) .. "8=" } }, { pins = { ("A"):rep(42) .. "9=" } }, '"tls.pins[1]" must be the base64' },
  { { server_name = "mail.example" }, { server_name = "a b" }, '"tls.server_name" "a b" has' },
}

describe("config.tls", function()
  for _, case in ipairs(CASES) do
    it("accepts what makes sense, and refuses with: " .. case[3], function()
      assert.is_table(resolve(case[1]))
      local settings, why = resolve(case[2])
      assert.is_nil(settings)
      assert.is_truthy(why:find(case[3], 1, true), why)
      assert.is_nil(why:find("hunter2", 1, true))
    end)
  end

  it("is strict where nothing is said", function()
    assert.same({ mode = "starttls", verify = "pkix", insecure_skip_verify = false, min_version = "TLSv1.2",
      session_cache = true }, resolve(nil))
    assert.same(resolve(nil), resolve "starttls")
    assert.equal("implicit", resolve(nil, { mode = "implicit", host = "h" }).mode)
  end)

  it("keeps what was said, and does not touch the caller's table", function()
    local option = { ca_file = "ca.pem", min_version = "TLSv1.3", session_cache = false, server_name = "[::1]" }
    local settings = resolve(option)
    assert.equal("ca.pem", settings.ca_file)
    assert.equal("TLSv1.3", settings.min_version)
    assert.is_false(settings.session_cache)
    assert.equal("::1", settings.server_name)
    assert.same({ ca_file = "ca.pem", min_version = "TLSv1.3", session_cache = false, server_name = "[::1]" }, option)
  end)

  it("refuses options that the mode would make useless", function()
    assert.is_table(resolve("none", { mode = "none", host = "h" }))
    assert.is_table(resolve({ mode = "none" }, { mode = "none", host = "h" }))
    local settings, why = resolve({ mode = "none", verify = "pkix", ca_file = "ca.pem" }, { mode = "none",
      host = "h" })
    assert.is_nil(settings)
    assert.is_truthy(why:find('"tls.ca_file" has no effect with mode "none"', 1, true), why)
  end)

  it("needs a name to check for a socket that has none", function()
    assert.is_table(resolve(nil, { mode = "none", path = "/run/x" }))
    assert.is_table(resolve({ server_name = "h" }, { mode = "starttls", path = "/run/x" }))
    local _, why = resolve(nil, { mode = "starttls", path = "/run/x" })
    assert.is_truthy(why:find('"tls.server_name" is needed', 1, true), why)
  end)

  it("refuses a key that others may change", function()
    local modes = {}
    local around = environment.new { readable = world.readable, access = function(path)
      return tonumber(modes[path] or "600", 8), 0, 0
    end }
    local function of(option) return tls.resolve(option, { mode = "starttls", host = "h" }, around) end
    modes["me.pem"] = "666"
    assert.is_table(of { cert = "me.pem", key = "me.key" })
    local settings, why = of { cert = "me.pem" }
    assert.is_nil(settings)
    assert.is_truthy(why:find('"tls.cert" cannot be used: me.pem (mode 0666)', 1, true), why)
    modes["me.key"] = "660"
    settings, why = of { cert = "me.pem", key = "me.key" }
    assert.is_nil(settings)
    assert.is_truthy(why:find('"tls.key" cannot be used: me.key (mode 0660)', 1, true), why)
    modes["me.key"] = "644"
    settings, why = of { cert = "me.pem", key = "me.key" }
    assert.is_table(settings)
    assert.is_truthy(why:find("may read me.key", 1, true), why)
    settings, why = of { ca_file = "ca.pem" }
    assert.is_table(settings)
    assert.is_nil(why)
  end)

  it("refuses a password of the key that has no one source", function()
    local settings, why = resolve { cert = "me.pem", key_password = {} }
    assert.is_nil(settings)
    assert.is_truthy(why:find('"tls.key_password" must be either', 1, true), why)
  end)

  it("keeps the key's password to itself", function()
    local settings = resolve { cert = "me.pem", key_password = "hunter2" }
    assert.equal("***", tostring(settings.key_password))
    assert.equal("hunter2", settings.key_password:reveal())
  end)
end)
