-- The parameters of MAIL and RCPT: typed options, sent as far as the server offers them, and never text of a caller.
local script = require "spec.support.script"
local new_ends = require "spec.support.tls_ends".new

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
    assert.equal(mail "", line(all, { size = 0, body = nil, smtputf8 = false }))
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
    assert.equal(mail " BODY=8BITMIME", line("8BITMIME", { body = "8bit" }))
    local status, text = line("SIZE", { body = "8bit" })
    assert.equal("unoffered", status)
    assert.equal("the message holds octets above 127, and the server does not offer 8BITMIME", text)
  end)

  -- RFC 3030 section 3
  it("BODY=BINARYMIME cannot be left out, and goes with CHUNKING only", function()
    assert.equal(mail " BODY=BINARYMIME", line("CHUNKING\nBINARYMIME", { body = "binary" }))
    local status, text = line("8BITMIME\nCHUNKING", { body = "binary" })
    assert.same({ "unoffered", "the message is binary, and the server does not offer BINARYMIME" }, { status, text })
    status, text = line("8BITMIME\nBINARYMIME", { body = "binary" })
    assert.same({ "unoffered", "the message is binary, and the server does not offer CHUNKING" }, { status, text })
  end)

  it("SMTPUTF8 cannot be left out", function()
    assert.equal(mail " SMTPUTF8", line("SMTPUTF8", { smtputf8 = true }))
    local status, text = line("8BITMIME", { smtputf8 = true })
    assert.equal("unoffered", status)
    assert.equal("an address or a header of the message is not ASCII, and the server does not offer SMTPUTF8", text)
  end)

  it("may be one of several", function()
    assert.equal(mail " SIZE=5 BODY=8BITMIME SMTPUTF8",
      line("SMTPUTF8\nSIZE 10\n8bitmime", { size = 5, body = "8bit", smtputf8 = true }))
    assert.equal("unoffered", (line("SIZE 10\n8BITMIME", { size = 5, body = "8bit", smtputf8 = true })))
  end)

  -- RFC 3461 sections 4.3 and 4.4
  it("RET and ENVID are sent where DSN is offered, and left out where not", function()
    assert.equal(mail " RET=FULL", line("DSN", { ret = "full" }))
    assert.equal(mail " RET=HDRS ENVID=order-42", line("dsn", { ret = "headers", envid = "order-42" }))
    assert.equal(mail "", line("XDSN", { ret = "full", envid = "order-42" }))
    assert.equal(mail "", line("DSN", { envid = "" }))
  end)

  it("ENVID is xtext, whatever it holds", function()
    assert.equal(mail " ENVID=a+20b+2Bc+3Dd", line("DSN", { envid = "a b+c=d" }))
    assert.equal(mail " ENVID=+20NOTIFY+3DNEVER", line("DSN", { envid = " NOTIFY=NEVER" }))
    for byte = 0x21, 0x7E do
      local c = string.char(byte)
      local expected = (c == "+" or c == "=") and ("+%02X"):format(byte) or c
      assert.equal(mail(" ENVID=" .. expected), line("DSN", { envid = c }))
    end
    for _, envid in ipairs { "a\r\nRSET", "a\nb", "\0", "a\0b", "\127", "\t", "ü", "\255" } do
      for _, offers in ipairs { "DSN", "SIZE" } do
        local status, text = line(offers, { envid = envid })
        assert.equal("argument", status)
        assert.equal("the envelope id holds more than printable ASCII (RFC 3461, 4.4)", text)
      end
    end
  end)

  it("ENVID has at most 100 octets as it is sent", function()
    assert.equal(mail(" ENVID=" .. ("x"):rep(100)), line("DSN", { envid = ("x"):rep(100) }))
    assert.equal(mail(" ENVID=x" .. ("+3D"):rep(33)), line("DSN", { envid = "x" .. ("="):rep(33) }))
    for _, envid in ipairs { ("x"):rep(101), ("="):rep(34), (" "):rep(100) } do
      local status, text = line("DSN", { envid = envid })
      assert.equal("argument", status)
      assert.equal("the envelope id is longer than 100 octets (RFC 3461)", text)
    end
  end)

  -- RFC 2852
  it("BY says how many seconds there are, and what happens then", function()
    assert.equal(mail " BY=60;R", line("DELIVERBY", { deliver_by = 60 }))
    assert.equal(mail " BY=60;R", line("DELIVERBY", { deliver_by = 60, deliver_mode = "return" }))
    assert.equal(mail " BY=0;NT", line("DELIVERBY", { deliver_by = 0, deliver_mode = "notify", deliver_trace = true }))
    assert.equal(mail " BY=-999999999;N", line("DELIVERBY", { deliver_by = -999999999, deliver_mode = "notify" }))
    assert.equal(mail " BY=999999999;RT", line("DELIVERBY", { deliver_by = 999999999, deliver_trace = true }))
    assert.equal(mail "", line("DELIVERBY", { deliver_mode = "notify", deliver_trace = true }))
    for _, seconds in ipairs { 0, -1 } do
      local status, text = line("DELIVERBY", { deliver_by = seconds })
      assert.equal("argument", status)
      assert.equal("a message that is returned when it is late needs time (RFC 2852, 4)", text)
    end
  end)

  it("BY cannot be left out, nor be below the server's minimum where the message would be returned", function()
    local status, text = line("SIZE", { deliver_by = 60 })
    assert.equal("unoffered", status)
    assert.equal("the message is to be delivered by a time, and the server does not offer DELIVERBY", text)
    assert.equal(mail " BY=60;R", line("DELIVERBY 60", { deliver_by = 60 }))
    assert.equal(mail " BY=59;N", line("DELIVERBY 60", { deliver_by = 59, deliver_mode = "notify" }))
    status, text = line("DELIVERBY 60", { deliver_by = 59 })
    assert.equal("unoffered", status)
    assert.equal("the message is to be delivered within 59 seconds, and the server asks for at least 60", text)
    assert.equal("unoffered", (line("DELIVERBY 99999999999999999999", { deliver_by = 999999999 })))
  end)

  -- RFC 6710
  it("MT-PRIORITY is sent where it is offered, and left out where not", function()
    for _, priority in ipairs { -9, 0, 9 } do
      assert.equal(mail(" MT-PRIORITY=" .. priority), line("MT-PRIORITY MIXER", { priority = priority }))
      assert.equal(mail "", line("SIZE", { priority = priority }))
    end
  end)

  -- RFC 4865
  it("HOLDFOR and HOLDUNTIL cannot be left out", function()
    assert.equal(mail " HOLDFOR=60", line("FUTURERELEASE 86400 2030-01-01T00:00:00Z", { hold_for = 60 }))
    assert.equal(mail " HOLDUNTIL=2009-02-13T23:31:30Z",
      line("FUTURERELEASE 86400 2030-01-01T00:00:00Z", { hold_until = 1234567890 }))
    assert.equal(mail " HOLDUNTIL=9999-12-31T23:59:59Z", line("FUTURERELEASE", { hold_until = 253402300799 }))
    for _, options in ipairs { { hold_for = 60 }, { hold_until = 60 } } do
      local status, text = line("SIZE", options)
      assert.equal("unoffered", status)
      assert.equal("the message is to be held back, and the server does not offer FUTURERELEASE", text)
    end
    local status, text = line("FUTURERELEASE", { hold_for = 60, hold_until = 60 })
    assert.same({ "argument", "a message is held for a time or until one, not both (RFC 4865, 4)" }, { status, text })
  end)

  it("HOLDFOR and HOLDUNTIL keep to the server's limits", function()
    local offer = "FUTURERELEASE 3600 2030-01-01T00:00:00Z"
    assert.equal(mail " HOLDFOR=3600", line(offer, { hold_for = 3600 }))
    local status, text = line(offer, { hold_for = 3601 })
    assert.equal("unoffered", status)
    assert.equal("the message is to be held for 3601 seconds, and the server holds one for at most 3600", text)
    assert.equal(mail " HOLDUNTIL=2030-01-01T00:00:00Z", line(offer, { hold_until = 1893456000 }))
    status, text = line(offer, { hold_until = 1893456001 })
    assert.equal("unoffered", status)
    assert.equal("the message is to be held until 2030-01-01T00:00:01Z, and the server holds one until " ..
      "2030-01-01T00:00:00Z at the latest", text)
    for _, odd in ipairs { "3600", "3600 2030", "3600 2030-01-01T00:00:00+09:00", "3600 2030-01-01T00:00:00ZZ",
      "3600 2O30-01-01T00:00:00Z", "" } do
      assert.equal(mail " HOLDUNTIL=2030-01-01T00:00:01Z", line("FUTURERELEASE " .. odd, { hold_until = 1893456001 }))
    end
  end)

  -- RFC 5321 section 4.5.3.1.4
  it("leaves MAIL within 512 octets, even beside all others", function()
    local conn = script.ready "SIZE\nCHUNKING\nBINARYMIME\nSMTPUTF8\nDSN\nDELIVERBY\nMT-PRIORITY\nFUTURERELEASE"
    local long = ("x"):rep(64) .. "@" .. (("y"):rep(61) .. "."):rep(3) .. "abc"
    assert.equal(254, #long)
    assert(conn:mail(long, { size = 2 ^ 53, body = "binary", smtputf8 = true, ret = "full", envid = ("x"):rep(100),
      deliver_by = -999999999, deliver_mode = "notify", deliver_trace = true, priority = -9,
      hold_until = 253402300799 }))
    -- SIZE may grow by 4 digits beyond what Lua can say, and REQUIRETLS has 11 octets.
    assert.is_true(#conn:output() + 4 + #" REQUIRETLS" <= 512)
  end)

  it("is of its type, or the call is a mistake", function()
    local conn = script.ready "SIZE\n8BITMIME\nSMTPUTF8\nDSN\nDELIVERBY\nMT-PRIORITY\nFUTURERELEASE"
    for _, options in ipairs {
      { size = "5" }, { size = -1 }, { size = 1.5 }, { size = 2 ^ 54 }, { size = 0 / 0 }, { size = 1 / 0 },
      { size = {} }, { body = 1 }, { body = "7bit" },
      { smtputf8 = "yes" }, { ret = "FULL" }, { ret = true }, { envid = 5 },
      { require_tls = "no" }, { deliver_by = "60" }, { deliver_by = 1.5 }, { deliver_by = 10 ^ 9 },
      { deliver_mode = "R" }, { deliver_trace = 1 }, { priority = 10 }, { priority = -10 }, { priority = 0.5 },
      { priority = "5" }, { hold_for = -1 }, { hold_for = 10 ^ 9 }, { hold_until = -1 }, { hold_until = 253402300800 },
      { hold_until = "2030-01-01T00:00:00Z" },
    } do
      assert.has_error(function() conn:mail("a@client.test", options) end)
    end
    assert.has_error(function() conn:mail("a@client.test", "SIZE=5") end)
    assert.has_error(function() conn:mail(nil) end)
    assert.equal("", conn:output())
    assert(conn:mail "a@client.test")
  end)
end)

-- RFC 8689: no server may have it that is not known to be the right one, nor one that would not keep the promise.
describe("REQUIRETLS", function()
  local ends

  setup(function()
    ends = new_ends()
  end)

  teardown(function()
    ends:remove()
  end)

  local function mail(options, offers, context)
    local peer = { { reply = "220 mail.test\r\n" },
      { expect = "EHLO client.test\r\n", reply = script.reply(250, "mail.test\n" .. offers) } }
    local client = { "event", { "ehlo", "client.test" } }
    if options.tls == "implicit" then
      table.insert(peer, 1, { tls = context })
      table.insert(client, 1, "event")
    end
    local conn = script.play({ options = options, client = client, peer = peer }).conn
    local before = conn:output()
    local tag, status, text = conn:mail("a@client.test", { require_tls = true })
    assert.is_true(tag ~= nil or conn:output() == before)
    assert.is_false(conn:failed())
    assert(tag or conn:mail "a@client.test")
    return tag and "sent" or status, text
  end

  it("goes to a verified server that offers it", function()
    assert.equal("sent", (mail(ends:options "implicit", "REQUIRETLS", ends.server)))
    local conn = script.play({
      options = ends:options "implicit", peer = { { tls = ends.server }, { reply = "220 mail.test\r\n" },
        { expect = "EHLO client.test\r\n", reply = "250-mail.test\r\n250 REQUIRETLS\r\n" },
        { expect = "MAIL FROM:<a@client.test> REQUIRETLS\r\n", reply = "250 ok\r\n" } },
      client = { "event", "event", { "ehlo", "client.test" }, { "mail", "a@client.test", { require_tls = true } } },
    }).conn
    assert.is_false(conn:failed())
  end)

  it("goes to none that does not offer it", function()
    local status, text = mail(ends:options "implicit", "SIZE 5", ends.server)
    assert.equal("unoffered", status)
    assert.equal("the message may only travel over TLS, and the server does not offer REQUIRETLS", text)
  end)

  it("goes to none that is not verified, whatever it offers", function()
    local words = "a message that requires TLS may only go to a verified server"
    assert.same({ "policy", words }, { mail({ tls = "none" }, "REQUIRETLS") })
    assert.same({ "policy", words },
      { mail(ends:options("implicit", { optional = true }), "REQUIRETLS", ends.stranger) })
    assert.same({ "policy", words }, { mail(ends:options "opportunistic", "REQUIRETLS") })
  end)
end)

describe("the parameters of RCPT", function()
  local function line(offers, options, mailbox)
    local conn = script.ready(offers)
    assert(conn:mail("a@client.test", { smtputf8 = offers:find "SMTPUTF8" ~= nil }))
    script.answer(conn, "250 ok\r\n")
    local tag, status, text = conn:rcpt(mailbox or "b@mail.test", options)
    if not tag then
      assert.equal("", conn:output())
      return status, text
    end
    return conn:output()
  end

  local function rcpt(parameters, mailbox)
    return "RCPT TO:<" .. (mailbox or "b@mail.test") .. ">" .. parameters .. "\r\n"
  end

  it("are none where none is asked for, or DSN is not offered", function()
    assert.equal(rcpt "", line "DSN")
    assert.equal(rcpt "", line("DSN", {}))
    assert.equal(rcpt "", line("DSN", { notify = {}, orcpt = false }))
    assert.equal(rcpt "", line("SIZE", { notify = { "never" }, orcpt = true }))
  end)

  it("ask for notices", function()
    assert.equal(rcpt " NOTIFY=NEVER", line("DSN", { notify = { "never" } }))
    assert.equal(rcpt " NOTIFY=SUCCESS", line("DSN", { notify = { "success" } }))
    assert.equal(rcpt " NOTIFY=SUCCESS,FAILURE,DELAY",
      line("DSN", { notify = { "delay", "failure", "success", "delay" } }))
    for _, offers in ipairs { "DSN", "SIZE" } do
      local status, text = line(offers, { notify = { "never", "delay" } })
      assert.equal("argument", status)
      assert.equal("a notice is asked for never or for something, not both (RFC 3461, 4.1)", text)
    end
  end)

  it("name the recipient as it is here", function()
    assert.equal(rcpt " NOTIFY=DELAY ORCPT=rfc822;b@mail.test", line("DSN", { notify = { "delay" }, orcpt = true }))
    for mailbox, text in pairs {
      ["a+b=c@mail.test"] = "rfc822;a+2Bb+3Dc@mail.test",
      ['"a b"@mail.test'] = 'rfc822;"a+20b"@mail.test',
      ["b@[IPv6:2001:db8::1]"] = "rfc822;b@[IPv6:2001:db8::1]",
    } do
      assert.equal(rcpt(" ORCPT=" .. text, mailbox), line("DSN", { orcpt = true }, mailbox))
    end
  end)

  -- RFC 6533 section 3
  it("name a recipient beyond ASCII in ASCII", function()
    for mailbox, text in pairs {
      ["ü@mail.test"] = "utf-8;\\x{FC}@mail.test",
      ["監視@mail.test"] = "utf-8;\\x{76E3}\\x{8996}@mail.test",
      ["😀+=x@mail.test"] = "utf-8;\\x{1F600}\\x{2B}\\x{3D}x@mail.test",
      ['"ü \\\\"@mail.test'] = 'utf-8;"\\x{FC}\\x{20}\\x{5C}\\x{5C}"@mail.test',
    } do
      assert.equal(rcpt(" ORCPT=" .. text, mailbox), line("DSN\nSMTPUTF8", { orcpt = true }, mailbox))
    end
  end)

  -- RFC 5321 section 4.5.3.1.4, RFC 3461 section 4
  it("leave RCPT within 1012 octets", function()
    local mailbox = '"ü' .. (" "):rep(60) .. '"@' .. (("y"):rep(61) .. "."):rep(3) .. "abc"
    local all = line("DSN\nSMTPUTF8", { notify = { "success", "failure", "delay" }, orcpt = true }, mailbox)
    assert.is_true(#all > 512 and #all <= 1012)
  end)

  it("are of their types, or the call is a mistake", function()
    local conn = script.ready "DSN"
    assert(conn:mail "a@client.test")
    local before = conn:output()
    for _, options in ipairs {
      { notify = "never" }, { notify = { "NEVER" } }, { notify = { "bounce" } }, { notify = { 1 } },
      { notify = { true } }, { notify = 1 }, { orcpt = "b@mail.test" }, { orcpt = 1 },
    } do
      assert.has_error(function() conn:rcpt("b@mail.test", options) end)
    end
    assert.has_error(function() conn:rcpt("b@mail.test", " NOTIFY=NEVER") end)
    assert.equal(before, conn:output())
    assert(conn:rcpt("b@mail.test", nil))
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
