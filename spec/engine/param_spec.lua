-- The parameters of MAIL: typed options, sent as far as the server offers them, and never text of a caller (RFC 1870,
-- RFC 6152, RFC 6531).
local script = require "spec.support.script"

describe("the parameter", function()
  local function line(offers, options)
    local conn = script.ready(offers)
    local tag, status, text = conn:mail("a@client.test", options)
    if not tag then
      assert.equal("", conn:output())
      assert.is_false(conn:failed())
      assert(conn:mail "b@client.test")
      return status, text
    end
    return conn:output()
  end

  local function mail(parameters)
    return "MAIL FROM:<a@client.test>" .. parameters .. "\r\n"
  end

  it("is none where none is asked for", function()
    local all = "SIZE 1000\n8BITMIME\nSMTPUTF8"
    assert.equal(mail "", line(all))
    assert.equal(mail "", line(all, {}))
    assert.equal(mail "", line(all, { size = 0, body_8bit = false, smtputf8 = false }))
  end)

  it("SIZE is sent where it is offered, and left out where not", function()
    assert.equal(mail " SIZE=999", line("SIZE", { size = 999 }))
    assert.equal(mail " SIZE=9007199254740992", line("SIZE", { size = 2 ^ 53 }))
    assert.equal(mail "", line("8BITMIME", { size = 999 }))
  end)

  it("SIZE beyond the server's limit is refused before it is sent", function()
    assert.equal(mail " SIZE=1000", line("SIZE 1000", { size = 1000 }))
    local status, text = line("SIZE 1000", { size = 1001 })
    assert.equal("unoffered", status)
    assert.equal("the message has 1001 bytes and the server takes at most 1000", text)
  end)

  it("BODY=8BITMIME cannot be left out", function()
    assert.equal(mail " BODY=8BITMIME", line("8BITMIME", { body_8bit = true }))
    local status, text = line("SIZE", { body_8bit = true })
    assert.equal("unoffered", status)
    assert.equal("the message holds octets above 127, and the server does not offer 8BITMIME", text)
  end)

  it("SMTPUTF8 cannot be left out", function()
    assert.equal(mail " SMTPUTF8", line("SMTPUTF8", { smtputf8 = true }))
    local status, text = line("8BITMIME", { smtputf8 = true })
    assert.equal("unoffered", status)
    assert.equal("an address or a header of the message is not ASCII, and the server does not offer SMTPUTF8", text)
  end)

  it("may be one of several", function()
    assert.equal(mail " SIZE=5 BODY=8BITMIME SMTPUTF8",
      line("SMTPUTF8\nSIZE 10\n8bitmime", { size = 5, body_8bit = true, smtputf8 = true }))
    assert.equal("unoffered", (line("SIZE 10\n8BITMIME", { size = 5, body_8bit = true, smtputf8 = true })))
  end)

  it("is of its type, or the call is a mistake", function()
    local conn = script.ready "SIZE\n8BITMIME\nSMTPUTF8"
    for _, options in ipairs {
      { size = "5" }, { size = -1 }, { size = 1.5 }, { size = 2 ^ 54 }, { size = 0 / 0 }, { size = 1 / 0 },
      { size = {} }, { body_8bit = 1 }, { smtputf8 = "yes" },
    } do
      assert.has_error(function() conn:mail("a@client.test", options) end)
    end
    assert.has_error(function() conn:mail("a@client.test", "SIZE=5") end)
    assert.has_error(function() conn:mail(nil) end)
    assert.equal("", conn:output())
    assert(conn:mail "a@client.test")
  end)
end)

describe("an address beyond ASCII", function()
  local function sends(offers, declared)
    local conn = script.ready(offers)
    local mail_tag, mail_status, text = conn:mail("監視@client.test", { smtputf8 = declared })
    if not mail_tag then
      assert.equal("unoffered", mail_status)
      assert.equal("", conn:output())
      return false, text
    end
    return true
  end

  it("needs SMTPUTF8 offered and declared", function()
    assert.is_true(sends("SMTPUTF8", true))
    for _, case in ipairs { { "8BITMIME", false }, { "SMTPUTF8", false }, { "8BITMIME", true } } do
      local sent, text = sends(case[1], case[2])
      assert.is_false(sent)
      assert.equal("the address is not ASCII, which needs SMTPUTF8 (RFC 6531)", text)
    end
  end)

  it("of a recipient needs it declared for its own transaction", function()
    local function takes(conn, declared)
      assert(conn:mail("a@client.test", { smtputf8 = declared }))
      script.answer(conn, "250 ok\r\n")
      local tag, status = conn:rcpt "監視@mail.test"
      assert.equal(not tag and "unoffered" or nil, status)
      conn:rset()
      while conn:waiting() or conn:output() ~= "" do
        script.answer(conn, "250 ok\r\n")
      end
      return tag ~= nil
    end
    local conn = script.ready "SMTPUTF8"
    assert.is_true(takes(conn, true))
    assert.is_false(takes(conn, false))
    assert.is_true(takes(conn, true))
    conn:mail("not an address", { smtputf8 = false })
    assert.is_false(takes(script.ready "8BITMIME", false))
  end)
end)
