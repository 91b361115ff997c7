-- XOAUTH2 (as Google and Microsoft describe it) and OAUTHBEARER (RFC 7628): what is said, what a server may complain
-- of, and what is no token.
local core = require "smtpsec.core"
local script = require "spec.support.script"

local clear = { tls = "none", insecure_cleartext = true }
local offers = "PIPELINING\nAUTH XOAUTH2 OAUTHBEARER PLAIN"
local after = script.AFTER_LOGIN

local function login(...)
  return script.login(offers, ...)
end

local function challenge(text)
  return "334 " .. core.base64(text) .. "\r\n"
end

-- What a mechanism says of { user =, token =, … }, without AUTH and base64.
local function said(mechanism, who)
  local conn = script.ready(offers, clear)
  local tag, status, text = conn:auth(mechanism, who)
  if not tag then
    assert.same({ "", false }, { conn:output(), conn:failed() })
    assert.is_truthy(conn:auth("PLAIN", { user = "u", password = "p" }), "the connection is as good as before")
    return nil, status, text
  end
  return conn:output():match "^AUTH %u+2? ?(.*)\r\n$"
end

local google = { user = "someuser@example.com", token = "ya29.vF9dft4qmTc2Nvb3RlckBhdHRhdmlzdGEuY29tCg" }
local rfc = { user = "user@example.com", token = "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==",
  host = "server.example.com", port = 587 }

-- The vectors: Google's page, and RFC 7628 section 4.4, with their complaints; and what answers a complaint.
local mechanisms = {
  XOAUTH2 = {
    who = google, answer = "\r\n",
    initial = "dXNlcj1zb21ldXNlckBleGFtcGxlLmNvbQFhdXRoPUJlYXJlciB5YTI5LnZGOWRmdDRxbVRjMk52"
      .. "YjNSbGNrQmhkSFJoZG1semRHRXVZMjl0Q2cBAQ==",
    complaint = "eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIG1hYyIsInNjb3BlIjoiaHR0cHM6Ly9t"
      .. "YWlsLmdvb2dsZS5jb20vIn0K",
    means = '{"status":"401","schemes":"bearer mac","scope":"https://mail.google.com/"}\n',
  },
  OAUTHBEARER = {
    who = rfc, answer = "AQ==\r\n",
    initial = "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9NTg3AWF1"
      .. "dGg9QmVhcmVyIHZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB",
    complaint = "eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIiwic2NvcGUiOiJleGFtcGxlX3Njb3BlIiwib3Blbmlk"
      .. "LWNvbmZpZ3VyYXRpb24iOiJodHRwczovL2V4YW1wbGUuY29tLy53ZWxsLWtub3duL29wZW5pZC1j"
      .. "b25maWd1cmF0aW9uIn0=",
    means = '{"status":"invalid_token","scope":"example_scope",'
      .. '"openid-configuration":"https://example.com/.well-known/openid-configuration"}',
  },
}

for name, one in pairs(mechanisms) do
  describe(name, function()
    local first = "AUTH " .. name .. " " .. one.initial .. "\r\n"
    local refused = { expect = one.answer, reply = "535 5.7.8 no\r\n" }

    it("says it all at once", function()
      local result = login(name, one.who, { expect = first, reply = "235 2.7.0 welcome\r\n" }, after)
      assert.is_nil(result.failure)
      assert.equal("AUTH 235 [2.7.0] welcome", result.events[3])
      assert.is_nil(result.conn:complaint())
    end)

    it("hears a complaint out, answers it, and is told the refusal", function()
      local result = login(name, one.who, { expect = first, reply = "334 " .. one.complaint .. "\r\n" }, refused, after)
      assert.is_nil(result.failure)
      assert.equal("AUTH 535 [5.7.8] no", result.events[3])
      assert.equal(one.means, result.conn:complaint())
    end)

    it("hears any complaint, were it none", function()
      for text, kept in pairs {
        ["no JSON"] = "no JSON", ["{\0\255"] = "{\0\255", [""] = false, [("x"):rep(1024)] = ("x"):rep(1024),
        [("x"):rep(1025) .. "y"] = ("x"):rep(1024), [("z"):rep(3060)] = ("z"):rep(1024),
      } do
        local result = script.play { options = clear, client = script.client({ "auth", name, one.who }, { "noop" }),
          peer = script.peer(offers, { expect = first, reply = challenge(text) }, refused, after) }
        assert.is_nil(result.failure)
        assert.equal(kept or nil, result.conn:complaint())
      end
    end)

    it("hears no complaint without end", function()
      for _, n in ipairs { 3070, 2 ^ 20 } do
        local result = script.play { options = clear, client = script.client { "auth", name, one.who },
          peer = script.peer(offers, { expect = first, reply = challenge(("x"):rep(n)) }) }
        assert.equal("limit", result.failure.status)
      end
    end)

    it("forgets the complaint when it begins anew", function()
      local result = script.play { options = clear,
        client = script.client({ "auth", name, one.who }, { "auth", name, one.who }),
        peer = script.peer(offers, { expect = first, reply = challenge "expired" }, refused,
          { expect = first, reply = "235 ok\r\n" }) }
      assert.is_nil(result.failure)
      assert.equal("AUTH 235 ok", result.events[4])
      assert.is_nil(result.conn:complaint())
    end)

    it("does not believe 235 after a complaint", function()
      local result = login(name, one.who, { expect = first, reply = challenge "no" },
        { expect = one.answer, reply = "235 ok\r\n" })
      assert.same({ "auth", "the server accepted the login by " .. name .. " before the exchange was complete" },
        { result.failure.status, result.failure.text })
      assert.equal("no", result.conn:complaint())
    end)

    it("hears one complaint, not two", function()
      local result = login(name, one.who, { expect = first, reply = challenge "no" },
        { expect = one.answer, reply = challenge "no" })
      assert.same({ "auth", "the server sent one challenge more than " .. name .. " has" },
        { result.failure.status, result.failure.text })
    end)

    it("ends an exchange of challenges without end", function()
      local conn, rounds = script.ready(offers, clear), 0
      conn:auth(name, one.who)
      local kind, status
      repeat
        kind, status = script.answer(conn, challenge "again")
        rounds = rounds + 1
      until not kind or rounds == 100
      assert.same({ 2, "auth" }, { rounds, status })
    end)

    it("waits for the challenge where the line would be too long", function()
      local who = { user = "u", token = ("t"):rep(2000) }
      local header = name == "XOAUTH2" and "user=u\1" or "n,a=u,\1"
      local long = core.base64(header .. "auth=Bearer " .. who.token .. "\1\1")
      local result = script.play { options = clear, client = script.client({ "auth", name, who }, { "noop" }),
        peer = script.peer(offers, { expect = "AUTH " .. name .. "\r\n", reply = "334 \r\n" },
          { expect = long .. "\r\n", reply = challenge "no" }, refused, after) }
      assert.is_nil(result.failure)
      assert.equal("no", result.conn:complaint())
      result = login(name, who, { expect = "AUTH " .. name .. "\r\n", reply = "235 ok\r\n" })
      assert.equal("auth", result.failure.status)
    end)

    it("says no token that is none (RFC 6750, 2.1)", function()
      for _, token in ipairs { "a", "a=", "a==", "azAZ09-._~+/==" } do
        assert.is_truthy(said(name, { user = "u", token = token }))
      end
      for _, token in ipairs { "=", "a=b", "a b", " a", "a\n", "a\r\n", "a\1host=evil", "pa$$word", "\195\188" } do
        local initial, status, text = said(name, { user = "u", token = token })
        assert.same({ nil, "argument" }, { initial, status })
        assert.equal("the token contains characters that no bearer token has (RFC 6750, 2.1)", text)
      end
    end)

    it("needs a user and a token; a password is none", function()
      assert.same({ nil, "argument", "the token is empty" }, { said(name, { user = "u", password = "p" }) })
      assert.same({ nil, "argument", "the user name is empty" }, { said(name, { token = "t" }) })
      assert.same({ nil, "argument", "the token contains a NUL" }, { said(name, { user = "u", token = "t\0" }) })
    end)

    it("says no name that would end the key-value it stands in", function()
      for _, user in ipairs { "ünal", "a b", "a,b", "a=b" } do
        assert.is_truthy(said(name, { user = user, token = "t" }))
      end
      for _, user in ipairs { "u\1auth=Bearer x", "u\r\n", "u\127", "\255", "u\195" } do
        assert.same({ nil, "argument", "the user name is not UTF-8, or contains control characters" },
          { said(name, { user = user, token = "t" }) })
      end
    end)

    it("says nothing that no line can hold", function()
      local initial, status, text = said(name, { user = ("u"):rep(9000), token = ("t"):rep(9000) })
      assert.same({ nil, "argument", "the credentials make a response of more than 9213 bytes" },
        { initial, status, text })
      initial, status = said(name, { user = (","):rep(9216), token = ("t"):rep(9216) })
      assert.same({ nil, "argument" }, { initial, status })
    end)
  end)
end

describe("OAUTHBEARER", function()
  it("escapes the name (RFC 5801 section 4), and says of the server what is known", function()
    local function says(who)
      return said("OAUTHBEARER", who)
    end
    assert.equal(core.base64 "n,a=a=2Cb=3Dc,\1auth=Bearer t\1\1", says { user = "a,b=c", token = "t" })
    assert.equal(core.base64 "n,a=u,\1host=mail.test\1auth=Bearer t\1\1",
      says { user = "u", token = "t", host = "mail.test" })
    assert.equal(core.base64 "n,a=u,\1port=65535\1auth=Bearer t\1\1", says { user = "u", token = "t", port = 65535 })
    assert.same({ nil, "argument", "the server's name is not UTF-8, or contains control characters" },
      { says { user = "u", token = "t", host = "mail.test\1port=1" } })
    assert.same({ nil, "argument", "the server's name is longer than 255 bytes" },
      { says { user = "u", token = "t", host = ("h"):rep(256) } })
  end)
end)
