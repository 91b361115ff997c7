-- A transaction in one call, and replies that are only counted: the two shortcuts of a bulk run. Whatever they do must
-- be what the single calls do.
local script = require "spec.support.script"

local OFFERS = "PIPELINING\nCHUNKING\nSIZE\nDSN\n8BITMIME"
local NONE = {}
local OK = "250 ok\r\n"

local function drained(conn)
  local bytes, all = script.drain(conn), {}
  while bytes ~= "" do
    all[#all + 1] = bytes
    bytes = script.drain(conn)
  end
  return table.concat(all)
end

describe("transact", function()
  local conn

  before_each(function() conn = script.ready(OFFERS) end)

  local function outcome(...)
    local got = { ... }
    got.n = select("#", ...)
    return got
  end

  -- The same by the single calls: what was queued, the tag of the first RCPT, the tag of the end.
  local function one_by_one(other, from, to, options, rcpt_options, message)
    local count, first = 0, nil
    if not other:ready() then
      assert(other:rset())
      count = 1
    end
    assert(other:mail(from, options))
    for _, address in ipairs(to) do
      local tag = assert(other:rcpt(address, rcpt_options))
      first = first or tag
    end
    local tag = message and assert(other:chunk(message, 1, true)) or nil
    return count + 1 + #to + (message and 1 or 0), first, tag
  end

  it("queues what the single calls would, byte for byte", function()
    for _, case in ipairs {
      { "a@client.test", { "b@mail.test" }, NONE, NONE, "text\r\n" },
      { "a@client.test", { "b@mail.test", "c@mail.test", "d@mail.test" }, { size = 6, body = "8bit" }, NONE,
        "text\n" },
      { "", { "b@mail.test" }, { ret = "full", envid = "x" }, { notify = { "delay" }, orcpt = true }, "" },
      { "a@client.test", { "b@mail.test", "c@mail.test" }, NONE, NONE },
    } do
      local all, single = script.ready(OFFERS), script.ready(OFFERS)
      for _ = 1, 3 do -- the second and third behind an end without an answer, so with RSET before them
        if not case[5] then all, single = script.ready(OFFERS), script.ready(OFFERS) end
        local unpack = table.unpack or unpack
        local expected = { one_by_one(single, unpack(case, 1, 5)) }
        assert.same(expected, { all:transact(unpack(case, 1, 5)) })
        assert.equal(drained(single), drained(all))
      end
    end
  end)

  it("puts RSET where one is due, and nowhere else", function()
    local function transact() return conn:transact("a@client.test", { "b@mail.test" }, NONE, NONE, "x\r\n") end
    assert.equal(3, (transact()))
    assert.not_matches("RSET", drained(conn))
    assert.equal(4, (transact())) -- the first one has no answer yet
    assert.matches("^RSET\r\nMAIL", drained(conn))
    conn:feed(OK:rep(7))
    for _ = 1, 7 do assert.equal("reply", (conn:next())) end
    assert.equal(3, (transact())) -- accepted
    assert.matches("^MAIL", drained(conn))
    conn:feed(OK .. OK .. "550 no\r\n")
    for _ = 1, 3 do assert.equal("reply", (conn:next())) end
    assert.equal(4, (transact())) -- refused: the server still has its transaction
    assert.matches("^RSET\r\nMAIL", drained(conn))
  end)

  it("is full, and queues nothing, where not all of the commands can be held", function()
    local to = {}
    for i = 1, 600 do to[i] = ("r%d@mail.test"):format(i) end
    local got = outcome(conn:transact("a@client.test", to, NONE, NONE, "x\r\n"))
    assert.same({ nil, "full" }, { got[1], got[2] })
    assert.is_true(conn:idle())
    assert.equal("", drained(conn))
  end)

  it("queues all of it where there is room for so many commands, however long their lines are", function()
    local to, plus = {}, ("+"):rep(59) -- in ORCPT each becomes \x{2B}
    local domain = (("d"):rep(62) .. "."):rep(2) .. ("d"):rep(62)
    for i = 1, 500 do to[i] = ("%s%03dé@%s"):format(plus, i, domain) end
    conn = script.ready(OFFERS .. "\nSMTPUTF8")
    local every = { notify = { "success", "failure", "delay" }, orcpt = true }
    assert.equal(501, (conn:transact("a@client.test", to, { smtputf8 = true }, every)))
    local lines = 0
    repeat
      local wire = drained(conn)
      local _, n = wire:gsub("\r\n", "")
      lines = lines + n
      conn:feed(OK:rep(n))
      for _ = 1, n do assert.equal("reply", (conn:next())) end
    until n == 0
    assert.equal(501, lines)
  end)

  it("queues only as much as goes, and what goes comes out whole as replies come", function()
    local count = 0
    local queued, last, ends, _
    repeat
      queued, _, last = conn:transact("a@client.test", { "b@mail.test" }, NONE, NONE, "x\r\n")
      if last then count = count + 1 end
    until not last
    assert.is_true(count >= 60, count .. " transactions")
    if queued then -- the commands of one more had room, and its message has not
      assert.equal(3, queued)
      assert.equal("full", (select(2, conn:chunk("x\r\n", 1, true))))
    end
    local wire = ""
    for i = 1, count do
      wire = wire .. drained(conn)
      conn:feed(OK:rep(i == 1 and 3 or 4))
      while conn:next() == "reply" do end
    end
    _, ends = (wire .. drained(conn)):gsub("BDAT 3 LAST\r\nx\r\n", "")
    assert.equal(count, ends)
  end)

  it("leaves the message to be done where there is none, or no room for it", function()
    local count, first, last = conn:transact("a@client.test", { "b@mail.test" }, NONE, NONE)
    assert.same({ 2, true }, { count, last == nil })
    assert.is_number(first)
    assert.is_number((conn:chunk("x\r\n", 1, true)))
    assert.matches("BDAT 3 LAST\r\nx\r\n$", drained(conn))
  end)

  it("tells how much was queued before a bad address, and RSET mends it", function()
    for position, queued in ipairs { 1, 2, 3 } do
      conn = script.ready(OFFERS)
      local to = { "b@mail.test", "c@mail.test", "d@mail.test" }
      to[position] = "b@mail.test>\r\nRCPT TO:<x@mail.test"
      local got = outcome(conn:transact("a@client.test", to, NONE, NONE, "x\r\n"))
      assert.same({ nil, "argument", queued }, { got[1], got[2], got[5] })
      assert.is_string(got[3])
      assert.is_false(conn:failed())
      assert.is_false(conn:ready())
      local wire = drained(conn)
      assert.is_nil(wire:find("x@mail.test", 1, true))
      assert.is_nil(wire:find("BDAT", 1, true))
      local _, lines = wire:gsub("\r\n", "")
      assert.equal(queued, lines)
      assert.equal(4, (conn:transact("a@client.test", { "b@mail.test" }, NONE, NONE, "x\r\n")))
      assert.matches("^RSET\r\nMAIL", drained(conn))
    end
  end)

  it("queues nothing for a bad sender, or for what the server does not offer", function()
    for _, case in ipairs { { "a\n@client.test", NONE, "argument" }, { "a@client.test", { smtputf8 = true },
      "unoffered" } } do
      local got = outcome(conn:transact(case[1], { "b@mail.test" }, case[2], NONE, "x\r\n"))
      assert.same({ nil, case[3], 0 }, { got[1], got[2], got[5] })
      assert.is_true(conn:ready())
      assert.equal("", drained(conn))
    end
    assert.equal(3, (conn:transact("a@client.test", { "b@mail.test" }, NONE, NONE, "x\r\n")))
  end)

  it("raises where it is called wrongly", function()
    for _, arguments in ipairs {
      { 5 }, { "a@client.test", "b@mail.test", NONE, NONE }, { "a@client.test", {}, NONE, NONE },
      { "a@client.test", { "b@mail.test" }, NONE }, { "a@client.test", { "b@mail.test" }, { size = -1 }, NONE },
      { "a@client.test", { "b@mail.test" }, NONE, { notify = "never" } },
    } do
      assert.has_error(function() conn:transact((table.unpack or unpack)(arguments, 1, 5)) end)
    end
    assert.is_true(conn:idle())
  end)
end)

describe("a brief look at what comes next", function()
  -- A connection with so many transactions on the wire.
  local function busy(count)
    local conn = script.ready(OFFERS)
    for _ = 1, count do assert(conn:transact("a@client.test", { "b@mail.test", "c@mail.test" }, NONE, NONE,
      "x\r\n")) end
    drained(conn)
    return conn
  end

  local function look(conn)
    local kind, verb, _, code, _, text, skipped = conn:next(true)
    if kind ~= "reply" then return { kind, verb } end
    return { verb, code, text, skipped }
  end

  it("passes over what says that all goes well, and counts it", function()
    local conn = busy(2)
    conn:feed(OK:rep(3) .. "250 taken\r\n" .. OK:rep(4) .. "250 taken too\r\n")
    assert.same({ "BDAT LAST", 250, "taken", 3 }, look(conn))
    assert.same({ "BDAT LAST", 250, "taken too", 4 }, look(conn)) -- RSET, MAIL, RCPT, RCPT
    assert.same({ "again", 0 }, look(conn))
    assert.is_true(conn:idle())
  end)

  it("counts what it passed over before it had to wait", function()
    local conn = busy(1)
    conn:feed(OK:rep(2) .. "250 o")
    assert.same({ "again", 2 }, look(conn))
    conn:feed "k\r\n"
    assert.same({ "again", 1 }, look(conn))
    conn:feed "250 taken\r\n"
    assert.same({ "BDAT LAST", 250, "taken", 0 }, look(conn))
  end)

  it("passes over no refusal, and tells whose it is", function()
    for refused = 1, 4 do
      local conn, verbs = busy(1), { "MAIL", "RCPT", "RCPT", "BDAT LAST" }
      local replies = {}
      for i = 1, 4 do replies[i] = (i == refused or refused == 1) and "550 no\r\n" or OK end
      conn:feed(table.concat(replies))
      assert.same({ verbs[refused], 550, "no", refused - 1 }, look(conn))
      if refused == 1 then -- and none of those that follow from it
        for i = 2, 4 do assert.same({ verbs[i], 550, "no", 0 }, look(conn)) end
      elseif refused < 4 then
        assert.same({ "BDAT LAST", 250, "ok", 3 - refused }, look(conn))
      end
      assert.same({ "again", 0 }, look(conn))
    end
  end)

  it("passes over no 421, 4yz, nor parts of a message that were refused", function()
    local conn = busy(1)
    conn:feed "250 ok\r\n450 later\r\n421 bye\r\n"
    assert.same({ "RCPT", 450, "later", 1 }, look(conn))
    assert.same({ "RCPT", 421, "bye", 0 }, look(conn))
    conn = script.ready(OFFERS)
    assert(conn:transact("a@client.test", { "b@mail.test" }, NONE, NONE))
    assert(conn:chunk("x\r\n", 1))
    assert(conn:chunk("y\r\n", 1))
    drained(conn)
    conn:feed(OK:rep(3) .. "552 too much\r\n")
    assert.same({ "BDAT", 552, "too much", 3 }, look(conn))
  end)

  it("passes over no 354, nor the end of a message after it", function()
    local conn = script.ready "PIPELINING"
    assert(conn:mail "a@client.test")
    assert(conn:rcpt "b@mail.test")
    assert(conn:data())
    drained(conn)
    conn:feed(OK .. OK .. "354 go\r\n")
    assert.same({ "DATA", 354, "go", 2 }, look(conn))
    assert(conn:body("x\r\n", 1))
    assert(conn:finish())
    drained(conn)
    conn:feed "250 taken\r\n"
    assert.same({ "end", 250, "taken", 0 }, look(conn))
  end)

  it("sees everything where it is not brief", function()
    local conn, seen = busy(1), {}
    conn:feed(OK:rep(4))
    for i = 1, 4 do
      local kind, verb, _, _, _, _, skipped = conn:next()
      seen[i] = kind .. " " .. verb .. " " .. skipped
    end
    assert.same({ "reply MAIL 0", "reply RCPT 0", "reply RCPT 0", "reply BDAT LAST 0" }, seen)
  end)
end)
