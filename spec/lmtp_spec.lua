-- LMTP (RFC 2033): LHLO, and a verdict for each recipient after the end of the message.
local peer = require "spec.support.peer"
local smtpsec = require "smtpsec"
local talk = require "spec.support.talk"

local MAIL = { from = "a@b.test", to = { "one@b.test", "two@b.test", "three@b.test" }, subject = "s", text = "t" }

local function deliver(verdicts)
  local server = peer.start {
    { send = "220 lmtp.test\r\n" }, { expect = "LHLO" }, { send = "250-lmtp.test\r\n250 PIPELINING\r\n" },
    { expect = "MAIL" }, { send = "250 ok\r\n" }, { expect = "RCPT" }, { send = "250 ok\r\n" },
    { expect = "RCPT" }, { send = "550 5.1.1 unknown\r\n" }, { expect = "RCPT" }, { send = "250 ok\r\n" },
    { expect = "DATA" }, { send = "354 go\r\n" }, { upto = "\r\n.\r\n" }, { send = verdicts }, { expect = "QUIT" },
    { send = "221 bye\r\n" },
  }
  local receipt, err = smtpsec.send(MAIL, {
    url = ("lmtp://127.0.0.1:%d"):format(server.port), tls = "none", env_file = false, timeout = { final = 1 },
  })
  server:stop()
  return receipt, err
end

describe("LMTP", function()
  it("has a verdict for each recipient", function()
    local receipt, err = deliver "250 2.0.0 kept\r\n452 4.2.2 full\r\n"
    assert.is_table(receipt, tostring(err))
    assert.equal("partial", receipt.status)
    assert.same({ "one@b.test" }, receipt.accepted)
    assert.equal("two@b.test", receipt.rejected[1].address)
    assert.equal("three@b.test", receipt.rejected[2].address)
    assert.equal(452, receipt.rejected[2].code)
    assert.is_true(receipt.rejected[2].temporary)
  end)

  it("delivers to all that were accepted", function()
    local receipt = deliver "250 2.0.0 kept\r\n250 2.0.0 kept\r\n"
    assert.same({ "one@b.test", "three@b.test" }, receipt.accepted)
  end)

  it("is a refusal when every verdict is one", function()
    local receipt, err = deliver "552 5.2.2 full\r\n552 5.2.2 full\r\n"
    assert.is_nil(receipt)
    assert.equal("rejected", err.kind)
    assert.equal("final", err.stage)
    assert.equal(3, #err.rejected)
  end)

  it("leaves the mail in doubt when a verdict is missing", function()
    local receipt, err = deliver "250 2.0.0 kept\r\n"
    assert.is_nil(receipt)
    assert.equal("in_doubt", err.kind)
    assert.is_false(err.retry_safe)
  end)

  it("keeps the verdicts that had come where the server ends the session instead of the others", function()
    local receipt, err = deliver "250 2.0.0 kept\r\n421 4.3.2 closing\r\n"
    assert.is_nil(err, tostring(err))
    assert.same({ "one@b.test" }, receipt.accepted)
    assert.same({ "three@b.test", 421, true },
      { receipt.rejected[2].address, receipt.rejected[2].code, receipt.rejected[2].temporary })
    receipt, err = deliver "421 4.3.2 closing\r\n"
    assert.is_nil(receipt)
    assert.same({ "rejected", 421, true }, { err.kind, err.code, err.retry_safe })
  end)

  it("tells of a part in doubt who has it, beside those of the others", function()
    local function part(...)
      local steps = { "C: MAIL", "C: RCPT", "C: RCPT", "C: DATA", "S: 250 ok", "S: 250 ok", "S: 250 ok", "S: 354 go",
        talk.END }
      for _, verdict in ipairs { ... } do steps[#steps + 1] = "S: " .. verdict end
      return steps
    end
    for _, first in ipairs { "250 kept", "552 5.2.2 full" } do
      local server = talk.listen { "S: 220 lmtp.test", "C: LHLO", "S: 250-lmtp.test", "S: 250-PIPELINING",
        "S: 250 LIMITS RCPTMAX=2", part(first, first), part "250 kept", { close = true } }
      local receipt, err = smtpsec.send(talk.message { to = "a@b.test, b@b.test, c@b.test, d@b.test" },
        { url = ("lmtp://127.0.0.1:%d"):format(server.port), tls = "none", env_file = false, timeout = 2 })
      server:stop()
      assert.is_nil(receipt)
      assert.equal("in_doubt", err.kind)
      assert.same(first == "250 kept" and { "a@b.test", "b@b.test", "c@b.test" } or { "c@b.test" }, err.accepted)
      assert.equal(first == "250 kept" and 0 or 2, #(err.rejected or {}))
    end
  end)

  it("does not lose its mail to a verdict too many", function()
    local receipt = deliver "250 kept\r\n250 kept\r\n550 and one more\r\n"
    assert.same({ "one@b.test", "three@b.test" }, receipt.accepted)
    assert.equal(1, #receipt.rejected)
  end)

  it("tells why a part of a large message was refused, and sends no more of it", function()
    local mail = { from = "a@b.test", to = "one@b.test", text = ("0123456789abcde\n"):rep(6000) }
    local parts = 0
    for _ in assert(smtpsec.message(mail)):chunks() do parts = parts + 1 end
    assert.is_true(parts > 1)
    for _, taken in ipairs { false, true } do
      local steps = {
        { send = "220 lmtp.test\r\n" }, { expect = "LHLO" },
        { send = "250-lmtp.test\r\n250-PIPELINING\r\n250 CHUNKING\r\n" }, { expect = "MAIL" }, { expect = "RCPT" },
        { send = "250 ok\r\n250 ok\r\n" }, { bdat = true },
      }
      local function play(...)
        for _, step in ipairs { ... } do steps[#steps + 1] = step end
      end
      if taken then
        for _ = 2, parts do play({ send = "250 ok\r\n" }, { bdat = true }) end
      else
        play({ send = "552 5.3.4 too much\r\n" }, { expect = "RSET" })
      end
      play({ send = "250 ok\r\n" }, { expect = "QUIT" })
      local server = peer.start(steps)
      local receipt, err = smtpsec.send(mail, {
        url = ("lmtp://127.0.0.1:%d"):format(server.port), tls = "none", env_file = false, timeout = 1,
      })
      server:stop()
      if taken then
        assert.is_nil(err, tostring(err))
        assert.same({ "one@b.test" }, receipt.accepted)
      else
        assert.same({ "rejected", "body", 552, "5.3.4", true },
          { err.kind, err.stage, err.code, err.enhanced, err.retry_safe })
      end
    end
  end)
end)
