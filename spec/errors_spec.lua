local errors = require "smtpsec.errors"

describe("errors", function()
  it("has fields to test and one line to read", function()
    local err = errors.new("auth", "the server refuses the login", {
      stage = "auth", code = 535, enhanced = "5.7.8", text = "bad credentials", hint = "use an app password",
    })
    assert.is_true(errors.is(err))
    assert.equal("auth", err.kind)
    assert.equal("auth", err.stage)
    assert.equal(535, err.code)
    assert.is_false(err.temporary)
    assert.is_true(err.retry_safe)
    assert.equal("smtpsec: the server refuses the login: server said 535 5.7.8 bad credentials (use an app password)",
      tostring(err))
  end)

  it("leaves out what there is not", function()
    assert.equal("smtpsec: no server is named", tostring(errors.new("config", "no server is named")))
  end)

  it("is not safe to retry in doubt unless its maker says so, and keeps what its maker says", function()
    assert.is_false(errors.new("in_doubt", "no reply").retry_safe)
    assert.is_true(errors.new("closed", "cut", { temporary = true }).temporary)
    assert.is_false(errors.new("closed", "cut", { retry_safe = false }).retry_safe)
    assert.equal("<1@x>", errors.new("in_doubt", "no reply", { id = "<1@x>" }).id)
  end)

  it("escapes and caps what a peer said, in the fields and in the line", function()
    local err = errors.new("rejected", "no", { code = 550, text = "a\27[2Jb\r\nc" .. ("x"):rep(2000) })
    assert.is_nil(err.text:find("%c"))
    assert.is_nil(tostring(err):find("%c"))
    assert.is_true(#err.text <= 500)
    assert.is_truthy(err.text:find("a\\x1B[2Jb", 1, true))
  end)

  it("stays one line when somebody changes its fields", function()
    local err = errors.new("rejected", "no", { code = 550, text = "fine" })
    err.text, err.hint = "two\nlines", "do\nthis"
    assert.is_nil(tostring(err):find("\n", 1, true))
  end)

  it("finds a hint by itself, but not over one that is given", function()
    assert.is_truthy(errors.new("dns", "unknown host", { stage = "resolve" }).hint:find("spelling"))
    assert.equal("mine", errors.new("dns", "unknown host", { hint = "mine" }).hint)
  end)

  it("uses the settings in use for the hint, and does not keep them", function()
    local settings = { port = 465, tls = { mode = "starttls" } }
    local err = errors.new("timeout", "the server sent no greeting", { stage = "greeting", context = settings })
    assert.is_truthy(err.hint:find('tls = "implicit"', 1, true))
    assert.is_nil(err.context)
  end)

  it("explains better where the settings become known later", function()
    local err = errors.new("auth", "refused", { stage = "auth", code = 535 })
    local general = err.hint
    assert.equal(err, errors.explain(err, { provider = "gmail" }))
    assert.not_equal(general, err.hint)
    assert.is_truthy(err.hint:find("Gmail", 1, true))

    local own = errors.new("auth", "refused", { code = 535, hint = "mine" })
    assert.equal("mine", errors.explain(own, { provider = "gmail" }).hint)
  end)

  it("are told without a hint where the hints cannot be loaded any more", function()
    local path, loaded = package.path, package.loaded["smtpsec.hints"]
    package.path, package.loaded["smtpsec.hints"] = "", nil
    local err = errors.explain(errors.new("dns", "unknown host", { stage = "resolve" }), {})
    package.path, package.loaded["smtpsec.hints"] = path, loaded
    assert.is_nil(err.hint)
    assert.equal("smtpsec: unknown host", tostring(err))
    assert.is_truthy(errors.new("dns", "unknown host", { stage = "resolve" }).hint)
  end)

  it("tells its errors from other values", function()
    assert.is_false(errors.is(nil))
    assert.is_false(errors.is("smtpsec: x"))
    assert.is_false(errors.is { kind = "config", message = "x" })
  end)

  it("raises on a kind, stage or message that cannot be, at the line of the caller", function()
    local function raises(pattern, ...)
      local arguments = { ... }
      local ok, message = pcall(function() return (errors.new(arguments[1], arguments[2], arguments[3])) end)
      assert.is_false(ok)
      assert.is_truthy(message:find("errors_spec.lua:%d+: " .. pattern), message)
    end
    raises("unknown kind", "oops", "x")
    raises("unknown stage", "config", "x", { stage = "oops" })
    raises("an error needs a message", "config")
  end)
end)
