-- A message on its way through BDAT (RFC 3030): the same message that DATA would carry, without dots doubled, in the
-- flight of its envelope, and many of them in flight at once (RFC 2920).
local script = require "spec.support.script"
local new_ends = require "spec.support.tls_ends".new

local peer, client, last_events, normalized = script.peer, script.client, script.last_events, script.normalized
local mail, rcpt = { "mail", "a@client.test" }, { "rcpt", "b@mail.test" }
local MAIL, RCPT = "MAIL FROM:<a@client.test>\r\n", "RCPT TO:<b@mail.test>\r\n"
local ok, no = "250 ok\r\n", "550 no\r\n"
local last = function(text) return { "chunk", text, 1, true } end
local part = function(text) return { "chunk", text, 1 } end

local function BDAT(text, more)
  return ("BDAT %d%s\r\n%s"):format(#text, more and "" or " LAST", text)
end

local function session(turns, ...)
  return script.everywhere {
    client = client((table.unpack or unpack)(turns)), peer = peer("PIPELINING\nCHUNKING", ...),
  }
end

local function addressed(offers, options)
  local conn = script.ready(offers or "PIPELINING\nCHUNKING", options)
  assert(conn:mail(mail[2]))
  assert(conn:rcpt(rcpt[2]))
  return conn
end

-- A server that goes by RFC 3030: the message, how many parts it had, and what follows it.
local function received(wire)
  local message, at, ended = {}, 1, false
  while not ended do
    local first, behind, count, word = wire:find("^BDAT (%d+)( ?%u*)\r\n", at)
    assert(first, "no BDAT where one was due")
    assert(word == "" or word == " LAST")
    assert(#wire >= behind + count, "octets are missing")
    message[#message + 1] = wire:sub(behind + 1, behind + count)
    at, ended = behind + 1 + tonumber(count), word ~= ""
  end
  return table.concat(message), #message, wire:sub(at)
end

describe("a message in parts", function()
  local conn

  before_each(function()
    conn = script.ready "PIPELINING\nCHUNKING"
  end)

  -- What goes out for a message that is handed over in these pieces.
  local function send(pieces)
    assert(conn:mail(mail[2]))
    assert(conn:rcpt(rcpt[2]))
    for i, piece in ipairs(pieces) do
      local tag, taken = conn:chunk(piece, 1, i == #pieces)
      assert(tag and taken == #piece)
    end
    local wire = script.drain(conn)
    conn:feed(ok:rep(2 + #pieces))
    for _ = 1, 2 + #pieces do
      assert(conn:next() == "reply")
    end
    assert(conn:idle())
    return (wire:gsub("^MAIL[^\n]*\nRCPT[^\n]*\n", ""))
  end

  local function bytes_of(text)
    local pieces = { text:sub(1, 1) }
    for i = 2, #text do
      pieces[i] = text:sub(i, i)
    end
    return pieces
  end

  local function check_pieces(expected, pieces, words)
    local message, parts, rest = received(send(pieces))
    assert.equal(expected, message, words)
    assert.equal(#pieces, parts)
    assert.equal("", rest)
  end

  -- Sends it in every way to cut it in two, and byte by byte.
  local function check(text)
    local expected = normalized(text)
    check_pieces(expected, { text }, "whole")
    check_pieces(expected, bytes_of(text), "byte by byte")
    for cut = 0, #text do
      check_pieces(expected, { text:sub(1, cut), text:sub(cut + 1) }, cut)
    end
    return expected
  end

  for text, message in pairs {
    [""] = "", ["text"] = "text\r\n", ["text\r\n"] = "text\r\n", ["."] = ".\r\n", [".\r\n"] = ".\r\n",
    ["\r\n.\r\n"] = "\r\n.\r\n", ["a\r\n.b\r\n..c"] = "a\r\n.b\r\n..c\r\n", ["\n"] = "\r\n", ["\r"] = "\r\n",
    ["\n\r"] = "\r\n\r\n", ["\r\r\n"] = "\r\n\r\n", ["\r\n\n"] = "\r\n\r\n", ["\255\128\195"] = "\255\128\195\r\n",
    ["BDAT 3 LAST\r\nabc"] = "BDAT 3 LAST\r\nabc\r\n",
  } do
    it(("%q becomes %q"):format(text, message), function()
      assert.equal(message, check(text))
    end)
  end

  it("is counted as it goes out", function()
    assert.equal("BDAT 0 LAST\r\n", send { "" })
    assert.equal("BDAT 6 LAST\r\ntext\r\n", send { "text" })
    assert.equal("BDAT 12 LAST\r\n" .. ("x\r\n"):rep(4), send { ("x\n"):rep(4) })
    assert.equal("BDAT 10 LAST\r\n" .. ("\r\n"):rep(5), send { ("\n"):rep(5) })
    assert.equal("BDAT 9\r\nxxxxxxx\r\nBDAT 9 LAST\r\nyyyyyyy\r\n", send { "xxxxxxx\r", "\nyyyyyyy\r\n" })
    assert.equal("BDAT 2\r\n\r\nBDAT 0 LAST\r\n", send { "\r", "\n" })
    assert.equal("BDAT 4\r\ntextBDAT 2 LAST\r\n\r\n", send { "text", "" })
  end)

  it("is what DATA would have carried, whatever it holds and however it was cut", function()
    local alphabet = { "\r", "\n", ".", "\r\n", "\r\n.", "a", ".\r\n", "text", "\255" }
    math.randomseed(20240229)
    for _ = 1, 200 do
      local parts = { "" }
      for i = 2, math.random(0, 14) do
        parts[i] = alphabet[math.random(#alphabet)]
      end
      local text = table.concat(parts)
      assert.equal(check(text), received(send(parts)))
    end
  end)

  it("does not remember the one before", function()
    assert.equal("BDAT 3 LAST\r\nx\r\n", send { "x\r" })
    assert.equal("BDAT 2 LAST\r\n\r\n", send { "\n" })
    conn:mail(mail[2])
    conn:rcpt(rcpt[2])
    conn:chunk("open\r", 1)
    conn:rset()
    script.drain(conn)
    conn:feed(ok:rep(4))
    for _ = 1, 4 do
      assert.equal("reply", (conn:next()))
    end
    assert.equal("BDAT 2 LAST\r\n\r\n", send { "\n" })
    script.transaction(conn)
    conn:body("open", 1)
    conn:finish()
    script.drain(conn)
    conn:feed(ok)
    conn:next()
    assert.equal("BDAT 0 LAST\r\n", send { "" })
  end)

  it("with a NUL is refused, part by part, and costs nothing", function()
    conn = addressed()
    for _, piece in ipairs { "\0", "a\0", "\0a", "\r\0", ("x"):rep(1000) .. "\0" } do
      local before = conn:output()
      local tag, status, text = conn:chunk(piece, 1, true)
      assert.is_nil(tag)
      assert.equal("argument", status)
      assert.equal("the message contains a NUL", text)
      assert.equal(before, conn:output())
    end
    assert(conn:chunk("\ngood", 1, true))
    assert.equal(MAIL .. RCPT .. BDAT "\r\ngood\r\n", conn:output())
  end)

  it("takes at most so much a call, and its end only with the last of it", function()
    conn = addressed()
    local long = ("x"):rep(2 ^ 18 + 5)
    local tag, taken, waiting = conn:chunk(long, 1, true)
    assert.equal(2 ^ 18, taken)
    assert.equal(#MAIL + #RCPT + #"BDAT 262144\r\n" + 2 ^ 18, waiting)
    local again
    again, taken, waiting = conn:chunk(long, 2 ^ 18 + 1, true)
    assert.is_true(again ~= tag)
    assert.equal(5, taken)
    assert.equal(MAIL .. RCPT .. "BDAT 262144\r\n" .. ("x"):rep(2 ^ 18) .. BDAT "xxxxx\r\n",
      script.drain(conn) .. script.drain(conn))
    assert.equal(waiting, #MAIL + #RCPT + #"BDAT 262144\r\n" + 2 ^ 18 + #BDAT "xxxxx\r\n")
    conn:feed(ok:rep(3))
    for _ = 1, 3 do
      conn:next()
    end
    assert.equal("BDAT LAST", conn:waiting())
    for _, from in ipairs { 0, 5, -1, 1.5 } do
      assert.has_error(function() conn:chunk("abc", from, true) end)
    end
  end)

  it("waits where the output is full, and loses nothing", function()
    conn = addressed()
    local piece, taken = (".\n"):rep(2 ^ 17), 0
    local tag, n, more = conn:chunk(piece, 1)
    while tag do
      taken = taken + n
      tag, n, more = conn:chunk(piece, 1)
    end
    assert.equal("full", n)
    assert.equal("no room for more of the message", more)
    local before = conn:waiting()
    local wire = {}
    repeat
      wire[#wire + 1] = script.drain(conn)
    until wire[#wire] == ""
    assert(conn:chunk("end", 1, true))
    wire[#wire + 1] = script.drain(conn)
    assert.equal(before, conn:waiting())
    local message = received((table.concat(wire):gsub("^MAIL[^\n]*\nRCPT[^\n]*\n", "")))
    assert.equal((".\r\n"):rep(taken / 2) .. "end\r\n", message)
  end)
end)

describe("BDAT", function()
  it("leaves in the flight of its envelope, and QUIT behind it", function()
    local result = session({ { mail, rcpt, last "Subject: x\r\n\r\n.hello", { "quit" } } },
      { expect = MAIL .. RCPT .. BDAT "Subject: x\r\n\r\n.hello\r\n" .. "QUIT\r\n",
        reply = ok .. ok .. "250 2.0.0 queued\r\n221 bye\r\n" })
    assert.same({ "EHLO client.test\r\n", MAIL .. RCPT .. BDAT "Subject: x\r\n\r\n.hello\r\n" .. "QUIT\r\n" },
      result.flights)
    assert.same({ "MAIL 250 ok", "RCPT 250 ok", "BDAT LAST 250 [2.0.0] queued", "QUIT 221 bye" },
      last_events(result, 4))
  end)

  it("may come in parts in one flight", function()
    local group = MAIL .. RCPT .. BDAT("one\r", true):gsub("4", "5", 1):gsub("\r$", "\r\n") .. BDAT("", true)
    local result = session({ { mail, rcpt, part "one\r", part "\n", last "two" } },
      { expect = group .. BDAT "two\r\n", reply = ok:rep(5) })
    assert.is_nil(result.failure)
    assert.same({ "BDAT 250 ok", "BDAT 250 ok", "BDAT LAST 250 ok" }, last_events(result, 3))
  end)

  it("is refused where it is not offered", function()
    for _, offers in ipairs { "SIZE 5", "XCHUNKING", "CHUNKING-NOT", "BDAT" } do
      local conn = addressed("PIPELINING\n" .. offers)
      local tag, status, text = conn:chunk("x", 1, true)
      assert.is_nil(tag)
      assert.same({ "unoffered", "the server does not offer CHUNKING" }, { status, text })
      assert.equal(MAIL .. RCPT, conn:output())
      assert(conn:data())
    end
    assert(addressed("pipelining\nchunking"):chunk("x", 1, true))
  end)

  it("waits for the replies before it without PIPELINING", function()
    local result = script.everywhere {
      client = function(self)
        self:event()
        self:ask("ehlo", "client.test")
        self:queue(mail[1], mail[2])
        self:queue(rcpt[1], rcpt[2])
        for _, piece in ipairs { "one", "two" } do
          while true do
            local tag, status, text = self.conn:chunk(piece, 1, piece == "two")
            if tag then break end
            assert.same({ "full", "what was queued before must be written, and answered, first" }, { status, text })
            self:event()
          end
        end
        self:event()
        assert.is_true(self.conn:idle())
      end,
      peer = peer("CHUNKING", { expect = MAIL, reply = ok }, { expect = RCPT, reply = ok },
        { expect = BDAT("one", true), reply = ok }, { expect = BDAT "two\r\n", reply = ok }),
    }
    assert.is_nil(result.failure)
    assert.equal(0, result.steps_left)
  end)

  it("waits behind what ends a group", function()
    local conn = addressed()
    assert(conn:noop())
    local before = conn:output()
    local tag, status = conn:chunk("x", 1, true)
    assert.is_nil(tag)
    assert.equal("full", status)
    assert.equal(before, conn:output())
    script.drain(conn)
    conn:feed(ok:rep(3))
    for _ = 1, 3 do
      conn:next()
    end
    assert(conn:chunk("x", 1, true))
    assert.equal(BDAT "x\r\n", conn:output())
  end)

  it("waits while a byte from the server is unread", function()
    local conn = addressed()
    script.drain(conn)
    conn:feed(ok .. ok)
    conn:next()
    conn:next()
    conn:feed "2"
    assert.equal("full", (select(2, conn:chunk("x", 1, true))))
    assert.equal("", conn:output())
  end)

  it("is sent when its last octet is written", function()
    local conn = addressed()
    local first = conn:chunk("one", 1)
    local second = conn:chunk("two", 1, true)
    local ends = { #MAIL + #RCPT + #BDAT("one", true), #MAIL + #RCPT + #BDAT("one", true) + #BDAT "two\r\n" }
    for written = 1, ends[2] do
      conn:output()
      conn:consumed(1)
      assert.equal(written >= ends[1], conn:sent(first))
      assert.equal(written >= ends[2], conn:sent(second))
    end
  end)

  it("lets its reply be waited for as long as that of the final dot", function()
    local conn = addressed()
    conn:chunk("one", 1)
    conn:chunk("two", 1, true)
    script.drain(conn)
    local phases = { conn:phase() }
    for i = 2, 5 do
      conn:feed(ok)
      conn:next()
      phases[i] = conn:phase()
    end
    assert.same({ "command", "command", "body", "final", "command" }, phases)
  end)

  it("that is refused stops the message it belongs to, and no other", function()
    local conn = addressed()
    conn:chunk("one", 1)
    conn:chunk("two", 1)
    script.drain(conn)
    conn:feed(ok .. ok .. "452 4.3.1 no space\r\n")
    for _ = 1, 3 do
      conn:next()
    end
    local tag, status = conn:chunk("three", 1, true)
    assert.is_nil(tag)
    assert.equal("state", status)
    assert(conn:rset())
    assert.equal("RSET\r\n", conn:output())

    conn = addressed()
    conn:chunk("one", 1)
    conn:rset()
    conn:mail(mail[2])
    conn:rcpt(rcpt[2])
    conn:chunk("two", 1)
    script.drain(conn)
    conn:feed(ok .. ok .. "452 4.3.1 no space\r\n" .. ok)
    for _ = 1, 4 do
      conn:next()
    end
    assert(conn:chunk("three", 1, true))
    script.drain(conn)
    conn:feed(ok:rep(4))
    for _ = 1, 4 do
      assert.equal("reply", (conn:next()))
    end
    assert.is_true(conn:idle())
  end)

  it("that is refused leaves only RSET", function()
    local result = session({ { mail, rcpt, last "text" }, { { "rset" }, mail, rcpt, last "more" } },
      { expect = MAIL .. RCPT .. BDAT "text\r\n", reply = ok .. ok .. "552 5.3.4 too big\r\n" },
      { expect = "RSET\r\n" .. MAIL .. RCPT .. BDAT "more\r\n", reply = ok:rep(4) })
    assert.is_nil(result.failure)
    assert.is_true(result.conn:idle())
  end)
end)

describe("many transactions in flight", function()
  -- A server's replies to transactions, each { mail, rcpt, bdat } of codes, with RSET between them.
  local function run(verdicts)
    local group, expect, reply, events = {}, {}, {}, {}
    for i, verdict in ipairs(verdicts) do
      for _, command in ipairs { mail, rcpt, last("text " .. i), { "rset" } } do
        group[#group + 1] = command
      end
      expect[i] = MAIL .. RCPT .. BDAT("text " .. i .. "\r\n") .. "RSET\r\n"
      for j, verb in ipairs { "MAIL", "RCPT", "BDAT LAST", "RSET" } do
        local code = verdict[j] or 250
        reply[#reply + 1] = ("%d %d\r\n"):format(code, i)
        events[#events + 1] = ("%s %d %d"):format(verb, code, i)
      end
    end
    local result = session({ group }, { expect = table.concat(expect), reply = table.concat(reply) })
    return result, events
  end

  it("each have their own verdict", function()
    local result, events = run { {}, { 250, 550, 503 }, {}, { 550, 503, 503 }, { 250, 250, 552 }, {} }
    assert.is_nil(result.failure)
    assert.equal(2, #result.flights)
    assert.same(events, last_events(result, 24))
    assert.is_true(result.conn:idle())
  end)

  it("may be 64", function()
    local conn = script.ready "PIPELINING\nCHUNKING"
    local expect = {}
    for i = 1, 64 do
      assert(conn:mail(mail[2]))
      assert(conn:rcpt(rcpt[2]))
      assert(conn:chunk("text " .. i, 1, true))
      assert(conn:rset())
      expect[i] = MAIL .. RCPT .. BDAT("text " .. i .. "\r\n") .. "RSET\r\n"
    end
    assert.equal(table.concat(expect), script.drain(conn))
    conn:feed(ok:rep(256))
    for _ = 1, 256 do
      assert.equal("reply", (conn:next()))
    end
    assert.is_true(conn:idle())
  end)

  it("may end with QUIT, without RSET before it", function()
    local conn = addressed()
    assert(conn:chunk("x", 1, true))
    assert(conn:quit())
    assert.equal(MAIL .. RCPT .. BDAT "x\r\n" .. "QUIT\r\n", script.drain(conn))
    conn:feed(ok:rep(3))
    conn:feed ""
    for _ = 1, 3 do
      assert.equal("reply", (conn:next()))
    end
    assert.equal("closed", (select(2, conn:next())))
  end)

  it("may take turns with DATA", function()
    local result = session({ { mail, rcpt, last "one", { "rset" }, mail, rcpt, { "data" } }, { body = ".two" },
        { { "finish" }, mail, rcpt, last ".three" } },
      { expect = MAIL .. RCPT .. BDAT "one\r\n" .. "RSET\r\n" .. MAIL .. RCPT .. "DATA\r\n",
        reply = ok:rep(3) .. ok .. ok .. ok .. "354 go\r\n" },
      { expect = "..two\r\n.\r\n" .. MAIL .. RCPT .. BDAT ".three\r\n", reply = "554 no\r\n" .. ok:rep(3) })
    assert.is_nil(result.failure)
    assert.same({ "end 554 no", "MAIL 250 ok", "RCPT 250 ok", "BDAT LAST 250 ok" }, last_events(result, 4))
    assert.is_true(result.conn:idle())
  end)

  it("do not lend each other their recipients", function()
    local result = session({ { mail, rcpt, last "one", { "rset" }, mail, rcpt, { "data" } }, "event" },
      { expect = MAIL .. RCPT .. BDAT "one\r\n" .. "RSET\r\n" .. MAIL .. RCPT .. "DATA\r\n",
        reply = ok .. ok .. ok .. ok .. ok .. no .. "354 go\r\n" },
      { expect = ".\r\n", reply = "554 no\r\n" })
    assert.is_nil(result.failure)
    assert.is_true(result.conn:idle())
  end)

  -- Behind a BDAT LAST that was refused, MAIL would be a nested one, and its message go out under the sender before it.
  it("are never nested", function()
    local conn = addressed()
    conn:chunk("one", 1, true)
    local tag, status = conn:mail "c@client.test"
    assert.is_nil(tag)
    assert.equal("state", status)
    script.drain(conn)
    conn:feed(ok .. no)
    conn:next()
    conn:next()
    assert.is_nil(conn:mail "c@client.test")
    conn:feed "503 5.5.1 no valid recipients\r\n"
    conn:next()
    assert.is_nil(conn:mail "c@client.test")
    assert.is_false(conn:idle())
    assert(conn:rset())
    assert(conn:mail "c@client.test")
    assert.equal("RSET\r\nMAIL FROM:<c@client.test>\r\n", conn:output())
  end)
end)

-- RFC 2033 section 4.2: the last part has a reply for each recipient that was accepted, which nobody knows yet when it
-- leaves.
describe("an LMTP server", function()
  local function lmtp(turns, ...)
    return script.everywhere {
      client = { "event", { "lhlo", "client.test" }, (table.unpack or unpack)(turns) },
      peer = { { reply = "220 mail.test\r\n" },
        { expect = "LHLO client.test\r\n", reply = "250-mail.test\r\n250-PIPELINING\r\n250 CHUNKING\r\n" }, ... },
    }
  end
  local group = { mail, rcpt, rcpt, rcpt, last "text" }
  local GROUP = MAIL .. RCPT:rep(3) .. BDAT "text\r\n"

  it("gives a verdict for each recipient that it accepted", function()
    local result = lmtp({ group, "event", { mail } },
      { expect = GROUP, reply = ok .. ok .. no .. ok .. "250 one\r\n250 two\r\n" }, { expect = MAIL, reply = ok })
    assert.is_nil(result.failure)
    assert.same({ "BDAT LAST 250 one", "BDAT LAST 250 two", "MAIL 250 ok" }, last_events(result, 3))
  end)

  it("gives one where it accepted none", function()
    local result = lmtp({ group, { { "rset" }, mail } },
      { expect = GROUP, reply = ok .. no .. no .. no .. "503 no recipients\r\n" },
      { expect = "RSET\r\n" .. MAIL, reply = ok .. ok })
    assert.is_nil(result.failure)
    assert.same({ "BDAT LAST 503 no recipients", "RSET 250 ok", "MAIL 250 ok" }, last_events(result, 3))
  end)

  it("has its verdicts told from those on the next message", function()
    local next_group = { { "rset" }, mail, rcpt, last "more" }
    for verdicts, events in pairs {
      ["250 a\r\n452 b\r\n"] = { "BDAT LAST 250 a", "BDAT LAST 452 b" },
      ["452 a\r\n250 b\r\n"] = { "BDAT LAST 452 a", "BDAT LAST 250 b" },
      ["452 a\r\n452 b\r\n"] = { "BDAT LAST 452 a", "BDAT LAST 452 b" },
    } do
      local turn = { mail, rcpt, rcpt, last "text", (table.unpack or unpack)(next_group) }
      local result = lmtp({ turn, "event" },
        { expect = MAIL .. RCPT:rep(2) .. BDAT "text\r\n" .. "RSET\r\n" .. MAIL .. RCPT .. BDAT "more\r\n",
          reply = ok:rep(3) .. verdicts .. ok:rep(3) .. "250 end\r\n" })
      assert.is_nil(result.failure)
      assert.same({ events[1], events[2], "RSET 250 ok", "MAIL 250 ok", "RCPT 250 ok", "BDAT LAST 250 end" },
        last_events(result, 6))
      assert.is_true(result.conn:idle())
    end
  end)

  it("leaves RSET to do where one of its verdicts was a refusal", function()
    for verdicts, idle in pairs {
      ["250 a\r\n250 b\r\n"] = true, ["250 a\r\n452 b\r\n"] = false, ["452 a\r\n250 b\r\n"] = false,
    } do
      local result = lmtp({ { mail, rcpt, rcpt, last "text" }, "event" },
        { expect = MAIL .. RCPT:rep(2) .. BDAT "text\r\n", reply = ok:rep(3) .. verdicts })
      assert.is_nil(result.failure)
      assert.equal(idle, result.conn:idle())
      assert.equal(idle, result.conn:mail(mail[2]) ~= nil)
    end
  end)

  it("may not say more than that", function()
    local result = lmtp({ group, "event" }, { expect = GROUP, reply = ok .. ok .. no .. ok .. ok:rep(3) })
    assert.same({ "protocol", "the server sent a reply (250) that no command asked for" },
      { result.failure.status, result.failure.text })
  end)

  -- Had it refused the part, its replies to the last one could not be counted.
  it("is asked about each part before the next", function()
    local result = lmtp({ { mail, rcpt, part "one" }, { last "two" } },
      { expect = MAIL .. RCPT .. BDAT("one", true), reply = ok:rep(3) }, { expect = BDAT "two\r\n", reply = ok })
    assert.is_nil(result.failure)
    local conn = result.conn
    conn:mail(mail[2])
    conn:rcpt(rcpt[2])
    assert(conn:chunk("one", 1))
    assert.equal("full", (select(2, conn:chunk("two", 1, true))))
    assert(conn:rset())
    assert.equal(MAIL .. RCPT .. BDAT("one", true) .. "RSET\r\n", conn:output())
  end)
end)

describe("inside TLS", function()
  local ends

  setup(function()
    ends = new_ends()
  end)

  teardown(function()
    ends:remove()
  end)

  local function ready()
    return script.play({
      options = ends:options "implicit", client = { "event", "event", { "ehlo", "client.test" } },
      peer = { { tls = ends.server }, { reply = "220 mail.test\r\n" },
        { expect = "EHLO client.test\r\n", reply = "250-mail.test\r\n250-PIPELINING\r\n250 CHUNKING\r\n" } },
    }).conn
  end

  -- The lengths of the records on the wire.
  local function records(wire)
    local lengths, at = {}, 1
    while at <= #wire do
      local kind, high, low = wire:byte(at), wire:byte(at + 3, at + 4)
      assert.equal(23, kind)
      lengths[#lengths + 1] = 256 * high + low
      at = at + 5 + lengths[#lengths]
    end
    return lengths
  end

  local function send(conn, text)
    assert(conn:mail(mail[2]))
    assert(conn:rcpt(rcpt[2]))
    return assert(conn:chunk(text, 1, true))
  end

  it("a transaction is one record, where it fits", function()
    local conn = ready()
    send(conn, ("x"):rep(2000))
    assert.equal(1, #records(script.drain(conn)))
    conn = ready()
    send(conn, ("x"):rep(16384 - #(MAIL .. RCPT) - #"BDAT 16300 LAST\r\n" - 2))
    assert.equal(1, #records(script.drain(conn)))
    conn = ready()
    send(conn, ("x"):rep(16385 - #(MAIL .. RCPT) - #"BDAT 16300 LAST\r\n" - 2))
    assert.equal(2, #records(script.drain(conn)))
  end)

  it("it is sent when the record with its last octet is written", function()
    local conn = ready()
    local tags = { send(conn, "one") }
    conn:rset()
    local first = #conn:output()
    tags[2] = send(conn, ("x"):rep(20000))
    local whole = #conn:output()
    for written = 1, whole do
      conn:consumed(1)
      assert.equal(written >= first, conn:sent(tags[1]))
      assert.equal(written >= whole, conn:sent(tags[2]))
    end
  end)
end)

describe("a server that", function()
  it("accepts a message before its octets are out violates the protocol", function()
    for _, code in ipairs { 250, 354 } do
      for written = 0, #BDAT "text\r\n" - 1 do
        local conn = addressed()
        local tag = conn:chunk("text", 1, true)
        conn:output()
        conn:consumed(#MAIL + #RCPT + written)
        conn:feed(ok .. ok .. code .. " queued\r\n")
        conn:next()
        conn:next()
        local kind, status, text = conn:next()
        assert.is_nil(kind)
        assert.equal("protocol", status)
        assert.equal(code == 250 and "the server answered BDAT LAST before it was sent"
          or "the server answered BDAT LAST with 354", text)
        assert.equal("", conn:output())
        assert.is_false(tag == nil)
      end
    end
    local conn = addressed()
    conn:chunk("text", 1, true)
    script.drain(conn)
    conn:feed(ok:rep(3))
    for _ = 1, 3 do
      assert.equal("reply", (conn:next()))
    end
  end)

  it("takes a part before its octets are out violates the protocol", function()
    local conn = addressed()
    conn:chunk("text", 1)
    local wire = conn:output()
    conn:consumed(#wire - 1)
    conn:feed(ok:rep(3))
    conn:next()
    conn:next()
    assert.equal("the server answered BDAT before it was sent", (select(3, conn:next())))
  end)

  it("refuses a message before its octets are out is heard, and then it is over", function()
    for _, how in ipairs { { true, "BDAT LAST" }, { false, "BDAT" } } do
      for written = 0, #BDAT("text\r\n", not how[1]) - 1, 3 do
        local conn = addressed()
        local tag = conn:chunk("text\r\n", 1, how[1])
        conn:output()
        conn:consumed(#MAIL + #RCPT + written)
        conn:feed(ok .. ok .. "552 5.3.4 too big\r\n")
        conn:next()
        conn:next()
        local kind, verb, answered, code = conn:next()
        assert.same({ "reply", how[2], tag, 552 }, { kind, verb, answered, code })
        assert.is_nil(conn:rset())
        assert.is_false(conn:idle())
        assert.equal("closed", (select(2, conn:next())))
      end
    end
  end)

  it("answers BDAT with 354 violates the protocol", function()
    local result = session({ { mail, rcpt, last "text" } },
      { expect = MAIL .. RCPT .. BDAT "text\r\n", reply = ok .. ok .. "354 go\r\n" })
    assert.equal("protocol", result.failure.status)
    assert.equal("the server answered BDAT LAST with 354", result.failure.text)
  end)

  it("answers BDAT twice violates the protocol", function()
    local result = session({ { mail, rcpt, last "text" }, "event" },
      { expect = MAIL .. RCPT .. BDAT "text\r\n", reply = ok:rep(4) })
    assert.equal("protocol", result.failure.status)
    assert.equal("BDAT LAST 250 ok", result.events[#result.events])
  end)

  it("accepts what it had refused violates the protocol, and is never believed", function()
    for _, replies in ipairs { ok .. no .. ok, no .. ok .. ok, no .. no .. ok } do
      local result = session({ { mail, rcpt, last "text" } },
        { expect = MAIL .. RCPT .. BDAT "text\r\n", reply = replies })
      assert.equal("protocol", result.failure.status)
      assert.equal("the server accepted a message that it had refused (250)", result.failure.text)
    end
    local result = session({ { mail, rcpt, part "one", last "two" } },
      { expect = MAIL .. RCPT .. BDAT("one", true) .. BDAT "two\r\n", reply = ok .. ok .. no .. ok })
    assert.equal("the server accepted a message that it had refused (250)", result.failure.text)
    result = session({ { mail, rcpt, rcpt, last "text" } },
      { expect = MAIL .. RCPT .. RCPT .. BDAT "text\r\n", reply = ok .. no .. ok .. ok })
    assert.is_nil(result.failure)
  end)

  it("takes its leave among many transactions is heard, and the rest stay unanswered", function()
    local conn = script.ready "PIPELINING\nCHUNKING"
    local tags = {}
    for i = 1, 3 do
      conn:mail(mail[2])
      conn:rcpt(rcpt[2])
      tags[i] = conn:chunk("text", 1, true)
      conn:rset()
    end
    local one = #(MAIL .. RCPT .. BDAT "text\r\n" .. "RSET\r\n")
    conn:output()
    conn:consumed(2 * one)
    conn:feed(ok:rep(4) .. "421 4.3.2 shutting down\r\n" .. ok)
    for _ = 1, 4 do
      assert.equal("reply", (conn:next()))
    end
    assert.same({ "reply", "MAIL", 421 }, { (function(a, b, _, d) return a, b, d end)(conn:next()) })
    assert.equal("closed", (select(2, conn:next())))
    assert.same({ true, true, false }, { conn:sent(tags[1]), conn:sent(tags[2]), conn:sent(tags[3]) })
  end)
end)

-- RFC 3030 section 3: octets, of which none is a line end, and which DATA cannot carry.
describe("a binary message", function()
  local OFFERS = "PIPELINING\nCHUNKING\nBINARYMIME\n8BITMIME"
  local BINARY = MAIL:gsub(">", "> BODY=BINARYMIME") .. RCPT

  local function begin(offers)
    local conn = script.ready(offers or OFFERS)
    assert(conn:mail(mail[2], { body = "binary" }))
    assert(conn:rcpt(rcpt[2]))
    return conn
  end

  local function send(...)
    local conn, pieces, parts = begin(), { ... }, {}
    for i, piece in ipairs(pieces) do
      assert(conn:chunk(piece, 1, i == #pieces))
      parts[i] = BDAT(piece, i < #pieces)
    end
    assert.equal(BINARY .. table.concat(parts), script.drain(conn))
  end

  it("passes as it is, however it is cut", function()
    local every = {}
    for i = 0, 255 do every[i + 1] = string.char(i) end
    for _, bytes in ipairs { "", "\0", "\r", "\n", "a\nb\rc\r\n.\r\n..\n\0", "\r\n\r\n", table.concat(every) } do
      send(bytes)
      for cut = 0, #bytes, math.max(1, math.floor(#bytes / 16)) do send(bytes:sub(1, cut), bytes:sub(cut + 1)) end
    end
  end)

  it("does not go by DATA, and what follows it is a message again as all are", function()
    local conn = begin()
    local none, status, text = conn:data()
    assert.same({ nil, "state", "a binary message goes by BDAT, not by DATA (RFC 3030, 3)" }, { none, status, text })
    assert(conn:chunk("a\n\0", 1, true))
    assert(conn:rset())
    assert(conn:mail(mail[2], { body = "8bit" }))
    assert(conn:rcpt(rcpt[2]))
    none, status, text = conn:chunk("a\0", 1, true)
    assert.same({ nil, "argument", "the message contains a NUL" }, { none, status, text })
    assert(conn:chunk("a\n", 1, true))
    assert(conn:rset())
    assert(conn:mail(mail[2]))
    assert(conn:rcpt(rcpt[2]))
    assert(conn:data())
    assert.equal(BINARY .. BDAT "a\n\0" .. "RSET\r\n" .. MAIL:gsub(">", "> BODY=8BITMIME") .. RCPT
      .. BDAT "a\r\n" .. "RSET\r\n" .. MAIL .. RCPT .. "DATA\r\n", script.drain(conn))
  end)

  it("takes no more bytes than it has", function()
    local conn, bytes = begin(), ("\r\n\0"):rep(20000)
    assert(conn:chunk(bytes, 1, true))
    assert.equal(#BINARY + #"BDAT 60000 LAST\r\n" + 60000, #script.drain(conn))
  end)
end)

describe("an extension that is not to be used", function()
  it("counts as not offered", function()
    local all = "PIPELINING\nCHUNKING\nSIZE 5"
    local conn = script.ready(all, { tls = "none", without_chunking = true })
    assert.same({ PIPELINING = "", SIZE = "5" }, conn:capabilities())
    conn = addressed(all, { tls = "none", without_chunking = true })
    assert.equal("unoffered", (select(2, conn:chunk("x", 1, true))))
    conn = addressed(all, { tls = "none", without_pipelining = true })
    assert.same({ CHUNKING = "", SIZE = "5" }, conn:capabilities())
    assert.equal(MAIL, conn:output())
    assert.equal("full", (select(2, conn:chunk("x", 1, true))))
    assert.same({ PIPELINING = "", CHUNKING = "", SIZE = "5" }, script.ready(all):capabilities())
    assert.has_error(function() script.ready(all, { tls = "none", without_chunking = 1 }) end)
  end)
end)
