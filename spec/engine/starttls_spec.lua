-- From clear to TLS (RFC 3207). What a machine in the middle may try stands beside the honest session, which is
-- played at every cut of its bytes.
local script = require "spec.support.script"
local new_ends = require "spec.support.tls_ends".new

local hello = { expect = "EHLO client.test\r\n", reply = "250-mail.test\r\n250-PIPELINING\r\n250 STARTTLS\r\n" }
local plain = { "auth", "PLAIN", { user = "u", password = "p" } }
local clear_turns = { "event", { "ehlo", "client.test" }, { "starttls" }, "event" }

describe("STARTTLS", function()
  local ends

  setup(function()
    ends = new_ends()
  end)

  teardown(function()
    ends:remove()
  end)

  local function turns(...)
    local all = {}
    for _, list in ipairs { clear_turns, { ... } } do
      for _, turn in ipairs(list) do
        all[#all + 1] = turn
      end
    end
    return all
  end

  local function peer(...)
    return { { reply = "220 mail.test\r\n" }, hello, ... }
  end

  local function start(context)
    return { expect = "STARTTLS\r\n", reply = "220 2.0.0 go\r\n" }, { tls = context }
  end

  -- A session that goes all the way.
  local function honest(context)
    local go, tls = start(context)
    return {
      options = ends:options "starttls",
      client = turns({ "ehlo", "client.test" }, { "auth", "PLAIN", { user = "user", password = "password" } },
        { { "mail", "a@client.test" }, { "rcpt", "b@mail.test" }, { "data" } }, { body = ".secret\n" }, { { "finish" },
        { "quit" } }),
      peer = peer(go, tls,
        { expect = "EHLO client.test\r\n", reply = "250-mail.test\r\n250-PIPELINING\r\n250 AUTH PLAIN\r\n" },
        { expect = "AUTH PLAIN AHVzZXIAcGFzc3dvcmQ=\r\n", reply = "235 2.7.0 welcome\r\n" },
        { expect = "MAIL FROM:<a@client.test>\r\nRCPT TO:<b@mail.test>\r\nDATA\r\n",
          reply = "250 ok\r\n250 ok\r\n354 go\r\n" },
        { expect = "..secret\r\n.\r\nQUIT\r\n", reply = "250 queued\r\n221 bye\r\n" }, { close = "notify" }),
    }
  end

  for _, version in ipairs { "server", "server12" } do
    it("is the same session at every cut of the bytes, with " .. version, function()
      local result = script.everywhere(honest(ends[version]), version == "server" and 1 or 3)
      assert.same({
        "greeting 220 mail.test", "EHLO 250 mail.test|PIPELINING|STARTTLS", "STARTTLS 220 [2.0.0] go", "secured",
        "EHLO 250 mail.test|PIPELINING|AUTH PLAIN", "AUTH 235 [2.7.0] welcome", "MAIL 250 ok", "RCPT 250 ok",
        "DATA 354 go", "end 250 queued", "QUIT 221 bye",
      }, result.events)
      assert.equal("pkix", result.conn:tls().authenticated)
    end)
  end

  it("may not be offered, or no longer: then it is not said", function()
    for _, offers in ipairs { "PIPELINING", "XSTARTTLS", "STARTTLS-NOT" } do
      local conn = script.ready(offers, ends:options "starttls")
      local tag, status, text = conn:starttls()
      assert.is_nil(tag)
      assert.equal("unoffered", status)
      assert.equal("the server does not offer STARTTLS", text)
      assert.equal("", conn:output())
    end
    local conn = script.ready("STARTTLS", ends:options "starttls")
    assert(conn:starttls())
  end)

  it("has no place where there is no TLS, or TLS already", function()
    local conn = script.ready("STARTTLS", { tls = "none" })
    assert.equal("state", (select(2, conn:starttls())))
    local go, tls = start(ends.server)
    local result = script.play {
      options = ends:options "starttls", client = turns { "ehlo", "client.test" }, peer = peer(go, tls, hello),
    }
    assert.equal("", result.conn:capabilities().STARTTLS) -- though it is offered again
    local tag, status = result.conn:starttls()
    assert.is_nil(tag)
    assert.equal("state", status)
    assert.is_false(result.conn:failed())
  end)

  it("is waited for: nothing is in its flight, before or behind", function()
    local conn = script.ready("PIPELINING\nSTARTTLS", ends:options "starttls")
    conn:rset()
    conn:starttls()
    assert.is_nil(conn:noop())
    assert.is_nil(conn:quit())
    assert.equal("RSET\r\n", script.drain(conn))
    assert.equal("", conn:output())
    conn:feed "250 ok\r\n"
    conn:next()
    assert.equal("STARTTLS\r\n", script.drain(conn))
  end)

  describe("that is required", function()
    for _, mode in ipairs { "starttls", "implicit" } do
      it("lets no secret and no mail out before it, mode " .. mode, function()
        local options = ends:options(mode, { insecure_cleartext = true })
        local conn = mode == "starttls" and script.ready("STARTTLS\nAUTH PLAIN", options)
          or assert(require "smtpsec.core".connection(options))
        script.drain(conn)
        local tag, status, text = conn:mail "a@client.test"
        assert.is_nil(tag)
        assert.same({ "policy", "MAIL is refused before TLS is up" }, { status, text })
        tag, status, text = conn:auth("PLAIN", { user = "user", password = "password" })
        assert.is_nil(tag)
        assert.same({ "policy", "AUTH is refused before TLS is up" }, { status, text })
        assert.equal("", conn:output())
        assert.is_false(conn:failed())
      end)
    end

    it("and refused leaves it so", function()
      for _, reply in ipairs { "454 4.7.0 not now\r\n", "502 no\r\n", "554 no\r\n" } do
        local result = script.everywhere {
          options = ends:options "starttls", client = { "event", { "ehlo", "client.test" }, { "starttls" } },
          peer = peer { expect = "STARTTLS\r\n", reply = reply },
        }
        assert.is_nil(result.failure)
        local conn = result.conn
        assert.is_nil(conn:tls())
        assert.equal("policy", (select(2, conn:mail "a@client.test")))
        assert.equal("policy", (select(2, conn:auth("PLAIN", { user = "u", password = "p" }))))
        assert.is_truthy(conn:quit())
      end
    end)

    it("and left out goes nowhere", function()
      local conn = script.ready("PIPELINING", ends:options "starttls")
      assert.equal("policy", (select(2, conn:mail "a@client.test")))
      conn:helo "client.test"
      script.answer(conn, "250 mail.test\r\n")
      assert.equal("policy", (select(2, conn:mail "a@client.test")))
    end)
  end)

  it("that is not required lets mail out in clear, and a password by its own switch only", function()
    local conn = script.ready("STARTTLS\nAUTH PLAIN", ends:options "opportunistic")
    assert.equal("policy", (select(2, conn:auth("PLAIN", { user = "u", password = "p" }))))
    assert.is_truthy(conn:mail "a@client.test")
    conn = script.ready("STARTTLS\nAUTH PLAIN", ends:options("opportunistic", { insecure_cleartext = true }))
    assert.is_truthy(conn:auth("PLAIN", { user = "u", password = "p" }))
  end)

  describe("forgets what was said in clear:", function()
    local function secured(changes, ...)
      local go, tls = start(ends.server)
      return script.play {
        options = ends:options("starttls", changes), client = turns(...),
        peer = { { reply = "220 mail.test\r\n" },
          { expect = hello.expect, reply = "250-mail.test\r\n250-STARTTLS\r\n250-AUTH PLAIN\r\n250 PIPELINING\r\n" },
          go, tls, { expect = hello.expect, reply = "250-mail.test\r\n250 SIZE\r\n" } },
      }
    end

    it("EHLO is due", function()
      local conn = secured().conn
      assert.same({}, conn:capabilities())
      assert.is_nil(conn:server_name())
      assert.is_false(conn:idle())
      for _, command in ipairs { { "mail", "a@client.test" }, { "noop" }, { "rset" }, plain } do
        local tag, status, text = conn[command[1]](conn, command[2], command[3], command[4])
        assert.is_nil(tag)
        assert.equal("state", status)
        assert.equal(command[1]:upper() .. " is not allowed before EHLO", text)
      end
      assert.is_truthy(conn:ehlo "client.test")
    end)

    it("what it offers then is what counts", function()
      local conn = secured(nil, { "ehlo", "client.test" }).conn
      assert.same({ SIZE = "" }, conn:capabilities())
      assert.equal("unoffered", (select(2, conn:auth("PLAIN", { user = "u", password = "p" }))))
      conn:mail "a@client.test"
      conn:rset()
      assert.is_truthy(conn:output())
    end)

    it("a login, too", function()
      local go, tls = start(ends.server)
      local ehlo = { expect = hello.expect, reply = "250-mail.test\r\n250-STARTTLS\r\n250 AUTH PLAIN\r\n" }
      local logged_in = { expect = "AUTH PLAIN AHUAcA==\r\n", reply = "235 ok\r\n" }
      local result = script.everywhere({
        options = ends:options("opportunistic", { insecure_cleartext = true }),
        client = {
          "event", { "ehlo", "client.test" }, plain, { "starttls" }, "event", { "ehlo", "client.test" }, plain,
        },
        peer = { { reply = "220 mail.test\r\n" }, ehlo, logged_in, go, tls, ehlo, logged_in },
      }, 50)
      assert.is_nil(result.failure)
    end)
  end)

  describe("attacked:", function()
    local function attack(name, steps, expected)
      it(name, function()
        local all = { { reply = "220 mail.test\r\n" } }
        for _, step in ipairs(steps) do
          all[#all + 1] = step
        end
        local result = script.everywhere({
          options = ends:options "starttls", peer = all, client = turns({ "ehlo", "client.test" },
            { "auth", "PLAIN", { user = "user", password = "password" } }),
        }, 20)
        assert.equal(expected.status, result.failure.status)
        assert.truthy(result.failure.text:find(expected.text, 1, true), result.failure.text)
        assert.is_nil(result.wire:find("AUTH", 1, true))
        assert.equal("EHLO client.test\r\nSTARTTLS\r\n", result.wire)
        assert.is_true(result.conn:failed())
      end)
    end

    local injected = { status = "protocol", text = "somebody is injecting them" }

    -- Sent together with the 220; cut off from it, the same bytes are no TLS.
    for name, bytes in pairs {
      ["a whole reply behind the 220"] = "250-mail.test\r\n250 AUTH PLAIN\r\n",
      ["several replies behind the 220"] = "250 mail.test\r\n235 ok\r\n250 ok\r\n",
      ["a line that is not finished"] = "250-evil.test",
      ["one byte"] = "2",
      ["a CR"] = "\r",
      ["a NUL"] = "\0",
      ["what begins like TLS"] = "\22\3",
    } do
      it("injected in the same read: " .. name, function()
        local function starting()
          local conn = script.ready("STARTTLS", ends:options "starttls")
          conn:starttls()
          script.drain(conn)
          return conn
        end
        local conn = starting()
        conn:feed("220 go\r\n" .. bytes)
        local kind, status, text = conn:next()
        assert.is_nil(kind)
        assert.equal(injected.status, status)
        assert.truthy(text:find(injected.text, 1, true))
        assert.is_nil(conn:tls())
        assert.equal("", conn:output()) -- not even a ClientHello
        conn = starting()
        conn:feed "220 go\r\n"
        conn:feed(bytes) -- a second read before the reply was looked at
        assert.equal("protocol", (select(2, conn:next())))
        conn = starting()
        conn:feed "220 go"
        assert.equal("again", (conn:next()))
        conn:feed("\r\n" .. bytes)
        assert.equal("protocol", (select(2, conn:next())))
        conn = starting()
        conn:feed "220 go\r\n"
        assert.equal("reply", (conn:next()))
        assert.equal("again", (conn:next()))
        assert.is_truthy(conn:output():find "^\22\3")
      end)
    end

    it("injected in the next read: it is no TLS", function()
      for _, bytes in ipairs { "250 mail.test\r\n", "2", "\0", "\r\n", "\23\3\3\0\1x" } do
        local conn = script.ready("STARTTLS", ends:options "starttls")
        conn:starttls()
        assert.equal("reply", (script.answer(conn, "220 go\r\n")))
        conn:feed(bytes)
        local _, status, _, reason = conn:next()
        assert.equal("tls", status)
        assert.equal("peer does not speak TLS", reason)
      end
    end)

    it("replies ahead of time, in the same read as the reply to EHLO", function()
      for ahead, status in pairs {
        ["220 go\r\n250-mail.test\r\n250 AUTH PLAIN\r\n235 ok\r\n"] = "protocol", ["220 go\r\n"] = "protocol",
        ["220 g"] = "stalled", ["2"] = "stalled",
      } do
        local session = {
          options = ends:options "starttls", client = turns({ "ehlo", "client.test" }, plain),
          peer = { { reply = "220 mail.test\r\n" }, { expect = hello.expect, reply = hello.reply .. ahead },
            { expect = "STARTTLS\r\n" }, { tls = ends.server }, { expect = hello.expect } },
        }
        local result = script.play(session)
        assert.equal(status, result.failure.status)
        assert.equal("EHLO client.test\r\n", result.wire) -- not even STARTTLS
        -- In a later read the 220 may be an honest one; then what is behind it must be TLS.
        for cut = 1, result.fed do
          result = script.play(session, { cut = cut })
          assert.is_truthy(result.failure)
          assert.is_nil(result.wire:find("AUTH", 1, true))
        end
      end
    end)

    attack("250 instead of 220", { hello, { expect = "STARTTLS\r\n", reply = "250 go\r\n" } },
      { status = "protocol", text = "answered STARTTLS with 250" })
    attack("221 instead of 220", { hello, { expect = "STARTTLS\r\n", reply = "221 go\r\n" } },
      { status = "protocol", text = "answered STARTTLS with 221" })
    attack("334 instead of 220", { hello, { expect = "STARTTLS\r\n", reply = "334 go\r\n" } },
      { status = "protocol", text = "answered STARTTLS with 334" })
    attack("220 of two codes", { hello, { expect = "STARTTLS\r\n", reply = "220-go\r\n250 ok\r\n" } },
      { status = "protocol", text = "mixed codes" })
    attack("a refusal with another reply behind it",
      { hello, { expect = "STARTTLS\r\n", reply = "454 no\r\n220 go\r\n" } },
      { status = "protocol", text = "no command asked for" })

    it("a certificate of another authority ends it in the handshake", function()
      local go, tls = start(ends.stranger)
      local result = script.everywhere({
        options = ends:options "starttls", client = turns(), peer = peer(go, tls),
      }, 20)
      assert.equal("tls", result.failure.status)
      assert.equal("unable to get local issuer certificate", result.failure.reason)
      assert.equal("EHLO client.test\r\nSTARTTLS\r\n", result.wire)
      assert.same({ "tls", "tlsv1 alert unknown ca" }, result.peer_ended)
      local tag, status = result.conn:ehlo "client.test"
      assert.is_nil(tag)
      assert.equal("tls", status)
    end)
  end)

  describe("and the stream ends", function()
    local function ended(words, ...)
      local steps = { ... }
      local result = script.everywhere({
        options = ends:options "starttls", client = turns({ "ehlo", "client.test" }, { "noop" }), peer = steps,
      }, 20)
      assert.equal("closed", result.failure.status)
      assert.truthy(result.failure.text:find(words, 1, true), result.failure.text)
      return result
    end
    local greeting = { reply = "220 mail.test\r\n" }
    local cut = { close = "cut" }

    it("in clear", function()
      assert.equal("the server closed the connection", ended("closed", cut).failure.text)
      ended("in the middle of a reply", { reply = "220 mail" }, cut)
      ended("in the middle of a reply", { reply = "220-mail.test\r\n" }, cut)
      assert.equal("the server closed the connection", ended("closed", greeting, cut).failure.text)
      ended("in the middle of a reply", greeting, { expect = hello.expect, reply = "250-mail.test\r\n250-" }, cut)
      ended("closed the connection", greeting, hello, { expect = "STARTTLS\r\n" }, cut)
    end)

    it("in the handshake", function()
      local go, tls = start(ends.server)
      ended("during the TLS handshake", greeting, hello, go, tls, cut)
    end)

    it("at the very moment when TLS should begin", function()
      local conn = script.ready("STARTTLS", ends:options "starttls")
      conn:starttls()
      script.drain(conn)
      conn:feed "220 go\r\n"
      conn:feed ""
      assert.equal("reply", (conn:next()))
      assert.equal("closed", (select(2, conn:next())))
    end)

    it("in TLS, properly or cut", function()
      local go, tls = start(ends.server)
      local ehlo = { expect = hello.expect, reply = "250 mail.test\r\n" }
      local notify = { close = "notify" }
      local half = { expect = hello.expect, reply = "250-mail.test\r\n" }
      assert.equal("the server closed the connection",
        ended("closed", greeting, hello, go, tls, ehlo, notify).failure.text)
      assert.equal("the server closed the connection in the middle of a reply",
        ended("closed", greeting, hello, go, tls, half, notify).failure.text)
      ended("truncated", greeting, hello, go, tls, ehlo, cut)
      ended("in the middle of a reply without saying so in TLS", greeting, hello, go, tls, half, cut)
    end)

    it("in TLS, and clear text goes on: it is never read", function()
      local go, tls = start(ends.server)
      local ehlo = { expect = hello.expect, reply = "250 mail.test\r\n" }
      local result = ended("closed", greeting, hello, go, tls, ehlo, { expect = "NOOP\r\n" }, { close = "notify" })
      assert.equal("EHLO 250 mail.test", result.events[#result.events])
      local forged = script.play {
        options = ends:options "starttls", client = turns({ "ehlo", "client.test" }, { "noop" }),
        peer = { greeting, hello, go, tls, ehlo, { expect = "NOOP\r\n" }, { raw = "250 forged\r\n" } },
      }
      assert.equal("tls", forged.failure.status)
      assert.equal("EHLO 250 mail.test", forged.events[#forged.events])
    end)
  end)
end)
