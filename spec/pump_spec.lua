-- The crank by itself: a stream that is a script, and a clock that only the stream moves.
local core = require "smtpsec.core"
local pump = require "smtpsec.pump"
local script = require "spec.support.script"

-- A stream whose reads and writes do what the list says, in turn. A read is { bytes, seconds = it took } or
-- { nil, why, text }; a write is a number of bytes that it takes (all when absent) or { nil, why, text, taken }.
local function new_stream(clock, reads, writes)
  local stream = { written = {}, bounds = {}, writes = writes or {}, at = 0, wrote = 0 }

  function stream:read(max, seconds)
    self.at = self.at + 1
    self.bounds[#self.bounds + 1] = seconds == nil and "none" or seconds
    local step = reads[self.at] or { nil, "closed", "the end" }
    local took = step.seconds or 0
    if seconds and took > seconds then
      clock.now = clock.now + seconds
      return nil, "timeout", "nothing arrived in time"
    end
    clock.now = clock.now + took
    assert(not step[1] or #step[1] <= max)
    return step[1], step[2], step[3]
  end

  function stream:write(bytes, seconds)
    self.wrote = self.wrote + 1
    self.write_bounds = self.write_bounds or {}
    self.write_bounds[self.wrote] = seconds == nil and "none" or seconds
    local step = self.writes[self.wrote] or {}
    clock.now = clock.now + (step.seconds or 0)
    self.written[#self.written + 1] = bytes:sub(1, step[4])
    if step[2] then return nil, step[2], step[3], step[4] end
    return #bytes
  end

  return stream
end

local function new_pump(conn, reads, options)
  options = options or {}
  local clock = { now = 100 }
  local stream = new_stream(clock, reads, options.writes)
  local one = pump.new(conn, stream, {
    now = function() return clock.now end, timeout = options.timeout or {}, deadline = options.deadline,
    on_event = options.on_event,
  })
  return one, stream, clock
end

local function fresh()
  return assert(core.connection { tls = "none" })
end

describe("the pump", function()
  it("writes what there is before it reads, and reads no more than it has to", function()
    local one, stream = new_pump(script.ready(), { { "250 ok\r\n" }, { "250 ok\r\n" } })
    local reply = assert(one:ask "noop")
    assert.same({ "NOOP", 250, "ok", true, "mail" }, { reply.verb, reply.code, reply.text, reply.good, reply.stage })
    assert.same({ "NOOP\r\n" }, stream.written)
    assert.equal(1, stream.at)
  end)

  it("gives all the reads of a reply one bound", function()
    local trickle = {}
    for i = 1, 100 do trickle[i] = { "2", seconds = 0.4 } end
    trickle[1][1], trickle[2][1], trickle[3][1] = "2", "5", "0"
    local one, stream, clock = new_pump(script.ready(), trickle, { timeout = { command = 1 } })
    local reply, err = one:ask "noop"
    assert.is_nil(reply)
    assert.same({ "timeout", "mail", true, true }, { err.kind, err.stage, err.temporary, err.retry_safe })
    assert.matches("the command time-out of 1 s passed", err.message, 1, true)
    assert.is_true(math.abs(clock.now - 101) < 1e-9)
    assert.equal(3, stream.at)
    assert.is_true(math.abs(stream.bounds[2] - 0.6) < 1e-9)
    assert.is_true(one.failed)
  end)

  it("gives no time to who is never silent", function()
    local flood = { { "250-", seconds = 0.75 } }
    for i = 2, 100 do flood[i] = { "x" } end
    flood[50].seconds = 0.25
    local one, stream = new_pump(script.ready(), flood, { timeout = { command = 1 } })
    local reply, err = one:ask "noop"
    assert.is_nil(reply)
    assert.same({ "timeout", "mail" }, { err.kind, err.stage })
    assert.equal(50, stream.at)
  end)

  it("takes the bound of the step that it is in", function()
    local bounds = { greeting = 1, command = 2, data = 3, final = 4 }
    local function bound_of(conn, name)
      local one, stream = new_pump(conn, { { nil, "timeout" } }, { timeout = bounds })
      local _, err
      if name then _, err = one:ask(name) else _, err = one:reply() end
      assert.equal("timeout", err.kind)
      return stream.bounds[1], err.stage
    end
    assert.same({ 1, "greeting" }, { bound_of(fresh()) })
    assert.same({ 2, "mail" }, { bound_of(script.ready(), "noop") })
    local conn = script.ready()
    conn:mail "a@client.test"
    conn:rcpt "b@mail.test"
    script.answer(conn, "250 ok\r\n")
    script.answer(conn, "250 ok\r\n")
    assert.same({ 3, "data" }, { bound_of(conn, "data") })
    assert.same({ 4, "final" }, { bound_of(script.in_body(), "finish") })
  end)

  it("ends at the end of the whole call where that comes first", function()
    local one, stream = new_pump(script.ready(), { { nil, "timeout" } },
      { timeout = { command = 5 }, deadline = 100.5 })
    local _, err = one:ask "noop"
    assert.same({ 0.5 }, stream.bounds)
    assert.matches("the time for the whole call was over", err.message)
    one, stream = new_pump(script.ready(), { { nil, "timeout" } }, { timeout = { command = 5 }, deadline = 99 })
    one:ask "noop"
    assert.same({ 0 }, stream.bounds)
  end)

  it("hurries where nothing depends on it, but gives no step more time than it had", function()
    local function bound_of(timeout, seconds)
      local one, stream = new_pump(script.ready(), { { nil, "timeout" } }, { timeout = timeout })
      assert.equal(timeout, one:hurry(seconds))
      one:ask "noop"
      return stream.bounds[1]
    end
    assert.equal(5, bound_of({ command = 9 }, 5))
    assert.equal(1, bound_of({ command = 1 }, 5))
    assert.equal(5, bound_of({}, 5))
  end)

  it("waits as long as it takes where there is no bound", function()
    local one, stream = new_pump(script.ready(), { { "250 ok\r\n", seconds = 1e6 } })
    assert.is_true(one:ask("noop").good)
    assert.same({ "none" }, stream.bounds)
  end)

  it("counts what was written of a write that failed", function()
    local conn = script.ready()
    local one, stream = new_pump(conn, {}, { timeout = { command = 1 },
      writes = { { nil, "timeout", "too slow", 3 } } })
    local reply, err = one:ask "noop"
    assert.is_nil(reply)
    assert.equal("timeout", err.kind)
    assert.same({ "NOO" }, stream.written)
    assert.equal("P\r\n", conn:output())
    assert.equal(0, stream.at)
  end)

  it("writes a message in pieces of 64 KB, each with a bound of its own", function()
    local one, stream, clock = new_pump(script.in_body(), {},
      { timeout = { data = 2 }, writes = { { seconds = 1.5 }, { seconds = 1.5 }, { seconds = 1.5 } } })
    for _ = 1, 12 do assert.is_true(one:body(("x\r\n"):rep(6000))) end
    assert.same({ 2, 2, 2 }, stream.write_bounds)
    assert.same({ 72000, 72000, 72000 }, { #stream.written[1], #stream.written[2], #stream.written[3] })
    assert.is_true(clock.now > 104)
    one, stream = new_pump(script.in_body(), {}, { timeout = { data = 2 },
      writes = { { nil, "timeout", "too slow", 10 } } })
    local ok, err = one:body(("x"):rep(66000))
    assert.is_nil(ok)
    assert.same({ "timeout", "body" }, { err.kind, err.stage })
    assert.matches("the server took no more bytes: the data time%-out of 2 s passed", err.message)
    assert.equal(10, #stream.written[1])
  end)

  it("passes on a message of any length, in pieces that the engine takes", function()
    local one, stream = new_pump(script.in_body(), {})
    local text = ("0123456789abcd\r\n"):rep(40000)
    assert.is_true(one:body(text))
    assert.is_true(one:flush())
    assert.equal(text, table.concat(stream.written))
  end)

  it("leaves the end of the stream to the engine, which knows what it means", function()
    local one = new_pump(script.ready(), { { "250" }, { nil, "closed", "the end" } })
    local _, err = one:ask "noop"
    assert.same({ "closed", true }, { err.kind, err.temporary })
    assert.matches("in the middle of a reply", err.message)
    assert.is_true(one.failed)
  end)

  it("tells what else went wrong with a stream", function()
    local one = new_pump(script.ready(), { { nil, "error", "No route to host" } })
    local _, err = one:ask "noop"
    assert.same({ "closed", "the connection broke: No route to host", true },
      { err.kind, err.message, err.temporary })
  end)

  it("does not take the caller's mistake for the connection's", function()
    local one = new_pump(script.ready(), { { "250 ok\r\n" } })
    local tag, err = one:command("mail", "x", "a@b.test\r\nDATA")
    assert.is_nil(tag)
    assert.same({ "message", "mail" }, { err.kind, err.stage })
    assert.is_nil(one.failed)
    assert.is_true(one:ask("noop").good)
  end)

  it("says so where there is no room for a command", function()
    local one, stream = new_pump(script.ready(), {})
    local tag, why
    repeat tag, why = one:command "rset" until not tag
    assert.equal("full", why)
    assert.is_nil(one.failed)
    assert.equal(0, stream.wrote)
  end)

  it("keeps the connection's failure, and repeats it", function()
    local one = new_pump(script.ready(), { { "nonsense\r\n" } })
    local _, err = one:ask "noop"
    assert.same({ "protocol", "mail", false }, { err.kind, err.stage, err.temporary })
    assert.is_true(one.failed)
    _, err = one:ask "noop"
    assert.equal("protocol", err.kind)
  end)

  it("names the stage by what is waited for, else by what was said last", function()
    local one = new_pump(script.ready(), { { "250 ok\r\n250 more\r\n" } })
    one:command("mail", "", "a@client.test")
    assert.equal("mail", one:stage())
    assert(one:reply())
    one:command("rcpt", "", "b@mail.test")
    local _, err = one:reply()
    assert.same({ "protocol", "rcpt" }, { err.kind, err.stage })
    assert.equal("greeting", new_pump(fresh(), {}):stage())
    assert.equal("body", new_pump(script.in_body(), {}):stage())
  end)

  it("finds the words that came before a write failed, and waits for none", function()
    local one, stream = new_pump(script.in_body(), { { "552-too" }, { " much\r\n552 really\r\n" } },
      { timeout = { data = 5 }, writes = { { nil, "closed", "broken pipe", 0 } } })
    assert.is_true(one:body "x\r\n")
    assert.is_nil((one:flush()))
    assert.same({ "reply", "end", 0, 552, nil, "too much really", 0 }, { one:last_words() })
    assert.same({ 0, 0 }, stream.bounds)
    one = new_pump(script.in_body(), { { nil, "timeout" } })
    assert.is_nil(one:last_words())
    one = new_pump(script.in_body(), { { "nonsense\r\n" } })
    assert.is_nil(one:last_words())
  end)

  it("does not look for such words where there is no end", function()
    local now, reads = 0, 0
    local one = pump.new(script.in_body(), {
      read = function()
        now, reads = now + 0.25, reads + 1
        return ("552-too much"):sub(reads, reads)
      end,
    }, { now = function() return now end, timeout = {} })
    assert.is_nil((one:last_words()))
    assert.equal(4, reads)
  end)

  it("tells what goes over the wire, without what was not given to be shown", function()
    local events = {}
    local one = new_pump(script.ready "AUTH PLAIN", { { "334 \r\n" }, { "235 2.7.0 in\27\r\n" } },
      { on_event = function(event) events[#events + 1] = event end })
    local reply, err = one:ask("ehlo", "client.test", "client.test")
    assert.is_nil(reply)
    assert.equal("protocol", err.kind)
    assert.same({ { type = "command", verb = "EHLO", argument = "client.test" } }, events)
    events = {}
    one = new_pump(script.ready(), { { "250 2.0.0 a\27b\r\n" } },
      { on_event = function(event) events[#events + 1] = event end })
    one:ask("noop")
    assert.same({ { type = "command", verb = "NOOP" },
      { type = "reply", verb = "NOOP", code = 250, enhanced = "2.0.0", text = "a\\x1Bb" } }, events)
  end)
end)
