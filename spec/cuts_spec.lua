-- A connection is cut at many places, and many mails are sent: what the client reports agrees with what the sink
-- accepted. `make cuts` cuts at every byte; `make million` sends a million mails.
local cuts = require "spec.cuts.cuts"
local judge = require "spec.cuts.judge"
local mails = require "spec.cuts.mails"
local process = require "spec.support.process"
local records = require "spec.cuts.records"

local THIN = tonumber(os.getenv "SMTPSEC_THIN") or 1
local interpreter = rawget(_G, "jit") and "luajit" or "lua5.4"

describe("a connection that is cut", function()
  local outcome

  setup(function()
    outcome = cuts.run { thin = 97 * THIN, workers = 4 }
  end)

  it("is cut in both directions, in clear and in TLS, for one mail and many, by DATA and by BDAT", function()
    assert.same({}, outcome.trouble)
    assert.equal(154, #outcome.cases)
    for _, case in ipairs(outcome.cases) do
      assert.is_true(case.points > 0, case.name)
      assert.equal(0, case.missed, case.name)
    end
  end)

  it("leaves no mail of which the client and the server think differently", function()
    assert.same({}, outcome.wrong)
  end)

  it("leaves mails that are accepted, refused, in doubt and safe to send again", function()
    for _, what in ipairs { "accepted", "refused", "doubt", "safe" } do
      local sum = 0
      for _, case in ipairs(outcome.cases) do sum = sum + case[what] end
      assert.is_true(sum > 0, what)
    end
  end)
end)

describe("the judge of cuts", function()
  local RECEIPT = { receipt = {} }
  local DOUBT = { err = { kind = "in_doubt", retry_safe = false } }
  local CLOSED = { err = { kind = "closed", retry_safe = true } }
  local WHOLE = "\r\n.\r\nEND-1\r\n.\r\n"
  local REPLY = "250 2.0.0 Ok: queued as B1\r\n"

  -- What the judge says of one mail: how often it was accepted, what was written and read, what was told.
  local function says(commits, written, heard, result, more)
    local seen = { results = { result }, commits = {}, sizes = { [mails.id(1)] = 9 }, seconds = 0,
      stats = { bytes_out = #heard }, links = { { written = written, heard = heard, got = { count = #heard } } } }
    for n = 1, commits do seen.commits[n] = { id = mails.id(1), bytes = 9 } end
    for name, value in pairs(more or {}) do seen[name] = value end
    local _, wrong = judge.judge(seen, 1, { how = "fin" }, 1)
    return wrong[1]
  end

  it("agrees with the truth", function()
    assert.is_nil(says(1, WHOLE, REPLY, RECEIPT))
    assert.is_nil(says(1, WHOLE, "", DOUBT))
    assert.is_nil(says(0, WHOLE, "", DOUBT))
    assert.is_nil(says(0, WHOLE:sub(1, -2), "", CLOSED))
  end)

  it("finds every lie", function()
    assert.truthy(says(0, WHOLE, REPLY, RECEIPT))
    assert.truthy(says(2, WHOLE, REPLY, RECEIPT))
    assert.truthy(says(1, WHOLE, "", RECEIPT))
    assert.truthy(says(1, WHOLE, "", CLOSED))
    assert.truthy(says(1, WHOLE:sub(1, -2), "", CLOSED))
    assert.truthy(says(0, WHOLE, "", CLOSED))
    assert.truthy(says(0, WHOLE:sub(1, -2), "", DOUBT))
    assert.truthy(says(1, WHOLE, REPLY, DOUBT))
    assert.truthy(says(1, WHOLE .. WHOLE, "", DOUBT))
    assert.truthy(says(0, "", "", nil))
    assert.truthy(says(1, WHOLE, REPLY, RECEIPT, { sizes = { [mails.id(1)] = 10 } }))
  end)

  it("finds what took too long, and replies that nobody read", function()
    assert.truthy(says(1, WHOLE, REPLY, RECEIPT, { seconds = 2 }))
    assert.truthy(says(1, WHOLE, "", DOUBT, { stats = { bytes_out = 1 } }))
    assert.truthy(says(0, "", "", { err = { kind = "timeout", retry_safe = true } }))
  end)

  it("reads the length of the text off the records of TLS, of whole ones only", function()
    local hello, one = "\22\3\3\0\2ab", "\23\3\3\0\20" .. ("x"):rep(20)
    assert.equal(6, records.text(hello .. one .. one .. one:sub(1, -2), 0))
    assert.equal(3, records.text(hello .. one .. one, 1))
    assert.equal(0, records.before(hello .. one, 3))
  end)
end)

describe("very many mails", function()
  -- In a process of its own, which holds nothing else.
  it("get their verdicts, and nothing grows", function()
    local count = ("%d"):format(math.ceil(20000 / THIN))
    local words = process.sanitized { interpreter, "spec/cuts/run_million.lua", count }
    local fine, said = process.try("unset SMTPSEC_TALLY; " .. process.command(words))
    assert.is_true(fine, said)
    assert.matches("1 passed, 0 failed", said, 1, true)
  end)
end)
