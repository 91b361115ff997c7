-- Groups of commands and whose reply is whose (RFC 2920 section 3.1).
local script = require "spec.support.script"

local peer, client, last_events = script.peer, script.client, script.last_events
local mail, rcpt, data = { "mail", "a@client.test" }, { "rcpt", "b@mail.test" }, { "data" }
local MAIL, RCPT = "MAIL FROM:<a@client.test>\r\n", "RCPT TO:<b@mail.test>\r\n"
local ok = "250 ok\r\n"

describe("a group of commands", function()
  it("leaves in one flight where PIPELINING is offered", function()
    local result = script.everywhere {
      client = client({ mail, rcpt, { "rcpt", "c@mail.test" }, data }, { body = "text" }, { "finish" }),
      peer = peer("PIPELINING",
        { expect = MAIL .. RCPT .. "RCPT TO:<c@mail.test>\r\nDATA\r\n", reply = ok .. ok .. ok .. "354 go\r\n" },
        { expect = "text\r\n.\r\n", reply = "250 queued\r\n" }),
    }
    assert.is_nil(result.failure)
    assert.same({
      "EHLO client.test\r\n", MAIL .. RCPT .. "RCPT TO:<c@mail.test>\r\nDATA\r\n", "text\r\n.\r\n",
    }, result.flights)
    assert.same({ "MAIL 250 ok", "RCPT 250 ok", "RCPT 250 ok", "DATA 354 go", "end 250 queued" },
      last_events(result, 5))
  end)

  it("leaves one by one where it is not", function()
    for _, offers in ipairs { "8BITMIME", "XPIPELINING", "PIPELINING-NOT" } do
      local result = script.everywhere {
        client = client({ mail, rcpt, data }, { body = "text" }, { "finish" }),
        peer = peer(offers, { expect = MAIL, reply = ok }, { expect = RCPT, reply = ok },
          { expect = "DATA\r\n", reply = "354 go\r\n" }, { expect = "text\r\n.\r\n", reply = ok }),
      }
      assert.is_nil(result.failure)
      assert.same({ "EHLO client.test\r\n", MAIL, RCPT, "DATA\r\n", "text\r\n.\r\n" }, result.flights)
    end
  end)

  it("may follow the end of a message, in its flight", function()
    local result = script.everywhere {
      client = client({ mail, rcpt, data }, { body = "one" }, { { "finish" }, mail, rcpt, data }, { body = "two" },
        { { "finish" }, { "rset" }, { "quit" } }),
      peer = peer("PIPELINING",
        { expect = MAIL .. RCPT .. "DATA\r\n", reply = ok .. ok .. "354 go\r\n" },
        { expect = "one\r\n.\r\n" .. MAIL .. RCPT .. "DATA\r\n", reply = ok .. ok .. ok .. "354 go\r\n" },
        { expect = "two\r\n.\r\nRSET\r\nQUIT\r\n", reply = ok .. ok .. "221 bye\r\n" }),
    }
    assert.equal("two\r\n.\r\nRSET\r\nQUIT\r\n", result.flights[4])
    assert.same({ "end 250 ok", "RSET 250 ok", "QUIT 221 bye" }, last_events(result, 3))
  end)

  describe("ends with", function()
    local function follows(first, first_line, second, second_line, reply)
      local result = script.everywhere {
        client = client({ first, second }),
        peer = peer("PIPELINING\nAUTH PLAIN", { expect = first_line, reply = reply },
          { expect = second_line, reply = ok }),
      }
      return result.flights[2] ~= first_line
    end

    it("NOOP", function()
      assert.is_false(follows({ "noop" }, "NOOP\r\n", mail, MAIL, ok))
      assert.is_true(follows({ "rset" }, "RSET\r\n", { "noop" }, "NOOP\r\n", ok))
    end)

    it("EHLO, which also begins one", function()
      local function result_of(turns, ...)
        return script.everywhere { client = client(turns), peer = peer("PIPELINING", ...) }
      end
      local result = result_of({ { "rset" }, { "ehlo", "client.test" } }, { expect = "RSET\r\n", reply = ok },
        { expect = "EHLO client.test\r\n", reply = ok })
      assert.same({ "EHLO client.test\r\n", "RSET\r\n", "EHLO client.test\r\n" }, result.flights)
    end)

    it("AUTH, which also begins one", function()
      local result = script.everywhere {
        options = { tls = "none", insecure_cleartext = true },
        client = client({ { "rset" }, { "auth", "PLAIN", { user = "u", password = "p" } } }),
        peer = peer("PIPELINING\nAUTH PLAIN", { expect = "RSET\r\n", reply = ok },
          { expect = "AUTH PLAIN AHUAcA==\r\n", reply = "235 ok\r\n" }),
      }
      assert.same({ "EHLO client.test\r\n", "RSET\r\n", "AUTH PLAIN AHUAcA==\r\n" }, result.flights)
    end)

    it("QUIT", function()
      assert.is_true(follows({ "rset" }, "RSET\r\n", { "quit" }, "QUIT\r\n", ok))
    end)
  end)

  it("waits while a byte from the server is unread", function()
    local conn = script.ready()
    conn:feed "2"
    assert(conn:rset())
    assert.equal("", conn:output())
    assert.equal("again", (conn:next()))
    assert.equal("", conn:output())
    conn = script.ready()
    assert(conn:rset())
    assert.equal("RSET\r\n", conn:output())
  end)

  it("has at most 256 commands without a reply on the wire, and 512 in all", function()
    local conn, queued = script.ready(), 0
    local tag, status, text
    repeat
      tag, status, text = conn:rset()
      queued = queued + (tag and 1 or 0)
    until not tag
    assert.equal(512, queued)
    assert.equal("full", status)
    assert.equal("too many commands wait for their replies", text)
    assert.is_false(conn:failed())
    assert.equal(("RSET\r\n"):rep(256), script.drain(conn))
    assert.equal("", conn:output())
    conn:feed(ok)
    assert.equal("reply", (conn:next()))
    assert.equal("RSET\r\n", script.drain(conn))
    assert(conn:rset())
    conn:feed(ok:rep(511))
    for _ = 1, 511 do
      assert.equal("reply", (conn:next()))
      script.drain(conn)
    end
    assert.equal("again", (conn:next()))
    assert.equal("RSET", conn:waiting())
    conn:feed(ok)
    assert.equal("reply", (conn:next()))
    assert.is_true(conn:idle())
  end)

  it("has at most 64 kB of lines that wait", function()
    local conn = script.ready "8BITMIME"
    local long = ("x"):rep(64) .. "@" .. (("y"):rep(60) .. "."):rep(3) .. "test"
    assert(conn:mail(long))
    local tag, status
    local queued = 0
    repeat
      tag, status = conn:rcpt(long)
      queued = queued + (tag and 1 or 0)
    until not tag
    assert.equal("full", status)
    assert.is_true(queued * (#long + 12) > 65000)
    assert.is_false(conn:failed())
  end)

  it("gives each command a tag of its own, which its reply carries", function()
    local conn = script.ready()
    local tags = { conn:mail "a@client.test", conn:rcpt "b@mail.test", conn:rcpt "c@mail.test" }
    script.drain(conn)
    conn:feed "250 one\r\n550 two\r\n250 three\r\n"
    for i, expected in ipairs { "one", "two", "three" } do
      local _, _, tag, _, _, text = conn:next()
      assert.equal(tags[i], tag)
      assert.equal(expected, text)
    end
    assert.is_true(tags[1] ~= tags[2] and tags[2] ~= tags[3] and tags[1] > 0)
  end)
end)

-- RFC 2033 section 4.2: the end of a message has a reply for each recipient that was accepted.
describe("an LMTP server", function()
  local group = MAIL .. RCPT .. RCPT .. RCPT .. "DATA\r\n"

  local function session(verdicts, more, ...)
    return {
      client = function(self)
        self:event()
        self:ask("lhlo", "client.test")
        for _, command in ipairs { mail, rcpt, rcpt, rcpt, data } do
          self:queue(command[1], command[2])
        end
        for _ = 1, 5 do
          self:event()
        end
        self:body "text"
        more(self, self:queue "finish")
      end,
      peer = {
        { reply = "220 mail.test\r\n" },
        { expect = "LHLO client.test\r\n", reply = "250-mail.test\r\n250 PIPELINING\r\n" },
        { expect = group, reply = ok .. ok .. "550 no\r\n" .. ok .. "354 go\r\n" },
        { expect = "text\r\n.\r\n", reply = verdicts }, ...
      },
    }
  end

  it("gives a verdict for each recipient that it accepted", function()
    local result = script.everywhere(session("250 kept\r\n452 4.2.2 full\r\n", function(self, tag)
      for _, expected in ipairs { 250, 452 } do
        assert.equal("end", self.conn:waiting())
        assert.equal("final", self.conn:phase())
        assert.is_false(self.conn:idle())
        local verb, code, _, _, answered = self:event()
        assert.same({ "end", expected, tag }, { verb, code, answered })
      end
      assert.is_true(self.conn:idle())
      self:ask(mail[1], mail[2])
    end, { expect = MAIL, reply = ok }))
    assert.is_nil(result.failure)
    assert.same({ "end 250 kept", "end 452 [4.2.2] full", "MAIL 250 ok" }, last_events(result, 3))
  end)

  it("may be given the next transaction behind a message", function()
    local result = script.everywhere(session("250 one\r\n", function(self)
      self:queue(mail[1], mail[2])
      for _, expected in ipairs { "end", "end", "MAIL" } do
        assert.equal(expected, (self:event()))
      end
    end, { expect = MAIL, reply = "250 two\r\n" .. ok }))
    assert.is_nil(result.failure)
  end)

  it("may not say more than that", function()
    local result = script.everywhere(session(ok .. ok .. ok, function(self)
      self:event()
      self:event()
    end))
    assert.same({ "protocol", "the server sent a reply (250) that no command asked for" },
      { result.failure.status, result.failure.text })
  end)

  it("is waited for where a verdict is missing", function()
    local result = script.everywhere(session("250 one\r\n", function(self)
      self:event()
      self:event()
    end))
    assert.equal("stalled", result.failure.status)
    assert.equal("end", result.conn:waiting())
  end)

  it("may take its leave instead of a verdict", function()
    for verdicts, events in pairs {
      ["250 one\r\n421 bye\r\n"] = { "end 250 one", "end 421 bye" }, ["421 bye\r\n"] = { "end 421 bye" },
    } do
      local result = script.everywhere(session(verdicts, function(self)
        for _ = 1, 3 do
          self:event()
        end
      end))
      assert.same(events, last_events(result, #events))
      assert.equal("closed", result.failure.status)
    end
  end)
end)

describe("a server that", function()
  local function after_ehlo(turns, ...)
    return script.everywhere { client = client((table.unpack or unpack)(turns)), peer = peer("PIPELINING", ...) }
  end

  it("refuses some recipients gets the message for the others", function()
    local result = after_ehlo({ { mail, rcpt, rcpt, rcpt, data }, { body = "text" }, { "finish" } },
      { expect = MAIL .. RCPT .. RCPT .. RCPT .. "DATA\r\n",
        reply = ok .. "550 5.1.1 no\r\n" .. ok .. "450 4.2.1 later\r\n354 go\r\n" },
      { expect = "text\r\n.\r\n", reply = "250 queued\r\n" })
    assert.is_nil(result.failure)
    assert.same({ "MAIL 250 ok", "RCPT 550 [5.1.1] no", "RCPT 250 ok", "RCPT 450 [4.2.1] later", "DATA 354 go",
      "end 250 queued" }, last_events(result, 6))
  end)

  -- RFC 2920 section 3.1: "the client cannot assume that the DATA command will be rejected just because none of the
  -- RCPT TO commands worked".
  local function lone_dot(name, replies, verdict)
    it(name .. " and says 354 gets a lone dot, never the message", function()
      local result = script.everywhere {
        client = function(self)
          self:event()
          self:ask("ehlo", "client.test")
          for _, command in ipairs { mail, rcpt, rcpt, data } do
            self:queue(command[1], command[2])
          end
          local verb, code
          repeat
            verb, code = self:event()
          until verb == "DATA"
          assert.equal(354, code)
          for _, attempt in ipairs { { "body", "secret", 1 }, { "finish" } } do
            local tag, status = self.conn[attempt[1]](self.conn, attempt[2], attempt[3])
            assert.is_nil(tag)
            assert.equal("state", status)
          end
          assert.is_false(self.conn:idle())
          assert.equal("final", self.conn:phase())
          assert.equal("end", (self:event()))
          assert.is_true(self.conn:idle())
          self:ask(mail[1], mail[2])
        end,
        peer = peer("PIPELINING",
          { expect = MAIL .. RCPT .. RCPT .. "DATA\r\n", reply = replies .. "354 go\r\n" },
          { expect = ".\r\n", reply = verdict or "554 no valid recipients\r\n" }, { expect = MAIL, reply = ok }),
      }
      assert.is_nil(result.failure)
      assert.equal(0, result.steps_left)
    end)
  end

  lone_dot("refuses all recipients", ok .. "550 no\r\n450 no\r\n")
  lone_dot("refuses the sender and takes recipients", "550 no\r\n" .. ok .. ok)
  lone_dot("refuses everything", "550 no\r\n503 no\r\n503 no\r\n")
  lone_dot("refuses all recipients, takes the empty message,", ok .. "550 no\r\n450 no\r\n", ok)

  it("refuses all recipients and DATA is ready for the next transaction", function()
    local result = after_ehlo({ { mail, rcpt, data }, { "rset" }, { mail } },
      { expect = MAIL .. RCPT .. "DATA\r\n", reply = ok .. "550 no\r\n554 no\r\n" },
      { expect = "RSET\r\n", reply = ok }, { expect = MAIL, reply = ok })
    assert.is_nil(result.failure)
  end)

  it("refuses RSET is not believed to have kept the recipients for the next message", function()
    local result = after_ehlo({ { mail, rcpt, { "rset" }, mail, rcpt, data }, "event" },
      { expect = MAIL .. RCPT .. "RSET\r\n" .. MAIL .. RCPT .. "DATA\r\n",
        reply = ok .. ok .. "500 no\r\n" .. ok .. "550 no\r\n354 go\r\n" },
      { expect = ".\r\n", reply = "554 no\r\n" })
    assert.is_nil(result.failure)
  end)

  it("does not count the recipients of the transaction before", function()
    local result = after_ehlo({ { mail, rcpt, data }, { body = "one" }, { { "finish" }, mail, rcpt, data }, "event" },
      { expect = MAIL .. RCPT .. "DATA\r\n", reply = ok .. ok .. "354 go\r\n" },
      { expect = "one\r\n.\r\n" .. MAIL .. RCPT .. "DATA\r\n", reply = ok .. ok .. "550 no\r\n354 go\r\n" },
      { expect = ".\r\n", reply = "554 no\r\n" })
    assert.is_nil(result.failure)
  end)

  it("takes its leave in the middle of a group is heard, and then it is over", function()
    local result = after_ehlo({ { mail, rcpt, rcpt, data } },
      { expect = MAIL .. RCPT .. RCPT .. "DATA\r\n", reply = ok .. ok .. "421 4.3.2 shutting down\r\n" .. ok })
    assert.same({ "MAIL 250 ok", "RCPT 250 ok", "RCPT 421 [4.3.2] shutting down" }, last_events(result, 3))
    assert.equal("closed", result.failure.status)
    assert.equal("the server ended the session", result.failure.text)
  end)

  it("takes its leave unasked is heard, and then it is over", function()
    local result = after_ehlo({ "event" }, { reply = "421 4.4.2 idle too long\r\n" })
    assert.equal("none 421 [4.4.2] idle too long", result.events[#result.events])
    assert.equal("closed", result.failure.status)
  end)

  it("takes its leave before a command is written is heard, too", function()
    local conn = script.ready()
    conn:noop()
    assert.equal("NOOP\r\n", conn:output())
    conn:feed "421 idle\r\n"
    local kind, verb, _, code = conn:next()
    assert.same({ "reply", "NOOP", 421 }, { kind, verb, code })
    assert.equal("closed", select(2, conn:next()))
  end)

  it("answers what nobody asked violates the protocol", function()
    for _, reply in ipairs { "250 ok\r\n", "354 go\r\n", "550 no\r\n", "220 hello\r\n", "235 come in\r\n" } do
      local result = after_ehlo({ { mail } }, { expect = MAIL, reply = ok .. reply })
      assert.equal("protocol", result.failure.status)
      assert.equal(("the server sent a reply (%s) that no command asked for"):format(reply:sub(1, 3)),
        result.failure.text)
      assert.equal("MAIL 250 ok", result.events[#result.events])
    end
  end)

  it("answers twice is not taken to have answered the next command", function()
    local conn = script.ready "8BITMIME"
    conn:mail "a@client.test"
    conn:rcpt "b@mail.test"
    assert.equal(MAIL, script.drain(conn))
    conn:feed(ok .. "250 ahead of time\r\n")
    assert.equal("MAIL", (select(2, conn:next())))
    assert.equal("", conn:output())
    local _, status = conn:next()
    assert.equal("protocol", status)
  end)

  it("answers before the command was written violates the protocol", function()
    for _, reply in ipairs { "250 ok\r\n", "550 no\r\n" } do
      local conn = script.ready()
      conn:mail "a@client.test"
      conn:rcpt "b@mail.test"
      assert.equal(MAIL .. RCPT, conn:output())
      conn:consumed(#MAIL + #RCPT - 1)
      conn:feed(ok .. reply)
      assert.equal("reply", (conn:next()))
      local kind, status, text = conn:next()
      assert.is_nil(kind)
      assert.equal("protocol", status)
      assert.equal("the server answered RCPT before it was sent", text)
    end
  end)

  it("refuses a message in its middle is heard, and then it is over", function()
    local conn = script.in_body()
    assert(conn:body("text\r\n", 1))
    script.drain(conn)
    conn:feed "552 5.3.4 too big\r\n"
    local taken, status, text = conn:body("more", 1)
    assert.is_nil(taken)
    assert.equal("state", status)
    assert.equal("the server answered before the message ended: read its reply", text)
    assert.is_nil(conn:finish())
    local kind, verb, tag, code, enhanced = conn:next()
    assert.same({ "reply", "end", 0, 552, "5.3.4" }, { kind, verb, tag, code, enhanced })
    assert.is_nil(conn:body("more", 1))
    assert.is_nil(conn:rset())
    assert.is_false(conn:idle())
    assert.equal("closed", select(2, conn:next()))
  end)

  it("refuses a message while its end is being written is heard, too", function()
    local conn = script.in_body()
    assert(conn:body("text\r\n", 1))
    local tag = assert(conn:finish())
    assert.equal("text\r\n.\r\n", conn:output())
    conn:consumed(3)
    conn:feed "552 too big\r\n"
    local kind, verb, answered, code = conn:next()
    assert.same({ "reply", "end", tag, 552 }, { kind, verb, answered, code })
    assert.is_nil(conn:rset())
    assert.is_false(conn:idle())
    assert.equal("closed", select(2, conn:next()))
  end)

  it("accepts a message before its end violates the protocol", function()
    for written = 0, 8 do
      local conn = script.in_body()
      assert(conn:body("text\r\n", 1))
      assert(conn:finish())
      assert.equal(9, #conn:output())
      conn:consumed(written)
      conn:feed(ok)
      assert.equal("protocol", select(2, conn:next()))
    end
    local conn = script.in_body()
    assert(conn:body("text\r\n", 1))
    script.drain(conn)
    conn:feed(ok)
    assert.equal("protocol", select(2, conn:next()))
  end)

  it("sends half a reply in the middle of a message is waited for", function()
    local conn = script.in_body()
    conn:feed "55"
    assert.equal("again", (conn:next()))
    assert.is_nil(conn:body("x", 1))
    conn:feed "2 no\r\n"
    assert.equal("reply", (conn:next()))
  end)
end)
