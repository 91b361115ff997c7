-- The main job, against the servers people run: a mail with a Japanese subject, a UTF-8 body and a PDF arrives,
-- byte for byte after decoding by Python's `email`, and the receipt proves how it travelled.
local judge = require "spec.support.judge"
local servers = require "spec.support.servers"
local smtpsec = require "smtpsec"

local SUBJECT = "ディスク使用率 93%: 「/var」の残りは 7% です、至急ご確認ください"
local TEXT = "監視サーバより。\n\n.先頭の点\n..\n.\nFrom 行頭の From\n末尾の空白 \n" .. ("長い行。"):rep(300) .. "\n"

-- Looks enough like a PDF, and holds every byte value, in an order that no line-oriented code likes.
local function pdf()
  local bytes = { "%PDF-1.4\n%\226\227\207\211\n" }
  for i = 0, 20000 do bytes[#bytes + 1] = string.char((i * 7 + math.floor(i / 256)) % 256) end
  return table.concat(bytes) .. "\r\n.\r\n\n.\n\r%%EOF"
end

local PDF = pdf()

local function message(to)
  return {
    from = "監視 <joe@example.test>", to = { { name = "運用チーム", address = to } }, subject = SUBJECT, text = TEXT,
    attachments = { { content = PDF, filename = "報告書 2026年11月.pdf" } },
  }
end

local function check_arrival(mail)
  local read = judge.read({ mail.content })[1]
  assert.same({}, read.defects)
  assert.equal(SUBJECT, read.subject)
  assert.same({ { name = "監視", address = "joe@example.test" } }, read.addresses.From)
  assert.equal("運用チーム", read.addresses.To[1].name)
  local text, attachment
  for _, part in ipairs(read.parts) do
    if part.type == "text/plain" then text = part.text end
    if part.type == "application/pdf" then attachment = part end
  end
  assert.equal(TEXT, (text:gsub("\r\n", "\n")))
  assert.equal("報告書 2026年11月.pdf", attachment.filename)
  assert.is_true(PDF == attachment.content, "the PDF is not what was attached")
end

local function check_proof(receipt, mode)
  assert.equal(mode, receipt.tls.mode)
  assert.equal("pkix", receipt.tls.authenticated)
  assert.matches("^TLSv1%.[23]$", receipt.tls.version)
  assert.same({}, receipt.warnings)
  assert.equal("accepted", receipt.status)
  assert.equal(64, #receipt.tls.peer.sha256)
end

local function options(server, port, tls)
  return {
    host = "localhost", port = server.ports[port], env_file = false,
    tls = { mode = tls, ca_file = tls ~= "none" and server.ca_file or nil },
  }
end

for _, name in ipairs { "postfix", "exim", "chasquid", "dovecot" } do
  for port, mode in pairs { submission = "starttls", submissions = "implicit" } do
    it(name .. " delivers a mail sent by " .. mode .. " after a login", function()
      local server = servers.start(name)
      local given = options(server, port, mode)
      given.user, given.password = server.users.joe.user, server.users.joe.password
      local receipt, err = smtpsec.send(message "joe@example.test", given)
      assert.is_table(receipt, tostring(err))
      check_proof(receipt, mode)
      assert.equal(name == "chasquid" and "PLAIN" or "SCRAM-SHA-256", receipt.auth.mechanism)
      check_arrival(server:wait(receipt.id)[1])
    end)
  end

  it(name .. " refuses a wrong password, and gets no mail", function()
    local server = servers.start(name)
    local given = options(server, "submission", "starttls")
    given.user, given.password = server.users.joe.user, "not-" .. server.users.joe.password
    local receipt, err = smtpsec.send(message "joe@example.test", given)
    assert.is_nil(receipt)
    assert.equal("auth", err.kind)
    assert.equal("auth", err.stage)
    assert.equal(535, err.code)
  end)
end

it("dovecot and postfix know each mechanism that there is, UTF-8 names and passwords too", function()
  for _, name in ipairs { "postfix", "dovecot" } do
    local server = servers.start(name)
    for _, who in pairs { joe = server.users.joe, unal = server.users.unal } do
      for _, mechanism in ipairs { "PLAIN", "LOGIN", "CRAM-MD5" } do
        local given = options(server, "submission", "starttls")
        given.user, given.password, given.auth = who.user, who.password, { mechanisms = { mechanism } }
        local mailer = smtpsec.new(given)
        local facts, err = mailer:verify()
        assert.is_table(facts, tostring(err))
        assert.equal(mechanism, facts.auth.mechanism)
        mailer:close()
      end
    end
  end
end)

it("a server that knows no extension takes the mail in clear, and the receipt says so", function()
  local server = servers.start "postfix"
  local receipt, err = smtpsec.send(message "joe@example.test", options(server, "old", "none"))
  assert.is_table(receipt, tostring(err))
  assert.equal(false, receipt.tls)
  assert.same({ 'sent in clear: tls = "none"' }, receipt.warnings)
  check_arrival(server:wait(receipt.id)[1])
end)

it("a server that knows no EHLO is greeted with HELO where nothing needs more", function()
  local server = servers.start "postfix"
  local receipt, err = smtpsec.send(message "joe@example.test", options(server, "helo", "none"))
  assert.is_table(receipt, tostring(err))
  check_arrival(server:wait(receipt.id)[1])
  local refused, why = smtpsec.send(message "joe@example.test", options(server, "helo", "starttls"))
  assert.is_nil(refused)
  assert.equal("ehlo", why.stage)
end)

it("an old server without STARTTLS gets nothing where TLS is required", function()
  local server = servers.start "postfix"
  local receipt, err = smtpsec.send(message "joe@example.test", options(server, "old", "starttls"))
  assert.is_nil(receipt)
  assert.equal("policy", err.kind)
  assert.equal("starttls", err.stage)
end)

it("two mails travel on one connection, and refused recipients do not keep the others from theirs", function()
  for _, name in ipairs { "postfix", "exim" } do
    local server = servers.start(name)
    local given = options(server, "submission", "starttls")
    given.user, given.password = server.users.joe.user, server.users.joe.password
    local mailer = smtpsec.new(given)
    for _ = 1, 2 do
      local receipt, err = mailer:send {
        from = "joe@example.test", subject = "x", text = "y",
        to = { "nosuch@example.test", "joe@example.test", "greylisted@example.test" },
      }
      assert.is_table(receipt, tostring(err))
      assert.equal("partial", receipt.status)
      assert.same({ "joe@example.test" }, receipt.accepted)
      assert.equal(550, receipt.rejected[1].code)
      assert.is_false(receipt.rejected[1].temporary)
      assert.is_true(receipt.rejected[2].temporary)
      assert.is_string(receipt.queue_id)
      server:wait(receipt.id)
    end
    mailer:close()
  end
end)
