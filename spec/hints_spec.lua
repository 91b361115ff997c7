local errors = require "smtpsec.errors"
local hints = require "smtpsec.hints"
local providers = require "smtpsec.providers"

-- error, settings in use, what the hint says (a Lua pattern)
local CASES = {
  ["implicit TLS on 587"] = {
    { kind = "tls", stage = "tls", message = "the peer does not speak TLS on this port" },
    { port = 587, tls = { mode = "implicit" } }, 'tls = "starttls"' },
  ["STARTTLS mode on 465, silence"] = {
    { kind = "timeout", stage = "greeting", message = "the server sent no greeting" },
    { port = 465, tls = { mode = "starttls" } }, '465 .*tls = "implicit"' },
  ["STARTTLS mode on 465, hung up"] = {
    { kind = "closed", stage = "greeting", message = "cut" },
    { port = 465, tls = { mode = "none" } }, '465 .*tls = "implicit"' },
  ["silence on another port"] = {
    { kind = "timeout", stage = "greeting", message = "the server sent no greeting" },
    { port = 2465, tls = { mode = "starttls" } }, 'tls = "implicit"' },
  ["clear text after STARTTLS"] = {
    { kind = "tls", stage = "tls", message = "the peer does not speak TLS on this port" },
    { port = 587, tls = { mode = "starttls" } }, "hostile" },
  ["another service"] = {
    { kind = "protocol", stage = "greeting", message = 'the server sent "HTTP/1.1 400" where a reply code was due' },
    {}, "another service" },
  ["STARTTLS not offered"] = {
    { kind = "policy", stage = "starttls", message = "the server does not offer STARTTLS, and TLS is required" },
    { port = 587 }, "465.*hiding" },
  ["STARTTLS refused"] = {
    { kind = "policy", stage = "starttls", message = "the server refuses STARTTLS, and TLS is required", code = 454 },
    {}, "try later" },
  ["bytes before TLS"] = {
    { kind = "protocol", stage = "starttls", message = "bytes follow the reply to STARTTLS" }, {},
      "cannot be trusted" },
  ["expired"] = { { kind = "tls", message = "refused", reason = "certificate has expired" }, {}, "renewed" },
  ["not yet valid"] = { { kind = "tls", message = "refused", reason = "certificate is not yet valid" }, {}, "clock" },
  ["wrong name"] = {
    { kind = "tls", message = "refused", reason = "hostname mismatch",
      tls = { peer = { names = { "a.example", "b.example" } } } },
    {}, "a%.example, b%.example" },
  ["no name at all"] = {
    { kind = "tls", message = "refused", reason = "hostname mismatch", tls = { peer = { names = {} } } },
    {}, "subjectAltName" },
  ["wrong address"] = {
    { kind = "tls", message = "refused", reason = "IP address mismatch",
      tls = { peer = { names = { "a.example" } } } },
    {}, "a%.example.*not its address" },
  ["self-signed"] = { { kind = "tls", message = "refused", reason = "self-signed certificate" }, {}, "tls%.ca_file" },
  ["unknown issuer"] = {
    { kind = "tls", message = "refused", reason = "unable to get local issuer certificate" }, {}, "pins" },
  ["another key"] = { { kind = "tls", message = "refused", reason = "no pin matches the server's key" }, {}, "why" },
  ["revoked"] = { { kind = "tls", message = "refused", reason = "certificate revoked" }, {}, "send nothing" },
  ["no CRL"] = { { kind = "tls", message = "refused", reason = "unable to get certificate CRL" }, {}, "crl_file" },
  ["weak"] = { { kind = "tls", message = "refused", reason = "EE certificate key too weak" }, {}, "2048" },
  ["purpose"] = { { kind = "tls", message = "refused", reason = "unsuitable certificate purpose" }, {}, "key usage" },
  ["any other"] = { { kind = "tls", message = "the certificate was refused: x", reason = "x" }, {}, "must mend" },
  ["old TLS"] = { { kind = "tls", message = "failed", reason = "tlsv1 alert protocol version" }, {}, "TLS 1%.2" },
  ["client certificate"] = {
    { kind = "tls", message = "failed", reason = "tlsv13 alert certificate required" }, {}, "tls = { cert" },
  ["AUTH not offered"] = {
    { kind = "auth", stage = "auth", message = "but the server does not offer AUTH" }, { port = 8587 },
      "587 or 465" },
  ["AUTH not offered on 25"] = {
    { kind = "auth", stage = "auth", message = "but the server does not offer AUTH" }, { port = 25 }, "port 25" },
  ["535"] = { { kind = "auth", message = "refused", code = 535 }, {}, "app password" },
  ["535 of a provider"] = { { kind = "auth", message = "refused", code = 535 }, { provider = "gmail" }, "Gmail" },
  ["534"] = { { kind = "auth", message = "refused", code = 534 }, {}, "app password" },
  ["password login retired"] = {
    { kind = "auth", message = "refused", code = 550, enhanced = "5.7.30", text = "Basic authentication is not" },
    { provider = "microsoft365" }, "OAuth" },
  ["530"] = { { kind = "rejected", stage = "mail", message = "refused", code = 530 }, {}, "login first" },
  ["530 for want of TLS"] = {
    { kind = "rejected", stage = "mail", message = "no", code = 530, text = "Must issue a STARTTLS command first" },
    {}, 'tls = "starttls"' },
  ["530 with a login left out"] = {
    { kind = "rejected", stage = "mail", message = "refused", code = 530 },
    { notes = { "the user and password in .env were left out" } }, "left out" },
  ["relaying"] = {
    { kind = "rejected", message = "refused", code = 550, text = "5.7.1 Relaying denied" }, {}, "log in" },
  ["somebody else's address"] = {
    { kind = "rejected", message = "refused", code = 553, text = "Sender address rejected: not owned by user" },
    {}, "look at from" },
  ["size"] = { { kind = "rejected", message = "refused", code = 552 }, {}, "too large" },
  ["size known before"] = {
    { kind = "limit", message = "the message has 9 bytes, and the server takes at most 8" }, {}, "too large" },
  ["421"] = { { kind = "rejected", message = "refused", code = 421 }, {}, "later" },
  ["greylisting"] = { { kind = "rejected", message = "no", code = 451, text = "Greylisted" }, {}, "some minutes" },
  ["unknown mailbox"] = {
    { kind = "rejected", stage = "rcpt", message = "no", code = 550, enhanced = "5.1.1" }, {}, "no such mailbox" },
  ["EHLO name"] = { { kind = "rejected", stage = "ehlo", message = "refused", code = 550 }, {}, "hello" },
  ["password in clear"] = {
    { kind = "policy", stage = "auth", message = "a password would cross the network in clear" }, {},
      'tls = "starttls"' },
  ["dns"] = { { kind = "dns", stage = "resolve", message = "unknown host" }, {}, "spelling" },
  ["connect refused"] = { { kind = "connect", stage = "connect", message = "Connection refused" }, {},
    "nothing listens" },
  ["port 25 blocked"] = { { kind = "timeout", stage = "connect", message = "x" }, { port = 25 }, "block port 25" },
  ["connect timeout"] = { { kind = "timeout", stage = "connect", message = "x" }, { port = 587 }, "firewall" },
  ["in doubt"] = { { kind = "in_doubt", stage = "final", message = "no answer" }, {}, "twice" },
}

describe("hints", function()
  for name, case in pairs(CASES) do
    it("helps with: " .. name, function()
      local hint = hints.find(case[1], case[2])
      assert.is_truthy(hint, "no hint")
      assert.is_truthy(hint:find(case[3]), hint)
    end)
  end

  it("says nothing where there is nothing to say", function()
    assert.is_nil(hints.find({ kind = "internal", message = "x" }))
    assert.is_nil(errors.new("internal", "x").hint)
  end)

  it("shows only some of many names", function()
    local names = {}
    for i = 1, 100 do names[i] = "n" .. i .. ".example" end
    local hint = hints.find { kind = "tls", message = "x", reason = "hostname mismatch",
      tls = { peer = { names = names } } }
    assert.is_truthy(hint:find("n4.example, …", 1, true))
    assert.is_nil(hint:find("n5.example", 1, true))
  end)

  it("never fills a server's words into a pattern", function()
    local hint = hints.find { kind = "tls", message = "x", reason = "hostname mismatch",
      tls = { peer = { names = { "%1{provider}" } } } }
    assert.is_truthy(hint:find("%1{provider}", 1, true))
  end)

  it("never says to check less", function()
    local function safe(text)
      text = text:lower()
      for _, bad in ipairs { "insecure", "skip_verify", "opportunistic", 'tls = "none"', "turn off verif",
        "disable" } do
        assert.is_nil(text:find(bad, 1, true), text)
      end
    end
    for _, case in pairs(CASES) do safe(hints.find(case[1], case[2])) end
    for _, name in ipairs(providers.names()) do safe(providers.get(name).hint) end
  end)
end)
