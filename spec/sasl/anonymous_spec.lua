-- ANONYMOUS (RFC 4505): nobody logs in, and may say a word for the log.
local core = require "smtpsec.core"
local script = require "spec.support.script"

local clear = { tls = "none", insecure_cleartext = true }
local offers = "AUTH ANONYMOUS PLAIN"
local after = script.AFTER_LOGIN

local function login(who, ...)
  return script.login(offers, "ANONYMOUS", who, ...)
end

describe("ANONYMOUS", function()
  it("says the word (RFC 4505 section 4)", function()
    local result = login({ user = "sirhc" }, { expect = "AUTH ANONYMOUS c2lyaGM=\r\n", reply = "235 ok\r\n" }, after)
    assert.is_nil(result.failure)
    assert.equal("AUTH 235 ok", result.events[3])
  end)

  it("says none, and never a password", function()
    local result = login({ password = "secret" }, { expect = "AUTH ANONYMOUS =\r\n", reply = "235 ok\r\n" }, after)
    assert.is_nil(result.failure)
  end)

  it("has no answer to a challenge", function()
    local result = login({}, { expect = "AUTH ANONYMOUS =\r\n", reply = "334 \r\n" })
    assert.same({ "auth", "the server sent one challenge more than ANONYMOUS has" },
      { result.failure.status, result.failure.text })
  end)

  it("says up to 255 characters of UTF-8, without controls", function()
    for _, user in ipairs { "a@example.com", "ünal", ("x"):rep(255), ("ü"):rep(255), " ", "\194\160" } do
      assert.is_truthy(script.ready(offers, clear):auth("ANONYMOUS", { user = user }))
    end
    local conn = script.ready(offers, clear)
    for _, user in ipairs {
      ("x"):rep(256), ("ü"):rep(256), "a\nb", "\127", "\194\128", "\194\159", "\255", "\195", "\237\160\128",
    } do
      local tag, status, text = conn:auth("ANONYMOUS", { user = user })
      assert.same({ "argument", "a trace is up to 255 characters of UTF-8 without controls (RFC 4505, 2)", "" },
        { tag or status, text, conn:output() })
    end
    assert.is_truthy(conn:auth("ANONYMOUS", {}))
  end)

  it("needs nothing, and is chosen only by name, as is DIGEST-MD5", function()
    local named = {}
    for _, mechanism in ipairs(core.mechanisms) do
      named[#named + 1] = mechanism.only_named and mechanism.name or nil
      if mechanism.name == "ANONYMOUS" then
        assert.same({ false, false, false, false },
          { mechanism.user, mechanism.password, mechanism.token, mechanism.certificate })
      end
    end
    assert.same({ "DIGEST-MD5", "ANONYMOUS" }, named)
  end)
end)
