--- The corpus, read by programs that share no code with the library: once for a server that offers nothing, once for
-- one that takes 8 bits and UTF-8.
local corpus = require "spec.corpus.corpus"
local expected = require "spec.corpus.expected"
local judge = require "spec.support.judge"
local keeper = require "spec.support.keeper"
local message = require "smtpsec.message"
local planted = require "spec.corpus.planted"
local process = require "spec.support.process"
local random = require "spec.corpus.random"

local FEWEST = 150
local OFFERS = { none = {}, all = { ["8BITMIME"] = true, SMTPUTF8 = true } }
local READERS = { python = judge.read, mailparser = judge.parse }

local written, made = corpus.cases(random.SEED)
local cases = {}
for _, list in ipairs { written, made } do
  for _, case in ipairs(list) do cases[#cases + 1] = case end
end

local folder
local function files(content, name)
  folder = folder or keeper.own():new_folder "corpus"
  return process.write(folder .. "/" .. name, content)
end

-- What is sent of a case to a server, and what it needs of it.
local function send(given, draft, offered)
  local m = assert(draft:render(offered))
  local size, wire = m:size(), assert(m:tostring())
  assert(size == nil or size == #wire, "the size is not what was said")
  return { given = given, wire = wire, needs = m:needs(), unseen = given.raw and size == nil }
end

-- The same for each server that the case can be sent to. One draft serves for all, so that what does not depend on the
-- server is the same; but what a case makes anew can be read once.
local function send_all(case)
  local sent, given, draft = {}, nil, nil
  for offer, offered in pairs(OFFERS) do
    if not draft or type(case.given) == "function" then
      given = corpus.given(case, files)
      draft = assert(message.new(given))
    end
    if not case.needs or offered[case.needs] then
      local one = send(given, draft, offered)
      one.case, one.offer = case, offer
      sent[#sent + 1] = one
    end
  end
  return sent
end

local function is_refused(case, offered)
  local draft, err = message.new(corpus.given(case, files))
  local m = draft
  if draft then m, err = draft:render(offered) end
  return m == nil and err.kind == "message" and tostring(err):find(case.needs, 1, true) ~= nil
end

-- What each reader makes of the messages, each read once.
local function read_all(sent)
  local wires, first = {}, {}
  for _, one in ipairs(sent) do
    if not first[one.wire] then
      wires[#wires + 1] = one.wire
      first[one.wire] = #wires
    end
  end
  for name, reader in pairs(READERS) do
    local read = reader(wires)
    for _, one in ipairs(sent) do one[name] = read[first[one.wire]] end
  end
end

-- case -> what was sent of it, or why it was not. The readers run once for all of them.
local sent_by_case

local function send_and_read()
  local all = {}
  sent_by_case = {}
  for _, case in ipairs(cases) do
    local ok, sent = pcall(send_all, case)
    sent_by_case[case] = ok and sent or tostring(sent)
    for _, one in ipairs(ok and sent or {}) do all[#all + 1] = one end
  end
  read_all(all)
end

local function sent_of(case)
  if not sent_by_case then send_and_read() end
  assert.equal("table", type(sent_by_case[case]), sent_by_case[case])
  return sent_by_case[case]
end

-- What is wrong with the bytes.
local function faults(one)
  local want = one.case.want or {}
  local found = judge.lint(one.wire, one.needs, want.long)
  local eight_bit = one.wire:find("[\128-\255]") ~= nil
  if eight_bit ~= one.needs["8BITMIME"] and not one.unseen then found[#found + 1] = "8BITMIME is not as needed" end
  if one.needs.SMTPUTF8 ~= (one.case.needs == "SMTPUTF8") then found[#found + 1] = "SMTPUTF8 is not as needed" end
  if want.secret and one.wire:find(want.secret, 1, true) then found[#found + 1] = want.secret .. " is there" end
  if want.wire and one.wire ~= want.wire then found[#found + 1] = "the bytes are others" end
  return found
end

describe("the corpus", function()
  it("has as many messages as were promised, each of a name of its own", function()
    assert.is_true(#written >= FEWEST, #written)
    local seen = {}
    for _, case in ipairs(cases) do
      assert.is_nil(seen[case[1]], case[1])
      seen[case[1]] = true
    end
  end)

  for _, case in ipairs(cases) do
    it("holds " .. case[1] .. ", which all readers read alike", function()
      for _, one in ipairs(sent_of(case)) do
        assert.same({}, faults(one), one.offer)
        for name in pairs(READERS) do
          assert.same({}, expected.differences(case, one.given, one[name], name), name .. ", " .. one.offer)
        end
      end
      for _, offered in pairs(OFFERS) do
        assert.is_true(not case.needs or offered[case.needs] or is_refused(case, offered))
      end
    end)
  end
end)

describe("a fault that is planted", function()
  local whole = planted.case

  -- The message whole, and then with each of some faults.
  local function plant(planted_faults)
    local given = corpus.given(whole, files)
    local sent = { send(given, assert(message.new(given)), OFFERS.none) }
    sent[1].case = whole
    for _, fault in ipairs(planted_faults) do
      local one = { case = whole, given = given, needs = sent[1].needs, fault = fault[1] }
      one.wire = planted.put(sent[1].wire, fault[2], fault[3])
      sent[#sent + 1] = one
    end
    return sent
  end

  it("is seen by every reader", function()
    local sent = plant(planted.faults)
    read_all(sent)
    for i, one in ipairs(sent) do
      for name in pairs(READERS) do
        local differences = expected.differences(whole, one.given, one[name], name)
        if i == 1 then assert.same({}, differences) else assert.is_truthy(differences[1], name .. ": " .. one.fault) end
      end
    end
  end)

  it("is seen in the bytes", function()
    for i, one in ipairs(plant(planted.bytes)) do
      if i == 1 then assert.same({}, faults(one)) else assert.is_truthy(faults(one)[1], one.fault) end
    end
    assert.same({ "no CRLF at the end" }, judge.lint("From: a@b\r\n\r\nx"))
  end)

  it("is seen where an encoded word ends inside a character or a grapheme", function()
    local wires = { "Subject: =?UTF-8?Q?=C3=9C?=\r\n =?UTF-8?B?8J+HrfCfh7U=?=\r\n\r\nx\r\n" }
    for i, torn in ipairs(planted.torn) do wires[i + 1] = "Subject: " .. torn[2] .. "\r\n\r\nx\r\n" end
    for i, read in ipairs(judge.parse(wires)) do
      if i == 1 then assert.same({}, read.defects) else assert.is_truthy(read.defects[1], planted.torn[i - 1][1]) end
    end
  end)
end)
