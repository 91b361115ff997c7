local environment = require "smtpsec.config.environment"

describe("environment", function()
  local path

  before_each(function()
    path = os.tmpname()
    local file = assert(io.open(path, "wb"))
    file:write "text\0more\n"
    file:close()
  end)

  after_each(function() os.remove(path) end)

  it("reads a whole file", function()
    assert.equal("text\0more\n", environment.read(path))
    assert(io.open(path, "wb")):close()
    assert.equal("", environment.read(path))
  end)

  it("names the file that it cannot read, and tells absence from the rest", function()
    os.remove(path)
    local text, why, errno = environment.read(path)
    assert.is_nil(text)
    assert.is_truthy(why:find(path, 1, true))
    assert.equal(2, errno)
    text, why, errno = environment.read "/"
    assert.is_nil(text)
    assert.is_truthy(why:find("^/:"))
    assert.equal(21, errno)
  end)

  it("reads no file that is larger than any configuration", function()
    local file = assert(io.open(path, "wb"))
    file:write(("x"):rep(environment.MAX_FILE + 1))
    file:close()
    local text, why = environment.read(path)
    assert.is_nil(text)
    assert.is_truthy(why:find("larger", 1, true))
  end)

  it("tells whether a file can be opened", function()
    assert.is_true(environment.readable(path))
    local fine, why = environment.readable(path .. ".none")
    assert.is_nil(fine)
    assert.is_truthy(why:find(path, 1, true))
  end)

  it("opens no file whose name ends before a NUL", function()
    for _, look in ipairs { environment.read, environment.readable } do
      local found, why = look(path .. "\0more")
      assert.is_nil(found)
      assert.is_truthy(why:find("has a NUL", 1, true))
    end
  end)

  it("is the real one, but for what it is given", function()
    local mine = environment.new { getenv = function() return "x" end }
    assert.equal("x", mine.getenv "HOME")
    assert.equal(environment.read, mine.read)
    assert.equal(os.getenv "HOME", environment.new().getenv "HOME")
  end)
end)
