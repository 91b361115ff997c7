local schema = require "smtpsec.schema"

local check = schema.record("thing.new", {
  host = schema.string,
  port = schema.integer(1, 65535),
  flag = schema.boolean,
  wait = schema.number(0),
  least = schema.number(nil, 9),
  any_number = schema.number(),
  hook = schema.callable,
  extra = schema.any,
  box = schema.table,
  mode = schema.enum { "implicit", "starttls", "none" },
  names = schema.list(schema.string),
  headers = schema.map(schema.string, schema.string),
  tls = schema.either(schema.enum { "implicit", "starttls" },
    schema.record("tls", { mode = schema.string, pins = schema.list(schema.string) })),
  password = schema.secret(schema.either(schema.string, schema.callable,
    schema.record("secret", { file = schema.secret(schema.string) }))),
  off = schema.constant(false),
})

-- A public function, as a caller sees it.
local function new(value)
  check(value)
  return true
end

-- options that are accepted, and the like that are not, with what the message says
local CASES = {
  { { host = "a" }, { host = 42 }, '"host" must be a string, got 42' },
  { { port = 587 }, { port = "587" }, '"port" must be a whole number from 1 to 65535, got "587"' },
  { { port = 25.0 }, { port = 25.5 }, "whole number from 1 to 65535, got 25.5" },
  { { port = 65535 }, { port = 65536 }, "got 65536" },
  { { port = 1 }, { port = 0 }, "got 0" },
  { { flag = false }, { flag = "yes" }, '"flag" must be true or false, got "yes"' },
  { { wait = 0.5 }, { wait = 0 / 0 }, "a number of at least 0, got nan" },
  { { wait = 1e9 }, { wait = math.huge }, "got inf" },
  { { least = -5 }, { least = 10 }, "a number of at most 9, got 10" },
  { { any_number = -1e300 }, { any_number = "1" }, '"any_number" must be a number, got "1"' },
  { { hook = print }, { hook = {} }, '"hook" must be a function, got a table' },
  { { extra = {} }, { box = 1 }, '"box" must be a table, got 1' },
  { { mode = "none" }, { mode = "startls" },
    '"mode" must be one of "implicit", "starttls" or "none", got "startls" (did you mean "starttls"?)' },
  { { mode = "none" }, { mode = "elephant" }, 'or "none", got "elephant"' },
  { { names = { "a", "b" } }, { names = { "a", 2 } }, '"names[2]" must be a string, got 2' },
  { { names = {} }, { names = { a = "b" } }, '"names" must be a list, but has the key "a"' },
  { { names = { "a" } }, { names = { "a", nil, "c" } }, '"names" must be a list, but has the key 3' },
  { { names = { "a" } }, { names = "a" }, '"names" must be a list, got "a"' },
  { { headers = { ["X-A"] = "b" } }, { headers = { ["X-A"] = 1 } }, '"headers.X-A" must be a string, got 1' },
  { { headers = { a = "b" } }, { headers = { "b" } }, "key of headers" },
  { { tls = "starttls" }, { tls = "startls" }, 'did you mean "starttls"?' },
  { { tls = { mode = "x" } }, { tls = { mdoe = "x" } }, 'unknown key "tls.mdoe" (did you mean "mode"?)' },
  { { tls = { pins = { "a" } } }, { tls = { pins = { "a", {} } } }, '"tls.pins[2]" must be a string, got a table' },
  { { tls = { mode = "x" } }, { tls = 3 }, '"tls" must be one of "implicit" or "starttls" or a table, got 3' },
  { { off = false }, { off = true }, '"off" must be false, got true' },
}

describe("schema", function()
  for _, case in ipairs(CASES) do
    it("accepts what fits, and refuses with: " .. case[3], function()
      assert.is_true(new(case[1]))
      local ok, message = pcall(new, case[2])
      assert.is_false(ok)
      assert.is_truthy(message:find(case[3], 1, true), message)
      assert.is_nil(message:find("\n"))
    end)
  end

  it("gives the value back", function()
    local options = { host = "a" }
    assert.equal(options, check(options))
  end)

  it("names the nearest known key, and only a near one", function()
    assert.error_matches(function() new { hots = "a" } end, 'unknown key "hots" %(did you mean "host"%?%)')
    assert.error_matches(function() new { pasword = "a" } end, 'did you mean "password"')
    assert.error_matches(function() new { ["any-number"] = 1 } end, 'did you mean "any_number"')
    local _, message = pcall(new, { elephant = 1 })
    assert.is_truthy(message:find('unknown key "elephant"$'), message)
  end)

  it("tells the same of two mistakes every time", function()
    for _ = 1, 20 do
      assert.error_matches(function() new { zebra = 1, apple = 1, host = 1 } end, 'unknown key "apple"')
      assert.error_matches(function() new { port = 0, host = 1 } end, '"host" must')
    end
  end)

  it("refuses what is no table, and keys that are no strings", function()
    assert.error_matches(function() new "x" end, "thing.new: a table is needed, got string")
    assert.error_matches(function() new() end, "a table is needed, got nil")
    assert.error_matches(function() new { "x" } end, 'unknown key "1"')
  end)

  it("blames the caller of the public function", function()
    local line = debug.getinfo(1, "l").currentline + 1
    local _, message = pcall(function() new { host = 1 } end)
    assert.is_truthy(message:find("schema_spec.lua:" .. line .. ": thing.new: ", 1, true), message)
  end)

  it("blames whom it is told to", function()
    local function inner(value) check(value, 3) return true end
    local function outer(value) inner(value) return true end
    local line = debug.getinfo(1, "l").currentline + 1
    local _, message = pcall(function() outer { host = 1 } end)
    assert.is_truthy(message:find("schema_spec.lua:" .. line .. ":", 1, true), message)
  end)

  it("never shows a secret", function()
    assert.is_true(new { password = "hunter2" })
    assert.is_true(new { password = { file = "/run/secrets/mail" } })
    for _, wrong in ipairs { 8675309, true, { "hunter2" }, { file = 8675309 }, { fiel = "hunter2" } } do
      local ok, message = pcall(new, { password = wrong })
      assert.is_false(ok)
      assert.is_truthy(message:find("password", 1, true), message)
      assert.is_nil(message:find("hunter2", 1, true), message)
      assert.is_nil(message:find("8675309", 1, true), message)
    end
    assert.error_matches(function() new { pasword = "hunter2" } end, 'unknown key "pasword"')
    local _, message = pcall(new, { pasword = "hunter2" })
    assert.is_nil(message:find("hunter2", 1, true))
  end)

  it("escapes and shortens what it shows", function()
    local _, message = pcall(new, { mode = "\27[31m" .. ("x"):rep(5000) })
    assert.is_nil(message:find("%c"), message)
    assert.is_true(#message < 300)
    _, message = pcall(new, { ["a\nb"] = 1 })
    assert.is_nil(message:find("%c"), message)
  end)
end)
