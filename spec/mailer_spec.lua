-- The public functions, as a program meets them: what they take, what they return, and whom they blame.
local keeper = require "spec.support.keeper"
local process = require "spec.support.process"
local sink = require "smtpsec.sink"
local smtpsec = require "smtpsec"
local talk = require "spec.support.talk"

-- The line of this file that asks.
local function here()
  return debug.getinfo(2, "l").currentline
end

describe("smtpsec", function()
  local good, tls

  setup(function()
    local _
    _, good, tls = talk.pki "starttls"
  end)

  local REST = { talk.mail(), talk.bye() }

  describe("receipt", function()
    local function check_timing(timing, seconds, names)
      for _, name in ipairs(names) do
        assert.is_number(timing[name], name)
        assert.is_true(timing[name] >= 0 and timing[name] <= timing.total, name)
      end
      assert.is_true(timing.total <= seconds)
      assert.is_true(timing.connect + timing.tls + timing.transaction <= timing.total + 1e-6)
    end

    it("says all that there is to say of a mail", function()
      local seen = talk.send({ talk.hello "STARTTLS", talk.starttls(good, "AUTH PLAIN", "PIPELINING"),
        "C: AUTH PLAIN", { sleep = 0.02 }, "S: 235 in", "C: MAIL", "C: RCPT", "C: RCPT", "C: DATA", "S: 250 ok",
        "S: 250 ok", "S: 550 5.1.1 who?", "S: 354 go", talk.END, { sleep = 0.02 },
        "S: 250 2.0.0 Ok: queued as 4XyZ", talk.bye() },
        talk.login { tls = { mode = "starttls", ca_file = tls.ca_file, server_name = "mail.test" } },
        { to = { "to@mail.test", "two@mail.test" } })
      local receipt = seen.receipt
      assert.is_nil(seen.err)
      assert.matches("^<[^<>@%s]+@client%.test>$", receipt.id)
      assert.matches("Message-ID: " .. receipt.id, seen.peer.received, 1, true)
      assert.same({ "4XyZ", "partial" }, { receipt.queue_id, receipt.status })
      assert.same({ code = 250, enhanced = "2.0.0", text = "Ok: queued as 4XyZ" }, receipt.reply)
      assert.same({ "to@mail.test" }, receipt.accepted)
      assert.same({ { address = "two@mail.test", code = 550, enhanced = "5.1.1", text = "who?",
        temporary = false } }, receipt.rejected)
      assert.same({ host = "127.0.0.1", address = "127.0.0.1", port = receipt.server.port, name = "mail.test" },
        receipt.server)
      assert.same({ mechanism = "PLAIN" }, receipt.auth)
      assert.same({}, receipt.warnings)
      assert.is_number(receipt.bytes)
      check_timing(receipt.timing, seen.seconds, { "connect", "tls", "auth", "transaction" })
      assert.is_true(receipt.timing.auth >= 0.015 and receipt.timing.transaction >= 0.015)

      local proof = receipt.tls
      assert.same({ "starttls", "TLSv1.3", "pkix", false },
        { proof.mode, proof.version, proof.authenticated, proof.resumed })
      assert.is_nil(proof.reason)
      assert.matches("^TLS_", proof.cipher)
      assert.is_string(proof.group)
      local policy = proof.policy
      assert.same({ "pkix", true, "TLSv1.2", 0 }, { policy.verify, policy.required, policy.min_version,
        policy.pins })
      assert.same({ "mail.test", "127.0.0.1" }, proof.peer.names)
      assert.matches("^%d%d%d%d%-%d%d%-%d%dT", proof.peer.expires)
      assert.matches("^%x+$", proof.peer.sha256)
      assert.equal(64, #proof.peer.sha256)
      assert.equal(44, #proof.peer.pin)
      assert.matches("CN=good", proof.peer.subject)
    end)

    it("says what there was not", function()
      local receipt = talk.send({ talk.hello(), REST }).receipt
      assert.is_false(receipt.tls)
      assert.is_nil(receipt.auth)
      assert.same({}, receipt.rejected)
      assert.is_nil(receipt.timing.tls or receipt.timing.auth)
    end)

    it("of the second mail on a connection has its own times only, and shares nothing with the first", function()
      local server = talk.listen { talk.hello "STARTTLS", talk.starttls(good), talk.mail(), talk.mail(), talk.bye() }
      local mailer = smtpsec.new(talk.options(server, { tls = tls }))
      local first = assert(mailer:send(talk.message()))
      process.sleep(0.1)
      local second = assert(mailer:send(talk.message()))
      assert.is_number(first.timing.connect)
      assert.is_nil(second.timing.connect or second.timing.tls)
      assert.is_true(second.timing.transaction <= second.timing.total and second.timing.total < 0.1)
      assert.not_equal(first.id, second.id)
      table.insert(first.warnings, "mine")
      assert.same({}, second.warnings)
      mailer:close()
      server:stop()
    end)
  end)

  describe("an error", function()
    it("says what TLS was like, as far as it got", function()
      local secured = { talk.hello "STARTTLS", talk.starttls(good, "AUTH PLAIN") }
      local refusal = { "C: MAIL", "S: 550 5.7.1 no", "C: RSET", "S: 250 ok", talk.bye() }
      for _, script in ipairs { { secured, "C: AUTH PLAIN", "S: 535 no", talk.bye() },
        { secured, "C: AUTH", "S: 235 in", refusal } } do
        local err = talk.send(script, talk.login { tls = tls }).err
        assert.same({ "starttls", "pkix", "TLSv1.3" }, { err.tls.mode, err.tls.authenticated, err.tls.version })
      end
      assert.is_nil(talk.send({ talk.hello(), refusal }).err.tls)
      assert.is_nil(talk.send({ talk.hello(), { drain = true } }, { tls = tls }).err.tls)
    end)

    it("says what the server said", function()
      local err = talk.send({ talk.hello(), "C: MAIL", "S: 550-5.7.1 not", "S: 550 5.7.1 you", "C: RSET",
        "S: 250 ok", talk.bye() }).err
      assert.same({ "rejected", "mail", 550, "5.7.1", "not you", false, true },
        { err.kind, err.stage, err.code, err.enhanced, err.text, err.temporary, err.retry_safe })
      assert.matches("^smtpsec: [^\n]*550 5.7.1 not you", tostring(err))
    end)
  end)

  describe("verify", function()
    it("connects, logs in, and sends nothing", function()
      local seen = talk.verify({ talk.hello "STARTTLS", talk.starttls(good, "AUTH PLAIN", "SIZE 1000"),
        "C: AUTH PLAIN", "S: 235 in", "C: NOOP", "S: 250 ok", talk.bye() }, talk.login { tls = tls })
      assert.is_nil(seen.err)
      local facts = seen.receipt
      assert.same({ "pkix", "PLAIN", "mail.test" }, { facts.tls.authenticated, facts.auth.mechanism,
        facts.server.name })
      assert.same({ AUTH = "PLAIN", SIZE = "1000" }, facts.capabilities)
      assert.same({}, facts.warnings)
      assert.is_true(facts.timing.total <= seen.seconds)
      assert.is_nil(seen.peer.received:find("MAIL", 1, true))
    end)

    it("tells what does not work", function()
      local seen = talk.verify({ talk.hello(), { drain = true } }, { tls = tls })
      talk.refused(seen, { kind = "policy", stage = "starttls" })
      seen = talk.verify { talk.hello(), "C: NOOP", "S: 502 no", talk.bye() }
      talk.refused(seen, { kind = "rejected", code = 502 })
      seen = talk.verify({ talk.hello "AUTH PLAIN", "C: AUTH PLAIN", "S: 535 no", talk.bye() },
        talk.login { auth = { insecure_cleartext = true } })
      talk.refused(seen, { kind = "auth", stage = "auth", code = 535 })
    end)

    it("leaves a connection for the mail that follows, and uses the one it finds", function()
      local server = talk.listen { talk.hello(), "C: NOOP", "S: 250 ok", talk.mail(), "C: NOOP", "S: 250 ok",
        talk.bye() }
      local mailer = smtpsec.new(talk.options(server))
      assert(mailer:verify())
      assert(mailer:send(talk.message()))
      assert(mailer:verify())
      mailer:close()
      assert.equal(1, #talk.stop(server))
    end)

    it("uses a new one where the one it finds had died", function()
      for _, death in ipairs { "S: 421 4.4.2 idle for too long", { close = true } } do
        local server = talk.listen({ talk.hello(), talk.mail(), "C: NOOP", death, { drain = true } },
          { talk.hello(), "C: NOOP", "S: 250 ok", talk.bye() })
        local mailer = smtpsec.new(talk.options(server))
        assert(mailer:send(talk.message()))
        assert(mailer:verify())
        mailer:close()
        assert.equal(2, #talk.stop(server))
      end
      talk.failed(talk.verify({ talk.hello(), "C: NOOP", "S: 421 no", { drain = true } }), { code = 421 })
    end)
  end)

  describe("a mailer that is closed", function()
    it("may be closed again", function()
      local mailer = smtpsec.new { host = "mail.test", env_file = false }
      assert.same({ true, {} }, { mailer:close() })
      assert.same({ true, {} }, { mailer:close() })
    end)

    it("does nothing any more, and says so", function()
      local server = talk.listen { talk.hello(), { drain = true } }
      local mailer = smtpsec.new(talk.options(server))
      mailer:close()
      for _, name in ipairs { "send", "verify" } do
        local result, err = mailer[name](mailer, talk.message())
        assert.is_nil(result)
        assert.equal("config", err.kind)
        assert.matches("the mailer is closed", tostring(err))
      end
      talk.nobody_came(server)
    end)

    if not jit then
      it("was perhaps closed by the end of its block", function()
        local server = talk.listen { talk.hello(), REST }
        assert(load [[
          local mailer, message = ...
          do
            local kept <close> = mailer
            assert(kept:send(message))
          end
        ]])(smtpsec.new(talk.options(server)), talk.message())
        assert.matches("QUIT\r\n$", talk.stop(server)[1].received)
      end)
    end
  end)

  -- error() for what only a programmer can mend, at the line where he can mend it.
  describe("misuse raises, in one line that names the key and the value, at the caller's line:", function()
    local function blamed(line, words, work, ...)
      local ok, message = pcall(work, ...)
      assert.is_false(ok)
      assert.is_string(message)
      assert.matches("mailer_spec.lua:" .. line .. ": ", message, 1, true)
      assert.is_nil(message:find("\n", 1, true))
      for _, word in ipairs(words) do assert.matches(word, message, 1, true) end
    end

    local WRONG = {
      { { hosts = "a" }, { "hosts", '(did you mean "host"?)' } },
      { { tls = { verfy = "pkix" } }, { "tls.verfy", '(did you mean "verify"?)' } },
      { { tls = { verify_host = false } }, { "tls.verify_host" } },
      { { port = "587" }, { '"port" must be', '"587"' } },
      { { port = 0 }, { '"port"', "0" } },
      { { tls = "ssl" }, { '"tls"', '"ssl"' } },
      { { timeout = -1 }, { '"timeout"', "-1" } },
      { { timeout = { conect = 1 } }, { "timeout.conect", "connect" } },
      { { recipients = "some" }, { '"recipients"', '"some"' } },
      { { pool = { size = 1.5 } }, { '"pool.size"', "1.5" } },
      { { on_event = "print" }, { '"on_event"', '"print"' } },
      { { io = "libev" }, { '"io"', '"libev"' } },
    }

    for _, case in ipairs(WRONG) do
      it("options, " .. case[2][1], function()
        local function new() local mailer = smtpsec.new(case[1]) return mailer end
        blamed(here() - 1, case[2], new)
        local function send() local receipt = smtpsec.send({}, case[1]) return receipt end
        blamed(here() - 1, case[2], send)
        local function config() local shown = smtpsec.config(case[1]) return shown end
        blamed(here() - 1, case[2], config)
      end)
    end

    it("options that are no options", function()
      local function new() local mailer = smtpsec.new(587) return mailer end
      blamed(here() - 1, { "a table is needed, got number" }, new)
    end)

    it("a driver that is none", function()
      for io, words in pairs { [{ now = os.time }] = 'io: a driver has a function "connect"',
        nginx = 'io: "nginx" works only inside nginx' } do
        local options = { host = "mail.test", env_file = false, io = io }
        local function new() local mailer = smtpsec.new(options) return mailer end
        blamed(here() - 1, { words }, new)
        local function send() local receipt = smtpsec.send({}, options) return receipt end
        blamed(here() - 1, { words }, send)
      end
    end)

    it("but a rate or retries with a driver that cannot sleep are an error that is returned", function()
      local function driver()
        return { now = os.time, connect = os.time, hello = os.time, unpark = os.time }
      end
      for _, options in ipairs { { rate = { second = 1 } }, { retry = 2 } } do
        options.host, options.env_file, options.io = "mail.test", false, driver()
        local one, err = smtpsec.new(options)
        assert.is_nil(one)
        assert.equal("config", err.kind)
        assert.matches("sleep", err.message)
        options.io.sleep = os.time
        assert.is_table(smtpsec.new(options))
      end
    end)

    for _, case in ipairs {
      { { too = "a@b.test" }, { '"too"', '(did you mean "to"?)' } },
        { { subject = 5 }, { '"subject" must be', "5" } },
      { { to = { 5 } }, { "to[1]", "5" } }, { { attachments = { { file = "x" } } }, { "attachments[1].file" } },
      { { headers = { { "a", "b", "c" } } }, { "headers" } }, { { date = "now" }, { '"date"', '"now"' } },
    } do
      it("a message, " .. case[2][1], function()
        local options = { host = "mail.test", env_file = false }
        local function once() local receipt = smtpsec.send(case[1], options) return receipt end
        blamed(here() - 1, case[2], once)
        local mailer = smtpsec.new(options)
        local function send() local receipt = mailer:send(case[1]) return receipt end
        blamed(here() - 1, case[2], send)
        local function message() local made = smtpsec.message(case[1]) return made end
        blamed(here() - 1, case[2], message)
      end)
    end

    it("a message that is none", function()
      local mailer = smtpsec.new { host = "mail.test", env_file = false }
      local function send() local receipt = mailer:send "hello" return receipt end
      blamed(here() - 1, { "table" }, send)
    end)
  end)

  describe("what the world lacks is returned, in one line that names the key and the value:", function()
    local function missing(fields, ...)
      local server = talk.listen { talk.hello(), { drain = true } }
      local receipt, err = smtpsec.send(talk.message(fields), talk.options(server))
      assert.is_nil(receipt)
      assert.equal("message", err.kind)
      for _, words in ipairs { ... } do assert.matches(words, tostring(err), 1, true) end
      assert.is_nil(tostring(err):find("\n", 1, true))
      talk.nobody_came(server)
    end

    it("recipients", function()
      missing({ to = {} }, "to: the recipient list is empty")
      missing({ to = "" }, "to: an empty address")
    end)

    it("a sender", function()
      local message = talk.message()
      message.from = nil
      local receipt, err = smtpsec.send(message, { host = "mail.test", env_file = false, tls = "none" })
      assert.is_nil(receipt)
      assert.matches("from", tostring(err), 1, true)
    end)

    it("a file to attach", function()
      missing({ attachments = { { content = "x", filename = "x" }, { path = "/nowhere/report.pdf" } } },
        "attachments[2].path", "/nowhere/report.pdf", "No such file")
    end)

    it("files of the configuration", function()
      for _, name in ipairs { "ca_file", "crl_file", "cert" } do
        local mailer, err = smtpsec.new { host = "mail.test", env_file = false, tls = { [name] = "/nowhere.pem" } }
        assert.is_nil(mailer)
        assert.equal("config", err.kind)
        assert.matches('"tls.' .. name .. '"', tostring(err), 1, true)
        assert.matches("/nowhere.pem", tostring(err), 1, true)
      end
      local mailer, err = smtpsec.new { host = "mail.test", env_file = "/nowhere.env" }
      assert.is_nil(mailer)
      assert.matches("/nowhere.env", tostring(err), 1, true)
    end)
  end)

  describe("from and to", function()
    it("may come with the options, and the message's own win", function()
      local script = { talk.hello(), "C: MAIL FROM:<o@client.test>", "S: 250 ok", "C: RCPT TO:<t@mail.test>",
        "S: 250 ok", "C: DATA", "S: 354 go", talk.END, "S: 250 ok", talk.bye() }
      local server = talk.listen(script)
      local defaults = talk.options(server, { from = "O <o@client.test>", to = { "t@mail.test" } })
      assert(smtpsec.send({ subject = "s", text = "t" }, defaults))
      assert(smtpsec.send({ subject = "s", text = "t", from = "o@client.test" }, defaults))
      assert(smtpsec.send({ subject = "s", text = "t", cc = "t@mail.test" }, defaults))
      local fields = { text = "t" }
      assert(smtpsec.send(fields, defaults))
      assert.same({ text = "t" }, fields)
      server:stop()
    end)

    it("are not added to a raw message", function()
      local receipt, err = smtpsec.send({ raw = "Subject: x\r\n\r\ny" },
        { host = "mail.test", env_file = false, from = "o@client.test", to = "t@mail.test" })
      assert.is_nil(receipt)
      assert.equal("message", err.kind)
    end)

    it("do not hide what a message has from another table, by a metatable", function()
      local mailer = smtpsec.new { host = "mail.test", env_file = false, from = "o@client.test", to = "t@mail.test" }
      local usual = { to = "u@mail.test", subject = "usual", require_tls = true }
      local draft = assert(mailer:draft(setmetatable({ text = "x" }, { __index = usual }), 2))
      assert.same({ from = "o@client.test", to = { "u@mail.test" } }, draft:envelope())
      assert.is_true(draft.wished.mail.require_tls)
      assert.matches("\r\nSubject: usual\r\n", draft:render():tostring(), 1, true)
      mailer:close()
    end)
  end)

  it("tells what it does while it does it, and lives on when nobody can listen", function()
    local server = talk.listen({ talk.hello(), { drain = true } }, { talk.hello(), REST })
    local angry = true
    local mailer = smtpsec.new(talk.options(server, { on_event = function(event)
      if angry and event.verb == "MAIL" then error "I will not hear it" end
    end }))
    assert.is_false(pcall(mailer.send, mailer, talk.message()))
    angry = false
    assert.equal("accepted", assert(mailer:send(talk.message())).status)
    mailer:close()
    server:stop()
  end)

  it("shows a mailer as what it is", function()
    assert.equal("smtpsec.mailer: mail.test:587, tls = starttls",
      tostring(smtpsec.new { host = "mail.test", env_file = false }))
    assert.is_string(tostring(smtpsec.new { url = "lmtp:///run/lmtp", env_file = false }))
  end)

  it("uses a driver of the user's own", function()
    local socket = require "smtpsec.io.socket"
    local connected = {}
    local driver = { now = socket.now, hello = socket.hello, unpark = socket.unpark,
      connect = function(target, seconds)
      connected[#connected + 1] = ("%s:%d"):format(target.host, target.port)
      return socket.connect(target, seconds)
    end }
    local server = talk.listen { talk.hello(), REST }
    local port = server.port
    talk.accepted(talk.send(server, { io = driver }))
    assert.same({ ("127.0.0.1:%d"):format(port) }, connected)
  end)

  -- In a process of its own, so that nothing else grows or shrinks in it.
  local THOUSAND = [[
    local smtpsec = require "smtpsec"
    local mailer = assert(smtpsec.new {
      host = "localhost", port = tonumber(arg[1]), env_file = false, tls = { mode = "starttls", ca_file = arg[2] },
    })
    for i = 1, 1000 do
      local receipt = assert(mailer:send {
        from = "from@client.test", to = "to@mail.test", subject = ("Nº %d"):format(i), text = ("größer\n"):rep(50),
        attachments = { { content = ("x"):rep(5000), filename = "x.bin" } },
      })
      assert(receipt.tls.authenticated == "pkix")
      if i == 200 or i == 1000 then
        collectgarbage()
        collectgarbage()
        local resident = io.open "/proc/self/status":read "*a":match "VmRSS:%s+(%d+)"
        print(("%.0f %s"):format(collectgarbage "count", resident))
      end
    end
    mailer:close()
  ]]

  it("sends 1,000 mails on one connection, and memory stays as it is", function()
    local server = assert(sink.start { tls = "starttls" })
    local path = process.write(keeper.own():new_folder "script" .. "/thousand.lua", THOUSAND)
    local output = process.run(process.command(process.sanitized {
      jit and "luajit" or "lua5.4", path, ("%d"):format(server.port), server.ca_file,
    }))
    local heap, resident, heap_after, resident_after = output:match "(%d+) (%d+)\n(%d+) (%d+)"
    assert.equal(1000, #server:mails())
    local connections = 0
    for _, entry in ipairs(server:journal()) do
      if entry.event == "connected" then connections = connections + 1 end
    end
    assert.equal(1, connections)
    server:stop()
    assert.is_true(heap_after - heap < 100, ("the Lua heap grew by %d kB"):format(heap_after - heap))
    local keeps_what_was_freed = os.getenv "LD_PRELOAD" ~= nil -- as AddressSanitizer does
    assert.is_true(keeps_what_was_freed or resident_after - resident < 1500,
      ("the process grew by %d kB"):format(resident_after - resident))
  end)
end)
