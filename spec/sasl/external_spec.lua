-- EXTERNAL (RFC 4422 appendix A): the certificate is the credential; what is said is as whom to act.
local core = require "smtpsec.core"
local script = require "spec.support.script"

local clear = { tls = "none", insecure_cleartext = true }
local offers = "AUTH EXTERNAL PLAIN"
local after = script.AFTER_LOGIN

local function login(who, ...)
  return script.login(offers, "EXTERNAL", who, ...)
end

describe("EXTERNAL", function()
  it("says nothing, which is something: = (RFC 4954 section 4)", function()
    local result = login({}, { expect = "AUTH EXTERNAL =\r\n", reply = "235 2.7.0 ok\r\n" }, after)
    assert.is_nil(result.failure)
    assert.equal("AUTH 235 [2.7.0] ok", result.events[3])
  end)

  it("says as whom to act", function()
    for _, user in ipairs { "fred@example.com", "ünal", "a b", ("x"):rep(300) } do
      local result = login({ user = user, password = "never said" },
        { expect = "AUTH EXTERNAL " .. core.base64(user) .. "\r\n", reply = "235 ok\r\n" }, after)
      assert.is_nil(result.failure)
    end
  end)

  it("waits for the challenge where the line would be too long, and only then is complete", function()
    local user = ("x"):rep(400)
    local asked = { expect = "AUTH EXTERNAL\r\n", reply = "334 \r\n" }
    local result = login({ user = user }, asked, { expect = core.base64(user) .. "\r\n", reply = "235 ok\r\n" }, after)
    assert.is_nil(result.failure)
    result = login({ user = user }, { expect = "AUTH EXTERNAL\r\n", reply = "235 ok\r\n" })
    assert.equal("auth", result.failure.status)
  end)

  it("is refused as any other, and has no answer to a challenge", function()
    local said = "AUTH EXTERNAL dQ==\r\n"
    local result = login({ user = "u" }, { expect = said, reply = "535 5.7.8 not you\r\n" }, after)
    assert.is_nil(result.failure)
    assert.equal("AUTH 535 [5.7.8] not you", result.events[3])
    result = login({ user = "u" }, { expect = said, reply = "334 \r\n" })
    assert.same({ "auth", "the server sent one challenge more than EXTERNAL has" },
      { result.failure.status, result.failure.text })
  end)

  it("says no name that is not UTF-8 without NUL", function()
    local conn = script.ready(offers, clear)
    for user, words in pairs {
      ["\255"] = "the user name is not UTF-8", ["u\195"] = "the user name is not UTF-8",
      ["u\0"] = "the user name contains a NUL",
    } do
      local tag, status, text = conn:auth("EXTERNAL", { user = user })
      assert.same({ "argument", words, "" }, { tag or status, text, conn:output() })
    end
    assert.is_truthy(conn:auth("EXTERNAL", { user = "u" }))
  end)

  it("is not for a channel that nobody vouches for", function()
    local tag, status = script.ready(offers, { tls = "none" }):auth("EXTERNAL", {})
    assert.same({ nil, "policy" }, { tag, status })
  end)

  it("needs a certificate, and is not left to those who name it", function()
    for _, mechanism in ipairs(core.mechanisms) do
      assert.equal(mechanism.name == "EXTERNAL", mechanism.certificate)
      if mechanism.certificate then
        assert.same({ false, false, false, false },
          { mechanism.user, mechanism.password, mechanism.token, mechanism.only_named })
      end
    end
  end)
end)
