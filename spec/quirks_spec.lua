-- Servers that offer PIPELINING or CHUNKING and break on it: found out, told, and from then on done without.
local quirks = require "smtpsec.quirks"
local smtpsec = require "smtpsec"
local talk = require "spec.support.talk"

local BOTH, GROUPS = talk.hello("PIPELINING", "CHUNKING"), talk.hello "PIPELINING"
local OK = "S: 250 ok"
local QUICK = { timeout = { command = 0.2, data = 0.2, final = 0.2, greeting = 5 } }

-- The commands of a mail, each waited for: what came beside one of them would be left over for the next expectation.
local SLOWLY = { { upto = "MAIL FROM:<from@client.test>\r\n" }, { sleep = 0.03 }, OK,
  { upto = "RCPT TO:<to@mail.test>\r\n" }, { sleep = 0.03 }, OK, { upto = "DATA\r\n" }, { sleep = 0.03 },
  "S: 354 go", talk.END, OK }

local function warning(receipt, keyword)
  for _, text in ipairs(receipt.warnings) do
    if text:find("the server offers " .. keyword .. " and breaks on it", 1, true) then return text end
  end
end

-- Sends so many mails, one after the other, over a mailer to a peer with a script for each connection. `fields` is what
-- each of them has; without it they are short.
local function send_each(options, count, fields, ...)
  local server = talk.listen(...)
  local mailer, seen = assert(smtpsec.new(talk.options(server, options))), { results = {} }
  for i = 1, count do
    local receipt, err = mailer:send(talk.message(fields or { subject = "mail " .. i }))
    seen.results[i] = receipt or err
  end
  mailer:close()
  seen.connections = talk.stop(server)
  return seen
end

-- The same with short mails; where events are asked for, those about quirks are kept.
local function converse(options, count, ...)
  local events, own = {}, {}
  for name, value in pairs(options) do own[name] = value end
  own.on_event = options.on_event and function(event)
    if event.type == "quirk" then events[#events + 1] = event end
  end
  local seen = send_each(own, count, nil, ...)
  seen.events = events
  return seen
end

-- The words that a connection began its commands with.
local function verbs(connection)
  local list = {}
  for line in connection.received:gmatch "[^\r\n]+" do
    local verb = line:match "^(%u+) " or line:match "^(%u+)$"
    if verb and #verb == 4 then list[#list + 1] = verb end
  end
  return table.concat(list, " ")
end

describe("a server that offers CHUNKING", function()
  describe("and does not know BDAT", function()
    for _, code in ipairs { 500, 502, 503, 504 } do
      it("gets the same mail at once by DATA on another connection: " .. code, function()
        for _, options in ipairs { {}, { on_event = true } } do
          local seen = converse(options, 2, { BOTH, talk.begin_bdat(), OK, OK, ("S: %d what?"):format(code),
            { drain = true } }, { BOTH, talk.mail(), talk.mail(), talk.bye() })
          assert.same({ "accepted", "accepted" }, { seen.results[1].status, seen.results[2].status })
          assert.same({ "to@mail.test" }, seen.results[1].accepted)
          assert.same({}, seen.results[1].rejected)
          assert.matches(("BDAT LAST was answered with %d"):format(code), warning(seen.results[1], "CHUNKING"))
          assert.equal(2, #seen.connections)
          assert.equal("EHLO MAIL RCPT DATA MAIL RCPT DATA QUIT", verbs(seen.connections[2]))
          if options.on_event then
            assert.equal(1, #seen.events)
            assert.equal("CHUNKING", seen.events[1].keyword)
            assert.matches("breaks on it", seen.events[1].text)
          end
        end
      end)
    end

    it("gets a whole window of mails at once by DATA, each of them once", function()
      local behind = { "C: RSET", talk.begin_bdat() }
      local list, what = {}, "S: 502 what?"
      for i = 1, 3 do list[i] = talk.message { subject = "mail " .. i, to = { "a@mail.test", "b@mail.test" } } end
      local two = { "C: MAIL", "C: RCPT", "C: RCPT", talk.BDAT }
      behind[2] = two
      local group = { "C: MAIL", "C: RCPT", "C: RCPT", "C: DATA", OK, OK, OK }
      local seen = talk.send_all(talk.listen(
        { BOTH, two, behind, behind, OK, OK, OK, what, OK, OK, OK, OK, what, OK, OK, OK, OK, what, { drain = true } },
        { BOTH, group, "S: 354 go", talk.END, "C: MAIL", "C: RCPT", "C: RCPT", "C: DATA", OK, OK, OK, OK, "S: 354 go",
          talk.END, "C: MAIL", "C: RCPT", "C: RCPT", "C: DATA", OK, OK, OK, OK, "S: 354 go", talk.END, OK,
          talk.bye() }), list, {}, { retry = false })
      assert.equal(2, #seen.connections)
      for i = 1, 3 do
        local one = seen.results[i]
        assert.is_nil(one.err, tostring(one.err))
        assert.same({ i, "accepted" }, { one.index, one.receipt.status })
        assert.same({ "a@mail.test", "b@mail.test" }, one.receipt.accepted)
        assert.is_string(warning(one.receipt, "CHUNKING"))
      end
    end)
  end)

  it("and hangs up on it gets no second copy, and the next mail by DATA", function()
    local seen = converse({}, 2, { BOTH, talk.begin_bdat(), OK, OK, { close = true } },
      { BOTH, talk.mail(), talk.bye() })
    assert.same({ "in_doubt", false }, { seen.results[1].kind, seen.results[1].retry_safe })
    assert.equal("accepted", seen.results[2].status)
    assert.matches("no answer came to BDAT", warning(seen.results[2], "CHUNKING"))
    assert.equal("EHLO MAIL RCPT DATA QUIT", verbs(seen.connections[2]))
  end)

  it("and hangs up before the message was whole gets it at once by DATA", function()
    local server = talk.listen({ BOTH, "C: MAIL", "C: RCPT", OK, OK, { take = 100 }, { reset = true } },
      { BOTH, talk.mail(), talk.bye() })
    local seen = talk.send(server, {}, { text = (("x"):rep(70) .. "\n"):rep(40000) })
    talk.accepted(seen)
    assert.is_string(warning(seen.receipt, "CHUNKING"))
    assert.same({}, seen.receipt.rejected)
    assert.equal(2, #seen.connections)
  end)

  it("and falls silent on it gets no second copy, and the next mail by DATA", function()
    local seen = converse(QUICK, 2, { BOTH, talk.begin_bdat(), OK, OK, { drain = true } },
      { BOTH, talk.mail(), talk.bye() })
    assert.same({ "in_doubt", "timeout" }, { seen.results[1].kind, seen.results[1].cause })
    assert.equal("accepted", seen.results[2].status)
    assert.is_string(warning(seen.results[2], "CHUNKING"))
  end)

  it("and has taken a mail by it is not blamed for what it refuses later", function()
    local seen = converse({}, 3, { BOTH, talk.begin_bdat(), OK, OK, OK, talk.begin_bdat(), OK, OK, "S: 503 not now",
      "C: RSET", OK, talk.begin_bdat(), OK, OK, OK, talk.bye() })
    local first, second, third = (table.unpack or unpack)(seen.results)
    assert.same({ "accepted", "rejected", "accepted" }, { first.status, second.kind, third.status })
    assert.equal(503, second.code)
    assert.is_nil(warning(third, "CHUNKING"))
    assert.equal(1, #seen.connections)
  end)

  it("and refuses a message is not blamed", function()
    for _, no in ipairs { "554 5.7.1 spam", "552 5.3.4 too big", "452 4.3.1 full" } do
      local seen = converse({}, 2, { BOTH, talk.begin_bdat(), OK, OK, "S: " .. no, "C: RSET", OK, talk.begin_bdat(),
        OK, OK, OK, talk.bye() })
      assert.same({ "rejected", "final" }, { seen.results[1].kind, seen.results[1].stage })
      assert.equal("accepted", seen.results[2].status)
      assert.is_nil(warning(seen.results[2], "CHUNKING"))
    end
  end)

  it("and answers 503 to a message without sender or recipients is not blamed", function()
    for _, replies in ipairs { { "S: 550 no", "S: 503 no", "S: 503 no" }, { OK, "S: 550 no", "S: 503 no" } } do
      local seen = converse({}, 2, { BOTH, talk.begin_bdat(), replies, "C: RSET", OK, talk.begin_bdat(), OK, OK, OK,
        talk.bye() })
      assert.equal("accepted", seen.results[2].status)
      assert.is_nil(warning(seen.results[2], "CHUNKING"))
      assert.equal(1, #seen.connections)
    end
  end)
end)

describe("a server that offers PIPELINING", function()
  local GROUP = { "C: MAIL", "C: RCPT", "C: DATA" }
  local AGAIN = { GROUPS, SLOWLY, talk.bye() }

  for name, ending in pairs {
    ["loses what came behind a command"] = { "C: MAIL", OK, { drain = true } },
    ["loses what came behind it, and hangs up"] = { GROUP, OK, { close = true } },
    ["says so"] = { GROUP, "S: 554 5.5.1 Improper use of SMTP command pipelining", { drain = true } },
    ["says so in other words"] = { GROUP, "S: 554 SMTP synchronization error", { drain = true } },
    ["has RCPT out of turn"] = { GROUP, OK, "S: 503 5.5.1 MAIL first", "S: 503 5.5.1 RCPT first", { drain = true } },
    ["has DATA out of turn"] = { GROUP, OK, OK, "S: 503 5.5.1 RCPT first", { drain = true } },
    ["does not know DATA there"] = { GROUP, OK, OK, "S: 500 what?", { drain = true } },
  } do
    it("and " .. name .. " gets the same mail at once, one command at a time", function()
      local options = { timeout = QUICK.timeout }
      local seen = converse(options, 1, { GROUPS, ending }, AGAIN)
      assert.equal("accepted", seen.results[1].status, tostring(seen.results[1]))
      assert.same({ { "to@mail.test" }, {} }, { seen.results[1].accepted, seen.results[1].rejected })
      assert.is_string(warning(seen.results[1], "PIPELINING"))
      assert.equal(2, #seen.connections)
      assert.equal("script", seen.connections[2].ended)
      options.on_event = true
      seen = converse(options, 1, { GROUPS, ending }, AGAIN)
      assert.same({ "accepted", 1 }, { seen.results[1].status, #seen.events })
      assert.equal("PIPELINING", seen.events[1].keyword)
    end)
  end

  it("and breaks on it gets the mails of send_all one command at a time", function()
    local seen = talk.send_all(talk.listen({ GROUPS, "C: MAIL", OK, { drain = true } },
      { GROUPS, SLOWLY, SLOWLY, SLOWLY, talk.bye() }), { talk.message(), talk.message(), talk.message() },
      QUICK, { retry = false })
    for i = 1, 3 do assert.equal("accepted", (seen.results[i].receipt or {}).status, tostring(seen.results[i].err)) end
    assert.equal(2, #seen.connections)
  end)

  it("and refuses for a reason of its own is not blamed", function()
    for _, replies in ipairs {
      { "S: 550 5.7.1 not you", "S: 503 no", "S: 503 no" }, { OK, "S: 550 5.1.1 unknown", "S: 503 no" },
      { OK, OK, "S: 554 5.7.1 no" },
    } do
      local seen = converse({}, 2, { GROUPS, GROUP, replies, replies[1] == OK and { "C: RSET", OK } or {},
        talk.begin_group(), talk.END, OK, talk.bye() })
      assert.equal("rejected", seen.results[1].kind)
      assert.equal("accepted", seen.results[2].status, tostring(seen.results[2]))
      assert.is_nil(warning(seen.results[2], "PIPELINING"))
      assert.equal(1, #seen.connections)
    end
  end)

  it("and has taken a mail by it is not blamed for what fails later", function()
    local seen = converse(QUICK, 2, { GROUPS, talk.begin_group(), talk.END, OK, "C: MAIL", OK, { drain = true } })
    assert.equal("accepted", seen.results[1].status)
    assert.same({ "timeout", "rcpt" }, { seen.results[2].kind, seen.results[2].stage })
    assert.equal(1, #seen.connections)
  end)
end)

describe("a server that offers BINARYMIME", function()
  local BINARY = talk.hello("PIPELINING", "CHUNKING", "8BITMIME", "BINARYMIME")
  local WITH = { attachments = { { content = "\0\r\n.\n\255", filename = "x.bin" } } }

  local function attach(count, ...)
    return send_each({}, count, WITH, ...)
  end

  local function types(connection)
    local list = {}
    for kind in connection.received:gmatch "MAIL FROM[^\r]*BODY=(%u+)" do list[#list + 1] = kind end
    return table.concat(list, " ")
  end

  local REFUSALS = { "500 what?", "501 5.5.4 what?", "504 what?", "555 5.5.4 what?", "554 5.6.1 no such media" }

  for _, refusal in ipairs(REFUSALS) do
    it("and does not know it gets the same mail at once without: " .. refusal, function()
      local seen = attach(2, { BINARY, talk.begin_bdat(), "S: " .. refusal, "S: 503 no", "S: 503 no",
        { drain = true } }, { BINARY, talk.begin_bdat(), OK, OK, OK, talk.begin_bdat(), OK, OK, OK, talk.bye() })
      assert.same({ "accepted", "accepted" }, { seen.results[1].status, seen.results[2].status })
      assert.same({}, seen.results[1].rejected)
      assert.matches("MAIL was answered with 5%d%d", warning(seen.results[1], "BINARYMIME"))
      assert.is_nil(warning(seen.results[1], "CHUNKING"))
      assert.equal(2, #seen.connections)
      assert.equal("BINARYMIME", types(seen.connections[1]))
      assert.equal("", types(seen.connections[2]))
      assert.equal(2, select(2, seen.connections[2].received:gsub("Content%-Transfer%-Encoding: base64", "")))
    end)
  end

  it("and refuses the message for it gets it at once without", function()
    local seen = attach(1, { BINARY, talk.begin_bdat(), OK, OK, "S: 554 5.6.1 no such media", { drain = true } },
      { BINARY, talk.begin_bdat(), OK, OK, OK, talk.bye() })
    assert.equal("accepted", seen.results[1].status)
    assert.is_string(warning(seen.results[1], "BINARYMIME"))
  end)

  it("and refuses for a reason of its own is not blamed, nor when it has worked", function()
    for _, refusal in ipairs { "550 5.7.1 not you", "501 5.1.7 bad address", "451 4.6.1 later" } do
      local seen = attach(2, { BINARY, talk.begin_bdat(), "S: " .. refusal, "S: 503 no", "S: 503 no", "C: RSET", OK,
        talk.begin_bdat(), OK, OK, OK, talk.bye() })
      assert.same({ "rejected", "mail" }, { seen.results[1].kind, seen.results[1].stage })
      assert.is_nil(warning(seen.results[2], "BINARYMIME"))
      assert.equal("BINARYMIME BINARYMIME", types(seen.connections[1]))
    end
    local seen = attach(3, { BINARY, talk.begin_bdat(), OK, OK, OK, talk.begin_bdat(), "S: 555 5.5.4 what?",
      "S: 503 no", "S: 503 no", "C: RSET", OK, talk.begin_bdat(), OK, OK, OK, talk.bye() })
    assert.same({ "accepted", "rejected", "accepted" },
      { seen.results[1].status, seen.results[2].kind, seen.results[3].status })
    assert.equal("BINARYMIME BINARYMIME BINARYMIME", types(seen.connections[1]))
  end)
end)

describe("a memory of quirks", function()
  local function transaction()
    return { due = 3, may_go_on = function() return true end, is_binary = function() return false end }
  end

  it("tells once what it found, and goes on telling what is to blame", function()
    local memory, flight = quirks.new(), { pipelining = true, chunking = true }
    assert.is_false(memory:avoids "CHUNKING")
    for _ = 1, 2 do
      assert.equal("CHUNKING", memory:judge(flight, transaction(), "BDAT LAST", 502, nil, "what?"))
    end
    assert.is_true(memory:avoids "CHUNKING")
    assert.is_false(memory:avoids "PIPELINING")
    assert.equal(1, #memory.notes)
  end)

  it("does not blame what has worked, nor for an end that has other reasons", function()
    local memory, flight = quirks.new(), { pipelining = true, chunking = true }
    for _, kind in ipairs { "tls", "protocol", "limit" } do
      assert.is_nil(memory:blame(flight, transaction(), "BDAT LAST", { kind = kind }))
    end
    memory:prove(flight, transaction())
    assert.is_nil(memory:judge(flight, transaction(), "BDAT LAST", 502, nil, "what?"))
    assert.is_nil(memory:judge(flight, transaction(), "RCPT", 503, nil, "pipelining"))
    assert.is_nil(memory:blame(flight, transaction(), "RCPT", { kind = "timeout" }))
    assert.same({}, memory.notes)
  end)

  it("does not blame an extension that was not used", function()
    local memory = quirks.new()
    assert.is_nil(memory:judge({ pipelining = false }, transaction(), "RCPT", 503, nil, "synchronization"))
    assert.is_nil(memory:blame({ pipelining = false }, transaction(), "RCPT", { kind = "closed" }))
  end)
end)
