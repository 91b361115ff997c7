-- Replies out of bytes that a hostile server chooses (RFC 5321 section 4.2). Each refusal stands beside
-- the nearest thing that is accepted, and every byte string is read at every cut.
local script = require "spec.support.script"
local core = require "smtpsec.core"

describe("a reply", function()
  local parse = script.parse

  local function accepts(bytes, code, text, enhanced)
    it(("%q is read"):format(bytes), function()
      local seen = parse(bytes)
      assert.equal(code, seen.code)
      assert.equal(text, seen.text)
      assert.equal(enhanced, seen.enhanced)
    end)
  end

  local function refuses(bytes, status, words)
    it(("%q is a %s error"):format(bytes, status), function()
      local seen = parse(bytes)
      assert.equal(status, seen.status)
      assert.truthy(seen.words:find(words, 1, true), seen.words)
    end)
  end

  local function waits(bytes)
    it(("%q is not whole"):format(bytes), function()
      assert.is_true(parse(bytes).again)
    end)
  end

  describe("code", function()
    accepts("250 ok\r\n", 250, "ok")
    accepts("200 ok\r\n", 200, "ok")
    accepts("259 ok\r\n", 259, "ok")
    accepts("550 no\r\n", 550, "no")
    accepts("559 no\r\n", 559, "no")
    for _, bytes in ipairs {
      "abc ok\r\n", "2x0 ok\r\n", "25x ok\r\n", "2 ok\r\n", "25 ok\r\n", "2500 ok\r\n", "250x\r\n", "250_ok\r\n",
      "+250 ok\r\n", "-250 ok\r\n", " 250 ok\r\n", "600 ok\r\n", "199 ok\r\n", "099 ok\r\n", "260 ok\r\n", "299 ok\r\n",
      "\r\n", "\n", "2\r\n", "25\r\n", "250\tok\r\n", "0x2 ok\r\n", "\239\187\191250 ok\r\n", "* OK IMAP4rev1\r\n",
      "+OK POP3\r\n", "HTTP/1.1 400 Bad Request\r\n",
    } do
      refuses(bytes, "protocol", "where a reply code was due")
    end

    it("is found out without waiting for the end of the line", function()
      for _, bytes in ipairs { "H", "1", "9", "2x", "26", "25x", "250x" } do
        assert.equal("protocol", parse(bytes).status)
      end
      for _, bytes in ipairs { "2", "25", "250", "250 ", "250-", "250\r" } do
        assert.is_true(parse(bytes).again)
      end
    end)

    it("quotes what came instead, made printable", function()
      assert.equal('the server sent "\\x1B[2Jhello " where a reply code was due', parse("\27[2Jhello\n").words)
    end)
  end)

  describe("line", function()
    accepts("250 \r\n", 250, "")
    accepts("250\r\n", 250, "")
    accepts("250  two spaces \r\n", 250, " two spaces ")
    accepts("250 \195\188\255\128 8-bit\r\n", 250, "\195\188\255\128 8-bit")
    accepts("250 tab\there\r\n", 250, "tab\there")
    waits("250 ok")
    waits("250 ok\r")
    waits("250-one\r\n")
    waits("250-\r\n")
    waits("250-one\r\n250")
    refuses("250 ok\n", "protocol", "LF alone")
    refuses("250\n", "protocol", "LF alone")
    refuses("250-one\n250 two\r\n", "protocol", "LF alone")
    refuses("250-one\r\n250 two\n", "protocol", "LF alone")
    refuses("250 a\rb\r\n", "protocol", "bare CR")
    refuses("250\rb\r\n", "protocol", "bare CR")
    refuses("250 a\r\r\n", "protocol", "bare CR")
    refuses("250 a\0b\r\n", "protocol", "NUL")
    refuses("250-a\r\n250 \0\r\n", "protocol", "NUL")
  end)

  describe("of several lines", function()
    accepts("250-one\r\n250-two\r\n250 three\r\n", 250, "one\ntwo\nthree")
    accepts("250-one\r\n250\r\n", 250, "one\n")
    accepts("250-\r\n250-\r\n250 \r\n", 250, "\n\n")
    refuses("250-one\r\n550 two\r\n", "protocol", "mixed codes 250 and 550")
    refuses("250-one\r\n251-two\r\n250 three\r\n", "protocol", "mixed codes 250 and 251")
    refuses("250-one\r\ntwo\r\n250 three\r\n", "protocol", "where a reply code was due")
    refuses("250-one\r\n\r\n", "protocol", "where a reply code was due")
  end)

  describe("has bounds:", function()
    local function last_line(length)
      return "250 " .. ("x"):rep(length - 6) .. "\r\n"
    end

    it("4096 bytes a line", function()
      assert.equal(("x"):rep(4090), parse(last_line(4096)).text)
      local seen = parse(last_line(4097))
      assert.equal("limit", seen.status)
      assert.truthy(seen.words:find("longer than 4096 bytes", 1, true))
    end)

    it("a line without an end", function()
      assert.is_true(parse("250 " .. ("x"):rep(4092)).again)
      assert.equal("limit", parse("250 " .. ("x"):rep(4093)).status)
    end)

    it("128 lines", function()
      assert.equal(("\n"):rep(127), parse(("250-\r\n"):rep(127) .. "250 \r\n").text)
      local seen = parse(("250-\r\n"):rep(128) .. "250 \r\n")
      assert.equal("limit", seen.status)
      assert.truthy(seen.words:find("more than 128 lines", 1, true))
    end)

    -- 16 lines of 4090 bytes and the breaks between them are 65455 bytes of text: 81 more fill the 65536.
    it("64 kB", function()
      local function seen(last)
        local conn = script.ready()
        conn:rset()
        script.drain(conn)
        for _ = 1, 16 do
          assert.equal("again", script.answer(conn, "250-" .. ("x"):rep(4090) .. "\r\n"))
        end
        return script.answer(conn, "250 " .. ("y"):rep(last) .. "\r\n")
      end
      assert.equal("reply", (seen(80)))
      local _, status, words = seen(81)
      assert.equal("limit", status)
      assert.truthy(words:find("longer than 65536 bytes", 1, true))
    end)

    it("nothing that never ends is read for ever", function()
      local conn = script.ready()
      conn:rset()
      script.drain(conn)
      local fed = 0
      local kind, status
      repeat
        assert(conn:feed(("250-" .. ("x"):rep(994) .. "\r\n"):rep(16)))
        fed = fed + 16000
        kind, status = conn:next()
      until not kind or fed > 1e6
      assert.equal("limit", status)
      assert.is_true(fed <= 80000)
    end)
  end)

  describe("enhanced code", function()
    accepts("250 2.1.5 ok\r\n", 250, "ok", "2.1.5")
    accepts("550 5.7.1 no\r\n", 550, "no", "5.7.1")
    accepts("550 5.123.456 no\r\n", 550, "no", "5.123.456")
    accepts("250 2.0.0\r\n", 250, "", "2.0.0")
    accepts("250-2.1.5 one\r\n250 2.1.5 two\r\n", 250, "one\ntwo", "2.1.5")
    accepts("450 4.2.2  two spaces\r\n", 450, " two spaces", "4.2.2")
    -- It must agree with the class of the reply (RFC 2034 section 4).
    accepts("250 5.7.1 no\r\n", 250, "5.7.1 no")
    accepts("550 2.1.5 ok\r\n", 550, "2.1.5 ok")
    for _, text in ipairs {
      "2.1 ok", "2..1 ok", "2.1.x ok", "2.1.5x", "2.1.5.6 ok", "2.1234.5 ok", "2.1.1234 ok", "22.1.5 ok", "2,1,5 ok",
      "2.1.", "2", "2.", "2.1.5\tok", "-2.1.5 ok",
    } do
      accepts("250 " .. text .. "\r\n", 250, text)
    end
  end)

  describe("where a greeting is due", function()
    local function greet(bytes, pieces)
      local conn = assert(core.connection { tls = "none" })
      for i = 1, #bytes, pieces or #bytes do
        conn:feed(bytes:sub(i, i + (pieces or #bytes) - 1))
        local kind, status, words, reason = conn:next()
        if kind ~= "again" then
          return kind, status, words, reason
        end
      end
      return "again"
    end

    it("that is TLS says so", function()
      for _, record in ipairs { "\21\3\3\0\2\2\70", "\22\3\1\2\0\1" } do
        for _, pieces in ipairs { #record, 1 } do
          local kind, status, _, reason = greet(record, pieces)
          assert.is_nil(kind)
          assert.equal("protocol", status)
          assert.equal("peer speaks TLS", reason)
        end
      end
    end)

    it("that merely begins like TLS does not", function()
      for _, bytes in ipairs { "\21\4\3\0\2", "\23\3\3\0\2", "\22\0" } do
        local _, status, _, reason = greet(bytes)
        assert.equal("protocol", status)
        assert.is_nil(reason)
      end
    end)

    it("must be 220, 4yz or 5yz", function()
      assert.equal("reply", (greet "220 mail.test ESMTP\r\n"))
      assert.equal("reply", (greet "220-mail.test\r\n220 ESMTP\r\n"))
      assert.equal("reply", (greet "554 no service\r\n"))
      assert.equal("reply", (greet "421 later\r\n"))
      for _, code in ipairs { 200, 221, 235, 250, 334, 354 } do
        local kind, status, words = greet(("%d hello\r\n"):format(code))
        assert.is_nil(kind)
        assert.equal("protocol", status)
        assert.equal(("the server answered greeting with %d"):format(code), words)
      end
      assert.is_nil((greet "220-mail.test\r\n554 no\r\n"))
    end)

    it("and is a refusal ends the session", function()
      for _, code in ipairs { 421, 554 } do
        local conn = assert(core.connection { tls = "none" })
        conn:feed(("%d no service\r\n"):format(code))
        assert.equal("reply", (conn:next()))
        local tag, status = conn:ehlo "client.test"
        assert.is_nil(tag)
        assert.equal("state", status)
        assert.equal("", conn:output())
        local kind, ended = conn:next()
        assert.is_nil(kind)
        assert.equal("closed", ended)
      end
    end)
  end)
end)
