local config = require "smtpsec.config"
local errors = require "smtpsec.errors"
local secret = require "smtpsec.config.secret"

local PIN = ("A"):rep(43) .. "="

-- A world with these variables and files; nothing else exists.
local function world(variables, files)
  return {
    getenv = function(name) return (variables or {})[name] end,
    read = function(path)
      if files and files[path] then return files[path] end
      return nil, path .. ": No such file or directory", 2
    end,
    readable = function(path)
      if files and files[path] then return true end
      return nil, path .. ": No such file or directory"
    end,
  }
end

local function resolve(options, variables, files)
  local settings, err = config.resolve(options, world(variables, files))
  return assert(settings, tostring(err))
end

local function refused(words, options, variables, files)
  local settings, err = config.resolve(options, world(variables, files))
  assert.is_nil(settings)
  assert.is_true(errors.is(err))
  assert.equal("config", err.kind)
  assert.is_false(err.temporary)
  assert.is_truthy(tostring(err):find(words, 1, true), tostring(err))
  assert.is_nil(tostring(err):find("hunter2", 1, true), tostring(err))
  assert.is_nil(tostring(err):find("\n", 1, true))
end

describe("config", function()
  it("takes a script of Python's smtplib as it is", function()
    local settings = resolve(nil, {}, { [".env"] = table.concat({
      "# mail", "MAIL_USER=me@example.com", 'MAIL_PASS="hunter2"', "MAIL_TO=ops@example.com",
      "SMTP_HOST=smtp.example.com", "",
    }, "\r\n") })
    assert.equal("smtp.example.com", settings.host)
    assert.equal(587, settings.port)
    assert.equal("starttls", settings.tls.mode)
    assert.equal("pkix", settings.tls.verify)
    assert.is_true(settings.login)
    assert.equal("me@example.com", settings.user)
    assert.equal("hunter2", settings.password:reveal())
    assert.equal("me@example.com", settings.from)
    assert.equal("ops@example.com", settings.to)
  end)

  it("goes by options, then the process, then .env", function()
    local files = {
      [".env"] = "SMTP_HOST=h\nSMTP_PORT=1\nMAIL_FROM=file@x\nMAIL_TO=file@x\nMAIL_USER=u@x\nMAIL_PASS=hunter4",
    }
    local settings = resolve({ port = 3 }, { MAIL_TO = "process@x", SMTP_PORT = "2" }, files)
    assert.equal(3, settings.port)
    assert.equal("process@x", settings.to)
    assert.equal("file@x", settings.from)
    assert.equal("options@x", resolve({ from = "options@x" }, {}, files).from)
    assert.equal(2, resolve(nil, { SMTP_PORT = "2" }, files).port)
    assert.equal(1, resolve(nil, {}, files).port)
  end)

  it("reads the .env that is named, and none when told so", function()
    local files = { [".env"] = "SMTP_HOST=a", ["other.env"] = "SMTP_HOST=b" }
    assert.equal("a", resolve({}, {}, files).host)
    assert.equal("b", resolve({ env_file = "other.env" }, {}, files).host)
    refused("no server is named", { env_file = false }, {}, files)
    refused('"env_file" cannot be read: none.env', { env_file = "none.env" }, {}, files)
    refused(".env, line 2", {}, {}, { [".env"] = "A=b\nhunter2\n" })
  end)

  it("takes the login for the sender only where it is an address", function()
    local function from(user) return resolve({ host = "h", user = user, password = "hunter5" }).from end
    assert.equal("me@example.com", from "me@example.com")
    assert.is_nil(from "me")
    assert.is_nil(from(function() return "me@example.com" end))
    assert.equal("me@x", resolve({ host = "h", user = false }, { MAIL_USER = "me@x", MAIL_PASS = "p" }).from)
  end)

  it("takes a URL instead of a table", function()
    local settings = resolve "smtps://me:hunter%32@mail.example:4465"
    assert.equal("mail.example", settings.host)
    assert.equal(4465, settings.port)
    assert.equal("implicit", settings.tls.mode)
    assert.equal("me", settings.user)
    assert.equal("hunter2", settings.password:reveal())
    assert.is_false(settings.lmtp)
    assert.is_true(resolve("lmtp:///run/lmtp").lmtp)
    refused("no scheme", "hunter2")
    refused("more than one @", "smtps://me:hunter2@x@mail.example")
  end)

  it("has a bound for every step, and none for the whole", function()
    local settings = resolve { host = "h" }
    assert.same(config.TIMEOUTS, settings.timeout)
    assert.is_nil(settings.timeout.total)
    settings = resolve { host = "h", timeout = { final = 600, total = 900 } }
    assert.equal(600, settings.timeout.final)
    assert.equal(900, settings.timeout.total)
    assert.equal(config.TIMEOUTS.connect, settings.timeout.connect)
    settings = resolve { host = "h", timeout = 7 }
    for step in pairs(config.TIMEOUTS) do assert.equal(7, settings.timeout[step]) end
    assert.is_nil(settings.timeout.total)
    resolve({ host = "h" }).timeout.connect = 0
    assert.is_true(config.TIMEOUTS.connect > 0)
  end)

  it("fills in the rest", function()
    local settings = resolve { host = "h" }
    assert.equal("auto", settings.io)
    assert.equal("any", settings.recipients)
    assert.equal(1, settings.pool.size)
    assert.same({ insecure_cleartext = false, require_channel_binding = false },
      settings.auth)
    assert.is_false(settings.login)
    assert.same({}, settings.notes)
    local heard
    settings = resolve { host = "h", io = "socket", recipients = "all", pool = { size = 3 }, hello = "[192.0.2.1]",
      auth = { mechanisms = { "plain" }, insecure_cleartext = true }, on_event = function(event) heard = event end }
    assert.equal("socket", settings.io)
    assert.equal("all", settings.recipients)
    assert.equal(3, settings.pool.size)
    assert.is_number(settings.pool.idle)
    assert.same({ mechanisms = { "PLAIN" }, insecure_cleartext = true, require_channel_binding = false }, settings.auth)
    assert.equal("[192.0.2.1]", settings.hello)
    settings.on_event "something"
    assert.equal("something", heard)
  end)

  it("refuses what cannot be meant", function()
    refused('"hello" "a b"', { host = "h", hello = "a b" })
    refused('"hello" "a  QUIT"', { host = "h", hello = "a\r\nQUIT" })
    refused('"hello"', { host = "h", hello = "" })
    refused('"auth.mechanisms" is empty', { host = "h", auth = { mechanisms = {} } })
    refused('"tls.ca_file" cannot be opened: none', { host = "h", tls = { ca_file = "none" } })
    refused('"dkim.selector" is missing', { host = "h", dkim = { domain = "example.com" } })
    refused("not supported by this version", { host = "h", auth = { mechanisms = { "GSSAPI" } } })
    refused("is empty", { host = "h", user = "u", password = "" })
    assert.is_table(resolve({ host = "h", tls = { ca_file = "ca.pem" } }, {}, { ["ca.pem"] = "x" }))
  end)

  it("refuses files whose names have a NUL, before they are asked for", function()
    for _, options in ipairs { { tls = { ca_file = "Makefile\0" } },
      { tls = { cert = "Makefile", key = "Makefile\0" } },
      { user = "u", password = { file = "Makefile\0" } },
      { dkim = { domain = "a.test", selector = "s", key_path = "Makefile\0" } } } do
      options.host, options.env_file = "h", false
      local settings, err = config.resolve(options)
      assert.is_nil(settings)
      assert.is_truthy(err.message:find("has a NUL", 1, true), err.message)
    end
  end)

  it("says what it left out", function()
    local settings = resolve({ host = "localhost", tls = "none" },
      { SMTP_HOST = "mail.example", MAIL_USER = "u", MAIL_PASS = "hunter2" })
    assert.is_nil(settings.user)
    assert.is_nil(settings.password)
    assert.equal(1, #settings.notes)
  end)

  it("takes a token, written by the caller in Lua or not", function()
    local own = { name = "x-own", token = true, step = print }
    local settings = resolve({ host = "h", user = "u", token = "hunter2", auth = { mechanisms = { own } } })
    assert.equal("hunter2", settings.token:reveal())
    assert.is_nil(settings.password)
    assert.equal('"token"', settings.sources.token)
    local public = config.public(settings)
    assert.equal("***", public.token)
    assert.equal("X-OWN", public.auth.mechanisms[1].name)
    assert.equal("a function", public.auth.mechanisms[1].step)
  end)

  it("shows a driver by its name, whatever it holds", function()
    local driver = {}
    driver.__index, driver.name = driver, "of my own"
    assert.equal("of my own", config.public(resolve { host = "h", io = driver }).io)
    assert.equal("a driver", config.public(resolve { host = "h", io = {} }).io)
    assert.equal("auto", config.public(resolve { host = "h" }).io)
  end)

  it("tells of files that everybody may read", function()
    local around = world({}, { ["pw"] = "hunter2\n", ["me.pem"] = "x", ["me.key"] = "x" })
    local modes = { ["me.pem"] = "644" }
    around.access = function(path) return tonumber(modes[path] or "600", 8), 0, 0 end
    local options = { host = "h", user = "u", password = { file = "pw" }, tls = { cert = "me.pem", key = "me.key" } }
    assert.same({}, assert(config.resolve(options, around)).notes)
    modes = { ["pw"] = "644", ["me.key"] = "604" }
    local notes = assert(config.resolve(options, around)).notes
    assert.equal(2, #notes)
    assert.is_truthy(notes[1]:find("me.key (mode 0604), which holds a private key", 1, true), notes[1])
    assert.is_truthy(notes[2]:find("pw (mode 0644), which holds a secret", 1, true), notes[2])
  end)

  it("says where everything is from", function()
    local settings = resolve({ host = "h" }, { MAIL_USER = "u@x" }, { [".env"] = "MAIL_PASS=hunter6\nMAIL_TO=o@x" })
    assert.same({ server = '"host"', user = "MAIL_USER in the environment", password = "MAIL_PASS in .env, line 1",
      from = "MAIL_USER in the environment", to = "MAIL_TO in .env, line 2" }, settings.sources)
  end)

  it("raises on misuse, at the line of whoever called the public function", function()
    local function new(options)
      local settings, err = config.resolve(options, world())
      return settings, err
    end
    local function send(options)
      local settings, err = config.resolve(options, world(), 2)
      return settings, err
    end
    for _, public in ipairs { new, send } do
      local line = debug.getinfo(1, "l").currentline + 1
      local ok, message = pcall(function() return (public { pasword = "hunter2" }) end)
      assert.is_false(ok)
      assert.is_truthy(message:find("config_spec.lua:" .. line .. ": smtpsec options: unknown key \"pasword\" "
        .. '(did you mean "password"?)', 1, true), message)
      assert.is_nil(message:find("hunter2", 1, true))
    end
    assert.is_false(pcall(new, 42))
    assert.is_false(pcall(new, { host = 42 }))
  end)

  it("shows settings without secrets", function()
    local settings = resolve({
      host = "h", user = "u", password = "hunter2", io = { name = "mine", connect = print }, on_event = print,
      tls = { cert = "me.pem", key_password = "hunter2", pins = { PIN } },
    }, {}, { ["me.pem"] = "x" })
    local public = config.public(settings)
    assert.equal("***", public.password)
    assert.equal("***", public.tls.key_password)
    assert.equal("u", public.user)
    assert.equal("mine", public.io)
    assert.equal("a function", public.on_event)
    assert.same({ PIN }, public.tls.pins)
    assert.equal(587, public.port)
    local function walk(value)
      if type(value) == "table" then
        assert.is_false(secret.is(value))
        for key, inner in pairs(value) do
          walk(key)
          walk(inner)
        end
      else
        assert.is_nil(tostring(value):find("hunter2", 1, true))
      end
    end
    walk(public)
    public.tls.pins[1] = "changed"
    assert.equal(PIN, settings.tls.pins[1])
    assert.equal("a function", config.public(resolve { host = "h", user = print, password = print }).user)
    assert.equal("auto", config.public(resolve { host = "h" }).io)
  end)

  it("looks at the real world when given no other", function()
    assert.equal("h", assert(config.resolve { host = "h", env_file = false, user = false }).host)
  end)
end)
