-- What the users of a program may type: nothing of it becomes a command, a header, a parameter or a message's end.
local keeper = require "spec.support.keeper"
local process = require "spec.support.process"
local smtpsec = require "smtpsec"
local talk = require "spec.support.talk"

-- Each begins something new for somebody who reads the bytes.
local CONTROLS = {
  ["CR LF"] = "\r\nRCPT TO:<thief@evil.test>", CR = "\rDATA", LF = "\nBcc: thief@evil.test", NUL = "\0",
  ESC = "\27[2J", DEL = "\127", ["a C1 control"] = "\194\133", tab = "\tx",
}

describe("what users type", function()
  -- Fields of a message with a place for something foreign, and what they hold.
  local FIELDS = {
    from = "a%s@client.test", to = "a%s@mail.test", cc = "a@mail%s.test", bcc = { "b@mail.test", "a%s@mail.test" },
    sender = { name = "A%sB", address = "a@client.test" }, reply_to = "A%sB <a@client.test>", subject = "A%sB",
    headers = { ["X-Note"] = "A%sB" }, message_id = "<a%sb@client.test>",
    envelope = { from = "a%sb@client.test", to = "c@mail.test" },
    attachments = { { content = "x", filename = "a%sb.txt" } },
    list_unsubscribe = { url = "https://client.test/a%sb" },
  }
  local MORE = {
    ["the name of a header"] = function(bad) return { headers = { { "X-A" .. bad, "b" } } } end,
    ["a quoted local part"] = function(bad) return { to = '"a' .. bad .. '"@mail.test' } end,
    ["a recipient of the envelope"] = function(bad) return { envelope = { to = { "a@mail.test",
      "b@mail.test" .. bad } } } end,
    ["a type"] = function(bad) return { attachments = { { content = "x", type = "text/plain" .. bad } } } end,
    ["a content id"] = function(bad) return { attachments = { { content = "x", cid = "a" .. bad } } } end,
    ["the method of an invitation"] = function(bad)
      return { calendar = { method = "REQUEST" .. bad,
        content = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n" } }
    end,
  }

  local function put(value, bad)
    if type(value) == "string" then return (value:gsub("%%s", function() return bad end)) end
    local copy = {}
    for key, inner in pairs(value) do copy[key] = put(inner, bad) end
    return copy
  end

  for field, value in pairs(FIELDS) do
    MORE[field] = function(bad) return { [field] = put(value, bad) } end
  end

  describe("is an error before anybody is connected to, when a control stands in", function()
    for place, with in pairs(MORE) do
      it(place, function()
        local server = talk.listen { talk.hello(), { drain = true } }
        local mailer = assert(smtpsec.new(talk.options(server)))
        for name, control in pairs(CONTROLS) do
          local receipt, err = mailer:send(talk.message(with(control)))
          assert.is_nil(receipt, name)
          assert.equal("message", err.kind, name)
          assert.is_nil(tostring(err):find("[%c\127]"), name)
          assert.is_nil(tostring(err):find("\194\133", 1, true), name)
        end
        talk.nobody_came(server)
        assert.is_table(smtpsec.message(talk.message(with "")))
      end)
    end
  end)

  describe("is an error before anybody is connected to, when it makes an address more than one:", function()
    for _, address in ipairs {
      "a@mail.test> NOTIFY=NEVER", "a@mail.test> RCPT TO:<b@mail.test", "<a@mail.test><b@mail.test>",
        "@relay.test:a@mail.test",
      "a@mail.test SIZE=1", "a@b@mail.test", "a b@mail.test", "(note) a@mail.test", "undisclosed:a@mail.test",
        "a@mail.test.",
      "a@-mail.test", "a@[127.0.0.1", "a@mä_il.test", "a@mäil.test＞", "a@ä＠mail.test", ".a@mail.test",
        "a..b@mail.test", '"a@mail.test', "a@", "@mail.test", "a",
      ("x"):rep(65) .. "@mail.test", "a@" .. ("x."):rep(127) .. "test", "a@mail.test,", "a@mail.test\226\128\168",
      "a\229\152\141\229\152\138b@mail.test\237\160\128", "a\255@mail.test",
    } do
      it((address:gsub("[^\32-\126]", "?"):sub(1, 40)), function()
        local server = talk.listen { talk.hello "SMTPUTF8", { drain = true } }
        local mailer = assert(smtpsec.new(talk.options(server)))
        for _, field in ipairs { "from", "to" } do
          for _, fields in ipairs { { [field] = address }, { envelope = { [field] = address } } } do
            local receipt, err = mailer:send(talk.message(fields))
            assert.is_nil(receipt)
            assert.equal("message", err.kind)
          end
        end
        talk.nobody_came(server)
      end)
    end

    it("while what the grammar allows is sent as it is", function()
      local odd = "o'hara+tag=1/x@mail.test"
      local seen = talk.send({ talk.hello(), "C: MAIL FROM:<" .. odd .. ">\r\n", "S: 250 ok",
        'C: RCPT TO:<"a b>c@d"@mail.test>', "S: 250 ok", "C: RCPT TO:<a@[127.0.0.1]>", "S: 250 ok", "C: DATA",
          "S: 354 go",
        talk.END, "S: 250 ok", talk.bye() }, {}, { from = odd, to = { '"a b>c@d"@mail.test', "a@[127.0.0.1]" } })
      talk.accepted(seen)
    end)
  end)

  it("is not sent raw where the server takes ASCII only", function()
    local seen = talk.send({ talk.hello "PIPELINING", talk.bye() }, {}, { to = "ünal@mail.test" })
    talk.refused(seen, { kind = "message" })
    assert.matches("SMTPUTF8", tostring(seen.err))
    seen = talk.send({ talk.hello("SMTPUTF8", "8BITMIME"), "C: MAIL FROM:<from@client.test> BODY=8BITMIME SMTPUTF8",
      "S: 250 ok", "C: RCPT TO:<ünal@mail.test>", "S: 250 ok", "C: DATA", "S: 354 go", talk.END, "S: 250 ok",
      talk.bye() }, {}, { to = "ünal@mail.test" })
    talk.accepted(seen)
  end)

  describe("in the options is an error before anybody is connected to:", function()
    for place, with in pairs {
      hello = function(bad) return { hello = "client" .. bad .. ".test" } end,
      host = function(bad) return { host = "127.0.0.1" .. bad } end,
      user = function(bad)
        return { user = "me" .. bad, password = talk.PASSWORD, auth = { insecure_cleartext = true } }
      end,
      ["the server's name"] = function(bad) return { tls = { mode = "starttls",
        server_name = "mail" .. bad .. ".test" } } end,
    } do
      it(place, function()
        local server = talk.listen { talk.hello(), { drain = true } }
        for name, control in pairs(CONTROLS) do
          if place ~= "user" or name ~= "a C1 control" then -- it travels in base64
            local mailer, err = smtpsec.new(talk.options(server, with(control)))
            assert.is_nil(mailer, name)
            assert.equal("config", err.kind)
            assert.is_nil(tostring(err):find("[%c\127]"))
          end
        end
        assert.is_table(smtpsec.new(talk.options(server, with "")))
        talk.nobody_came(server)
      end)
    end

    it("the password", function()
      for _, password in ipairs { "a\0b", "a\r\nb", "a\n", "" } do
        local mailer, err = smtpsec.new { host = "mail.test", env_file = false, user = "me", password = password }
        assert.is_nil(mailer)
        assert.equal("config", err.kind)
      end
    end)

    for name, hello in pairs { space = "client test", brackets = "[client", parameter = "client.test SIZE=1",
      empty = "" } do
      it("hello with " .. name, function()
        local mailer, err = smtpsec.new { host = "mail.test", env_file = false, hello = hello }
        assert.is_nil(mailer)
        assert.equal("config", err.kind)
      end)
    end
  end)

  -- SMTP smuggling: ends of a message as some servers see them.
  describe("never ends the message:", function()
    local ENDS = { "\r\n.\r\n", "\n.\n", "\r.\r", "\n.\r\n", "\r\n.\n", "\r\n.\r", "\r.\r\n", "\n.\r", "\r.\n",
      "\r\r\n.\r\r\n" }
    local SMUGGLED = "MAIL FROM:<thief@evil.test>\r\nRCPT TO:<to@mail.test>\r\nDATA\r\nevil"

    local function received(fields)
      local seen = talk.send({ talk.hello "8BITMIME", talk.mail(), talk.bye() }, {}, fields)
      talk.accepted(seen)
      return seen.peer.received
    end

    local function check(bytes)
      local message = bytes:match "DATA\r\n(.-\r\n)%.\r\nQUIT\r\n$"
      assert.is_string(message)
      assert.is_nil(message:find("[^\r]\n"))
      assert.is_nil(message:find("\r[^\n]"))
      assert.is_nil(message:find("\r\n.\r\n", 1, true))
    end

    it("in a text", function()
      for _, ending in ipairs(ENDS) do check(received { text = "a" .. ending .. SMUGGLED, html = ending }) end
    end)

    it("in an attachment", function()
      for _, ending in ipairs(ENDS) do
        check(received { attachments = { { content = ending .. SMUGGLED, type = "text/plain", filename = "a" } } })
      end
    end)

    it("in a raw message", function()
      for _, ending in ipairs(ENDS) do
        local server = talk.listen { talk.hello(), talk.mail(), talk.bye() }
        local receipt, err = smtpsec.send(
          { raw = "From: a@client.test\r\n\r\na" .. ending .. SMUGGLED,
            envelope = { from = "a@client.test", to = "b@mail.test" } },
          talk.options(server))
        assert.is_nil(err)
        assert.equal("accepted", receipt.status)
        check(talk.stop(server)[1].received)
      end
    end)

    it("in a reader's pieces, wherever they are cut", function()
      for _, ending in ipairs(ENDS) do
        local text, at = "From: a@client.test\r\n\r\na" .. ending .. SMUGGLED, 0
        local server = talk.listen { talk.hello(), talk.mail(), talk.bye() }
        assert(smtpsec.send({
          raw = { reader = function()
            at = at + 1
            return at <= #text and text:sub(at, at) or nil
          end },
          envelope = { from = "a@client.test", to = "b@mail.test" },
        }, talk.options(server)))
        check(talk.stop(server)[1].received)
      end
    end)
  end)

  it("that holds a NUL is refused, not cut", function()
    local server = talk.listen { talk.hello(), { drain = true } }
    local mailer = assert(smtpsec.new(talk.options(server)))
    for _, fields in ipairs { { text = "before\0after" }, { html = "a\0" } } do
      local receipt, err = mailer:send(talk.message(fields))
      assert.is_nil(receipt)
      assert.equal("message", err.kind)
    end
    local receipt, err = mailer:send { raw = "From: a@b.test\r\n\r\na\0b", envelope = { to = "a@mail.test" } }
    assert.is_nil(receipt)
    assert.equal("message", err.kind)
    talk.nobody_came(server)
  end)

  it("as a file's name is a base name where it arrives, and a path is a regular file here", function()
    local folder = keeper.own():new_folder "files"
    process.write(folder .. "/report.txt", "figures")
    local seen = talk.send({ talk.hello(), talk.mail(), talk.bye() }, {}, {
      attachments = { { path = folder .. "/report.txt", filename = "../../etc/passwd" },
        { content = "x", filename = "C:\\x\\y.txt" } },
    })
    talk.accepted(seen)
    assert.matches("filename=passwd", seen.peer.received, 1, true)
    assert.matches("filename=y.txt", seen.peer.received, 1, true)
    assert.is_nil(seen.peer.received:find(folder, 1, true))
    for _, path in ipairs { folder, "/dev/zero", "file:///etc/passwd", "http://client.test/",
      folder .. "/missing" } do
      local message, err = smtpsec.message(talk.message { attachments = { { path = path, filename = "x" } } })
      assert.is_nil(message)
      assert.equal("message", err.kind)
      assert.matches("attachments[1].path", tostring(err), 1, true)
    end
  end)

  -- A command for a password is the user's own wish; the sink, a test tool, starts itself and openssl.
  it("is no word of a command: no program is run but by command.lua and the sink", function()
    local places = process.run [[grep -rlE 'io\.popen|os\.execute' lua | sort]]
    assert.equal("lua/smtpsec/command.lua\nlua/smtpsec/sink/process.lua", (places:gsub("%s+$", "")))
  end)

  it("as Bcc is in the envelope and nowhere else", function()
    local seen = talk.send({ talk.hello(), "C: MAIL", "S: 250 ok", "C: RCPT TO:<to@mail.test>", "S: 250 ok",
      "C: RCPT TO:<hidden@mail.test>", "S: 250 ok", "C: DATA", "S: 354 go", talk.END, "S: 250 ok", talk.bye() },
      {}, { bcc = "hidden@mail.test" })
    talk.accepted(seen)
    local _, times = seen.peer.received:gsub("hidden", "")
    assert.equal(1, times)
    assert.is_nil(seen.peer.received:lower():find("bcc", 1, true))
  end)
end)
