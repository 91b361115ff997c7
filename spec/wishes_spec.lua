-- What a message asks of the servers beside being delivered, and what servers say of how much they take at once.
local keeper = require "spec.support.keeper"
local process = require "spec.support.process"
local smtpsec = require "smtpsec"
local talk = require "spec.support.talk"
local wishes = require "smtpsec.wishes"

local OK = "S: 250 ok"

-- The MAIL command and the first RCPT that a peer got.
local function commands(connection)
  return connection.received:match "(MAIL FROM[^\r]*)\r\n", connection.received:match "(RCPT TO[^\r]*)\r\n"
end

describe("wishes", function()
  it("are none where nothing is wished", function()
    assert.is_nil(wishes.of {})
    assert.is_nil(wishes.of { subject = "x", require_tls = false })
    assert.is_nil(wishes.refuse(nil, {}))
    assert.is_nil(wishes.missing(nil, {}))
  end)

  it("are what the engine takes with MAIL and RCPT", function()
    local made = wishes.of {
      dsn = { notify = { "success", "delay" }, ret = "headers", envid = "Q1" }, require_tls = true,
      deliver_by = { seconds = 120, otherwise = "notify", trace = true }, priority = -3, hold_for = 60,
    }
    assert.same({ ret = "headers", envid = "Q1", require_tls = true, deliver_by = 120, deliver_mode = "notify",
      deliver_trace = true, priority = -3, hold_for = 60 }, made.mail)
    assert.same({ notify = { "success", "delay" }, orcpt = true }, made.rcpt)
    assert.same({ "never" }, wishes.of { dsn = { notify = "never" } }.rcpt.notify)
    assert.equal(1900000000, wishes.of { hold_until = 1900000000 }.mail.hold_until)
    assert.equal(0, wishes.of { priority = 0 }.mail.priority)
  end)

  it("that were left out are told", function()
    local made = wishes.of { dsn = {}, priority = 4 }
    local told = wishes.missing(made, {})
    table.sort(told)
    assert.same({ "the server does not offer DSN: no notices were asked for",
      "the server does not offer MT-PRIORITY: no priority was asked for" }, told)
    assert.is_nil(wishes.missing(made, { DSN = "", ["MT-PRIORITY"] = "" }))
  end)

  it("for TLS all the way are refused without a server that is verified and can do it", function()
    local made = wishes.of { require_tls = true }
    local function session(authenticated, offered)
      return { way = { tls = authenticated ~= nil and { authenticated = authenticated } },
        offers = { REQUIRETLS = offered } }
    end
    assert.is_nil(wishes.refuse(made, session("pkix", "")))
    for _, lacking in ipairs { session(nil, ""), session(false, ""), session("pkix", nil) } do
      local err = wishes.refuse(made, lacking)
      assert.same({ "policy", "mail", false }, { err.kind, err.stage, err.temporary })
      assert.matches("require_tls", err.message, 1, true)
    end
    assert.is_nil(wishes.refuse(wishes.of { priority = 1 }, session(nil, nil)))
  end)
end)

describe("a message", function()
  local function send(offers, fields)
    local hello = talk.hello("PIPELINING", (table.unpack or unpack)(offers))
    return talk.send({ hello, talk.begin_group(), talk.END, OK, talk.bye() }, {}, fields)
  end

  local DSN = { notify = { "success", "failure" }, ret = "full", envid = "a+b" }

  it("asks for notices", function()
    local seen = send({ "DSN" }, { dsn = DSN })
    talk.accepted(seen)
    local from, to = commands(seen.peer)
    assert.equal("MAIL FROM:<from@client.test> RET=FULL ENVID=a+2Bb", from)
    assert.equal("RCPT TO:<to@mail.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;to@mail.test", to)
    seen = send({ "DSN" }, { dsn = { notify = "never" } })
    from, to = commands(seen.peer)
    assert.equal("MAIL FROM:<from@client.test>", from)
    assert.equal("RCPT TO:<to@mail.test> NOTIFY=NEVER ORCPT=rfc822;to@mail.test", to)
  end)

  it("goes without notices where there are none, and the receipt says so", function()
    local seen = send({}, { dsn = DSN, priority = 2 })
    talk.accepted(seen)
    local from, to = commands(seen.peer)
    assert.same({ "MAIL FROM:<from@client.test>", "RCPT TO:<to@mail.test>" }, { from, to })
    local told = table.concat(seen.receipt.warnings, "\n")
    assert.matches("does not offer DSN", told, 1, true)
    assert.matches("does not offer MT-PRIORITY", told, 1, true)
    assert.not_matches("DSN", table.concat(send({ "DSN" }, { dsn = DSN }).receipt.warnings, "\n"))
  end)

  it("asks for a priority, for delivery in time, and for delivery later", function()
    for expected, case in pairs {
      [" MT-PRIORITY=-2"] = { "MT-PRIORITY", { priority = -2 } },
      [" BY=90;R"] = { "DELIVERBY", { deliver_by = { seconds = 90 } } },
      [" BY=90;NT"] = { "DELIVERBY", { deliver_by = { seconds = 90, otherwise = "notify", trace = true } } },
      [" HOLDFOR=3600"] = { "FUTURERELEASE 9000 2030-01-01T00:00:00Z", { hold_for = 3600 } },
      [" HOLDUNTIL=2027-01-15T08:00:00Z"] = { "FUTURERELEASE 9000 2030-01-01T00:00:00Z",
        { hold_until = 1800000000 } },
    } do
      local seen = send({ case[1] }, case[2])
      talk.accepted(seen)
      assert.equal("MAIL FROM:<from@client.test>" .. expected, (commands(seen.peer)))
    end
  end)

  it("that must be delivered in time, or later, is not sent where that cannot be asked for", function()
    for _, fields in ipairs { { deliver_by = { seconds = 90 } }, { hold_for = 60 }, { hold_until = 1800000000 } } do
      talk.refused(talk.send({ talk.hello "PIPELINING", talk.bye() }, {}, fields), { kind = "message", stage = "mail" })
    end
    talk.refused(talk.send({ talk.hello "FUTURERELEASE 10 2030-01-01T00:00:00Z", talk.bye() }, {}, { hold_for = 60 }),
      { kind = "message" })
  end)

  it("that is to be delivered in no time at all is no message", function()
    local made, err = smtpsec.message(talk.message { deliver_by = { trace = true } })
    assert.is_nil(made)
    assert.same({ "message", "deliver_by.seconds: is missing" }, { err.kind, err.message })
  end)

  it("that must travel in TLS goes in TLS to a server that can do it, and nowhere else", function()
    local _, good, tls = talk.pki "starttls"
    local function secured(...)
      return { talk.hello "STARTTLS", talk.starttls(good, "PIPELINING", ...) }
    end
    local seen = talk.send({ secured "REQUIRETLS", talk.begin_group(), talk.END, OK, talk.bye() }, { tls = tls },
      { require_tls = true })
    talk.accepted(seen)
    assert.equal("MAIL FROM:<from@client.test> REQUIRETLS", (commands(seen.peer)))
    talk.refused(talk.send({ secured(), talk.bye() }, { tls = tls }, { require_tls = true }),
      { kind = "policy", stage = "mail" })
    talk.refused(talk.send({ talk.hello "REQUIRETLS", talk.bye() }, {}, { require_tls = true }), { kind = "policy" })
    talk.refused(talk.send({ secured "REQUIRETLS", talk.bye() },
      { tls = { mode = "starttls", insecure_skip_verify = true } }, { require_tls = true }), { kind = "policy" })
  end)

  it("has its own wishes among many on one connection", function()
    local HELLO = talk.hello("PIPELINING", "CHUNKING", "MT-PRIORITY")
    local list = { talk.message { priority = 5 }, talk.message(), talk.message { priority = -5 } }
    local seen = talk.send_all({ HELLO, "C: MAIL FROM:<from@client.test> MT-PRIORITY=5\r\n", "C: RCPT", talk.BDAT,
      "C: RSET", "C: MAIL FROM:<from@client.test>\r\n", "C: RCPT", talk.BDAT, "C: RSET",
      "C: MAIL FROM:<from@client.test> MT-PRIORITY=-5\r\n", "C: RCPT", talk.BDAT, OK, OK, OK, OK, OK, OK, OK,
        OK, OK, OK,
      OK, talk.bye() }, list)
    for i = 1, 3 do assert.equal("accepted", (seen.results[i].receipt or {}).status, tostring(seen.results[i].err)) end
  end)

  it("may have them beside raw, and what is none of them raises", function()
    local mail = { raw = "From: a@b.test\r\n\r\nx\r\n", envelope = { from = "a@b.test", to = "c@d.test" },
      priority = 1 }
    assert.is_table((smtpsec.message(mail)))
    for words, fields in pairs { dsn = { dsn = { notify = "sometimes" } }, priority = { priority = 10 },
      deliver_by = { deliver_by = { minutes = 1 } }, hold_for = { hold_for = 0 } } do
      local ok, problem = pcall(smtpsec.message, talk.message(fields))
      assert.is_false(ok)
      assert.matches(words, problem, 1, true)
    end
  end)
end)

describe("a server that takes", function()
  local function to(...)
    local list = {}
    for i, name in ipairs { ... } do list[i] = name:find "@" and name or name .. "@mail.test" end
    return { to = list }
  end

  local function group(...)
    local list = { "C: MAIL" }
    for _, name in ipairs { ... } do list[#list + 1] = ("C: RCPT TO:<%s"):format(name) end
    list[#list + 1] = "C: DATA"
    return list
  end

  it("few recipients at once gets the mail in parts, and the receipt is of them all", function()
    local seen = talk.send({ talk.hello("PIPELINING", "LIMITS RCPTMAX=2"), group("a", "b"), OK, OK, "S: 550 no",
      "S: 354 go", talk.END, group("c", "d"), OK, OK, OK, OK, "S: 354 go", talk.END, group "e", OK, OK, OK, "S: 354 go",
      talk.END, OK, talk.bye() }, {}, to("a", "b", "c", "d", "e"))
    assert.is_nil(seen.err, tostring(seen.err))
    assert.equal("partial", seen.receipt.status)
    assert.same({ "a@mail.test", "c@mail.test", "d@mail.test", "e@mail.test" }, seen.receipt.accepted)
    assert.same({ 1, "b@mail.test" }, { #seen.receipt.rejected, seen.receipt.rejected[1].address })
    local bodies = {}
    for body in seen.peer.received:gmatch "DATA\r\n(.-)\r\n%.\r\n" do bodies[#bodies + 1] = body end
    assert.equal(3, #bodies)
    assert.same({ bodies[1], bodies[1] }, { bodies[2], bodies[3] })
  end)

  it("as many as there are gets it in one", function()
    local seen = talk.send({ talk.hello("PIPELINING", "LIMITS RCPTMAX=2"), group("a", "b"), OK, OK, OK, "S: 354 go",
      talk.END, OK, talk.bye() }, {}, to("a", "b"))
    talk.accepted(seen)
  end)

  it("few domains at once gets the mail in parts", function()
    local seen = talk.send({ talk.hello("PIPELINING", "LIMITS RCPTDOMAINMAX=1"), group("a@one", "b@ONE"), OK, OK, OK,
      "S: 354 go", talk.END, group "c@two", OK, OK, OK, "S: 354 go", talk.END, group "d@one", OK, OK, OK, "S: 354 go",
      talk.END, OK, talk.bye() }, {}, to("a@one.test", "b@ONE.test", "c@two.test", "d@one.test"))
    talk.accepted(seen)
    assert.equal(4, #seen.receipt.accepted)
  end)

  it("a reader's mail only in parts does not get it: it can be read once", function()
    local reads = 0
    local fields = to("a", "b")
    fields.attachments = { { filename = "x", reader = function()
      reads = reads + 1
      return nil
    end } }
    talk.refused(talk.send({ talk.hello("PIPELINING", "LIMITS RCPTMAX=1"), talk.bye() }, {}, fields),
      { kind = "limit" })
    assert.equal(0, reads)
  end)

  it("few recipients at once gets no part behind one that broke off", function()
    local path = keeper.own():new_folder "parts" .. "/report"
    process.write(path, ("x"):rep(300000))
    local fields = to("a", "b")
    fields.attachments = { { path = path } }
    local seen = talk.send({ talk.hello("PIPELINING", "LIMITS RCPTMAX=1"), group "a", OK, OK, "S: 354 go",
      { drain = true } }, { on_event = function(event)
      if event.verb == "DATA" then process.write(path, "less") end
    end }, fields)
    talk.failed(seen, { kind = "message", temporary = false })
    assert.matches("changed", seen.err.message)
    assert.equal(2, #seen.err.rejected)
  end)

  it("few mails on one connection gets the next one over another", function()
    local HELLO = talk.hello("PIPELINING", "CHUNKING", "LIMITS MAILMAX=2")
    local behind = { "C: RSET", talk.begin_bdat() }
    local list = {}
    for i = 1, 5 do list[i] = talk.message { subject = "mail " .. i } end
    local two = { HELLO, talk.begin_bdat(), behind, OK, OK, OK, OK, OK, OK, OK, talk.bye() }
    local seen = talk.send_all(talk.listen(two, two, { HELLO, talk.begin_bdat(), OK, OK, OK, talk.bye() }), list)
    for i = 1, 5 do
      assert.same({ i, "accepted" }, { seen.results[i].index, (seen.results[i].receipt or {}).status })
    end
    assert.equal(3, #seen.connections)
    for _, connection in ipairs(seen.connections) do
      assert.equal("script", connection.ended)
      assert.matches("QUIT\r\n$", connection.received)
    end
  end)

  describe("few mails on one connection, and few recipients in each, gets the mail over several", function()
    local HELLO = talk.hello("PIPELINING", "LIMITS RCPTMAX=1 MAILMAX=2")

    -- A connection for so many parts, of which some are refused.
    local function parts(...)
      local script = { HELLO }
      for i, no in ipairs { ... } do
        local asked = { "C: MAIL", "C: RCPT", "C: DATA", OK }
        script[i + 1] = no and { asked, "S: " .. no, "S: 503 no", "C: RSET", OK }
          or { asked, OK, "S: 354 go", talk.END, OK }
      end
      script[#script + 1] = { drain = true }
      return script
    end

    local function names(list)
      local found = {}
      for i, one in ipairs(list) do found[i] = one.address or one end
      return found
    end

    it("all of it", function()
      local seen = talk.send(talk.listen(parts(false, false), parts(false, false), parts(false)), {},
        to("a", "b", "c", "d", "e"))
      talk.accepted(seen)
      assert.same({ "a@mail.test", "b@mail.test", "c@mail.test", "d@mail.test", "e@mail.test" },
        seen.receipt.accepted)
      assert.equal(3, #seen.connections)
    end)

    it("in send_all, too", function()
      local seen = talk.send_all(talk.listen(parts(false, false), parts(false)), { talk.message(to("a", "b", "c")) })
      talk.accepted { receipt = seen.results[1].receipt, err = seen.results[1].err }
      assert.equal(2, #seen.connections)
    end)

    it("for all but those that are refused", function()
      local seen = talk.send(talk.listen(parts(false, "550 5.1.1 who?"), parts "450 4.2.1 later"), {},
        to("a", "b", "c"))
      assert.is_nil(seen.err, tostring(seen.err))
      assert.same({ { "a@mail.test" }, { "b@mail.test", "c@mail.test" } },
        { seen.receipt.accepted, names(seen.receipt.rejected) })
    end)

    it("and tells of each where all are", function()
      local seen = talk.send(talk.listen({ HELLO, "C: MAIL", "C: RCPT", "C: DATA", OK, "S: 450 later", "S: 503 no",
        "C: RSET", "C: MAIL", "C: RCPT", "C: DATA", OK, OK, "S: 550 who?", "S: 503 no", { drain = true } },
        parts "553 who?"), {}, to("a", "b", "c"))
      talk.failed(seen, { kind = "rejected", code = 550, retry_safe = true })
      assert.same({ "b@mail.test", "c@mail.test", "a@mail.test" }, names(seen.err.rejected))
    end)

    it("and tries those again to whom another's refusal says nothing", function()
      local seen = talk.send_all(talk.listen(parts("550 5.1.1 who?", "450 4.2.1 later"), parts(false)),
        { talk.message(to("a", "b")) }, {}, { retry = { first = 0.01 } })
      local receipt = seen.results[1].receipt
      assert.is_nil(seen.results[1].err, tostring(seen.results[1].err))
      assert.same({ { "b@mail.test" }, { "a@mail.test" } }, { receipt.accepted, names(receipt.rejected) })
      seen = talk.send_all(talk.listen(parts("550 5.1.1 who?", "450 4.2.1 later"), parts "550 5.1.1 who?"),
        { talk.message(to("a", "b")) }, {}, { retry = { first = 0.01 } })
      local err = seen.results[1].err
      assert.same({ 550, false, { "a@mail.test", "b@mail.test" } }, { err.code, err.temporary, names(err.rejected) })
    end)

    it("and none twice where one is in doubt", function()
      local seen = talk.send(talk.listen({ HELLO, "C: MAIL", "C: RCPT", "C: DATA", OK, OK, "S: 354 go", talk.END, OK,
        "C: MAIL", "C: RCPT", "C: DATA", OK, OK, "S: 354 go", talk.END, { close = true } }), {}, to("a", "b", "c"))
      talk.failed(seen, { kind = "in_doubt", retry_safe = false })
      assert.same({ { "a@mail.test" }, { "c@mail.test" } }, { seen.err.accepted, names(seen.err.rejected) })
      assert.equal(1, #seen.connections)
    end)
  end)

  it("few mails on one connection gets the next send over another", function()
    local HELLO = talk.hello("PIPELINING", "LIMITS MAILMAX=1")
    local server = talk.listen { HELLO, talk.mail(), talk.bye() }
    local mailer = assert(smtpsec.new(talk.options(server)))
    for _ = 1, 3 do assert(mailer:send(talk.message())) end
    mailer:close()
    assert.equal(3, #talk.stop(server))
  end)
end)
