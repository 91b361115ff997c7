-- The option dkim: what it takes, what it refuses, and what the field then says.
local config = require "smtpsec.config"
local process = require "spec.support.process"
local smtpsec = require "smtpsec"

local folder, ed, short

setup(function()
  folder = process.run 'printf %s "$(mktemp -d -t smtpsec-XXXXXX)"'
  ed, short = folder .. "/ed", folder .. "/short"
  process.run(("openssl genpkey -algorithm ED25519 -out %s && openssl genpkey -algorithm RSA -pkeyopt "
    .. "rsa_keygen_bits:1024 -out %s"):format(ed, short))
end)
teardown(function() process.run("rm -rf " .. process.quote(folder)) end)

local function signer(more)
  local made = { domain = "example.com", selector = "s", key_path = ed }
  for name, value in pairs(more or {}) do made[name] = value end
  return made
end

local function without(name)
  local made = signer()
  made[name] = nil
  return made
end

local MAIL = { from = "joe@example.com", to = "a@example.org", subject = "x", text = "hello\n", bcc = "b@example.org" }

local function mail(more)
  local made = {}
  for name, value in pairs(MAIL) do made[name] = value end
  for name, value in pairs(more) do made[name] = value end
  return made
end

-- The tags of the first signature, unfolded; the field as it is; the message.
local function tags(dkim, fields, capabilities)
  local message = assert(smtpsec.message(fields or MAIL, { dkim = dkim, capabilities = capabilities }))
  local bytes = assert(message:tostring())
  assert.equal(#bytes, message:size())
  local field, found = (bytes .. "X"):match "^(DKIM%-Signature: .-\r\n)%w", {}
  for name, value in field:gsub("^[^:]*:", ""):gsub("\r\n", ""):gmatch "(%w+)=([^;]*)" do
    found[name] = value
  end
  return found, field, bytes
end

describe("the option dkim", function()
  local function refused(words, dkim)
    local message, err = smtpsec.message(MAIL, { dkim = dkim })
    assert.is_nil(message)
    assert.equal("config", err.kind)
    assert.is_truthy(err.message:find(words, 1, true), err.message)
    local mailer, why = smtpsec.new { host = "mail.example.com", env_file = false, dkim = dkim }
    assert.is_nil(mailer)
    assert.same({ "config", err.message }, { why.kind, why.message })
  end

  it("needs a domain, a selector and one key", function()
    assert(smtpsec.new { host = "mail.example.com", env_file = false, dkim = signer() })
    refused('"dkim.domain" is missing', {})
    refused('"dkim.domain" is missing', without "domain")
    refused('"dkim.selector" is missing', without "selector")
    refused('"dkim.key" is missing: give key (PEM) or key_path', without "key_path")
    refused('"dkim.key and key_path" are both given', signer { key = process.read(ed) })
    refused('"dkim[2].selector" is missing', { signer(), without "selector" })
    refused('"dkim[2]" has the selector and the domain of "dkim[1]"', { signer(), signer { domain = "Example.COM" } })
  end)

  it("needs names that the DNS can have", function()
    local label = "has a label that is not of letters and digits"
    for name, words in pairs {
      ["example"] = "has one label", ["exa mple.com"] = label, ["-x.com"] = label, ["x-.com"] = label,
      ["a..com"] = label, ["example.com."] = label, ["x.com;s=y"] = label, ["x.com\r\nA: b"] = label,
      [("x"):rep(64) .. ".com"] = "more than 63 characters", [("x."):rep(130) .. "com"] = "has more than 253",
    } do
      refused(words, signer { domain = name })
      if name ~= "example" then refused(words, signer { selector = name }) end
    end
    refused("too long for a name in the DNS",
      signer { domain = ("x."):rep(100) .. "com", selector = ("y."):rep(25) .. "z" })
    assert.equal("a.b-c.1", tags(signer { selector = "a.b-c.1" }).s)
  end)

  it("signs with the A-labels of names in any script, and shows what is signed", function()
    local given = signer { domain = "Bücher。de", selector = "Schlüssel.1", identity = "joe@post.BÜCHER.de" }
    local found = tags(given, mail { from = "joe@bücher.de" })
    assert.same({ "xn--bcher-kva.de", "xn--schlssel-95a.1", "joe@post.xn--bcher-kva.de" },
      { found.d, found.s, found.i })
    assert.same({ "Bücher。de", "Schlüssel.1" }, { given.domain, given.selector })
    assert.equal("xn--bcher-kva.de", tags(signer { domain = "xn--bcher-kva.de", identity = "@bücher.de" }).d)
    local pele = mail { from = "pelé@bücher.de" }
    assert.equal("xn--bcher-kva.de", tags(signer { domain = "bücher.de" }, pele, { "8BITMIME", "SMTPUTF8" }).d)
    local settings = assert(config.resolve { host = "h.test", env_file = false, dkim = given })
    assert.same({ { domain = "xn--bcher-kva.de", selector = "xn--schlssel-95a.1", algorithm = "ed25519-sha256",
      key = "***" } }, config.public(settings).dkim)
    local message = assert(smtpsec.message(MAIL, { dkim = signer { domain = "bücher.de", key_path = short,
      insecure_short_key = true } }))
    assert.matches("signed for xn--bcher-kva.de with", message.warnings[1], 1, true)
  end)

  it("needs names that have A-labels, and says of which option it is the name", function()
    for name, words in pairs {
      ["1א.de"] = "from the left and from the right", ["xn--0.de"] = "no Punycode",
      ["ü..de"] = "has a label that is not", ["ü_a.de"] = "has a label that is not",
      ["ü⁄b.de"] = "no domain may have", ["ü\255.de"] = "not valid UTF-8", [("ü"):rep(60) .. ".de"] = "63 octets",
    } do
      refused('"dkim.domain" ', signer { domain = name })
      refused(words, signer { domain = name })
      refused('"dkim[2].selector" ', { signer(), signer { selector = name } })
      refused(words, signer { selector = name })
      refused('"dkim.identity" ', signer { identity = "joe@" .. name })
      refused(words, signer { identity = "joe@" .. name })
    end
    refused('"dkim.domain" "bücher" has one label', signer { domain = "bücher" })
    refused('"dkim.identity" "joe@bücher.com" is not within the domain xn--bcher-kva.de',
      signer { domain = "bücher.de", identity = "joe@bücher.com" })
    refused('"dkim[2]" has the selector and the domain of "dkim[1]"',
      { signer { domain = "bücher.de" }, signer { domain = "xn--bcher-kva.de" } })
  end)

  it("needs a key that signs, and says so when it is made", function()
    refused('"dkim.key_path" cannot be read: ' .. folder .. "/none", signer { key_path = folder .. "/none" })
    refused('"dkim.key_path" must be the path of a PEM file', signer { key_path = process.read(ed) })
    local function key(value)
      local made = without "key_path"
      made.key = value
      return made
    end
    refused('"dkim.key" is no private key', key "x")
    refused('"dkim.key" cannot be had: the function failed: ', key(function() error("no vault", 0) end))
    refused('"dkim.key" cannot be had: the function gave nothing: sealed', key(function() return nil, "sealed" end))
    refused('"dkim.key" cannot be had: the function gave a table, not a string', key(function() return {} end))
    refused('"dkim.algorithm" is "rsa-sha256", and the key is for ed25519-sha256', signer { algorithm = "rsa-sha256" })
    assert.equal("ed25519-sha256", tags(key(function() return process.read(ed) end)).a)
    assert.equal("ed25519-sha256", tags(signer { algorithm = "ed25519-sha256" }).a)
    refused('"dkim.key_path" is an RSA key of 1024 bits, less than 2048', signer { key_path = short })
    assert.equal("rsa-sha256", tags(signer { key_path = short, insecure_short_key = true }).a)
  end)

  it("reads no key that others could have changed, and tells of one that they can read", function()
    local function notes(mode)
      process.run(("chmod %s %s"):format(mode, ed))
      local settings, err = config.resolve { host = "h.test", env_file = false, dkim = signer() }
      return settings and settings.notes, err
    end
    assert.same({}, (notes "600"))
    assert.is_truthy(assert(notes "644")[1]:find("which holds a private key", 1, true))
    local _, err = notes "620"
    assert.is_truthy(err.message:find('"dkim.key_path" cannot be used: ' .. ed, 1, true), err.message)
    assert.same({}, (notes "600"))
  end)

  it("needs From among its headers, and an identity within its domain", function()
    refused('"dkim.headers" lacks From', signer { headers = { "Subject" } })
    refused('"dkim.headers" lacks From', signer { headers = {} })
    refused("is no name of a field", signer { headers = { "From", "a:b" } })
    refused("is no name of a field", signer { headers = { "From", "a;b" } })
    refused("is no name of a field", signer { headers = { "From", "a\r\nB" } })
    refused("names DKIM-Signature", signer { headers = { "From", "dkim-signature" } })
    for _, identity in ipairs { "joe@example.org", "joe@badexample.com", "joe", "j\195\182e@example.com", "@",
      "joe@com", "a\r\n@example.com" } do
      refused('"dkim.identity"', signer { identity = identity })
    end
    assert.equal("joe@a.Example.com", tags(signer { identity = "joe@a.Example.com" }).i)
    local longest = ("j"):rep(64) .. "@example.com"
    assert.equal(longest, tags(signer { identity = longest }).i)
    refused('"dkim.identity" has more than 64 octets', signer { identity = "j" .. longest })
    assert.equal("=22a=3B=20b=3D=22@example.com", tags(signer { identity = '"a; b="@example.com' }).i:gsub('"', "=22"))
  end)

  it("is checked like all others", function()
    local function raised(words, dkim)
      for _, call in ipairs { function() smtpsec.message(MAIL, { dkim = dkim }) end,
        function() smtpsec.new { host = "h.test", dkim = dkim } end } do
        local fine, why = pcall(call)
        assert.is_false(fine)
        assert.is_truthy(tostring(why):find(words, 1, true), why)
        assert.is_truthy(tostring(why):find("option_spec.lua", 1, true), why)
        assert.is_nil(tostring(why):find("hunter2", 1, true), why)
      end
    end
    raised('unknown key "dkim.selectr" (did you mean "selector"?)', { selectr = "x" })
    raised('unknown key "dkim[2].l"', { signer(), { l = 1 } })
    raised('"dkim" must be a table', 7)
    raised('"dkim.key" must be', { key = { "hunter2" } })
    raised('"dkim.timestamp" must be', signer { timestamp = true })
    raised('"dkim.expires_in" must be', signer { expires_in = 0 })
    raised('"dkim.canonicalization" must be one of', signer { canonicalization = "nowsp" })
    assert.has_error(function() smtpsec.message(MAIL, { capability = {} }) end)
  end)

  it("does not show keys", function()
    local settings = assert(config.resolve { host = "h.test", env_file = false, dkim = signer() })
    assert.same({ { domain = "example.com", selector = "s", algorithm = "ed25519-sha256", key = "***" } },
      config.public(settings).dkim)
  end)

  it("tells of a short key in the warnings", function()
    local weak = signer { key_path = short, insecure_short_key = true }
    local message = assert(smtpsec.message(MAIL, { dkim = weak }))
    assert.same({ "signed for example.com with an RSA key of 1024 bits: insecure_short_key" }, message.warnings)
    message = assert(smtpsec.message(MAIL, { dkim = signer { insecure_short_key = true } }))
    assert.is_nil(message.warnings)
  end)
end)

describe("the field DKIM-Signature", function()
  it("says what was asked for", function()
    local before = os.time()
    local found, field, bytes = tags(signer())
    assert.is_true(tonumber(found.t) >= before and tonumber(found.t) <= os.time())
    found.t, found.b, found.bh = nil, nil, nil
    assert.same({ v = "1", a = "ed25519-sha256", c = "relaxed/relaxed", d = "example.com", s = "s",
      h = "From:From:To:To:Cc:Subject:Subject:Date:Date:Message-ID:Message-ID:Reply-To:MIME-Version:MIME-Version:"
        .. "Content-Type:Content-Type:Content-Transfer-Encoding" },
      { v = found.v, a = found.a, c = found.c, d = found.d, s = found.s, h = found.h:gsub(" ", "") })
    for line in field:gmatch "([^\r]*)\r\n" do assert.is_true(#line <= 78, line) end
    assert.is_nil(bytes:find("bcc", 1, true) or bytes:find("b@example.org", 1, true))
    found = tags(signer { timestamp = 1000, expires_in = 60, canonicalization = "simple/relaxed" })
    assert.same({ "1000", "1060", "simple/relaxed" }, { found.t, found.x, found.c })
    found = tags(signer { timestamp = false, headers = { "from", "FROM", "X-Not", "Subject" } })
    assert.is_nil(found.t)
    assert.equal("from:FROM:X-Not:Subject", found.h)
    before = os.time()
    found = tags(signer { timestamp = false, expires_in = 60 })
    assert.is_true(tonumber(found.x) >= before + 60 and tonumber(found.x) <= os.time() + 60)
  end)

  it("covers what there is to unsubscribe, always", function()
    local list = mail { list_unsubscribe = { url = "https://x.test/u", one_click = true } }
    assert.equal("From:List-Unsubscribe:List-Unsubscribe-Post", tags(signer { headers = { "From" } }, list).h)
    assert.equal("From:list-unsubscribe:List-Unsubscribe-Post",
      tags(signer { headers = { "From", "list-unsubscribe" } }, list).h)
    assert.equal("From", tags(signer { headers = { "From" } }).h)
  end)

  it("covers no Date and no Message-ID that servers have to add", function()
    local found = tags(signer(), { raw = "From: a@example.com\nTo: b@example.com\n\nx\n" })
    assert.is_nil(found.h:find("Date", 1, true) or found.h:find("Message-ID", 1, true))
    assert.is_truthy(found.h:find("Subject", 1, true))
  end)

  it("stands on top once for each signer, the first one first", function()
    local _, _, bytes = tags { signer { selector = "one" }, signer { selector = "two" } }
    assert.is_true(bytes:find("s=one", 1, true) < bytes:find("s=two", 1, true))
    assert.is_true(bytes:find("s=two", 1, true) < bytes:find("\r\nDate:", 1, true))
  end)

  it("is over 7 bits, as far as those can be had", function()
    local eight = { "8BITMIME", "SMTPUTF8" }
    local _, _, bytes = tags(signer(), mail { text = "ü\n", html = "<p>ü" }, eight)
    assert.is_nil(bytes:find("[\128-\255]"))
    local unsigned = assert(smtpsec.message(mail { text = "ü\n" }, { capabilities = eight }))
    assert.is_truthy(unsigned:tostring():find "\195\188")
    local attached = mail { attachments = { { type = "message/rfc822", content = "From: a@b.test\n\nü\n" } } }
    local message = assert(smtpsec.message(attached, { capabilities = eight, dkim = signer() }))
    assert.is_true(message:needs()["8BITMIME"])
    assert.is_nil((smtpsec.message(attached, { dkim = signer() })))
  end)
end)

describe("what cannot be signed", function()
  local function refused(words, fields)
    local message, err = smtpsec.message(fields, { dkim = signer() })
    assert.is_nil(message)
    assert.equal("message", err.kind)
    assert.is_truthy(tostring(err):find(words, 1, true), err)
  end

  -- Gives `count` strings of that many letters.
  local function letters(count, size)
    return function()
      count = count - 1
      return count >= 0 and ("x"):rep(size or 1) or nil
    end
  end

  local function attached(entry)
    entry.filename = "x"
    return mail { attachments = { entry } }
  end

  it("is a reader that can be read once", function()
    refused("a reader that returns a new reader each time", attached { reader = letters(3) })
    refused("a reader that returns a new reader each time", attached { reader = letters(300, 10000) })
    refused("the reader failed: broken", attached { reader = function() return nil, "broken" end })
    refused("returned a number", attached { reader = function() return function() return 7 end end })
    local many = attached { reader = function() return letters(300, 10000) end }
    local message = assert(smtpsec.message(many, { dkim = signer() }))
    assert.equal(#assert(message:tostring()), message:size())
    assert.equal(message:tostring(), message:tostring())
  end)

  it("is a raw reader that can be read once", function()
    local function once(s)
      return function()
        local now = s
        s = nil
        return now
      end
    end
    local text = "From: a@example.com\nTo: b@example.com\n\n" .. ("line\n"):rep(20000)
    refused("a reader that returns a new reader each time", { raw = { reader = once(text) } })
    local _, _, bytes = tags(signer(), { raw = { reader = function() return once(text) end } })
    local _, _, same = tags(signer(), { raw = text })
    assert.equal(bytes:match "\r\nFrom:.*", same:match "\r\nFrom:.*")
  end)

  it("is a raw message with more at its end than was hashed, though its canonical form is the same", function()
    local text, readings = "From: a@example.com\nTo: b@example.com\n\n" .. ("line\n"):rep(500000), 0
    local function make(more)
      readings = 0
      return assert(smtpsec.message({ raw = { reader = function()
        readings = readings + 1
        local given = readings == 3 and text .. more or text
        return function()
          local now = given
          given = nil
          return now
        end
      end } }, { dkim = signer() }))
    end
    assert(make(""):tostring())
    local bytes, err = make("\n"):tostring()
    assert.is_nil(bytes)
    assert.is_truthy(tostring(err):find("changed after it was signed", 1, true), err)
    assert.equal(3, readings)
  end)

  it("is a message that changes between its hash and its sending", function()
    local path = process.write(folder .. "/file", ("a"):rep(3000000))
    local fields = attached { path = path }
    local message = assert(smtpsec.message(fields, { dkim = signer() }))
    assert(message:tostring())
    process.write(path, ("b"):rep(3000000))
    local bytes, err = message:tostring()
    assert.is_nil(bytes)
    assert.is_truthy(tostring(err):find("changed", 1, true), err)

    local function changing(second)
      local readings = 0
      return assert(smtpsec.message(attached { reader = function()
        readings = readings + 1
        local pieces = readings == 1 and ("x"):rep(3000000) or second
        return function()
          local piece = pieces
          pieces = nil
          return piece
        end
      end }, { dkim = signer() }))
    end
    assert(changing(("x"):rep(3000000)):tostring())
    for _, second in ipairs { ("x"):rep(2999999) .. "y", ("x"):rep(2999999), ("x"):rep(3000001), "" } do
      bytes, err = changing(second):tostring()
      assert.is_nil(bytes)
      assert.equal("message", err.kind)
      assert.is_truthy(tostring(err):find("dkim: the message changed after it was signed", 1, true), err)
      local next_chunk, last = changing(second):chunks(), "something"
      while last do last, err = next_chunk() end
      assert.is_truthy(err)
      assert.equal(err, select(2, next_chunk())) -- it stays so
    end
  end)
end)
