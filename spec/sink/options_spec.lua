local sink = require "smtpsec.sink"

local function refuses(expected, given)
  for _, make in ipairs { sink.new, sink.start } do
    local fine, message = pcall(function()
      local made = make(given)
      return made
    end)
    assert.is_false(fine)
    assert.equal(expected, message:match("^[^:]*spec/sink/options_spec.lua:%d+: (.*)$"))
  end
end

describe("the options of a sink", function()
  it("are known, or the caller's line is told which is not", function()
    refuses('smtpsec.sink: unknown key "fault" (did you mean "faults"?)', { fault = {} })
    refuses('smtpsec.sink: "tls" must be one of "none", "starttls" or "implicit", got "smtps"', { tls = "smtps" })
    refuses('smtpsec.sink: "port" must be a whole number from 0 to 65535, got 65536', { port = 65536 })
    refuses('smtpsec.sink: unknown key "faults[1].drops" (did you mean "drop"?)',
      { faults = { { at = "rcpt", drops = true } } })
  end)

  it("tell what a drop may be", function()
    refuses('smtpsec.sink: "faults[1].drop" must be one of "reset", got "cut"',
      { faults = { { at = "rcpt", drop = "cut" } } })
  end)

  it("make sense together", function()
    refuses('smtpsec.sink: "faults[2]" needs "at"', { faults = { { at = "rcpt" }, { reply = "550 no" } } })
    refuses('smtpsec.sink: "faults[1].after_bytes" means nothing at "data", only at "body"',
      { faults = { { at = "data", after_bytes = 1 } } })
    refuses('smtpsec.sink: "require_auth" needs "auth"', { require_auth = true })
    refuses('smtpsec.sink: "cert" and "key" belong together', { cert = "x.pem" })
    refuses('smtpsec.sink: "tls" must name a mode', { tls = {} })
    refuses('smtpsec.sink: "port" must be a table with a port for each mode of "tls"',
      { tls = { "starttls", "implicit" }, port = 2525 })
    refuses('smtpsec.sink: "offer[1]" must be one line, got "SIZE  X"', { offer = { "SIZE\r\nX" } })
    refuses('smtpsec.sink: "extensions[1]" must be one line, got "DSN  X"', { extensions = { "DSN\r\nX" } })
    refuses('smtpsec.sink: "name" must be one line, got "a b"', { name = "a\nb" })
  end)

  it("show no password", function()
    refuses('smtpsec.sink: "auth.joe" must be a string, got a number', { auth = { joe = 12345 } })
  end)

  it("fail in one line where the world does not agree", function()
    for _, make in ipairs { sink.new, sink.start } do
      for expected, given in pairs {
        ["the sink cannot listen: mail%.example%.test: a numeric address is needed"] =
          { tls = "none", host = "mail.example.test" },
        ['the sink cannot use its certificate: cert "/nowhere/cert": '] = { cert = "/nowhere/cert", key = "/x" },
        ["the sink's maildir cannot be made: .*/dev/null"] = { tls = "none", maildir = "/dev/null/mail" },
      } do
        local made, err = make(given)
        assert.is_nil(made)
        assert.equal("config", err.kind)
        assert.matches("^smtpsec: " .. expected, tostring(err))
        assert.is_nil(tostring(err):find("\n"))
      end
    end
  end)

  it("name the interpreter of the child", function()
    local made, err = sink.start { tls = "none", lua = "/nowhere/lua" }
    assert.is_nil(made)
    assert.matches("the sink does not start: .*/nowhere/lua", tostring(err))
  end)
end)
