-- Domains that are not ASCII: what becomes of them (UTS 46, IDNA 2008), and that it becomes of them everywhere.
local config = require "smtpsec.config"
local core = require "smtpsec.core"
local domain = require "smtpsec.domain"
local message = require "smtpsec.message"
local pki = require "spec.support.pki"
local process = require "spec.support.process"
local sink = require "smtpsec.sink"
local smtpsec = require "smtpsec"

describe("a domain in ASCII", function()
  -- UTS 46 section 4.5 and its test file, RFC 5891, RFC 5893.
  local MADE = {
    ["faß.de"] = "xn--fa-hia.de", ["Faß.DE"] = "xn--fa-hia.de", ["fass.de"] = "fass.de", ["ẞ.de"] = "ss.de",
    ["ΒΌΛΟΣ.gr"] = "xn--nxasmq6b.gr", ["βόλος.gr"] = "xn--nxasmm1c.gr",
    ["نامه‌ای.com"] = "xn--mgba3gch31f060k.com", ["Bücher.Test"] = "xn--bcher-kva.test",
    ["BU\204\136CHER.test"] = "xn--bcher-kva.test", -- as macOS writes it: U and a combining mark
    ["例え。テスト"] = "xn--r8jz45g.xn--zckzah", ["例え．テスト"] = "xn--r8jz45g.xn--zckzah",
    ["例え｡テスト"] = "xn--r8jz45g.xn--zckzah", ["ｍａｉｌ。例え。jp"] = "mail.xn--r8jz45g.jp",
    ["xn--fa-hia.de"] = "xn--fa-hia.de", ["XN--FA-HIA.de"] = "xn--fa-hia.de",
    ["ü.xn--fa-hia.de"] = "xn--tda.xn--fa-hia.de",
    ["bü\194\173cher.test"] = "xn--bcher-kva.test", -- a soft hyphen is nothing
    ["א1.de"] = "xn--1-zhc.de",
    ["xn--i-7iq.ws"] = "xn--i-7iq.ws", -- a heart, which IDNA 2008 does not know, and a registry sold
    ["mail_1.test"] = "mail_1.test", [""] = "", ["[::1]"] = "[::1]", ["axn--b.de"] = "axn--b.de",
  }

  it("is what UTS 46 makes of it", function()
    for given, ascii in pairs(MADE) do
      assert.equal(ascii, (domain.to_ascii(given)), given)
      assert.equal(ascii, (domain.to_ascii(ascii)), given)
    end
  end)

  local REFUSED = {
    ["xn--0.de"] = "no Punycode", ["xn--.de"] = "no Punycode", ["xn--fass-.de"] = "no Punycode",
    ["ü.xn--99999999"] = "no Punycode", ["xn--faß.de"] = "no Punycode",
    ["xn--a-ecp.ru"] = "no name is written as", ["xn--u-ccb.com"] = "no name is written as",
    ["אab.de"] = "from the left and from the right", ["1א.de"] = "from the left and from the right",
    ["a‍ü.de"] = "a joiner where none may stand", ["\204\136ü.de"] = "combining mark",
    ["i❤.ws"] = "no domain may have", ["ü⁄b.de"] = "no domain may have", ["ü․de"] = "no domain may have",
    ["ab--ü.de"] = "third and fourth place", ["-ü.de"] = "hyphen",
    [("ü"):rep(60) .. ".de"] = "more than 63 octets", [("ü."):rep(90) .. "de"] = "more than 255 octets",
    [("ü"):rep(600)] = "more than 255 octets", ["ü\0.de"] = "a NUL", ["ü\255.de"] = "not valid UTF-8",
  }

  it("is refused where it is no name, and says why", function()
    for given, words in pairs(REFUSED) do
      local ascii, why = domain.to_ascii(given)
      assert.is_nil(ascii, given)
      assert.matches(words, why, 1, true)
      assert.matches("^has a domain", why)
    end
  end)

  -- What the library would drop is kept, for the engine to see: another domain may come of nothing.
  it("is never another one", function()
    for _, given in ipairs { "ü_a.de", "ü@a.de", "ü／de", "ü＠de", "a b.ü", "ü..de", "ü.de.", "ü!.de", "ü:25",
      "ü>.de" } do
      local ascii = domain.to_ascii(given)
      if ascii then
        assert.is_nil(ascii:find("[\128-\255]"))
        assert.is_nil(core.domain(ascii), given)
      end
    end
  end)

  it("needs libidn2 in a module of its own, and only where there is something to do", function()
    local function needed(name)
      local path = assert(package.searchpath(name, package.cpath))
      return process.run("readelf -d " .. process.quote(path)):find("libidn2", 1, true) ~= nil
    end
    assert.same({ true, false, false }, { needed "smtpsec.idna", needed "smtpsec.core", needed "smtpsec.saslprep" })
    local loaded = package.loaded["smtpsec.idna"]
    package.loaded["smtpsec.idna"] = nil
    assert(message.new { from = "a@b.test", to = "監視 <pelé@c.test>", subject = "日本", text = "日本" })
    assert.is_nil(package.loaded["smtpsec.idna"])
    package.loaded["smtpsec.idna"] = loaded
  end)
end)

describe("a domain that is not ASCII", function()
  local function mail(more)
    local given = { from = "a@client.test", to = "b@mail.test", text = "x" }
    for key, value in pairs(more) do given[key] = value end
    return given
  end

  it("goes out as A-labels in the header and the envelope, and needs no SMTPUTF8", function()
    local draft = assert(message.new(mail {
      from = "Jörg <from@faß.de>", to = { "b@Bücher.test", "c@例え。テスト", { address = '"x y"@ü.test' } },
      cc = { { name = "日", address = "d@xn--fa-hia.de" } }, reply_to = "e@βόλος.gr", sender = "f@ü.test",
    }))
    local to = { "b@xn--bcher-kva.test", "c@xn--r8jz45g.xn--zckzah", '"x y"@xn--tda.test', "d@xn--fa-hia.de" }
    assert.same({ from = "f@xn--tda.test", to = to }, draft:envelope())
    for _, offered in ipairs { {}, { SMTPUTF8 = true, ["8BITMIME"] = true } } do
      local made = assert(draft:render(offered))
      assert.is_false(made:needs().SMTPUTF8)
      local head = made:tostring():gsub("\r\n ", " ")
      assert.is_nil(head:find("[\128-\255]"))
      for _, words in ipairs { "<from@xn--fa-hia.de>", "b@xn--bcher-kva.test, c@xn--r8jz45g.xn--zckzah",
        '"x y"@xn--tda.test', "<d@xn--fa-hia.de>", "Reply-To: e@xn--nxasmm1c.gr", "Sender: f@xn--tda.test" } do
        assert.is_truthy(head:find(words, 1, true), words)
      end
      assert.matches("@xn%-%-fa%-hia%.de>\r\n", head:match "Message%-ID: [^\n]*\n")
    end
  end)

  it("is the same beside a local part that is not ASCII either", function()
    local draft = assert(message.new(mail { to = "pelé@Bücher.test" }))
    local made, err = draft:render {}
    assert.is_nil(made)
    assert.matches("SMTPUTF8", tostring(err))
    made = assert(draft:render { SMTPUTF8 = true, ["8BITMIME"] = true })
    assert.is_truthy(made:tostring():find("To: pelé@xn--bcher-kva.test\r\n", 1, true))
    assert.same({ "pelé@xn--bcher-kva.test" }, made:envelope().to)
  end)

  it("names one mailbox, however it is written", function()
    local draft = assert(message.new(mail { to = "b@Bücher.test, b@xn--bcher-kva.test", bcc = "b@BÜCHER。test" }))
    assert.same({ "b@xn--bcher-kva.test" }, draft:envelope().to)
  end)

  it("is A-labels in the envelope, and in that of a raw message, which is not changed", function()
    local draft = assert(message.new(mail { envelope = { from = "x@ü.test", to = "y@ü.test" } }))
    assert.same({ from = "x@xn--tda.test", to = { "y@xn--tda.test" } }, draft:envelope())
    draft = assert(message.new { raw = "From: a@ü.test\r\nTo: b@ü.test\r\n\r\nx\r\n" })
    assert.same({ from = "a@xn--tda.test", to = { "b@xn--tda.test" } }, draft:envelope())
    assert.is_truthy(assert(draft:render { SMTPUTF8 = true, ["8BITMIME"] = true }):tostring():find("b@ü.test", 1, true))
  end)

  it("is refused with its field and its address where it is none", function()
    for address, words in pairs {
      ["b@1א.de"] = "from the left and from the right", ["b@ü..de"] = "an empty label", ["b@ü.de."] = "an empty label",
      ["b@xn--0.de"] = "no Punycode", ["b@ü_a.de"] = "other than letters", ["b@ü＠a.de"] = "no domain may have",
      ["b@" .. ("ü"):rep(60) .. ".de"] = "63 octets",
      [("x"):rep(64) .. "@" .. ("ab."):rep(62) .. "ü.de"] = "254 octets",
    } do
      for field, given in pairs {
        to = { to = address }, ["cc[2]"] = { cc = { "c@d", { address = address } } },
        ["from"] = { from = "N <" .. address .. ">" }, ["envelope.to"] = { envelope = { to = address } },
      } do
        local draft, err = message.new(mail(given))
        assert.is_nil(draft, address)
        assert.equal("message", err.kind)
        assert.is_truthy(tostring(err):find(field .. ': "', 1, true), tostring(err))
        assert.is_truthy(tostring(err):find(words, 1, true), tostring(err))
      end
    end
  end)

  it("is A-labels in a Message-ID that was given", function()
    local draft = assert(message.new(mail { message_id = "<1@Bücher.test>" }))
    assert.equal("<1@xn--bcher-kva.test>", draft.id)
    assert.is_truthy(assert(draft:render {}):tostring():find("\r\nMessage-ID: <1@xn--bcher-kva.test>\r\n", 1, true))
    for id, words in pairs { ["<1@1א.de>"] = "mixes writing", ["<é@ü.test>"] = "not an identifier",
      ["<1@ü@b>"] = "not an identifier" } do
      local none, err = message.new(mail { message_id = id })
      assert.is_nil(none)
      assert.is_truthy(tostring(err):find(words, 1, true), tostring(err))
    end
  end)

  it("is A-labels in the name for EHLO", function()
    local settings = assert(config.resolve { host = "h", hello = "Bücher.test", env_file = false })
    assert.equal("xn--bcher-kva.test", settings.hello)
    local none, err = config.resolve { host = "h", hello = "ü..test", env_file = false }
    assert.is_nil(none)
    assert.is_truthy(tostring(err):find('"hello" "ü..test" has a domain with an empty label', 1, true), tostring(err))
  end)

  it("is known to TLS by its A-labels", function()
    local authority = pki.new()
    authority:ca "root"
    local leaf = authority:leaf { name = "idn", cn = "x", ca = "root", san = "DNS:xn--bcher-kva.test" }
    local server = assert(sink.start { tls = "implicit", cert = leaf.chain, key = leaf.key })
    local function verify(name)
      local mailer = assert(smtpsec.new { host = "127.0.0.1", port = server.port, env_file = false,
        tls = { mode = "implicit", ca_file = authority.authorities.root.cert, server_name = name } })
      local facts, err = mailer:verify()
      mailer:close()
      return facts, err
    end
    local fine, wrong = verify "Bücher.test", select(2, verify "büch.test")
    server:stop()
    authority:remove()
    assert.is_truthy(fine)
    assert.same({ "tls", "hostname mismatch" }, { wrong.kind, wrong.reason })
  end)
end)
