-- UTF-8 as RFC 3629 has it: every character once, and nothing else.
local core = require "smtpsec.core"

-- The encoding of a code point, in as many bytes as asked for, also where that is not allowed.
local function encode(code, length)
  if length == 1 then
    return string.char(code)
  end
  local bytes = {}
  for i = length, 2, -1 do
    bytes[i] = string.char(0x80 + code % 64)
    code = math.floor(code / 64)
  end
  local lead = ({ nil, 0xC0, 0xE0, 0xF0, 0xF8, 0xFC })[length]
  bytes[1] = string.char(lead + code)
  return table.concat(bytes)
end

local function length_of(code)
  return code < 0x80 and 1 or code < 0x800 and 2 or code < 0x10000 and 3 or 4
end

describe("UTF-8", function()
  it("is any character in its shortest form", function()
    local parts = {}
    local function add(from, to, step)
      for code = from, to, step do
        parts[#parts + 1] = encode(code, length_of(code))
      end
    end
    add(0, 0xFFF, 1)
    add(0x1000, 0xD7FF, 13)
    add(0xD700, 0xD7FF, 1)
    add(0xE000, 0xE0FF, 1)
    add(0xE100, 0xFFFF, 13)
    add(0xFF00, 0x100FF, 1)
    add(0x10100, 0x10FFFF, 257)
    add(0x10FF00, 0x10FFFF, 1)
    assert.is_true(core.utf8_valid(table.concat(parts)))
    assert.is_true(core.utf8_valid "")
  end)

  local function refused(bytes)
    for _, before in ipairs { "", "a", "é監😀" } do
      for _, behind in ipairs { "", "a", "é" } do
        local valid, offset = core.utf8_valid(before .. bytes .. behind)
        assert.is_nil(valid, bytes)
        assert.equal(#before + 1, offset)
      end
    end
  end

  it("has no longer forms", function()
    for _, code in ipairs { 0, 0xA, 0xD, 0x2F, 0x7F } do
      for length = 2, 4 do
        refused(encode(code, length))
      end
    end
    for _, case in ipairs { { 0x80, 3 }, { 0x7FF, 3 }, { 0x7FF, 4 }, { 0x800, 4 }, { 0xFFFF, 4 } } do
      refused(encode(case[1], case[2]))
    end
  end)

  it("has no surrogates", function()
    for _, code in ipairs { 0xD800, 0xDBFF, 0xDC00, 0xDFFF } do
      refused(encode(code, 3))
    end
  end)

  it("ends at U+10FFFF", function()
    assert.is_true(core.utf8_valid(encode(0x10FFFF, 4)))
    refused(encode(0x110000, 4))
    refused(encode(0x1FFFFF, 4))
    refused(encode(0x200000, 5))
    refused(encode(0x4000000, 6))
  end)

  it("has no stray or missing bytes", function()
    for byte = 0x80, 0xBF do
      refused(string.char(byte))
    end
    for byte = 0xC0, 0xFF do
      refused(string.char(byte))
    end
    refused "\227\129"
    refused "\240\159\152"
    refused "\227\129\227\129\130"
  end)
end)
