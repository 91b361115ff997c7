-- What holds for any input, tried with inputs made at random. SMTPSEC_SEED=n tries others; the names of the specs say
-- which.
local address = require "smtpsec.address"
local core = require "smtpsec.core"
local header = require "smtpsec.mime.header"
local judge = require "spec.support.judge"
local message = require "smtpsec.message"
local random = require "spec.corpus.random"
local source = require "smtpsec.mime.source"

local SEED = random.SEED

local function named(what) return ("%s (seed %d)"):format(what, SEED) end

local function pick(numbers, list) return list[numbers(#list)] end

local function join(numbers, list, most)
  local all = {}
  for i = 1, numbers(most) do all[i] = pick(numbers, list) end
  return table.concat(all)
end

-- ---- addresses -----------------------------------------------------------------------------------------------------

local ATOMS = { "a", "Jane", "x-y", "o'b", "1", "!#$", "é", "日本", "=?x?=" }
local QUOTED = { "a", " ", ",", ";", ":", "<", ">", "(", ")", "@", ".", "[", "]", '"', "\\", "é", "日" }
local LOCALS = { "a", "jane.doe", "x+y=z", "!#$%&'*/?^_`{|}~-", '"a b"', '"a,b;c:d<e>@f"', '"\\"\\\\"' }
local DOMAINS = { "b", "example.org", "x-1.example", "[192.0.2.1]", "[IPv6:2001:db8::1]" }
local BLANKS = { "", " ", "  " }

local function quote(s) return '"' .. s:gsub('[\\"]', "\\%0") .. '"' end

-- A mailbox and a way to write it.
local function random_box(numbers)
  local spec = pick(numbers, LOCALS) .. "@" .. pick(numbers, DOMAINS)
  local way, left, right = numbers(4), pick(numbers, BLANKS), pick(numbers, BLANKS)
  if way == 1 then return { address = spec }, left .. spec .. right end
  if way == 2 then return { address = spec }, left .. "<" .. spec .. ">" .. right end
  if way == 3 then
    local first, second = pick(numbers, ATOMS), pick(numbers, ATOMS)
    return { name = first .. " " .. second, address = spec }, first .. " " .. left .. second .. right .. "<" .. spec
      .. ">"
  end
  local name = join(numbers, QUOTED, 8)
  return { name = name, address = spec }, left .. quote(name) .. right .. "<" .. spec .. ">"
end

-- Mailboxes and groups of them, in one string; and as groups how many are in each.
local function random_list(numbers)
  local boxes, written, sizes = {}, {}, {}
  for i = 1, numbers(4) do
    local size = numbers(3) == 1 and numbers(4) - 1
    if size then
      local members = {}
      for j = 1, size do boxes[#boxes + 1], members[j] = random_box(numbers) end
      sizes[#sizes + 1] = size
      written[i] = quote(pick(numbers, ATOMS)) .. pick(numbers, BLANKS) .. ":" .. table.concat(members, ",") .. ";"
    else
      boxes[#boxes + 1], written[i] = random_box(numbers)
    end
  end
  return boxes, table.concat(written, ","), sizes
end

local function plain(boxes)
  local all = {}
  for i, box in ipairs(boxes) do all[i] = { name = box.name or "", address = box.address } end
  return all
end

local function write(boxes)
  return header.message({ from = address.parse("a@b", "from"), to = boxes }, "Sat, 22 Nov 2025 10:00:00 +0000", nil,
    "<a@b>",
    "") .. "\r\nx\r\n"
end

describe("addresses", function()
  it(named "are read as they were meant, whatever the way to write them", function()
    local numbers, wires, lists = random.numbers(SEED), {}, {}
    for i = 1, 300 do
      local boxes, written, sizes = random_list(numbers)
      local parsed = assert(address.parse(written, "to"))
      assert.same(plain(boxes), plain(parsed), written)
      lists[i], wires[i] = { boxes = boxes, sizes = sizes }, write(parsed)
      assert.same({}, judge.lint(wires[i]))
    end
    for i, read in ipairs(judge.read(wires)) do
      assert.same({}, read.defects)
      assert.same(plain(lists[i].boxes), read.addresses.To or {}, wires[i])
      local sizes = {}
      for j, group in ipairs(read.groups.To or {}) do sizes[j] = group.members end
      assert.same(lists[i].sizes, sizes, wires[i])
    end
  end)

  it(named "are taken or refused with a reason, and what is taken arrives", function()
    local pieces = { "a@b", "Jane", "<", ">", "<a@b>", ",", ":", ";", '"', "\\", " ", "(", ")", "@", "a", ".", "[",
      "]", "é" }
    local numbers, wires, taken = random.numbers(SEED), {}, {}
    for _ = 1, 3000 do
      local s = join(numbers, pieces, 9)
      local boxes, err = address.parse(s, "to")
      if not boxes then
        assert.equal("message", err.kind)
      elseif not boxes.international then
        taken[#taken + 1], wires[#wires + 1] = { s = s, boxes = boxes }, write(boxes)
      end
    end
    assert.is_true(#taken > 30 and #taken < 3000, #taken)
    for i, read in ipairs(judge.read(wires)) do
      assert.same({}, read.defects, taken[i].s)
      assert.same(plain(taken[i].boxes), read.addresses.To or {}, taken[i].s)
    end
  end)
end)

-- ---- text in headers -----------------------------------------------------------------------------------------------

local CLUSTERS = { "a", " ", "word ", "é", "e\u{301}", "日", "한", "\u{1112}\u{1161}\u{11AB}", "👍🏽",
  "🇯🇵", "1\u{FE0F}\u{20E3}",
  "👩\u{200D}💻", "👨\u{200D}👩\u{200D}👧\u{200D}👦", "क्षि", "ក្ក", "က္က", "ก็", "ம்", "葛\u{E0100}",
    "שָׁ", "😀", "=?", "?=", "_" }

describe("a subject", function()
  it(named "arrives, no character and no grapheme torn", function()
    local numbers, subjects, wires = random.numbers(SEED), {}, {}
    for i = 1, 200 do
      subjects[i] = join(numbers, CLUSTERS, 60)
      wires[i] = assert(message.new { from = "a@b", to = "c@d", subject = subjects[i] }):render():tostring()
      assert.same({}, judge.lint(wires[i]))
    end
    local by_python = judge.read(wires)
    for i, read in ipairs(judge.parse(wires)) do
      assert.same({}, read.defects, subjects[i])
      assert.equal(subjects[i], read.subject)
      assert.equal(subjects[i], by_python[i].subject)
    end
  end)
end)

-- ---- bodies --------------------------------------------------------------------------------------------------------

-- A reader that gives a string in pieces of random lengths.
local function in_pieces(numbers, s, longest)
  local at = 1
  return function()
    if at > #s then return nil end
    local piece = s:sub(at, at + numbers(longest) - 1)
    at = at + #piece
    return piece
  end
end

local function drain(read)
  local pieces = {}
  for piece in read do pieces[#pieces + 1] = piece end
  return table.concat(pieces)
end

local function octets(numbers, count, from)
  local all = {}
  for i = 1, count do all[i] = string.char(from + numbers(256 - from) - 1) end
  return table.concat(all)
end

local TEXTS = { "\r\n", "\r", "\n", " ", "\t", "From ", ".", "=", "é", "日", "plain text ", ("x"):rep(75) }

describe("a body", function()
  it(named "is encoded alike in whatever pieces it is read", function()
    local numbers = random.numbers(SEED)
    for _, longest in ipairs { 1, 3, 60, 5000, 60000 } do
      local input = join(numbers, { octets(numbers, 500, 1), join(numbers, TEXTS, 50) }, 200)
      if longest < 60 then input = input:sub(1, 2000) end
      for _, name in ipairs { "base64", "quoted-printable", "crlf" } do
        local whole = {}
        for at = 1, #input, 1000000 do whole[#whole + 1] = input:sub(at, at + 999999) end
        local read = source.encoded(source.reader(in_pieces(numbers, input, longest), "x"), name, "x")
        assert.is_true(core.encode(name, table.concat(whole)) == drain(read), name .. " in pieces of " .. longest)
      end
    end
  end)

  it(named "is decoded to what went in", function()
    local numbers, inputs, encoded = random.numbers(SEED), {}, { base64 = {}, ["quoted-printable"] = {} }
    for i = 1, 100 do
      inputs[i] = join(numbers, { octets(numbers, 40, 0), join(numbers, TEXTS, 20) }, 6)
      for name, list in pairs(encoded) do list[i] = core.encode(name, inputs[i]) end
    end
    for name, list in pairs(encoded) do assert.same(inputs, judge.decode(name, list)) end
  end)

  it("of a raw message is the same wherever it is cut in two", function()
    local raw = "From: a@b\rBcc: x@y,\n\tz@y\r\nTo: c@d\n\r\nl 1\r\rl 2\r\n.\n\nend"
    local want = message.new({ raw = raw }):render():tostring()
    for at = 1, #raw do
      local pieces = { raw:sub(at + 1), raw:sub(1, at) }
      local given = { raw = { reader = function() return table.remove(pieces) end } }
      assert.equal(want, message.new(given):render():tostring(), at)
    end
  end)
end)
