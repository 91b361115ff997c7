local environment = require "smtpsec.config.environment"
local errors = require "smtpsec.errors"
local process = require "spec.support.process"
local secret = require "smtpsec.config.secret"

local function make(source, options)
  options = options or {}
  options.label = options.label or '"password"'
  return secret.new(source, options)
end

local function temporary(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(text)
  file:close()
  return path
end

local function refused(one, words)
  local value, err = one:reveal()
  assert.is_nil(value)
  assert.is_true(errors.is(err))
  assert.equal("config", err.kind)
  assert.is_truthy(err.message:find('"password"', 1, true), err.message)
  assert.is_truthy(err.message:find(words, 1, true), err.message)
  assert.is_nil(tostring(err):find("hunter2", 1, true), tostring(err))
end

describe("secret", function()
  it("shows itself to nobody who does not ask", function()
    local one = make "hunter2"
    assert.equal("***", tostring(one))
    for key, value in pairs(one) do error("a field: " .. tostring(key) .. tostring(value)) end
    assert.equal("smtpsec.secret", getmetatable(one))
    assert.equal("hunter2", one:reveal())
    assert.is_true(secret.is(one))
    assert.is_false(secret.is {})
    assert.is_false(secret.is "hunter2")
    assert.is_false(secret.is(nil))
  end)

  it("refuses text that no server could be sent", function()
    refused(make "", "is empty")
    refused(make "hunter2\n", "contains a line end")
    refused(make "hunter2\0x", "contains a NUL byte")
    refused(make(("hunter2"):rep(10000)), "longer than 64 KiB")
    assert.equal("pässwörd !\"$%&", make("pässwörd !\"$%&"):reveal())
  end)

  it("asks a function each time, and not before", function()
    local calls = 0
    local one = make(function()
      calls = calls + 1
      return "token" .. calls
    end)
    assert.is_true(one:check())
    assert.equal(0, calls)
    assert.equal("token1", one:reveal())
    assert.equal("token2", one:reveal())
  end)

  it("tells a function whether the one before is no good, and asks again only what may have another", function()
    local heard = {}
    local one = make(function(...)
      heard[#heard + 1] = { select("#", ...), ... }
      return "hunter2"
    end)
    assert.equal("hunter2", one:reveal())
    assert.equal("hunter2", one:reveal(true))
    assert.equal("hunter2", one:reveal(false))
    assert.same({ { 0 }, { 1, true }, { 0 } }, heard)
    assert.is_true(one:renewable())
    assert.is_true(make({ file = "x" }):renewable())
    assert.is_true(make({ command = "x" }):renewable())
    assert.is_true(make({ credential = "x" }):renewable())
    assert.is_false(make("hunter2"):renewable())
    assert.equal("hunter2", make("hunter2"):reveal(true))
  end)

  it("says why a function gave nothing", function()
    refused(make(function() return nil, "vault is sealed" end), "vault is sealed")
    refused(make(function() end), "gave nothing")
    refused(make(function() return 42 end), "gave a number")
    refused(make(function() error("boom", 0) end), "the function failed: boom")
    local mute = setmetatable({}, { __tostring = function() error "mute" end })
    refused(make(function() error(mute) end), "the function failed: a table")
    refused(make(function() return nil, mute end), "gave nothing: a table")
  end)

  it("reads a file when it is asked, without its last line end", function()
    local path = temporary "hunter2\n"
    local one = make { file = path }
    assert.equal("hunter2", one:reveal())
    os.remove(path)
    local crlf = temporary "hunter2\r\n"
    assert.equal("hunter2", make({ file = crlf }):reveal())
    os.remove(crlf)
    refused(one, path)
    assert.is_nil(one:check())
  end)

  it("refuses a file that holds more than a secret", function()
    local path = temporary "hunter2\nhunter3\n"
    refused(make { file = path }, "contains a line end")
    os.remove(path)
    path = temporary "\n"
    refused(make { file = path }, "is empty")
    os.remove(path)
    refused(make { file = "/" }, "cannot be had")
  end)

  it("leaves a pipe alone until it is asked", function()
    local path = temporary ""
    os.remove(path)
    process.run("mkfifo -m 600 " .. path)
    os.execute("echo hunter2 >" .. path .. " &")
    local one = make { file = path }
    assert.same({ true }, { one:check() })
    assert.equal("hunter2", one:reveal())
    os.remove(path)
    assert.is_nil(one:check())
  end)

  it("refuses a file that others may change, whenever it is asked", function()
    local path = temporary "hunter2\n"
    local one = make { file = path }
    assert.same({ true }, { one:check() })
    process.run("chmod 666 " .. path)
    refused(one, "chmod go-w " .. path)
    assert.is_nil(one:check())
    process.run("chmod 644 " .. path)
    assert.equal("hunter2", one:reveal())
    local fine, note = one:check()
    assert.is_true(fine)
    assert.is_truthy(note:find("every user of this machine may read " .. path, 1, true), note)
    assert.is_nil(note:find("hunter2", 1, true))
    os.remove(path)
  end)

  it("finds a systemd credential where systemd says", function()
    local path = temporary "hunter2\n"
    local folder, name = path:match("^(.*)/([^/]*)$")
    local function of(credential, where)
      return make({ credential = credential }, { environment = environment.new {
        getenv = function(variable) return variable == "CREDENTIALS_DIRECTORY" and where or nil end } })
    end
    assert.equal("hunter2", of(name, folder):reveal())
    process.run("chmod 444 " .. path)
    assert.same({ true }, { of(name, folder):check() })
    refused(of(name, nil), "CREDENTIALS_DIRECTORY is not set")
    refused(of(name, ""), "CREDENTIALS_DIRECTORY is not set")
    for _, other in ipairs { "", ".", "..", "../" .. name, "/" .. name } do
      refused(of(other, folder), "named without a path")
    end
    os.remove(path)
    refused(of(name, folder), path)
    assert.is_nil(of(name, folder):check())
  end)

  it("has one place to come from", function()
    assert.is_nil(secret.fault "x")
    assert.is_nil(secret.fault(print))
    for _, name in ipairs { "file", "command", "credential" } do assert.is_nil(secret.fault { [name] = "x" }) end
    for _, source in ipairs { {}, { file = "x", command = "x" }, { file = "x", credential = "x" } } do
      assert.is_truthy(secret.fault(source):find("must be either", 1, true))
    end
  end)

  it("takes the first line that a command prints", function()
    assert.equal("hunter2", make({ command = "printf 'hunter2\\nuser: x\\n'" }):reveal())
    assert.equal("hunter2", make({ command = "echo hunter2; exit 0" }):reveal())
    assert.is_true(make({ command = "exit 1" }):check())
  end)

  it("says how a command failed, on every Lua", function()
    refused(make { command = "echo hunter2; exit 3" }, "status 3")
    refused(make { command = "false" }, "status 1")
    refused(make { command = "true" }, "is empty")
    refused(make { command = "yes hunter2" }, "status unknown")
  end)

  it("tidies what it fetched, if asked", function()
    assert.equal("ABC", make("abc", { tidy = string.upper }):reveal())
  end)

  it("takes the gaps out of a grouped app password and out of nothing else", function()
    assert.equal("abcdefghijklmnop", secret.ungroup "abcd efgh ijkl mnop")
    assert.equal("abcdefghijklmnop", secret.ungroup "abcd\194\160efgh\194\160ijkl\194\160mnop")
    for _, other in ipairs { "abcd-efgh-ijkl-mnop", "correct horse battery staple", "abcd efgh ijkl",
      "abcdefghijklmnop",
      " abcd efgh ijkl mnop", "abcd efgh ijkl mnop qrst" } do
      assert.equal(other, secret.ungroup(other))
    end
  end)
end)
