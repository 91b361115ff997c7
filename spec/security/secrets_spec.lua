-- What smtpsec says of itself, to programs, terminals and logs: never a password.
local config = require "smtpsec.config"
local smtpsec = require "smtpsec"
local talk = require "spec.support.talk"

-- Everything in a value, as text: keys, values, and what tostring makes of it.
local function everything(value, seen)
  seen = seen or {}
  if type(value) ~= "table" or seen[value] then return tostring(value) end
  seen[value] = true
  local parts = { tostring(value) }
  for key, inner in pairs(value) do
    parts[#parts + 1] = everything(key, seen)
    parts[#parts + 1] = everything(inner, seen)
  end
  return table.concat(parts, "\n")
end

local function no_password(value)
  local text = everything(value)
  for _, form in ipairs(talk.forms(talk.PASSWORD)) do assert.is_nil(text:find(form, 1, true), form) end
end

describe("a password is not in", function()
  local good, tls

  setup(function()
    local _
    _, good, tls = talk.pki "implicit"
  end)

  local EXCHANGES = {
    PLAIN = { "C: AUTH PLAIN", "S: 235 in" },
    LOGIN = { "C: AUTH LOGIN", "S: 334 VXNlcm5hbWU6", { upto = "\r\n" }, "S: 334 UGFzc3dvcmQ6", { upto = "\r\n" },
      "S: 235 in" },
    ["CRAM-MD5"] = { "C: AUTH CRAM-MD5", "S: 334 PDFAbWFpbC50ZXN0Pg==", { upto = "\r\n" }, "S: 235 in" },
  }

  for name, exchange in pairs(EXCHANGES) do
    it("the transcript of a login, which has everything else: " .. name, function()
      local events = {}
      local seen = talk.send({ talk.tls(good), talk.hello("AUTH " .. name, "PIPELINING"), exchange, talk.mail(),
        talk.bye() }, talk.login { tls = tls, on_event = function(event) events[#events + 1] = event end })
      talk.accepted(seen)
      no_password(events)
      no_password(seen.receipt)
      local told = {}
      for i, event in ipairs(events) do
        told[i] = event.type == "tls" and "tls " .. event.facts.version
          or event.type == "command" and ("C: %s %s"):format(event.verb, event.argument or "")
          or event.type == "reply" and ("S: %d"):format(event.code)
      end
      assert.same({
        "tls TLSv1.3", "S: 220", "C: EHLO client.test", "S: 250", "C: AUTH " .. name .. " ***", "S: 235",
        "C: MAIL FROM:<from@client.test>", "C: RCPT TO:<to@mail.test>", "C: DATA ", "S: 250", "S: 250", "S: 354",
          "C: FINISH ", "S: 250", "C: QUIT ",
      }, told)
    end)
  end

  it("an error, whatever went wrong", function()
    for _, script in ipairs {
      { talk.tls(good), talk.hello "AUTH PLAIN", "C: AUTH PLAIN", "S: 535 no", talk.bye() },
      { talk.tls(good), talk.hello "AUTH PLAIN", "C: AUTH PLAIN", { close = true } },
      { talk.tls(good), talk.hello "AUTH PLAIN", "C: AUTH PLAIN", "S: what?", { drain = true } },
      { talk.tls(good), talk.hello(), { drain = true } },
      { talk.tls(good), { drain = true } },
      { { close = true } },
    } do
      local seen = talk.send(script, talk.login { tls = tls, timeout = 0.3 })
      assert.is_nil(seen.receipt)
      no_password(seen.err)
    end
  end)

  it("an error about a server that says a line back", function()
    local said = {
      PLAIN = { "C: AUTH PLAIN", "S: AUTH PLAIN AGJvYgBhIHZlcnkgbG9uZyBwYXNzd29yZCBpbmRlZWQ=" }, -- more than is quoted
      ["CRAM-MD5"] = { "C: AUTH CRAM-MD5", "S: a2Vpbi1Xb3J0LTQ3MTE=" }, -- the password
      LOGIN = { "C: AUTH LOGIN", "S: 334 VXNlcm5hbWU6", { upto = "\r\n" }, "S: 334 UGFzc3dvcmQ6", { upto = "\r\n" },
        "S: " .. talk.PASSWORD },
    }
    for name, exchange in pairs(said) do
      local seen = talk.send({ talk.tls(good), talk.hello("AUTH " .. name), exchange, { drain = true } },
        talk.login { tls = tls })
      talk.failed(seen, { kind = "protocol", stage = "auth" })
      assert.equal('the server sent "***" where a reply code was due', seen.err.message)
      no_password(seen.err)
    end
  end)

  it("a mailer, its settings, or what smtpsec.config shows", function()
    local options = talk.login { host = "mail.test", env_file = false }
    local mailer = assert(smtpsec.new(options))
    no_password(mailer)
    no_password(assert(smtpsec.config(options)))
    assert.equal("***", smtpsec.config(options).password)
    no_password(assert(smtpsec.config { url = "smtps://me:" .. talk.PASSWORD .. "@mail.test", env_file = false }))
  end)

  it("an error about the options", function()
    for _, options in ipairs {
      { password = { talk.PASSWORD } }, { password = { file = talk.PASSWORD, secret = talk.PASSWORD } },
      { url = "smtp://me:" .. talk.PASSWORD .. "@mail test" }, { url = "nonsense:" .. talk.PASSWORD },
      { user = "me", password = talk.PASSWORD .. "\n", host = "mail.test" },
      { user = "me", password = { command = "echo " .. talk.PASSWORD, file = "x" }, host = "mail.test" },
      { host = "me:" .. talk.PASSWORD .. "@mail.test" }, { host = "//me:" .. talk.PASSWORD .. "@mail.test:587" },
      { provider = "smtps://me:" .. talk.PASSWORD .. "@mail.test" },
      { tls = "smtps://me:" .. talk.PASSWORD .. "@mail.test" },
      { host = "mail.test", auth = { mechanisms = { { name = "X-OWN", password = talk.PASSWORD } } } },
      { host = "mail.test", auth = { mechanisms = { { name = "X-OWN", token = talk.PASSWORD } } } },
    } do
      options.env_file = false
      local ok, result, err = pcall(smtpsec.new, options)
      assert.is_true(not ok or result == nil)
      no_password(ok and err or result)
    end
  end)

  it("an error about variables that somebody wrote on one line", function()
    for _, text in ipairs { "SMTP_HOST=mail.test MAIL_PASS=%s", "SMTP_HOST=mail.test;MAIL_PASS=%s",
      "SMTP_HOST=mail.test\\nMAIL_PASS=%s", "SMTP_HOST=mail.test:99999 MAIL_PASS=%s",
      "SMTP_HOST=mail.test\nSMTP_PORT=587 MAIL_PASS=%s", "SMTP_HOST=mail.test\nSMTP_TLS=starttls;MAIL_PASS=%s",
      "SMTP_HOST=me:%s@mail.test", "SMTP_HOST=mail.test\nSMTP_PORT=smtps://me:%s@mail.test" } do
      local settings, err = config.resolve({}, { getenv = function() end,
        read = function() return text:format(talk.PASSWORD) end })
      assert.is_nil(settings)
      no_password(err)
      assert.matches("SMTP_%u+ in .env, line %d", err.message)
    end
  end)

  it("an error when the function that gives it fails", function()
    local seen = talk.send({ talk.tls(good), talk.hello "AUTH PLAIN", { drain = true } }, talk.login { tls = tls,
      password = function() return talk.PASSWORD .. "\0" end, timeout = 0.3 })
    assert.equal("config", seen.err.kind)
    no_password(seen.err)
  end)
end)
