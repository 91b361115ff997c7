local core = require "smtpsec.core"
local body = require "smtpsec.mime.body"
local part = require "smtpsec.mime.part"
local source = require "smtpsec.mime.source"

local SEVEN, EIGHT = {}, { ["8BITMIME"] = true }
local PLAIN = part.shape { type = "text/plain" }
local ALTERNATIVE = part.shape_of_parts { type = "multipart/alternative" }
local MIXED = part.shape_of_parts { type = "multipart/mixed", parameters = { { "x", "y" } } }

local function text(s) return assert(body.text(s, "text", PLAIN)) end

local function data(s) return body.data(source.text(s), "attachments[1]", PLAIN) end

local function boundary(node) return node[2] end

-- What a message in segments comes to, and of what they are.
local function gathered(segments)
  local pieces, kinds = {}, {}
  for i, segment in ipairs(segments) do
    kinds[i] = type(segment)
    if kinds[i] == "string" then
      pieces[#pieces + 1] = segment
    else
      for piece in segment.open() do pieces[#pieces + 1] = piece end
    end
  end
  return table.concat(pieces), table.concat(kinds, " ")
end

describe("a rendered tree", function()
  it("is one string where it is short and in memory", function()
    local whole, segments, eight_bit = part.render(text("a\nb"), "X: y\r\n", EIGHT)
    assert.same({ "X: y\r\nContent-Type: text/plain\r\n\r\na\r\nb\r\n", nil, false }, { whole, segments, eight_bit })
    assert.equal("Content-Type: text/plain\r\n\r\n", (part.render(text(""), "", EIGHT)))
    local inner = part.multipart(ALTERNATIVE, text("a"), text("é\n"))
    local outer = part.multipart(MIXED, inner, data("x"))
    local a, b = boundary(inner), boundary(outer)
    whole, segments, eight_bit = part.render(outer, "", EIGHT)
    assert.is_nil(segments)
    assert.is_true(eight_bit)
    assert.equal('Content-Type: multipart/mixed; boundary="' .. b .. '";\r\n x=y\r\nContent-Transfer-Encoding: 8bit\r\n'
      .. "\r\n--" .. b .. '\r\nContent-Type: multipart/alternative;\r\n boundary="' .. a .. '"\r\n'
      .. "Content-Transfer-Encoding: 8bit\r\n\r\n--" .. a .. "\r\nContent-Type: text/plain\r\n\r\na\r\n--" .. a
      .. "\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: 8bit\r\n\r\né\r\n\r\n--" .. a .. "--\r\n--" .. b
      .. "\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\neA==\r\n--" .. b .. "--\r\n", whole)
    whole, segments, eight_bit = part.render(outer, "", SEVEN)
    assert.is_nil(segments)
    assert.is_false(eight_bit)
    assert.is_nil(whole:find("8bit", 1, true))
  end)

  it("has its data as it is where that may be, and says so of all that it is in", function()
    local bytes = "\0\r\n--\r.\n\255"
    local inner = part.multipart(ALTERNATIVE, text("a\n"), data(bytes))
    local outer = part.extend(part.multipart(MIXED, text("é"), inner, text("日本")), { data("") })
    local whole, segments, eight_bit, binary = part.render(outer, "", EIGHT, true)
    assert.same({ nil, false, true }, { segments, eight_bit, binary })
    assert.is_truthy(whole:find("\r\nContent-Transfer-Encoding: binary\r\n\r\n" .. bytes .. "\r\n--" .. boundary(inner)
      .. "--", 1, true))
    assert.equal(4, select(2, whole:gsub("Content%-Transfer%-Encoding: binary", "")))
    assert.equal(2, select(2, whole:gsub("Content%-Transfer%-Encoding: 8bit", "")))
    whole = part.render(outer, "", SEVEN, true)
    assert.equal(4, select(2, whole:gsub("Content%-Transfer%-Encoding: binary", "")))
    assert.is_nil(whole:find("8bit", 1, true)) -- which is for the server to offer, too
    whole, segments, eight_bit, binary = part.render(outer, "", EIGHT)
    assert.same({ nil, true, false }, { segments, eight_bit, binary })
    assert.is_nil(whole:find("binary", 1, true))
    whole, segments, eight_bit, binary = part.render(text("日本"), "", EIGHT, true)
    assert.same({ nil, true, false }, { segments, eight_bit, binary })
    assert.is_truthy(whole:find("Content-Transfer-Encoding: 8bit", 1, true))
    local long = data(bytes:rep(body.SHORT))
    whole, segments, eight_bit, binary = part.render(part.multipart(MIXED, text("é"), long), "", EIGHT, true)
    assert.same({ nil, false, true }, { whole, eight_bit, binary })
    assert.is_truthy(gathered(segments):find("binary\r\n\r\n" .. bytes:rep(body.SHORT) .. "\r\n--", 1, true))
    assert.equal(#bytes * body.SHORT, segments[2].size())
  end)

  it("ends with a line end, whatever the encoding and the length", function()
    for _, long in ipairs { "", ("x\n"):rep(body.SHORT) } do
      for _, content in ipairs { "a", "a\n", "a ", "é", "日本語", "日本語\n" } do
        for _, offered in ipairs { SEVEN, EIGHT } do
          local whole, segments = part.render(text(long .. content), "", offered)
          whole = whole or gathered(segments)
          assert.is_truthy(whole:find("\r\n$"))
          assert.is_nil(whole:find("\n\r\n$"))
        end
      end
    end
  end)

  it("is in pieces where one is long, or all together are", function()
    local long, short, parts = ("x\n"):rep(body.SHORT), ("z\n"):rep(body.SHORT / 2), part.multipart(MIXED)
    local whole, segments = part.render(part.extend(parts, { text "a", text(long), text "b" }), "", EIGHT)
    assert.is_nil(whole)
    local got, kinds = gathered(segments)
    assert.equal("string table string", kinds)
    assert.is_truthy(got:find("\r\n\r\na\r\n--", 1, true) and got:find("\r\n\r\nx\r\nx\r\n", 1, true))
    whole, segments = part.render(part.multipart(MIXED, text(short), text(short), text(short)), "", EIGHT)
    assert.is_nil(whole)
    got, kinds = gathered(segments)
    assert.equal("string string string", kinds)
    for _, segment in ipairs(segments) do assert.is_true(#segment <= core.message_whole) end
    assert.equal(3 * body.SHORT / 2, select(2, got:gsub("z\r\n", "")))
  end)

  it("keeps nothing of a tree that could not be written", function()
    local broken = { PLAIN, "7bit", "7bit", 5, true }
    broken[4] = nil
    for _, bad in ipairs { broken, { PLAIN, "9bit", "9bit", "x", true }, { false, "7bit", "7bit", "x" } } do
      assert.is_false(pcall(core.render, bad, true, "X: y\r\n"))
    end
    assert.equal("Content-Type: text/plain\r\n\r\nx\r\n", (core.render(text "x", true, "")))
  end)
end)
