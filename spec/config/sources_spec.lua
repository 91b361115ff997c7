local environment = require "smtpsec.config.environment"
local sources = require "smtpsec.config.sources"

local function process(variables)
  return sources.process(environment.new { getenv = function(name) return variables[name] end })
end

-- A .env file with this text; nil: there is none.
local function file(text, option, errno)
  return sources.file(environment.new {
    read = function(path)
      if text then return text end
      return nil, path .. ": No such file or directory", errno or 2
    end,
  }, option)
end

describe("sources", function()
  it("takes options as they are, and the mode from either form of tls", function()
    local source = sources.options { host = "h", tls = "implicit", user = false }
    assert.equal("h", source.get "host")
    assert.equal("implicit", source.get "mode")
    assert.equal(false, source.get "user")
    assert.is_nil(source.get "port")
    assert.equal("none", sources.options({ tls = { mode = "none" } }).get "mode")
    assert.is_nil(sources.options({ tls = { ca_file = "x" } }).get "mode")
  end)

  it("reads variables, and says where a value is from", function()
    local source = process { SMTP_HOST = "h", SMTP_PORT = "587", SMTP_TLS = "STARTTLS", MAIL_USER = "u",
      SMTP_PASS = "p" }
    assert.same({ "h", "SMTP_HOST in the environment" }, { source.get "host" })
    assert.equal(587, source.get "port")
    assert.equal("starttls", source.get "mode")
    assert.equal("u", source.get "user")
    assert.equal("p", source.get "password")
    assert.is_nil(source.get "provider")
  end)

  it("takes an empty variable for none", function()
    local value, label, why = process({ SMTP_PORT = "", MAIL_USER = "", SMTP_USER = "u" }).get "port"
    assert.same({}, { value, label, why })
    assert.equal("u", process({ MAIL_USER = "", SMTP_USER = "u" }).get "user")
  end)

  it("refuses values that mean nothing, when they are asked for", function()
    for _, text in ipairs { "0", "65536", "587x", " 587", "-1", "1e3", "99999999999999999999" } do
      local value, _, why = process({ SMTP_PORT = text }).get "port"
      assert.is_nil(value)
      assert.is_truthy(why:find("SMTP_PORT in the environment must be a whole number from 1 to 65535", 1, true), why)
    end
    local source = process { SMTP_TLS = "true", SMTP_HOST = "h" }
    assert.equal("h", source.get "host")
    local _, _, why = source.get "mode"
    assert.is_truthy(why:find("SMTP_TLS in the environment must be one of implicit, starttls, ", 1, true), why)
    assert.is_truthy(why:find('got "true"', 1, true), why)
  end)

  it("refuses two names for one thing when they differ, without showing either", function()
    assert.equal("u", process({ MAIL_USER = "u", SMTP_USER = "u" }).get "user")
    for _, variables in ipairs {
      { MAIL_PASS = "hunter2", SMTP_PASS = "hunter3" },
      { MAIL_PASS = "hunter2", MAIL_PASS_FILE = "/run/secrets/hunter2" },
      { SMTP_PASS = "hunter2", SMTP_PASS_FILE = "hunter2" },
    } do
      local value, _, why = process(variables).get "password"
      assert.is_nil(value)
      assert.is_truthy(why:find("keep one", 1, true), why)
      assert.is_nil(why:find("hunter", 1, true), why)
    end
  end)

  it("takes a password from the file that a variable names", function()
    assert.same({ file = "/run/secrets/mail" }, (process({ MAIL_PASS_FILE = "/run/secrets/mail" }).get "password"))
    assert.same({ file = "x" }, (process({ SMTP_PASS_FILE = "x" }).get "password"))
  end)

  it("has the same names for a token", function()
    assert.equal("t1", (process({ MAIL_TOKEN = "t1" }).get "token"))
    assert.equal("t1", (process({ SMTP_TOKEN = "t1" }).get "token"))
    assert.same({ file = "x" }, (process({ MAIL_TOKEN_FILE = "x" }).get "token"))
    assert.same({ file = "x" }, (process({ SMTP_TOKEN_FILE = "x" }).get "token"))
    assert.is_nil(process({ MAIL_TOKEN = "t1" }).get "password")
    local _, _, why = process({ MAIL_TOKEN = "t1", SMTP_TOKEN = "t2" }).get "token"
    assert.is_truthy(why:find("keep one", 1, true), why)
  end)

  it("reads the same names from .env, and knows the line", function()
    local source = file "# mail\nexport SMTP_HOST=h\nMAIL_PASS='a b'\nOTHER=x\n"
    assert.same({ "h", "SMTP_HOST in .env, line 2" }, { source.get "host" })
    assert.same({ "a b", "MAIL_PASS in .env, line 3" }, { source.get "password" })
    assert.equal(".env", source.name)
    assert.equal(".env", source.path)
    assert.is_nil(process({}).path)
  end)

  it("does without a .env that is not there, but not without one that was named", function()
    assert.is_nil(file(nil, nil).get "host")
    assert.is_nil(file(nil, nil, 21).get "host")
    local source, why = file(nil, "my.env")
    assert.is_nil(source)
    assert.is_truthy(why:find('"env_file" cannot be read: my.env', 1, true), why)
    assert.equal("h", file("SMTP_HOST=h", "my.env").get "host")
    source, why = file(nil, ".env")
    assert.is_nil(source)
    assert.is_truthy(why)
  end)

  it("does not pass over a .env that it may not read", function()
    local source, why = file(nil, nil, 13)
    assert.is_nil(source)
    assert.is_truthy(why:find(".env", 1, true), why)
  end)

  it("reads no file when told not to", function()
    local source = sources.file(environment.new { read = function() error "read" end }, false)
    assert.is_nil(source.get "host")
  end)

  it("names file and line of what is no .env, and not what stands there", function()
    local source, why = file "A=b\nMAIL_PASS='hunter2\n"
    assert.is_nil(source)
    assert.is_truthy(why:find(".env, line 2: a quote", 1, true), why)
    assert.is_nil(why:find("hunter2", 1, true))
  end)
end)
