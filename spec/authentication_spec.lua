-- How a session logs in: which mechanism, with which secret, and what the server's answer means. What mechanisms say
-- is in spec/sasl; where a password may go, in spec/security/credentials_spec.
local core = require "smtpsec.core"
local talk = require "spec.support.talk"

local REST = { talk.mail(), talk.bye() }
local TOKEN = "eyJ0-first-4711-token"

local function base64(text) return core.base64(text) end

describe("a login", function()
  local good, implicit, starttls

  setup(function()
    local _
    _, good, implicit = talk.pki "implicit"
    starttls = { mode = "starttls", ca_file = implicit.ca_file }
  end)

  -- A script of a server that offers these, inside TLS from the first byte.
  local function inside(offers, ...)
    return { talk.tls(good), talk.hello(offers), ... }
  end

  local function login(more)
    local options = talk.login { tls = implicit }
    for name, value in pairs(more or {}) do options[name] = value end
    return options
  end

  describe("after STARTTLS", function()
    local function across(clear, secret, options, ...)
      local script = { talk.hello("STARTTLS", clear), talk.starttls(good, secret), ... }
      options.tls = starttls
      return talk.send(script, talk.login(options))
    end

    it("uses the list that TLS protects", function()
      talk.accepted(across("AUTH CRAM-MD5", "AUTH PLAIN", {}, "C: AUTH PLAIN ", "S: 235 in", REST))
      talk.accepted(across("SIZE", "AUTH PLAIN", {}, "C: AUTH PLAIN ", "S: 235 in", REST))
      local seen = across("AUTH PLAIN", "SIZE", {}, { drain = true })
      talk.refused(seen, { kind = "auth", stage = "auth" })
      talk.no_login(seen)
    end)

    it("misses the mechanism that went missing on the way into TLS", function()
      local seen = across("AUTH LOGIN PLAIN", "AUTH LOGIN", {}, { drain = true })
      talk.refused(seen, { kind = "auth", stage = "auth", temporary = false })
      talk.no_login(seen)
      assert.matches("offered PLAIN before TLS", seen.err.message, 1, true)
      assert.matches("auth.mechanisms", seen.err.hint, 1, true)
      talk.accepted(across("AUTH LOGIN PLAIN", "AUTH LOGIN", { auth = { mechanisms = { "LOGIN" } } },
        "C: AUTH LOGIN", "S: 334 ", { upto = "\r\n" }, "S: 334 ", { upto = "\r\n" }, "S: 235 in", REST))
    end)
  end)

  describe("that is refused says why:", function()
    for reply, expected in pairs {
      ["535 5.7.8 no"] = { words = "user name or the password is wrong", code = 535 },
      ["534 5.7.9 no"] = { words = "mechanism too weak", code = 534 },
      ["432 4.7.12 no"] = { words = "once by PLAIN", code = 432, temporary = true },
      ["454 4.7.0 no"] = { words = "cannot judge logins for now", code = 454, temporary = true },
      ["504 5.5.4 no"] = { words = "though it offers it", code = 504 },
      ["530 5.7.0 no"] = { words = "something else before a login", code = 530 },
      ["538 5.7.11 no"] = { words = "wants an encrypted channel", code = 538 },
      ["501 5.5.2 no"] = { words = "does not understand", code = 501 },
      ["550 5.7.1 no"] = { words = "refuses the login by PLAIN", code = 550 },
    } do
      it(reply, function()
        local seen = talk.verify(inside("AUTH PLAIN", "C: AUTH PLAIN ", "S: " .. reply, { drain = true }), login())
        talk.failed(seen, { kind = "auth", stage = "auth", code = expected.code, text = "no",
          temporary = expected.temporary or false })
        assert.matches(expected.words, seen.err.message, 1, true)
        assert.equal(seen.err.message:match "PLAIN: (.*)" or "no", seen.err.reason)
        talk.no_secret(tostring(seen.err))
      end)
    end
  end)

  it("shows no secret that the server says back, in whatever words", function()
    local events, secret = {}, talk.PASSWORD
    local whole = base64("\0" .. talk.USER .. "\0" .. secret)
    for _, words in ipairs { "5.5.2 unknown: " .. whole, "no " .. secret, base64("x" .. secret) .. "," .. secret } do
      local seen = talk.verify(inside("AUTH PLAIN", "C: AUTH PLAIN ", "S: 500 " .. words, { drain = true }),
        login { on_event = function(event) events[#events + 1] = event.text end })
      talk.failed(seen, { kind = "auth", code = 500 })
      talk.no_secret(tostring(seen.err))
      assert.matches("***", seen.err.text, 1, true)
    end
    talk.no_secret(table.concat(events, "\n"))
    local refused = base64('{"token":"' .. TOKEN .. '"}')
    local seen = talk.verify(inside("AUTH XOAUTH2", "C: AUTH XOAUTH2 ", "S: 334 " .. refused, { upto = "\r\n" },
      "S: 535 no", { drain = true }), { tls = implicit, user = talk.USER, token = TOKEN })
    talk.failed(seen, { kind = "auth", reason = '{"token":"***"}' })
    assert.is_nil(tostring(seen.err):find(TOKEN, 1, true))
  end)

  -- What a server that does not understand a line makes of it, before it says it back.
  local MANGLED = {
    ["cut off"] = function(line) return line:sub(1, -4) end,
    ["without what fills it up"] = function(line) return (line:gsub("=", "")) end,
    ["in capitals"] = function(line) return ("auth plain " .. line):upper() end,
    ["behind a slash"] = function(line) return "PLAIN/" .. line end,
    ["in two pieces"] = function(line) return line:sub(1, 21) .. " " .. line:sub(22) end,
    ["in two lines"] = function(line) return line:sub(1, 18), line:sub(19) end,
    ["without its beginning"] = function(line) return line:sub(8) end,
  }

  -- Nothing of the line that a piece of would tell.
  local function no_piece(text, line)
    text, line = text:lower(), line:lower()
    for i = 1, #line - 5 do assert.is_nil(text:find(line:sub(i, i + 5), 1, true), text) end
  end

  for how, mangle in pairs(MANGLED) do
    it("shows nothing of a line that the server says back " .. how, function()
      local line, events = base64("\0" .. talk.USER .. "\0" .. talk.PASSWORD), {}
      local first, second = mangle(line)
      local seen = talk.verify(inside("AUTH PLAIN", "C: AUTH PLAIN ", "S: 500" .. (second and "-" or " ") .. first,
        second and "S: 500 " .. second or {}, { drain = true }),
        login { on_event = function(event) events[#events + 1] = event.text end })
      talk.failed(seen, { kind = "auth", code = 500 })
      assert.matches("***", seen.err.text, 1, true)
      no_piece(tostring(seen.err) .. table.concat(events), line)
    end)
  end

  it("shows nothing of a digest, by which a password can be guessed", function()
    local line = base64(talk.USER .. " 0123456789abcdef0123456789abcdef")
    local seen = talk.verify(inside("AUTH CRAM-MD5", "C: AUTH CRAM-MD5", "S: 334 PDFAbWFpbC50ZXN0Pg==",
      { upto = "\r\n" }, "S: 500 what is " .. line, { drain = true }), login())
    talk.failed(seen, { kind = "auth", code = 500, text = "what is ***" })
  end)

  it("shows no token of which the server tells the beginning, and leaves other words alone", function()
    local token = ("eyJ0-long-4711"):rep(20)
    local seen = talk.verify(inside("AUTH XOAUTH2", "C: AUTH XOAUTH2 ", "S: 334 " ..
      base64('{"token":"' .. token:sub(1, 100) .. '…","see":"https://mail.test/support/answer/78754"}'),
      { upto = "\r\n" }, "S: 535 Authentication unsuccessful", { drain = true }),
      { tls = implicit, user = talk.USER, token = token })
    talk.failed(seen, { kind = "auth", text = "Authentication unsuccessful",
      reason = '{"token":"***…","see":"https://mail.test/support/answer/78754"}' })
  end)

  it("is told by verify: what was offered, what was chosen, and why", function()
    local ask = { "C: AUTH PLAIN ", "S: 235 in", "C: NOOP", "S: 250 ok", talk.bye() }
    local seen = talk.verify(inside("AUTH LOGIN PLAIN X-OTHER", ask), login())
    assert.same({ mechanism = "PLAIN" }, seen.receipt.auth)
    assert.same({
      offered = "LOGIN PLAIN X-OTHER", why = "the strongest that the server offers and this login can use",
    }, seen.receipt.login)
    seen = talk.verify(inside("AUTH LOGIN PLAIN X-OTHER", ask), login { auth = { mechanisms = { "PLAIN", "LOGIN" } } })
    assert.matches("the first in auth.mechanisms", seen.receipt.login.why, 1, true)
  end)

  describe("with a token", function()
    local EXPIRED = base64 '{"status":"invalid_token","scope":"mail"}'
    local refuse = { "C: AUTH OAUTHBEARER ", "S: 334 " .. EXPIRED, "C: AQ==", "S: 535 5.7.8 no", { drain = true } }

    local function tokens(...)
      local asked, list = {}, { ... }
      return asked, function(again)
        asked[#asked + 1] = again == true
        return list[#asked] or list[#list]
      end
    end

    it("goes by a mechanism for tokens, and never by one for passwords", function()
      local seen = talk.send(inside("AUTH PLAIN LOGIN XOAUTH2", "C: AUTH XOAUTH2 ", "S: 235 in", REST),
        { tls = implicit, user = talk.USER, token = TOKEN })
      talk.accepted(seen)
      seen = talk.send(inside("AUTH PLAIN LOGIN", { drain = true }),
        { tls = implicit, user = talk.USER, token = TOKEN })
      talk.refused(seen, { kind = "auth", stage = "auth" })
      talk.no_login(seen)
    end)

    it("is never made of a password", function()
      local seen = talk.send(inside("AUTH OAUTHBEARER XOAUTH2", { drain = true }), login())
      talk.refused(seen, { kind = "auth", stage = "auth" })
      talk.no_login(seen)
    end)

    it("asks for another one once, on another connection, and is told why the first did not do", function()
      local asked, ask = tokens(TOKEN, "eyJ0-fresh-4711-token")
      local fresh = inside("AUTH OAUTHBEARER", "C: AUTH OAUTHBEARER ", "S: 235 in", REST)
      local seen = talk.send(talk.listen(inside("AUTH OAUTHBEARER", refuse), fresh),
        { tls = implicit, user = talk.USER, token = ask })
      talk.accepted(seen)
      assert.same({ false, true }, asked)
      assert.equal(2, #seen.connections)
    end)

    it("gives up after the second, and says what the server says", function()
      local asked, ask = tokens(TOKEN, "eyJ0-fresh-4711-token")
      local seen = talk.send(talk.listen(inside("AUTH OAUTHBEARER", refuse)),
        { tls = implicit, user = talk.USER, token = ask })
      talk.refused(seen, { kind = "auth", code = 535, reason = '{"status":"invalid_token","scope":"mail"}' })
      assert.matches("does not take the token", seen.err.message, 1, true)
      assert.matches('says {"status":"invalid_token"', seen.err.message, 1, true)
      assert.same({ false, true }, asked)
      assert.equal(2, #seen.connections)
    end)

    it("does not send the same one twice, nor one that nobody can renew", function()
      local asked, ask = tokens(TOKEN)
      local seen = talk.send(talk.listen(inside("AUTH OAUTHBEARER", refuse)),
        { tls = implicit, user = talk.USER, token = ask })
      talk.refused(seen, { kind = "auth", code = 535 })
      assert.same({ false, true }, asked)
      local _, logins = (seen.connections[1].received .. (seen.connections[2] or { received = "" }).received)
        :gsub("AUTH ", "")
      assert.equal(1, logins)
      seen = talk.send(talk.listen(inside("AUTH OAUTHBEARER", refuse)),
        { tls = implicit, user = talk.USER, token = TOKEN })
      talk.refused(seen, { kind = "auth", code = 535 })
      assert.equal(1, #seen.connections)
    end)
  end)

  describe("by a mechanism written in Lua", function()
    -- User and password, asked for one after the other.
    local function two_steps(more)
      local mechanism = { name = "X-TWO-STEPS", user = true, password = true }
      function mechanism.step(who, challenge)
        if challenge == "who?" then return who.user, false end
        return who.password, true
      end
      for name, value in pairs(more or {}) do mechanism[name] = value end
      return { auth = { mechanisms = { mechanism } } }
    end

    local ask = { "C: AUTH X-TWO-STEPS\r\n", "S: 334 " .. base64 "who?", "C: " .. base64(talk.USER),
      "S: 334 " .. base64 "and?", "C: " .. base64(talk.PASSWORD) }

    it("answers challenges", function()
      local seen = talk.send(inside("AUTH PLAIN X-TWO-STEPS", ask, "S: 235 in", REST), login(two_steps()))
      talk.accepted(seen)
      assert.same({ mechanism = "X-TWO-STEPS" }, seen.receipt.auth)
      talk.failed(talk.send(inside("AUTH X-TWO-STEPS", ask, "S: 535 no", { drain = true }), login(two_steps())),
        { kind = "auth", code = 535 })
    end)

    it("may begin by itself", function()
      local start = { start = function(who) return who.user .. " " .. who.password, true end }
      local seen = talk.send(inside("AUTH X-TWO-STEPS", "C: AUTH X-TWO-STEPS " ..
        base64(talk.USER .. " " .. talk.PASSWORD), "S: 235 in", REST), login(two_steps(start)))
      talk.accepted(seen)
    end)

    it("may have said all with that, also under the name of one of ours", function()
      for _, name in ipairs { "X-ONE-STEP", "PLAIN" } do
        local own = { name = name, user = true, start = function(who) return "own " .. who.user, true end }
        local seen = talk.send(inside("AUTH " .. name, "C: AUTH " .. name .. " " .. base64("own " .. talk.USER),
          "S: 235 in", REST), { tls = implicit, user = talk.USER, auth = { mechanisms = { own } } })
        talk.accepted(seen)
      end
    end)

    it("shows nothing of its responses that the server says back", function()
      local response = "of the mechanism's own making"
      local step = function() return response, true end
      local seen = talk.send(inside("AUTH X-TWO-STEPS", "C: AUTH X-TWO-STEPS", "S: 334 ", { upto = "\r\n" },
        "S: 500 what is " .. base64(response), { drain = true }), login(two_steps { step = step }))
      talk.refused(seen, { kind = "auth", code = 500, text = "what is ***" })
    end)

    it("is held to the end of its exchange", function()
      local seen = talk.send(inside("AUTH X-TWO-STEPS", "C: AUTH X-TWO-STEPS", "S: 334 " .. base64 "who?",
        { upto = "\r\n" }, "S: 235 in", { drain = true }), login(two_steps()))
      talk.refused(seen, { kind = "auth", stage = "auth" })
      assert.matches("before the exchange was complete", seen.err.reason, 1, true)
    end)

    for name, step in pairs {
      ["raises"] = function() error "broken" end, ["gives nothing"] = function() end,
      ["raises what says nothing of itself"] = function()
        error(setmetatable({}, { __tostring = function() error "mute" end }))
      end,
      ["gives what is no string"] = function() return 1 end,
    } do
      it("takes AUTH back when it " .. name, function()
        local seen = talk.send(inside("AUTH X-TWO-STEPS", "C: AUTH X-TWO-STEPS", "S: 334 " .. base64 "who?",
          "C: *\r\n", "S: 501 as you like", { drain = true }), login(two_steps { step = step }))
        talk.refused(seen, { kind = "auth", stage = "auth" })
        assert.matches("the mechanism X-TWO-STEPS gave up", seen.err.message, 1, true)
      end)
    end

    it("is used only where it is offered, on a channel that is safe", function()
      local seen = talk.send(inside("AUTH PLAIN", { drain = true }), login(two_steps()))
      talk.refused(seen, { kind = "auth", stage = "auth" })
      talk.no_login(seen)
      local options = talk.login(two_steps())
      local server = talk.listen { talk.hello "AUTH X-TWO-STEPS", { drain = true } }
      local refused = select(2, require("smtpsec").send(talk.message(), talk.options(server, options)))
      assert.equal("policy", refused.kind)
      talk.nobody_came(server)
    end)
  end)
end)
