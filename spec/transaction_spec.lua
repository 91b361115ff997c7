-- One mail over a session: who got it, who did not, and why.
local keeper = require "spec.support.keeper"
local process = require "spec.support.process"
local smtpsec = require "smtpsec"
local talk = require "spec.support.talk"

local THREE = { to = { "one@mail.test", "two@mail.test", "three@mail.test" } }

local function rcpt(name, reply)
  return { ("C: RCPT TO:<%s@mail.test>"):format(name), "S: " .. reply }
end

describe("a transaction", function()
  local PLAIN, GROUPS = talk.hello(), talk.hello "PIPELINING"
  local MAIL = { "C: MAIL FROM:<from@client.test>", "S: 250 ok" }
  local DATA = { "C: DATA", "S: 354 go", talk.END }
  local RSET = { "C: RSET", "S: 250 ok", talk.bye() }

  describe("with some recipients refused", function()
    local FATES = {
      rcpt("one", "250 2.1.5 ok"), rcpt("two", "550 5.1.1 no such user"), rcpt("three", "450 4.2.0 greylisted"),
    }

    local function assert_partial(seen)
      assert.is_nil(seen.err)
      assert.equal("partial", seen.receipt.status)
      assert.same({ "one@mail.test" }, seen.receipt.accepted)
      assert.same({
        { address = "two@mail.test", code = 550, enhanced = "5.1.1", text = "no such user", temporary = false },
        { address = "three@mail.test", code = 450, enhanced = "4.2.0", text = "greylisted", temporary = true },
      }, seen.receipt.rejected)
    end

    it("goes to the others, and tells who got it", function()
      assert_partial(talk.send({ PLAIN, MAIL, FATES, DATA, "S: 250 ok", talk.bye() }, {}, THREE))
    end)

    it("goes to the others in one flight", function()
      assert_partial(talk.send({ GROUPS, "C: MAIL", "C: RCPT", "C: RCPT", "C: RCPT", "C: DATA", "S: 250 ok",
        "S: 250 2.1.5 ok", "S: 550 5.1.1 no such user", "S: 450 4.2.0 greylisted", "S: 354 go", talk.END,
        "S: 250 ok", talk.bye() }, {}, THREE))
    end)

    it('goes to nobody where recipients = "all", and no byte of it is sent', function()
      for _, hello in ipairs { PLAIN, GROUPS } do
        local seen = talk.send({ hello, MAIL, FATES, RSET }, { recipients = "all" }, THREE)
        talk.failed(seen, { kind = "rejected", stage = "rcpt", code = 550, enhanced = "5.1.1", text = "no such user",
          temporary = false, retry_safe = true })
        assert.equal(2, #seen.err.rejected)
        assert.matches("2 of 3", seen.err.message)
        assert.is_nil(seen.peer.received:find("DATA", 1, true))
      end
    end)

    it('goes to all of them where recipients = "all" and none is refused', function()
      local fates = { rcpt("one", "250 ok"), rcpt("two", "250 ok"), rcpt("three", "251 elsewhere") }
      local seen = talk.send({ GROUPS, MAIL, fates, DATA, "S: 250 ok", talk.bye() }, { recipients = "all" }, THREE)
      talk.accepted(seen)
      assert.same(THREE.to, seen.receipt.accepted)
    end)
  end)

  describe("with all recipients refused", function()
    local function assert_refused(seen, temporary)
      talk.failed(seen, { kind = "rejected", stage = "rcpt", temporary = temporary, retry_safe = true })
      assert.equal(3, #seen.err.rejected)
      assert.matches("all 3 recipients", seen.err.message)
      assert.is_nil(seen.peer.received:find("Subject", 1, true))
    end

    it("sends nothing more", function()
      local fates = { rcpt("one", "550 5.1.1 no"), rcpt("two", "451 later"), rcpt("three", "553 no") }
      local seen = talk.send({ PLAIN, MAIL, fates, RSET }, {}, THREE)
      assert_refused(seen, false)
      assert.same({ 550, "5.1.1", "no" }, { seen.err.code, seen.err.enhanced, seen.err.text })
      assert.same({ false, true, false }, { seen.err.rejected[1].temporary, seen.err.rejected[2].temporary,
        seen.err.rejected[3].temporary })
      assert.is_nil(seen.peer.received:find("DATA", 1, true))
    end)

    it("may be tried later where each of them may", function()
      local fates = { rcpt("one", "450 later"), rcpt("two", "451 later"), rcpt("three", "452 later") }
      assert_refused(talk.send({ PLAIN, MAIL, fates, RSET }, {}, THREE), true)
    end)

    it("sends nothing in one flight, where DATA is refused too", function()
      assert_refused(talk.send({ GROUPS, "C: MAIL", "C: RCPT", "C: RCPT", "C: RCPT", "C: DATA", "S: 250 ok",
        "S: 550 no", "S: 550 no", "S: 550 no", "S: 554 no valid recipients", RSET }, {}, THREE), false)
    end)

    it("sends a lone dot in one flight, where the server wants the message all the same", function()
      local seen = talk.send({ GROUPS, "C: MAIL", "C: RCPT", "C: RCPT", "C: RCPT", "C: DATA", "S: 250 ok",
        "S: 550 no", "S: 550 no", "S: 550 no", "S: 354 go", "C: .\r\n", "S: 554 nobody", talk.bye() }, {}, THREE)
      assert_refused(seen, false)
      assert.matches("DATA\r\n.\r\n", seen.peer.received, 1, true)
    end)
  end)

  describe("whose sender is refused", function()
    for _, hello in ipairs { PLAIN, GROUPS } do
      local groups = hello == GROUPS
      it("is not sent, " .. (groups and "the rest of the flight notwithstanding" or "and nothing is said after that"),
        function()
          for code, temporary in pairs { [450] = true, [452] = true, [550] = false, [553] = false } do
            local no = ("S: %d 5.7.1 not you"):format(code):gsub("5.7", (code >= 500 and 5 or 4) .. ".7")
            local rest = groups and { "C: RCPT", "C: DATA", "S: 503 no", "S: 503 no" } or {}
            local seen = talk.send { hello, "C: MAIL", no, rest, RSET }
            talk.failed(seen, { kind = "rejected", stage = "mail", code = code, text = "not you",
              temporary = temporary, retry_safe = true })
            assert.is_nil(seen.err.rejected)
            assert.equal(groups, seen.peer.received:find("RCPT", 1, true) ~= nil)
          end
        end)
    end

    it("is not sent although recipients and DATA are accepted: a lone dot", function()
      local seen = talk.send { GROUPS, "C: MAIL", "C: RCPT", "C: DATA", "S: 550 no", "S: 250 ok", "S: 354 go",
        "C: .\r\n", "S: 250 ok?", talk.bye() }
      talk.failed(seen, { kind = "rejected", stage = "mail", code = 550, retry_safe = true })
      assert.is_nil(seen.peer.received:find("Subject", 1, true))
    end)
  end)

  it("that was refused stays so where the server ends the session over it", function()
    for stage, replies in pairs {
      mail = { "S: 554 5.7.1 never", "S: 421 4.7.0 too many errors" },
      rcpt = { "S: 250 ok", "S: 554 5.7.1 never", "S: 421 4.7.0 too many errors" },
      data = { "S: 250 ok", "S: 250 ok", "S: 554 5.7.1 never", "S: 421 4.7.0 too many errors" },
    } do
      local seen = talk.send { GROUPS, "C: MAIL", "C: RCPT", "C: DATA", replies, { drain = true } }
      talk.failed(seen, { kind = "rejected", stage = stage, code = 554, temporary = false })
    end
    local seen = talk.send { GROUPS, "C: MAIL", "C: RCPT", "C: DATA", "S: 250 ok", "S: 421 bye", { drain = true } }
    talk.failed(seen, { kind = "rejected", stage = "rcpt", code = 421, temporary = true })
  end)

  describe("whose message is refused", function()
    it("at DATA is not sent", function()
      for code, temporary in pairs { [451] = true, [554] = false } do
        local seen = talk.send { PLAIN, MAIL, rcpt("to", "250 ok"), "C: DATA", ("S: %d no"):format(code), RSET }
        talk.failed(seen, { kind = "rejected", stage = "data", code = code, temporary = temporary,
          retry_safe = true })
        assert.is_nil(seen.peer.received:find("Subject", 1, true))
      end
    end)

    it("at its end is an error that tells whether trying later can help", function()
      for code, temporary in pairs { [450] = true, [452] = true, [550] = false, [552] = false, [554] = false } do
        local seen = talk.send { PLAIN, MAIL, rcpt("to", "250 ok"), DATA, ("S: %d no"):format(code), talk.bye() }
        talk.failed(seen, { kind = "rejected", stage = "final", code = code, temporary = temporary,
          retry_safe = true })
      end
    end)

    it("for its size is not even begun", function()
      local seen = talk.send({ talk.hello "SIZE 1000", talk.bye() }, {}, { text = ("x"):rep(2000) })
      talk.refused(seen, { kind = "limit", stage = "mail", temporary = false, retry_safe = true })
      assert.matches("at most 1000", seen.err.message)
      assert.equal("EHLO client.test\r\nQUIT\r\n", seen.peer.received)
    end)

    it("is not, for its size, where the limit is higher, none, or nonsense", function()
      for _, limit in ipairs { "SIZE 100000", "SIZE 0", "SIZE", "SIZE 99999999999999999999999999", "SIZE many",
        "SIZE 0x10" } do
        talk.accepted(talk.send({ talk.hello(limit), talk.mail(), talk.bye() }, {}, { text = ("x"):rep(2000) }))
      end
    end)
  end)

  it("waits for each answer where the server takes one command at a time", function()
    local function late(text) return { { sleep = 0.03 }, "S: " .. text } end
    -- What has come beside the command would be left over for the expectation that follows; so nothing has.
    local seen = talk.send({ PLAIN, { upto = "MAIL FROM:<from@client.test>\r\n" }, late "250 ok",
      { upto = "RCPT TO:<one@mail.test>\r\n" }, late "250 ok", { upto = "RCPT TO:<two@mail.test>\r\n" },
        late "250 ok",
      { upto = "RCPT TO:<three@mail.test>\r\n" }, late "250 ok", { upto = "DATA\r\n" }, late "354 go", talk.END,
      late "250 ok", talk.bye() }, {}, THREE)
    talk.accepted(seen)
    local events = {}
    seen = talk.send({ PLAIN, talk.mail(), talk.bye() },
      { on_event = function(event) events[#events + 1] = event.type end })
    talk.accepted(seen)
    for i = 2, #events do assert.not_equal("command" .. "command", events[i - 1] .. events[i]) end
  end)

  it("is one flight up to the message where the server takes groups", function()
    local events = {}
    local seen = talk.send({ GROUPS, "C: MAIL", "C: RCPT", "C: RCPT", "C: RCPT", "C: DATA", "S: 250 ok", "S: 250 ok",
      "S: 250 ok", "S: 250 ok", "S: 354 go", talk.END, "S: 250 ok", talk.bye() },
      { on_event = function(event) events[#events + 1] = event.verb end }, THREE)
    talk.accepted(seen)
    assert.matches("MAIL RCPT RCPT RCPT DATA MAIL RCPT RCPT RCPT DATA FINISH end QUIT",
      table.concat(events, " "), 1, true)
  end)

  it("has as many recipients as it needs, in groups that both sides can hold", function()
    local to, script = {}, { "C: MAIL", "S: 250 ok" }
    for i = 1, 400 do
      to[i] = ("r%d@mail.test"):format(i)
      script[#script + 1] = ("C: RCPT TO:<r%d@mail.test>"):format(i)
      script[#script + 1] = i % 100 == 0 and "S: 550 no" or "S: 250 ok"
    end
    local seen = talk.send({ GROUPS, script, DATA, "S: 250 ok", talk.bye() }, {}, { to = to })
    assert.equal("partial", seen.receipt.status)
    assert.same({ 396, 4 }, { #seen.receipt.accepted, #seen.receipt.rejected })
    assert.equal("r400@mail.test", seen.receipt.rejected[4].address)
  end)

  it("gives a recipient who is named twice one RCPT", function()
    local seen = talk.send({ PLAIN, MAIL, rcpt("to", "250 ok"), rcpt("cc", "250 ok"), DATA, "S: 250 ok",
      talk.bye() }, {}, { to = { "to@mail.test", "to@MAIL.test" }, cc = "cc@mail.test, to@mail.test" })
    talk.accepted(seen)
    assert.same({ "to@mail.test", "cc@mail.test" }, seen.receipt.accepted)
  end)

  it("may have the null sender, and an envelope that is not the header's", function()
    local seen = talk.send({ PLAIN, "C: MAIL FROM:<>\r\n", "S: 250 ok", rcpt("other", "250 ok"), DATA, "S: 250 ok",
      talk.bye() }, {}, { envelope = { from = "", to = "other@mail.test" } })
    talk.accepted(seen)
    assert.matches("To: to@mail.test", seen.peer.received, 1, true)
  end)

  it("declares what the message uses of what is offered", function()
    local seen = talk.send({ talk.hello("8BITMIME", "SIZE"), talk.mail(), talk.bye() }, {}, { text = "größer" })
    talk.accepted(seen)
    assert.matches("MAIL FROM:<from@client.test> SIZE=%d+ BODY=8BITMIME\r\n", seen.peer.received)
    seen = talk.send({ PLAIN, talk.mail(), talk.bye() }, {}, { text = "größer" })
    assert.matches("MAIL FROM:<from@client.test>\r\n", seen.peer.received, 1, true)
    assert.is_nil(seen.peer.received:find "[\128-\255]")
  end)

  it("counts the bytes of the message, and SIZE says the same", function()
    local seen = talk.send({ talk.hello "SIZE", talk.mail(), talk.bye() }, {}, { text = ".dot\n..dots\n" })
    local declared = tonumber(seen.peer.received:match "SIZE=(%d+)")
    assert.equal(declared, seen.receipt.bytes)
    local message = seen.peer.received:match "DATA\r\n(.*\r\n)%.\r\nQUIT"
    assert.equal(declared + 2, #message) -- two dots were doubled
  end)

  it("finds the server's name for the mail in its words, where they are known", function()
    for text, id in pairs {
      ["2.0.0 Ok: queued as 4XyZ-1.2"] = "4XyZ-1.2", ["OK id=1abc-DEF-23"] = "1abc-DEF-23", ["OK"] = false,
      ["2.0.0 OK  1700000000 a1-b2.3 - gsmtp"] = "a1-b2.3", ["thanks"] = false,
    } do
      local seen = talk.send { PLAIN, MAIL, rcpt("to", "250 ok"), DATA, "S: 250 " .. text, talk.bye() }
      talk.accepted(seen)
      assert.equal(id or nil, seen.receipt.queue_id, text)
    end
  end)

  it("that breaks off because of a file is not ended: the server gets no half mail", function()
    local path = process.write(keeper.own():new_folder "file" .. "/big", ("x"):rep(3000000))
    local server = talk.listen { PLAIN, MAIL, rcpt("to", "250 ok"), "C: DATA",
      "S: 354 go", { take = 1000 }, { sleep = 0.2 }, { drain = true } }
    local options = { on_event = function(event)
      if event.type == "reply" and event.verb == "DATA" then process.write(path, "short") end
    end }
    local seen = talk.send(server, options, { attachments = { { path = path } } })
    talk.failed(seen, { kind = "message", retry_safe = true, temporary = false })
    assert.matches("attachments%[1%]", tostring(seen.err))
    assert.equal("body", seen.err.stage)
    assert.is_nil(seen.peer.received:find("\r\n.\r\n", 1, true))
    assert.is_nil(seen.peer.received:find("QUIT", 1, true))
  end)

  it("that breaks off because of a reader is not ended", function()
    local count = 0
    local seen = talk.send({ PLAIN, MAIL, rcpt("to", "250 ok"), "C: DATA", "S: 354 go", { drain = true } }, {}, {
      attachments = { { filename = "x", reader = function()
        count = count + 1
        if count == 5 then return nil, "the tape broke" end
        return ("y"):rep(50000)
      end } },
    })
    talk.failed(seen, { kind = "message", retry_safe = true })
    assert.matches("the tape broke", tostring(seen.err))
    assert.is_nil(seen.peer.received:find("\r\n.\r\n", 1, true))
  end)

  it("counts the replies that nobody looked at where the last one comes at the last moment", function()
    local reads = {
      "220 mail.test\r\n", "250-mail.test\r\n250-PIPELINING\r\n250 CHUNKING\r\n", "250 ok\r\n250 ok\r\n", false,
      "250 2.0.0 queued\r\n",
    }
    local at, stream = 0, {}
    function stream.read()
      at = at + 1
      return reads[at] or nil, "timeout", "nothing came"
    end
    function stream.write(_, bytes) return #bytes end
    function stream.close() end
    local receipt, err = smtpsec.send(talk.message(), {
      host = "mail.test", port = 25, tls = "none", hello = "client.test", env_file = false,
      io = {
        name = "script", now = os.clock, connect = function() return stream end, hello = print, unpark = print,
      },
    })
    assert.is_nil(err)
    assert.same({ "accepted", "queued" }, { receipt.status, receipt.reply.text })
  end)
end)
