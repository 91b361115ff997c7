-- S/MIME, judged by `openssl cms` and by Python's `email`: what was signed verifies, what was encrypted opens for those
-- it is for, and both hold what the message table said; what cannot be signed or encrypted as asked is refused.
local judge = require "spec.support.judge"
local message = require "smtpsec.message"
local pki = require "spec.support.pki"
local process = require "spec.support.process"
local secrets = require "spec.support.secrets"
local servers = require "spec.support.servers"
local smtpsec = require "smtpsec"

local unpack = unpack or table.unpack

local FROM, TO = "joe@example.test", "bob@example.test"
local PASSWORD = "open-sesame-4711"
local DAY = 86400
local ALL = { ["8BITMIME"] = true, SMTPUTF8 = true }

local authority, root, joe, bob, rob

-- A certificate for mail that is as good as any, but for what the options say.
local function certificate(name, options)
  local o = { name = name, ca = "root", eku = "emailProtection", san = "email:" .. name .. "@example.test" }
  for key, value in pairs(options or {}) do o[key] = value end
  return authority:leaf(o)
end

local function for_encryption(name, key, options)
  local o = { key = key, ext = "keyUsage = critical," .. (key and "keyEncipherment" or "keyAgreement") }
  for option, value in pairs(options or {}) do o[option] = value end
  return certificate(name, o)
end

setup(function()
  authority = pki.new()
  root = authority:ca("root").cert
  joe, bob, rob = certificate "joe", for_encryption "bob", for_encryption("rob", "rsa:2048")
  secrets.register(process.read(joe.key))
end)
teardown(function() authority:remove() end)

local function mail(smime, more)
  local given = { from = FROM, to = TO, subject = "ディスク", text = "hello\n", smime = smime }
  for key, value in pairs(more or {}) do given[key] = value end
  return given
end

local function signer(more)
  local sign = { cert = joe.cert, key = joe.key }
  for key, value in pairs(more or {}) do sign[key] = value end
  return { sign = sign }
end

local function render(given, offered)
  local draft, err = message.new(given)
  if not draft then return nil, err end
  return draft:render(offered)
end

local function bytes_of(given, offered)
  return assert(assert(render(given, offered)):tostring())
end

local count = 0

-- Runs `openssl cms` over a message: whether it succeeded, and the entity that it gave, or what it said.
local function cms(bytes, ...)
  count = count + 1
  local base = ("%s/mail%d"):format(authority.dir, count)
  process.write(base, bytes)
  local ok, said = process.try(process.command { "openssl", "cms", "-in", base, "-out", base .. ".out", ... })
  return ok, ok and process.read(base .. ".out") or said
end

local function verify(bytes, ...) return cms(bytes, "-verify", "-CAfile", root, ...) end

local function decrypt(bytes, whose)
  return cms(bytes, "-decrypt", "-recip", whose.cert, "-inkey", whose.key)
end

-- What the parts of a message that Python has read are, apart from how they were carried.
local function content_of(read)
  local parts = {}
  for i, part in ipairs(read.parts) do
    parts[i] = { part.type, part.filename, part.cid, part.content, part.parameters.method, part.disposition }
  end
  return parts
end

-- Messages that all hold the same as the first.
local function assert_same_content(messages)
  local all = judge.read(messages)
  local first = content_of(all[1])
  for i = 2, #all do assert.same(first, content_of(all[i])) end
end

local PNG = "\137PNG\r\n\26\n" .. ("\0\255"):rep(400)
local CALENDAR = { content = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nSUMMARY:会議\r\nEND:VCALENDAR\r\n" }

local MAILS = {
  text = {},
  empty = { text = "" },
  ["no line end"] = { text = "hello" },
  Japanese = { text = "ディスク使用率が93%を超えました。 \n.\n\nFrom ここ\n" },
  ["long lines"] = { text = ("x"):rep(3000) .. "\n" .. ("長い行。"):rep(500) },
  html = { text = "x", html = "<p><img src=cid:l@x>日本", calendar = CALENDAR,
    attachments = { { content = PNG, filename = "l.png", cid = "l@x" } } },
  attachments = { attachments = { { content = PNG, filename = "報告書.png" }, { content = "", filename = "e.txt" },
    { content = "a\nb \r\n", filename = "t.txt" }, { content = ("long"):rep(50000), filename = "long.bin" } } },
  forwarded = { attachments = { { type = "message/rfc822", content = "From: a@b.test\nSubject: x\n\nhello\n" } } },
}

describe("a signed message", function()
  for name, more in pairs(MAILS) do
    it("verifies and holds what it should: " .. name, function()
      local whole, inside = {}, { bytes_of(mail(nil, more)) }
      for i, offered in ipairs { {}, ALL } do
        whole[i] = bytes_of(mail(signer(), more), offered)
        assert.same({}, judge.lint(whole[i]))
        local ok
        ok, inside[i + 1] = verify(whole[i])
        assert.is_true(ok, inside[i + 1])
      end
      assert_same_content(inside)
      -- and a reader without S/MIME shows it as the first part
      local plain, signed = unpack(judge.read { inside[1], whole[1] })
      assert.same({}, signed.defects)
      assert.equal("ディスク", signed.subject)
      local parts = signed.parts
      local around, last = table.remove(parts, 1), table.remove(parts)
      assert.same({ "multipart/signed", "application/pkcs7-signature", "sha-256" },
        { around.type, around.parameters.protocol, around.parameters.micalg })
      assert.same({ "application/pkcs7-signature", "smime.p7s", "base64" }, { last.type, last.filename, last.encoding })
      assert.same(content_of(plain), content_of(signed))
    end)
  end

  it("knows its size, and is the same however often it is walked and for whom", function()
    local draft = assert(message.new(mail(signer(), MAILS.attachments)))
    local m = assert(draft:render())
    local bytes = m:tostring()
    assert.equal(#bytes, m:size())
    assert.equal(bytes, m:tostring())
    assert.equal(bytes, assert(draft:render(ALL)):tostring())
    assert.same({ ["8BITMIME"] = false, SMTPUTF8 = false }, draft:render(ALL):needs())
  end)

  it("does not verify when anything in it was altered", function()
    local bytes = bytes_of(mail(signer(), MAILS.html))
    assert.is_true(verify(bytes))
    assert.is_true(verify((bytes:gsub("\r\n", "\n"))))
    assert.is_true(verify((bytes:gsub("^", "X-Added: yes\r\n"))))
    for old, new in pairs {
      ["text/plain"] = "text/plane", ["x\r\n%-%-"] = "y\r\n--", ["method=REQUEST"] = "method=CANCEL",
    } do
      local altered, times = bytes:gsub(old, new, 1)
      assert.equal(1, times)
      assert.is_false(verify(altered))
    end
  end)

  it("is signed by the hash that fits the key", function()
    local key_file = authority.dir .. "/p384"
    process.run("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out " .. key_file)
    for micalg, leaf in pairs { ["sha-256"] = certificate("rsa", { key_file = rob.key }),
      ["sha-384"] = certificate("p384", { key_file = key_file }) } do
      local bytes = bytes_of(mail(signer { cert = leaf.cert, key = leaf.key }, { from = leaf.name .. "@example.test" }))
      assert.is_true(verify(bytes))
      assert.equal(micalg, judge.read({ bytes })[1].parts[1].parameters.micalg)
    end
  end)

  it("takes along those who vouch for the signer", function()
    authority:ca("middle", { ca = "root" })
    local leaf = certificate("amy", { ca = "middle" })
    local function signed(sign)
      return bytes_of(mail({ sign = sign }, { from = "amy@example.test" }))
    end
    assert.is_false(verify(signed { cert = leaf.cert, key = leaf.key }))
    local middle = authority.dir .. "/middle.pem"
    assert.is_true(verify(signed { cert = leaf.cert, key = leaf.key, chain = middle }))
    assert.is_true(verify(signed { cert = leaf.cert, key = leaf.key, chain = process.read(middle) }))
    assert.is_true(verify(signed { cert = leaf.chain, key = leaf.key }))
    assert.is_true(verify(signed { cert = leaf.chain, key = leaf.key, chain = leaf.chain }))
  end)

  it("is signed with a key from wherever it is", function()
    local locked = certificate("joe2", { san = "email:" .. FROM, password = PASSWORD })
    local both = authority:bundle("both", joe.key, joe.cert)
    local file = process.write(authority.dir .. "/word", PASSWORD .. "\n")
    for _, sign in ipairs {
      { cert = process.read(joe.cert), key = process.read(joe.key) },
      { cert = joe.cert, key = function() return process.read(joe.key) end },
      { cert = both }, { cert = process.read(both) },
      { cert = locked.cert, key = locked.key, key_password = PASSWORD },
      { cert = locked.cert, key = process.read(locked.key), key_password = function() return PASSWORD end },
      { cert = locked.cert, key = locked.key, key_password = { file = file } },
    } do
      local ok, why = verify(bytes_of(mail { sign = sign }))
      assert.is_true(ok, why)
    end
  end)

  it("may come from several authors, of whom one signs", function()
    assert.is_true(verify(bytes_of(mail(signer(), { from = { "amy@example.test", FROM }, sender = FROM }))))
    assert.is_true(verify(bytes_of(mail(signer(), { from = "Joe <joe@EXAMPLE.test>" }))))
  end)

  it("is not sent when a file changed after it was signed", function()
    local path = process.write(authority.dir .. "/grows", ("x"):rep(100000))
    local m = assert(render(mail(signer(), { attachments = { { path = path } } })))
    assert.is_true(verify(m:tostring()))
    process.write(path, ("x"):rep(100001))
    local bytes, err = m:tostring()
    assert.is_nil(bytes)
    assert.is_truthy(tostring(err):find("changed while the message was made or sent", 1, true))
  end)
end)

describe("an encrypted message", function()
  local TEXT = "誰にも見せない\n"

  local function both(cipher, more)
    return mail({ sign = { cert = joe.cert, key = joe.key }, cipher = cipher, encrypt_to = {
      ["bob@EXAMPLE.test"] = bob.cert, ["rob@example.test"] = process.read(rob.cert),
    } }, more or { to = { TO, "rob@example.test" }, text = TEXT })
  end

  for cipher, kind in pairs { ["aes-256-cbc"] = "enveloped-data", ["aes-128-cbc"] = "enveloped-data",
    ["aes-256-gcm"] = "authEnveloped-data", ["aes-128-gcm"] = "authEnveloped-data" } do
    it("opens for each of those it is for, and nobody else: " .. cipher, function()
      local bytes = bytes_of(both(cipher))
      assert.same({}, judge.lint(bytes))
      local opened, inside = {}, { bytes }
      for i, whose in ipairs { bob, rob } do
        local ok
        ok, opened[i] = decrypt(bytes, whose)
        assert.is_true(ok, opened[i])
        ok, inside[i + 1] = verify(opened[i])
        assert.is_true(ok, inside[i + 1])
      end
      assert.equal(opened[1], opened[2])
      assert.is_false((cms(bytes, "-decrypt", "-recip", bob.cert, "-inkey", joe.key)))
      local read = judge.read(inside)
      for i = 2, 3 do assert.equal((TEXT:gsub("\n", "\r\n")), read[i].parts[1].text) end
      assert.same({}, read[1].defects)
      assert.equal(1, #read[1].parts)
      local part = read[1].parts[1]
      assert.same({ "application/pkcs7-mime", kind, "smime.p7m", "base64" },
        { part.type, part.parameters["smime-type"], part.filename, part.encoding })
      assert.is_nil(part.content:find("text/plain", 1, true))
    end)
  end

  it("is AES-256-CBC where nothing else is said", function()
    local _, printed = cms(bytes_of(both(nil)), "-cmsout", "-print")
    assert.is_truthy(printed:find("algorithm: aes-256-cbc", 1, true))
    assert.is_truthy(printed:find("dhSinglePass-stdDH-sha256kdf-scheme", 1, true))
  end)

  it("holds what it should, unsigned too", function()
    local messages = {}
    for _, more in pairs(MAILS) do
      local ok, inside = decrypt(bytes_of(mail({ encrypt_to = { bob.cert } }, more), ALL), bob)
      assert.is_true(ok, inside)
      messages[#messages + 1] = inside
      messages[#messages + 1] = bytes_of(mail(nil, more))
    end
    local read = judge.read(messages)
    for i = 1, #read, 2 do assert.same(content_of(read[i + 1]), content_of(read[i])) end
  end)

  it("is for the recipients, for the author who is named, and for no other in the map", function()
    local me = for_encryption("me", nil, { san = "email:" .. FROM })
    local function readers(encrypt_to, more)
      local _, printed = cms(bytes_of(mail({ encrypt_to = encrypt_to }, more)), "-cmsout", "-print")
      return select(2, printed:gsub("d%.k[ta][ra]i", ""))
    end
    local map = { [TO] = bob.cert, ["rob@example.test"] = rob.cert }
    assert.equal(1, readers(map))
    assert.equal(2, readers(map, { cc = "rob@example.test" }))
    assert.equal(2, readers(map, { envelope = { to = { TO, "rob@example.test" } } }))
    map[FROM] = me.cert
    assert.equal(2, readers(map))
    assert.equal(3, readers { bob.cert, rob.cert, me.cert, bob.cert })
    assert.is_true(decrypt(bytes_of(mail { encrypt_to = map }), me))
  end)

  it("takes a reader, and has a limit", function()
    local function attach(times)
      local piece, left = ("x"):rep(1048576), times
      return { attachments = { { reader = function()
        left = left - 1
        return left >= 0 and piece or nil
      end } } }
    end
    local smime = { encrypt_to = { bob.cert } }
    local m = assert(render(mail(smime, attach(1))))
    assert.equal(m:size(), #m:tostring())
    local refused, err = render(mail(smime, attach(48)))
    assert.is_nil(refused)
    assert.equal("message", err.kind)
    assert.is_truthy(tostring(err):find("longer than the 64 MiB that may be encrypted", 1, true))
  end)
end)

describe("what cannot be signed or encrypted as asked is refused:", function()
  -- Each with what is refused, what is said of it, and the nearest that is not.
  local function refused(words, given, fine)
    local draft, err = message.new(given)
    assert.is_nil(draft)
    local said = tostring(err)
    assert.is_truthy(said:find(words, 1, true), said)
    assert.is_nil(said:find "%c")
    assert.is_nil(said:find(PASSWORD, 1, true))
    assert.is_nil(said:find("PRIVATE KEY-----\n", 1, true))
    for line in process.read(joe.key):gmatch "[^\n]+" do
      assert.is_nil(#line > 40 and said:find(line, 1, true) or nil)
    end
    if fine then assert.is_truthy(message.new(fine)) end
    return err
  end

  -- The same mail, signed by somebody else.
  local function by(leaf, more)
    local sign = { cert = leaf.cert, key = leaf.key }
    for key, value in pairs(more or {}) do sign[key] = value end
    return mail { sign = sign }
  end

  local function to(value, more) return mail({ encrypt_to = value }, more) end

  local JOE = "email:" .. FROM

  it("certificates that are not there, or are none", function()
    local nothing = authority.dir .. "/nothing.pem"
    refused("smime.sign.cert: is missing", mail { sign = { key = joe.key } }, by(joe))
    refused(("smime.sign.cert: \"%s"):format(nothing:sub(1, 20)), by { cert = nothing, key = joe.key })
    refused("cannot be read: No such file", by { cert = nothing, key = joe.key })
    refused("holds no certificate in PEM", by { cert = joe.key, key = joe.key })
    refused("holds no certificate in PEM", by { cert = "-----BEGIN CERT", key = joe.key })
    refused("smime.sign.cert: is neither PEM nor a path", by { cert = "a\0b", key = joe.key })
    refused("smime.sign.cert: the certificate holds a certificate that cannot be read",
      by { cert = process.read(joe.cert):gsub("\nM%w%w", "\nAAA", 1), key = joe.key })
    refused("smime.sign.chain: ", by(joe, { chain = nothing }), by(joe, { chain = root }))
    refused("smime.encrypt_to[2]: ", to { bob.cert, nothing }, to { bob.cert, rob.cert })
    refused(("smime.encrypt_to[\"%s\"]: "):format(TO), to { [TO] = nothing }, to { [TO] = bob.cert })
  end)

  it("certificates out of their time", function()
    local now = os.time()
    local over = certificate("over", { san = JOE, not_before = now - 9 * DAY, not_after = now - DAY })
    local early = certificate("early", { san = JOE, not_before = now + DAY, not_after = now + 9 * DAY })
    local function day(t) return os.date("!%Y-%m-%d", t) end
    local function expired(field, leaf) return ('%s: "%s" has expired: it was valid until %s'):format(field, leaf.cert,
      day(now - DAY)) end
    refused(expired("smime.sign.cert", over), by(over), by(joe))
    refused(('smime.sign.cert: "%s" is not valid before %s'):format(early.cert, day(now + DAY)), by(early))
    refused(expired("smime.sign.chain", over), by(joe, { chain = over.cert }), by(joe, { chain = joe.cert }))
    refused("has expired", by(joe, { cert = authority:bundle("aged", joe.cert, over.cert) }),
      by(joe, { cert = authority:bundle("fresh", joe.cert, root) }))
    local old = for_encryption("old", nil, { san = "email:" .. TO, not_before = now - 9 * DAY, not_after = now - DAY })
    refused(expired("smime.encrypt_to[2]", old), to { bob.cert, old.cert }, to { bob.cert, bob.cert })
    refused(expired(('smime.encrypt_to["%s"]'):format(TO), old), to { [TO] = old.cert }, to { [TO] = bob.cert })
  end)

  it("certificates for another purpose", function()
    refused("no emailProtection", by(certificate("tls", { san = JOE, eku = "serverAuth" })),
      by(certificate("any", { san = JOE, eku = "anyExtendedKeyUsage" })))
    refused("is not for signing", by(certificate("agree", { san = JOE, ext = "keyUsage = critical,keyAgreement" })),
      by(certificate("commit", { san = JOE, ext = "keyUsage = critical,nonRepudiation", eku = false })))
    refused("is not for encryption", to { joe.cert }, to { bob.cert })
    refused("is not for encryption", to { for_encryption("enc", "rsa:2048", { key_file = rob.key,
      ext = "keyUsage = critical,keyAgreement" }).cert }, to { rob.cert })
  end)

  it("keys that are too weak, or that few readers know", function()
    local weak = certificate("weak", { san = JOE, key = "rsa:1024" })
    refused("has a key of 1024 bits, less than 2048", by(weak))
    refused("neither an RSA nor an EC key", by(certificate("ed", { san = JOE, key = "ed25519" })))
    local reader = for_encryption("weak2", "rsa:1024", { key_file = weak.key })
    refused("has a key of 1024 bits", to { reader.cert }, to { rob.cert })
  end)

  it("addresses that are not those of the certificate", function()
    local stranger = by(rob.cert and certificate "eve")
    refused('the certificate is not for "joe@example.test"', stranger,
      by(certificate("eve2", { san = { "email:eve@example.test", JOE } })))
    refused('the certificate is not for "Joe@example.test"', mail(signer(), { from = "Joe@example.test" }))
    stranger.smime.sign.insecure_other_address = true
    local m = assert(render(stranger))
    assert.is_truthy(m.warnings[1]:find("insecure_other_address", 1, true))
    assert.is_nil(render(by(joe)).warnings)
    refused(('smime.encrypt_to["%s"]: the certificate is for somebody else'):format(TO), to { [TO] = rob.cert },
      to { [TO] = bob.cert })
  end)

  it("keys that are not there, are not the signer's, or do not open", function()
    local locked = certificate("locked", { san = JOE, password = PASSWORD })
    refused("smime.sign.key: is encrypted, and there is no key_password", by(locked),
      by(locked, { key_password = PASSWORD }))
    refused("smime.sign.key_password: does not open the key", by(locked, { key_password = "wrong-4711" }))
    refused("smime.sign.key_password", by(locked, { key_password = { file = "/nowhere", command = "true" } }))
    refused("smime.sign.key_password", by(locked, { key_password = { file = authority.dir .. "/nowhere" } }))
    refused("smime.sign.key: does not fit cert", by(joe, { key = bob.key }), by(joe))
    refused("smime.sign.key: holds no private key", by(joe, { key = joe.cert }))
    refused("smime.sign.key: holds no private key", by { cert = joe.cert })
    refused("smime.sign.key: cannot be read: No such file", by(joe, { key = authority.dir .. "/nowhere" }))
    refused("smime.sign.key: cannot be read: is a directory", by(joe, { key = authority.dir }))
    refused("smime.sign.key: cannot be had: the function gave nothing: nobody home",
      by(joe, { key = function() return nil, "nobody home" end }))
    refused("smime.sign.key: cannot be had: ", by(joe, { key = function() error "broken" end }))
    -- a key without its first line looks like a path
    refused("smime.sign.key: cannot be read", by(joe, { key = process.read(joe.key):gsub("^[^\n]*\n", "") }))
    local open = authority:bundle("open", joe.key)
    process.run("chmod 666 " .. open)
    refused("may be written by others", by(joe, { key = open }))
    process.run("chmod 600 " .. open)
    assert.is_truthy(message.new(by(joe, { key = open })))
  end)

  it("recipients without a certificate, and recipients whom the others must not see", function()
    local map = { [TO] = bob.cert }
    refused('there is no certificate for "rob@example.test"', to(map, { cc = "rob@example.test" }), to(map))
    refused('there is no certificate for "rob@example.test"', to(map, { envelope = { to = "rob@example.test" } }))
    refused("there is no certificate for", to {}, to { bob.cert })
    refused("smime.encrypt_to: \"nobody\"", to { [TO] = bob.cert, nobody = bob.cert })
    refused("bcc: everybody who gets an encrypted message sees",
      to({ bob.cert, rob.cert }, { bcc = "rob@example.test" }),
      mail(signer(), { bcc = "rob@example.test" }))
  end)

  it("what asks for nothing, and what may not be encoded", function()
    refused("smime: says nothing", mail {}, by(joe))
    refused("smime: says nothing", mail { sign = { cert = joe.cert, key = joe.key }, cipher = "aes-256-gcm" })
    local forwarded = { attachments = { { type = "message/rfc822", content = "Subject: x\n\né\n" } } }
    refused("what is signed or encrypted is 7-bit", mail(signer(), forwarded), mail(nil, forwarded))
    refused("which can be read only once", mail(signer(), { attachments = { { reader = function() end } } }))
    refused("smime: cannot be given beside raw", { raw = "From: a@b.test\nTo: a@b.test\n\nx\n", smime = signer() })
  end)

  it("wrong types, with no secret shown", function()
    for words, smime in pairs {
      ['"smime.sign.key" must be a string or a function, got a number'] = { sign = { key = 4711 } },
      ['unknown key "smime.sing" (did you mean "sign"?)'] = { sing = {} },
      ['"smime.cipher" must be one of'] = { encrypt_to = { "x" }, cipher = "des" },
      ['"smime.encrypt_to" must be a table'] = { encrypt_to = "x" },
    } do
      local ok, err = pcall(message.new, mail(smime))
      assert.is_false(ok)
      assert.is_truthy(err:find(words, 1, true), err)
    end
  end)
end)

for _, name in ipairs { "postfix", "exim" } do
  it("what passed " .. name .. " still verifies and opens", function()
    local server = servers.start(name)
    local more = { html = "<p>日本", text = ".\n.. \nFrom 日本\n", attachments = MAILS.attachments.attachments }
    local mailer = assert(smtpsec.new { host = "localhost", port = server.ports.mx, env_file = false,
      tls = { mode = "starttls", ca_file = server.ca_file } })
    local smime = signer { insecure_other_address = true }
    local receipt = assert(mailer:send(mail(smime, more)))
    assert.is_truthy(table.concat(receipt.warnings, "\n"):find("insecure_other_address", 1, true))
    smime = signer()
    smime.encrypt_to = { [TO] = bob.cert }
    local second = assert(mailer:send(mail(smime, more)))
    assert.same({}, second.warnings)
    mailer:close()
    local ok, signed = verify(server:wait(receipt.id)[1].content)
    assert.is_true(ok, signed)
    local inside
    ok, inside = decrypt(server:wait(second.id)[1].content, bob)
    assert.is_true(ok, inside)
    ok, inside = verify(inside)
    assert.is_true(ok, inside)
    assert_same_content { bytes_of(mail(nil, more)), signed, inside }
  end)
end
