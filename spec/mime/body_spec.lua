local body = require "smtpsec.mime.body"
local judge = require "spec.support.judge"
local source = require "smtpsec.mime.source"

local SEVEN, EIGHT = {}, { ["8BITMIME"] = true }

local function drain(segment)
  local read, pieces = segment.open(), {}
  for piece in read do pieces[#pieces + 1] = piece end
  return table.concat(pieces)
end

local function encoding(text, offered)
  return body.text(text, "text"):encoding(offered)
end

describe("the transfer encoding of a text", function()
  it("is none where the text can pass as it is", function()
    for _, text in ipairs { "", "hello\n", "tabs\tand \27[1m controls\n", ("x"):rep(998) .. "\n", ".\n..\n",
      "a From b" } do
      assert.equal("7bit", encoding(text, SEVEN))
      assert.equal("7bit", encoding(text, EIGHT))
    end
  end)

  it("is none where the server takes 8 bits", function()
    assert.equal("8bit", encoding("日本語\n", EIGHT))
    assert.equal("8bit", encoding(("é"):rep(499), EIGHT))
  end)

  it("is the shorter one for a 7-bit server", function()
    assert.equal("quoted-printable", encoding("mostly plain, one é\n", SEVEN))
    assert.equal("base64", encoding("日本語のテキスト\n", SEVEN))
  end)

  it("is quoted-printable or base64 where lines are too long", function()
    assert.equal("quoted-printable", encoding(("x"):rep(999), EIGHT))
    assert.equal("base64", encoding(("é"):rep(500), EIGHT))
    assert.equal("quoted-printable", encoding(("x"):rep(999) .. "\ré\r", EIGHT))
  end)

  it("protects what relays alter", function()
    for _, text in ipairs { "-- \nname\n", "From me\n", "a\n\nFrom b", "tab\t\r\n", "blank at the end " } do
      assert.equal("quoted-printable", encoding(text, EIGHT))
    end
  end)
end)

describe("the transfer encoding of data", function()
  it("is base64, whatever the data", function()
    assert.equal("base64", body.data(source.text("plain"), "x"):encoding(EIGHT))
    assert.equal("base64", body.data(source.text("plain"), "x"):encoding(SEVEN))
  end)
end)

describe("the transfer encoding of a message in a message", function()
  local function message(s) return body.message(source.text(s), "attachments[1]") end

  it("is none", function()
    assert.equal("7bit", message("Subject: x\n\nhi"):encoding(SEVEN))
    assert.equal("8bit", message("Subject: x\n\né"):encoding(EIGHT))
  end)

  it("cannot be had where it would be needed", function()
    local found, err = message("Subject: x\n\né"):encoding(SEVEN)
    assert.is_nil(found)
    assert.is_truthy(tostring(err):find("attachments[1]", 1, true) and tostring(err):find("8BITMIME", 1, true))
    assert.is_truthy(tostring(select(2, message("X: " .. ("x"):rep(1000)))):find("a line of 1003 octets", 1, true))
    assert.is_truthy(tostring(select(2, message("X: \0"))):find("contains NUL", 1, true))
  end)
end)

describe("a body's segment", function()
  it("knows its size exactly, at every length", function()
    for length = 0, 240 do
      local data = body.data(source.text(("\255"):rep(length)), "x"):segment("base64")
      assert.equal(#drain(data), data.size())
    end
    local unit = "From \r\n é=. \r\n\n\rx"
    for length = 0, #unit * 12 do
      local text = unit:rep(12):sub(1, length)
      for _, name in ipairs { "7bit", "quoted-printable", "base64" } do
        local segment = body.text(text, "x"):segment(name)
        assert.equal(#drain(segment), segment.size())
      end
    end
  end)

  it("is more than one piece of a source long, too", function()
    local data = ("\0\1\2"):rep(100000)
    local segment = body.data(source.text(data), "x"):segment("base64")
    assert.equal(#drain(segment), segment.size())
    assert.same({ data }, judge.decode("base64", { drain(segment) }))
    local text = ("line with é and \r\n"):rep(10000)
    for _, name in ipairs { "8bit", "quoted-printable", "base64" } do
      segment = body.text(text, "x"):segment(name)
      assert.equal(#drain(segment), segment.size())
    end
    local quoted = drain(body.text(text, "x"):segment("quoted-printable"))
    assert.same({ text }, judge.decode("quoted-printable", { quoted }))
  end)

  it("does not know the size of what a reader gives", function()
    local from = source.reader(function() return nil end, "x")
    assert.is_nil(body.data(from, "x"):segment("base64").size())
  end)
end)
