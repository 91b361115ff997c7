--- contract: what every driver of smtpsec.io must do, as cases that run inside any event loop.
--
-- A case has a name, the script of its peer (see spec/support/peer.lua) and a check, which gets the driver and the
-- surroundings: `sleep`, a function, and one of `port`, the peer's, `path`, the peer's unix socket, and `hole`, a
-- port where nobody answers; the case says which where it is not the port. A check that fails raises an error. No
-- busted in here: some loops are another process.
local descriptors = require "spec.support.descriptors"

local contract = {}

local function same(wanted, got)
  if wanted ~= got then
    error(("%s expected, got %s"):format(tostring(wanted), tostring(got)), 2)
  end
end

local function between(low, high, number)
  if not (number >= low and number <= high) then
    error(("from %g to %g expected, got %g"):format(low, high, number), 2)
  end
end

local function has(text, part)
  if not tostring(text):find(part, 1, true) then
    error(("%q does not have %q"):format(tostring(text), part), 2)
  end
end

local function connected(driver, around)
  return assert(driver.connect({ host = "127.0.0.1", port = around.port }, 2))
end

-- Runs `count` functions in a crew, each with its number and a function that logs a word. Returns the log, a list of
-- { number, word }, and the results in the order in which they came, lists of { key, ok, … }.
local function side_by_side(driver, count, work)
  local crew, log, results = assert(driver.crew()), {}, {}
  for i = 1, count do
    crew:start(i, work, i, function(word) log[#log + 1] = { i, word } end)
  end
  for _ = 1, count do
    results[#results + 1] = { crew:wait(10) }
  end
  same(nil, (crew:wait(10)))
  crew:close()
  return log, results
end

-- That nobody had ended when the last one began.
local function interleaved(log, count)
  local begun = 0
  for _, entry in ipairs(log) do
    if entry[2] == "begins" then begun = begun + 1 end
    if entry[2] == "ends" then same(count, begun) end
  end
  same(count, begun)
end

local function case(name, script, check, at)
  contract[#contract + 1] = { name = name, script = script, check = check, at = at or "port" }
end

case("reads what has come, writes, and reads the end", {
  { send = "220 hello\r\n" }, { expect = "NOOP" }, { send = "250 ok\r\n" }, { close = true },
}, function(driver, around)
  local stream = connected(driver, around)
  same("220 hello\r\n", stream:read(1000, 2))
  same(6, stream:write("NOOP\r\n", 2))
  same("250 o", stream:read(5, 2))
  same("k\r\n", stream:read(1000, 2))
  local bytes, why, text = stream:read(1000, 2)
  same(nil, bytes)
  same("closed", why)
  same("string", type(text))
  stream:close()
end)

case("connects by name, and knows the peer where it can", {
  { send = "x" }, { drain = true },
}, function(driver, around)
  local stream = assert(driver.connect({ host = "localhost", port = around.port }, 2))
  same("x", stream:read(1, 2))
  same("127.0.0.1", stream.address)
  same(around.port, stream.port)
  stream:close()
end)

case("connects to a unix socket", { { drain = true } }, function(driver, around)
  local stream = assert(driver.connect({ path = around.path }, 2))
  same(3, stream:write("abc", 2))
  stream:close()
end, "path")

case("says that a connection is refused", { { drain = true } }, function(driver)
  local stream, why, text = driver.connect({ host = "127.0.0.1", port = 1 }, 2)
  same(nil, stream)
  same("connect", why)
  has(text:lower(), "127.0.0.1 port 1: connection refused")
end)

case("gives up connecting in time", {}, function(driver, around)
  local started = driver.now()
  local stream, why, text = driver.connect({ host = "127.0.0.1", port = around.hole }, 0.3)
  same(nil, stream)
  same("timeout", why)
  between(0.2, 0.3, tonumber(text:match "within ([%d.]+) s")) -- a slow machine has begun to count by then
  between(0.29, 1.3, driver.now() - started)
end, "hole")

case("says that a name has no address", { { drain = true } }, function(driver, around)
  local stream, why, text = driver.connect({ host = "nowhere.invalid", port = around.port }, 5)
  same(nil, stream)
  same("dns", why)
  has(text, "nowhere.invalid")
end)

case("says that nothing came in time, and goes on", {
  { sleep = 0.5 }, { send = "late" }, { drain = true },
}, function(driver, around)
  local stream = connected(driver, around)
  local started = driver.now()
  local bytes, why = stream:read(1000, 0.2)
  same(nil, bytes)
  same("timeout", why)
  between(0.19, 0.45, driver.now() - started)
  same("late", stream:read(1000, 2))
  stream:close()
end)

case("reads without a bound when none is given", {
  { sleep = 0.1 }, { send = "x" }, { drain = true },
}, function(driver, around)
  local stream = connected(driver, around)
  same("x", stream:read(1000))
  same(1, stream:write("y"))
  stream:close()
end)

case("gives a trickling peer no more time than it has", {
  { send = ("x"):rep(100), every = 0.05 },
}, function(driver, around)
  local stream = connected(driver, around)
  local started = driver.now()
  local why
  repeat
    local left = started + 0.4 - driver.now()
    local _
    _, why = stream:read(1000, math.max(left, 0))
  until why or left <= 0
  between(0.39, 1.4, driver.now() - started)
  stream:close()
end)

case("bounds a write to a peer that never reads", { { stall = true } }, function(driver, around)
  local stream = connected(driver, around)
  local bytes, started = ("x"):rep(16 * 1024 * 1024), driver.now()
  local all, why, text, written = stream:write(bytes, 0.3)
  same(nil, all)
  same("timeout", why)
  same("string", type(text))
  between(1, #bytes - 1, written)
  between(0.29, 1.3, driver.now() - started)
  stream:close()
end)

case("bounds a write to a peer that takes a little now and then", {
  { take = 1e9, every = 0.005 },
}, function(driver, around)
  local stream = connected(driver, around)
  local bytes, started = ("x"):rep(16 * 1024 * 1024), driver.now()
  local all, why = stream:write(bytes, 0.5)
  same(nil, all)
  same("timeout", why)
  between(0.49, 1.5, driver.now() - started)
  stream:close()
end)

case("says that the peer is gone when it writes", { { close = true } }, function(driver, around)
  local stream = connected(driver, around)
  local all, why
  for _ = 1, 100 do
    all, why = stream:write("x", 2)
    if not all then break end
    around.sleep(0.01)
  end
  same(nil, all)
  same("closed", why)
  stream:close()
end)

case("says that the peer cut the connection", { { sleep = 0.1 }, { close = true } }, function(driver, around)
  local stream = connected(driver, around)
  stream:write("never read", 2)
  local bytes, why = stream:read(1000, 2)
  same(nil, bytes)
  same("closed", why)
  stream:close()
end)

case("carries more than the kernel holds, both ways", {
  { take = 3000000 }, { send = ("0123456789"):rep(300000) }, { drain = true },
}, function(driver, around)
  local stream = connected(driver, around)
  same(3000000, stream:write(("x"):rep(3000000), 10))
  local parts, size = {}, 0
  while size < 3000000 do
    local bytes = assert(stream:read(16384, 5))
    parts[#parts + 1] = bytes
    size = size + #bytes
  end
  same(true, table.concat(parts) == ("0123456789"):rep(300000))
  stream:close()
end)

case("knows whether an idle stream is alive", {
  { expect = "speak" }, { send = "x" }, { expect = "leave" }, { close = true },
}, function(driver, around)
  local stream = connected(driver, around)
  same(true, stream:alive())
  stream:write("speak\n", 2)
  around.sleep(0.1)
  same(false, stream:alive())
  stream:close()
  stream = connected(driver, around)
  stream:write("speak\n", 2)
  same("x", stream:read(1, 2))
  same(true, stream:alive())
  stream:write("leave\n", 2)
  around.sleep(0.1)
  same(false, stream:alive())
  stream:close()
  same(false, stream:alive())
end)

case("parks a stream and takes it back", {
  { send = "220\n" }, { expect = "one" }, { send = "250 one\n" }, { expect = "two" }, { send = "250 two\n" },
  { drain = true },
}, function(driver, around)
  local stream = connected(driver, around)
  same("220\n", stream:read(1000, 2))
  for _, word in ipairs { "one", "two" } do
    local token = assert(stream:park(5))
    stream = assert(driver.unpark(token))
    same("127.0.0.1", stream.address)
    same(4, stream:write(word .. "\n", 2))
    same("250 " .. word .. "\n", stream:read(1000, 2))
  end
  stream:close()
end)

case("does not take back a parked stream that the peer left or spoke on", {
  { expect = "1" }, { sleep = 0.05 }, { close = true },
}, function(driver, around)
  local stream = connected(driver, around)
  stream:write("1\n", 2)
  local token = assert(stream:park(5))
  around.sleep(0.2)
  same(nil, (driver.unpark(token)))
end)

case("closes as often as one likes, and then only says so", { { drain = true } }, function(driver, around)
  local stream = connected(driver, around)
  stream:close()
  stream:close()
  same("closed", (select(2, stream:read(1, 1))))
  same("closed", (select(2, stream:write("x", 1))))
  same(0, (select(4, stream:write("x", 1))))
end)

case("has a name for EHLO", { { drain = true } }, function(driver, around)
  local stream = connected(driver, around)
  local name = driver.hello(stream)
  if not (name:find("^%[%d+%.%d+%.%d+%.%d+%]$") or name:find("^[%w.-]+%.[%w-]+$")) then
    error("no name for EHLO: " .. name)
  end
  stream:close()
end)

case("sleeps", { { drain = true } }, function(driver)
  local started = driver.now()
  driver.sleep(0.1)
  between(0.09, 1.1, driver.now() - started)
  driver.sleep(0)
  driver.sleep(-1)
end)

case("sleeps in a crew, and the others go on", { { drain = true } }, function(driver)
  local log = side_by_side(driver, 3, function(_, note)
    note "begins"
    driver.sleep(0.02)
    note "ends"
  end)
  interleaved(log, 3)
end)

case("lets the functions of a crew connect, write and read side by side", {
  { send = "220\n" }, { expect = "HELLO" }, { send = "12345678", every = 0.01 }, { drain = true },
}, function(driver, around)
  local before = descriptors()
  local log, results = side_by_side(driver, 20, function(_, note)
    local stream = assert(driver.connect({ host = "localhost", port = around.port }, 5))
    same("220\n", stream:read(100, 5))
    note "begins"
    same(6, stream:write("HELLO\n", 5))
    local got = ""
    while #got < 8 do got = got .. assert(stream:read(1, 5)) end
    note "ends"
    stream:close()
    return got
  end)
  interleaved(log, 20)
  for _, result in ipairs(results) do
    same(true, result[2])
    same("12345678", result[3])
  end
  same(before, descriptors())
end)

case("tells of a crew's functions in the order in which they end, with all their results", {
  { drain = true },
}, function(driver)
  local crew = assert(driver.crew())
  same(nil, (crew:wait()))
  crew:start("late", function(...)
    driver.sleep(0.05)
    return ...
  end, 1, nil, 3, nil)
  crew:start("at once", function() return "x" end)
  crew:start("soon", function() driver.sleep(0.01) end)
  same("at once|true|x", table.concat({ (function(key, ok, ...)
    return key, tostring(ok), ...
  end)(crew:wait(5)) }, "|"))
  same("soon", (crew:wait()))
  local function count(...) return select("#", ...), ... end
  local n, key, ok, first, second, third = count(crew:wait(5))
  same(6, n)
  same("late", key)
  same(true, ok)
  same(1, first)
  same(nil, second)
  same(3, third)
  same(nil, (crew:wait(5)))
end)

case("lets a function of a crew fail by itself", { { send = "x" }, { drain = true } }, function(driver, around)
  local trouble = { kind = "own" }
  local _, results = side_by_side(driver, 4, function(i)
    if i == 1 then error(trouble) end
    local stream = connected(driver, around)
    if i == 2 then error("words", 0) end
    same("x", stream:read(1, 2))
    if i == 3 then stream = nil + 1 end -- luacheck: ignore
    stream:close()
    return "fine"
  end)
  table.sort(results, function(a, b) return a[1] < b[1] end)
  same(false, results[1][2])
  same(trouble, results[1][3])
  same(false, results[2][2])
  same("words", results[2][3])
  same(false, results[3][2])
  has(results[3][3], "arithmetic")
  same(true, results[4][2])
  same("fine", results[4][3])
end)

case("waits for a crew no longer than asked", { { expect = "go" }, { send = "x" }, { drain = true } },
function(driver, around)
  local crew, stream = assert(driver.crew()), connected(driver, around)
  crew:start("reader", function() return stream:read(1, 5) end)
  for _, seconds in ipairs { 0, 0.02, -1 } do
    local key, why = crew:wait(seconds)
    same(nil, key)
    same("timeout", why)
  end
  stream:write("go\n", 2)
  local key, ok, bytes = crew:wait(5)
  same("reader", key)
  same(true, ok)
  same("x", bytes)
  stream:close()
end)

case("takes streams that were made elsewhere into a crew, and out again", {
  { send = "a" }, { expect = "next" }, { send = "b" }, { expect = "next" }, { send = "c" }, { drain = true },
}, function(driver, around)
  local stream, crew = connected(driver, around), assert(driver.crew())
  same("a", stream:read(1, 2))
  crew:start(1, function()
    stream:write("next\n", 2)
    return stream:read(1, 2)
  end)
  same("b", (select(3, crew:wait(5))))
  crew:close()
  local token = assert(stream:park(5))
  stream = assert(driver.unpark(token))
  stream:write("next\n", 2)
  same("c", stream:read(1, 2))
  stream:close()
end)

case("forgets what a crew that is closed still runs", {
  { expect = "go" }, { send = "x" }, { drain = true },
}, function(driver, around)
  local crew, went_on = assert(driver.crew()), 0
  local streams = {}
  for i = 1, 3 do
    streams[i] = connected(driver, around)
    crew:start(i, function()
      streams[i]:read(1, 5)
      went_on = went_on + 1
    end)
  end
  crew:start("sleeper", function()
    driver.sleep(0.05)
    went_on = went_on + 1
  end)
  crew:start("over", function() end)
  crew:close()
  same(nil, (crew:wait(1)))
  for i = 1, 3 do streams[i]:write("go\n", 2) end
  around.sleep(0.1)
  for i = 1, 3 do streams[i]:close() end
  same(0, went_on)
end)

case("lets a function of a crew have a crew of its own", { { drain = true } }, function(driver)
  local log = side_by_side(driver, 2, function(_, note)
    note "begins"
    local inner = side_by_side(driver, 2, function(_, tell)
      tell "begins"
      driver.sleep(0.02)
      tell "ends"
    end)
    interleaved(inner, 2)
    note "ends"
  end)
  interleaved(log, 2)
end)

case("bounds each step of each function of a crew by itself", { { stall = true } }, function(driver, around)
  local log = side_by_side(driver, 3, function(i, note)
    local stream = connected(driver, around)
    note "begins"
    local bytes, why = stream:read(1, i * 0.05)
    same(nil, bytes)
    same("timeout", why)
    note "ends"
    stream:close()
  end)
  interleaved(log, 3)
  same(1, log[4][1])
  same(3, log[6][1])
end)

return contract
