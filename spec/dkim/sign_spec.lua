-- Signed messages, judged by independent programs: they verify as they leave us and after real servers carried them,
-- and not when anything that is signed was changed.
local process = require "spec.support.process"
local servers = require "spec.support.servers"
local smtpsec = require "smtpsec"
local verifier = require "spec.support.verifier"

local folder, rsa, ed, short, zone

setup(function()
  folder = process.run 'printf %s "$(mktemp -d -t smtpsec-XXXXXX)"'
  rsa, ed, short = folder .. "/rsa", folder .. "/ed", folder .. "/short"
  process.run(("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out %s && openssl genpkey -algorithm "
    .. "ED25519 -out %s && openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out %s"):format(rsa, ed,
    short))
  zone = verifier.zone { ["r._domainkey.example.test"] = rsa, ["e._domainkey.example.test"] = ed,
    ["esp.s1._domainkey.carrier.test"] = rsa, ["xn--tda._domainkey.xn--bcher-kva.test"] = ed }
end)
teardown(function() process.run("rm -rf " .. process.quote(folder)) end)

-- ---- signers --------------------------------------------------------------------------------------------------------

local function with(signer, more)
  for name, value in pairs(more or {}) do signer[name] = value end
  return signer
end

local function by_rsa(more) return with({ domain = "example.test", selector = "r", key_path = rsa }, more) end
local function by_ed(more)
  return with({ domain = "example.test", selector = "e", key = function() return process.read(ed) end }, more)
end
local function by_carrier(more) return with({ domain = "carrier.test", selector = "esp.s1", key_path = rsa }, more) end

local function mail(more)
  return with({ from = "監視 <noreply@example.test>", to = "joe@example.test", subject = "ディスク使用率 93%",
    text = "hello  world \n\n.\n" }, more)
end

local function compose(fields, dkim)
  local message, err = smtpsec.message(fields, { dkim = dkim, capabilities = { "8BITMIME", "SMTPUTF8" } })
  return assert(message and message:tostring(), err)
end

-- What was asked for of each message, judged at once: a list of { bytes =, expected = }, where expected is
-- "selector domain" -> "pass" or "fail".
local function judge(cases)
  local messages = {}
  for i, case in ipairs(cases) do messages[i] = case.bytes end
  for program, verdicts in pairs(verifier.judge(messages, zone)) do
    assert.equal(#cases, #verdicts, program)
    for i, case in ipairs(cases) do
      assert.same(case.expected, verdicts[i], ("%s on %s"):format(program, case.name or i))
    end
  end
end

local R, E, C = "r example.test", "e example.test", "esp.s1 carrier.test"

local function expect(verdict, ...)
  local expected = {}
  for _, name in ipairs { ... } do expected[name] = verdict end
  return expected
end

-- ---- the specs ------------------------------------------------------------------------------------------------------

describe("a signed message", function()
  it("verifies", function()
    local big = process.write(folder .. "/big.bin", ("0123456789abcdef \t\r\n"):rep(100000))
    local small = process.write(folder .. "/small.bin", ("0123456789abcdef \t\r\n"):rep(20000))
    local list, cases = {}, {}
    for i = 1, 400 do list[i] = ("Nobody %d <nobody%d@example.test>"):format(i, i) end
    local function add(name, fields, dkim, ...)
      cases[#cases + 1] = { name = name, bytes = compose(fields, dkim), expected = expect("pass", ...) }
    end
    local all = { by_rsa(), by_ed(), by_carrier() }
    add("RSA", mail(), by_rsa(), R)
    add("Ed25519", mail(), by_ed(), E)
    add("all of them", mail { html = "<p>é</p>", attachments = { { content = "a b\n", filename = "ü.txt" } } }, all,
      R, E, C)
    add("simple", mail { attachments = { { path = small } } }, { by_rsa { canonicalization = "simple/simple" },
      by_ed { canonicalization = "relaxed/simple" }, by_carrier { canonicalization = "simple/relaxed" } }, R, E, C)
    add("a file that is read as it is sent", mail { attachments = { { path = big } } }, all, R, E, C)
    add("a reader that is made anew", mail { attachments = { { filename = "x", reader = function()
      local left = 9
      return function()
        left = left - 1
        return left > 0 and ("x"):rep(300000) or nil
      end
    end } } }, by_ed(), E)
    add("many recipients", mail { to = list, cc = "c@example.test", bcc = "b@example.test", reply_to = "r@x.test" },
      all, R, E, C)
    add("a list", mail { list_unsubscribe = { url = "https://example.test/u?" .. ("x"):rep(200), one_click = true },
      headers = { { "X-Tag", "1" }, { "X-Tag", "2" } } }, all, R, E, C)
    add("no body", mail { text = "" }, all, R, E, C)
    add("empty lines alone", mail { text = "\n\n \n" }, { by_rsa { canonicalization = "simple/simple" }, by_ed() },
      R, E)
    add("x= and i=", mail(), { by_rsa { identity = "no;reply=@a.example.test", expires_in = 3600 },
      by_ed { identity = "@example.test", timestamp = false } }, R, E)
    add("fields of one's own", mail { headers = { ["X-Mine"] = "y" } }, { by_rsa { headers = { "from", "From", "X-Mine",
      "X-Not-There", "Subject" } } }, R)
    add("names in any script", { from = "jörg@bücher.test", to = "a@example.test" },
      by_ed { domain = "bücher.test", selector = "ü", identity = "@post.bücher.test" }, "xn--tda xn--bcher-kva.test")
    add("8 bits in the header", { from = "jörg@example.test", to = "a@example.test", subject = "ü" }, by_rsa(), R)
    add("raw", { raw = "From: a@example.test\nTo: b@example.test\nBcc: c@x.test\nsubject:  x\n\ty \n\nhi \n\n\n" }, all,
      R, E, C)
    add("raw, without a body", { raw = "From: a@example.test\nTo: b@example.test\n" },
      { by_rsa { canonicalization = "simple/simple" }, by_ed() }, R, E)
    add("raw, of 8 bits", { raw = "From: a@example.test\nTo: b@example.test\n\n\195\188\n" }, all, R, E, C)
    judge(cases)
  end)

  it("verifies no more when what is signed was changed", function()
    local both = { by_rsa(), by_ed { canonicalization = "simple/simple" } }
    local whole = compose(mail { list_unsubscribe = { url = "https://example.test/u", one_click = true } }, both)
    local few = compose(mail { list_unsubscribe = { url = "https://example.test/u", one_click = true } },
      { by_rsa { headers = { "From" } }, by_ed { headers = { "From", "Subject" } } })
    local cases = { { name = "nothing", bytes = whole, expected = expect("pass", R, E) },
      { name = "what is not signed", bytes = "X-New: x\r\n" .. whole, expected = expect("pass", R, E) } }
    local function add(name, bytes)
      assert.is_true(bytes ~= whole, name)
      cases[#cases + 1] = { name = name, bytes = bytes, expected = expect("fail", R, E) }
    end
    add("the body", (whole:gsub("hello", "hallo")))
    add("more body", whole .. "more\r\n")
    add("less body", (whole:gsub("=2E\r\n$", "")))
    add("the subject", (whole:gsub("93%%", "39%%")))
    add("no date", (whole:gsub("Date: [^\r]*\r\n", "")))
    add("one click", (whole:gsub("List%-Unsubscribe: <https://example", "List-Unsubscribe: <https://exumple")))
    add("one click, with few fields", (few:gsub("List%-Unsubscribe: <https://example", "List-Unsubscribe: <https://x")))
    for _, field in ipairs { "From: evil@evil.test", "Subject: evil", "To: evil@evil.test", "Cc: evil@evil.test",
      "Reply-To: evil@evil.test", "Date: Fri, 11 Jul 2003 21:00:37 -0700", "Message-ID: <evil@evil.test>",
      "Content-Type: text/html", "Content-Transfer-Encoding: base64", "MIME-Version: 1.0" } do
      local name = field:match "^[^:]*"
      add("one more " .. name, field .. "\r\n" .. whole)
      if name ~= "From" then
        add("one more " .. name .. " below", (whole:gsub("\r\n\r\n", "\r\n" .. field .. "%0", 1)))
      end
    end
    judge(cases)
  end)

  it("verifies after a real Postfix and a real Exim have delivered it", function()
    local cases = {}
    local signers = { by_rsa(), by_ed { canonicalization = "simple/simple" }, by_carrier { timestamp = false } }
    for _, name in ipairs { "postfix", "exim" } do
      local server = servers.start(name)
      for _, port in ipairs { "mx", "data" } do
        local mailer = assert(smtpsec.new { host = "localhost", port = server.ports[port], env_file = false,
          tls = { mode = "starttls", ca_file = server.ca_file }, dkim = signers })
        for i, fields in ipairs {
          mail { text = "ä  b\t\n.\n..\nFrom x\n \n\n\n", cc = "Jörg <j@example.test>" },
          mail { html = "<p>", attachments = { { content = ("x"):rep(100000), filename = "ü" } } },
          { raw = "From: a@example.test\nTo: b@example.test\nDate: Fri, 11 Jul 2003 21:00:37 -0700\nSubject: x\n"
            .. "Message-ID: <" .. name .. port .. "@raw.test>\nX:  y \n\n.\na \n\n" },
        } do
          local receipt = assert(mailer:send(fields))
          assert.same({ { domain = "example.test", selector = "r", algorithm = "rsa-sha256" },
            { domain = "example.test", selector = "e", algorithm = "ed25519-sha256" },
            { domain = "carrier.test", selector = "esp.s1", algorithm = "rsa-sha256" } }, receipt.dkim)
          assert.same({}, receipt.warnings)
          local content = server:wait(receipt.id)[1].content
          cases[#cases + 1] = { name = ("%s %s %d"):format(name, port, i), bytes = content:gsub("\n", "\r\n"),
            expected = expect("pass", R, E, C) }
        end
        mailer:close()
      end
    end
    judge(cases)
  end)

  it("is not delivered when it changes while it is sent", function()
    local server = servers.start "postfix"
    for _, port in ipairs { "mx", "data" } do
      local mailer = assert(smtpsec.new { host = "localhost", port = server.ports[port], env_file = false,
        tls = { mode = "starttls", ca_file = server.ca_file },
        dkim = { by_ed(), by_rsa { key_path = short, insecure_short_key = true } } })
      local id = ("<changes-%s-%d@example.test>"):format(port, process.id())
      local function send(letters)
        local readings = 0
        return mailer:send(mail { message_id = id, attachments = { { filename = "x", reader = function()
          readings = readings + 1
          local left, letter = 10, letters:sub(readings, readings)
          return function()
            left = left - 1
            return left > 0 and letter:rep(300000) or nil
          end
        end } } })
      end
      local receipt, err = send "ab"
      assert.is_nil(receipt)
      assert.same({ "message", "body", true }, { err.kind, err.stage, err.retry_safe })
      assert.is_truthy(err.message:find("changed after it was signed", 1, true))
      assert.same({ "signed for example.test with an RSA key of 1024 bits: insecure_short_key" },
        assert(send "aa").warnings)
      assert.equal(1, #server:wait(id))
      mailer:close()
    end
  end)
end)
