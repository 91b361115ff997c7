-- The sink's side of a connection, in memory: every case is what a client sends and what it is answered.
local core = require "smtpsec.core"
local faults = require "smtpsec.sink.faults"
local options = require "smtpsec.sink.options"
local session = require "smtpsec.sink.session"
local store = require "smtpsec.sink.store"

local FACTS = { version = "TLSv1.3", cipher = "TLS_AES_128_GCM_SHA256" }

-- A session in `mode` with its store and what it notes.
local function open(given, mode)
  local settings = options.complete(given)
  local notes = {}
  local sink = setmetatable({ faults = faults.new(settings.faults), store = store.new(settings.memory) },
    { __index = settings })
  local one = session.new(sink, 1, mode or "none", function(_, entry) notes[#notes + 1] = entry end)
  return one, sink.store, notes
end

-- Does all acts; returns what was said, and what came of the connection: "end", "drop", "tls" or nil.
local function drain(one)
  local said, outcome = {}, nil
  for act in one.next, one do
    said[#said + 1] = act.bytes
    outcome = act.close or (act.tls and "tls") or outcome
  end
  return table.concat(said), outcome
end

-- What is said to `pieces`, the greeting left out.
local function talk(given, pieces, mode)
  local one, mails, notes = open(given, mode)
  local said, outcome = drain(one)
  local greeting = said
  said = ""
  for _, piece in ipairs(pieces) do
    if outcome == "drop" or outcome == "end" then break end
    one:feed(piece)
    local more, came = drain(one)
    said, outcome = said .. more, came or outcome
  end
  return said, outcome, mails:since(0), notes, greeting
end

-- One line of the client after the other, and the lines of the replies.
local function lines(given, list, mode)
  local said, outcome, mails, notes = talk(given, { table.concat(list, "\r\n") .. "\r\n" }, mode)
  local replies = {}
  for line in said:gmatch("(.-)\r\n") do replies[#replies + 1] = line end
  return replies, outcome, mails, notes
end

-- The codes of the lines, with their hyphens and enhanced codes.
local function codes(...)
  local list = {}
  for i, line in ipairs((lines(...))) do
    list[i] = line:match("^%d+ %d%.%d+%.%d+") or line:match("^%d+%-?")
  end
  return list
end

local HELLO, MAIL, RCPT = "EHLO client.example.test", "MAIL FROM:<a@example.test>", "RCPT TO:<b@example.test>"

local SESSION = table.concat({
  HELLO, "AUTH PLAIN " .. core.base64("\0joe\0secret"), "NOOP",
  MAIL .. " SIZE=30 BODY=8BITMIME", RCPT, "rcpt to:<\"c >d\"@example.test>", "DATA",
  "Subject: x", "", "..dot", "bare \n.\n line feeds", "caf\195\169", ".",
  "BOGUS", "RCPT TO:<b@example.test>", "VRFY joe", "MAIL FROM:<>", "RSET", "MAIL FROM:<>", RCPT, "DATA", ".",
  "EHLO again.example.test", "MAIL FROM:<a@b\r>", "QUIT", "NOOP", "",
}, "\r\n")

local REPLIES = table.concat({
  "250-localhost", "250-PIPELINING", "250-SIZE 16777216", "250-8BITMIME", "250-SMTPUTF8", "250-ENHANCEDSTATUSCODES",
  "250 AUTH PLAIN LOGIN",
  "235 2.7.0 welcome", "250 2.0.0 ok",
  "250 2.1.0 sender ok", "250 2.1.5 recipient ok", "250 2.1.5 recipient ok", "354 end with CRLF, a dot, CRLF",
  "250 2.0.0 ok: queued as S1",
  "500 5.5.2 this command is not known", "503 5.5.1 this command is out of order", "252 2.5.0 send mail and see",
  "250 2.1.0 sender ok", "250 2.0.0 ok", "250 2.1.0 sender ok", "250 2.1.5 recipient ok",
  "354 end with CRLF, a dot, CRLF", "250 2.0.0 ok: queued as S2",
  "250-localhost", "250-PIPELINING", "250-SIZE 16777216", "250-8BITMIME", "250-SMTPUTF8", "250-ENHANCEDSTATUSCODES",
  "250 AUTH PLAIN LOGIN",
  "500 5.5.2 a line ends with CRLF and has no other CR, LF or NUL",
  "221 2.0.0 bye", "",
}, "\r\n")

describe("session", function()
  local users = { auth = { joe = "secret" } }

  it("says the same at every split of what it gets", function()
    local function check(pieces)
      local said, outcome, mails, notes, greeting = talk(users, pieces)
      assert.equal("220 localhost ESMTP smtpsec sink, for tests only\r\n", greeting)
      assert.equal(REPLIES, said)
      assert.equal("end", outcome)
      assert.equal(2, #mails)
      assert.equal("Subject: x\r\n\r\n.dot\r\nbare \n.\n line feeds\r\ncaf\195\169\r\n", mails[1].data)
      assert.equal("a@example.test", mails[1].from)
      assert.same({ "b@example.test", "\"c >d\"@example.test" }, mails[1].to)
      assert.same({ SIZE = "30", BODY = "8BITMIME" }, mails[1].parameters)
      assert.same({ "joe", "client.example.test", false, 1, "S1" },
        { mails[1].auth, mails[1].helo, mails[1].tls, mails[1].connection, mails[1].id })
      assert.same({ "", "" }, { mails[2].from, mails[2].data })
      return notes
    end
    local whole = check { SESSION }
    for at = 1, #SESSION - 1 do assert.same(whole, check { SESSION:sub(1, at), SESSION:sub(at + 1) }) end
    local each = {}
    for i = 1, #SESSION do each[i] = SESSION:sub(i, i) end
    assert.same(whole, check(each))
  end)

  describe("with CHUNKING", function()
    local chunking = { offer = { "CHUNKING" } }
    local START = HELLO .. "\r\n" .. MAIL .. "\r\n" .. RCPT .. "\r\n"

    -- The codes of what is said behind EHLO.
    local function said_to(given, text)
      local said, outcome, mails, notes = talk(given, { text })
      local list = {}
      for line in said:gmatch("(.-)\r\n") do list[#list + 1] = line:match("^%d%d%d ") end
      return table.concat(list, "", 2), mails, notes, outcome
    end

    it("takes chunks byte for byte, at every split of what it gets", function()
      local text = START .. "BDAT 9\r\na\r\n.\r\n.\0\nBDAT 0\r\nBDAT 7 last\r\nNOOP\r\n\r"
        .. MAIL .. "\r\n" .. RCPT .. "\r\nBDAT 0 LAST\r\nQUIT\r\n"
      local function check(pieces)
        local said, outcome, mails, notes = talk(chunking, pieces)
        assert.equal("250-localhost\r\n250 CHUNKING\r\n250 sender ok\r\n250 recipient ok\r\n250 9 octets\r\n"
          .. "250 0 octets\r\n250 ok: queued as S1\r\n250 sender ok\r\n250 recipient ok\r\n"
          .. "250 ok: queued as S2\r\n221 bye\r\n", said)
        assert.equal("end", outcome)
        assert.same({ "a\r\n.\r\n.\0\nNOOP\r\n\r", "" }, { mails[1].data, mails[2].data })
        return notes
      end
      local whole = check { text }
      for at = 1, #text - 1 do assert.same(whole, check { text:sub(1, at), text:sub(at + 1) }) end
      local each = {}
      for i = 1, #text do each[i] = text:sub(i, i) end
      assert.same(whole, check(each))
    end)

    it("notes chunks and messages", function()
      local _, _, notes = said_to(chunking, START .. "BDAT 3\r\nabcBDAT 2 LAST\r\nde")
      local list = {}
      for i = 5, #notes do list[#list + 1] = notes[i] end
      assert.same({
        { event = "command", verb = "BDAT", argument = "3", code = 250 },
        { event = "command", verb = "BDAT", argument = "2 LAST" },
        { event = "message", size = 5, from = "a@example.test", to = { "b@example.test" }, code = 250 },
      }, list)
    end)

    it("reads the chunk also where it refuses it", function()
      local chunk = "BDAT 6 LAST\r\nQUIT\r\n"
      assert.equal("503 250 ", (said_to(chunking, HELLO .. "\r\n" .. chunk .. "NOOP\r\n")))
      local refusing = { offer = { "CHUNKING" }, faults = { { at = "rcpt", reply = "550 no" } } }
      local said, mails = said_to(refusing, START .. chunk .. "NOOP\r\n")
      assert.same({ "250 550 503 250 ", 0 }, { said, #mails })
      said = talk(chunking, { chunk })
      assert.equal("503 this command is out of order\r\n", said)
    end)

    it("takes nothing but chunks, RSET and such between a first chunk and the last", function()
      local said, mails = said_to(chunking, START .. "BDAT 2\r\nab" .. MAIL .. "\r\n" .. RCPT
        .. "\r\nDATA\r\nNOOP\r\nBDAT 1 LAST\r\nc")
      assert.equal("250 250 250 503 503 503 250 250 ", said)
      assert.equal("abc", mails[1].data)
      said, mails = said_to(chunking, START .. "BDAT 2\r\nabRSET\r\nBDAT 1 LAST\r\nc")
      assert.same({ "250 250 250 250 503 ", 0 }, { said, #mails })
    end)

    it("refuses what comes behind a refused chunk, until RSET", function()
      local given = { offer = { "CHUNKING" }, faults = { { at = "bdat", reply = "452 4.3.1 full", times = 1 } } }
      local said, mails = said_to(given, START .. "BDAT 2\r\nabBDAT 1 LAST\r\ncRSET\r\n" .. MAIL .. "\r\n" .. RCPT
        .. "\r\nBDAT 2\r\nabBDAT 1 LAST\r\nc")
      assert.equal("250 250 452 503 250 250 250 250 250 ", said)
      assert.equal(1, #mails)
    end)

    it("refuses a message that is too long, chunk by chunk or in one", function()
      local given = { offer = { "CHUNKING" }, size = 3 }
      assert.equal("250 250 250 552 503 ", (said_to(given, START .. "BDAT 3\r\nabcBDAT 1\r\ndBDAT 1 LAST\r\ne")))
      assert.equal("250 250 552 ", (said_to(given, START .. "BDAT 4 LAST\r\nabcd")))
      assert.equal("250 250 250 ", (said_to(given, START .. "BDAT 3 LAST\r\nabc")))
    end)

    it("ends where it cannot tell how long the chunk is", function()
      for _, argument in ipairs { "", "x", "-1", "1 LASST", "1 LAST x", "9999999999999999" } do
        local said, _, _, outcome = said_to(chunking, START .. "BDAT " .. argument .. "\r\nNOOP\r\n")
        assert.same({ "250 250 501 ", "end" }, { said, outcome }, argument)
      end
    end)

    it("lets rules strike at the body and at the end", function()
      local function with(rule) return { offer = { "CHUNKING" }, faults = { rule } } end
      local text = START .. "BDAT 4 LAST\r\nabcd"
      local said, mails, _, outcome = said_to(with { at = "body", after_bytes = 2, drop = true }, text)
      assert.same({ "250 250 ", 0, "drop" }, { said, #mails, outcome })
      said, mails = said_to(with { at = "final", reply = "451 4.3.0 later" }, text)
      assert.same({ "250 250 451 ", 0 }, { said, #mails })
      said, mails, _, outcome = said_to(with { at = "final", drop = "reset" }, text)
      assert.same({ "250 250 ", 1, "reset" }, { said, #mails, outcome })
    end)

    it("answers for each recipient where it speaks LMTP", function()
      local said, mails = said_to({ lmtp = true, offer = { "CHUNKING" },
        faults = { { at = "final", match = "c@", reply = "550 5.1.1 no" } } },
        (START:gsub("EHLO", "LHLO")) .. "RCPT TO:<c@example.test>\r\nBDAT 2\r\nabBDAT 1 LAST\r\nc")
      assert.equal("250 250 250 250 250 550 ", said)
      assert.same({ "b@example.test" }, mails[1].to)
    end)

    it("takes BODY=BINARYMIME, with BDAT only", function()
      local binary = { offer = { "CHUNKING", "BINARYMIME", "8BITMIME" } }
      local start = HELLO .. "\r\n" .. MAIL .. " BODY=BINARYMIME\r\n" .. RCPT .. "\r\n"
      assert.equal("250 250 503 250 ", (said_to(binary, start .. "DATA\r\nBDAT 1 LAST\r\n\0")))
      assert.equal("501 503 ", (said_to({ offer = { "CHUNKING", "8BITMIME" } }, start)))
    end)

    it("does not know BDAT where it is not offered", function()
      assert.same({ "250", "250", "250", "500", "250" },
        codes({ offer = {} }, { HELLO, MAIL, RCPT, "BDAT 4 LAST", "NOOP" }))
    end)
  end)

  it("keeps the parameters of DSN and such where they are offered", function()
    local given = { extensions = { "DSN", "MT-PRIORITY", "DELIVERBY", "FUTURERELEASE 3600" } }
    local list = { HELLO, MAIL .. " RET=HDRS ENVID=x MT-PRIORITY=3 BY=120;R HOLDFOR=60",
      RCPT .. " NOTIFY=FAILURE ORCPT=rfc822;b@example.test", "RCPT TO:<c@example.test>", "DATA", "." }
    local replies, _, mails = lines(given, list)
    assert.equal("250 2.0.0 ok: queued as S1", replies[#replies])
    assert.same({ RET = "HDRS", ENVID = "x", ["MT-PRIORITY"] = "3", BY = "120;R", HOLDFOR = "60" }, mails[1].parameters)
    assert.same({
      ["b@example.test"] = { NOTIFY = "FAILURE", ORCPT = "rfc822;b@example.test" }, ["c@example.test"] = {},
    }, mails[1].to_parameters)
    replies = lines({}, list)
    assert.equal("555 5.5.4 the parameter ", replies[7]:sub(1, 24))
  end)

  it("holds to the limits that it tells", function()
    local given = { offer = {}, extensions = { "LIMITS MAILMAX=2 RCPTMAX=2 RCPTDOMAINMAX=1" } }
    local other = "RCPT TO:<x@other.test>"
    assert.same({ "250-", "250", "250", "250", "452", "250", "452", "250", "250", "250", "250", "421" },
      codes(given, { HELLO, MAIL, RCPT, other, RCPT, RCPT, "RSET", MAIL, other, "RSET", MAIL, "NOOP" }))
    assert.equal("end", (select(2, lines(given, { HELLO, MAIL, "RSET", MAIL, "RSET", MAIL }))))
    assert.same({ "250", "250", "250", "250", "250" }, codes({ offer = {} }, { HELLO, MAIL, RCPT, other, RCPT }))
  end)

  it("offers more, or something else, than by itself", function()
    local replies = lines({ extensions = { "chunking", "SIZE 1000", "X-OWN a b" } }, { HELLO })
    assert.same({ "250-localhost", "250-PIPELINING", "250-SIZE 1000", "250-8BITMIME", "250-SMTPUTF8",
      "250-ENHANCEDSTATUSCODES", "250-chunking", "250 X-OWN a b" }, replies)
  end)

  it("notes each command with its code, and no password", function()
    local _, _, _, notes = lines(users, { HELLO, "AUTH PLAIN " .. core.base64("\0joe\0secret"), MAIL, "QUIT" })
    assert.same({
      { event = "greeting", code = 220 },
      { event = "command", verb = "EHLO", argument = "client.example.test", code = 250 },
      { event = "command", verb = "AUTH", argument = "PLAIN", user = "joe", code = 235 },
      { event = "command", verb = "MAIL", argument = "FROM:<a@example.test>", code = 250 },
      { event = "command", verb = "QUIT", argument = "", code = 221 },
    }, notes)
  end)

  it("wants commands in their order", function()
    assert.same({ "503", "503", "503", "250-", "250-", "250-", "250-", "250-", "250", "503 5.5.1", "503 5.5.1",
      "250 2.1.0", "503 5.5.1", "503 5.5.1", "250 2.1.5", "354" },
      codes({}, { MAIL, RCPT, "DATA", HELLO, RCPT, "DATA", MAIL, MAIL, "DATA", RCPT, "DATA" }))
  end)

  it("knows HELO, which brings no extension", function()
    local replies = lines(users, { "HELO client.example.test", MAIL, "EHLO [127.0.0.1]", MAIL })
    assert.same({ "250 localhost", "250 sender ok" }, { replies[1], replies[2] })
    assert.equal("250 2.1.0 sender ok", replies[#replies])
  end)

  it("wants a name in EHLO", function()
    assert.same({ "501", "501", "250" }, codes({ offer = {} }, { "EHLO", "EHLO a_b", "EHLO a.b" }))
  end)

  it("reads addresses strictly", function()
    for _, wrong in ipairs { "MAIL FROM:a@b.c", "MAIL FROM: <a@b.c>", "MAIL FROM:<a@b.c", "MAIL FROM:<a@b.c>x", "MAIL",
      "MAIL FROM:<@x:a@b.c>", "MAIL FROM:<a@b@c>", "MAIL FROM:<a b@c.d>", "MAIL FROM:<a@b_c>", "MAIL FROM:<a>",
      "MAIL FROM:<a@b.c> SIZE=1 SIZE=2", "MAIL FROM:<a@b.c> =", "MAIL FROM:<\"a@b.c>" } do
      assert.same({ "250", "501" }, codes({ offer = {} }, { HELLO, wrong }), wrong)
    end
    assert.same({ "250", "250", "501", "250" }, codes({ offer = {} }, { HELLO, MAIL, "RCPT TO:<>", RCPT }))
  end)

  it("takes parameters only of what it offers", function()
    for extension, parameter in pairs { SIZE = "SIZE=5", ["8BITMIME"] = "BODY=8BITMIME", SMTPUTF8 = "SMTPUTF8" } do
      assert.same({ "250", "555" }, codes({ offer = {} }, { HELLO, MAIL .. " " .. parameter }))
      assert.same({ "250-", "250", "250" }, codes({ offer = { extension } }, { HELLO, MAIL .. " " .. parameter }))
    end
    assert.same({ "250-", "250", "501" }, codes({ offer = { "8BITMIME" } }, { HELLO, MAIL .. " BODY=9BIT" }))
    assert.same({ "250-", "250", "501" }, codes({ offer = { "SIZE" } }, { HELLO, MAIL .. " SIZE=x" }))
  end)

  it("takes addresses that are not ASCII only with SMTPUTF8", function()
    local utf8 = { offer = { "SMTPUTF8" } }
    assert.same({ "250-", "250", "553", "250", "553" },
      codes(utf8, { HELLO, "MAIL FROM:<\195\188@b.c>", MAIL, "RCPT TO:<\195\188@b.c>" }))
    assert.same({ "250-", "250", "250", "250" },
      codes(utf8, { HELLO, "MAIL FROM:<\195\188@b.c> SMTPUTF8", "RCPT TO:<\195\188@b.c>" }))
  end)

  it("bounds the message, before and behind DATA, and the line", function()
    local small = { size = 10, offer = { "SIZE" } }
    assert.same({ "250-", "250", "552", "250", "250", "354", "552" },
      codes(small, { HELLO, MAIL .. " SIZE=11", MAIL .. " SIZE=10", RCPT, "DATA", "123456789", "." }))
    local replies, _, mails = lines(small, { HELLO, MAIL, RCPT, "DATA", "12345678", ".", MAIL })
    assert.matches("queued", replies[#replies - 1])
    assert.equal("12345678\r\n", mails[1].data)
    local long, outcome = lines({}, { ("x"):rep(12290) })
    assert.same({ "500 the line is too long", "end" }, { long[1], outcome })
    assert.equal("end", (select(2, talk({}, { ("x"):rep(12290) }))))
    assert.same({ "500" }, codes({}, { ("x"):rep(12000) }))
  end)

  it("refuses what does not fit into its memory, and goes on", function()
    local mail = { MAIL, RCPT, "DATA", ("x"):rep(2000), "." }
    local all = { HELLO }
    for _ = 1, 2 do for _, line in ipairs(mail) do all[#all + 1] = line end end
    all[#all + 1] = "NOOP"
    local replies, _, mails = lines({ memory = 5000, offer = {} }, all)
    assert.equal("452 the sink is full", replies[#replies - 1])
    assert.equal("250 ok", replies[#replies])
    assert.equal(1, #mails)
  end)

  describe("AUTH", function()
    local function auth(list, given)
      local all = { HELLO }
      for _, line in ipairs(list) do all[#all + 1] = line end
      given = given or { auth = { joe = "secret", ["\195\188"] = "a b" }, offer = {} }
      local replies, _, _, notes = lines(given, all)
      return table.concat(replies, "|"):gsub("250%-localhost|250 AUTH PLAIN LOGIN|", ""), notes
    end
    local b64 = core.base64

    it("knows PLAIN, with and without an initial response", function()
      assert.equal("235 welcome", (auth { "AUTH PLAIN " .. b64 "\0joe\0secret" }))
      assert.equal("235 welcome", (auth { "auth plain " .. b64 "joe\0joe\0secret" }))
      assert.equal("334 |235 welcome", (auth { "AUTH PLAIN", b64 "\0joe\0secret" }))
      assert.equal("235 welcome", (auth { "AUTH PLAIN " .. b64 "\0\195\188\0a b" }))
    end)

    it("knows LOGIN", function()
      assert.equal("334 VXNlcm5hbWU6|334 UGFzc3dvcmQ6|235 welcome", (auth { "AUTH LOGIN", b64 "joe", b64 "secret" }))
      assert.equal("334 UGFzc3dvcmQ6|235 welcome", (auth { "AUTH LOGIN " .. b64 "joe", b64 "secret" }))
      assert.equal("334 UGFzc3dvcmQ6|535 user or password is wrong",
        (auth { "AUTH LOGIN " .. b64 "joe", b64 "Secret" }))
    end)

    it("refuses others, and notes who it was", function()
      for _, wrong in ipairs { "\0joe\0Secret", "\0joe\0", "\0\0secret", "\0jo\0secret", "ann\0joe\0secret",
        "\0joe\0secret\0" } do
        local said, notes = auth { "AUTH PLAIN " .. b64(wrong), MAIL }
        assert.equal("535 user or password is wrong|250 sender ok", said)
        assert.equal(535, notes[3].code)
      end
      local _, notes = auth { "AUTH PLAIN " .. b64 "\0eve\r\0x" }
      assert.equal("eve ", notes[3].user)
    end)

    it("refuses what it cannot read", function()
      for _, wrong in ipairs { "=", "x", "****", "AAA", "AAA=A", "AB==", "AA==AA==", b64 "joe", b64 "joe\0secret",
        "A A=" } do
        assert.equal("501 cannot read this response", (auth { "AUTH PLAIN " .. wrong }), wrong)
      end
      assert.equal("334 |501 cancelled|250 sender ok", (auth { "AUTH PLAIN", "*", MAIL }))
      assert.equal("504 the mechanism is not offered", (auth { "AUTH CRAM-MD5" }))
      assert.equal("504 the mechanism is not offered", (auth { "AUTH" }))
    end)

    it("happens once, outside a mail, and only where it is offered", function()
      local plain = "AUTH PLAIN " .. b64 "\0joe\0secret"
      assert.equal("235 welcome|503 already logged in", (auth { plain, plain }))
      assert.equal("250 sender ok|503 this command is out of order", (auth { MAIL, plain }))
      assert.equal("250 localhost|502 AUTH is not offered", (auth({ plain }, { offer = {} })))
      local given = { auth = { joe = "secret" }, offer = {} }
      assert.same({ "250-", "250", "538" }, codes(given, { HELLO, plain }, "starttls"))
    end)

    it("can be required", function()
      local strict = { auth = { joe = "secret" }, require_auth = true, offer = {} }
      assert.equal("530 authentication required|235 welcome|250 sender ok",
        (auth({ MAIL, "AUTH PLAIN " .. b64 "\0joe\0secret", MAIL }, strict)))
    end)
  end)

  describe("STARTTLS", function()
    it("forgets what was said before", function()
      local one = open(users, "starttls")
      drain(one)
      one:feed(HELLO .. "\r\n")
      assert.matches("250 STARTTLS\r\n$", (drain(one)))
      one:feed "STARTTLS\r\n"
      local said, outcome = drain(one)
      assert.same({ "220 2.0.0 ready for TLS\r\n", "tls" }, { said, outcome })
      one:secured(FACTS)
      one:feed(MAIL .. "\r\n" .. HELLO .. "\r\nSTARTTLS\r\n" .. MAIL .. "\r\n")
      said = drain(one)
      assert.matches("^503 ", said)
      assert.matches("250 AUTH PLAIN LOGIN\r\n502 5.5.1 STARTTLS is not offered\r\n250 2.1.0 sender ok\r\n$", said)
      assert.is_nil(said:find("250.STARTTLS"))
    end)

    it("is refused when bytes come behind it in clear, and begins when they come after", function()
      for _, injected in ipairs { "NOOP\r\n", "N", "\n" } do
        local said, outcome = talk({ offer = {} }, { HELLO .. "\r\nSTARTTLS\r\n" .. injected }, "starttls")
        assert.matches("554 bytes came behind STARTTLS\r\n$", said)
        assert.equal("end", outcome)
      end
    end)

    it("ends the connection when bytes come in clear while it is delayed", function()
      local one, _, notes = open({ offer = {} }, "starttls")
      drain(one)
      one:feed(HELLO .. "\r\nSTARTTLS\r\n")
      assert.equal("250-localhost\r\n", one:next().bytes:sub(1, 15))
      assert.equal("220 ready for TLS\r\n", one:next().bytes)
      one:feed "NOOP\r\n"
      assert.equal("drop", one:next().close)
      assert.same({ event = "injection", size = 6 }, notes[#notes])
    end)

    it("is only where it is offered, and after EHLO", function()
      assert.same({ "250", "502" }, codes({ offer = {} }, { HELLO, "STARTTLS" }))
      assert.same({ "503" }, codes({ offer = {} }, { "STARTTLS" }, "starttls"))
      assert.same({ "250-", "250", "501" }, codes({ offer = {} }, { HELLO, "STARTTLS now" }, "starttls"))
    end)
  end)

  it("begins with TLS where that is implicit", function()
    local one = open({}, "implicit")
    assert.same({ "", "tls" }, { drain(one) })
    one:secured(FACTS)
    assert.matches("^220 ", (drain(one)))
    one:feed(HELLO .. "\r\n" .. MAIL .. "\r\n" .. RCPT .. "\r\nDATA\r\n.\r\n")
    assert.matches("queued as S1\r\n$", (drain(one)))
  end)

  it("speaks LMTP, with a reply for each recipient", function()
    local lmtp = { lmtp = true, offer = {}, faults = { { at = "final", match = "c@", reply = "452 4.2.2 full" } } }
    local replies, _, mails = lines(lmtp, { HELLO, "LHLO client.example.test", MAIL, RCPT, "RCPT TO:<c@example.test>",
      "DATA", "x", ".", MAIL })
    assert.same({ "500 this command is not known", "250 localhost", "250 sender ok", "250 recipient ok",
      "250 recipient ok", "354 end with CRLF, a dot, CRLF", "250 ok: queued as S1", "452 4.2.2 full",
      "250 sender ok" }, replies)
    assert.same({ "b@example.test" }, mails[1].to)
    assert.same({ "500", "250" }, codes({ offer = {} }, { "LHLO a.b", HELLO }))
  end)

  it("sends a silent client away", function()
    local one = open {}
    drain(one)
    one:expire()
    assert.same({ "421 nothing came for too long\r\n", "end" }, { drain(one) })
  end)
end)

describe("a fault", function()
  local ALL = { HELLO, MAIL, RCPT, "RCPT TO:<nosuch@example.test>", "DATA", "x", ".", "RSET", "NOOP", "VRFY x",
    "QUIT" }

  -- The replies with one rule, and what came of the connection.
  local function with(rule)
    local replies, outcome, mails = lines({ offer = {}, faults = { rule } }, ALL)
    return table.concat(replies, "|"), outcome, mails
  end

  local HONEST = "250 localhost|250 sender ok|250 recipient ok|250 recipient ok|354 end with CRLF, a dot, CRLF|"
    .. "250 ok: queued as S1|250 ok|250 ok|252 send mail and see|221 bye"

  it("is nowhere by itself", function()
    local said, outcome, mails = with(nil)
    assert.same({ HONEST, "end", 1 }, { said, outcome, #mails })
    assert.equal(HONEST, (with { at = "helo", reply = "500 no" }))
    assert.equal(HONEST, (with { at = "rcpt", match = "nobody@", reply = "500 no" }))
  end)

  it("refuses where it is told to", function()
    local said, outcome, mails = with { at = "rcpt", match = "nosuch@", reply = "550 5.1.1 no such user" }
    assert.equal((HONEST:gsub("(recipient ok|)250 recipient ok", "%1550 5.1.1 no such user")), said)
    assert.same({ "b@example.test" }, mails[1].to)
    assert.equal("end", outcome)

    said, outcome, mails = with { at = "final", reply = "451 4.3.0 later" }
    assert.equal((HONEST:gsub("250 ok: queued as S1", "451 4.3.0 later")), said)
    assert.same({ "end", {} }, { outcome, mails })

    assert.matches("^502 unknown|503 .*|503 ", (with { at = "ehlo", reply = "502 unknown" }))
    assert.matches("^250 localhost|451 no|503 ", (with { at = "mail", match = "a@", reply = "451 no" }))
    assert.matches("|554 no|500 .*|500 .*|250 ok|250 ok|", (with { at = "data", reply = "554 no" }))
    assert.matches("|500 no$", (with { at = "quit", reply = "500 no" }))
  end)

  it("says lines as they are, and nothing when that is empty", function()
    assert.matches("^250%-a|250 b|250 sender ok", (with { at = "ehlo", reply = "250-a\r\n250 b" }))
    local silent = "250 localhost|" .. ("503 this command is out of order|"):rep(3)
      .. ("500 this command is not known|"):rep(2) .. "250 ok|250 ok|252 send mail and see|221 bye"
    assert.equal(silent, (with { at = "mail", reply = "" }))
    assert.matches("^250 localhost|250 sender ok|junk|250 recipient ok",
      (with { at = "mail", inject = "junk\r\n" }))
  end)

  it("closes the connection instead of the reply, or behind it", function()
    local said, outcome = with { at = "mail", drop = true }
    assert.same({ "250 localhost", "drop" }, { said, outcome })
    said, outcome = with { at = "mail", drop = true, reply = "421 4.3.2 going down" }
    assert.same({ "250 localhost|421 4.3.2 going down", "drop" }, { said, outcome })
    local accepted
    said, outcome, accepted = with { at = "final", drop = true }
    assert.matches("354 [^|]*$", said)
    assert.same({ "drop", 1 }, { outcome, #accepted }) -- and nobody was told
  end)

  it("strikes in the greeting, after which only QUIT is taken", function()
    local said, outcome, _, _, greeting = talk({ faults = { { at = "greeting", reply = "554 no mail here" } } },
      { HELLO .. "\r\nQUIT\r\n" })
    assert.equal("554 no mail here\r\n", greeting)
    assert.equal("503 this command is out of order\r\n221 bye\r\n", said)
    assert.equal("end", outcome)
  end)

  it("strikes in the middle of a message", function()
    local rule = { at = "body", after_bytes = 5, drop = true, reply = "451 4.3.0 enough" }
    local given = { offer = {}, faults = { rule } }
    local start = { HELLO, MAIL, RCPT, "DATA", "" }
    local said, outcome = talk(given, { table.concat(start, "\r\n"), "1234" })
    assert.matches("354 [^\r]*\r\n$", said)
    assert.is_nil(outcome)
    said, outcome = talk(given, { table.concat(start, "\r\n"), "1234", "5" })
    assert.matches("451 4.3.0 enough\r\n$", said)
    assert.equal("drop", outcome)
  end)

  it("can only slow a message down", function()
    local one, mails = open { offer = {}, faults = { { at = "body", delay = 2 } } }
    one:feed(table.concat({ HELLO, MAIL, RCPT, "DATA", "x", ".", "" }, "\r\n"))
    local longest = 0
    for act in one.next, one do longest = math.max(longest, act.delay) end
    assert.equal(2, longest)
    assert.equal("x\r\n", mails:since(0)[1].data)
  end)

  it("strikes a number of times, after a number of occasions", function()
    local rules = {
      { at = "noop", skip = 1, times = 2, reply = "450 not now" }, { at = "noop", times = 1, reply = "250 x" },
    }
    assert.same({ "250 x", "450 not now", "450 not now", "250 ok" },
      (lines({ faults = rules }, { "NOOP", "NOOP", "NOOP", "NOOP" })))
  end)

  it("delays its own reply, and hold delays every one", function()
    local one = open { hold = 1, offer = {}, faults = { { at = "noop", delay = 2.5, trickle = 0.1 } } }
    one:feed(HELLO .. "\r\nNOOP\r\n")
    local delays = {}
    for act in one.next, one do delays[#delays + 1] = { act.delay, act.trickle } end
    assert.same({ { 1 }, { 1 }, { 3.5, 0.1 } }, delays)
  end)

  it("strikes at AUTH when the credentials are there", function()
    local rules = { { at = "auth", match = "joe", reply = "454 later" } }
    local given = { offer = {}, auth = { joe = "secret" }, faults = rules }
    local replies = lines(given, { HELLO, "AUTH LOGIN", core.base64 "joe", core.base64 "secret" })
    assert.equal("454 later", replies[#replies])
  end)

  it("strikes instead of a handshake", function()
    local one = open({ faults = { { at = "tls", reply = "220 no TLS here" } } }, "implicit")
    local act = one:next()
    assert.same({ "220 no TLS here\r\n", false }, { act.bytes, act.tls })
    one = open({ faults = { { at = "tls", drop = true, delay = 1 } } }, "implicit")
    act = one:next()
    assert.same({ "", "drop", 1 }, { act.bytes, act.close, act.delay })
  end)
end)
