-- How fast mails may leave. Time is what the spec says it is.
local pace = require "smtpsec.pace"
local sink = require "smtpsec.sink"
local smtpsec = require "smtpsec"
local talk = require "spec.support.talk"

-- The times at which so many mails leave, each as soon as it may; the clock ticks in sixteenths, which are exact.
local function departures(limits, count, start)
  local one, now, times = pace.new(limits), start or 0, {}
  while #times < count do
    if one:delay(now) == 0 then
      one:spend(now)
      times[#times + 1] = now
    else
      now = now + math.max(one:delay(now), 1 / 16)
    end
  end
  return times, one, now
end

describe("a pace", function()
  it("without limits lets everything go at once", function()
    for _, limits in ipairs { {}, false } do
      local one = pace.new(limits or nil)
      assert.is_true(one.free)
      one:spend(5)
      assert.equal(0, one:delay(5))
    end
  end)

  it("never lets more than so many go in any second", function()
    assert.same({ 0, 0, 0, 1, 1, 1, 2, 2, 2, 3 }, (departures({ second = 3 }, 10)))
    assert.same({ 100.5, 101.5, 102.5 }, (departures({ second = 1 }, 3, 100.5)))
    local one = pace.new { second = 2 }
    assert.is_false(one.free)
    one:spend(0)
    one:spend(0.75)
    assert.equal(0.25, one:delay(0.75)) -- the first one is over at 1
    one:spend(1)
    assert.equal(0.75, one:delay(1)) -- the second one at 1.75
    assert.equal(0, one:delay(1.75))
  end)

  it("never lets more than so many go in any hour", function()
    local times = departures({ hour = 4 }, 9)
    assert.same({ 0, 0, 0, 0, 3600, 3600, 3600, 3600, 7200 }, times)
  end)

  it("keeps both limits where both are given", function()
    local times = departures({ second = 2, hour = 5 }, 7)
    assert.same({ 0, 0, 1, 1, 2, 3600, 3600 }, times)
  end)

  it("is not asked for what was not used before", function()
    local one = pace.new { second = 2 }
    for _ = 1, 2 do one:spend(0) end
    assert.equal(1, one:delay(0))
    assert.equal(0, one:delay(50))
    for _ = 1, 2 do one:spend(50) end
    assert.equal(1, one:delay(50))
  end)

  describe("slows down after 4yz", function()
    it("longer each time, to an end", function()
      local one, waits = pace.new(), {}
      for i = 1, 9 do
        one:slow(0)
        waits[i] = one:delay(0)
      end
      assert.same({ 0.5, 1, 2, 4, 8, 16, 30, 30, 30 }, waits)
      assert.is_false(one.free)
      assert.equal(0, one:delay(30))
    end)

    it("and keeps the distance between those that follow", function()
      local one = pace.new()
      one:slow(10)
      assert.equal(0.5, one:delay(10))
      one:spend(10.5)
      assert.equal(0.5, one:delay(10.5))
    end)

    it("and eases with each mail that is accepted, until all is forgiven", function()
      local one = pace.new()
      one:slow(0)
      one:slow(0)
      one:ease()
      one:spend(5)
      assert.equal(0.5, one:delay(5))
      one:ease()
      one:spend(6)
      assert.equal(0.25, one:delay(6))
      one:ease()
      assert.is_true(one.free)
      assert.equal(0, one:delay(6))
      one:ease()
      assert.is_true(one.free)
    end)

    it("and forgives no limit of the caller", function()
      local one = pace.new { second = 1 }
      one:slow(0)
      one:ease()
      one:ease()
      one:spend(0)
      assert.is_false(one.free)
      assert.equal(1, one:delay(0))
    end)
  end)
end)

describe("a mailer with limits", function()
  local server

  before_each(function() server = assert(sink.start { tls = "none", offer = { "PIPELINING" } }) end)

  after_each(function() server:stop() end)

  -- A mailer whose driver has a clock that goes only while it sleeps; `slept` is how long each time.
  local function begin(options)
    local mailer = assert(smtpsec.new(talk.options(server, options)))
    local real, clock, slept = mailer.driver, 1000, {}
    mailer.driver = setmetatable({
      now = function() return clock end,
      sleep = function(seconds)
        slept[#slept + 1] = seconds
        clock = clock + seconds
      end,
    }, { __index = real })
    return mailer, slept
  end

  local function sum(list)
    local total = 0
    for _, value in ipairs(list) do total = total + value end
    return total
  end

  it("waits before the mail that would be too many", function()
    local mailer, slept = begin { rate = { second = 2 } }
    for _ = 1, 5 do assert(mailer:send(talk.message())) end
    mailer:close()
    assert.equal(2, sum(slept))
    assert.equal(5, #assert(server:mails()))
  end)

  it("does not wait without them", function()
    local mailer, slept = begin {}
    for _ = 1, 5 do assert(mailer:send(talk.message())) end
    mailer:close()
    assert.same({}, slept)
  end)

  it("says so where the call has not the time to wait", function()
    local mailer, slept = begin { rate = { hour = 1 }, timeout = { total = 60 } }
    assert(mailer:send(talk.message()))
    local receipt, err = mailer:send(talk.message())
    assert.is_nil(receipt)
    assert.same({ "limit", true, true }, { err.kind, err.temporary, err.retry_safe })
    assert.matches("rate", tostring(err), 1, true)
    assert.same({}, slept)
    mailer:close()
    assert.equal(1, #assert(server:mails()))
  end)

  it("waits in send_all, too, and shares the limits with send", function()
    local mailer, slept = begin { rate = { second = 2 } }
    assert(mailer:send(talk.message()))
    local list = {}
    for i = 1, 6 do list[i] = talk.message() end
    for _, receipt in mailer:send_all(list) do assert.equal("accepted", receipt.status) end
    mailer:close()
    assert.equal(3, sum(slept))
  end)

  it("waits in send_all for each connection", function()
    local mailer, slept = begin { rate = { connection = 2 } }
    local list = {}
    for i = 1, 6 do list[i] = talk.message() end
    for _, receipt in mailer:send_all(list) do assert.equal("accepted", receipt.status) end
    mailer:close()
    assert.equal(2, sum(slept))
  end)

  it("lets no connection of send_all have more than its share, be it new or not", function()
    for connections, seconds in pairs { [1] = 3, [2] = 1 } do
      local mailer, slept = begin { rate = { connection = 2 } }
      local list, left = {}, {}
      for i = 1, 7 do list[i] = talk.message() end
      for _, receipt in mailer:send_all(list, { connections = connections }) do
        assert.equal("accepted", receipt.status)
        left[#left + 1] = mailer.driver.now() - 1000
      end
      mailer:close()
      for i = 2 * connections + 1, 7 do assert.is_true(left[i] >= 1, i .. " of " .. connections) end
      assert.is_true(left[7] >= seconds and #slept > 0)
    end
  end)

  it("loses no mail where one is tried again while another one waits", function()
    server:stop()
    server = assert(sink.start { tls = "none", offer = { "PIPELINING" },
      faults = { { at = "rcpt", reply = "450 later", times = 3 } } })
    local mailer = begin { rate = { second = 3 } }
    local list, told = {}, {}
    for i = 1, 12 do list[i] = talk.message { to = ("r%d@mail.test"):format(i) } end
    for i, receipt, err in mailer:send_all(list, { retry = { attempts = 9, first = 0.25, longest = 1 } }) do
      told[i] = receipt and receipt.status or tostring(err)
    end
    mailer:close()
    for i = 1, 12 do assert.equal("accepted", told[i]) end
    assert.equal(12, #assert(server:mails()))
  end)

  it("goes slower in send_all after 4yz, and then as before", function()
    server:stop()
    server = assert(sink.start { tls = "none", offer = { "PIPELINING" },
      faults = { { at = "mail", reply = "451 busy", times = 1 } } })
    local mailer, slept = begin {}
    local list = {}
    for i = 1, 5 do list[i] = talk.message() end
    for _, receipt in mailer:send_all(list, { retry = { first = 0 } }) do assert.equal("accepted", receipt.status) end
    mailer:close()
    assert.is_true(sum(slept) >= 0.5)
    assert.is_true(mailer.pace.free)
    assert.equal(5, #assert(server:mails()))
  end)

  it("goes slower in what comes after that, and then as before", function()
    server:stop()
    server = assert(sink.start { tls = "none", offer = { "PIPELINING" },
      faults = { { at = "mail", reply = "451 busy", times = 3 } } })
    local mailer, slept = begin {}
    for _ in mailer:send_all({ talk.message(), talk.message() }, { retry = false }) do end
    assert.same({ { 0.5 }, 1 }, { slept, mailer.pace.penalty })
    assert.is_nil((mailer:send(talk.message())))
    assert.same({ { 0.5, 1 }, 1 }, { slept, mailer.pace.penalty })
    for _ = 1, 5 do assert(mailer:send(talk.message())) end
    mailer:close()
    assert.is_true(mailer.pace.free)
    assert.is_true(sum(slept) <= 4)
  end)

  it("and tells how long a mail took with all its attempts", function()
    server:stop()
    server = assert(sink.start { tls = "none", offer = { "PIPELINING" },
      faults = { { at = "mail", reply = "451 busy", times = 2 } } })
    local mailer, slept = begin {}
    local receipt
    for _, one in mailer:send_all({ talk.message() }, { retry = { first = 4 } }) do receipt = one end
    mailer:close()
    assert.same({ sum(slept), 0 }, { receipt.timing.total, receipt.timing.transaction })
    assert.is_true(sum(slept) > 0)
  end)
end)
