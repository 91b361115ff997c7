--- contract: what every driver of smtpsec.io must do, as cases that run inside any event loop.
--
-- A case has a name, the script of its peer (see spec/support/peer.lua) and a check, which gets the driver and the
-- surroundings: `sleep`, a function, and one of `port`, the peer's, `path`, the peer's unix socket, and `hole`, a
-- port where nobody answers; the case says which where it is not the port. A check that fails raises an error. No
-- busted in here: some loops are another process.
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
  has(text, "0.3 s")
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
end)

case("has a name for EHLO", { { drain = true } }, function(driver, around)
  local stream = connected(driver, around)
  local name = driver.hello(stream)
  if not (name:find("^%[%d+%.%d+%.%d+%.%d+%]$") or name:find("^[%w.-]+%.[%w-]+$")) then
    error("no name for EHLO: " .. name)
  end
  stream:close()
end)

return contract
