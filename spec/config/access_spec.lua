local access = require "smtpsec.config.access"
local core = require "smtpsec.core"
local environment = require "smtpsec.config.environment"
local process = require "spec.support.process"

local _, _, US = core.file_access "Makefile"

-- A world in which every file has this mode and this owner.
local function world(mode, owner, folder)
  return environment.new {
    access = function() return tonumber(mode, 8), owner or US, US end,
    getenv = function(name) return name == "CREDENTIALS_DIRECTORY" and folder or nil end,
  }
end

describe("access", function()
  it("trusts files that their owner alone may change", function()
    for _, mode in ipairs { "400", "600", "640", "440", "444", "644", "755" } do
      assert.is_nil(access.fault("/x", world(mode)))
      assert.is_nil(access.fault("/x", world(mode, 0)))
    end
  end)

  it("refuses those that others may change, and says what mends it", function()
    for _, mode in ipairs { "620", "602", "622", "666", "660", "777", "420" } do
      local why = access.fault("/x", world(mode))
      assert.is_truthy(why and why:find("/x (mode 0" .. mode .. ") may be written by others", 1, true), why)
      assert.is_truthy(why:find("chmod go-w /x", 1, true), why)
      assert.is_truthy(access.fault("/run/secrets/x", world(mode, 0)))
    end
  end)

  it("refuses those of another user", function()
    assert.is_nil(access.fault("/creds/x", world("600", US + 1, "/creds")))
    assert.is_truthy(access.fault("/x", world("600", US + 1, ""))) -- set to nothing, it is no folder
    local why = access.fault("/x", world("600", US + 1))
    assert.is_truthy(why:find("another user (" .. US + 1 .. ")", 1, true), why)
    assert.is_truthy(why:find(("chown %d /x"):format(US), 1, true), why)
  end)

  it("tells of those that everybody may read, but where secrets are mounted", function()
    local note = access.note("/x", "a password", world "644")
    assert.is_truthy(note:find("may read /x (mode 0644), which holds a password: chmod o-r /x", 1, true), note)
    assert.is_nil(access.note("/x", "a password", world "640"))
    assert.is_nil(access.note("/run/secrets/x", "a password", world "444"))
    assert.is_nil(access.note("/var/run/secrets/x", "a password", world "444"))
    assert.is_nil(access.note("/creds/x", "a password", world("444", 0, "/creds")))
    for _, path in ipairs { "/run/secretsx", "/tmp/run/secrets/x", "/credsx", "run/secrets/x" } do
      assert.is_truthy(access.note(path, "a password", world("444", 0, "/creds")), path)
    end
  end)

  it("looks at real files, through links", function()
    local path = os.tmpname()
    local link = path .. ".link"
    process.run("ln -s " .. process.quote(path) .. " " .. process.quote(link))
    local real = environment.new()
    for mode, fine in pairs { ["600"] = true, ["644"] = true, ["666"] = false, ["620"] = false } do
      process.run(("chmod %s %s"):format(mode, process.quote(path)))
      for _, name in ipairs { path, link } do
        assert.equal(tonumber(mode, 8), (core.file_access(name)))
        assert.equal(fine, access.fault(name, real) == nil)
        assert.equal(mode == "600" or mode == "620", access.note(name, "x", real) == nil)
      end
    end
    os.remove(link)
    os.remove(path)
    assert.is_nil(access.fault(path, real))
    assert.is_nil(access.note(path, "x", real))
  end)

  it("judges nothing but files", function()
    for _, path in ipairs { "/", "/dev/null", "/none/such", "Makefile\0" } do
      assert.same({ nil }, { core.file_access(path) })
    end
    assert.is_false(pcall(core.file_access))
  end)

  it("leaves files of another world to that world", function()
    assert.equal(core.file_access, environment.new().access)
    assert.is_nil(environment.new({ read = function() end }).access "Makefile")
  end)
end)
