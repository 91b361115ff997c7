-- The sink over real sockets. Its clients are Python's, which share nothing with smtpsec; at the end, smtpsec itself.
local keeper = require "spec.support.keeper"
local pki = require "spec.support.pki"
local process = require "spec.support.process"
local sink = require "smtpsec.sink"
local smtpsec = require "smtpsec"
local sock = require "smtpsec.sock"

local LUA = rawget(_G, "jit") and "luajit" or "lua5.4"
local MAIL = "MAIL FROM:<a@example.test>\\r\\nRCPT TO:<b@example.test>\\r\\nDATA\\r\\n"

local running = {}

local function start(options)
  local server = assert(sink.start(options))
  running[#running + 1] = server
  return server
end

local function run(script, server, steps, port)
  local words = { "/usr/bin/python3", script, ("%d"):format(port or server.port), server.ca_file or "" }
  for _, step in ipairs(steps) do words[#words + 1] = step end
  local lines = {}
  for line in process.run(process.command(words)):gmatch("[^\n]+") do lines[#lines + 1] = line end
  return lines
end

local function peer(server, steps, port)
  return run("spec/sink/peer.py", server, steps, port)
end

-- The journal's entries of one event.
local function noted(server, event)
  local list = {}
  for _, entry in ipairs(assert(server:journal())) do
    if entry.event == event then list[#list + 1] = entry end
  end
  return list
end

local function codes(replies)
  local list = {}
  for i, reply in ipairs(replies) do list[i] = reply:match("^%d+") end
  return table.concat(list, " ")
end

local function listens(port)
  local stream = sock.connect { host = "127.0.0.1", port = port, timeout = 5 }
  if stream then stream:close() end
  return stream ~= nil
end

after_each(function()
  for i, server in ipairs(running) do
    server:stop()
    running[i] = nil
  end
end)

describe("sink", function()
  local certificates

  setup(function()
    local authority = pki.new(keeper.own():new_folder "pki")
    authority:ca "root"
    local leaf = authority:leaf { name = "mail.example.test", ca = "root" }
    certificates = { ca_file = authority.authorities.root.cert, cert = leaf.chain, key = leaf.key, pki = authority }
  end)

  -- Python's smtplib, by the client that tries the real servers.
  local function reference(server, mode, steps)
    local seen = { port = server.port, ca_file = certificates.ca_file }
    return run("spec/support/reference_client.py", seen, steps, server.ports[mode])
  end

  it("takes mail with STARTTLS and with implicit TLS, behind a login", function()
    local server = start { tls = { "starttls", "implicit" }, cert = certificates.cert, key = certificates.key,
      auth = { joe = "geheim-4711" }, require_auth = true }
    local hello, mail, to = "EHLO client.example.test", "MAIL FROM:<joe@example.test>", "RCPT TO:<ann@example.test>"
    local replies = reference(server, "starttls", { "connect", hello, "starttls", hello, mail, "auth joe wrong",
      "auth joe geheim-4711", mail, to, "message <1@example.test>", "QUIT" })
    assert.equal("220 250 220 250 530 535 235 250 250 250 221", codes(replies))
    replies = reference(server, "implicit",
      { "tls", hello, "auth joe geheim-4711", mail, to, "message <2@example.test>", "QUIT" })
    assert.equal("220 250 235 250 250 250 221", codes(replies))
    local mails = assert(server:mails())
    assert.equal(2, #mails)
    for i, one in ipairs(mails) do
      assert.equal(("Message-ID: <%d@example.test>\r\nSubject: try\r\n\r\nBody of the mail.\r\n.two dots?\r\n")
        :format(i), one.data)
      assert.same({ "joe@example.test", { "ann@example.test" }, "joe", "client.example.test", "TLSv1.3", i },
        { one.from, one.to, one.auth, one.helo, one.tls.version, one.connection })
    end
    assert.is_nil(server.ca_file)
  end)

  it("makes a certificate that others verify, and removes it", function()
    local server = start { tls = "implicit" }
    assert.same({ "TLSv1.3", "220 localhost ESMTP smtpsec sink, for tests only" }, peer(server, { "tls", "reply" }))
    assert.is_string(process.read(server.ca_file))
    server:stop()
    assert.is_nil(process.read(server.ca_file))
  end)

  it("makes a certificate to keep", function()
    local folder = keeper.own():new_folder "certificate" .. "/made"
    local files = assert(sink.certificate(folder))
    assert.equal("600", (process.run("stat -c %a " .. process.quote(files.key)):match("%d+")))
    for _ = 1, 2 do
      local server = start { tls = "implicit", cert = files.cert, key = files.key }
      server.ca_file = files.ca_file
      assert.equal("TLSv1.3", peer(server, { "tls" })[1])
      server:stop()
    end
    local failed, err = sink.certificate "/dev/null/made"
    assert.is_nil(failed)
    assert.matches("^smtpsec: the sink's certificate cannot be made with openssl: ", tostring(err))
  end)

  it("speaks the versions of TLS that it was told to, and asks for certificates", function()
    local old = start { tls = "implicit", max_version = "TLSv1.2" }
    assert.equal("TLSv1.2", peer(old, { "tls" })[1])
    local strict = start { tls = "implicit", client_ca = certificates.ca_file }
    assert.equal("TLSv1.3", peer(strict, { "tls", "reply" })[1])
    local failed = process.wait(function() return noted(strict, "tls_failed")[1] end, 5)
    assert.matches("certificate", failed.reason)
  end)

  it("answers a group of commands in one go", function()
    local server = start { tls = "none" }
    local replies = peer(server, { "send EHLO a.b\\r\\n" .. MAIL, "reply", "reply", "reply", "reply", "reply",
      "send one\\r\\n.\\r\\nRSET\\r\\nQUIT\\r\\nNOOP\\r\\n", "end" })
    assert.equal("354 end with CRLF, a dot, CRLF", replies[5])
    assert.equal("'250 2.0.0 ok: queued as S1\\r\\n250 2.0.0 ok\\r\\n221 2.0.0 bye\\r\\n' end", replies[6])
    assert.equal("one\r\n", assert(server:mails())[1].data)
  end)

  it("does the same when bytes come one by one", function()
    local server, steps = start { tls = "none" }, {}
    for byte in ("EHLO a.b|MAIL FROM:<>|RCPT TO:<b@c.d>|DATA|..x|.|QUIT|"):gmatch(".") do
      steps[#steps + 1] = "send " .. (byte == "|" and "\\r\\n" or byte)
    end
    steps[#steps + 1] = "end"
    assert.matches("queued as S1\\r\\n221 2.0.0 bye\\r\\n' end$", peer(server, steps)[1])
    assert.equal(".x\r\n", assert(server:mails())[1].data)
  end)

  it("takes no plain bytes for TLS, whichever way they come", function()
    local server = start { tls = { "starttls", "implicit" } }
    local at_once = peer(server, { "reply", "send EHLO a.b\\r\\n", "reply", "send STARTTLS\\r\\nEHLO c.d\\r\\n",
      "end" })
    assert.equal("'554 5.5.1 bytes came behind STARTTLS\\r\\n' end", at_once[3])
    local late = peer(server, { "reply", "send EHLO a.b\\r\\n", "reply", "send STARTTLS\\r\\n", "reply",
      "send EHLO c.d\\r\\n", "end" })
    assert.same({ "220 2.0.0 ready for TLS", "'' end" }, { late[3], late[4] })
    assert.same({ "'' end" }, peer(server, { "send EHLO a.b\\r\\n", "end" }, server.ports.implicit))
    local failed = noted(server, "tls_failed")
    assert.same({ "peer does not speak TLS", "peer does not speak TLS" }, { failed[1].reason, failed[2].reason })
    local honest = { "reply", "send EHLO a.b\\r\\n", "reply", "send STARTTLS\\r\\n", "reply", "tls",
      "send EHLO a.b\\r\\n", "reply" }
    assert.equal("TLSv1.3", peer(server, honest)[4])
  end)

  it("notices a connection that was cut", function()
    local server = start { tls = "implicit" }
    peer(server, { "tls", "reply", "close" })
    assert(process.wait(function() return noted(server, "closed")[1] end, 5))
    assert.equal("peer", noted(server, "closed")[1].by)
    assert.equal(1, #noted(server, "connected"))
  end)

  it("carries large mails, and bounds them", function()
    local server = start { tls = "implicit", size = 3000000 }
    local function send(length)
      local body = ("x"):rep(998) .. "\r\n"
      local path = process.write(keeper.own():new_folder "mail" .. "/mail", body:rep(length / 1000))
      return process.run(process.command { "/usr/bin/python3", "-c", [[
import smtplib, ssl, sys
client = smtplib.SMTP_SSL("localhost", int(sys.argv[1]), context=ssl.create_default_context(cafile=sys.argv[2]))
client.ehlo_or_helo_if_needed()
client.mail("a@example.test")
client.rcpt("b@example.test")
print(client.data(open(sys.argv[3], "rb").read()))
print(client.noop())
]], ("%d"):format(server.port), server.ca_file, path })
    end
    assert.matches("queued as S1.*250", send(3000000))
    assert.matches("552.*250", send(3001000))
    local mails = assert(server:mails())
    assert.equal(1, #mails)
    assert.equal(("x"):rep(998) .. "\r\n", mails[1].data:sub(1, 1000))
    assert.equal(3000000, #mails[1].data)
  end)

  it("keeps mails in a Maildir, byte for byte, and their envelopes beside them", function()
    local folder = keeper.own():new_folder "maildir" .. "/in"
    local server = start { tls = "none", maildir = folder }
    local body = "Subject: x\\r\\n\\r\\nbare\\nline feed, caf\\xe9\\x00\\r\\n"
    local bytes = "Subject: x\r\n\r\nbare\nline feed, caf\233\0\r\n"
    peer(server, { "send EHLO a.b\\r\\n" .. MAIL .. body .. ".\\r\\n" .. MAIL .. ".\\r\\nQUIT\\r\\n", "end" })
    local mails = assert(server:mails())
    assert.equal(bytes, mails[1].data)
    assert.equal(bytes, process.read(mails[1].path))
    assert.equal("", mails[2].data)
    local name = mails[1].path:match("^" .. folder:gsub("%p", "%%%0") .. "/new/([^/]+)$")
    assert.matches("^from: a@example%.test\nto: b@example%.test\nhelo: a%.b\nconnection: 1\ntime: %d+%-%d+%-%d+T",
      process.read(folder .. "/envelope/" .. name))
    local count = "import mailbox, sys; print(len(mailbox.Maildir(sys.argv[1])))"
    assert.equal("2\n", process.run(process.command { "/usr/bin/python3", "-c", count, folder }))
    assert.equal("", process.run("ls " .. process.quote(folder) .. "/tmp"))
  end)

  it("waits for mails, for as long as it is told", function()
    local server = start { tls = "none" }
    assert.same({}, assert(server:wait_for(0, 0)))
    local began = sock.now()
    local mails, err = server:wait_for(1, 0.2)
    assert.is_nil(mails)
    assert.equal("timeout", err.kind)
    assert.equal("0 of 1 mails came in 0.2 s", err.message)
    assert.is_true(sock.now() - began >= 0.2)
    local send = process.command { "/usr/bin/python3", "spec/sink/peer.py", ("%d"):format(server.port), "",
      "send EHLO a.b\\r\\n" .. MAIL .. ".\\r\\nQUIT\\r\\n", "end" }
    process.run("(sleep 0.2; " .. send .. ") >/dev/null 2>&1 &")
    assert.equal("S1", assert(server:wait_for(1, 10))[1].id)
  end)

  describe("with faults", function()
    local HELLO = "send EHLO a.b\\r\\n"

    it("delays, and only there", function()
      local server = start { tls = "none", faults = { { at = "mail", match = "slow@", delay = 1 } } }
      local function took(address)
        return tonumber(peer(server, { "reply", HELLO, "reply", "lap", "send MAIL FROM:<" .. address .. ">\\r\\n",
          "reply", "lap" })[5])
      end
      assert.is_true(took "slow@example.test" >= 1)
      assert.is_true(took "quick@example.test" < 1)
    end)

    it("trickles a greeting and a handshake", function()
      local server = start { tls = { "none", "implicit" }, faults = { { at = "greeting", trickle = 0.05, times = 1 },
        { at = "tls", trickle = 0.001, times = 1 } } }
      for _, expected in ipairs { 0.5, 0 } do -- some 25 bytes of greeting; the second client gets them at once
        local lines = peer(server, { "reply", "lap" }, server.ports.none)
        assert.matches("^220 ", lines[1])
        assert.is_true(tonumber(lines[2]) >= expected)
      end
      for _, expected in ipairs { 0.3, 0 } do -- some 700 bytes of handshake; the second client is not kept waiting
        local lines = peer(server, { "tls", "lap", "reply" }, server.ports.implicit)
        assert.equal("TLSv1.3", lines[1])
        assert.is_true(tonumber(lines[2]) >= expected)
        assert.matches("^220 ", lines[3])
      end
    end)

    it("drops at each stage, and not where it was not told to", function()
      local script = { "reply", HELLO, "reply", "send MAIL FROM:<a@example.test>\\r\\n", "reply",
        "send RCPT TO:<b@example.test>\\r\\n", "reply", "send DATA\\r\\n", "reply", "send .\\r\\n", "reply",
        "send RSET\\r\\n", "reply", "send QUIT\\r\\n", "reply" }
      local stages = { "greeting", "ehlo", "mail", "rcpt", "data", "final", "rset", "quit" }
      local rules = {}
      for i, at in ipairs(stages) do rules[i] = { at = at, drop = true, skip = 1, times = 1 } end
      local server = start { tls = "none", offer = {}, faults = rules }
      for i = 0, #stages do -- the first client sees none of them, the next the first stage, and so on
        local lines = peer(server, script)
        local ended = lines[#lines]
        assert.is_true(i == 0 and #lines == 8 and ended:sub(1, 3) == "221"
          or i > 0 and #lines == i and (ended == "EOFError" or ended == "ConnectionResetError"), stages[i])
      end
    end)

    it("resets the connection instead of the reply, or behind it", function()
      local server = start { tls = "none", faults = {
        { at = "mail", drop = "reset", times = 1 }, { at = "rcpt", drop = "reset", reply = "421 4.3.2 bye", times = 1 },
        { at = "mail", drop = true, skip = 1, times = 1 },
      } }
      local function last()
        local lines = peer(server, { "reply", HELLO, "reply", "send MAIL FROM:<a@example.test>\\r\\n", "reply",
          "send RCPT TO:<b@example.test>\\r\\n", "reply", "end" })
        return table.concat(lines, " ", #lines - 1)
      end
      assert.matches(" ConnectionResetError$", last())
      assert.matches("^421 4%.3%.2 bye '' ConnectionResetError$", last())
      assert.matches(" EOFError$", last())
      assert.equal("fault", noted(server, "closed")[1].by)
    end)

    it("drops in the middle of a message", function()
      local server = start { tls = "none", faults = { { at = "body", after_bytes = 100, drop = true, times = 1 } } }
      local script = { "send EHLO a.b\\r\\n" .. MAIL, "reply", "reply", "reply", "reply", "reply",
        "send " .. ("x"):rep(150) .. "\\r\\n.\\r\\n", "reply" }
      assert.not_matches("^250 ", peer(server, script)[6])
      assert.matches("^250 ", peer(server, script)[6])
      assert.equal(1, #assert(server:mails()))
      assert.equal("fault", noted(server, "closed")[1].by)
    end)

    it("injects bytes behind the 220 of STARTTLS", function()
      local server = start { faults = { { at = "starttls", inject = "250 injected\r\n", times = 1 } } }
      local client = sock.connect { host = "127.0.0.1", port = server.port, timeout = 5 }
      local seen = assert(client:read(4096, 5))
      client:write("EHLO a.b\r\nSTARTTLS\r\n", 5)
      while not seen:find("injected\r\n") do seen = seen .. assert(client:read(4096, 5)) end
      client:close()
      assert.matches("220 2.0.0 ready for TLS\r\n250 injected\r\n$", seen)
      assert.equal("TLSv1.3", peer(server, { "reply", HELLO, "reply", "send STARTTLS\\r\\n", "reply", "tls" })[4])
    end)

    it("says something else than TLS", function()
      local server = start { tls = "implicit", faults = { { at = "tls", reply = "220 clear", times = 1 } } }
      assert.matches("^SSLError", peer(server, { "tls" })[1])
      assert.equal("TLSv1.3", peer(server, { "tls" })[1])
    end)

    it("sends silent clients away", function()
      local server = start { tls = { "none", "implicit" }, idle = 0.2 }
      local lines = peer(server, { "reply", "sleep 0.05", "send NOOP\\r\\n", "reply", "end", "lap" },
        server.ports.none)
      assert.equal("'421 nothing came for too long\\r\\n' end", lines[3])
      assert.is_true(tonumber(lines[4]) >= 0.24)
      assert.equal("'' end", peer(server, { "end" }, server.ports.implicit)[1])
      assert.equal("sink", noted(server, "closed")[2].by)
    end)
  end)

  it("holds every reply for each of 50 clients at once", function()
    local server = start { hold = 0.2 }
    local accepted, seconds, replies = run("spec/sink/crowd.py", server, { "50" })[1]:match("^(%d+) (%S+) (%d+)")
    assert.equal("50", accepted)
    assert.is_true(tonumber(seconds) >= 0.2 * replies, seconds .. " s")
    assert.is_true(tonumber(seconds) < 0.2 * replies + 2, seconds .. " s: they wait for one another")
    assert.equal(50, #assert(server:mails()))
    assert.equal(50, #noted(server, "connected"))
  end)

  describe("in this process", function()
    it("serves while it is driven", function()
      local server = assert(sink.new { tls = "none", offer = {} })
      local client = assert(sock.connect { host = "127.0.0.1", port = server.port, timeout = 5 })
      client:write("HELO a.b\r\nMAIL FROM:<>\r\nRCPT TO:<b@c.d>\r\nDATA\r\nx\r\n.\r\nQUIT\r\n", 5)
      server:run(function() return #server:mails() == 1 end)
      assert.equal("x\r\n", server:mails()[1].data)
      local said = ""
      repeat
        server:step(0)
        local more = client:read(4096, 0.01)
        said = said .. (more or "")
      until said:find("221 bye\r\n")
      assert.same({}, server:step(0))
      server:close()
      server:close()
      assert.is_false(listens(server.port))
      assert.equal("closed", server:journal()[#server:journal()].event)
      assert.equal(1, #server:mails())
    end)

    it("waits for others too", function()
      local server = assert(sink.new { tls = "none" })
      local listener = assert(sock.listen { port = 0 })
      local client = assert(sock.connect { host = "127.0.0.1", port = listener:port(), timeout = 5 })
      assert.same({ { listener, "r" } }, server:step(5, { { listener, "r" } }))
      client:close()
      listener:close()
      server:close()
    end)

    it("takes no more connections at a time than it is told", function()
      local server = assert(sink.new { tls = "none", connections = 2 })
      local clients = {}
      for i = 1, 3 do clients[i] = assert(sock.connect { host = "127.0.0.1", port = server.port, timeout = 5 }) end
      server:step(0.1)
      server:step(0)
      assert.is_string(clients[2]:read(100, 1))
      assert.is_nil((clients[3]:read(100, 0)))
      clients[1]:close()
      server:step(1)
      server:step(1)
      assert.is_string(clients[3]:read(100, 1))
      server:close()
    end)

    it("holds little of a client that talks and does not listen, and goes on when it does", function()
      local server = assert(sink.new { tls = "none" })
      local client = assert(sock.connect { host = "127.0.0.1", port = server.port, timeout = 5 })
      local talk, at, stuck = ("EHLO a.b\r\n"):rep(10000), 0, 0
      while stuck < 10 do
        local all, _, _, taken = client:write(talk:sub(at % 10 + 1), 0)
        at, stuck = at + (all or taken), (all or taken) > 0 and 0 or stuck + 1
        server:step(0.01)
      end
      local one, answered = server.connections[1], server.log.last
      assert.is_true(one.session:buffered() < 100000)
      assert.is_true(#one.plain + #one.wire < 200000)
      local ends = sock.now() + 20
      while server.log.last < answered + 10000 and sock.now() < ends do
        client:read(17000, 0)
        server:step(0.01)
      end
      assert.is_true(server.log.last >= answered + 10000)
      client:close()
      server:close()
    end)

    it("keeps the newest entries of its journal", function()
      local server = assert(sink.new { tls = "none", journal = 3 })
      local client = assert(sock.connect { host = "127.0.0.1", port = server.port, timeout = 5 })
      client:write("NOOP\r\nRSET\r\nQUIT\r\n", 5)
      server:run(function() return #server.connections == 0 and server.accepted == 1 end)
      local events = {}
      for i, entry in ipairs(server:journal()) do events[i] = entry.verb or entry.event end
      assert.same({ "RSET", "QUIT", "closed" }, events)
      server:close()
    end)
  end)

  describe("in its own process", function()
    -- Runs a script that starts a sink, prints its port and its certificate, and ends in its own way.
    local function outlived_by(ending)
      local script = ([[
local server = assert(require "smtpsec.sink".start())
print(server.port, server.ca_file)
io.stdout:flush()
%s]]):format(ending)
      local _, output = process.try(process.command(process.sanitized { LUA, "-e", script }) .. "\n:")
      local port, ca_file = output:match("^(%d+)%s+(%S+)")
      assert(port, output)
      return process.wait(function() return not listens(tonumber(port)) and not process.read(ca_file) end, 5)
    end

    it("ends with its parent, however that ends", function()
      for _, ending in ipairs {
        "server:stop()", "", "os.exit(0, true)", "os.exit(1)", "error('trouble')", "os.execute('kill -9 $PPID')",
        "server = nil collectgarbage() collectgarbage() os.execute('sleep 0.2')",
        -- a process that outlives the parent, and has inherited what it may inherit
        "os.execute('sleep 8 >/dev/null 2>&1 &') os.execute('kill -9 $PPID')",
      } do
        assert.is_true(outlived_by(ending), ending)
      end
    end)

    it("tells what it was told when it was stopped, and can be stopped twice", function()
      local server = start { tls = "none" }
      peer(server, { "send EHLO a.b\\r\\n" .. MAIL .. ".\\r\\nQUIT\\r\\n", "end" })
      server:stop()
      server:stop()
      assert.equal(1, #assert(server:mails()))
      assert.equal("closed", assert(server:journal())[#assert(server:journal())].event)
      assert.is_false(listens(server.port))
    end)

    it("says so when it ended by itself", function()
      local server = start { tls = "none" }
      server.control:write("1\nx", 1) -- a question that is none: it fails
      local mails, err = server:mails()
      assert.is_nil(mails)
      assert.equal("closed", err.kind)
      assert.matches("^smtpsec: the sink has ended: .*a frame holds what is none of ours", tostring(err))
      server:stop()
    end)

    it("hands over many mails and entries", function()
      local server = start { tls = "none", offer = {} }
      local client = assert(sock.connect { host = "127.0.0.1", port = server.port, timeout = 5 })
      local mail = "MAIL FROM:<>\r\nRCPT TO:<b@c.d>\r\nDATA\r\n" .. (("x"):rep(998) .. "\r\n"):rep(10) .. ".\r\n"
      client:write("EHLO a.b\r\n", 5)
      local heard = ""
      for _ = 1, 20 do
        assert(client:write(mail:rep(25), 20))
        for _ = 1, 25 do
          while not heard:find("queued as S%d+\r\n") do heard = heard .. assert(client:read(17000, 20)) end
          heard = heard:match("queued.-\r\n(.*)$")
        end
      end
      local mails = assert(server:wait_for(500, 20))
      assert.equal(500, #mails)
      for i, one in ipairs(mails) do
        assert.equal(("S%d"):format(i), one.id)
        assert.equal(10000, #one.data)
      end
      assert.equal(2 + 1 + 500 * 4, #assert(server:journal()))
      client:close()
    end)
  end)

  describe("for smtpsec itself", function()
    local mail = { from = "a@example.test", to = "b@example.test", subject = "x", text = "one\n.two\n" }

    local function send(server, mode, more)
      local options = { host = "localhost", port = server.ports[mode],
        tls = { mode = mode, ca_file = server.ca_file } }
      for key, value in pairs(more or {}) do options[key] = value end
      return smtpsec.send(mail, options)
    end

    it("takes its mail", function()
      local server = start { tls = { "starttls", "implicit" }, auth = { joe = "geheim-4711" }, require_auth = true }
      for i, mode in ipairs { "starttls", "implicit" } do
        local receipt = assert(send(server, mode, { user = "joe", password = "geheim-4711" }))
        assert.same({ "accepted", ("S%d"):format(i), "TLSv1.3", "pkix", {} },
          { receipt.status, receipt.queue_id, receipt.tls.version, receipt.tls.authenticated, receipt.warnings })
        local got = assert(server:wait_for(i))[i]
        assert.matches("\r\n\r\none\r\n%.two\r\n$", got.data)
        assert.same({ "joe", { "b@example.test" } }, { got.auth, got.to })
      end
    end)

    it("does to it what it was told to", function()
      local server = start { faults = {
        { at = "rcpt", times = 1, reply = "550 5.1.1 no such user" }, { at = "final", times = 1, drop = true },
      } }
      local receipt, err = send(server, "starttls")
      assert.is_nil(receipt)
      assert.same({ "rejected", 550, true }, { err.kind, err.rejected[1].code, err.retry_safe })
      receipt, err = send(server, "starttls")
      assert.is_nil(receipt)
      assert.same({ "in_doubt", "final", false }, { err.kind, err.stage, err.retry_safe })
      assert.equal("accepted", assert(send(server, "starttls")).status)
      assert.equal(2, #assert(server:mails()))
    end)
  end)
end)
