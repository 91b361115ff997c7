-- Attachments that go raw (RFC 3030): where a server takes BDAT and binary bodies, and nowhere else; and others read of
-- them what was attached.
local judge = require "spec.support.judge"
local message = require "smtpsec.message"
local pki = require "spec.support.pki"
local process = require "spec.support.process"
local sink = require "smtpsec.sink"
local smtpsec = require "smtpsec"

local ALL = { "CHUNKING", "BINARYMIME" }

local function every_byte()
  local all = {}
  for i = 0, 255 do all[i + 1] = string.char(i) end
  return table.concat(all)
end

local BYTES = every_byte() .. "\r\n.\r\n\n\r\0\r"
local LONG = BYTES:rep(2000)

describe("a message to a server that offers BINARYMIME and CHUNKING", function()
  local running, file = {}, nil

  setup(function()
    file = process.write(os.tmpname(), LONG)
  end)

  teardown(function()
    os.remove(file)
  end)

  after_each(function()
    for i, server in ipairs(running) do
      server:stop()
      running[i] = nil
    end
  end)

  local function start(options)
    options.tls = "none"
    local server = assert(sink.start(options))
    running[#running + 1] = server
    return server
  end

  local function mailer(server, more)
    local options = { host = "127.0.0.1", port = server.port, tls = "none", env_file = false, hello = "client.test" }
    for key, value in pairs(more or {}) do options[key] = value end
    return assert(smtpsec.new(options))
  end

  local function reader()
    local left = 3
    return function()
      left = left - 1
      if left >= 0 then return BYTES end
    end
  end

  -- What there is to attach, and what a reader shall find of it.
  local function full()
    return { from = "a@client.test", to = "b@mail.test", subject = "日本", text = "é\nline\r\nline", html = "<p>日本</p>\n",
      attachments = {
        { content = BYTES, filename = "short.bin" }, { content = "", filename = "empty.bin" }, { path = file },
        { content = "a\nb\r\nc", filename = "lines.txt" }, { reader = reader(), filename = "reader.bin" },
        { content = LONG, filename = "long.bin" },
        { content = "From: x@y\nTo: z@y\n\nhello\n", type = "message/rfc822", filename = "m.eml" },
      } }
  end

  local CONTENTS = { BYTES, "", LONG, "a\nb\r\nc", BYTES:rep(3), LONG }

  -- Judges what arrived.
  local function check(mail, encoding)
    local read = judge.read { mail.data }[1]
    assert.same({}, read.defects)
    local leaves, multiparts = {}, {}
    for _, part in ipairs(read.parts) do
      local list = part.type:find "^multipart/" and multiparts or leaves
      list[#list + 1] = part
    end
    assert.same({ "é\r\nline\r\nline", "<p>日本</p>\r\n" }, { leaves[1].text, leaves[2].text })
    for i, content in ipairs(CONTENTS) do
      assert.equal(encoding, leaves[i + 2].encoding)
      assert.is_true(leaves[i + 2].content == content, "attachment " .. i)
    end
    assert.equal("message/rfc822", leaves[9].type)
    assert.equal(encoding == "binary" and "binary" or "8bit", multiparts[1].encoding)
    assert.equal("8bit", multiparts[2].encoding)
    assert.is_nil(mail.data:match("^(.-)\r\n\r\n"):gsub("\r\n", ""):find "[\r\n]")
  end

  local function body_of(mail)
    return mail.parameters.BODY
  end

  for name, options in pairs {
    ["one connection"] = {}, ["no groups"] = { offer = { "SIZE", "8BITMIME", "SMTPUTF8" } }, LMTP = { lmtp = true },
  } do
    it("has its attachments as they are: " .. name, function()
      options.extensions = ALL
      local server = start(options)
      local one = mailer(server, options.lmtp and { host = nil, port = nil,
        url = ("lmtp://127.0.0.1:%d"):format(server.port) } or nil)
      local receipt = assert(one:send(full()))
      local small = assert(one:send { from = "a@client.test", to = "b@mail.test", text = "x\ny",
        attachments = { { content = "\0\n", filename = "x.bin" } } })
      local plain = assert(one:send { from = "a@client.test", to = "b@mail.test", text = "日本" })
      one:close()
      local mails = assert(server:wait_for(3))
      for i, kind in ipairs { "BINARYMIME", "BINARYMIME", "8BITMIME" } do assert.equal(kind, body_of(mails[i])) end
      check(mails[1], "binary")
      assert.equal(#mails[1].data, receipt.bytes)
      assert.equal(tostring(#mails[2].data), mails[2].parameters.SIZE or tostring(small.bytes))
      local about = "binary\r\nContent-Disposition: attachment; filename=x.bin\r\n"
      assert.is_truthy(mails[2].data:find(about .. "\r\n\0\n\r\n--", 1, true))
      assert.is_truthy(mails[2].data:find("\r\n\r\nx\r\ny\r\n--", 1, true))
      assert.equal("accepted", plain.status)
    end)
  end

  it("is not that where only one of the two is offered", function()
    for _, extensions in ipairs { { "CHUNKING" }, { "BINARYMIME" }, {} } do
      local server = start { extensions = extensions }
      local one = mailer(server)
      assert(one:send(full()))
      one:close()
      local mails = assert(server:wait_for(1))
      assert.equal("8BITMIME", body_of(mails[1]))
      check(mails[1], "base64")
    end
  end)

  it("is composed anew for another server", function()
    local draft = assert(message.new { from = "a@b", to = "c@d", text = "x", attachments = { { content = "\0" } } })
    local function encodings(offered)
      local made = assert(draft:render(offered))
      local bytes = made:tostring()
      return bytes:find("\r\n\r\n\0\r\n", 1, true) ~= nil, made:needs().BINARYMIME, made:size() == #bytes
    end
    assert.same({ true, true, true }, { encodings { BINARYMIME = true, CHUNKING = true } })
    assert.same({ false, nil, true }, { encodings { ["8BITMIME"] = true } })
    assert.same({ true, true, true }, { encodings { BINARYMIME = true, CHUNKING = true, ["8BITMIME"] = true } })
    assert.same({ false, nil, true }, { encodings { BINARYMIME = true } })
  end)

  -- A server on its way that has to encode it would break the signature.
  it("is not that where it is signed", function()
    local authority = pki.new()
    authority:ca "root"
    local leaf = authority:leaf { name = "a", cn = "a", ca = "root", san = "email:a@b.test", eku = "emailProtection" }
    local given, offered = { from = "a@b.test", to = "c@d", text = "x", attachments = { { content = "\0" } } },
      { capabilities = { "BINARYMIME", "CHUNKING", "8BITMIME" } }
    assert.is_true(assert(smtpsec.message(given, offered)):needs().BINARYMIME)
    local signer = { domain = "b.test", selector = "s", key = process.run "openssl genpkey -algorithm ED25519" }
    local signed = assert(smtpsec.message(given, { capabilities = offered.capabilities, dkim = signer }))
    assert.is_nil(signed:needs().BINARYMIME)
    assert.is_truthy(signed:tostring():find("AA==", 1, true))
    given.smime = { sign = { cert = leaf.cert, key = leaf.key } }
    signed = assert(smtpsec.message(given, offered))
    assert.is_nil(signed:needs().BINARYMIME)
    assert.is_truthy(signed:tostring():find("AA==", 1, true))
    authority:remove()
  end)

  it("is not changed where it is raw", function()
    local given = "From: a@b\r\nTo: c@d\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\neA==\r\n"
    local server = start { extensions = ALL }
    local one = mailer(server)
    assert(one:send { raw = given })
    local receipt, err = one:send { raw = "From: a@b\r\nTo: c@d\r\n\r\na\0b\r\n" }
    one:close()
    assert.is_nil(receipt)
    assert.equal("message", err.kind)
    local mails = assert(server:wait_for(1))
    assert.same({ given, nil }, { mails[1].data, body_of(mails[1]) })
  end)

  it("that refuses it is found out with the first mail, and gets the next ones without", function()
    local server = start { extensions = ALL, faults = { { at = "mail", times = 1, reply = "555 5.5.4 BODY?" } } }
    local one = mailer(server)
    local receipt = assert(one:send(full()))
    one:close()
    local mails = assert(server:wait_for(1))
    check(mails[1], "base64")
    assert.matches("the server offers BINARYMIME and breaks on it", table.concat(receipt.warnings, " "))
  end)
end)
