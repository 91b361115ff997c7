-- Logging in at real servers: by every mechanism that they offer, with the right secret, and with wrong ones. What they
-- offer is asserted, so that none of it can go untried. What scripted peers do to a login is in spec/security.
local keeper = require "spec.support.keeper"
local pki = require "spec.support.pki"
local servers = require "spec.support.servers"
local smtpsec = require "smtpsec"
local token = require "spec.support.token"

local function with(list, ...)
  local all = { ... }
  for _, item in ipairs(list) do all[#all + 1] = item end
  return all
end

local OF_DOVECOT = { "PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "XOAUTH2",
  "OAUTHBEARER" }
local OF_CYRUS = { "PLAIN", "LOGIN", "CRAM-MD5", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512",
  "ANONYMOUS" }

-- What each offers in TLS to a client with a certificate, and what it is best to choose of it with a password.
local CASES = {
  { title = "Dovecot", name = "dovecot", port = "submission", strongest = "SCRAM-SHA-256",
    offers = with(OF_DOVECOT, "EXTERNAL") },
  { title = "Postfix with Dovecot behind it", name = "postfix", port = "submission", strongest = "SCRAM-SHA-256",
    offers = OF_DOVECOT },
  { title = "Postfix with Cyrus SASL", name = "postfix", port = "cyrus", strongest = "SCRAM-SHA-512",
    offers = OF_CYRUS },
  { title = "Exim", name = "exim", port = "submission", strongest = "SCRAM-SHA-256",
    offers = with(OF_DOVECOT, "ANONYMOUS", "EXTERNAL") },
}

-- ---- who logs in, with what -----------------------------------------------------------------------------------------

-- Each way gives the logins that a server takes, and those that it refuses, by what they are.
local function by_password(server)
  local users = server.users
  return {
    ["the right password"] = users.joe,
    ["a user and a password in UTF-8"] = users.unal,
  }, {
    ["a wrong password"] = { user = users.joe.user, password = "not-" .. users.joe.password },
    ["another user's password"] = { user = users.joe.user, password = users.unal.password },
    ["a user that there is not"] = { user = "jane", password = users.joe.password },
  }
end

-- Written with combining diaereses, the same user and password are other bytes, until SASLprep (RFC 4013) has made them
-- the same.
local function by_prepared_password(server)
  local right, wrong = by_password(server)
  right["a user and a password in UTF-8, decomposed"] = {
    user = "u\204\136nal", password = "pa\204\136sswo\204\136rd",
  }
  return right, wrong
end

-- What could be written in ISO 8859-1 is hashed in ISO 8859-1 (RFC 2831 section 2.1.2.1), which Dovecot overlooks: so
-- here is a user for whom there is no doubt.
local function by_digest(server)
  local right, wrong = by_password(server)
  right["a user and a password in UTF-8"] = server.users.kanshi
  return right, wrong
end

local function by_token(server)
  local joe = server.users.joe.user
  return {
    ["a token"] = { user = joe, token = token.new(joe) },
  }, {
    ["a token that has expired"] = { user = joe, token = token.new(joe, { seconds = -60 }) },
    ["a token that somebody else signed"] = { user = joe, token = token.new(joe, { secret = "another key" }) },
    ["another user's token"] = { user = joe, token = token.new "jane" },
  }
end

local function by_certificate(server)
  local joe, certificate = server.users.joe.user, server.certificate
  return {
    ["a certificate"] = { certificate = certificate },
    ["a certificate, and the name that is in it"] = { certificate = certificate, user = joe },
  }, {
    ["a certificate, and another name"] = { certificate = certificate, user = server.users.kanshi.user },
  }
end

local function by_nothing()
  return { ["a trace of who it is"] = { user = "someone@client.test" } }, {}
end

local WAYS = {
  PLAIN = by_password, LOGIN = by_password, ["CRAM-MD5"] = by_password, ["DIGEST-MD5"] = by_digest,
  ["SCRAM-SHA-1"] = by_prepared_password, ["SCRAM-SHA-256"] = by_prepared_password,
  ["SCRAM-SHA-512"] = by_prepared_password, XOAUTH2 = by_token, OAUTHBEARER = by_token, EXTERNAL = by_certificate,
  ANONYMOUS = by_nothing,
}

-- ---- logging in -----------------------------------------------------------------------------------------------------

-- What a login comes to: facts, or nil and the error. `mechanism`: no other may be used.
local function login(case, who, mechanism)
  local server = servers.start(case.name)
  local tls = { mode = "starttls", ca_file = server.ca_file }
  if who.certificate then tls.cert, tls.key = who.certificate.cert, who.certificate.key end
  local mailer = smtpsec.new {
    host = "localhost", port = server.ports[case.port], env_file = false, tls = tls,
    user = who.user, password = who.password, token = who.token, auth = { mechanisms = mechanism and { mechanism } },
  }
  local facts, err = mailer:verify()
  mailer:close()
  return facts, err
end

local function check_accepted(mechanism, what, facts, err)
  assert.is_nil(err, what .. ": " .. tostring(err))
  assert.same({ mechanism, "pkix" }, { facts.auth.mechanism, facts.tls.authenticated }, what)
end

local function check_refused(mechanism, what, who, facts, err)
  assert.is_nil(facts, what .. " was accepted")
  assert.same({ "auth", "auth", 535, false }, { err.kind, err.stage, err.code, err.temporary }, what)
  assert.is_true(#err.text > 0, what)
  assert.matches(mechanism, err.message, 1, true)
  local secret = who.password or who.token
  assert.is_nil(secret and tostring(err):find(secret, 1, true), what)
  -- RFC 7628 section 3.2.2: what the server has to say stands in a challenge, and the reply says nothing.
  if who.token then assert.matches('{.*"status":"[%w_]+".*}', err.message) end
end

-- The names in a list, in the order of the alphabet.
local function sorted(list)
  local names = with(list)
  table.sort(names)
  return names
end

local function offered(facts)
  local names = {}
  for name in facts.login.offered:gmatch "%S+" do names[#names + 1] = name end
  return names
end

for _, case in ipairs(CASES) do
  describe(case.title, function()
    local server

    setup(function()
      server = servers.start(case.name)
    end)

    it("offers what is tried here, and no more", function()
      local joe = server.users.joe
      local facts, err = login(case, { user = joe.user, password = joe.password, certificate = server.certificate })
      assert.is_nil(err, tostring(err))
      assert.same(sorted(case.offers), sorted(offered(facts)))
    end)

    for _, mechanism in ipairs(case.offers) do
      it("takes the right secret by " .. mechanism .. ", and no other", function()
        local right, wrong = WAYS[mechanism](server)
        for what, who in pairs(right) do check_accepted(mechanism, what, login(case, who, mechanism)) end
        for what, who in pairs(wrong) do check_refused(mechanism, what, who, login(case, who, mechanism)) end
      end)
    end

    it("is logged in at by the strongest mechanism, where none is named", function()
      local facts, err = login(case, server.users.joe)
      check_accepted(case.strongest, "a password", facts, err)
    end)
  end)
end

describe("where no mechanism is named", function()
  local dovecot, exim = CASES[1], CASES[4]

  it("a token goes by OAUTHBEARER, and is asked for once more when it has expired", function()
    for _, case in ipairs { dovecot, exim } do
      local given = { token.new("joe", { seconds = -60 }), token.new "joe" }
      local asked = 0
      local facts, err = login(case, { user = "joe", token = function()
        asked = asked + 1
        return given[asked]
      end })
      check_accepted("OAUTHBEARER", case.title, facts, err)
      assert.equal(2, asked)
    end
  end)

  it("a certificate goes by EXTERNAL", function()
    for _, case in ipairs { dovecot, exim } do
      local certificate = servers.start(case.name).certificate
      check_accepted("EXTERNAL", case.title, login(case, { certificate = certificate, user = "joe" }))
    end
  end)
end)

describe("a certificate with the right name that somebody else signed", function()
  local stranger

  setup(function()
    local authority = pki.new(keeper.own():new_folder "stranger")
    authority:ca "root"
    stranger = authority:leaf { name = "joe", ca = "root", san = false, eku = "clientAuth" }
  end)

  it("is refused by Dovecot", function()
    local what, who = "its certificate", { certificate = stranger, user = "joe" }
    check_refused("EXTERNAL", what, who, login(CASES[1], who, "EXTERNAL"))
  end)

  it("is to Exim as if there were none: EXTERNAL is not offered", function()
    local facts, err = login(CASES[4], { certificate = stranger, user = "joe" }, "EXTERNAL")
    assert.is_nil(facts)
    assert.same({ "auth", "auth" }, { err.kind, err.stage })
    assert.matches("it offers: PLAIN LOGIN ", err.message, 1, true)
    assert.not_matches("EXTERNAL", err.message, 1, true)
  end)
end)
