-- Keys and signatures: which keys are taken, that none shows, and the example of RFC 8463.
local core = require "smtpsec.core"
local process = require "spec.support.process"

local folder

-- Makes a key and reads its PEM.
local function make(name, command)
  local path = folder .. "/" .. name
  process.run(command:gsub("OUT", path))
  return process.read(path), path
end

local function genpkey(name, options)
  return make(name, "openssl genpkey -out OUT " .. options)
end

setup(function() folder = process.run 'printf %s "$(mktemp -d -t smtpsec-XXXXXX)"' end)
teardown(function() process.run("rm -rf " .. process.quote(folder)) end)

describe("a key", function()
  local function taken(algorithm, bits, ...)
    local key, got, n = core.dkim_key(...)
    assert.is_truthy(key, n)
    assert.same({ algorithm, bits }, { got, n })
    key:close()
    key:close()
    assert.has_error(function() key:sign("", {}, true, "", ("x"):rep(32)) end)
  end

  local function refused(words, ...)
    local key, status, why, reason = core.dkim_key(...)
    assert.is_nil(key)
    assert.same({ "argument" }, { status, reason })
    assert.is_truthy(why:find(words, 1, true), why)
    local pem = (...)
    for line in pem:gmatch "[^\n-]+" do assert.is_nil(#line > 24 and why:find(line, 1, true) or nil, why) end
  end

  it("is RSA of 2048 bits and more, or Ed25519, in PKCS#8 or PKCS#1", function()
    local rsa, path = genpkey("rsa", "-algorithm RSA -pkeyopt rsa_keygen_bits:2048")
    taken("rsa-sha256", 2048, rsa)
    taken("rsa-sha256", 2048, (make("pkcs1", "openssl rsa -traditional -in " .. path .. " -out OUT")))
    taken("rsa-sha256", 2048, "some words before it\n" .. rsa .. "and behind it\n")
    taken("ed25519-sha256", 256, (genpkey("ed", "-algorithm ED25519")))
  end)

  it("may be short only where that is said, and never shorter than what counts", function()
    local rsa = genpkey("short", "-algorithm RSA -pkeyopt rsa_keygen_bits:1024")
    refused("1024 bits, less than 2048: make a new one, or say insecure_short_key", rsa)
    taken("rsa-sha256", 1024, rsa, true)
    refused("768 bits", genpkey("shorter", "-algorithm RSA -pkeyopt rsa_keygen_bits:768"), true)
  end)

  it("is asked of nobody when it is encrypted", function()
    local _, path = genpkey("plain", "-algorithm ED25519")
    refused("is encrypted", (make("locked", "openssl pkey -aes128 -passout pass:x -in " .. path .. " -out OUT")))
    local _, rsa = genpkey("rsa2", "-algorithm RSA -pkeyopt rsa_keygen_bits:2048")
    refused("is encrypted", (make("locked1", "openssl rsa -traditional -aes128 -passout pass:x -in " .. rsa
      .. " -out OUT")))
  end)

  it("is nothing else", function()
    local ed, path = genpkey("ed2", "-algorithm ED25519")
    refused("neither an RSA nor an Ed25519 key", (genpkey("ec", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256")))
    refused("neither an RSA nor an Ed25519 key", (genpkey("x", "-algorithm X25519")))
    refused("no private key", (make("public", "openssl pkey -pubout -in " .. path .. " -out OUT")))
    refused("no private key", "")
    refused("no private key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    refused("no private key", ed:sub(1, -40))
    assert.has_error(function() core.dkim_key(nil) end)
  end)
end)

describe("the example of RFC 8463", function()
  -- Appendix A.2: the secret key is 32 bytes; what stands before it makes it PKCS#8 (RFC 8410 section 7).
  local SECRET = "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
  local PREFIX = "\48\46\2\1\0\48\5\6\3\43\101\112\4\34\4\32"
  local HEADER = table.concat({ "From: Joe SixPack <joe@football.example.com>",
    "To: Suzie Q <suzie@shopping.example.net>", "Subject: Is dinner ready?",
    "Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)", "Message-ID: <20030712040037.46341.5F8J@football.example.com>",
    "" }, "\r\n")
  local BODY = "Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n"
  local SIGNATURE = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; "
    .. "i=@football.example.com;\r\n q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n subject : date : "
    .. "message-id : from : subject : date;\r\n bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b="
  local RESULT = "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw=="

  local pem, path

  setup(function()
    pem = "-----BEGIN PRIVATE KEY-----\n" .. core.base64(PREFIX .. core.base64_decode(SECRET))
      .. "\n-----END PRIVATE KEY-----\n"
    path = process.write(folder .. "/example", pem)
  end)

  -- Signs by hand: openssl over the digest of the canonical text.
  local function by_hand(signature)
    local canonical = core.dkim_field(signature, true):sub(1, -3)
    local text = process.write(folder .. "/text",
      core.dkim_field("From: Joe SixPack <joe@football.example.com>", true)
      .. core.dkim_field("To: Suzie Q <suzie@shopping.example.net>", true)
      .. core.dkim_field("Subject: Is dinner ready?", true)
      .. core.dkim_field("Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)", true)
      .. core.dkim_field("Message-ID: <20030712040037.46341.5F8J@football.example.com>", true) .. canonical)
    return (process.run(("openssl dgst -sha256 -binary -out %s.d %s && openssl pkeyutl -sign -rawin -inkey %s -in %s.d "
      .. "| base64 -w0"):format(text, text, path, text)))
  end

  local function body_digest() return core.dkim_hash(true):update(BODY):finish() end

  it("gives its digest, and by hand its signature", function()
    assert.equal("2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=", core.base64(body_digest()))
    assert.equal(RESULT, by_hand(SIGNATURE))
  end)

  it("gives the same signature as by hand, for the field as it is written here", function()
    local key = assert(core.dkim_key(pem))
    local tags = "DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; s=brisbane;\r\n"
    local names = { "from", 3, "to", 1, "subject", 2, "date", 0, "date", 0, "message-id", 0, "cc", 1, "x-none", 2,
      "sender", 3 }
    local field = assert(key:sign(HEADER, names, true, tags, body_digest()))
    local listed, value = field:match " h=([^;]*);\r\n bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=(.*)\r\n$"
    assert.equal("from:from:to:subject:subject:date:date:message-id:sender", listed)
    assert.equal(by_hand(field:match "^.* b="), (value:gsub("%s", "")))
    assert.equal(field, key:sign(HEADER, names, true, tags, body_digest()))
    assert.not_equal(field, key:sign(HEADER:gsub("dinner", "supper"), names, true, tags, body_digest()))
  end)

  it("picks fields from the bottom upwards, and folds their list", function()
    local key = assert(core.dkim_key(pem))
    local function sign(header, names)
      return key:sign(header, names, false, "DKIM-Signature: v=1;\r\n", body_digest())
    end
    local header = "X: one\r\nFrom: a\r\nx: two\r\n folded\r\nX-Y: z\r\n"
    assert.equal(sign("x: two\r\n folded\r\n", { "x", 0 }), sign(header, { "x", 0 }))
    assert.not_equal(sign(header, { "x", 0, "X", 0 }), sign("x: one\r\nx: two\r\n folded\r\n", { "x", 0, "X", 0 }))
    assert.equal(sign("X: one\r\nx: two\r\n folded\r\n", { "x", 0, "X", 0 }), sign(header, { "x", 0, "X", 0 }))
    assert.equal(sign(header, { "x", 0, "x", 0 }), sign(header, { "x", 1 }))
    assert.equal(sign(header, { "x", 0, "x", 0, "x", 0 }), sign(header, { "x", 2 }))
    local many = {}
    for i = 1, 30 do many[2 * i - 1], many[2 * i] = ("A-Long-Name-%d"):format(i), 0 end
    for line in sign(header, many):gmatch "([^\r]*)\r\n" do assert.is_true(#line <= 78, line) end
    assert.has_error(function() sign(header, { "x" , 9 }) end)
    assert.has_error(function() sign(header, { 1, "x" }) end)
  end)
end)
