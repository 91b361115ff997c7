-- Whether a mail that failed is tried again, when, and what its receipt says of that.
local retry = require "smtpsec.retry"
local smtpsec = require "smtpsec"
local talk = require "spec.support.talk"

local SOON = { attempts = 3, first = 0.01, longest = 0.01 }
local GROUPS = talk.hello "PIPELINING"
local LATER = { talk.begin_group(), talk.END, "S: 451 4.3.0 later" }
local TAKEN = talk.mail()

-- A mail whose attempt has failed, as far as retry.lua looks at it.
local function failed(fields)
  local mail = { failure = { temporary = true, retry_safe = true, message = "trouble" }, left = { "a@b.test" },
    notes = {} }
  function mail:note(text) self.notes[#self.notes + 1] = text end
  for name, value in pairs(fields or {}) do mail[name] = value end
  return mail
end

describe("the policy", function()
  it("is what was said, and the rest is as it is where nothing was said", function()
    assert.same({ attempts = 3, first = 1, longest = 60 }, retry.DEFAULT)
    assert.same({ attempts = 5, first = 1, longest = 60 }, retry.policy(5))
    assert.same({ attempts = 3, first = 2, longest = 60 }, retry.policy { first = 2 })
    assert.same({ attempts = 2, first = 0, longest = 7 }, retry.policy { attempts = 2, first = 0, longest = 7 })
    assert.is_false(retry.policy(false))
    assert.is_nil(retry.policy(nil))
    assert.same(retry.policy(4), retry.policy(retry.policy(4)))
  end)

  it("lets try again what failed for now and cannot have arrived", function()
    assert.is_true(retry.is_safe { temporary = true, retry_safe = true })
    assert.is_false(retry.is_safe { temporary = true, retry_safe = false })
    assert.is_false(retry.is_safe { temporary = false, retry_safe = true })
    assert.is_false(retry.is_safe { temporary = false, retry_safe = false })
  end)
end)

describe("the time to the next attempt", function()
  it("doubles, less up to a half, and has an end", function()
    local policy = retry.policy { attempts = 9, first = 1, longest = 10 }
    for _ = 1, 50 do
      local mail = failed()
      for attempt, most in ipairs { 1, 2, 4, 8, 10, 10, 10, 10 } do
        local seconds, fresh = retry.after(mail, policy, 0)
        assert.is_true(seconds > most / 2 and seconds <= most, attempt .. ": " .. seconds)
        assert.is_false(fresh)
      end
      assert.is_nil((retry.after(mail, policy, 0)))
      assert.equal(8, #mail.notes)
    end
  end)

  it("is not the same for all that failed together", function()
    local seen, count = {}, 0
    for _ = 1, 100 do
      local seconds = retry.after(failed(), retry.DEFAULT, 0)
      if not seen[seconds] then seen[seconds], count = true, count + 1 end
    end
    assert.is_true(count > 10, count .. " different ones")
  end)

  it("ends with the call", function()
    local policy = retry.policy { first = 8 }
    assert.is_nil((retry.after(failed(), policy, 100, 104)))
    assert.is_number((retry.after(failed(), policy, 100, 109)))
    assert.is_number((retry.after(failed(), policy, 100)))
  end)
end)

describe("there is none", function()
  it("without a policy, for what is in doubt, and for what will not pass", function()
    local doubt = { temporary = true, retry_safe = false }
    local refusal = { temporary = false, retry_safe = true, message = "no" }
    for _, policy in ipairs { false, retry.DEFAULT } do
      assert.is_nil((retry.after(failed { failure = doubt }, policy, 0)))
      assert.is_nil((retry.after(failed { failure = refusal, left = false }, policy, 0)))
    end
    assert.is_number((retry.after(failed { failure = refusal }, retry.DEFAULT, 0))) -- of others than those who are left
    assert.is_nil((retry.after(failed(), false, 0)))
    assert.is_nil((retry.after(failed(), nil, 0)))
    assert.is_nil((retry.after(failed { failure = false }, retry.DEFAULT, 0)))
    assert.is_number((retry.after(failed(), retry.DEFAULT, 0)))
  end)

  it("where nobody is left, or the attempts are over", function()
    local mail = failed()
    mail.left = nil
    assert.is_nil((retry.after(mail, retry.DEFAULT, 0)))
    assert.is_nil((retry.after(failed(), retry.policy(1), 0)))
  end)
end)

describe("at once, whatever the policy, another connection is tried", function()
  it("once where the first one had died while it was idle", function()
    local mail = failed { on_dead = true }
    local seconds, fresh, why = retry.after(mail, false, 0)
    assert.same({ 0, true, "the connection had died while it was idle" }, { seconds, fresh, why })
    assert.is_nil((retry.after(mail, false, 0)))
  end)

  it("for each extension that the server does not master", function()
    local mail = failed { breaks = "CHUNKING" }
    assert.same({ 0, true, "without CHUNKING" }, { retry.after(mail, false, 0) })
    assert.is_nil((retry.after(mail, false, 0)))
  end)

  it("but not for a mail in doubt", function()
    local doubt = { temporary = false, retry_safe = false, message = "?" }
    assert.is_nil((retry.after(failed { failure = doubt, on_dead = true, breaks = "CHUNKING" }, false, 0)))
  end)
end)

local function attempts(receipt)
  local count = 0
  for _, text in ipairs(receipt.warnings) do
    if text:find "^attempt %d+ failed: " then count = count + 1 end
  end
  return count
end

describe("send", function()
  it("does not try again where nothing was said", function()
    local seen = talk.send { GROUPS, LATER, talk.bye() }
    talk.failed(seen, { kind = "rejected", stage = "final", code = 451, temporary = true, retry_safe = true })
    assert.equal(1, #seen.connections)
  end)

  it("tries again where it was told to, and the receipt tells", function()
    local events = {}
    local seen = talk.send({ GROUPS, LATER, LATER, TAKEN, talk.bye() }, { retry = SOON, on_event = function(event)
      if event.type == "retry" then events[#events + 1] = event end
    end })
    talk.accepted(seen)
    assert.equal(2, attempts(seen.receipt))
    assert.equal(2, #events)
    for _, event in ipairs(events) do
      assert.is_true(event.after > 0.005 - 1e-9 and event.after <= 0.01)
      assert.is_string(event.reason)
    end
  end)

  it("gives the last error when the attempts are over", function()
    local seen = talk.send({ GROUPS, LATER, talk.begin_group(), talk.END, "S: 452 4.3.1 full", talk.bye() },
      { retry = { attempts = 2, first = 0.01 } })
    talk.failed(seen, { kind = "rejected", code = 452 })
  end)

  it("never tries again what is refused for good, nor what is in doubt", function()
    local seen = talk.send({ GROUPS, talk.begin_group(), talk.END, "S: 554 no", { drain = true } }, { retry = SOON })
    talk.failed(seen, { kind = "rejected", code = 554 })
    assert.equal(1, #seen.connections)
    seen = talk.send({ GROUPS, talk.begin_group(), talk.END, { close = true } }, { retry = SOON })
    talk.failed(seen, { kind = "in_doubt", retry_safe = false })
    assert.equal(1, #seen.connections)
  end)

  it("tries again over another connection where the first is gone", function()
    local seen = talk.send(talk.listen({ GROUPS, "C: MAIL", { close = true } }, { "S: 421 busy", { close = true } },
      { GROUPS, TAKEN, talk.bye() }), { retry = SOON })
    talk.accepted(seen)
    assert.same({ 3, 2 }, { #seen.connections, attempts(seen.receipt) })
  end)

  it("does not begin an attempt that the call has no time for", function()
    local seen = talk.send({ GROUPS, LATER, talk.bye() }, { retry = { first = 60 }, timeout = { total = 20 } })
    talk.failed(seen, { kind = "rejected", code = 451 })
  end)
end)

describe("send_all", function()
  it("tries again where nothing was said, and the receipt tells", function()
    local seen = talk.send_all({ GROUPS, LATER, TAKEN, talk.bye() }, { talk.message() }, {})
    assert.equal("accepted", seen.results[1].receipt.status)
    assert.equal(1, attempts(seen.results[1].receipt))
  end)

  it("does not where it was told so, here or for the mailer; what is said here counts", function()
    for _, how in ipairs { { {}, { retry = false } }, { { retry = false } }, { { retry = 3 }, { retry = false } } } do
      local seen = talk.send_all({ GROUPS, LATER, talk.bye() }, { talk.message() }, how[1], how[2])
      assert.equal(451, seen.results[1].err.code)
    end
    local seen = talk.send_all({ GROUPS, LATER, TAKEN, talk.bye() }, { talk.message() }, { retry = false },
      { retry = SOON })
    assert.equal("accepted", seen.results[1].receipt.status)
  end)
end)

describe("a mail in several transactions", function()
  local HELLO = talk.hello("PIPELINING", "LIMITS RCPTMAX=2")
  local FIVE = { to = { "a@mail.test", "b@mail.test", "c@mail.test", "d@mail.test", "e@mail.test" } }

  local function group(...)
    local list = { "C: MAIL" }
    for _, name in ipairs { ... } do list[#list + 1] = ("C: RCPT TO:<%s@mail.test>"):format(name) end
    list[#list + 1] = "C: DATA"
    return list
  end

  local OK = "S: 250 ok"
  -- The second of three is refused for now.
  local FIRST = { HELLO, group("a", "b"), OK, OK, OK, "S: 354 go", talk.END, group("c", "d"), OK, "S: 451 later",
    "S: 503 no", "S: 503 no", "S: 503 no", group "e", OK, OK, "S: 354 go", talk.END, OK }

  it("is tried again for those only that got nothing", function()
    local seen = talk.send({ FIRST, group("c", "d"), OK, OK, OK, "S: 354 go", talk.END, OK, talk.bye() },
      { retry = SOON }, FIVE)
    assert.is_nil(seen.err, tostring(seen.err))
    table.sort(seen.receipt.accepted)
    assert.same({ "accepted", FIVE.to, {} }, { seen.receipt.status, seen.receipt.accepted, seen.receipt.rejected })
    assert.equal(1, attempts(seen.receipt))
    local _, ids = seen.peer.received:gsub("Message%-ID: ", "")
    assert.equal(3, ids)
  end)

  local function assert_partial(receipt, code)
    assert.same({ "partial", { "a@mail.test", "b@mail.test", "e@mail.test" } }, { receipt.status, receipt.accepted })
    assert.same({ "c@mail.test", "d@mail.test" }, { receipt.rejected[1].address, receipt.rejected[2].address })
    assert.equal(2, #receipt.rejected)
    for _, one in ipairs(receipt.rejected) do assert.same({ code, true }, { one.code, one.temporary }) end
  end

  it("tells of those who got nothing where it is not tried again", function()
    local seen = talk.send({ FIRST, talk.bye() }, {}, FIVE)
    assert.is_nil(seen.err, tostring(seen.err))
    assert_partial(seen.receipt, 451)
  end)

  it("tells of those who got nothing where no other connection can be had", function()
    local script = { FIRST }
    script[#script] = { HELLO, group("a", "b"), OK, OK, OK, "S: 354 go", talk.END, group("c", "d"), OK, "S: 421 later",
      { close = true } }
    local seen = talk.send(talk.listen(script, { "S: 554 go away", { close = true } }), { retry = SOON },
      { to = { "a@mail.test", "b@mail.test", "c@mail.test", "d@mail.test" } })
    assert.is_nil(seen.err, tostring(seen.err))
    assert.same({ "partial", { "a@mail.test", "b@mail.test" } }, { seen.receipt.status, seen.receipt.accepted })
    assert.same({ "c@mail.test", "d@mail.test" }, { seen.receipt.rejected[1].address,
      seen.receipt.rejected[2].address })
    assert.same({ 554, 2 }, { seen.receipt.rejected[1].code, #seen.receipt.rejected })
  end)

  it("is in doubt where one of them is, and names neither accepted nor refused who is in doubt", function()
    local seen = talk.send({ HELLO, group("a", "b"), OK, OK, "S: 550 5.1.1 unknown", "S: 354 go", talk.END,
      group("c", "d"), OK, OK, OK, OK, "S: 354 go", talk.END, { close = true } }, { retry = SOON },
      { to = { "a@mail.test", "b@mail.test", "c@mail.test", "d@mail.test" } })
    talk.failed(seen, { kind = "in_doubt", retry_safe = false })
    assert.same({ "a@mail.test" }, seen.err.accepted)
    assert.same({ 1, "b@mail.test" }, { #seen.err.rejected, seen.err.rejected[1].address })
    assert.equal(1, #seen.connections)
  end)
end)

it("a mailer can be told to try again, and does so for each mail", function()
  local server = talk.listen { GROUPS, LATER, TAKEN, LATER, TAKEN, talk.bye() }
  local mailer = assert(smtpsec.new(talk.options(server, { retry = SOON })))
  for _ = 1, 2 do assert.equal(1, attempts(assert(mailer:send(talk.message())))) end
  mailer:close()
  talk.stop(server)
end)
