-- Addresses and names that go into commands: one strict grammar (RFC 5321 section 4.1.2, RFC 6531 section 3.3).
-- What is refused is refused by core.mailbox and by the commands themselves, and nothing is queued.
local core = require "smtpsec.core"
local script = require "spec.support.script"

local function accepted(text, local_part, domain, internationalized)
  it(("%q is a mailbox"):format(text), function()
    local first, second, third = core.mailbox(text)
    assert.same({ local_part, domain, internationalized or false }, { first, second, third })
    local conn = script.ready "SMTPUTF8"
    assert(conn:mail(text, { smtputf8 = third }))
    assert.equal("MAIL FROM:<" .. text .. ">" .. (third and " SMTPUTF8" or "") .. "\r\n", script.drain(conn))
    conn:feed "250 ok\r\n"
    conn:next()
    assert(conn:rcpt(text))
    assert.equal("RCPT TO:<" .. text .. ">\r\n", conn:output())
  end)
end

local function refused(text, words)
  it(("%q is not a mailbox"):format(text), function()
    local first, wrong = core.mailbox(text)
    assert.is_nil(first)
    assert.truthy(wrong:find(words, 1, true), wrong)
    local conn = script.ready "PIPELINING\nSMTPUTF8"
    if text ~= "" then
      local tag, status, said = conn:mail(text, { smtputf8 = true })
      assert.is_nil(tag)
      assert.equal("argument", status)
      assert.equal("the address " .. wrong, said)
      assert.equal("", conn:output())
    end
    assert(conn:mail("a@client.test", { smtputf8 = true }))
    script.drain(conn)
    local tag, status, said = conn:rcpt(text)
    assert.is_nil(tag)
    assert.equal("argument", status)
    assert.equal("the address " .. wrong, said)
    assert.equal("", conn:output())
  end)
end

describe("the grammar of mailboxes:", function()
  describe("the local part:", function()
    accepted("a@b", "a", "b")
    accepted("first.last@mail.test", "first.last", "mail.test")
    accepted("a+tag@mail.test", "a+tag", "mail.test")
    accepted("!#$%&'*+-/=?^_`{|}~@mail.test", "!#$%&'*+-/=?^_`{|}~", "mail.test")
    accepted("1@mail.test", "1", "mail.test")
    accepted('"a b"@mail.test', '"a b"', "mail.test")
    accepted('"a@b"@mail.test', '"a@b"', "mail.test")
    accepted('"a\\"b\\\\"@mail.test', '"a\\"b\\\\"', "mail.test")
    accepted('""@mail.test', '""', "mail.test")
    accepted('"<a>"@mail.test', '"<a>"', "mail.test")
    accepted('"..a."@mail.test', '"..a."', "mail.test")
    refused("", "is empty")
    refused("a", "has no @")
    refused("@mail.test", "nothing before the @")
    refused(".a@mail.test", "dot at an end")
    refused("a.@mail.test", "dot at an end")
    for _, word in ipairs { "=?utf-8?q?x=40y.test=3e?=", "a=?x?B?eA==?=", '"=?utf-8?Q??="', "=?=?x?b?b??=" } do
      refused(word .. "@mail.test", "an encoded word before the @")
    end
    for _, none in ipairs { "=?utf-8?q?x", "=?utf-8?z?x?=", "?q?x?=", "=?q?=", "=?x?q?=" } do
      accepted(none .. "@mail.test", none, "mail.test")
    end
    refused("a..b@mail.test", "two dots in a row")
    refused("a b@mail.test", "only a quoted part may hold")
    refused(" a@mail.test", "only a quoted part may hold")
    refused("a @mail.test", "only a quoted part may hold")
    refused("a(comment)@mail.test", "only a quoted part may hold")
    refused("a,b@mail.test", "only a quoted part may hold")
    refused("a;b@mail.test", "only a quoted part may hold")
    refused("a:b@mail.test", "only a quoted part may hold")
    refused("a<b@mail.test", "only a quoted part may hold")
    refused("[a]@mail.test", "only a quoted part may hold")
    refused("a\\b@mail.test", "only a quoted part may hold")
    refused('a"b"@mail.test', "only a quoted part may hold")
    refused('"a"b@mail.test', "only a quoted part may hold")
    refused('"a"."b"@mail.test', "only a quoted part may hold")
    refused('"a@mail.test', "never closes")
    refused('"a\\"@mail.test', "never closes")
    refused('"', "never closes")
    refused('"a"', "has no @")
  end)

  describe("the domain:", function()
    accepted("a@mail.example.test", "a", "mail.example.test")
    accepted("a@MAIL.Test", "a", "MAIL.Test")
    accepted("a@xn--wgv71a119e.test", "a", "xn--wgv71a119e.test")
    accepted("a@1.2", "a", "1.2")
    accepted("a@b-c.d--e", "a", "b-c.d--e")
    accepted("a@[192.0.2.1]", "a", "[192.0.2.1]")
    accepted("a@[IPv6:2001:db8::1]", "a", "[IPv6:2001:db8::1]")
    accepted("a@[IPv6:::]", "a", "[IPv6:::]")
    accepted("a@[IPv6:::ffff:192.0.2.1]", "a", "[IPv6:::ffff:192.0.2.1]")
    refused("a@", "empty domain")
    refused("a@.", "empty label")
    refused("a@mail.test.", "empty label")
    refused("a@.mail.test", "empty label")
    refused("a@mail..test", "empty label")
    refused("a@-mail.test", "hyphen")
    refused("a@mail-.test", "hyphen")
    refused("a@mail.-", "hyphen")
    refused("a@mail_host.test", "letters, digits, hyphens")
    refused("a@mail test", "letters, digits, hyphens")
    refused("a@mail.test ", "letters, digits, hyphens")
    refused("a@b@mail.test", "letters, digits, hyphens")
    refused("a@\"mail\".test", "letters, digits, hyphens")
    refused("a@(c)mail.test", "letters, digits, hyphens")
    refused("a@日本.test", "A-label")
    refused("a@b\195\188cher.test", "A-label")
    refused("a@[", "closing bracket")
    refused("a@[]", "closing bracket")
    refused("a@[192.0.2.1", "closing bracket")
    refused("a@[192.0.2.1]x", "closing bracket")
    for _, address in ipairs {
      "192.0.2", "192.0.2.256", "192.0.2.1.1", "192.0.2.01", "0x7f.1", "2001:db8::1", "IPv6:", "IPv6:192.0.2.1",
      "IPv6:2001:db8", "IPv6::::", "IPv6:fe80::1%eth0", "IPv6:" .. ("0"):rep(60), "mail.test", " 192.0.2.1",
      "x-tag:data",
    } do
      refused("a@[" .. address .. "]", "address literal")
    end
  end)

  describe("injection:", function()
    refused("a@mail.test\r\nRCPT TO:<c@mail.test>", "control character")
    refused("a@mail.test\n", "control character")
    refused("a\r@mail.test", "control character")
    refused("a@mail.test\0", "control character")
    refused("\0a@mail.test", "control character")
    refused('"a\r\nb"@mail.test', "control character")
    refused('"a\\\r\\\nb"@mail.test', "control character")
    refused('"a\0"@mail.test', "control character")
    refused('"a\tb"@mail.test', "control character")
    refused("a\27@mail.test", "control character")
    refused("a\127@mail.test", "control character")
    refused("a\194\128@mail.test", "control character") -- U+0080
    refused("a\194\133@mail.test", "control character") -- U+0085, which some take for a line end
    refused("a\194\159@mail.test", "control character")
    refused("a@[192.0.2.1\0]", "control character")
    refused("a@mail.test> NOTIFY=NEVER", "letters, digits, hyphens")
    refused("a@mail.test>,<c@mail.test", "letters, digits, hyphens")
    refused("a@mail.test> <c@mail.test", "letters, digits, hyphens")
    refused("a@mail.test,c@mail.test", "letters, digits, hyphens")
    refused("<a@mail.test>", "only a quoted part may hold")
    refused("Name <a@mail.test>", "only a quoted part may hold")
    refused("@relay.test:a@mail.test", "nothing before the @")
    refused("@relay.test,@b.test:a@mail.test", "nothing before the @")
    refused("a%b@c@mail.test", "letters, digits, hyphens")
    -- Bytes that become CR and LF where wide characters are narrowed stay what they are, or are not UTF-8.
    refused("a\r\nb\1\13@mail.test", "control character")
    refused("\254\255\0a@mail.test", "control character")
    accepted("\229\152\141\229\152\138@mail.test", "\229\152\141\229\152\138", "mail.test", true) -- U+560D U+560A
  end)

  describe("beyond ASCII:", function()
    accepted("b\195\188cher@mail.test", "b\195\188cher", "mail.test", true)
    accepted("監視@mail.test", "監視", "mail.test", true)
    accepted('"監 視"@mail.test', '"監 視"', "mail.test", true)
    accepted("\240\159\147\168@mail.test", "\240\159\147\168", "mail.test", true)
    refused("a\128@mail.test", "not valid UTF-8")
    refused("a\195@mail.test", "not valid UTF-8")
    refused("a\192\128@mail.test", "not valid UTF-8") -- an overlong NUL
    refused("a\192\138@mail.test", "not valid UTF-8") -- an overlong LF
    refused("a\224\128\141@mail.test", "not valid UTF-8") -- an overlong CR
    refused("a\237\160\128@mail.test", "not valid UTF-8") -- a surrogate
    refused("a\244\144\128\128@mail.test", "not valid UTF-8") -- beyond U+10FFFF
    refused("a\255@mail.test", "not valid UTF-8")
  end)

  describe("lengths:", function()
    local function domain(n)
      local labels = (("y"):rep(63) .. "."):rep(3)
      return labels .. ("z"):rep(n - #labels)
    end

    accepted(("x"):rep(64) .. "@mail.test", ("x"):rep(64), "mail.test")
    refused(("x"):rep(65) .. "@mail.test", "more than 64 octets before the @")
    refused('"' .. ("x"):rep(63) .. '"@mail.test', "more than 64 octets before the @")
    accepted("a@" .. ("y"):rep(63) .. ".test", "a", ("y"):rep(63) .. ".test")
    refused("a@" .. ("y"):rep(64) .. ".test", "label of more than 63")
    accepted("a@" .. domain(252), "a", domain(252))
    refused("a@" .. domain(253), "longer than 254 octets")
    refused("a@" .. domain(255), "longer than 254 octets")
    refused("a@" .. domain(256), "more than 255 octets")
    refused(("a"):rep(100000) .. "@mail.test", "more than 64 octets before the @")
    refused("a@" .. ("b."):rep(100000) .. "test", "more than 255 octets")

    it("of characters are counted in octets", function()
      assert.truthy(core.mailbox(("\195\188"):rep(32) .. "@mail.test"))
      assert.is_nil((core.mailbox(("\195\188"):rep(33) .. "@mail.test")))
    end)
  end)

  it("a null sender is a sender, and no recipient", function()
    local conn = script.ready()
    assert(conn:mail "")
    assert.equal("MAIL FROM:<>\r\n", script.drain(conn))
    assert.equal("argument", select(2, conn:rcpt ""))
  end)
end)

describe("the name for EHLO", function()
  local function fresh()
    local conn = assert(core.connection { tls = "none" })
    script.answer(conn, "220 mail.test\r\n")
    return conn
  end

  for _, name in ipairs { "client.test", "localhost", "CLIENT", "1", "[192.0.2.1]", "[IPv6:2001:db8::1]", "a-b.c-d" } do
    it(("may be %s"):format(name), function()
      assert.is_true(core.domain(name))
      for _, verb in ipairs { "ehlo", "helo", "lhlo" } do
        local conn = fresh()
        assert(conn[verb](conn, name))
        assert.equal(verb:upper() .. " " .. name .. "\r\n", conn:output())
      end
    end)
  end

  for _, name in ipairs {
    "", " ", ".", "a.", ".a", "a..b", "-a", "a-", "a b", "a\tb", "a\r\nRSET", "a\n", "\ra", "a\0", "a\0b", "a\127",
    "a_b", "a@b", "<a>", "b\195\188cher.test", "a\194\133b", "a\128", "[192.0.2.1", "[192.0.2]", "[192.0.2.1]]", "[]",
    "[192.0.2.1\0]", "[192.0.2.1\0\r\nRSET\r\n]", "[IPv6:::1\0\r\n]", "[\0]", "[192.0.2.1\r\n]",
    ("x"):rep(64), (("x"):rep(63) .. "."):rep(4) .. "x",
  } do
    it(("may not be %q"):format(name), function()
      local good, wrong = core.domain(name)
      assert.is_nil(good)
      for _, verb in ipairs { "ehlo", "helo", "lhlo" } do
        local conn = fresh()
        local tag, status, text = conn[verb](conn, name)
        assert.is_nil(tag)
        assert.equal("argument", status)
        assert.equal(("the name for %s %s"):format(verb:upper(), wrong), text)
        assert.equal("", conn:output())
        assert(conn:ehlo "client.test")
      end
    end)
  end
end)
