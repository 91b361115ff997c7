-- The connection as a whole: what was sent, which time-out applies, how it ends, and that its object can be dropped at
-- any moment.
local core = require "smtpsec.core"
local script = require "spec.support.script"
local new_ends = require "spec.support.tls_ends".new

local ok = "250 ok\r\n"

describe("a connection", function()
  local ends

  setup(function()
    ends = new_ends()
  end)

  teardown(function()
    ends:remove()
  end)

  local function session(options, first, ...)
    local peer = {}
    for _, step in ipairs(first) do
      peer[#peer + 1] = step
    end
    for _, step in ipairs {
      { reply = "220 mail.test\r\n" },
      { expect = "EHLO client.test\r\n", reply = "250-mail.test\r\n250 PIPELINING\r\n" }, ...
    } do
      peer[#peer + 1] = step
    end
    return { options = options, peer = peer }
  end

  describe("in clear", function()
    it("is the same session at every cut of the bytes", function()
      local clear = session({ tls = "none" }, {},
        { expect = "MAIL FROM:<a@client.test>\r\nRCPT TO:<b@mail.test>\r\nRCPT TO:<c@mail.test>\r\nDATA\r\n",
          reply = "250-2.1.0 a\r\n250 2.1.0 b\r\n550-5.1.1 no\r\n550 5.1.1 such user\r\n250 ok\r\n354 go\r\n" },
        { expect = "one\r\n..two\r\n.\r\nQUIT\r\n", reply = "250 2.0.0 queued\r\n221 bye\r\n" }, { close = "cut" })
      clear.client = { "event", { "ehlo", "client.test" },
        { { "mail", "a@client.test" }, { "rcpt", "b@mail.test" }, { "rcpt", "c@mail.test" }, { "data" } },
        { body = "one\n.t" }, { body = "wo" }, { { "finish" }, { "quit" } } }
      local result = script.everywhere(clear)
      assert.same({
        "greeting 220 mail.test", "EHLO 250 mail.test|PIPELINING", "MAIL 250 [2.1.0] a|b",
        "RCPT 550 [5.1.1] no|such user", "RCPT 250 ok", "DATA 354 go", "end 250 [2.0.0] queued", "QUIT 221 bye",
      }, result.events)
      assert.same({
        "EHLO client.test\r\n",
        "MAIL FROM:<a@client.test>\r\nRCPT TO:<b@mail.test>\r\nRCPT TO:<c@mail.test>\r\nDATA\r\n",
        "one\r\n..two\r\n.\r\nQUIT\r\n",
      }, result.flights)
    end)
  end)

  -- Half a reply is no reply: an early end is told as what it is, wherever it comes, and what was sent stays known.
  describe("that is closed early", function()
    local function check(options, first, every)
      local wire = session(options, first,
        { expect = "MAIL FROM:<a@client.test>\r\nRCPT TO:<b@mail.test>\r\nDATA\r\n", reply = ok .. ok .. "354 go\r\n" },
        { expect = "text\r\n.\r\n", reply = "250-queued\r\n250 as one\r\n" })
      local finished
      wire.client = function(client)
        if options.tls == "implicit" then
          client:event()
        end
        client:event()
        client:ask("ehlo", "client.test")
        client:queue("mail", "a@client.test")
        client:queue("rcpt", "b@mail.test")
        client:queue "data"
        for _ = 1, 3 do
          client:event()
        end
        client:body "text"
        finished = client:queue "finish"
        client:event()
      end
      local whole = script.play(wire)
      assert.is_nil(whole.failure)
      local last = whole.fed - (options.tls == "implicit" and 5 or 1) -- signatures differ in length by some bytes
      for upto = 0, last, every do
        finished = nil
        local result = script.play(wire, { upto = upto })
        assert.equal("closed", result.failure.status, upto)
        assert.equal(finished ~= nil, result.wire:find("\r\n.\r\n", 1, true) ~= nil)
        assert.equal(finished ~= nil, finished and result.conn:sent(finished) or false)
        assert.is_true(#result.events < #whole.events)
        for i, event in ipairs(result.events) do
          assert.equal(whole.events[i], event)
        end
      end
    end

    it("in clear", function()
      check({ tls = "none" }, {}, 1)
    end)

    for _, version in ipairs { "server", "server12" } do
      it("in TLS, with " .. version, function()
        check(ends:options "implicit", { { tls = ends[version] } }, 5)
      end)
    end
  end)

  describe("in TLS from the first byte", function()
    for _, version in ipairs { "server", "server12" } do
      it("is the same session at every cut of the bytes, with " .. version, function()
        local implicit = session(ends:options "implicit", { { tls = ends[version] } },
          { expect = "NOOP\r\n", reply = ok }, { expect = "QUIT\r\n", reply = "221 bye\r\n" }, { close = "notify" })
        implicit.client = { "event", "event", { "ehlo", "client.test" }, { "noop" }, { "quit" } }
        local result = script.everywhere(implicit, 5)
        assert.same({ "secured", "greeting 220 mail.test", "EHLO 250 mail.test|PIPELINING", "NOOP 250 ok",
          "QUIT 221 bye" }, result.events)
      end)
    end

    it("finds out a server that speaks in clear, and sends it nothing more", function()
      for _, greeting in ipairs { "220 mail.test\r\n", "+OK\r\n", "HTTP/1.1 400\r\n", "2" } do
        local conn = assert(core.connection(ends:options "implicit"))
        assert.equal("again", (conn:next()))
        assert.is_truthy(script.drain(conn):find "^\22\3")
        conn:feed(greeting)
        local _, status, _, reason = conn:next()
        assert.same({ "tls", "peer does not speak TLS" }, { status, reason })
        assert.equal("", conn:output())
      end
    end)

    it("says nothing in clear before the handshake is done", function()
      local conn = assert(core.connection(ends:options "implicit"))
      assert.equal("state", (select(2, conn:ehlo "client.test")))
      conn:next()
      assert.is_truthy(conn:output():find "^\22\3")
    end)
  end)

  -- What the peer has heard is the judge: a command is sent when, and only when, the peer can read the last of it.
  describe("knows what was sent:", function()
    local long = ("x"):rep(64) .. "@" .. (("y"):rep(60) .. "."):rep(3) .. "test"

    -- Queues the end of a message and more commands than a record of TLS holds.
    local function queue_many(conn)
      local list = {}
      local function queue(name, line, ...)
        list[#list + 1] = { tag = assert(conn[name](conn, ...)), line = line, heard = false }
      end
      assert(conn:body((".line\n"):rep(5000), 1))
      queue("finish", "\r\n.\r\n")
      for _ = 1, 60 do
        queue("mail", "MAIL FROM:<" .. long .. ">\r\n", long)
        queue("rset", "RSET\r\n")
      end
      queue("noop", "NOOP\r\n")
      return list
    end

    -- Notes how far the commands have been heard, and keeps what may be the beginning of the next.
    local function note(commands, heard)
      for _, command in ipairs(commands) do
        local _, last = heard:find(command.line, 1, true)
        if not command.heard and not last then
          return heard:sub(-300)
        elseif not command.heard then
          heard, command.heard = heard:sub(last + 1), true
        end
      end
      return heard
    end

    local function exact(conn, step_of, text_of)
      local commands, heard = queue_many(conn), ""
      repeat
        for _, command in ipairs(commands) do
          if command.heard ~= conn:sent(command.tag) then -- a million times: too often for luassert
            error(command.line .. (command.heard and " was heard" or " was not heard"))
          end
        end
        local bytes = conn:output()
        local n = math.min(#bytes, step_of(bytes))
        conn:consumed(n)
        local text = text_of(bytes:sub(1, n))
        heard = note(commands, heard .. text)
      until n == 0
      assert.is_true(commands[#commands].heard)
    end

    it("in clear", function()
      exact(script.in_body(), function(bytes)
        return #bytes > 20000 and 1013 or 3
      end, function(bytes)
        return bytes
      end)
    end)

    -- Nobody can read a part of a record: so it is taken but for its last byte, and then that.
    local function by_records()
      local left = 0
      return function(bytes)
        if bytes == "" then
          return 0
        elseif left == 0 then
          left = 5 + bytes:byte(4) * 256 + bytes:byte(5)
        end
        local n = left > 1 and left - 1 or 1
        left = left - n
        return n
      end
    end

    for _, version in ipairs { "server", "server12" } do
      it("in TLS, with " .. version, function()
        local wire = session(ends:options "implicit", { { tls = ends[version] } },
          { expect = "MAIL FROM:<a@client.test>\r\n", reply = ok },
          { expect = "RCPT TO:<b@mail.test>\r\n", reply = ok }, { expect = "DATA\r\n", reply = "354 go\r\n" })
        wire.client = { "event", "event", { "ehlo", "client.test" }, { "mail", "a@client.test" },
          { "rcpt", "b@mail.test" }, { "data" } }
        local result = script.play(wire)
        assert.is_nil(result.failure)
        exact(result.conn, by_records(), function(bytes)
          result.peer.filter:feed(bytes)
          local text = ""
          local part
          repeat
            part = result.peer.filter:read()
            text = text .. (part or "")
          until not part
          return text
        end)
      end)
    end

    it("a command that waits is not sent, one that was answered is", function()
      local conn = script.ready "8BITMIME"
      local first, second = conn:rset(), conn:rset()
      script.drain(conn)
      assert.is_true(conn:sent(first))
      assert.is_false(conn:sent(second))
      conn:feed(ok)
      conn:next()
      assert.is_true(conn:sent(first))
      assert.is_false(conn:sent(second))
      script.drain(conn)
      assert.is_true(conn:sent(second))
    end)

    it("in TLS, a reply to what is not out yet violates the protocol there, too", function()
      local wire = session(ends:options "implicit", { { tls = ends.server } })
      wire.client = { "event", "event", { "ehlo", "client.test" } }
      local result = script.play(wire)
      local conn, filter = result.conn, result.peer.filter
      conn:rset()
      local bytes = conn:output()
      conn:consumed(#bytes - 1)
      filter:write(ok)
      conn:feed(filter:output())
      local kind, status, text = conn:next()
      assert.is_nil(kind)
      assert.same({ "protocol", "the server answered RSET before it was sent" }, { status, text })
    end)
  end)

  it("tells the phase that it is in", function()
    local conn = assert(core.connection(ends:options "opportunistic"))
    local function is(phase, waiting)
      assert.same({ phase, waiting }, { conn:phase(), conn:waiting() })
    end
    is("greeting", "greeting")
    script.answer(conn, "220 mail.test\r\n")
    is("command", nil)
    conn:ehlo "client.test"
    is("command", nil)
    script.drain(conn)
    is("command", "EHLO")
    script.answer(conn, "250-mail.test\r\n250-STARTTLS\r\n250 PIPELINING\r\n")
    conn:mail "a@client.test"
    conn:rcpt "b@mail.test"
    conn:data()
    script.drain(conn)
    is("command", "MAIL")
    conn:feed(ok .. ok)
    conn:next()
    is("command", "RCPT")
    conn:next()
    is("data", "DATA")
    script.answer(conn, "354 go\r\n")
    is("body", nil)
    conn:finish()
    is("final", "end")
    conn:rset()
    script.drain(conn)
    is("final", "end")
    conn:feed(ok)
    conn:next()
    is("command", "RSET")
    script.answer(conn, ok)
    conn:starttls()
    script.answer(conn, "220 go\r\n")
    is("tls", nil)
    local implicit = assert(core.connection(ends:options "implicit"))
    assert.same({ "tls", "greeting" }, { implicit:phase(), implicit:waiting() })
  end)

  describe("is idle", function()
    it("between transactions only, with nothing unread, unwritten or unanswered", function()
      local conn = assert(core.connection { tls = "none" })
      local function idle(expected)
        assert.equal(expected, conn:idle())
      end
      idle(false)
      script.answer(conn, "220 mail.test\r\n")
      idle(false)
      conn:ehlo "client.test"
      idle(false)
      script.answer(conn, "250-mail.test\r\n250 PIPELINING\r\n")
      idle(true)
      conn:noop()
      idle(false)
      script.drain(conn)
      idle(false)
      conn:feed "250 o"
      conn:next()
      idle(false)
      conn:feed "k\r\n"
      idle(false)
      conn:next()
      idle(true)
      script.transaction(conn)
      idle(false)
      conn:finish()
      idle(false)
      script.drain(conn)
      idle(false)
      conn:feed(ok)
      conn:next()
      idle(true)
      conn:mail "a@client.test"
      script.answer(conn, "550 no\r\n")
      idle(true)
      conn:feed "4"
      idle(false)
    end)

    it("no longer once the stream ended, or after QUIT", function()
      local conn = script.ready()
      conn:feed ""
      assert.is_false(conn:idle())
      conn = script.ready()
      conn:quit()
      script.answer(conn, "221 bye\r\n")
      assert.is_false(conn:idle())
    end)

    it("in TLS as well", function()
      local wire = session(ends:options "implicit", { { tls = ends.server } }, { expect = "NOOP\r\n", reply = ok })
      wire.client = { "event", "event", { "ehlo", "client.test" }, { "noop" } }
      local conn = script.play(wire).conn
      assert.is_true(conn:idle())
      conn:rset()
      conn:output()
      assert.is_false(conn:idle())
    end)
  end)

  it("that failed has nothing more to write in clear", function()
    local conn = script.ready()
    conn:mail "a@client.test"
    assert.equal("MAIL FROM:<a@client.test>\r\n", conn:output())
    conn:rcpt "b@mail.test"
    conn:feed "what?\r\n"
    assert.is_nil((conn:next()))
    assert.equal("", conn:output())
  end)

  describe("that failed", function()
    local function failed()
      local conn = script.ready()
      conn:mail "a@client.test"
      script.drain(conn)
      conn:feed "what?\r\n"
      return conn
    end

    it("repeats the same error from every call, and has nothing to write", function()
      local conn = failed()
      local first = { conn:next() }
      assert.equal("protocol", first[2])
      assert.is_true(conn:failed())
      for _, call in ipairs {
        { "next" }, { "feed", ok }, { "feed", "" }, { "ehlo", "client.test" }, { "helo", "client.test" }, { "noop" },
        { "rset" }, { "quit" }, { "mail", "a@client.test" }, { "rcpt", "b@mail.test" }, { "data" }, { "body", "x", 1 },
        { "finish" }, { "starttls" }, { "auth", "PLAIN", { user = "u", password = "p" } }, { "next" },
      } do
        assert.same(first, { conn[call[1]](conn, call[2], call[3], call[4]) }, call[1])
        assert.equal("", conn:output())
      end
      assert.is_false(conn:idle())
    end)

    it("is not failed before the bytes were looked at", function()
      assert.is_false(failed():failed())
    end)

    it("in TLS has its alert to write, and nothing else", function()
      local wire = session(ends:options "implicit", { { tls = ends.stranger } })
      wire.client = { "event" }
      local result = script.play(wire)
      assert.equal("tls", result.failure.status)
      assert.equal("", result.wire)
      assert.same({ "tls", "tlsv1 alert unknown ca" }, result.peer_ended)
      assert.equal("", result.conn:output())
      assert.equal("tls", (select(2, result.conn:ehlo "client.test")))
    end)

    it("in TLS keeps back what waited in clear", function()
      local wire = session(ends:options "implicit", { { tls = ends.server } })
      wire.client = { "event", "event", { "ehlo", "client.test" } }
      local result = script.play(wire)
      local conn, filter = result.conn, result.peer.filter
      filter:write "what?\r\n"
      conn:mail "a@client.test"
      conn:feed(filter:output())
      assert.equal("protocol", (select(2, conn:next())))
      assert.equal("", conn:output())
    end)

    -- A server that refuses a message in the middle, and leaves: what is still to be said cannot be said any more.
    local function left_alone(replies)
      local wire = session(ends:options "implicit", { { tls = ends.server } })
      wire.client = { "event", "event", { "ehlo", "client.test" } }
      local result = script.play(wire)
      local conn, filter = result.conn, result.peer.filter
      conn:mail "a@client.test"
      conn:rcpt "b@mail.test"
      script.drain(conn)
      filter:write(replies)
      filter:close_notify()
      conn:feed(filter:output())
      assert.equal("MAIL", (select(2, conn:next())))
      conn:rcpt "c@mail.test"
      assert.equal("", conn:output())
      assert.is_true(conn:failed())
      return conn
    end

    it("because TLS was over before all was sent still gives the replies that had come", function()
      local conn = left_alone(ok .. "550 5.7.1 no\r\n421 bye\r\n")
      assert.same({ "reply", "RCPT", 4, 550, "5.7.1", "no", 0 }, { conn:next() })
      assert.equal("closed", (select(2, conn:quit())))
      assert.same({ "reply", "RCPT", 5, 421, nil, "bye", 0 }, { conn:next() })
      local last = { conn:next() }
      assert.equal("closed", last[2])
      assert.same(last, { conn:next() })
    end)

    it("so takes no reply to what was not sent", function()
      local conn = left_alone(ok .. ok .. ok .. ok)
      assert.equal("RCPT", (select(2, conn:next())))
      local first = { conn:next() }
      assert.equal("the server answered RCPT before it was sent", first[3])
      assert.same(first, { conn:next() })
    end)
  end)

  describe("takes bytes", function()
    it("only as fast as they are read", function()
      local conn, fed = script.ready(), 0
      local good, status, text
      repeat
        good, status, text = conn:feed(("x"):rep(16384))
        fed = fed + (good and 16384 or 0)
      until not good or fed > 2 ^ 20
      assert.same({ "full", "more was fed than was asked for" }, { status, text })
      assert.is_true(fed < 2 ^ 17)
      assert.is_false(conn:failed())
    end)

    it("that are left in TLS without asking for more", function()
      local lines = {}
      for i = 1, 100 do
        lines[i] = { "rset" }
      end
      local wire = session(ends:options "implicit", { { tls = ends.server } },
        { expect = ("RSET\r\n"):rep(100), reply = ok:rep(100) })
      wire.client = { "event", "event", { "ehlo", "client.test" }, lines }
      local result = script.everywhere(wire, 400)
      assert.is_nil(result.failure)
      assert.equal(103, #result.events)
    end)
  end)

  describe("says goodbye to TLS", function()
    local function secured()
      local wire = session(ends:options "implicit", { { tls = ends.server } })
      wire.client = { "event", "event", { "ehlo", "client.test" } }
      return script.play(wire)
    end

    it("so that the peer knows that nothing was cut off", function()
      local result = secured()
      result.conn:close_notify()
      result.peer:receive(script.drain(result.conn))
      assert.equal("closed", result.peer.ended[1])
      assert.is_true(result.peer.filter:closed_cleanly())
      result.conn:close_notify()
      assert.equal("", result.conn:output())
    end)

    it("and then has nothing more to say", function()
      local conn = secured().conn
      conn:close_notify()
      script.drain(conn)
      conn:noop()
      assert.equal("", conn:output())
      local kind, status, text = conn:next()
      assert.is_nil(kind)
      assert.same({ "closed", "TLS was ended, and there is more to send" }, { status, text })
    end)

    it("where there is none, and nothing happens", function()
      local conn = script.ready()
      conn:close_notify()
      assert.equal("", conn:output())
      assert.is_truthy(conn:noop())
    end)
  end)

  describe("as an object", function()
    it("is made with what makes sense, or not at all", function()
      assert.has_error(function() core.connection() end)
      assert.has_error(function() core.connection { tls = "ssl" } end)
      assert.has_error(function() core.connection { tls = true } end)
      assert.has_error(function() core.connection { tls = "starttls" } end)
      assert.has_error(function() core.connection {} end)
      assert.has_error(function() core.connection { tls = "none", insecure_cleartext = "yes" } end)
      local conn, status = core.connection(ends:options("starttls", { server_name = "" }))
      assert.is_nil(conn)
      assert.equal("argument", status)
      conn, status = core.connection { tls = "starttls", context = ends.server, server_name = "mail.test" }
      assert.is_nil(conn)
      assert.equal("argument", status)
    end)

    it("is used as it is meant, or the call is a mistake", function()
      local conn = script.ready()
      for _, call in ipairs {
        { "feed" }, { "consumed" }, { "consumed", -1 }, { "consumed", 1 }, { "consumed", 0.5 }, { "sent" },
        { "sent", 0 }, { "sent", 2 ^ 31 }, { "sent", "x" }, { "ehlo" }, { "mail" }, { "rcpt" }, { "auth", "PLAIN" },
        { "auth", "PLAIN", "u" }, { "body" }, { "body", "x" }, { "body", "x", 0 }, { "body", "x", 3 },
      } do
        assert.has_error(function() conn[call[1]](conn, call[2], call[3]) end)
      end
      assert.has_error(function() conn.feed(nil, "x") end)
      assert.has_error(function() conn.feed(io.stdout, "x") end)
      assert.is_true(conn:idle())
    end)

    it("may be closed twice, and then not be used", function()
      local conn = script.in_body()
      conn:close()
      conn:close()
      for _, name in ipairs {
        "next", "output", "phase", "idle", "failed", "capabilities", "tls", "noop", "close_notify",
      } do
        local ran, words = pcall(conn[name], conn)
        assert.is_false(ran)
        assert.truthy(words:find("the connection is closed", 1, true), words)
      end
    end)

    it("may be dropped in any state", function()
      local waiting = session(ends:options "starttls", {}, { expect = "NOOP\r\n" })
      waiting.client = { "event", { "ehlo", "client.test" }, { "noop" } }
      local shaking = session(ends:options "implicit", { { tls = ends.stranger } })
      shaking.client = { "event" }
      for _ = 1, 50 do
        core.connection { tls = "none" }
        core.connection(ends:options "implicit")
        script.in_body():body(("x"):rep(1000), 1)
        script.play(waiting)
        script.play(shaking)
        local login = script.ready("AUTH LOGIN", { tls = "none", insecure_cleartext = true })
        login:auth("LOGIN", { user = "user", password = "password" })
      end
      collectgarbage()
      collectgarbage()
    end)

    it("outlives the variables that held its context", function()
      local options = ends:options "implicit"
      options.context = assert(core.context { ca_file = ends.pki.authorities.root.cert })
      local wire = session(options, { { tls = ends.server } })
      wire.client = function(client)
        options.context:close()
        options.context = nil
        collectgarbage()
        collectgarbage()
        client:event()
        client:event()
        client:ask("ehlo", "client.test")
      end
      assert.is_nil(script.play(wire).failure)
    end)
  end)
end)
