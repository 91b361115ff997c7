local body = require "smtpsec.sink.body"

-- What is read, and what is left over, when `wire` comes in pieces that end at the given offsets.
local function read(wire, ...)
  local one, at, rest = body.new(1000), 1, nil
  for _, stop in ipairs { ... } do
    if rest then
      rest = rest .. wire:sub(at, stop)
    else
      rest = one:feed(wire:sub(at, stop))
    end
    at = stop + 1
  end
  return rest and one:content(), rest, one.received
end

-- Whole, at every split in two and in three, and byte by byte.
local function reads(expected, leftover, wire)
  local last = #wire
  local function check(...)
    local content, rest, received = read(wire, ...)
    assert.equal(expected, content)
    assert.equal(leftover, rest)
    assert.equal(#wire - #(leftover or ""), received)
  end
  local each = {}
  check(last)
  for i = 0, last do
    each[i] = i
    check(i, last)
    for j = i, last do check(i, j, last) end
  end
  check((table.unpack or unpack)(each, 1, last))
end

describe("body", function()
  it("ends at a dot on a line of its own, at every split", function()
    reads("one\r\ntwo\r\n", "", "one\r\ntwo\r\n.\r\n")
    reads("one\r\n", "QUIT\r\n", "one\r\n.\r\nQUIT\r\n")
  end)

  it("may be empty", function()
    reads("", "", ".\r\n")
    reads("", "NOOP\r\n", ".\r\nNOOP\r\n")
    reads("\r\n", "", "\r\n.\r\n")
  end)

  it("takes the dot away that begins a line", function()
    reads(".\r\n..\r\n.a\r\n", "", "..\r\n...\r\n..a\r\n.\r\n")
    reads("a.\r\nb\r\n", "", "a.\r\n.b\r\n.\r\n")
    reads("\r\n.\r\n", "", "\r\n..\r\n.\r\n")
  end)

  it("knows no line end but CRLF", function()
    reads("a\n.\nb\r\n", "", "a\n.\nb\r\n.\r\n")
    reads("a\n.\r\nb\r\n", "", "a\n.\r\nb\r\n.\r\n")
    reads("a\r.\r\nb\r\n", "", "a\r.\r\nb\r\n.\r\n")
    reads("\n\r\n", "", "\n\r\n.\r\n")
    reads("a\r\n\nb\r\n", "", "a\r\n.\nb\r\n.\r\n")
    reads("a\r\n\rb\r\n", "", "a\r\n.\rb\r\n.\r\n")
    reads("a\r\r\n", "", "a\r\r\n.\r\n")
  end)

  it("keeps every byte", function()
    local all = {}
    for i = 0, 255 do all[#all + 1] = string.char(i) end
    local bytes = table.concat(all)
    local one = body.new(1000)
    assert.equal("", one:feed(bytes .. "\r\n.\r\n"))
    assert.equal(bytes .. "\r\n", one:content())
  end)

  it("goes on until its end", function()
    for _, unfinished in ipairs { "one\r\n.", "one\r\n.\r", "one\n.\n", "" } do reads(nil, nil, unfinished) end
  end)

  it("counts what is too long, and keeps none of it", function()
    local fits, too_long = body.new(7), body.new(6)
    for _, one in ipairs { fits, too_long } do assert.equal("", one:feed("12345\r\n.\r\n")) end
    assert.is_false(fits:too_long())
    assert.is_true(too_long:too_long())
    assert.equal(7, too_long.size)
    assert.equal("", too_long:content())
  end)
end)
