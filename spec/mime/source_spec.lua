local core = require "smtpsec.core"
local process = require "spec.support.process"
local source = require "smtpsec.mime.source"

-- Everything that is read, or nil and the error; and how long the longest piece was.
local function drain(from)
  local read, pieces, longest = from.open(), {}, 0
  while true do
    local piece, err = read()
    if err then return nil, err end
    if not piece then return table.concat(pieces), longest end
    pieces[#pieces + 1], longest = piece, math.max(longest, #piece)
  end
end

describe("a string as a source", function()
  it("is read in pieces, as often as asked", function()
    local s = ("0123456789"):rep(20000)
    local from = source.text(s)
    assert.equal(#s, from.size)
    for _ = 1, 2 do
      local content, longest = drain(from)
      assert.equal(s, content)
      assert.is_true(longest <= source.PIECE)
    end
    assert.equal("", (drain(source.text(""))))
  end)
end)

describe("a file as a source", function()
  local path

  before_each(function() path = process.write(os.tmpname(), ("0123456789"):rep(10000)) end)
  after_each(function() os.remove(path) end)

  it("is read in pieces, as often as asked", function()
    local from = assert(source.file(path, "x"))
    assert.equal(100000, from.size)
    for _ = 1, 2 do
      local content, longest = drain(from)
      assert.equal(process.read(path), content)
      assert.is_true(longest <= source.PIECE)
    end
  end)

  it("may be empty", function()
    process.write(path, "")
    local from = assert(source.file(path, "x"))
    assert.equal(0, from.size)
    assert.equal("", (drain(from)))
  end)

  it("must exist and be regular", function()
    local from, err = source.file("/nonexistent/report.pdf", "attachments[1].path")
    assert.is_nil(from)
    assert.equal("message", err.kind)
    local words = 'attachments[1].path: cannot open "/nonexistent/report.pdf": No such file'
    assert.is_truthy(tostring(err):find(words, 1, true))
    assert.is_truthy(tostring(select(2, source.file("/tmp", "x"))):find("is a directory", 1, true))
  end)

  it("must be the one that was measured", function()
    local changes = {
      shrunk = function() process.write(path, "x") end,
      grown = function() process.run("printf x >> " .. path) end,
      rewritten = function() process.run("sleep 0.02; printf 1 | dd conv=notrunc of=" .. path .. " 2>&1") end,
      replaced = function() process.run("cp " .. path .. " " .. path .. ".new && mv " .. path .. ".new " .. path) end,
    }
    for what, change in pairs(changes) do
      process.write(path, ("0123456789"):rep(10000))
      local from = assert(source.file(path, "x"))
      assert.is_truthy(drain(from))
      change()
      local content, err = drain(from)
      assert.is_nil(content, what)
      assert.is_truthy(tostring(err):find("changed while", 1, true))
    end
    local from = assert(source.file(path, "x"))
    os.remove(path)
    assert.is_truthy(tostring(select(2, drain(from))):find("No such file", 1, true))
  end)

  it("must stay the same while it is read", function()
    for _, change in ipairs { "printf x >> ", "truncate -s 40000 ", "truncate -s 0 ", "sleep 0.02; touch " } do
      process.write(path, ("0123456789"):rep(10000))
      local read = assert(source.file(path, "x")).open()
      assert.is_truthy(read())
      process.run(change .. path)
      local piece, err
      repeat piece, err = read() until not piece
      assert.is_truthy(tostring(err):find("changed while", 1, true), change)
    end
  end)
end)

describe("a reader as a source", function()
  local function reader(...)
    local results, at = { ... }, 0
    return function()
      at = at + 1
      local one = results[at]
      if type(one) == "function" then return one() end
      return one
    end
  end

  it("is read until it returns nil, in pieces that are not long", function()
    local long = ("x"):rep(100000)
    local from = source.reader(reader("a", "", "b", long, ""), "x")
    assert.is_nil(from.size)
    local content, longest = drain(from)
    assert.equal("ab" .. long, content)
    assert.is_true(longest <= source.PIECE)
  end)

  it("is read once", function()
    local from = source.reader(reader("a"), "attachments[1].reader")
    assert.equal("a", (drain(from)))
    local content, err = drain(from)
    assert.is_nil(content)
    assert.is_truthy(tostring(err):find("attachments[1].reader: the reader was read already", 1, true))
  end)

  it("is read as often as asked where it makes a new one each time, and has a size once it was read", function()
    local made = 0
    local from = source.reader(function()
      made = made + 1
      return reader("a", "", "b")
    end, "x")
    assert.is_nil(from.size)
    for i = 1, 3 do
      assert.equal("ab", drain(from))
      assert.same({ true, 2, i }, { from.again, from.size, made })
    end
    assert.equal("", drain(source.reader(function() return reader() end, "x")))
    local content, err = drain(source.reader(reader("a", function() return print end), "x"))
    assert.is_nil(content)
    assert.is_truthy(tostring(err):find("the reader returned a function", 1, true), err)
  end)

  it("may fail, and says how", function()
    for words, failing in pairs {
      ["the reader failed: disk on fire"] = function() return nil, "disk on fire" end,
      ["the reader raised an error"] = function() error("boom") end,
      ["the reader raised an error: a table"] = function()
        error(setmetatable({}, { __tostring = function() error "no words" end }))
      end,
      ["the reader returned a number"] = function() return 42 end,
      ["the reader returned a table"] = function() return {} end,
    } do
      local content, err = drain(source.reader(reader("a", failing), "x"))
      assert.is_nil(content)
      assert.equal("message", err.kind)
      assert.is_truthy(tostring(err):find(words, 1, true), tostring(err))
    end
  end)
end)

describe("encoding what is read", function()
  local path

  before_each(function() path = process.write(os.tmpname(), ("0123456789"):rep(10001)) end)
  after_each(function() os.remove(path) end)

  local function drain_encoded(from)
    local read, pieces = source.encoded(from, "base64", "x"), {}
    while true do
      local piece, err = read()
      if err then return nil, err end
      if not piece then return table.concat(pieces) end
      pieces[#pieces + 1] = piece
    end
  end

  it("is the same for strings, files and readers", function()
    for _, size in ipairs { 0, 1, 57, source.PIECE - 1, source.PIECE, source.PIECE + 1, 100010 } do
      local content = ("0123456789"):rep(10001):sub(1, size)
      process.write(path, content)
      local sent = { content }
      local from = source.reader(function() return table.remove(sent) end, "x")
      local want = drain_encoded(source.text(content))
      assert.equal(core.encode("base64", content), want)
      assert.equal(want, drain_encoded(assert(source.file(path, "x"))))
      assert.equal(want, drain_encoded(from))
    end
  end)

  it("gives a large file in pieces of just under 64 KiB", function()
    local read = source.encoded(assert(source.file(path, "x")), "base64", "x")
    local first = read()
    assert.is_true(#first > 60000 and #first <= 65536)
  end)

  it("fails where the file changes before or while it is read, and does not go on", function()
    for _, change in ipairs { "printf x >> ", "truncate -s 60000 ", "truncate -s 0 ", "sleep 0.02; touch " } do
      process.write(path, ("0123456789"):rep(10000))
      local from = assert(source.file(path, "x"))
      local read = source.encoded(from, "base64", "x")
      assert.is_truthy(read())
      process.run(change .. path)
      local piece, err
      repeat piece, err = read() until not piece
      assert.is_truthy(tostring(err):find("changed while", 1, true), change)
      piece, err = read()
      assert.is_nil(piece)
      assert.is_truthy(err)
      piece, err = source.encoded(from, "base64", "x")()
      assert.is_nil(piece)
      assert.is_truthy(tostring(err):find("changed while", 1, true), change)
    end
  end)

  it("passes on the errors of both sides", function()
    local read = source.through(source.text("a\0b").open(), "crlf", "raw")
    local piece, err = read()
    assert.is_nil(piece)
    assert.is_truthy(tostring(err):find("raw: contains a NUL", 1, true))
    read = source.through(source.reader(function() return nil, "broken" end, "x").open(), "base64", "x")
    piece, err = read()
    assert.is_nil(piece)
    assert.is_truthy(tostring(err):find("broken", 1, true))
  end)

  it("ends with what the encoder held back", function()
    local read = source.through(source.text("ab").open(), "base64", "x")
    assert.equal("YWI=", read())
    assert.is_nil(read())
    assert.is_nil(read())
  end)
end)
