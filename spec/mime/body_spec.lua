local body = require "smtpsec.mime.body"
local judge = require "spec.support.judge"
local part = require "smtpsec.mime.part"
local source = require "smtpsec.mime.source"

local unpack = table.unpack or unpack

local SEVEN, EIGHT = {}, { ["8BITMIME"] = true }

local function drain(segment)
  if type(segment) == "string" then return segment end
  local read, pieces = segment.open(), {}
  for piece in read do pieces[#pieces + 1] = piece end
  return table.concat(pieces)
end

local SHAPE = part.shape { type = "text/plain" }
local MIXED = part.shape_of_parts { type = "multipart/mixed" }

-- What a leaf chooses.
local function chosen(leaf, offered)
  return leaf[offered["8BITMIME"] and 3 or 2]
end

local function encoding(text, offered)
  return chosen(body.text(text, "text", SHAPE), offered)
end

-- The body in an encoding, whatever it would choose: what is held is rendered, and taken out of the message.
local function segment_of(leaf, name)
  local _, _, _, held, mends = unpack(leaf)
  if type(held) == "table" then return held:segment(name) end
  local whole = part.render(part.multipart(MIXED, { SHAPE, name, name, held, mends }), "", SEVEN)
  return whole:match("\r\n\r\n%-%-.-\r\n\r\n(.*)\r\n%-%-[^\r]*%-%-\r\n$")
end

local function size(segment)
  if type(segment) == "string" then return #segment end
  return segment.size()
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
    assert.equal("base64", chosen(body.data(source.text("plain"), "x", SHAPE), EIGHT))
    assert.equal("base64", chosen(body.data(source.text("plain"), "x", SHAPE), SEVEN))
  end)
end)

describe("the transfer encoding of a message in a message", function()
  local function message(s) return body.message(source.text(s), "attachments[1]", SHAPE) end

  it("is none", function()
    assert.equal("7bit", chosen(message("Subject: x\n\nhi"), SEVEN))
    assert.equal("8bit", chosen(message("Subject: x\n\né"), EIGHT))
  end)

  it("cannot be had where it would be needed", function()
    local eight = part.multipart(MIXED, message("Subject: x\n\né"))
    assert.is_table(select(2, part.render(eight, "", EIGHT)))
    local whole, segments, err = part.render(eight, "", SEVEN)
    assert.is_nil(whole)
    assert.is_nil(segments)
    assert.is_truthy(tostring(err):find("attachments[1]", 1, true) and tostring(err):find("8BITMIME", 1, true))
    assert.is_truthy(tostring(select(2, message("X: " .. ("x"):rep(1000)))):find("a line of 1003 octets", 1, true))
    assert.is_truthy(tostring(select(2, message("X: \0"))):find("contains NUL", 1, true))
  end)
end)

describe("a body's segment", function()
  local UNIT = "From \r\n é=. \r\n\n\rx"
  local LONG = UNIT:rep(math.ceil(body.SHORT / #UNIT) + 1)

  it("knows its size exactly, at every length", function()
    for length = 0, 240 do
      local data = segment_of(body.data(source.text(("\255"):rep(length)), "x"), "base64")
      assert.equal(#drain(data), size(data))
    end
    for length = 0, #UNIT * 12 do
      local text = UNIT:rep(12):sub(1, length):gsub("\195$", "")
      for _, name in ipairs { "7bit", "quoted-printable", "base64" } do
        local segment = segment_of(assert(body.text(text, "x")), name)
        assert.equal(#drain(segment), size(segment))
      end
    end
  end)

  it("is the same whether it is encoded at once or as it is sent", function()
    for _, name in ipairs { "8bit", "quoted-printable", "base64" } do
      local short, long = LONG:sub(1, body.SHORT):gsub("\195$", ""), LONG
      local at_once = segment_of(assert(body.text(short, "x")), name)
      local as_sent = segment_of(assert(body.text(long, "x")), name)
      assert.equal("string", type(at_once))
      assert.equal("table", type(as_sent))
      assert.equal(#drain(as_sent), as_sent.size())
      local begins = at_once:sub(1, -100)
      assert.equal(begins, drain(as_sent):sub(1, #begins))
    end
    local at_once = segment_of(body.data(source.text(LONG:sub(1, body.SHORT)), "x"), "base64")
    local as_sent = segment_of(body.data(source.text(LONG), "x"), "base64")
    assert.equal("string", type(at_once))
    assert.equal(at_once:sub(1, -100), drain(as_sent):sub(1, #at_once - 99))
  end)

  it("is chosen alike for short and long texts", function()
    for _, unit in ipairs { "plain\n", "日本\n", "é and plain text\n", "blank \n", ("x"):rep(2000) .. "\n" } do
      local short = unit:rep(math.floor(body.SHORT / #unit))
      local long = unit:rep(math.floor(body.SHORT / #unit) + 1)
      for _, offered in ipairs { SEVEN, EIGHT } do assert.equal(encoding(short, offered), encoding(long, offered)) end
    end
  end)

  it("is refused where it is no text, short or long", function()
    for _, lead in ipairs { "", ("x"):rep(body.SHORT) } do
      local made, err = body.text(lead .. "ab\255", "html")
      assert.is_nil(made)
      local words = string.format("html: the value is not valid UTF-8 at byte %d", #lead + 3)
      assert.is_truthy(tostring(err):find(words, 1, true))
      made, err = body.text(lead .. "a\0", "text")
      assert.is_nil(made)
      assert.is_truthy(tostring(err):find(string.format("text: the value contains NUL at byte %d", #lead + 2), 1, true))
      assert.is_truthy(body.text(lead .. "é", "text"))
    end
  end)

  it("is more than one piece of a source long, too", function()
    local data = ("\0\1\2"):rep(100000)
    local segment = segment_of(body.data(source.text(data), "x"), "base64")
    assert.equal(#drain(segment), segment.size())
    assert.same({ data }, judge.decode("base64", { drain(segment) }))
    local text = ("line with é and \r\n"):rep(10000)
    for _, name in ipairs { "8bit", "quoted-printable", "base64" } do
      segment = segment_of(body.text(text, "x"), name)
      assert.equal(#drain(segment), segment.size())
    end
    local quoted = drain(segment_of(body.text(text, "x"), "quoted-printable"))
    assert.same({ text }, judge.decode("quoted-printable", { quoted }))
  end)

  it("does not know the size of what a reader gives", function()
    local from = source.reader(function() return nil end, "x")
    assert.is_nil(segment_of(body.data(from, "x"), "base64").size())
  end)
end)
