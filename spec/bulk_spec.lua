-- Many mails: how they share a flight, what each is told, and what a run leaves behind. Each script is one connection.
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local sink = require "smtpsec.sink"
local smtpsec = require "smtpsec"
local sock = require "smtpsec.sock"
local socket = require "smtpsec.io.socket"
local talk = require "spec.support.talk"

local HELLO = talk.hello("PIPELINING", "CHUNKING")
local GROUPS = talk.hello "PIPELINING"
local NO_RETRY = { retry = false }
local SOON = { retry = { attempts = 3, first = 0.01, longest = 0.01 } }

-- The line of this file that asks.
local function here()
  return debug.getinfo(2, "l").currentline
end

-- So many mails to addresses that can be told apart.
local function mails(count, fields)
  local list = {}
  for i = 1, count do
    local mail = talk.message(fields)
    mail.to, mail.subject = mail.to == "to@mail.test" and ("r%d@mail.test"):format(i) or mail.to, "mail " .. i
    list[i] = mail
  end
  return list
end

-- What was told, one line for each mail in the order in which it came.
local function told(results)
  local lines = {}
  for i, one in ipairs(results) do
    local err = one.err
    lines[i] = one.index .. " " .. (err and ("%s at %s"):format(err.kind, err.stage) or one.receipt.status)
  end
  return lines
end

local function subjects(bytes)
  local list = {}
  for subject in bytes:gmatch "Subject: mail (%d+)" do list[#list + 1] = tonumber(subject) end
  return list
end

-- A mail's commands and octets, behind another one's.
local function behind()
  return { "C: RSET", talk.begin_bdat() }
end

local OK, NEXT_OK = { "S: 250 ok", "S: 250 ok", "S: 250 ok" }, { "S: 250 ok", "S: 250 ok", "S: 250 ok", "S: 250 ok" }

describe("send_all", function()
  describe("has many mails in one flight", function()
    it("by BDAT", function()
      local seen = talk.send_all({ HELLO, talk.begin_bdat(), behind(), behind(), OK, NEXT_OK, NEXT_OK, talk.bye() },
        mails(3))
      assert.same({ "1 accepted", "2 accepted", "3 accepted" }, told(seen.results))
      assert.same({ 1, 2, 3 }, subjects(seen.peer.received))
      assert.equal("script", seen.peer.ended)
    end)

    it("by DATA, where the next MAIL rides behind the dot", function()
      local group = talk.begin_group()
      local follows = { "C: MAIL", "C: RCPT", "C: DATA", "S: 250 ok", "S: 250 ok", "S: 250 ok", "S: 354 go", talk.END }
      local seen = talk.send_all({ GROUPS, group, talk.END, follows, follows, "S: 250 ok", talk.bye() }, mails(3))
      assert.same({ "1 accepted", "2 accepted", "3 accepted" }, told(seen.results))
      assert.equal("script", seen.peer.ended)
    end)

    it("and one after the other where the server takes one command at a time", function()
      local seen = talk.send_all({ talk.hello(), talk.mail(), talk.mail(), talk.bye() }, mails(2))
      assert.same({ "1 accepted", "2 accepted" }, told(seen.results))
      assert.equal("script", seen.peer.ended)
    end)

    it("as many as the window allows", function()
      -- What has come beside the window would be left over for the expectation that follows; so nothing has.
      local two = { talk.begin_bdat(), behind(), { sleep = 0.05 } }
      local seen = talk.send_all({ HELLO, two, OK, behind(), { sleep = 0.05 }, NEXT_OK, behind(), NEXT_OK, NEXT_OK,
        talk.bye() }, mails(4), {}, { window = 2 })
      assert.same({ "1 accepted", "2 accepted", "3 accepted", "4 accepted" }, told(seen.results))
      assert.equal("script", seen.peer.ended)
    end)

    it("and more than both sides can hold at once", function()
      local script = { HELLO }
      for i = 1, 300 do
        script[#script + 1] = i == 1 and { talk.begin_bdat(), OK } or { behind(), NEXT_OK }
      end
      local seen = talk.send_all({ script, talk.bye() }, mails(300), {}, { window = 300 })
      assert.equal(300, #seen.results)
      for i, one in ipairs(seen.results) do assert.same({ i, "accepted" }, { one.index, one.receipt.status }) end
    end)

    it("and those that are too large for it wait for their recipients", function()
      local list = mails(3)
      list[2].text = ("x"):rep(70) .. "\n"
      list[2].text = list[2].text:rep(3000)
      local script = { HELLO, talk.begin_bdat(), "C: RSET", "C: MAIL", "C: RCPT", OK, "S: 250 ok", "S: 250 ok",
        "S: 550 5.1.1 no", behind(), NEXT_OK, talk.bye() }
      local seen = talk.send_all(script, list)
      assert.same({ "1 accepted", "2 rejected at rcpt", "3 accepted" }, told(seen.results))
      assert.same({ 1, 3 }, subjects(seen.peer.received))
    end)
  end)

  describe("draws", function()
    it("from a list, a function, and what can be called", function()
      local list = mails(3)
      local function each()
        local i = 0
        return function()
          i = i + 1
          return list[i]
        end
      end
      local callable = setmetatable({}, { __call = each() })
      for _, messages in ipairs { list, each(), callable } do
        local seen = talk.send_all({ HELLO, talk.begin_bdat(), behind(), behind(), OK, NEXT_OK, NEXT_OK, talk.bye() },
          messages)
        assert.same({ "1 accepted", "2 accepted", "3 accepted" }, told(seen.results))
      end
      assert.same({}, talk.send_all({ { drain = true } }, {}, { on_event = error }).results)
    end)

    -- An iterator that counts what is drawn from it, at most so many.
    local function counting(count, make)
      local seen = { drawn = 0, given = 0, ahead = 0 }
      return function()
        if seen.drawn == count then return nil end
        seen.drawn = seen.drawn + 1
        seen.ahead = math.max(seen.ahead, seen.drawn - seen.given)
        return make(seen.drawn)
      end, seen
    end

    local function mail(i)
      return talk.message { subject = "mail " .. i }
    end

    it("nothing before it is asked, and no mail before there is room for it", function()
      local server = assert(sink.start { tls = "none", offer = { "PIPELINING" } })
      local mailer = assert(smtpsec.new(talk.options(server)))
      local messages, seen = counting(50, mail)
      local run = mailer:send_all(messages, { window = 4 })
      assert.equal(0, seen.drawn)
      for _, receipt in run do
        assert.equal("accepted", receipt.status)
        seen.given = seen.given + 1
      end
      mailer:close()
      server:stop()
      assert.same({ 50, 50 }, { seen.drawn, seen.given })
      assert.is_true(seen.ahead <= 4, "drawn ahead: " .. seen.ahead)
    end)

    for _, connections in ipairs { 1, 2 } do
      it("no more, before it has gone, from a function that takes its time: connections = " .. connections, function()
        local server = assert(sink.start { tls = "none", offer = { "PIPELINING", "CHUNKING" } })
        local mailer = assert(smtpsec.new(talk.options(server)))
        for _, seconds in ipairs { 0.1, 0 } do
          local messages, seen = counting(8, function(i)
            if seconds > 0 then process.sleep(seconds) end
            return mail(i)
          end)
          for _, receipt in mailer:send_all(messages, { connections = connections }) do
            assert.equal("accepted", receipt.status)
            seen.given = seen.given + 1
          end
          assert.equal(8, seen.given)
          if seconds > 0 then assert.equal(1, seen.ahead) else assert.equal(8, seen.ahead) end
        end
        mailer:close()
        server:stop()
      end)
    end

    it("no more than twice the window while one mail keeps those behind it waiting", function()
      local server = assert(sink.start { tls = "none", offer = { "PIPELINING" },
        faults = { { at = "mail", match = "slow@", reply = "451 later", times = 1 } } })
      local mailer = assert(smtpsec.new(talk.options(server)))
      local messages, seen = counting(40, function(i)
        return talk.message { from = i == 1 and "slow@client.test" or nil }
      end)
      local order = {}
      for i in mailer:send_all(messages, { window = 3, retry = { first = 3, longest = 3 } }) do
        seen.given = seen.given + 1
        order[#order + 1] = i
      end
      mailer:close()
      server:stop()
      assert.same({ 40, 40, 6 }, { seen.drawn, seen.given, seen.ahead })
      for i = 1, 40 do assert.equal(i, order[i]) end
    end)

    it("no more than that of mails that cannot be made", function()
      local server = assert(sink.start { tls = "none" })
      local mailer = assert(smtpsec.new(talk.options(server)))
      local messages, seen = counting(1000, function() return talk.message { to = "nobody" } end)
      for _, receipt, err in mailer:send_all(messages, { window = 2 }) do
        seen.given = seen.given + 1
        assert.is_nil(receipt)
        assert.equal("message", err.kind)
      end
      mailer:close()
      assert.same({}, server:journal())
      server:stop()
      assert.same({ 1000, 1000 }, { seen.drawn, seen.given })
      assert.is_true(seen.ahead <= 4, "drawn ahead: " .. seen.ahead)
    end)

    it("nothing more once it is left", function()
      local server = assert(sink.start { tls = "none", offer = { "PIPELINING" } })
      local mailer = assert(smtpsec.new(talk.options(server)))
      local messages, seen = counting(1000, mail)
      local run = mailer:send_all(messages, { window = 2 })
      run()
      run:close()
      assert.is_nil(run())
      run:close()
      assert.is_true(seen.drawn <= 4)
      assert.equal(seen.drawn, #assert(server:wait_for(seen.drawn)))
      mailer:close()
      server:stop()
    end)
  end)

  describe("tells each its own", function()
    it("in the order of the mails, or as they come", function()
      local list = mails(3)
      list[2].to = "nobody"
      local script = { HELLO, talk.begin_bdat(), behind(), OK, NEXT_OK, talk.bye() }
      local seen = talk.send_all(script, list)
      assert.same({ "1 accepted", "2 message at nil", "3 accepted" }, told(seen.results))
      assert.matches("to", tostring(seen.results[2].err), 1, true)
      seen = talk.send_all(script, list, {}, { ordered = false })
      assert.same({ "2 message at nil", "1 accepted", "3 accepted" }, told(seen.results))
      assert.same({ 1, 3 }, subjects(seen.peer.received))
    end)

    it("a message that breaks off is one, and the connection goes on by BDAT", function()
      local list = mails(3)
      local count = 0
      list[2].attachments = { { filename = "x", reader = function()
        count = count + 1
        if count == 5 then return nil, "the tape broke" end
        return ("y"):rep(60000)
      end } }
      local server = assert(sink.start { tls = "none", offer = { "PIPELINING", "CHUNKING" } })
      local mailer = assert(smtpsec.new(talk.options(server)))
      local results = {}
      for index, receipt, err in mailer:send_all(list) do
        results[#results + 1] = { index = index, receipt = receipt, err = err }
      end
      mailer:close()
      assert.same({ "1 accepted", "2 message at body", "3 accepted" }, told(results))
      assert.matches("the tape broke", tostring(results[2].err), 1, true)
      local got = assert(server:mails())
      server:stop()
      assert.same({ { 1, 3 }, 1, 1 }, { subjects(got[1].data .. got[2].data), got[1].connection, got[2].connection })
    end)

    it("who is refused in the middle, and the others get theirs", function()
      local list = mails(5)
      list[3].to = { "a@mail.test", "b@mail.test" }
      local three = { "C: RSET", "C: MAIL", "C: RCPT", "C: RCPT", talk.BDAT }
      local script = { HELLO, talk.begin_bdat(), behind(), three, behind(), behind(),
        OK, -- 1
        "S: 250 ok", "S: 550 5.7.1 not you", "S: 503 no", "S: 503 no", -- 2: the sender
        "S: 250 ok", "S: 250 ok", "S: 550 5.1.1 unknown", "S: 250 ok", "S: 250 queued as 3", -- 3: one recipient
        "S: 250 ok", "S: 250 ok", "S: 550 5.1.1 no", "S: 503 nobody", -- 4: all recipients
        "S: 250 ok", "S: 250 ok", "S: 250 ok", "S: 554 5.7.1 spam", -- 5: the message
        "C: RSET", "S: 250 ok", talk.bye() }
      local seen = talk.send_all(script, list)
      assert.same({ "1 accepted", "2 rejected at mail", "3 partial", "4 rejected at rcpt", "5 rejected at final" },
        told(seen.results))
      assert.same({ { "b@mail.test" }, 550 }, { seen.results[3].receipt.accepted,
        seen.results[3].receipt.rejected[1].code })
      assert.equal("3", seen.results[3].receipt.queue_id)
      assert.equal("r4@mail.test", seen.results[4].err.rejected[1].address)
      assert.same({ 554, "5.7.1", false, true }, { seen.results[5].err.code, seen.results[5].err.enhanced,
        seen.results[5].err.temporary, seen.results[5].err.retry_safe })
    end)

    it("who is refused in the middle, by DATA too", function()
      local list = mails(4)
      local group = { "C: MAIL", "C: RCPT", "C: DATA" }
      local seen = talk.send_all({ GROUPS, talk.begin_group(), talk.END, group,
        "S: 250 ok", "S: 550 5.7.1 not you", "S: 503 no", "S: 503 no", -- the end of 1; 2: the sender
        group, "S: 250 ok", "S: 550 no", "S: 354 go", { upto = ".\r\n" }, -- 3: a lone dot
        "S: 554 nobody", talk.begin_group(), talk.END, "S: 452 full", talk.bye() }, list, {}, NO_RETRY)
      assert.same({ "1 accepted", "2 rejected at mail", "3 rejected at rcpt", "4 rejected at final" },
        told(seen.results))
      assert.same({ 1, 4 }, subjects(seen.peer.received))
      assert.is_true(seen.results[4].err.temporary)
    end)
  end)

  describe("tells the exact fate where the connection is cut:", function()
    local FRESH = { HELLO, talk.begin_bdat(), OK, talk.bye() }

    it("what was answered is accepted, what was sent whole is in doubt and never sent again", function()
      local list = mails(3)
      local seen = talk.send_all(talk.listen({ HELLO, talk.begin_bdat(), behind(), behind(), OK, "S: 250 ok",
        "S: 250 ok", { close = true } }, FRESH), list)
      assert.same({ "1 accepted", "2 in_doubt at final", "3 in_doubt at final" }, told(seen.results))
      assert.equal(1, #seen.connections)
      local ids = {}
      for i = 2, 3 do
        local err = seen.results[i].err
        assert.same({ false, false, "closed" }, { err.retry_safe, err.temporary, err.cause })
        assert.matches("Message-ID: " .. err.id, seen.peer.received, 1, true)
        ids[err.id] = true
      end
      assert.is_not_nil(next(ids, next(ids)))
    end)

    it("a refusal that had come counts, although more was to come", function()
      local seen = talk.send_all({ HELLO, talk.begin_bdat(), behind(), OK, "S: 250 ok", "S: 250 ok", "S: 550 5.1.1 no",
        { close = true } }, mails(2))
      assert.same({ "1 accepted", "2 rejected at rcpt" }, told(seen.results))
      assert.equal("5.1.1", seen.results[2].err.enhanced)
    end)

    it("what was not sent to its end goes over another connection", function()
      local list = mails(2)
      list[2].text = (("x"):rep(70) .. "\n"):rep(20000)
      local seen = talk.send_all(talk.listen({ HELLO, talk.begin_bdat(), "C: RSET", "C: MAIL", "C: RCPT", OK,
        "S: 250 ok",
        "S: 250 ok", "S: 250 ok", { take = 1000 }, { close = true } },
        { GROUPS, talk.mail(), talk.bye() }), list, {}, SOON)
      assert.equal(2, #seen.connections)
      assert.same({ "1 accepted", "2 accepted" }, told(seen.results))
      assert.same({ 1, 2 }, subjects(seen.connections[1].received))
      assert.same({ 2 }, subjects(seen.connections[2].received))
    end)

    it("what was behind the dot goes over another connection by DATA, and the receipt tells", function()
      local seen = talk.send_all(talk.listen({ GROUPS, talk.begin_group(), talk.END, "C: MAIL", "C: RCPT", "C: DATA",
        "S: 250 ok", { close = true } }, { GROUPS, talk.mail(), talk.bye() }), mails(2), {}, SOON)
      assert.same({ "1 accepted", "2 accepted" }, told(seen.results))
      assert.same({ { 1 }, { 2 } }, { subjects(seen.connections[1].received), subjects(seen.connections[2].received) })
      assert.matches("attempt 1 failed: ", table.concat(seen.results[2].receipt.warnings, "\n"))
      assert.not_matches("attempt", table.concat(seen.results[1].receipt.warnings, "\n"))
    end)

    it("what had not been asked for its recipients when it died is safe to send again", function()
      local seen = talk.send_all({ GROUPS, talk.begin_group(), talk.END, "C: MAIL", "C: RCPT", "C: DATA",
        "S: 250 ok", { close = true } }, mails(2), {}, NO_RETRY)
      assert.equal("1 accepted", told(seen.results)[1])
      local err = seen.results[2].err
      assert.same({ "closed", true, true }, { err.kind, err.temporary, err.retry_safe })
    end)

    it("an answer ahead of the message is none, and ends the connection", function()
      local list = mails(2)
      list[2].text = (("x"):rep(70) .. "\n"):rep(5000)
      local seen = talk.send_all({ HELLO, talk.begin_bdat(), "C: RSET", "C: MAIL", "C: RCPT", OK,
        { send = "250 ok\r\n250 ok\r\n250 ok\r\n250 taken\r\n" }, { drain = true } }, list, {}, NO_RETRY)
      assert.same({ "1 accepted", "2 protocol at rcpt" }, told(seen.results))
    end)

    describe("while nothing was under way", function()
      -- Two mails, one after the other; the clock goes on by so many seconds between them.
      local function two(seconds, list, ...)
        local server, shift = talk.listen(...), 0
        local driver = setmetatable({ now = function() return sock.now() + shift end }, { __index = socket })
        local mailer, lines = assert(smtpsec.new(talk.options(server, { io = driver }))), {}
        for index, receipt, err in mailer:send_all(list, { retry = false, window = 1 }) do
          lines[index] = { index = index, receipt = receipt, err = err }
          process.sleep(0.05)
          shift = shift + seconds
        end
        mailer:close()
        return told(lines), talk.stop(server)
      end

      local GOODBYE = { { sleep = 0.02 }, "S: 421 4.4.2 idle" }
      for name, ending in pairs { ["and says nothing"] = { close = true }, ["with a 421"] = GOODBYE } do
        it("for long, the next mail goes over another one, " .. name, function()
          local results, connections = two(60, mails(2), { HELLO, talk.begin_bdat(), OK, ending }, FRESH)
          assert.same({ "1 accepted", "2 accepted" }, results)
          assert.same({ { 1 }, { 2 } }, { subjects(connections[1].received), subjects(connections[2].received) })
        end)
      end

      it("for long, and lives, it is asked first whether it takes the next mail", function()
        local results, connections = two(60, mails(2), { HELLO, talk.begin_bdat(), OK, "C: MAIL", "C: RCPT",
          "S: 250 ok", "S: 550 who?", "C: RSET", "S: 250 ok", talk.bye() })
        assert.same({ "1 accepted", "2 rejected at rcpt" }, results)
        assert.same({ 1, "script", { 1 } },
          { #connections, connections[1].ended, subjects(connections[1].received) })
      end)

      it("for a moment, a mail is one flight", function()
        local results = two(0, mails(2), { HELLO, talk.begin_bdat(), OK, talk.begin_bdat(), OK, talk.bye() })
        assert.same({ "1 accepted", "2 accepted" }, results)
      end)
    end)

    it("a refusal of RSET ends it, since no mail can follow on it", function()
      local no = { "C: MAIL", "S: 250 ok", "C: RCPT", "S: 550 who?" }
      local seen = talk.send_all(talk.listen({ talk.hello(), no, "C: RSET", "S: 502 what?", { drain = true } },
        { talk.hello(), talk.mail(), talk.mail(), talk.bye() }), mails(3), {}, SOON)
      assert.same({ "1 rejected at rcpt", "2 accepted", "3 accepted" }, told(seen.results))
    end)

    it("421 in the middle: nothing behind it was looked at, so all of it goes over another connection", function()
      local seen = talk.send_all(talk.listen({ HELLO, talk.begin_bdat(), behind(), behind(), OK, "S: 250 ok",
        "S: 421 4.3.2 going down", { drain = true } },
        { HELLO, talk.begin_bdat(), OK, talk.begin_bdat(), OK, talk.bye() }), mails(3), {}, SOON)
      assert.same({ "1 accepted", "2 accepted", "3 accepted" }, told(seen.results))
      assert.same({ 1, 2, 3 }, subjects(seen.connections[1].received))
      local again = subjects(seen.connections[2].received)
      table.sort(again)
      assert.same({ 2, 3 }, again)
    end)

    it("421 in the middle is told to each of them where nothing is sent again", function()
      local seen = talk.send_all({ HELLO, talk.begin_bdat(), behind(), behind(), OK, "S: 250 ok",
        "S: 421 4.3.2 going down", { drain = true } }, mails(3), {}, NO_RETRY)
      assert.same({ "1 accepted", "2 rejected at mail", "3 rejected at mail" }, told(seen.results))
      for i = 2, 3 do
        local err = seen.results[i].err
        assert.same({ 421, true, true }, { err.code, err.temporary, err.retry_safe })
      end
    end)
  end)

  describe("has several connections", function()
    local function connected(server)
      local count = 0
      for _, entry in ipairs(assert(server:journal())) do
        if entry.event == "connected" then count = count + 1 end
      end
      return count
    end

    -- Sends so many through a sink; the results in their order, how many connections there were, the mails.
    local function through(settings, count, how, options)
      settings.tls, settings.offer = "none", { "PIPELINING" }
      local server = assert(sink.start(settings))
      local mailer = assert(smtpsec.new(talk.options(server, options)))
      local results = {}
      for index, receipt, err in mailer:send_all(mails(count), how) do
        results[#results + 1] = { index = index, receipt = receipt, err = err }
      end
      mailer:close()
      local connections, got = connected(server), assert(server:mails())
      server:stop()
      return results, connections, got
    end

    it("each with its own window", function()
      local results, connections, got = through({ hold = 0.02 }, 60, { connections = 3, window = 5 })
      assert.same({ 60, 3, 60 }, { #results, connections, #got })
      local over = {}
      for i, one in ipairs(results) do assert.same({ i, "accepted" }, { one.index, one.receipt.status }) end
      for _, mail in ipairs(got) do over[mail.connection] = true end
      assert.same({ true, true, true }, over)
    end)

    it("as many as the pool allows", function()
      local results, connections = through({ hold = 0.01 }, 20, { connections = 4, window = 2 },
        { pool = { connections = 2 } })
      assert.same({ 20, 2 }, { #results, connections })
    end)

    it("and one that fails fails nobody else", function()
      local results, connections, got = through({ hold = 0.01,
        faults = { { at = "greeting", drop = true, times = 1 } } }, 30,
        { connections = 2, window = 3, retry = { first = 0.01, longest = 0.01 } })
      for i, one in ipairs(results) do assert.same({ i, "accepted" }, { one.index, one.receipt.status }) end
      assert.same({ 30, 30, 3 }, { #results, #got, connections })
    end)

    it("and one that is cut in the middle leaves the others theirs", function()
      local results, _, got = through({ hold = 0.01, faults = { { at = "final", drop = true, skip = 5, times = 1 } } },
        30, { connections = 3, window = 3, ordered = false, retry = { first = 0.01, longest = 0.01 } })
      local doubts, seen, arrived = {}, {}, {}
      for _, mail in ipairs(got) do arrived[mail.to[1]] = (arrived[mail.to[1]] or 0) + 1 end
      for _, one in ipairs(results) do
        assert.is_nil(seen[one.index])
        seen[one.index] = true
        local count = arrived[("r%d@mail.test"):format(one.index)]
        if one.err then
          assert.equal("in_doubt", one.err.kind)
          doubts[#doubts + 1] = one.index
        else
          assert.equal(1, count)
        end
      end
      assert.same({ 30, 1 }, { #results, #doubts })
    end)
  end)

  describe("left early", function()
    -- Leaves after three results, then sends one more mail. The mailer may have two connections in all, so one that
    -- was lost would be missed.
    local function leave(how, early)
      local server = assert(sink.start { tls = "none", offer = { "PIPELINING" }, hold = 0.005 })
      local mailer = assert(smtpsec.new(talk.options(server, { pool = { connections = 2, size = 2 },
        timeout = { connect = 1 } })))
      for _ = 1, 3 do early(mailer, mails(40), how) end
      local receipts = { assert(mailer:send(talk.message())), assert(mailer:send(talk.message())) }
      assert.equal("accepted", receipts[2].status)
      assert.equal(mailer.pool:live(), #mailer.pool.idle)
      mailer:close()
      assert.equal(0, mailer.pool:live())
      local open = 0
      assert(process.wait(function()
        open = 0
        for _, entry in ipairs(assert(server:journal())) do
          if entry.event == "connected" then open = open + 1 end
          if entry.event == "closed" then open = open - 1 end
        end
        return open == 0
      end, 5), "connections stayed open")
      server:stop()
    end

    local WAYS = {
      ["by close"] = function(mailer, list, how)
        local run, count = mailer:send_all(list, how), 0
        for _, receipt in run do
          assert.equal("accepted", receipt.status)
          count = count + 1
          if count == 3 then break end
        end
        run:close()
        run:close()
        assert.is_nil(run())
      end,
      ["by an error, and close"] = function(mailer, list, how)
        local run = mailer:send_all(list, how)
        assert.has_error(function()
          for i in run do
            if i == 3 then error "stop" end
          end
        end)
        run:close()
      end,
      ["before it has begun"] = function(mailer, list, how)
        mailer:send_all(list, how):close()
      end,
    }
    if not rawget(_G, "jit") then
      WAYS["by break"] = function(mailer, list, how)
        for i in mailer:send_all(list, how) do
          if i == 3 then break end
        end
      end
      WAYS["by an error"] = function(mailer, list, how)
        assert.has_error(function()
          for i in mailer:send_all(list, how) do
            if i == 3 then error "stop" end
          end
        end)
      end
    end

    for name, way in pairs(WAYS) do
      for connections = 1, 2 do
        it(name .. " it leaves nothing behind, and the mailer goes on: " .. connections, function()
          leave({ window = 8, connections = connections }, way)
        end)
      end
    end
  end)

  describe("tells each what nothing will mend, and asks no further:", function()
    local function attempts(settings, options, how)
      local server = assert(sink.start(settings))
      local mailer = assert(smtpsec.new(talk.options(server, options)))
      local kinds, count = {}, 0
      for _, receipt, err in mailer:send_all(mails(20), how) do
        assert.is_nil(receipt)
        kinds[err.kind], count = true, count + 1
      end
      mailer:close()
      local connections = 0
      for _, entry in ipairs(assert(server:journal())) do
        if entry.event == "connected" then connections = connections + 1 end
      end
      assert.same({}, assert(server:mails()))
      server:stop()
      assert.equal(20, count)
      return kinds, connections
    end

    local LOGIN = { host = "localhost", user = "joe", password = "falsch-4711", auth = { insecure_cleartext = true } }

    it("a wrong password", function()
      local kinds, connections = attempts({ tls = "none", auth = { joe = "secret" } }, LOGIN)
      assert.same({ { auth = true }, 1 }, { kinds, connections })
    end)

    it("a wrong password on several connections: once each at the most", function()
      local kinds, connections = attempts({ tls = "none", auth = { joe = "secret" } }, LOGIN, { connections = 3 })
      assert.same({ auth = true }, kinds)
      assert.is_true(connections <= 3, connections .. " logins")
    end)

    it("a server that cannot prove who it is", function()
      local kinds, connections = attempts({ tls = "implicit" }, { host = "localhost", tls = "implicit" })
      assert.same({ { tls = true }, 1 }, { kinds, connections })
    end)
  end)

  it("does not take what breaks a connection that was opened for what nothing will mend", function()
    local _, good, tls = talk.pki "implicit"
    local opened = { talk.tls(good), GROUPS, talk.mail() }
    local server, calls, asked = talk.listen({ opened, { drain = true } }, { opened, talk.bye() }), 0, 0
    local driver = setmetatable({ connect = function(...)
      calls = calls + 1
      if calls == 1 then return nil, "connect", "refused" end
      local stream = assert(socket.connect(...))
      return setmetatable({ read = function(_, ...)
        if calls == 2 and asked == 2 then return ("\0"):rep(100) end -- no record of TLS
        return stream:read(...)
      end, close = function() stream:close() end, write = function(_, ...) return stream:write(...) end,
        park = function() return nil end }, { __index = stream })
    end }, { __index = socket })
    local mailer = assert(smtpsec.new(talk.options(server, { io = driver, tls = tls, on_event = function(event)
      if event.type == "command" and event.verb == "MAIL" then asked = asked + 1 end
    end })))
    local list, drawn, results = mails(3), 0, {}
    local function draw()
      drawn = drawn + 1
      if drawn == 2 then process.sleep(0.05) end -- then it is time for the first one again
      return list[drawn]
    end
    for index, receipt, err in mailer:send_all(draw, { window = 1, ordered = false, retry = SOON.retry }) do
      results[#results + 1] = { index = index, receipt = receipt, err = err }
    end
    mailer:close()
    server:stop()
    assert.same({ "2 accepted", "1 tls at mail", "3 accepted" }, told(results))
  end)

  describe("is told", function()
    it("by events how far it is, and what is tried again", function()
      local events = {}
      local seen = talk.send_all({ GROUPS, talk.begin_group(), talk.END, "S: 451 4.3.0 later", talk.mail(),
        talk.bye() }, mails(1), { on_event = function(event)
          if event.type == "mail" or event.type == "retry" then events[#events + 1] = event end
        end }, SOON)
      assert.same({ "1 accepted" }, told(seen.results))
      assert.equal(2, #events)
      assert.same({ "retry", 1 }, { events[1].type, events[1].index })
      assert.is_true(events[1].after > 0 and events[1].after <= 0.01)
      assert.is_string(events[1].reason)
      assert.same({ type = "mail", index = 1, status = "accepted", id = seen.results[1].receipt.id, done = 1,
        drawn = 1 },
        events[2])
    end)

    it("by events what failed", function()
      local events = {}
      local seen = talk.send_all({ GROUPS, talk.begin_group(), talk.END, "S: 554 no", talk.bye() }, mails(1),
        { on_event = function(event) if event.type == "mail" then events[#events + 1] = event end end })
      assert.same({ { "failed", 1 }, seen.results[1].err }, { { events[1].status, events[1].index }, events[1].err })
    end)

    it("no answer to QUIT, for which it does not wait", function()
      local verbs = {}
      local seen = talk.send_all({ HELLO, talk.begin_bdat(), OK, talk.bye(), { drain = true } }, mails(1),
        { on_event = function(event) verbs[#verbs + 1] = event.type .. " " .. tostring(event.verb) end })
      assert.same({ "1 accepted" }, told(seen.results))
      assert.matches("QUIT\r\n$", seen.peer.received)
      assert.matches("command QUIT$", table.concat(verbs, "\n"))
      assert.is_nil(table.concat(verbs, "\n"):find("reply QUIT", 1, true))
    end)
  end)

  describe("raises at the caller's line", function()
    local mailer

    setup(function() mailer = assert(smtpsec.new { host = "127.0.0.1", tls = "none", env_file = false }) end)

    local function blamed(line, words, ok, message)
      assert.is_false(ok)
      assert.matches(("bulk_spec.lua:%d: "):format(line), message, 1, true)
      assert.matches(words, message, 1, true)
    end

    it("where an option is not one, or not of its kind", function()
      for words, options in pairs {
        ['unknown key "windows"'] = { windows = 1 }, ['"window"'] = { window = 0 },
          ['"connections"'] = { connections = 0 },
        ['"ordered"'] = { ordered = 1 }, ['"retry"'] = { retry = true }, ['"retry.first"'] = { retry = { first = -1 } },
      } do
        local line, ok, message
        ok, message = pcall(function() return (mailer:send_all({}, options)) end)
        line = here() - 1
        blamed(line, words, ok, message)
      end
    end)

    it("where there is nothing to draw from", function()
      for _, messages in ipairs { 5, "mail", true } do
        local ok, message = pcall(function() return (mailer:send_all(messages)) end)
        blamed(here() - 1, "a list of messages or an iterator expected, got a " .. type(messages), ok, message)
      end
      local ok, message = pcall(function() return (mailer:send_all()) end)
      blamed(here() - 1, "got a nil", ok, message)
    end)

    it("where a message is not one: in the loop that draws it", function()
      local line, ok, message
      ok, message = pcall(function()
        line = here() + 1
        for _ in mailer:send_all { { form = "a@b.test" } } do error "a result" end
      end)
      blamed(line, 'unknown key "form"', ok, message)
    end)

    it("where a driver knows one connection only", function()
      local driver = {}
      for _, name in ipairs { "connect", "now", "hello", "unpark" } do
        driver[name] = mailer.driver[name]
      end
      local own = smtpsec.new { host = "127.0.0.1", tls = "none", env_file = false, io = driver }
      local ok, message = pcall(function() return (own:send_all({}, { connections = 2 })) end)
      blamed(here() - 1, "connections", ok, message)
    end)
  end)

  describe("in an event loop", function()
    -- Each runs two functions side by side; the second one sleeps with what it is given.
    local loops = {
      cqueues = function(work, other)
        local cqueues = require "cqueues"
        local controller = cqueues.new()
        controller:wrap(work)
        controller:wrap(function() other(cqueues.sleep) end)
        assert(controller:loop())
      end,
      luv = function(work, other)
        local uv = require "luv"
        local problem
        local function begin(act, ...)
          local ok, text = coroutine.resume(coroutine.create(function(...)
            local ran, trouble = pcall(act, ...)
            problem = problem or not ran and trouble
          end), ...)
          assert(ok, text)
        end
        begin(work)
        begin(other, function(seconds)
          local co, timer = coroutine.running(), uv.new_timer()
          timer:start(math.ceil(seconds * 1000), 0, function()
            timer:close()
            assert(coroutine.resume(co))
          end)
          coroutine.yield()
        end)
        uv.run()
        if problem then error(problem, 0) end
      end,
    }

    for name, run in pairs(loops) do
      for connections = 1, 3, 2 do
        it("of " .. name .. " other work goes on meanwhile: " .. connections, function()
          local server = assert(sink.start { tls = "none", offer = { "PIPELINING", "CHUNKING" }, hold = 0.005 })
          local mailer = assert(smtpsec.new(talk.options(server, { io = name })))
          local count, ticks, done = 0, 0, false
          run(function()
            for i, receipt in mailer:send_all(mails(30), { window = 2, connections = connections }) do
              count = count + 1
              assert(i == count and receipt.status == "accepted")
            end
            mailer:close()
            done = true
          end, function(sleep)
            while not done and ticks < 10000 do
              sleep(0.001)
              ticks = ticks + 1
            end
          end)
          assert.equal(30, count)
          assert.is_true(ticks > 5, "the other work had " .. ticks .. " turns")
          assert.equal(30, #assert(server:mails()))
          server:stop()
        end)
      end
    end

    it("of nginx, in one request", function()
      local server = assert(sink.start { tls = "none", offer = { "PIPELINING", "CHUNKING" }, hold = 0.002 })
      local host = nginx.start { server = ([[
        location = /many {
          content_by_lua_block {
            local mailer = assert(require "smtpsec".new
              { host = "127.0.0.1", port = %d, tls = "none", env_file = false })
            local i = 0
            local function draw()
              i = i + 1
              return i <= 30 and { from = "from@client.test", to = "to@mail.test", text = "x" } or nil
            end
            local run = mailer:send_all(draw, { window = 3, connections = tonumber(ngx.var.arg_connections) })
            for index, receipt, err in run do ngx.print(index, receipt and receipt.status or tostring(err), " ") end
            mailer:close()
          }
        }
      ]]):format(server.port) }
      local expected = {}
      for i = 1, 30 do expected[i] = i .. "accepted " end
      for connections = 1, 3, 2 do
        local status, body = host:get("/many?connections=" .. connections)
        assert.same({ 200, table.concat(expected) }, { status, body })
      end
      assert.equal(60, #assert(server:mails()))
      host:stop()
      server:stop()
    end)
  end)

  it("is over at once for a mailer that is closed", function()
    local mailer = assert(smtpsec.new { host = "127.0.0.1", tls = "none", env_file = false })
    mailer:close()
    local kinds = {}
    for i, receipt, err in mailer:send_all(mails(2)) do
      assert.is_nil(receipt)
      kinds[#kinds + 1] = i .. err.kind
    end
    assert.same({ "1config" }, kinds)
  end)
end)
