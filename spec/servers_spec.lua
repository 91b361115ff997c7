-- The real servers of the specs, tried with a client that is not smtpsec: when another spec fails with one of
-- them, this one says whether the server was at fault.
local process = require "spec.support.process"
local servers = require "spec.support.servers"

local unpack = unpack or table.unpack
local sent = 0

local function new_message_id()
  sent = sent + 1
  return ("<servers-%d-%d@example.test>"):format(process.id(), sent)
end

-- The lines "code text" that the steps were answered with.
local function session(server, port, steps)
  local output = process.run(process.command { "/usr/bin/python3", "spec/support/reference_client.py",
    ("%d"):format(server.ports[port]), server.ca_file, unpack(steps) })
  local replies = {}
  for line in output:gmatch("[^\n]+") do
    replies[#replies + 1] = line
  end
  return replies
end

local function codes(replies)
  local list = {}
  for i, reply in ipairs(replies) do
    list[i] = reply:match("^%d+")
  end
  return table.concat(list, " ")
end

local function login(server, name)
  return "auth " .. server.users[name].user .. " " .. server.users[name].password
end

for _, name in ipairs { "postfix", "dovecot", "exim", "chasquid" } do
  describe(name, function()
    local server

    setup(function()
      server = servers.start(name)
    end)

    it("takes mail after STARTTLS and AUTH, and delivers it", function()
      local id = new_message_id()
      local replies = session(server, "submission", {
        "connect", "EHLO client.example.test", "starttls", "EHLO client.example.test", login(server, "joe"),
        "MAIL FROM:<joe@example.test>", "RCPT TO:<joe@example.test>", "message " .. id, "QUIT",
      })
      assert.equal("220 250 220 250 235 250 250 250 221", codes(replies))
      local mails = server:wait(id)
      assert.equal(1, #mails)
      assert.equal("joe@example.test", mails[1].sender)
      assert.equal("joe@example.test", mails[1].recipient)
      assert.matches("\n\nBody of the mail%.\n%.two dots%?\n$", mails[1].content)
    end)

    it("speaks TLS from the first byte on its other port, and takes UTF-8 names and passwords", function()
      local id = new_message_id()
      local replies = session(server, "submissions", {
        "tls", "EHLO client.example.test", login(server, "unal"),
        "MAIL FROM:<>", "RCPT TO:<joe@example.test>", "message " .. id, "QUIT",
      })
      assert.equal("220 250 235 250 250 250 221", codes(replies))
      assert.equal("", server:wait(id)[1].sender)
    end)

    it("refuses a wrong password", function()
      local replies = session(server, "submissions", {
        "tls", "EHLO client.example.test", "auth " .. server.users.joe.user .. " wrong", login(server, "joe"),
      })
      assert.equal("220 250 535 235", codes(replies))
    end)

    it("takes no mail without TLS and AUTH", function()
      local replies = session(server, "submission", {
        "connect", "EHLO client.example.test", "MAIL FROM:<joe@example.test>", "RCPT TO:<joe@example.test>",
      })
      assert.matches("^220 250 [25]%d%d 5%d%d$", codes(replies))
    end)
  end)
end

for _, name in ipairs { "postfix", "exim" } do
  describe(name .. " as a relay", function()
    it("takes mail for its domain from anybody, with and without TLS", function()
      local server = servers.start(name)
      local id = new_message_id()
      local replies = session(server, "mx", {
        "connect", "EHLO client.example.test",
        "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.test>", "RCPT TO:<c@example.test>", "message " .. id,
        "starttls", "EHLO client.example.test",
        "MAIL FROM:<a@example.org>", "RCPT TO:<d@example.test>", "message " .. id,
      })
      assert.equal("220 250 250 250 250 250 220 250 250 250 250", codes(replies))
      assert.equal(3, #server:wait(id, 3))
    end)

    it("refuses the recipients that specs want refused", function()
      local replies = session(servers.start(name), "mx", {
        "connect", "EHLO client.example.test", "MAIL FROM:<a@example.org>",
        "RCPT TO:<nosuch@example.test>", "RCPT TO:<greylisted@example.test>", "RCPT TO:<full@example.test>",
        "RCPT TO:<b@example.test>", "RCPT TO:<b@elsewhere.test>",
      })
      assert.matches("^220 250 250 550 450 452 250 5%d%d$", codes(replies))
      assert.matches("5%.1%.1", replies[4])
      assert.matches("4%.7%.1", replies[5])
      assert.matches("4%.2%.2", replies[6])
    end)
  end)
end

describe("chasquid as a relay", function()
  it("refuses an unknown recipient", function()
    local replies = session(servers.start "chasquid", "mx", {
      "connect", "EHLO client.example.test", "MAIL FROM:<a@example.org>", "RCPT TO:<nosuch@example.test>",
    })
    assert.equal("220 250 250 550", codes(replies))
  end)
end)

describe("postfix as an old server", function()
  it("knows no extension", function()
    local replies = session(servers.start "postfix", "old", {
      "connect", "EHLO client.example.test", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.test>",
    })
    assert.equal("220 250 250 250", codes(replies))
    assert.equal("250 mail.example.test", replies[2])
  end)

  it("knows no EHLO", function()
    local replies = session(servers.start "postfix", "helo", {
      "connect", "EHLO client.example.test", "HELO client.example.test",
      "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.test>",
    })
    assert.matches("^220 50%d 250 250 250$", codes(replies))
  end)
end)

describe("a server", function()
  it("can be ended, and started again elsewhere", function()
    local first = servers.start "exim"
    first:stop()
    local second = servers.start "exim"
    assert.not_equal(first.ports.mx, second.ports.mx)
    assert.equal(second, servers.start "exim")
  end)
end)
