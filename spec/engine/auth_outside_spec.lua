-- A login by a mechanism that stands outside (conn:auth_outside): the caller has the words, the engine has the rules.
local core = require "smtpsec.core"
local new_ends = require "spec.support.tls_ends".new
local script = require "spec.support.script"

local clear = { tls = "none", insecure_cleartext = true }
local offers = "PIPELINING\nAUTH X-OWN PLAIN x-lower X-LONGER-THAN-TWENTY-ONE X.DOT"
local early = "the server accepted the login by X-OWN before the exchange was complete"

local function challenge(text)
  return "334 " .. core.base64(text) .. "\r\n"
end

-- A connection on which AUTH X-OWN was said, and what was said.
local function begun(initial, done)
  local conn = script.ready(offers, clear)
  assert(conn:auth_outside("X-OWN", initial, done))
  return conn, script.drain(conn)
end

-- The event that bytes of the server bring.
local function answer(conn, bytes)
  local kind, a, b, c = script.answer(conn, bytes)
  if kind == "reply" then return { a, c } end
  return { kind or false, a, b }
end

local function accepts(conn)
  assert.same({ "AUTH", 235 }, answer(conn, "235 2.7.0 ok\r\n"))
  assert(conn:noop())
  assert.same({ "NOOP", 250 }, answer(conn, "250 ok\r\n"))
end

describe("AUTH by a mechanism outside", function()
  it("may say it all at once", function()
    local conn, said = begun("all of it", true)
    assert.equal("AUTH X-OWN " .. core.base64 "all of it" .. "\r\n", said)
    accepts(conn)
  end)

  it("may say nothing, which is something", function()
    local conn, said = begun("", true)
    assert.equal("AUTH X-OWN =\r\n", said)
    accepts(conn)
  end)

  it("may wait for the first challenge, and answers each", function()
    local conn, said = begun()
    assert.equal("AUTH X-OWN\r\n", said)
    for _, words in ipairs { "one", "", "\0\255" } do
      assert.same({ "challenge", words }, answer(conn, challenge(words)))
      assert.equal("", conn:output())
      assert.is_true(conn:respond("to " .. words))
      assert.equal(core.base64("to " .. words) .. "\r\n", script.drain(conn))
    end
    assert.same({ "challenge", "last" }, answer(conn, challenge "last"))
    assert.is_true(conn:respond("", true))
    assert.equal("\r\n", script.drain(conn))
    accepts(conn)
  end)

  -- "AUTH X-OWN " and CRLF leave 499 of 512 octets, which is base64 of 372 bytes at most.
  it("says first what did not fit the line of AUTH", function()
    local conn, said = begun(("x"):rep(372), true)
    assert.equal("AUTH X-OWN " .. core.base64(("x"):rep(372)) .. "\r\n", said)
    accepts(conn)
    for _, n in ipairs { 373, 9213 } do
      conn, said = begun(("x"):rep(n), true)
      assert.equal("AUTH X-OWN\r\n", said)
      assert.same({ nil, "state", "no challenge waits for a response" }, { conn:respond "mine" })
      assert.equal("again", answer(conn, "334 \r\n")[1])
      assert.equal(core.base64(("x"):rep(n)) .. "\r\n", script.drain(conn))
      accepts(conn)
      conn = begun(("x"):rep(n), true)
      assert.same({ false, "auth", early }, answer(conn, "235 ok\r\n"))
    end
    conn = begun(("x"):rep(373))
    answer(conn, "334 \r\n")
    assert.same({ "challenge", "more" }, answer(conn, challenge "more"))
  end)

  it("hears a refusal, and the connection is as good as before", function()
    for _, code in ipairs { 535, 454, 504 } do
      local conn = begun("x")
      assert.same({ "challenge", "y" }, answer(conn, challenge "y"))
      conn:respond("z")
      assert.same({ "AUTH", code }, answer(conn, code .. " no\r\n"))
      assert.same({ nil, "state", "no challenge waits for a response" }, { conn:respond "late" })
      assert.is_truthy(conn:auth_outside("X-OWN", "again", true))
      accepts(conn)
    end
  end)

  it("is not over before it says so", function()
    for _, initial in ipairs { false, "x" } do
      assert.same({ false, "auth", early }, answer((begun(initial or nil)), "235 ok\r\n"))
    end
    local conn = begun()
    answer(conn, challenge "")
    conn:respond("half")
    assert.same({ false, "auth", early }, answer(conn, "235 ok\r\n"))
  end)

  it("is not answered before it was written", function()
    local conn = begun()
    answer(conn, challenge "")
    conn:respond("never written", true)
    conn:feed "235 ok\r\n"
    assert.same({ nil, "protocol", "the server answered AUTH before it was sent" }, { conn:next() })
  end)

  it("hears no challenge after it was over", function()
    local conn = begun("x", true)
    assert.same({ false, "auth", "the server sent one challenge more than X-OWN has" }, answer(conn, challenge ""))
    conn = begun()
    answer(conn, challenge "")
    conn:respond("x", true)
    assert.same({ false, "auth", "the server sent one challenge more than X-OWN has" }, answer(conn, challenge ""))
  end)

  it("hears 16 challenges, and no more", function()
    local conn = begun()
    for _ = 1, 16 do
      assert.same({ "challenge", "go on" }, answer(conn, challenge "go on"))
      assert.is_true(conn:respond "x")
    end
    assert.same({ false, "auth", "the server sent one challenge more than X-OWN has" },
      answer(conn, challenge "go on"))
    assert.is_nil((conn:respond "x"))
  end)

  it("hears no challenge that is garbage, or too long", function()
    for _, text in ipairs { "no base64!", "QQ", "QR==", "=" } do
      local conn = begun()
      assert.same({ false, "auth", "the server sent a challenge that is not base64" },
        answer(conn, "334 " .. text .. "\r\n"))
    end
    local conn = begun()
    assert.same({ "challenge", ("x"):rep(3066) }, answer(conn, challenge(("x"):rep(3066))))
    conn = begun()
    assert.equal("limit", answer(conn, challenge(("x"):rep(3069)))[2])
  end)

  describe("takes AUTH back", function()
    local function taken_back()
      local conn = begun()
      answer(conn, challenge "x")
      assert.is_true(conn:respond(nil))
      assert.equal("*\r\n", script.drain(conn))
      return conn
    end

    it("and may try again", function()
      local conn = taken_back()
      assert.same({ "AUTH", 501 }, answer(conn, "501 5.0.0 cancelled\r\n"))
      assert.is_truthy(conn:auth_outside("X-OWN", "x", true))
      accepts(conn)
    end)

    it("once, and says nothing after it", function()
      local conn = taken_back()
      assert.same({ nil, "state", "no challenge waits for a response" }, { conn:respond(nil) })
      assert.same({ nil, "state", "no challenge waits for a response" }, { conn:respond("x", true) })
      assert.equal("", conn:output())
    end)

    it("which a server may not take for a login, nor go on", function()
      assert.same({ false, "auth", early }, answer(taken_back(), "235 ok\r\n"))
      assert.same({ false, "auth", "the server sent one challenge more than X-OWN has" },
        answer(taken_back(), challenge "x"))
    end)
  end)

  describe("refuses, and changes nothing:", function()
    local function refused(status, words, conn, method, ...)
      local before = { conn:output(), conn:phase(), conn:waiting(), conn:idle() }
      local result, actual, text = conn[method](conn, ...)
      assert.same({ status, words }, { result or actual, text })
      assert.same(before, { conn:output(), conn:phase(), conn:waiting(), conn:idle() })
      assert.is_false(conn:failed())
    end

    it("a response when none is due", function()
      local words = "no challenge waits for a response"
      local conn = script.ready(offers, clear)
      refused("state", words, conn, "respond", "x")
      refused("state", words, conn, "respond", nil)
      assert(conn:auth_outside("X-OWN"))
      refused("state", words, conn, "respond", "before it was said")
      script.drain(conn)
      refused("state", words, conn, "respond", "before the challenge")
      refused("state", words, conn, "respond", nil)
      conn:feed(challenge "x")
      refused("state", words, conn, "respond", "before it was heard")
      assert.equal("challenge", (conn:next()))
      assert.is_true(conn:respond "x")
      refused("state", words, conn, "respond", "twice")
      script.drain(conn)
      assert.same({ "challenge", "y" }, answer(conn, challenge "y"))
      assert.is_true(conn:respond("y", true))
      accepts(conn)
      refused("state", words, conn, "respond", "after the end")
    end)

    it("a response to a mechanism of the engine's own", function()
      local conn = script.ready("AUTH LOGIN", clear)
      conn:auth("LOGIN", { user = "user", password = "secret" })
      script.drain(conn)
      refused("state", "no challenge waits for a response", conn, "respond", "x")
      conn:feed "334 \r\n"
      assert.equal("again", (conn:next()))
      assert.equal("dXNlcg==\r\n", (conn:output()))
      refused("state", "no challenge waits for a response", conn, "respond", "x")
      refused("state", "no challenge waits for a response", conn, "respond", nil)
    end)

    it("words that no line can hold", function()
      local conn = script.ready(offers, clear)
      local words = "a response has at most 9213 bytes"
      refused("argument", words, conn, "auth_outside", "X-OWN", ("x"):rep(9214), true)
      assert(conn:auth_outside("X-OWN"))
      answer(conn, challenge "x")
      refused("argument", words, conn, "respond", ("x"):rep(9214), true)
      assert.is_true(conn:respond(("x"):rep(9213), true))
      assert.equal(12288, #script.drain(conn) + 2)
      accepts(conn)
    end)

    it("names that are none, or are not offered", function()
      local conn = script.ready(offers, clear)
      local none = "this is not the name of a SASL mechanism (RFC 4422, 3.1)"
      for _, name in ipairs { "x-lower", "x-own", "X-LONGER-THAN-TWENTY-ONE", "X.DOT" } do
        refused("argument", none, conn, "auth_outside", name, "x", true)
      end
      for _, name in ipairs { "X-OTHER", "X-OW", "X-OWNS" } do
        refused("unoffered", "the server does not offer AUTH " .. name, conn, "auth_outside", name, "x", true)
      end
      for _, name in ipairs { "", "X-OWN ", "X-OWN PLAIN", "X-OWN\r\nRSET" } do
        local tag, status = conn:auth_outside(name, "x", true)
        assert.same({ nil, "unoffered", "" }, { tag, status, conn:output() })
      end
      assert.has_error(function() conn:auth_outside("X-OWN\0", "x", true) end)
      assert.is_truthy(conn:auth_outside("X-OWN", "x", true))
    end)

    it("a channel that nobody vouches for", function()
      refused("policy", "a password may only cross a channel that is encrypted to a verified server",
        script.ready(offers, { tls = "none" }), "auth_outside", "X-OWN", "x", true)
    end)

    it("a second login during one, which goes on, or after one", function()
      local conn = begun()
      assert.is_nil((conn:auth_outside("X-OWN", "x", true)))
      answer(conn, challenge "x")
      assert.is_nil((conn:auth_outside("X-OWN", "x", true)))
      assert.is_nil((conn:auth("PLAIN", { user = "u", password = "p" })))
      assert.is_true(conn:respond("mine", true))
      assert.equal(core.base64 "mine" .. "\r\n", script.drain(conn))
      accepts(conn)
      refused("state", "this connection is authenticated already (RFC 4954, 4)", conn, "auth_outside", "X-OWN")
    end)
  end)

  describe("in TLS", function()
    local asked = { expect = "AUTH X-OWN\r\n", reply = "334 \r\n" }
    local ends

    setup(function() ends = new_ends() end)

    teardown(function() ends:remove() end)

    local function login(...)
      return script.play {
        options = ends:options "implicit",
        peer = { { tls = ends.server }, { reply = "220 mail.test\r\n" },
          { expect = "EHLO client.test\r\n", reply = script.reply(250, "mail.test\n" .. offers) }, ... },
        client = function(client)
          client:event()
          client:event()
          client:ask("ehlo", "client.test")
          local event = client:ask("auth_outside", "X-OWN")
          while event == "challenge" do
            assert(client.conn:respond("x", true))
            event = client:event()
          end
        end,
      }
    end

    it("says the same", function()
      local result = login(asked, { expect = "eA==\r\n", reply = "235 ok\r\n" })
      assert.is_nil(result.failure)
      assert.equal("AUTH 235 ok", result.events[#result.events])
    end)

    it("tells a server that fails its part that AUTH is taken back", function()
      local result = login(asked, { expect = "eA==\r\n", reply = "334 \r\n" }, { expect = "*\r\n" })
      assert.equal("auth", result.failure.status)
      assert.equal(0, result.steps_left)
    end)
  end)
end)
