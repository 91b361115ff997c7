-- The rock holds what the tree holds: a file that is missing from it would only be missed by those who install it.
local process = require "spec.support.process"

local function load_rockspec()
  local rockspec = {}
  local chunk = assert(loadfile("rockspec/smtpsec-scm-1.rockspec", "t", rockspec))
  if setfenv then setfenv(chunk, rockspec) end -- luacheck: globals setfenv
  chunk()
  return rockspec
end

local function files(command)
  local list = {}
  for path in process.run(command):gmatch("[^\n]+") do list[path] = true end
  return list
end

local function set(list)
  local members = {}
  for _, path in ipairs(list) do members[path] = true end
  return members
end

describe("the rockspec", function()
  local modules = load_rockspec().build.modules

  it("compiles every source of the engine and its bindings into smtpsec.core", function()
    assert.same(files "find csrc -name '*.c' -not -path 'csrc/sock/*'", set(modules["smtpsec.core"].sources))
  end)

  it("compiles the sockets into smtpsec.sock, with what they share with the bindings", function()
    local expected = files "find csrc/sock -name '*.c'"
    expected["csrc/lua/check.c"], expected["csrc/base/status.c"] = true, true
    assert.same(expected, set(modules["smtpsec.sock"].sources))
  end)

  it("installs every Lua file under the name that require asks for", function()
    local expected = {}
    for path in pairs(files "find lua -name '*.lua'") do
      local name = path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", ".")
      expected[name] = path
    end
    expected["smtpsec.core"], expected["smtpsec.sock"] = modules["smtpsec.core"], modules["smtpsec.sock"]
    assert.same(expected, modules)
  end)
end)
