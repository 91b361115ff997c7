-- Connections that are used again: when, for how long, and when never. Each script is one connection.
local process = require "spec.support.process"
local smtpsec = require "smtpsec"
local sock = require "smtpsec.sock"
local talk = require "spec.support.talk"

describe("an idle connection", function()
  local HELLO, MAIL = talk.hello "PIPELINING", talk.mail()
  local OPEN = { HELLO, MAIL, MAIL, MAIL, talk.bye() }
  local FRESH = { HELLO, MAIL, talk.bye() }

  -- A mailer, and its peer with a script for each connection.
  local function begin(options, ...)
    local server = talk.listen(...)
    return assert(smtpsec.new(talk.options(server, options))), server
  end

  local function send(mailer, fields)
    local receipt, err = mailer:send(talk.message(fields))
    assert.is_nil(err, tostring(err))
    return receipt
  end

  -- How many connections there were, and what each received.
  local function finish(mailer, server)
    mailer:close()
    return talk.stop(server)
  end

  local function mails(connection)
    local _, count = connection.received:gsub("\r\n%.\r\n", "")
    return count
  end

  it("carries the next mail", function()
    local mailer, server = begin({}, OPEN)
    for _ = 1, 3 do send(mailer) end
    local connections = finish(mailer, server)
    assert.equal(1, #connections)
    assert.equal(3, mails(connections[1]))
    local _, greetings = connections[1].received:gsub("EHLO", "")
    assert.equal(1, greetings)
  end)

  it("carries what comes after a refusal", function()
    local mailer, server = begin({}, { HELLO, "C: MAIL", "C: RCPT", "C: DATA", "S: 250 ok", "S: 550 no", "S: 554 no",
      "C: RSET", "S: 250 ok", talk.begin_group(), talk.END,
      "S: 550 spam", MAIL, talk.bye() })
    assert.equal("rcpt", select(2, mailer:send(talk.message())).stage)
    assert.equal("final", select(2, mailer:send(talk.message())).stage)
    send(mailer)
    assert.equal(1, #finish(mailer, server))
  end)

  it("is ended by QUIT when the mailer is closed, and the answer is not waited for", function()
    local mailer, server = begin({}, { HELLO, MAIL, talk.bye() })
    send(mailer)
    assert.same({ true, {} }, { mailer:close() })
    assert.matches("QUIT\r\n$", talk.stop(server)[1].received)
    mailer, server = begin({}, { HELLO, MAIL, "C: QUIT", { drain = true } })
    send(mailer)
    assert.same({ true, {} }, { mailer:close() })
    assert.matches("QUIT\r\n$", talk.stop(server)[1].received)
  end)

  describe("that the server has left", function()
    it("is replaced by a new one, silently", function()
      local mailer, server = begin({}, { HELLO, MAIL, { close = true } }, FRESH)
      send(mailer)
      server:wait(function(transcript) return transcript[1].ended end)
      assert.same({ 'sent in clear: tls = "none"' }, send(mailer).warnings)
      local connections = finish(mailer, server)
      assert.same({ 2, 1, 1 }, { #connections, mails(connections[1]), mails(connections[2]) })
    end)

    it("with a word of goodbye is replaced, too", function()
      local mailer, server = begin({}, { HELLO, MAIL, "S: 421 4.4.2 idle too long", { drain = true } }, FRESH)
      send(mailer)
      process.sleep(0.05)
      send(mailer)
      assert.equal(2, #finish(mailer, server))
    end)

    for name, ending in pairs {
      ["closes"] = { "C: MAIL", { close = true } }, ["resets"] = { { reset = true } },
      ["says 421"] = { "C: MAIL", "S: 421 4.4.2 idle too long", { close = true } },
    } do
      it("only when the next mail comes is replaced, once: it " .. name, function()
        local mailer, server = begin({}, { HELLO, MAIL, ending }, { HELLO, MAIL, ending }, { HELLO, MAIL, ending })
        send(mailer)
        send(mailer)
        send(mailer)
        local connections = finish(mailer, server)
        assert.equal(3, #connections)
        for i = 1, 3 do assert.equal(1, mails(connections[i])) end
      end)

      it("is not replaced again and again: it " .. name, function()
        local mailer, server = begin({}, { HELLO, MAIL, ending }, { HELLO, ending })
        send(mailer)
        local receipt, err = mailer:send(talk.message())
        assert.is_nil(receipt)
        assert.equal("mail", err.stage)
        assert.is_true(err.temporary and err.retry_safe)
        assert.equal(2, #finish(mailer, server))
      end)
    end

    it("after MAIL was answered is an error: it was alive", function()
      local mailer, server = begin({}, { talk.hello(), MAIL, "C: MAIL", "S: 250 ok", "C: RCPT", { close = true } },
        FRESH)
      send(mailer)
      local receipt, err = mailer:send(talk.message())
      assert.is_nil(receipt)
      assert.same({ "closed", "rcpt" }, { err.kind, err.stage })
      assert.equal(1, #finish(mailer, server))
    end)

    it("after the message leaves that in doubt, and it is not sent again", function()
      local mailer, server = begin({}, { HELLO, MAIL, talk.begin_group(),
        talk.END, { close = true } }, FRESH)
      send(mailer)
      local receipt, err = mailer:send(talk.message())
      assert.is_nil(receipt)
      assert.equal("in_doubt", err.kind)
      assert.equal(1, #finish(mailer, server))
    end)
  end)

  describe("is never used again", function()
    it("after a time-out", function()
      local mailer, server = begin({ timeout = { command = 0.1 } },
        { HELLO, "C: MAIL", { sleep = 0.2 }, "S: 250 late", { drain = true } }, FRESH)
      assert.equal("timeout", select(2, mailer:send(talk.message())).kind)
      process.sleep(0.15)
      send(mailer)
      local connections = finish(mailer, server)
      assert.equal(2, #connections)
      assert.is_nil(connections[1].received:find("QUIT", 1, true))
    end)

    it("by a process that was forked", function()
      local own = sock.process
      finally(function() sock.process = own end)
      local mailer, server = begin({}, { HELLO, MAIL, { drain = true } }, { HELLO, MAIL, { drain = true } })
      send(mailer)
      sock.process = function() return own() + 1 end
      send(mailer)
      local connections = finish(mailer, server)
      assert.equal(2, #connections)
      assert.is_nil(connections[1].received:find("QUIT", 1, true)) -- it is still the parent's
      assert.matches("QUIT\r\n$", connections[2].received)
    end)

    it("when the two sides are out of step", function()
      local mailer, server = begin({}, { HELLO, MAIL, "S: 250 and another", { drain = true } }, FRESH)
      send(mailer)
      process.sleep(0.05)
      send(mailer)
      assert.equal(2, #finish(mailer, server))
    end)

    it("when a reply is half there", function()
      local mailer, server = begin({}, { HELLO, MAIL, { send = "250" }, { drain = true } }, FRESH)
      send(mailer)
      process.sleep(0.05)
      send(mailer)
      assert.equal(2, #finish(mailer, server))
    end)

    it("after a message that broke off", function()
      local mailer, server = begin({}, { HELLO, talk.begin_group(),
        { drain = true } }, FRESH)
      local pieces = 0
      local _, err = mailer:send(talk.message { attachments = { { filename = "x", reader = function()
        pieces = pieces + 1
        return pieces < 4 and ("x"):rep(60000) or nil, "no more"
      end } } })
      assert.equal("message", err.kind)
      send(mailer)
      local connections = finish(mailer, server)
      assert.same({ 2, 0, 1 }, { #connections, mails(connections[1]), mails(connections[2]) })
    end)

    it("by somebody else while it is busy", function()
      local mailer, server, inner
      mailer, server = begin({ pool = { size = 2 }, on_event = function(event)
        if event.verb == "MAIL" and event.type == "command" and not inner then
          inner = true -- in the middle of the first mail, another one
          send(mailer, { subject = "inner" })
        end
      end }, FRESH, FRESH)
      send(mailer, { subject = "outer" })
      local connections = finish(mailer, server)
      assert.equal(2, #connections)
      assert.matches("Subject: outer", connections[1].received)
      assert.matches("Subject: inner", connections[2].received)
    end)
  end)

  describe("is limited", function()
    it("to a number of mails", function()
      local script = { HELLO, MAIL, MAIL, talk.bye() }
      local mailer, server = begin({ pool = { max_messages = 2 } }, script, script, { HELLO, MAIL, talk.bye() })
      for _ = 1, 5 do send(mailer) end
      local connections = finish(mailer, server)
      assert.same({ 3, 2, 2, 1 }, { #connections, mails(connections[1]), mails(connections[2]),
        mails(connections[3]) })
      assert.matches("QUIT\r\n$", connections[1].received)
    end)

    it("to a time", function()
      local mailer, server = begin({ pool = { idle = 0.1 } }, OPEN, OPEN)
      send(mailer)
      send(mailer)
      process.sleep(0.15)
      send(mailer)
      local connections = finish(mailer, server)
      assert.same({ 2, 2, 1 }, { #connections, mails(connections[1]), mails(connections[2]) })
    end)

    it("to so many, one where nothing else was said", function()
      for size, kept in pairs { [1] = 1, [2] = 2 } do
        local depth, mailer, server = 0
        mailer, server = begin({ pool = { size = size }, on_event = function(event)
          if event.verb == "MAIL" and event.type == "command" and depth < 2 then
            depth = depth + 1
            send(mailer)
          end
        end }, { HELLO, MAIL, MAIL, talk.bye() })
        send(mailer) -- three at a time
        local open = #server:wait(function(transcript)
          local alive = {}
          for _, connection in ipairs(transcript) do
            if not connection.ended then alive[#alive + 1] = connection end
          end
          return #alive == kept and alive
        end)
        assert.equal(kept, open)
        assert.equal(3, #finish(mailer, server))
      end
    end)
  end)

  it("is not kept by a single send", function()
    local seen = talk.send { HELLO, MAIL, talk.bye() }
    talk.accepted(seen)
    assert.matches("QUIT\r\n$", seen.peer.received)
  end)

  it("has no time of its own from the call that used it last", function()
    local mailer, server = begin({ timeout = { total = 1, command = 2 } },
      { HELLO, MAIL, MAIL, { sleep = 0.05 }, talk.bye() })
    send(mailer)
    process.sleep(1.05)
    send(mailer)
    process.sleep(1.05)
    assert.same({ true, {} }, { mailer:close() })
    talk.stop(server)
  end)
end)

describe("a function of the caller's that raises leaves nothing open behind it", function()
  local sink = require "smtpsec.sink"
  local server, mailer, raises

  local function begin()
    if mailer then mailer:close() end
    mailer = assert(smtpsec.new(talk.options(server, { timeout = 0.2, pool = { connections = 2 },
      on_event = function(event)
        if raises and raises(event) then error("not now", 0) end
      end })))
  end

  setup(function() server = assert(sink.start { tls = "none", offer = { "PIPELINING" } }) end)

  before_each(begin)

  teardown(function()
    mailer:close()
    server:stop()
  end)

  -- Nobody waits for a connection that is not given back.
  local function is_whole()
    raises = nil
    for _ = 1, 2 do assert(mailer:send(talk.message())) end
    assert.equal(1, mailer.pool:live())
  end

  local function raise(work, ...)
    for _ = 1, 3 do
      local ran, problem = pcall(work, ...)
      assert.same({ false, "not now" }, { ran, problem })
    end
  end

  for _, verb in ipairs { "greeting", "EHLO", "MAIL", "DATA", "end" } do
    it("in send and in send_all, when it is told of " .. verb, function()
      local function told_of_it(event) return event.verb == verb end
      raises = told_of_it
      raise(mailer.send, mailer, talk.message())
      is_whole()
      for connections = 1, 2 do
        begin()
        raises = told_of_it
        raise(function()
          for _ in mailer:send_all({ talk.message(), talk.message() }, { connections = connections }) do end
        end)
        is_whole()
      end
    end)
  end

  it("in verify, and at the end", function()
    raises = function(event) return event.verb == "NOOP" end
    raise(mailer.verify, mailer)
    is_whole()
    raises = function(event) return event.verb == "QUIT" end
    assert.same({ false, "not now" }, { pcall(mailer.close, mailer) })
    assert.equal(0, mailer.pool:live())
  end)

  it("at the end, where others are idle, too", function()
    mailer:close()
    mailer = assert(smtpsec.new(talk.options(server, { pool = { size = 2 }, on_event = function(event)
      if event.verb == "QUIT" then error("not now", 0) end
    end })))
    for _ in mailer:send_all({ talk.message(), talk.message() }, { connections = 2, window = 1 }) do end
    assert.equal(2, mailer.pool:live())
    assert.same({ false, "not now" }, { pcall(mailer.close, mailer) })
    assert.equal(0, mailer.pool:live())
  end)

  it("when it is told of a result", function()
    raises = function(event) return event.type == "mail" end
    for connections = 1, 2 do
      raise(function()
        for _ in mailer:send_all({ talk.message(), talk.message() }, { connections = connections }) do end
      end)
    end
    is_whole()
  end)

  it("when it is asked for the next mail", function()
    local drawn = 0
    local function draw()
      drawn = drawn + 1
      if drawn % 3 == 0 then error("not now", 0) end
      return talk.message()
    end
    for connections = 1, 2 do
      raise(function()
        for _ in mailer:send_all(draw, { connections = connections }) do end
      end)
    end
    assert.is_true(mailer.pool:live() <= 2)
    for _ = 1, 2 do assert(mailer:send(talk.message())) end
    mailer:close()
    assert.equal(0, mailer.pool:live())
  end)
end)

describe("a mailer that is closed while a mail is under way", function()
  it("keeps no connection", function()
    local server = talk.listen { talk.hello(), talk.mail(), talk.bye() }
    local mailer
    mailer = assert(smtpsec.new(talk.options(server, { on_event = function(event)
      if event.verb == "MAIL" then mailer:close() end
    end })))
    assert(mailer:send(talk.message()))
    assert.equal(0, mailer.pool:live())
    assert.equal("script", talk.stop(server)[1].ended)
  end)
end)

describe("connections at a time", function()
  local pool = require "smtpsec.pool"

  -- A pool whose driver moves the clock by sleeping; `sleep` may do more.
  local function new_pool(connections, sleep)
    local clock = { now = 100 }
    local driver = { now = function() return clock.now end }
    function driver.sleep(seconds)
      clock.now = clock.now + seconds
      if sleep then sleep(clock.now) end
    end
    function driver.unpark(token) return token end
    return pool.new(driver, { size = 5, idle = 30, connections = connections }), clock
  end

  local function idle_session(place)
    local session = { mails = 0, most = math.huge, pump = {}, quits = 0, place = place }
    session.stream = { park = function() return session.stream end, alive = function() return true end }
    function session.usable() return true end
    function session:quit() self.quits = self.quits + 1 end
    return session
  end

  it("are as many as there may be", function()
    local one, clock = new_pool(2)
    local first, second = assert(one:claim()), assert(one:claim())
    local place, err = one:claim(nil, 0.5)
    assert.is_nil(place)
    assert.same({ "limit", "connect", true, true }, { err.kind, err.stage, err.temporary, err.retry_safe })
    assert.matches("all 2 connections", err.message)
    assert.is_true(clock.now >= 100.5 and clock.now < 101)
    assert.is_nil((one:claim(clock.now, 60)))
    one:forget(first)
    assert(one:claim(nil, 0.5))
    assert.is_true(one.places[second])
  end)

  it("are not waited for by a driver that cannot sleep", function()
    local one = new_pool(1)
    one.driver.sleep = nil
    local place = assert(one:claim())
    local _, err = one:claim(nil, 60)
    assert.equal("limit", err.kind)
    assert.is_true(one.places[place])
  end)

  it("are waited for", function()
    local one, first
    one = new_pool(1, function(now)
      if now > 101 then one:forget(first) end
    end)
    first = assert(one:claim())
    assert(one:claim(nil, 5))
  end)

  it("do not wait for one that is idle: it is ended, where a fresh one is wanted", function()
    local one, before = new_pool(1), {}
    local session = idle_session(one:claim())
    function session:quit()
      self.quits, before.stream = self.quits + 1, self.pump.stream
    end
    assert.is_nil(one:put(session))
    assert(one:claim(nil, 0, true))
    assert.equal(1, session.quits)
    assert.equal(session.stream, before.stream) -- what the driver gave back for it, and not what it was before
    assert.equal(1, one:live())
  end)

  it("are used by who waited, when they become idle", function()
    local one, session
    one = new_pool(1, function(now)
      if now > 101 and not one.idle[1] and not session.since then one:put(session) end
    end)
    session = idle_session(one:claim())
    local place, err, taken, seconds = one:claim(nil, 5)
    assert.same({ session, 0 }, { taken, seconds })
    assert.is_true(place == nil and err == nil)
    assert.equal(0, session.quits)
    assert.equal(1, one:live())
  end)

  it("are not those of calls that were given up", function()
    local one = new_pool(2)
    local kept = one:claim()
    one:claim() -- its call ends here, and tells nobody
    assert(one:claim(nil, 0))
    assert.is_true(one.places[kept])
  end)

  it("are not those of calls in which a function of the user's raised", function()
    local server = talk.listen({ talk.hello "PIPELINING", { drain = true } },
      { talk.hello "PIPELINING", talk.mail(), talk.bye() })
    local raises = true
    local mailer = assert(smtpsec.new(talk.options(server, { pool = { connections = 1 }, timeout = { connect = 0.1 },
      on_event = function(event)
        if raises and event.verb == "MAIL" then error("no", 0) end
      end })))
    assert.same({ false, "no" }, { pcall(mailer.send, mailer, talk.message()) })
    raises = false
    assert.equal("accepted", assert(mailer:send(talk.message())).status)
    mailer:close()
    assert.equal(0, mailer.pool:live())
    assert.equal(2, #talk.stop(server))
  end)

  it("are not bounded where nothing was said", function()
    local one = new_pool(nil)
    for _ = 1, 1000 do assert(one:claim()) end
  end)
end)

describe("a connection", function()
  local HELLO = talk.hello("PIPELINING", "CHUNKING")
  local OK = { "S: 250 ok", "S: 250 ok", "S: 250 ok" }

  it("that was idle for long sends its first message only when MAIL was answered: it may have died", function()
    local verbs = {}
    local mail = { talk.begin_bdat(), OK }
    local server = talk.listen { HELLO, mail, "C: MAIL", "C: RCPT", "S: 250 ok", "S: 250 ok", talk.BDAT, "S: 250 ok",
      mail, talk.bye() }
    local mailer = assert(smtpsec.new(talk.options(server, {
      on_event = function(event) verbs[#verbs + 1] = event.verb end,
    })))
    local function verbs_of_a_mail()
      verbs = {}
      assert(mailer:send(talk.message()))
      return table.concat(verbs, " ")
    end
    verbs_of_a_mail()
    mailer.pool.idle[1].since = mailer.pool.idle[1].since - 3
    assert.equal("MAIL RCPT MAIL RCPT BDAT BDAT LAST", verbs_of_a_mail())
    assert.equal("MAIL RCPT BDAT MAIL RCPT BDAT LAST", verbs_of_a_mail())
    mailer:close()
    assert.equal("script", talk.stop(server)[1].ended)
  end)

  it("is renewed after many refusals on end, whose RSETs a server may take for an attack", function()
    local refused = { "C: MAIL", "C: RCPT", "C: DATA", "S: 250 ok", "S: 550 no", "S: 554 no", "C: RSET", "S: 250 ok" }
    local eight = {}
    for i = 1, 8 do eight[i] = refused end
    local GROUPS = talk.hello "PIPELINING"
    local server = talk.listen({ GROUPS, talk.mail(), eight, talk.bye() }, { GROUPS, talk.mail(), talk.bye() })
    local mailer = assert(smtpsec.new(talk.options(server)))
    assert(mailer:send(talk.message()))
    for _ = 1, 8 do assert.equal("rejected", select(2, mailer:send(talk.message())).kind) end
    assert(mailer:send(talk.message()))
    mailer:close()
    assert.equal(2, #talk.stop(server))
  end)
end)
