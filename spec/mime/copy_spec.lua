local core = require "smtpsec.core"
local process = require "spec.support.process"

local function all_of(copy)
  return copy:piece(1, math.max(1, copy:octets())) or ""
end

describe("core.copy", function()
  it("takes what there is room for, and gives it in pieces", function()
    local copy = core.copy(10)
    assert.same({ 0, nil }, { copy:octets(), copy:piece(1, 10) })
    assert.is_true(copy:add "01234")
    assert.is_true(copy:add "")
    assert.is_false(copy:add "567890")
    assert.equal(5, copy:octets())
    assert.is_true(copy:add "56789")
    assert.is_false(copy:add "x")
    assert.same({ "0123456789", "0123", "9" }, { copy:piece(1, 100), copy:piece(1, 4), copy:piece(10, 4) })
    assert.is_nil(copy:piece(11, 1))
  end)

  it("is closed once, and then takes and gives nothing", function()
    local copy = core.copy(10)
    assert.is_true(copy:add "x")
    copy:close()
    copy:close()
    assert.equal(0, copy:octets())
    local encoder, hash = core.encoder "base64", core.dkim_hash(true)
    for _, use in ipairs { function() copy:add "x" end, function() copy:piece(1, 1) end,
      function() encoder:update("x", nil, nil, copy) end, function() encoder:finish(copy) end,
      function() hash:update(copy) end } do
      assert.error_matches(use, "the copy is closed")
    end
    assert.error_matches(function() encoder:update("x", nil, nil, encoder) end, "smtpsec.copy")
    assert.error_matches(function() hash:update(encoder) end, "smtpsec.copy")
    for _, most in ipairs { 0, -1, 1.5, 2 ^ 31 } do assert.has_error(function() core.copy(most) end) end
    assert.equal("eA==", encoder:update "x" .. encoder:finish())
  end)

  it("is written to by encoders, as they return it to others, up to its end", function()
    local content = {}
    for i = 0, 2999 do content[i + 1] = string.char(i * 7 % 95 + 32) end
    content = table.concat(content):gsub("[%[%]]", "\n")
    for _, name in ipairs { "base64", "quoted-printable", "crlf" } do
      local whole = core.encode(name, content)
      for _, count in ipairs { 1, 57, 61, 1000, 3000 } do
        local copy, encoder = core.copy(#whole), core.encoder(name)
        for at = 1, #content, count do assert.equal("", encoder:update(content, at, count, copy)) end
        assert.equal("", encoder:finish(copy))
        assert.equal(whole, all_of(copy))
      end
      local copy, encoder = core.copy(#whole - 1), core.encoder(name)
      local out, why = encoder:update(content, nil, nil, copy)
      if out then out, why = encoder:finish(copy) end
      assert.same({ nil, "is longer than it was said to be" }, { out, why }, name)
    end
    assert.same({ nil, "contains a NUL" }, { core.encoder "crlf":update("a\0b", nil, nil, core.copy(100)) })
  end)

  it("is written to by files, through encoders", function()
    local path = process.write(os.tmpname(), ("0123456789"):rep(100))
    local whole = core.encode("base64", process.read(path))
    local file, encoder, copy = assert(core.file(path)), core.encoder "base64", core.copy(#whole)
    assert.same({ "", 600 }, { file:read(600, encoder, copy) })
    assert.same({ "", 400 }, { file:read(600, encoder, copy) })
    assert.same({ "", 0 }, { file:read(600, encoder, copy) })
    assert.equal("", encoder:finish(copy))
    assert.equal(whole, all_of(copy))
    encoder = core.encoder "base64"
    file = assert(core.file(path))
    assert.same({ nil, "is longer than it was said to be" }, { file:read(600, encoder, core.copy(700)) })
    os.remove(path)
  end)

  it("is hashed as a string is", function()
    local body = "head\r\n\r\n" .. ("a b  c \t\r\n"):rep(100)
    local copy = core.copy(#body)
    assert.is_true(copy:add(body))
    for _, from in ipairs { 1, 9, #body, #body + 1 } do
      assert.equal(core.dkim_hash(true):update(body, from):finish(), core.dkim_hash(true):update(copy, from):finish())
    end
    assert.has_error(function() core.dkim_hash(true):update(copy, #body + 2) end)
  end)
end)
