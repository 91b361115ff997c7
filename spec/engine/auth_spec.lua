-- AUTH (RFC 4954) with PLAIN (RFC 4616), LOGIN and CRAM-MD5 (RFC 2195): what is said, what a hostile server may try,
-- and where a password never goes.
local core = require "smtpsec.core"
local script = require "spec.support.script"
local new_ends = require "spec.support.tls_ends".new

local clear = { tls = "none", insecure_cleartext = true }
local joe = { user = "u", password = "p" }
local plain = { "auth", "PLAIN", joe } -- a client's turn
local offers = "PIPELINING\nAUTH PLAIN LOGIN CRAM-MD5"

local function peer(...)
  return {
    { reply = "220 mail.test\r\n" },
    { expect = "EHLO client.test\r\n", reply = script.reply(250, "mail.test\n" .. offers) },
    ...
  }
end

local function login(mechanism, user, password, ...)
  return script.login(offers, mechanism, { user = user, password = password }, ...)
end

local after = script.AFTER_LOGIN

describe("AUTH", function()
  describe("PLAIN", function()
    it("says it all at once (RFC 4616 section 4)", function()
      local result = login("PLAIN", "tim", "tanstaaftanstaaf",
        { expect = "AUTH PLAIN AHRpbQB0YW5zdGFhZnRhbnN0YWFm\r\n", reply = "235 2.7.0 welcome\r\n" }, after)
      assert.is_nil(result.failure)
      assert.equal("AUTH 235 [2.7.0] welcome", result.events[3])
    end)

    it("carries UTF-8 and whatever else is no NUL", function()
      for _, password in ipairs { "pässwörd", "\r\n", " ", "=", "\255\1" } do
        local said = core.base64("\0ünal\0" .. password)
        local result = login("PLAIN", "ünal", password,
          { expect = "AUTH PLAIN " .. said .. "\r\n", reply = "235 ok\r\n" }, after)
        assert.is_nil(result.failure)
      end
    end)

    -- "AUTH PLAIN " and CRLF leave 499 of 512 octets, which is base64 of 372 bytes at most.
    it("waits for the challenge where the line would be too long", function()
      local fits, long = ("x"):rep(368), ("x"):rep(371)
      local result = login("PLAIN", "u", fits,
        { expect = "AUTH PLAIN " .. core.base64("\0u\0" .. fits) .. "\r\n", reply = "235 ok\r\n" }, after)
      assert.is_nil(result.failure)
      assert.is_true(#result.flights[2] <= 512)
      for _, challenge in ipairs { "334 \r\n", "334\r\n" } do
        result = login("PLAIN", "u", long, { expect = "AUTH PLAIN\r\n", reply = challenge },
          { expect = core.base64("\0u\0" .. long) .. "\r\n", reply = "235 ok\r\n" }, after)
        assert.is_nil(result.failure)
      end
    end)

    it("does not take 235 for a login before the credentials were asked for", function()
      local result = login("PLAIN", "u", ("x"):rep(400), { expect = "AUTH PLAIN\r\n", reply = "235 ok\r\n" })
      assert.same({ "auth", "the server accepted the login by PLAIN before the exchange was complete" },
        { result.failure.status, result.failure.text })
    end)

    it("has no answer to a challenge of its own", function()
      local result = login("PLAIN", "u", "p", { expect = "AUTH PLAIN AHUAcA==\r\n", reply = "334 \r\n" })
      assert.same({ "auth", "the server sent one challenge more than PLAIN has" },
        { result.failure.status, result.failure.text })
      result = login("PLAIN", "u", ("x"):rep(400), { expect = "AUTH PLAIN\r\n", reply = "334 \r\n" },
        { expect = core.base64("\0u\0" .. ("x"):rep(400)) .. "\r\n", reply = "334 \r\n" })
      assert.equal("auth", result.failure.status)
    end)
  end)

  describe("LOGIN", function()
    local first = { expect = "AUTH LOGIN\r\n", reply = "334 VXNlcm5hbWU6\r\n" }
    local second = { expect = "dXNlcg==\r\n", reply = "334 UGFzc3dvcmQ6\r\n" }

    it("answers the first prompt with the user, the second with the password", function()
      local result = login("LOGIN", "user", "secret", first, second,
        { expect = "c2VjcmV0\r\n", reply = "235 ok\r\n" }, after)
      assert.is_nil(result.failure)
      for _, prompt in ipairs { "", " ", " VXNlciBOYW1lAA==" } do
        result = login("LOGIN", "user", "secret",
          { expect = "AUTH LOGIN\r\n", reply = "334" .. prompt .. "\r\n" }, second,
          { expect = "c2VjcmV0\r\n", reply = "235 ok\r\n" }, after)
        assert.is_nil(result.failure)
      end
    end)

    it("does not take 235 for a login before the password was asked for", function()
      for _, steps in ipairs {
        { { expect = "AUTH LOGIN\r\n", reply = "235 ok\r\n" } },
        { first, { expect = "dXNlcg==\r\n", reply = "235 ok\r\n" } },
      } do
        local result = login("LOGIN", "user", "secret", steps[1], steps[2])
        assert.same({ "auth", "the server accepted the login by LOGIN before the exchange was complete" },
          { result.failure.status, result.failure.text })
      end
    end)

    it("ends after two prompts", function()
      local result = login("LOGIN", "user", "secret", first, second,
        { expect = "c2VjcmV0\r\n", reply = "334 eA==\r\n" })
      assert.same({ "auth", "the server sent one challenge more than LOGIN has" },
        { result.failure.status, result.failure.text })
    end)

    it("does not take what comes before an answer was written for the reply to it", function()
      for answered = 0, 1 do
        local conn = script.ready(offers, clear)
        conn:auth("LOGIN", { user = "user", password = "secret" })
        script.drain(conn)
        conn:feed "334 VXNlcm5hbWU6\r\n"
        assert.equal("again", (conn:next()))
        if answered == 1 then
          assert.equal("dXNlcg==\r\n", script.drain(conn))
        end
        conn:feed "334 UGFzc3dvcmQ6\r\n235 ok\r\n"
        local kind, status, text = conn:next()
        assert.is_nil(kind)
        assert.same({ "protocol", "the server answered AUTH before it was sent" }, { status, text })
      end
    end)
  end)

  describe("CRAM-MD5", function()
    local challenge = "334 PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+\r\n"

    it("answers the challenge with its digest (RFC 2195 section 2)", function()
      local result = login("CRAM-MD5", "tim", "tanstaaftanstaaf", { expect = "AUTH CRAM-MD5\r\n", reply = challenge },
        { expect = "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\r\n", reply = "235 ok\r\n" }, after)
      assert.is_nil(result.failure)
    end)

    it("needs a challenge, and one only", function()
      local result = login("CRAM-MD5", "tim", "x", { expect = "AUTH CRAM-MD5\r\n", reply = "334 \r\n" })
      assert.same({ "auth", "the server sent no challenge for CRAM-MD5" },
        { result.failure.status, result.failure.text })
      result = login("CRAM-MD5", "tim", "tanstaaftanstaaf", { expect = "AUTH CRAM-MD5\r\n", reply = challenge },
        { expect = "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw\r\n", reply = challenge })
      assert.same({ "auth", "the server sent one challenge more than CRAM-MD5 has" },
        { result.failure.status, result.failure.text })
      result = login("CRAM-MD5", "tim", "x", { expect = "AUTH CRAM-MD5\r\n", reply = "235 ok\r\n" })
      assert.equal("auth", result.failure.status)
    end)
  end)

  describe("hears", function()
    local said = "AUTH PLAIN AHUAcA==\r\n"

    it("a refusal, which leaves the connection usable", function()
      for _, reply in ipairs {
        "535 5.7.8 no\r\n", "454 4.7.0 later\r\n", "501 what\r\n", "503 again\r\n", "432 change\r\n",
      } do
        local result = script.everywhere {
          options = clear,
          client = { "event", { "ehlo", "client.test" }, plain, { "auth", "PLAIN", { user = "u", password = "q" } },
            { "mail", "a@client.test" } },
          peer = peer({ expect = said, reply = reply }, { expect = "AUTH PLAIN AHUAcQ==\r\n", reply = "235 ok\r\n" },
            { expect = "MAIL FROM:<a@client.test>\r\n", reply = "250 ok\r\n" }),
        }
        assert.is_nil(result.failure)
      end
    end)

    it("a refusal in the middle of an exchange", function()
      local result = login("LOGIN", "u", "p", { expect = "AUTH LOGIN\r\n", reply = "334 \r\n" },
        { expect = "dQ==\r\n", reply = "535 no\r\n" }, after)
      assert.is_nil(result.failure)
    end)

    it("421, and then it is over", function()
      local result = script.everywhere {
        options = clear, client = { "event", { "ehlo", "client.test" }, plain },
        peer = peer { expect = said, reply = "421 bye\r\n" },
      }
      assert.same({ "AUTH 421 bye", "closed" }, { result.events[3], result.failure.status })
    end)

    for _, code in ipairs { 250, 200, 220, 221, 251, 354, 335, 333, 300 } do
      it(("%d, which is no answer"):format(code), function()
        local result = login("PLAIN", "u", "p", { expect = said, reply = code .. " ok\r\n" })
        assert.same({ "auth", ("the server answered AUTH with %d"):format(code) },
          { result.failure.status, result.failure.text })
      end)
    end

    for challenge, words in pairs {
      ["no base64!"] = "not base64", ["QQ"] = "not base64", ["QQ="] = "not base64", ["QR=="] = "not base64",
      ["QQ==QQ=="] = "not base64", ["Q\195\188Q="] = "not base64", ["="] = "not base64", [" QQ=="] = "not base64",
      ["QQ== "] = "not base64", ["QQ\tQ"] = "not base64",
    } do
      it(("the challenge %q, which is garbage"):format(challenge), function()
        local result = login("LOGIN", "u", "p", { expect = "AUTH LOGIN\r\n", reply = "334 " .. challenge .. "\r\n" })
        assert.equal("auth", result.failure.status)
        assert.truthy(result.failure.text:find(words, 1, true))
        assert.is_nil(result.wire:find("dQ==", 1, true))
      end)
    end

    it("a challenge of several lines, which is garbage", function()
      local result = login("LOGIN", "u", "p", { expect = "AUTH LOGIN\r\n", reply = "334-QUFB\r\n334 QUFB\r\n" })
      assert.equal("auth", result.failure.status)
    end)

    it("a challenge as long as a line may be, and no longer", function()
      local function challenged(n)
        return script.play {
          options = clear, client = { "event", { "ehlo", "client.test" }, { "auth", "LOGIN", joe } },
          peer = peer({ expect = "AUTH LOGIN\r\n", reply = "334 " .. ("QUFB"):rep(n) .. "\r\n" },
            { expect = "dQ==\r\n", reply = "535 no\r\n" }),
        }.failure
      end
      assert.is_nil(challenged(1022))
      assert.equal("limit", challenged(1023).status)
      assert.equal("limit", challenged(300000).status)
    end)

    it("challenges without end, to which there is one", function()
      local conn = script.ready(offers, clear)
      conn:auth("CRAM-MD5", joe)
      local rounds = 0
      local kind, status
      repeat
        kind, status = script.answer(conn, "334 QUFB\r\n")
        rounds = rounds + 1
      until not kind or rounds == 100
      assert.equal(2, rounds)
      assert.equal("auth", status)
    end)
  end)

  describe("refuses, and queues nothing:", function()
    local function refused(conn, status, words, mechanism, user, password)
      local before = { conn:phase(), conn:waiting(), conn:idle() }
      local tag, actual, text = conn:auth(mechanism, { user = user, password = password })
      assert.is_nil(tag)
      assert.same({ status, words }, { actual, text })
      assert.equal("", conn:output())
      assert.same(before, { conn:phase(), conn:waiting(), conn:idle() })
      assert.is_false(conn:failed())
    end

    it("an empty user or password, or one with a NUL", function()
      local conn = script.ready(offers, clear)
      refused(conn, "argument", "the user name is empty", "PLAIN", "", "p")
      refused(conn, "argument", "the password is empty", "PLAIN", "u", "")
      for _, mechanism in ipairs { "PLAIN", "LOGIN", "CRAM-MD5" } do
        refused(conn, "argument", "the user name contains a NUL", mechanism, "u\0admin", "p")
        refused(conn, "argument", "the password contains a NUL", mechanism, "u", "\0p")
      end
      assert.is_truthy(conn:auth("PLAIN", joe))
    end)

    it("a user or password without end", function()
      local conn = script.ready(offers, clear)
      refused(conn, "argument", "the user name is longer than 9216 bytes", "PLAIN", ("u"):rep(9217), "p")
      refused(conn, "argument", "the password is longer than 9216 bytes", "PLAIN", "u", ("p"):rep(9217))
      assert.is_truthy(conn:auth("LOGIN", { user = "u", password = ("p"):rep(9216) }))
    end)

    it("a mechanism that there is not", function()
      local conn = script.ready(offers .. " X-OWN", clear)
      for _, name in ipairs { "X-OWN", "", "PLAI", "PLAIN ", "PLAIN\r\nRSET" } do
        refused(conn, "argument", "there is no mechanism of this name", name, "u", "p")
      end
      assert.has_error(function() conn:auth("PLAIN\0", joe) end)
      assert.is_truthy(conn:auth("plain", joe))
      assert.equal("AUTH PLAIN AHUAcA==\r\n", conn:output())
    end)

    it("a mechanism that is not offered", function()
      refused(script.ready("AUTH LOGIN", clear), "unoffered", "the server does not offer AUTH PLAIN", "PLAIN", "u", "p")
      refused(script.ready("SIZE", clear), "unoffered", "the server does not offer AUTH", "PLAIN", "u", "p")
    end)

    it("a second login after one", function()
      local conn = script.ready(offers, clear)
      conn:auth("PLAIN", joe)
      script.answer(conn, "235 ok\r\n")
      refused(conn, "state", "this connection is authenticated already (RFC 4954, 4)", "PLAIN", "u", "p")
    end)

    it("a second login during one, which goes on", function()
      for _, second in ipairs {
        { "LOGIN", "u", "p" }, { "PLAIN", "other", "one" }, { "LOGIN", "", "" }, { "NO", "u", "p" },
      } do
        local conn = script.ready(offers, clear)
        conn:auth("LOGIN", { user = "user", password = "secret" })
        script.drain(conn)
        assert.is_nil((conn:auth(second[1], { user = second[2], password = second[3] })))
        script.answer(conn, "334 \r\n")
        assert.equal("dXNlcg==\r\n", script.drain(conn))
        assert.is_nil((conn:auth(second[1], { user = second[2], password = second[3] })))
        script.answer(conn, "334 \r\n")
        assert.equal("c2VjcmV0\r\n", script.drain(conn))
        assert.equal("reply", (script.answer(conn, "235 ok\r\n")))
      end
    end)
  end)

  describe("by policy", function()
    local ends
    local words = "a password may only cross a channel that is encrypted to a verified server"

    setup(function()
      ends = new_ends()
    end)

    teardown(function()
      ends:remove()
    end)

    local function secured(changes, context)
      local result = script.play {
        options = ends:options("implicit", changes), client = { "event", "event", { "ehlo", "client.test" } },
        peer = { { tls = context or ends.server }, { reply = "220 mail.test\r\n" },
          { expect = "EHLO client.test\r\n", reply = script.reply(250, "mail.test\n" .. offers) } },
      }
      assert.is_nil(result.failure)
      return result.conn
    end

    local function may(conn)
      local tag, status, text = conn:auth("PLAIN", joe)
      if not tag then
        assert.same({ "policy", words }, { status, text })
        assert.equal("", conn:output())
        assert.is_false(conn:failed())
      end
      return tag ~= nil
    end

    it("is for verified TLS", function()
      local conn = secured()
      assert.equal("pkix", conn:tls().authenticated)
      assert.is_true(may(conn))
    end)

    it("is for one exchange at a time in TLS, too: nothing is answered before it was sent", function()
      local result = script.play {
        options = ends:options "implicit", client = { "event", "event", { "ehlo", "client.test" } },
        peer = { { tls = ends.server }, { reply = "220 mail.test\r\n" },
          { expect = "EHLO client.test\r\n", reply = script.reply(250, "mail.test\n" .. offers) } },
      }
      local conn, filter = result.conn, result.peer.filter
      conn:auth("LOGIN", { user = "user", password = "secret" })
      result.peer.steps = { { expect = "AUTH LOGIN\r\n" } }
      result.peer.at = 1
      result.peer:receive(script.drain(conn))
      filter:write "334 \r\n334 \r\n235 ok\r\n"
      conn:feed(filter:output())
      local kind, status, text = conn:next()
      assert.is_nil(kind)
      assert.same({ "protocol", "the server answered AUTH before it was sent" }, { status, text })
    end)

    it("is not for TLS with a server that was not verified, unless told so", function()
      local conn = secured({ verify = "none" }, ends.stranger)
      assert.is_false(conn:tls().authenticated)
      assert.is_false(may(conn))
      assert.is_true(may(secured({ verify = "none", insecure_cleartext = true }, ends.stranger)))
    end)

    it("is not for a clear channel, unless told so; CRAM-MD5 is no exception", function()
      assert.is_false(may(script.ready(offers, { tls = "none" })))
      assert.is_true(may(script.ready(offers, clear)))
      assert.is_false(may(script.ready(offers, ends:options "opportunistic")))
      local tag, status = script.ready(offers, { tls = "none" }):auth("CRAM-MD5", joe)
      assert.is_nil(tag)
      assert.equal("policy", status)
    end)
  end)

  it("knows its mechanisms, strongest first", function()
    local place = {}
    for i, mechanism in ipairs(core.mechanisms) do place[mechanism.name] = i end
    local order = { "SCRAM-SHA-512-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-512", "SCRAM-SHA-256",
      "SCRAM-SHA-1", "OAUTHBEARER", "XOAUTH2", "PLAIN", "LOGIN", "CRAM-MD5", "EXTERNAL", "DIGEST-MD5", "ANONYMOUS" }
    for i = 2, #order do
      assert.is_true(place[order[i - 1]] < place[order[i]], order[i])
    end
  end)
end)
