-- Connections that end where they should not: what was lost, whether it may be tried again, and who has the mail.
local smtpsec = require "smtpsec"
local talk = require "spec.support.talk"

local LONG = ("0123456789abcde\n"):rep(250000) -- 4 MB: more than the sockets of both sides hold

describe("a connection that ends", function()
  local good, tls

  setup(function()
    local _
    _, good, tls = talk.pki "starttls"
  end)

  local OPEN = { talk.hello "PIPELINING" }
  local ONE_BY_ONE = { talk.hello() }
  local SECURE = { talk.hello "STARTTLS" }
  local function inside(offers)
    return { SECURE, talk.starttls(good, offers) }
  end

  -- Stage by stage: the script up to the command that gets no answer; the line of that command; the error's stage.
  local STAGES = {
    { "before EHLO is answered", { "S: 220 mail.test" }, "EHLO", "ehlo" },
    { "before STARTTLS is answered", SECURE, "STARTTLS", "starttls", secure = true },
    { "before AUTH is answered", function() return inside "AUTH PLAIN" end, "AUTH", "auth",
      secure = true, login = true },
    { "before MAIL is answered", ONE_BY_ONE, "MAIL", "mail" },
    { "before RCPT is answered", { ONE_BY_ONE, "C: MAIL", "S: 250 ok" }, "RCPT", "rcpt" },
    { "before DATA is answered", { ONE_BY_ONE, "C: MAIL", "S: 250 ok", "C: RCPT", "S: 250 ok" }, "DATA", "data" },
    { "before the first of a group is answered", { OPEN }, "MAIL", "mail" },
    { "before the last of a group is answered", { OPEN, "C: MAIL", "C: RCPT", "S: 250 ok", "S: 250 ok" },
      "DATA", "data", has_come = true },
  }

  local function play(case, ...)
    local options = case.login and talk.login { tls = tls } or { tls = case.secure and tls or "none" }
    local before = type(case[2]) == "function" and case[2]() or case[2]
    return talk.send({ before, ... }, options)
  end

  local function lost(seen, stage)
    talk.failed(seen, { kind = "closed", stage = stage, temporary = true, retry_safe = true })
    assert.equal(1, #seen.connections)
    assert.is_nil(seen.peer.received:find("Subject", 1, true))
    assert.is_true(seen.seconds < 2)
  end

  for _, case in ipairs(STAGES) do
    it(case[1] .. " is an error that can be tried again", function()
      lost(play(case, "C: " .. case[3], { close = true }), case[4])
    end)

    if not case.has_come then
      it(case[1] .. ", by a reset, is an error that can be tried again", function()
        lost(play(case, { reset = true }), case[4])
      end)
    end

    it(case[1] .. ", in the middle of the reply, is an error that can be tried again", function()
      local seen = play(case, "C: " .. case[3], { send = "250-half of it\r\n25" }, { close = true })
      -- 250 is no beginning of an answer to DATA or AUTH, but nothing is known before its last line.
      lost(seen, case[4])
      assert.matches("in the middle of a reply", seen.err.message)
    end)
  end

  it("at once is an error that can be tried again", function()
    lost(talk.send { { close = true } }, "greeting")
  end)

  it("in the greeting is an error that can be tried again", function()
    lost(talk.send { { send = "220 mail.te" }, { close = true } }, "greeting")
  end)

  for _, how in ipairs { "close", "reset" } do
    it("in the handshake is an error that can be tried again: " .. how, function()
      lost(talk.send({ SECURE, "C: STARTTLS", { send = "220 go\r\n" }, how == "close" and { take = 6 } or {},
        { [how] = true } }, { tls = tls }), "tls")
      lost(talk.send({ how == "close" and { take = 6 } or {}, { [how] = true } },
        { tls = { mode = "implicit", ca_file = tls.ca_file } }), "tls")
    end)
  end

  describe("in the message", function()
    local function before(offers)
      return { talk.hello(offers), talk.begin() }
    end

    for _, how in ipairs { "close", "reset" } do
      it("is an error that can be tried again: " .. how, function()
        local seen = talk.send({ before(), { take = 100000 }, { [how] = true } }, {}, { text = LONG })
        talk.failed(seen, { kind = "closed", stage = "body", temporary = true, retry_safe = true })
        assert.is_nil(seen.peer.received:find("\r\n.\r\n", 1, true))
      end)
    end

    it("in TLS is an error that can be tried again", function()
      local script = { inside(), talk.begin(), { take = 100000 } }
      for _, how in ipairs { "close", "cut" } do
        local seen = talk.send({ script, { [how] = true } }, { tls = tls }, { text = LONG })
        talk.failed(seen, { kind = "closed", stage = "body", temporary = true, retry_safe = true })
      end
    end)

    for _, how in ipairs { "close", "reset" } do
      it("with a refusal before is that refusal: 552, then " .. how, function()
        local seen = talk.send({ before(), { take = 100000 }, "S: 552 5.3.4 too much", { sleep = 0.05 },
          { [how] = true } }, {}, { text = LONG })
        talk.failed(seen, { kind = "rejected", stage = "body", code = 552, enhanced = "5.3.4", text = "too much",
          temporary = false, retry_safe = true })
      end)
    end

    it("with a refusal before is that refusal, in TLS too", function()
      local seen = talk.send({ inside(), talk.begin(), { take = 100000 },
        "S: 452 4.3.1 disk full", { sleep = 0.05 }, { reset = true } }, { tls = tls }, { text = LONG })
      talk.failed(seen, { kind = "rejected", stage = "body", code = 452, temporary = true, retry_safe = true })
    end)

    it("with a refusal that came together with the 354 is that refusal", function()
      local script = { talk.hello(), "C: MAIL", "S: 250 ok", "C: RCPT", "S: 250 ok", "C: DATA" }
      for _, bytes in ipairs { { "354 go\r\n552 too much\r\n" }, { "354 go\r\n552-too", " much\r\n552 \r\n" } } do
        local seen = talk.send { script, { send = bytes[1] }, { sleep = 0.05 }, { send = bytes[2] or "" },
          { drain = true } }
        talk.failed(seen, { kind = "rejected", stage = "body", code = 552, temporary = false, retry_safe = true })
      end
    end)

    it("is not what follows a refusal when the server reads on to the end", function()
      local seen = talk.send({ before(), { take = 100000 }, "S: 552 too much", talk.END, talk.bye() }, {},
        { text = LONG:sub(1, 1000000) })
      talk.failed(seen, { kind = "rejected", code = 552, temporary = false, retry_safe = true })
    end)
  end)

  describe("after the message", function()
    local DATA = { talk.hello "PIPELINING", talk.begin_group() }

    local function in_doubt(seen, cause)
      talk.failed(seen, { kind = "in_doubt", stage = "final", temporary = false, retry_safe = false })
      local id = seen.peer.received:match "Message%-ID: (%S+)"
      assert.matches(id, tostring(seen.err), 1, true)
      assert.equal(id, seen.err.id)
      assert.equal(cause, seen.err.cause)
      assert.matches("may arrive twice", seen.err.hint)
      assert.equal(1, #seen.connections)
    end

    it("and before the answer leaves the mail in doubt", function()
      in_doubt(talk.send { DATA, talk.END, { close = true } }, "closed")
    end)

    it("and before the answer, by a reset, leaves the mail in doubt", function()
      in_doubt(talk.send { DATA, { upto = "\r\n.\r", exact = true }, { reset = true } }, "closed")
    end)

    it("in the middle of the answer leaves the mail in doubt", function()
      in_doubt(talk.send { DATA, talk.END, { send = "250 Ok: queued a" }, { close = true } }, "closed")
      in_doubt(talk.send { DATA, talk.END, { send = "250-Ok\r\n" }, { close = true } }, "closed")
    end)

    it("and without an answer in time leaves the mail in doubt", function()
      in_doubt(talk.send({ DATA, talk.END, { drain = true } }, { timeout = { final = 0.2 } }), "timeout")
    end)

    it("with an answer that is none leaves the mail in doubt", function()
      in_doubt(talk.send { DATA, talk.END, "S: ok, ok", { drain = true } }, "protocol")
    end)

    it("in TLS, said or not, leaves the mail in doubt", function()
      for _, how in ipairs { "close", "cut" } do
        local seen = talk.send({ inside(), talk.begin(),
          talk.END, { send = "250 Ok" }, { [how] = true } }, { tls = tls })
        in_doubt(seen, "closed")
      end
    end)

    it("and with a refusal is a refusal", function()
      for code, temporary in pairs { [451] = true, [421] = true, [550] = false, [554] = false } do
        local seen = talk.send { DATA, talk.END, ("S: %d no"):format(code), { close = true } }
        talk.failed(seen, { kind = "rejected", stage = "final", code = code, temporary = temporary,
          retry_safe = true })
      end
    end)

    it("and with an acceptance is an acceptance", function()
      for _, ending in ipairs { { close = true }, { drain = true } } do
        local seen = talk.send({ DATA, talk.END, "S: 250 ok", ending }, { timeout = { command = 0.2 } })
        talk.accepted(seen)
      end
    end)
  end)

  describe("at QUIT changes nothing about the mail:", function()
    local ACCEPTED = { talk.hello "PIPELINING", talk.begin_group(),
      talk.END, "S: 250 2.0.0 ok" }

    for name, rest in pairs {
      ["closed"] = { "C: QUIT", { close = true } }, ["reset"] = { { reset = true } },
      ["closed before"] = { { close = true } }, ["refused"] = { "C: QUIT", "S: 500 what?" },
      ["421"] = { "C: QUIT", "S: 421 later" }, ["nonsense"] = { "C: QUIT", "S: bye!" },
      ["half a reply"] = { "C: QUIT", { send = "221-bye\r\n2" }, { close = true } },
    } do
      it(name, function()
        local seen = talk.send { ACCEPTED, rest }
        talk.accepted(seen)
        assert.equal('sent in clear: tls = "none"', seen.receipt.warnings[1])
        assert.is_true(seen.receipt.warnings[2] == nil or seen.receipt.warnings[2]:find("^QUIT: ") ~= nil)
      end)
    end

    it("silence, which nobody waits for", function()
      local seen = talk.send { ACCEPTED, "C: QUIT", { drain = true } }
      talk.accepted(seen)
      assert.same({ 'sent in clear: tls = "none"' }, seen.receipt.warnings)
    end)

    it("a polite end, which is nothing to tell of", function()
      assert.same({ 'sent in clear: tls = "none"' }, talk.send({ ACCEPTED, talk.bye() }).receipt.warnings)
    end)

    it("one without close_notify, once the server has said goodbye", function()
      local seen = talk.send({ inside(), talk.mail(), "C: QUIT", "S: 221 bye", { cut = true } }, { tls = tls })
      talk.accepted(seen)
      assert.same({}, seen.receipt.warnings)
    end)
  end)

  -- RFC 5321 section 3.8: at any time, and then the connection is closed.
  describe("by 421", function()
    for _, case in ipairs(STAGES) do
      it(case[1] .. " is that reply's error, and no more is said", function()
        local seen = play(case, "C: " .. case[3], "S: 421 4.3.2 going down", { drain = true })
        talk.failed(seen, { stage = case[4], code = 421, enhanced = "4.3.2", temporary = true, retry_safe = true })
        local kind = case[4] == "auth" and "auth" or case[4] == "starttls" and "policy" or "rejected"
        assert.equal(kind, seen.err.kind)
        local _, last = seen.peer.received:find("\r\n" .. case[3] .. "[^\r]*\r\n")
        local rest = seen.peer.received:sub((last or seen.peer.received:find "\r\n" + 1) + 1)
        assert.is_nil(rest:find("QUIT", 1, true), rest)
        assert.is_nil(rest:find("RSET", 1, true), rest)
        assert.equal(1, #seen.connections)
      end)
    end

    it("and nothing behind it in a group is that reply's error", function()
      local seen = talk.send { OPEN, "C: MAIL", "C: RCPT", "C: DATA", "S: 421 going down", { close = true } }
      talk.failed(seen, { kind = "rejected", stage = "mail", code = 421, temporary = true, retry_safe = true })
      seen = talk.send { OPEN, "C: MAIL", "C: RCPT", "C: DATA", "S: 250 ok", "S: 421 going down", { close = true } }
      talk.failed(seen, { kind = "rejected", stage = "rcpt", code = 421, temporary = true, retry_safe = true })
    end)

    it("in the middle of the message is that reply's error", function()
      local seen = talk.send({ ONE_BY_ONE, talk.begin(),
        { take = 100000 }, "S: 421 going down", { sleep = 0.05 }, { reset = true } }, {}, { text = LONG })
      talk.failed(seen, { kind = "rejected", stage = "body", code = 421, temporary = true, retry_safe = true })
    end)
  end)

  it("is no signal to the program: it lives on after writing to a peer that is gone", function()
    local server = talk.listen { ONE_BY_ONE, talk.begin(), { reset = true } }
    for _ = 1, 3 do
      local receipt, err = smtpsec.send(talk.message { text = LONG }, talk.options(server))
      assert.is_nil(receipt)
      assert.equal("closed", err.kind)
    end
    server:stop()
  end)
end)
