local core = require "smtpsec.core"
local process = require "spec.support.process"

describe("core.file", function()
  local path

  before_each(function() path = process.write(os.tmpname(), "0123456789") end)
  after_each(function() os.remove(path) end)

  it("reads a regular file in pieces", function()
    local file = assert(core.file(path))
    local _, size = file:identity()
    assert.equal(10, size)
    assert.equal("0123", file:read(4))
    assert.equal("456789", file:read(100))
    assert.equal("", file:read(1))
    assert.equal("", file:read(1))
    file:close()
  end)

  it("says how much it read", function()
    local file = assert(core.file(path))
    assert.same({ "0123", 4 }, { file:read(4) })
    assert.same({ "456789", 6 }, { file:read(100) })
    assert.same({ "", 0 }, { file:read(100) })
    file:close()
  end)

  it("reads through an encoder, whatever the pieces", function()
    local content = {}
    for i = 0, 999 do content[i + 1] = string.char(i * 7 % 256) end
    content = table.concat(content)
    process.write(path, content)
    for _, count in ipairs { 1, 2, 3, 56, 57, 58, 61, 500, 1000, 4096 } do
      local file, encoder, pieces = assert(core.file(path)), core.encoder("base64"), {}
      repeat
        local piece, octets = file:read(count, encoder)
        pieces[#pieces + 1] = piece
        assert.is_true(octets <= count)
      until octets == 0
      pieces[#pieces + 1] = encoder:finish()
      assert.equal(core.encode("base64", content), table.concat(pieces))
      file:close()
    end
  end)

  it("tells what an encoder does not take, and takes only encoders that are not finished", function()
    process.write(path, "a\0b")
    local file, encoder = assert(core.file(path)), core.encoder("crlf")
    assert.same({ nil, "contains a NUL" }, { file:read(10, encoder) })
    encoder:close()
    assert.error_matches(function() file:read(1, encoder) end, "the encoder is finished")
    assert.error_matches(function() file:read(1, file) end, "smtpsec.encoder")
    file:close()
    assert.same({ nil, "the file is closed" }, { file:read(1, core.encoder("base64")) })
  end)

  it("has an identity that changes with the file", function()
    local file = assert(core.file(path))
    local identity = file:identity()
    assert.equal(identity, (assert(core.file(path)):identity()))
    process.write(path, "0123456789+")
    assert.not_equal(identity, (file:identity()))
    process.run("rm " .. path .. "; touch -d 2020-01-01 " .. path)
    assert.not_equal(identity, (assert(core.file(path)):identity()))
  end)

  it("follows a link to a regular file", function()
    local link = path .. ".link"
    process.run("ln -s " .. path .. " " .. link)
    finally(function() os.remove(link) end)
    assert.equal("0123456789", assert(core.file(link)):read(100))
  end)

  it("opens nothing else, and does not wait for it", function()
    local fifo = path .. ".fifo"
    process.run("mkfifo " .. fifo)
    finally(function() os.remove(fifo) end)
    assert.same({ nil, "is a FIFO" }, { core.file(fifo) })
    assert.same({ nil, "is a directory" }, { core.file("/tmp") })
    assert.same({ nil, "is not a regular file" }, { core.file("/dev/zero") })
    assert.same({ nil, "No such file or directory" }, { core.file(path .. ".none") })
    assert.same({ nil, "contains a NUL" }, { core.file(path .. "\0.pdf") })
  end)

  it("is of no use once closed, twice as well", function()
    local file = assert(core.file(path))
    file:close()
    file:close()
    assert.same({ nil, "the file is closed" }, { file:read(1) })
    assert.same({ nil, "the file is closed" }, { file:identity() })
  end)

  it("reads whole counts from 1 to 1 MiB", function()
    local file = assert(core.file(path))
    for _, count in ipairs { 0, -1, 1.5, 1048577, 2 ^ 70 } do
      assert.error_matches(function() file:read(count) end, "whole number")
    end
    file:close()
  end)
end)
