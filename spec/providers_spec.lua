local core = require "smtpsec.core"
local providers = require "smtpsec.providers"

local MODES = { implicit = true, starttls = true }

describe("providers", function()
  for _, name in ipairs(providers.names()) do
    it("has whole and possible facts about " .. name, function()
      local provider, listed = providers.get(name)
      assert.is_string(provider.title)
      assert.is_true(provider.host ~= nil or provider.pattern ~= nil)
      assert.is_true(#provider.hint > 20)
      assert.is_true(#provider.endpoints > 0)
      for _, endpoint in ipairs(provider.endpoints) do
        assert.is_true(endpoint[1] >= 1 and endpoint[1] <= 65535)
        assert.is_true(MODES[endpoint[2]], "no preset goes without TLS")
        assert.is_true(endpoint[1] ~= 465 or endpoint[2] == "implicit")
        assert.is_true(endpoint[1] ~= 587 or endpoint[2] == "starttls")
      end
      if provider.host then
        assert.is_true(core.domain(provider.host))
        assert.equal(listed, providers.of_host(provider.host))
      end
      for _, host in ipairs(provider.hosts or {}) do assert.equal(listed, providers.of_host(host)) end
      if not provider.host then assert.is_truthy(provider.hint:find('host = "', 1, true)) end
    end)
  end

  it("knows the services people use", function()
    for _, name in ipairs { "gmail", "microsoft365", "office365", "outlook", "hotmail", "icloud", "yahoo",
      "yahoo.co.jp",
      "sakura", "xserver", "ses", "sendgrid", "mailgun", "mailgun-eu", "postmark" } do
      assert.is_table(providers.get(name), name)
    end
    assert.is_nil(providers.get "nobody")
  end)

  it("recognises a service by its host, whatever the case", function()
    assert.equal("gmail", providers.of_host "SMTP.Gmail.com")
    assert.equal("ses", providers.of_host "email-smtp.eu-west-1.amazonaws.com")
    assert.equal("ses", providers.of_host "email-smtp-fips.us-gov-west-1.amazonaws.com")
    assert.equal("sakura", providers.of_host "example.sakura.ne.jp")
    assert.equal("xserver", providers.of_host "sv1234.xserver.jp")
  end)

  it("is not taken in by look-alikes", function()
    for _, host in ipairs { "smtp.gmail.com.example", "xsmtp.gmail.com", "email-smtp.eu-west-1.amazonaws.com.example",
      "a.b.sakura.ne.jp.example", "sakura.ne.jp", "smtp-gmail.com", "emailXsmtp.a.amazonaws.com" } do
      assert.is_nil(providers.of_host(host), host)
    end
  end)
end)
