local auth = require "smtpsec.config.auth"
local core = require "smtpsec.core"
local environment = require "smtpsec.config.environment"
local errors = require "smtpsec.errors"
local login = require "smtpsec.config.login"
local server = require "smtpsec.config.server"
local sources = require "smtpsec.config.sources"

-- What options, process variables and a .env text (in a file of this mode) add up to.
local function resolve(options, variables, text, mode)
  local world = environment.new {
    getenv = function(name) return (variables or {})[name] end,
    read = function(path)
      if path == ".env" and text then return text end
      return nil, path .. ": No such file or directory", 2
    end,
    access = function() return tonumber(mode or "600", 8), 0, 0 end,
  }
  local list = { sources.options(options), sources.process(world), assert(sources.file(world)) }
  local how = options.auth and assert(auth.resolve(options.auth, { mode = "starttls" })) or {}
  return login.resolve(list, assert(server.resolve(list)), world,
    { mechanisms = how.mechanisms, certificate = options.tls and options.tls.cert ~= nil })
end

local function yields(user, password, options, variables, text)
  local found, why = resolve(options, variables, text)
  assert.is_table(found, why)
  assert.equal(user, found.user)
  assert.equal(password, found.password and assert(found.password:reveal()))
  assert.is_nil(found.token)
  assert.equal(user ~= nil, found.login)
  return found
end

-- The same with a token.
local function hands_over(user, token, options, variables, text)
  local found, why = resolve(options, variables, text)
  assert.is_table(found, why)
  assert.equal(user, found.user)
  assert.equal(token, found.token and assert(found.token:reveal()))
  assert.is_nil(found.password)
  assert.is_true(found.login)
  return found
end

local function refused(words, options, variables, text)
  local found, why = resolve(options, variables, text)
  assert.is_nil(found)
  assert.is_truthy(tostring(why):find(words, 1, true), tostring(why))
  assert.is_nil(tostring(why):find("hunter", 1, true), tostring(why))
end

describe("login", function()
  it("takes what the caller wrote", function()
    yields("u", "hunter2", { host = "h", user = "u", password = "hunter2" })
    yields("u", "hunter2", { url = "smtps://u:hunter2@h" })
    yields(nil, nil, { host = "h" })
  end)

  it("lets user and password next to a URL win, and does not decode them", function()
    yields("v", "a%41", { url = "smtps://u:hunter%32@h", user = "v", password = "a%41" })
    yields("u", "a%41", { url = "smtps://u:hunter2@h", password = "a%41" })
    yields("u%40x", "hunter2", { url = "smtps://u%2540x:hunter%32@h" })
  end)

  it("takes the environment's login for a host of the caller's", function()
    yields("u", "hunter2", { host = "h" }, { MAIL_USER = "u", MAIL_PASS = "hunter2" })
    yields("u", "hunter2", { host = "h", user = "u" }, { MAIL_PASS = "hunter2" })
    yields("u", "hunter2", { host = "h", password = "hunter2" }, { MAIL_USER = "u" })
    yields("u", "hunter2", { host = "h", user = "u" }, { MAIL_USER = "u", MAIL_PASS = "hunter2" })
    yields("u", "hunter2", {}, {}, "SMTP_HOST=h\nMAIL_USER=u\nMAIL_PASS=hunter2")
    yields("u", "hunter3", {}, { MAIL_PASS = "hunter3" }, "SMTP_HOST=h\nMAIL_USER=u\nMAIL_PASS=hunter2")
  end)

  it("uses no password for another user than the one beside it", function()
    refused("another user's", { host = "h", user = "v" }, { MAIL_USER = "u", MAIL_PASS = "hunter2" })
    refused("another user's", { url = "smtps://u:hunter2@h", user = "v" })
    refused("another user's", {}, { MAIL_USER = "v" }, "SMTP_HOST=h\nMAIL_USER=u\nMAIL_PASS=hunter2")
    yields("v", "hunter3", { host = "h", user = "v", password = "hunter3" }, { MAIL_USER = "u",
      MAIL_PASS = "hunter2" })
  end)

  it("sends no login of the environment to another server than the one beside it", function()
    local variables = { SMTP_HOST = "mail.example", MAIL_USER = "u", MAIL_PASS = "hunter2" }
    local found = yields(nil, nil, { host = "localhost" }, variables)
    assert.is_truthy(found.notes[1]:find("the environment were left out", 1, true))
    yields("u", "hunter2", { host = "mail.example" }, variables)
    yields("u", "hunter2", { host = "MAIL.example" }, variables)
    yields("u", "hunter2", { url = "smtps://mail.example" }, variables)
    yields(nil, nil, { url = "lmtp:///run/lmtp" }, variables)
    yields(nil, nil, { host = "localhost" }, { SMTP_URL = "smtps://u:hunter2@mail.example" })
    yields(nil, nil, {}, { SMTP_HOST = "localhost" }, "SMTP_HOST=mail.example\nMAIL_USER=u\nMAIL_PASS=hunter2")
    yields("v", "hunter3", { host = "localhost", user = "v", password = "hunter3" }, variables)
  end)

  it("logs in as nobody when told so", function()
    yields(nil, nil, { host = "h", user = false }, { MAIL_USER = "u", MAIL_PASS = "hunter2" })
    refused("no user is named", { host = "h", user = false, password = "hunter2" })
    refused("no user is named", { provider = "sendgrid", user = false, password = "hunter2" })
  end)

  it("does not take half a login for none", function()
    refused('"user" names a user but no password', { host = "h", user = "u" })
    refused('"url" names a user but no password', { url = "smtps://u@h" })
    refused("MAIL_USER in .env, line 2 names a user", {}, {}, "SMTP_HOST=h\nMAIL_USER=u\n")
    refused('"password" gives a password but no user', { host = "h", password = "hunter2" })
    refused("MAIL_PASS in the environment gives a password", { host = "h" }, { MAIL_PASS = "hunter2" })
  end)

  it("refuses a login that could not be sent", function()
    refused('"user" is empty', { host = "h", user = "", password = "hunter2" })
    refused("control character", { host = "h", user = "u\0x", password = "hunter2" })
    refused("is empty", { host = "h", user = "u", password = "" })
    refused('"password" contains a line end', { host = "h", user = "u", password = "hunter2\n" })
    refused("MAIL_PASS in .env, line 3 contains a line end", {}, {},
      "SMTP_HOST=h\nMAIL_USER=u\nMAIL_PASS='hunter2\n'")
    refused("must be either", { host = "h", user = "u", password = {} })
    refused("must be either", { host = "h", user = "u", password = { file = "a", command = "b" } })
  end)

  it("finds out early that a file is missing, and calls nothing early", function()
    refused("/none/such", { host = "h", user = "u", password = { file = "/none/such" } })
    refused("/none/such", { host = "h" }, { MAIL_USER = "u", MAIL_PASS_FILE = "/none/such" })
    local calls = 0
    local function ask()
      calls = calls + 1
      return "asked"
    end
    local found = assert(resolve { host = "h", user = ask, password = ask })
    assert.is_true(found.login)
    assert.equal(0, calls)
    assert.equal(ask, found.user)
    assert.equal("asked", found.password:reveal())
    assert.equal(1, calls)
  end)

  it("reads files by the environment it is given", function()
    local world = environment.new { getenv = function() end,
      read = function(path) return "lines of " .. path .. "\n" end }
    local list = { sources.options { host = "h", user = "u", password = { file = "x" } } }
    assert.equal("lines of x", login.resolve(list, { host = "h" }, world).password:reveal())
  end)

  it("knows the user that a provider has for everybody", function()
    yields("apikey", "hunter2", { provider = "sendgrid", password = "hunter2" })
    yields("apikey", "hunter2", { host = "smtp.sendgrid.net" }, { MAIL_PASS = "hunter2" })
    yields("x", "hunter2", { provider = "sendgrid", user = "x", password = "hunter2" })
  end)

  it("takes an app password as it is pasted, where gaps are only for the eye", function()
    yields("u", "abcdefghijklmnop", { provider = "gmail", user = "u", password = "abcd efgh ijkl mnop" })
    yields("u", "abcdefghijklmnop", { host = "smtp.gmail.com", user = "u", password = function()
      return "abcd efgh ijkl mnop"
    end })
    yields("u", "abcd efgh ijkl mnop", { host = "h", user = "u", password = "abcd efgh ijkl mnop" })
    yields("u", "a b", { provider = "gmail", user = "u", password = "a b" })
  end)

  -- The engine's mechanisms by what they need; those that this one lacks are put into its list.
  describe("knows", function()
    local count

    local function add(name, needs)
      for _, mechanism in ipairs(core.mechanisms) do
        if mechanism.name == name then return end
      end
      needs.name, needs.binds, needs.prepares = name, false, false
      for _, need in ipairs { "user", "password", "token", "certificate", "only_named" } do
        needs[need] = needs[need] or false
      end
      table.insert(core.mechanisms, needs)
    end

    setup(function()
      count = #core.mechanisms
      add("EXTERNAL", { certificate = true })
      add("ANONYMOUS", { only_named = true })
      add("OAUTHBEARER", { user = true, token = true })
      add("XOAUTH2", { user = true, token = true })
    end)

    teardown(function()
      while #core.mechanisms > count do table.remove(core.mechanisms) end
    end)

    local CERT = { cert = "me.pem", key = "me.key" }

    it("a token from wherever it is", function()
      local found = hands_over("u", "token-4711", { host = "h", user = "u", token = "token-4711" })
      assert.equal('"token"', found.token_label)
      hands_over("u", "token-4711", { host = "h" }, { MAIL_USER = "u", MAIL_TOKEN = "token-4711" })
      hands_over("u", "token-4711", {}, {}, "SMTP_HOST=h\nMAIL_USER=u\nSMTP_TOKEN=token-4711")
      hands_over("u", "token-4711", { url = "smtps://u@h", token = "token-4711" })
      hands_over("u", "abcd efgh ijkl mnop", { provider = "gmail", user = "u", token = "abcd efgh ijkl mnop" })
      refused('"token" gives a token but no user is named', { host = "h", token = "hunter2" })
      refused('"token" gives a token but no user', { host = "h", user = false, token = "hunter2" })
      refused('"token" is empty', { host = "h", user = "u", token = "" })
      refused('"token" must be either', { host = "h", user = "u", token = {} })
    end)

    it("which of two secrets is meant", function()
      hands_over("u", "token-4711", { host = "h", user = "u", token = "token-4711" }, { MAIL_PASS = "hunter2" })
      yields("u", "hunter2", { host = "h", user = "u", password = "hunter2" }, { MAIL_TOKEN = "token-4711" })
      hands_over("u", "token-4711", { host = "h", user = "u", token = "token-4711" },
        { MAIL_USER = "u", MAIL_PASS = "hunter2", MAIL_TOKEN = "hunter3" })
      hands_over("u", "token-4711", {}, { MAIL_TOKEN = "token-4711" }, "SMTP_HOST=h\nMAIL_USER=u\nMAIL_PASS=hunter2")
      refused('"password" and "token" are both given', { host = "h", user = "u", password = "hunter2",
        token = "hunter3" })
      refused('"url" and "token" are both given', { url = "smtps://u:hunter2@h", token = "hunter3" })
      refused("give one", { host = "h" }, { MAIL_USER = "u", MAIL_PASS = "hunter2", MAIL_TOKEN = "hunter3" })
    end)

    it("whose token it is, and for which server", function()
      refused("another user's", { host = "h", user = "v" }, { MAIL_USER = "u", MAIL_TOKEN = "hunter2" })
      local variables = { SMTP_HOST = "mail.example", MAIL_USER = "u", MAIL_TOKEN = "token-4711" }
      yields(nil, nil, { host = "localhost" }, variables)
      hands_over("u", "token-4711", { host = "mail.example" }, variables)
    end)

    it("a login without a secret, where it was named", function()
      for name, tls in pairs { ANONYMOUS = false, EXTERNAL = CERT } do
        local function options(more)
          more.host, more.auth, more.tls = "h", { mechanisms = { name } }, tls or nil
          return more
        end
        local found = assert(resolve(options {}))
        assert.is_true(found.login)
        assert.is_nil(found.user)
        assert.equal("u", assert(resolve(options { user = "u" })).user)
        found = assert(resolve(options {}, { MAIL_USER = "u", MAIL_PASS = "hunter2" }))
        assert.is_nil(found.password)
        assert.is_false(assert(resolve(options { user = false })).login)
        refused('"password" would not be used', options { user = "u", password = "hunter2" })
        refused('"token" would not be used', options { user = "u", token = "hunter2" })
      end
      assert.is_false(assert(resolve { host = "h" }).login)
      assert.is_false(assert(resolve { host = "h", tls = CERT }).login)
      assert.is_false(assert(resolve { host = "h", auth = { mechanisms = { "PLAIN" } } }).login)
      refused("names a user but no password", { host = "h", user = "u",
        auth = { mechanisms = { "PLAIN", "ANONYMOUS" } } })
    end)

    it("what a certificate can stand for", function()
      local found = assert(resolve { host = "h", user = "u", tls = CERT })
      assert.is_true(found.login)
      assert.equal("u", found.user)
      assert.is_nil(found.password)
      refused("names a user but no password", { host = "h", user = "u" })
      refused("names a user but no password", { host = "h", user = "u", tls = CERT,
        auth = { mechanisms = { "PLAIN" } } })
      refused('EXTERNAL, which needs "tls.cert"', { host = "h", auth = { mechanisms = { "external" } } })
      refused('EXTERNAL, which needs "tls.cert"', { host = "h", user = "u", password = "hunter2",
        auth = { mechanisms = { "EXTERNAL", "PLAIN" } } })
      yields("u", "hunter2", { host = "h", user = "u", password = "hunter2", tls = CERT,
        auth = { mechanisms = { "EXTERNAL", "PLAIN" } } })
    end)

    it("that a secret of one kind is of no use to mechanisms of the other", function()
      refused('"password" is not enough for any of "auth.mechanisms"',
        { host = "h", user = "u", password = "hunter2", auth = { mechanisms = { "XOAUTH2" } } })
      refused('"token" is not enough for any of "auth.mechanisms"',
        { host = "h", user = "u", token = "hunter2", auth = { mechanisms = { "PLAIN", "LOGIN" } } })
      hands_over("u", "token-4711", { host = "h", user = "u", token = "token-4711",
        auth = { mechanisms = { "PLAIN", "XOAUTH2" } } })
      local function own(needs)
        needs.name, needs.step = "X-OWN", print
        return { mechanisms = { needs } }
      end
      hands_over("u", "token-4711", { host = "h", user = "u", token = "token-4711", auth = own { token = true } })
      refused("not enough", { host = "h", user = "u", token = "hunter2", auth = own { password = true } })
      assert.is_true(assert(resolve { host = "h", auth = own {} }).login)
    end)
  end)

  it("tells of a .env that everybody may read, where its secret is used", function()
    local text = "SMTP_HOST=h\nMAIL_USER=u\nMAIL_PASS=hunter2"
    assert.same({}, assert(resolve({}, {}, text)).notes)
    local notes = assert(resolve({}, {}, text, "644")).notes
    assert.is_truthy(notes[1]:find("may read .env (mode 0644), which holds a password", 1, true), notes[1])
    assert.same({}, assert(resolve({ password = "hunter3" }, {}, text, "644")).notes)
    assert.same({}, assert(resolve({ user = false }, {}, text, "644")).notes)
  end)

  it("takes no secret from a .env that others may write to, and sends none where such a file says", function()
    local words = ".env (mode 0664) may be written by others than its owner: chmod go-w .env"
    for _, case in ipairs {
      { {}, "SMTP_HOST=h\nMAIL_USER=u\nMAIL_PASS=hunter2" },
      { { host = "h" }, "MAIL_USER=u\nMAIL_PASS=hunter2" },
      { { user = "u", password = "hunter2" }, "SMTP_HOST=h" },
    } do
      assert.is_true(assert(resolve(case[1], {}, case[2])).login)
      local found, why = resolve(case[1], {}, case[2], "664")
      assert.is_nil(found)
      assert.equal(words, why)
    end
    assert(resolve({ host = "h", user = "u", password = "hunter2" }, {}, "SMTP_HOST=x\nMAIL_TO=a@b", "664"))
    assert(resolve({}, {}, "SMTP_HOST=h", "664"))
  end)

  it("hands errors of secrets on as they are", function()
    local _, err = resolve { host = "h", user = "u", password = "" }
    assert.is_true(errors.is(err))
  end)
end)
