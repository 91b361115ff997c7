-- Where a password goes, and where it never goes. What mechanisms say is in spec/sasl; which channel is safe, in
-- starttls_spec and certificates_spec.
local process = require "spec.support.process"
local keeper = require "spec.support.keeper"
local smtpsec = require "smtpsec"
local talk = require "spec.support.talk"

describe("credentials", function()
  local good, tls

  setup(function()
    local _
    _, good, tls = talk.pki "implicit"
  end)

  local function inside(offers, ...)
    return { talk.tls(good), talk.hello(offers), ... }
  end

  local REST = { talk.mail(), talk.bye() }

  local function login(more)
    local options = talk.login { tls = tls }
    for name, value in pairs(more or {}) do options[name] = value end
    return options
  end

  local function refused(seen, fields)
    talk.refused(seen, fields)
    talk.no_login(seen)
    assert.equal(1, #seen.connections)
  end

  describe("on a channel in clear", function()
    it("are refused before anybody is connected to", function()
      local server = talk.listen { talk.hello "AUTH PLAIN", { drain = true } }
      local mailer = assert(smtpsec.new(talk.options(server, talk.login())))
      local receipt, err = mailer:send(talk.message())
      assert.is_nil(receipt)
      assert.same({ "policy", "auth" }, { err.kind, err.stage })
      assert.same({ "policy", "auth" }, { select(2, mailer:verify()).kind, select(2, mailer:verify()).stage })
      assert.is_nil(err.hint:find("insecure", 1, true))
      talk.nobody_came(server)
    end)

    it("go where insecure_cleartext says that they may, and it is told", function()
      local seen = talk.send({ talk.hello "AUTH PLAIN", "C: AUTH PLAIN ", "S: 235 in", REST },
        talk.login { auth = { insecure_cleartext = true } })
      talk.accepted(seen)
      local warnings = table.concat(seen.receipt.warnings, "|")
      assert.matches("sent in clear", warnings)
      assert.matches("password crossed a channel that was not authenticated: insecure_cleartext", warnings, 1, true)
      assert.equal("PLAIN", seen.receipt.auth.mechanism)
    end)
  end)

  describe("that the server does not ask for", function()
    for name, offers in pairs {
      ["not at all"] = "PIPELINING", ["in another word"] = "AUTHX PLAIN LOGIN",
        ["in the old spelling"] = "AUTH=PLAIN",
    } do
      it("fail instead of an anonymous mail: " .. name, function()
        refused(talk.send(inside(offers, { drain = true }), login()),
          { kind = "auth", stage = "auth", temporary = false })
      end)
    end

    it("by any mechanism there is fail, too", function()
      local seen = talk.send(inside("AUTH PLAIN-CLIENTTOKEN GSSAPI XPLAIN", { drain = true }), login())
      refused(seen, { kind = "auth", stage = "auth" })
      assert.matches("GSSAPI", seen.err.message)
    end)

    it("by a mechanism that is allowed fail, too", function()
      refused(talk.send(inside("AUTH PLAIN LOGIN", { drain = true }),
        login { auth = { mechanisms = { "CRAM-MD5" } } }), { kind = "auth", stage = "auth" })
    end)

    it("fail where EHLO is refused: HELO offers no AUTH", function()
      refused(talk.send({ talk.tls(good), "S: 220 mail.test", "C: EHLO", "S: 500 what?", { drain = true } },
        login()),
        { kind = "rejected", stage = "ehlo" })
    end)
  end)

  describe("that are wrong", function()
    it("are tried once, by one mechanism, on one connection", function()
      local seen = talk.send(inside("AUTH PLAIN LOGIN CRAM-MD5", "C: AUTH PLAIN ", "S: 535 5.7.8 no",
        { drain = true }), login { auth = { mechanisms = { "PLAIN", "LOGIN", "CRAM-MD5" } } })
      talk.refused(seen, { kind = "auth", stage = "auth", code = 535, enhanced = "5.7.8", text = "no",
        temporary = false })
      assert.equal(1, #seen.connections)
      local _, tries = seen.peer.received:gsub("AUTH", "")
      assert.equal(1, tries)
      talk.no_secret(tostring(seen.err))
      assert.matches("user name or password is wrong", seen.err.hint)
    end)

    it("may be right later where the server says so", function()
      local seen = talk.send(inside("AUTH PLAIN", "C: AUTH PLAIN ", "S: 454 4.7.0 no database", { drain = true }),
        login())
      talk.refused(seen, { kind = "auth", stage = "auth", code = 454, temporary = true })
    end)
  end)

  describe("are not taken for accepted", function()
    for _, reply in ipairs { "250 welcome", "354 go on", "220 hm", "253 sure" } do
      it("by " .. reply, function()
        local seen = talk.send(inside("AUTH PLAIN", "C: AUTH PLAIN ", "S: " .. reply, { drain = true }), login())
        talk.refused(seen, { kind = "auth", stage = "auth", temporary = false })
      end)
    end

    it("by 235 before the server has had them all", function()
      local seen = talk.send(inside("AUTH LOGIN", "C: AUTH LOGIN", "S: 334 VXNlcm5hbWU6", { upto = "\r\n" },
        "S: 235 in", { drain = true }), login())
      talk.refused(seen, { kind = "auth", stage = "auth" })
      assert.is_nil(seen.peer.received:find(talk.forms(talk.PASSWORD)[4], 1, true))
    end)

    it("by a server that asks without end", function()
      local steps = { "C: AUTH LOGIN" }
      for _ = 1, 20 do
        steps[#steps + 1] = "S: 334 UGFzc3dvcmQ6"
        steps[#steps + 1] = { upto = "\r\n" }
      end
      local seen = talk.send(inside("AUTH LOGIN", steps, { drain = true }), login())
      talk.refused(seen, { kind = "auth", stage = "auth", temporary = false })
      local _, lines = seen.peer.received:gsub("\r\n", "")
      assert.is_true(lines < 6, seen.peer.received)
    end)

    for name, challenge in pairs { ["is not base64"] = "334 *junk*",
      ["is too long"] = "334 " .. ("QUFB"):rep(2000) } do
      it("by a challenge that " .. name, function()
        local seen = talk.send(inside("AUTH LOGIN", "C: AUTH LOGIN", { send = challenge .. "\r\n" },
          { drain = true }), login())
        talk.refused(seen, { stage = "auth", temporary = false })
        talk.no_secret(seen.peer.received)
      end)
    end
  end)

  describe("are fetched when they are needed, and not before:", function()
    local function counted(answer)
      local calls = { count = 0 }
      function calls.ask()
        calls.count = calls.count + 1
        return answer
      end
      return calls
    end

    it("functions are called once for each login", function()
      local user, password = counted(talk.USER), counted(talk.PASSWORD)
      local seen = talk.send(inside("AUTH PLAIN", "C: AUTH PLAIN ", "S: 235 in", REST),
        login { user = user.ask, password = password.ask })
      talk.accepted(seen)
      assert.same({ 1, 1 }, { user.count, password.count })
      assert.matches("AUTH PLAIN AHNvbWUub25lQGxvZ2luLnRlc3QAa2Vpbi1Xb3J0LTQ3MTE=\r\n", seen.peer.received, 1, true)
    end)

    it("no function is called where the server cannot prove who it is, or does not ask", function()
      local user, password = counted(talk.USER), counted(talk.PASSWORD)
      local options = login { user = user.ask, password = password.ask }
      refused(talk.send(inside("PIPELINING", { drain = true }), options), { kind = "auth" })
      options.tls = { mode = "implicit" }
      refused(talk.send(inside("AUTH PLAIN", { drain = true }), options), { kind = "tls" })
      assert.same({ 0, 0 }, { user.count, password.count })
    end)

    it("a file is read", function()
      local file = process.write(keeper.own():new_folder "secret" .. "/password", talk.PASSWORD .. "\n")
      local seen = talk.send(inside("AUTH PLAIN",
        "C: AUTH PLAIN AHNvbWUub25lQGxvZ2luLnRlc3QAa2Vpbi1Xb3J0LTQ3MTE=\r\n",
        "S: 235 in", REST), login { password = { file = file } })
      talk.accepted(seen)
    end)

    it("what cannot be had is an error, and nothing is sent", function()
      for _, password in ipairs { function() return nil, "the vault is sealed" end, function() error "broken" end,
        { command = "exit 3" } } do
        local seen = talk.send(inside("AUTH PLAIN", { drain = true }), login { password = password })
        refused(seen, { kind = "config" })
      end
    end)
  end)

  it("that are too long for one line are held back until the server asks", function()
    local long = ("x"):rep(1000)
    local seen = talk.send(inside("AUTH PLAIN", "C: AUTH PLAIN\r\n", "S: 334 ", { upto = "\r\n" }, "S: 235 in",
      REST), login { password = long })
    talk.accepted(seen)
  end)

  it("of CRAM-MD5 stay at home: the server gets a digest", function()
    local seen = talk.send(inside("AUTH CRAM-MD5", "C: AUTH CRAM-MD5", "S: 334 PDFAbWFpbC50ZXN0Pg==",
      { upto = "\r\n" }, "S: 235 in", REST), login())
    talk.accepted(seen)
    for _, form in ipairs(talk.forms(talk.PASSWORD)) do
      assert.is_nil(seen.peer.received:find(form, 1, true))
    end
  end)
end)
