-- The watch over the suite (spec/support/secrets.lua) finds what it looks for: a run in which a spec tells a secret
-- fails, and says where and how; one in which it is only used passes.
local keeper = require "spec.support.keeper"
local process = require "spec.support.process"

local INTERPRETER = rawget(_G, "jit") and "luajit" or "lua5.4"
local BUSTED = "/usr/bin/busted"

-- Runs one spec file in a process of its own, watched as this run is. Whether it passed, and what it printed.
local function run(text)
  local folder = keeper.own():new_folder "leak"
  process.write(folder .. "/leak_spec.lua", text)
  local words = process.sanitized { INTERPRETER, BUSTED, folder .. "/leak_spec.lua" }
  return process.try("unset SMTPSEC_TALLY; " .. process.command(words))
end

-- A spec file in which each of some pieces of Lua is a spec; SECRET is what is not to be told.
local function file(pieces)
  local specs = {}
  for i, piece in ipairs(pieces) do specs[i] = ("it('number %d', function() %s end)"):format(i, piece) end
  return [[
    local config = require "smtpsec.config"
    local core = require "smtpsec.core"
    local errors = require "smtpsec.errors"
    local pump = require "smtpsec.pump"
    local secret = require "smtpsec.config.secret"
    local options = { label = "x" }
    local SECRET = "Rumpel" .. "stilz-" .. 4711
    local BASE64, HEX, UPPER = "UnVtcGVsc3RpbHotNDcxMQ==", "52756d70656c7374696c7a2d34373131",
      "52756D70656C7374696C7A2D34373131"
    local INSIDE = "AGpvZQBSdW1wZWxzdGlsei00NzExAAA=" -- "\0joe\0" .. SECRET .. "\0\0"
    describe("secrets", function()
  ]] .. table.concat(specs, "\n") .. [[
    end)
    return config, core, errors, pump, secret, options, SECRET, BASE64, HEX, UPPER, INSIDE
  ]]
end

local GIVEN = "secret.new(SECRET, options)"
local CONNECTED = 'core.connection({ tls = "none" })'

-- where the secret was got, how it is told, and what is said of that
local LEAKS = {
  { GIVEN, "errors.new('auth', 'no ' .. SECRET)", "an error", "plain" },
  { GIVEN, "errors.new('auth', 'no', { text = INSIDE })", "an error", "base64" },
  { GIVEN, "errors.new('auth', 'no', { rejected = { { text = HEX } } })", "an error", "hex" },
  { GIVEN, "errors.again(errors.new('auth', 'no'), { reason = UPPER })", "an error", "hex" },
  { GIVEN, "pcall(error, 'unknown key ' .. SECRET)", "an error raised", "plain" },
  { GIVEN, "config.public { sources = { user = SECRET } }", "settings", "plain" },
  { GIVEN, "pump.new(" .. CONNECTED .. ", {}, { timeout = {}, on_event = function() end }).on_event {"
    .. " type = 'command', argument = 'PLAIN ' .. INSIDE }", "an event", "base64" },
  { "secret.new(function() return 'by-' .. SECRET end, options):reveal()", "errors.new('auth', 'by-' .. SECRET)",
    "an error", "plain" },
  { "secret.new({ command = 'echo of-' .. SECRET }, options):reveal()", "errors.new('auth', 'of-' .. SECRET)",
    "an error", "plain" },
  { GIVEN, "assert(config.resolve { host = 'h', env_file = false, on_event = function() end })"
    .. ".on_event { type = 'retry', reason = SECRET }", "an event", "plain" },
  { CONNECTED .. ":auth('PLAIN', { user = 'joe', password = 'in-' .. SECRET })",
    "errors.new('auth', 'in-' .. SECRET)", "an error", "plain" },
  { CONNECTED .. ":auth('PLAIN', { user = 'joe', token = 'on-' .. SECRET })", "errors.new('auth', 'on-' .. SECRET)",
    "an error", "plain" },
}

-- The same, printed: what is printed in pieces has no one spec.
local PRINTED = {
  plain = "print(1, SECRET)",
  base64 = "io.write('Rumpel') io.write(BASE64, '\\n')",
  hex = "io.stderr:write(HEX:sub(1, 9)) io.stderr:write(HEX:sub(10), '\\n')",
}

describe("a suite that tells a secret", function()
  it("fails, and says where the secret stands and how", function()
    local pieces = {}
    for i, case in ipairs(LEAKS) do pieces[i] = case[1] .. " " .. case[2] end
    for _, piece in pairs(PRINTED) do pieces[#pieces + 1] = piece end
    local passed, output = run(file(pieces))
    assert.is_false(passed, output)
    for i, case in ipairs(LEAKS) do
      local words = ("stands in %s, number %d, as %s\n"):format(case[3], i, case[4])
      assert.is_truthy(output:find(words, 1, true), words .. output)
    end
    for form in pairs(PRINTED) do
      assert.is_truthy(output:find("stands in what was printed, as " .. form .. "\n", 1, true), output)
    end
    local words = ("%d passed, %d failed"):format(#pieces, #pieces)
    assert.is_truthy(output:find(words, 1, true), output)
  end)

  it("fails for a single one, at its exit, too", function()
    local passed, output = run(file { GIVEN .. " errors.new('auth', SECRET)" })
    assert.is_false(passed, output)
    assert.is_truthy(output:find("1 passed, 1 failed", 1, true), output)
  end)

  it("passes where it only uses it", function()
    local passed, output = run(file { GIVEN .. [[
      errors.new("auth", "no", { text = "Rumpelstilz-4712", reason = HEX:sub(1, 12) })
      print(secret.new(SECRET, options), #SECRET)
      config.public { password = secret.new(SECRET, options), user = "joe" }
      pcall(error, "Rumpelstilz")
    ]] })
    assert.is_true(passed, output)
    assert.is_truthy(output:find("1 secrets, used 3 times (0 more too short or too ordinary)", 1, true), output)
    assert.is_truthy(output:find("none found", 1, true), output)
    assert.is_truthy(output:find("1 passed, 0 failed", 1, true), output)
  end)

  it("is not failed by words that stand everywhere, which are counted", function()
    local passed, output = run(file { "secret.new('short', options) secret.new('password', options)"
      .. " secret.new(('x'):rep(99), options) errors.new('auth', 'a short password ' .. ('x'):rep(99))" })
    assert.is_true(passed, output)
    assert.is_truthy(output:find("0 secrets, used 0 times (3 more", 1, true), output)
  end)
end)
