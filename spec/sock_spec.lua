local descriptors = require "spec.support.descriptors"
local hosts = require "spec.support.hosts"
local keeper = require "spec.support.keeper"
local loop = require "spec.support.loop"
local peer = require "spec.support.peer"
local process = require "spec.support.process"
local sock = require "smtpsec.sock"

-- The seconds that a call took, and the list of its results.
local function took(work, ...)
  local started = sock.now()
  local results = { work(...) }
  return sock.now() - started, results
end

local function pair()
  local listener = assert(sock.listen { port = 0 })
  local client = assert(sock.connect { host = "127.0.0.1", port = listener:port(), timeout = 2 })
  local server = assert(listener:accept(2))
  return client, server, listener
end

describe("smtpsec.sock", function()

  describe("connect", function()
    it("connects to an address, to a name and to IPv6", function()
      for _, host in ipairs { "127.0.0.1", "localhost", "::1" } do
        local listener = assert(sock.listen { host = host == "::1" and host or "127.0.0.1" })
        local stream = assert(sock.connect { host = host, port = listener:port(), timeout = 2 })
        assert.same({ host == "::1" and host or "127.0.0.1", listener:port() }, { stream:peer() })
        stream:close()
        listener:close()
      end
    end)

    it("names the host, the port and the reason when it is refused", function()
      local stream, why, text = sock.connect { host = "127.0.0.1", port = 1, timeout = 2 }
      assert.is_nil(stream)
      assert.equal("connect", why)
      assert.equal("127.0.0.1 port 1: Connection refused", text)
    end)

    it("gives up at the deadline when nobody answers", function()
      local hole, held = loop.hole()
      local seconds, results = took(sock.connect, { host = "127.0.0.1", port = hole, timeout = 0.3 })
      assert.is_nil(results[1])
      assert.equal("timeout", results[2])
      assert.matches("^127%.0%.0%.1 port %d+: not connected within 0%.3 s: no answer$", results[3])
      assert.is_true(seconds >= 0.3 and seconds < 1.3)
      held[1]:close()
    end)

    it("says that a name has no address", function()
      local seconds, results = took(sock.connect, { host = "nowhere.invalid", port = 25, timeout = 5 })
      assert.is_nil(results[1])
      assert.equal("dns", results[2])
      assert.matches("^nowhere%.invalid: ", results[3])
      assert.is_true(seconds < 5.5)
    end)

    it("refuses a name that is too long before asking anybody", function()
      local _, why, text = sock.connect { host = ("a"):rep(256), port = 25, timeout = 5 }
      assert.equal("dns", why)
      assert.matches("255", text)
    end)

    it("leaves no descriptor behind, whatever the outcome", function()
      local hole, held = loop.hole()
      sock.connect { host = "nowhere.invalid", port = 25, timeout = 5 }
      local before = descriptors()
      for _ = 1, 3 do
        sock.connect { host = "127.0.0.1", port = 1, timeout = 1 }
        sock.connect { host = "127.0.0.1", port = hole, timeout = 0.01 }
        sock.connect { host = "nowhere.invalid", port = 25, timeout = 5 }
        sock.connect { path = "/nowhere", timeout = 1 }
      end
      assert.is_true(process.wait(function() return descriptors() == before end, 2))
      held[1]:close()
    end)
  end)

  describe("connect to a name with several addresses", function()
    local show = [[
      local sock = require "smtpsec.sock"
      local started = sock.now()
      local stream, why, text = sock.connect { host = "many.test", port = PORT, timeout = SECONDS }
      print(stream and stream:peer() or why, ("%.3f"):format(sock.now() - started), text)]]

    local function connect(table, port, seconds)
      local output = hosts.run(table, (show:gsub("PORT", port):gsub("SECONDS", seconds)))
      local result, duration, text = output:match("^(%S+)%s+(%S+)%s+(.-)%s*$")
      return result, tonumber(duration), text
    end

    it("goes on at once when the first refuses", function()
      local listener = assert(sock.listen { host = "127.0.0.1" })
      local address, seconds = connect("many.test=::1,127.0.0.2,127.0.0.3,127.0.0.1", listener:port(), 5)
      assert.equal("127.0.0.1", address)
      assert.is_true(seconds < 0.7)
    end)

    it("tries the next beside the first after a quarter of a second", function()
      local listener = assert(sock.listen { host = "127.0.0.1" })
      local _, held = loop.hole("127.0.0.2", listener:port())
      local address, seconds = connect("many.test=127.0.0.2,127.0.0.1", listener:port(), 5)
      assert.equal("127.0.0.1", address)
      assert.is_true(seconds >= 0.25 and seconds < 1.2)
      held[1]:close()
    end)

    it("tells of each address why it failed", function()
      local _, _, text = connect("many.test=127.0.0.2,::1,127.0.0.3", 1, 5)
      assert.equal("many.test port 1: 127.0.0.2: Connection refused; ::1: Connection refused; "
        .. "127.0.0.3: Connection refused", text)
    end)

    it("bounds the whole step, not each address", function()
      local port, held = loop.hole "127.0.0.2"
      local _, others = loop.hole("127.0.0.3", port)
      local why, seconds, text = connect("many.test=127.0.0.2,127.0.0.3,127.0.0.4", port, 0.7)
      assert.equal("timeout", why)
      assert.is_true(seconds >= 0.7 and seconds < 1.7)
      assert.equal(("many.test port %d: not connected within 0.7 s: 127.0.0.4: Connection refused; "
        .. "127.0.0.2: no answer; 127.0.0.3: no answer"):format(port), text)
      held[1]:close()
      others[1]:close()
    end)

    it("lets families take turns, beginning with the preferred one", function()
      local output = hosts.run("many.test=::1,::2,::3,127.0.0.1,127.0.0.2", [[
        local sock = require "smtpsec.sock"
        local resolution = assert(sock.resolve "many.test")
        local list, why
        repeat list, why = resolution:step() until list or why ~= "again"
        resolution:close()
        print(table.concat(list, " "))]])
      assert.equal("::1 127.0.0.1 ::2 127.0.0.2 ::3\n", output)
    end)
  end)

  it("tells which process this is", function()
    local stat = assert(io.open "/proc/self/stat")
    assert.equal(stat:read "*n", sock.process())
    stat:close()
  end)

  describe("a resolver that hangs", function()
    it("is part of what the deadline bounds", function()
      local output = hosts.run("slow.test=2s", [[
        local sock = require "smtpsec.sock"
        local started = sock.now()
        local _, why, text = sock.connect { host = "slow.test", port = 25, timeout = 0.3 }
        print(why, sock.now() - started < 1.3, text)]])
      assert.equal("timeout\ttrue\tslow.test port 25: the name was not resolved within 0.3 s\n", output)
    end)

    -- A process that was forked meanwhile has both ends of whatever the two tell each other by, and keeps them open.
    it("is heard to have finished, whoever else has its end of the line", function()
      local output = hosts.run("slow.test=1s", [[
        local sock = require "smtpsec.sock"
        local list = assert(sock.dial { host = "slow.test", port = 25, timeout = 20 }):waits()
        local others = {}
        for n = 0, 20 do others[n] = io.open("/proc/self/fd/" .. n, "w") end
        print(others[list[1][1] + 1] ~= nil, #sock.poll(list, 10))]])
      assert.equal("true\t1\n", output)
    end)

    it("may finish after the Lua state of its asker is closed", function()
      local output = hosts.run("slow.test=1s", [[
        local sock = require "smtpsec.sock"
        print((select(2, sock.connect { host = "slow.test", port = 25, timeout = 0.01 })))]], 2)
      assert.equal("timeout\n", output)
    end)

    it("leaves nothing behind when it was abandoned", function()
      local output = hosts.run("slow.test=1s", [[
        local sock = require "smtpsec.sock"
        local descriptors = require "spec.support.descriptors"
        local before = descriptors()
        for i = 1, 20 do sock.connect { host = "slow.test", port = 25, timeout = 0.001 } end
        local deadline, left = sock.now() + 5
        repeat
          sock.poll({}, 0.2)
          left = descriptors() - before
        until left == 0 or sock.now() >= deadline
        print(left)]])
      assert.equal(0, tonumber(output))
    end)

    it("cannot take more than a fixed number of threads", function()
      local output = hosts.run("slow.test=1s", [[
        local sock = require "smtpsec.sock"
        local held, text, _ = {}
        repeat
          held[#held + 1], _, text = sock.resolve "slow.test"
        until text
        print(#held, text)]])
      assert.matches("^128\tslow.test: the look%-up could not be started: ", output)
    end)
  end)

  describe("unix sockets", function()
    local path

    before_each(function()
      path = keeper.own():new_folder("unix") .. "/socket"
    end)

    it("are connected to by their path", function()
      local listener = assert(sock.listen { path = path })
      local client = assert(sock.connect { path = path, timeout = 1 })
      local server = assert(listener:accept(1))
      assert.equal(path, (client:peer()))
      assert.equal(5, client:write("hello", 1))
      assert.equal("hello", server:read(100, 1))
      listener:remove()
      listener:close()
      assert.is_nil(process.read(path))
    end)

    it("fail with the path and the reason", function()
      local _, why, text = sock.connect { path = path, timeout = 1 }
      assert.equal("connect", why)
      assert.equal(path .. ": No such file or directory", text)
    end)

    it("whose path is too long are refused on both sides", function()
      local long = "/" .. ("x"):rep(107)
      local _, why, text = sock.connect { path = long, timeout = 1 }
      assert.equal("connect", why)
      assert.matches("1 to 107 bytes", text)
      assert.matches("1 to 107 bytes", select(2, sock.listen { path = long }))
    end)

    it("with a full queue are waited for, but no longer than the deadline", function()
      local listener = assert(sock.listen { path = path, backlog = 0 })
      local first = assert(sock.connect { path = path, timeout = 1 })
      local seconds, results = took(sock.connect, { path = path, timeout = 0.2 })
      assert.equal("timeout", results[2])
      assert.is_true(seconds >= 0.2 and seconds < 1.2)
      first:close()
      listener:close()
    end)

    it("are not made where a file already is", function()
      local listener = assert(sock.listen { path = path })
      assert.matches("in use", select(2, sock.listen { path = path }))
      listener:close()
    end)
  end)

  describe("a stream", function()
    it("reads what has come, at most as much as asked", function()
      local client, server = pair()
      server:write("hello", 1)
      assert.equal("hel", client:read(3, 1))
      assert.equal("lo", client:read(100, 1))
    end)

    it("reads nothing in the time it was given, and goes on", function()
      local client, server = pair()
      local seconds, results = took(client.read, client, 100, 0.2)
      assert.same({ nil, "timeout" }, { results[1], results[2] })
      assert.is_true(seconds >= 0.2 and seconds < 1.2)
      server:write("late", 1)
      assert.equal("late", client:read(100, 1))
    end)

    it("takes a time that is already over as no time", function()
      local client = pair()
      assert.equal("timeout", select(2, client:read(1, -5)))
    end)

    it("reads the end of the stream, again and again", function()
      local client, server = pair()
      server:write("bye", 1)
      server:close()
      assert.equal("bye", client:read(100, 1))
      for _ = 1, 2 do
        assert.same({ nil, "closed", "the peer closed the connection" }, { client:read(100, 1) })
      end
    end)

    it("reads a reset", function()
      local client, server = pair()
      client:write("unread", 1)
      assert.equal(1, #sock.poll({ { server, "r" } }, 1))
      server:close()
      assert.same({ nil, "closed", "Connection reset by peer" }, { client:read(100, 1) })
    end)

    it("gives a reset, and nothing of what was not sent", function()
      local client, server = pair()
      server:write("said before", 1)
      server:reset()
      server:reset()
      assert.is_nil(server:fd())
      assert.equal("said before", client:read(100, 1))
      assert.same({ nil, "closed", "Connection reset by peer" }, { client:read(100, 1) })
    end)

    it("survives writing to a peer that is gone, with SIGPIPE at its default", function()
      local script = [[
        local sock = require "smtpsec.sock"
        local listener = assert(sock.listen {})
        local client = assert(sock.connect { host = "127.0.0.1", port = listener:port(), timeout = 1 })
        listener:accept(1):close()
        local n, why
        for _ = 1, 100 do
          n, why = client:write("x", 1)
          if not n then break end
          sock.poll({}, 0.01)
        end
        print(n, why)]]
      assert.equal("nil\tclosed\n", hosts.run("", script))
    end)

    it("bounds a write to a peer that never reads, and counts what was taken", function()
      local client, server = pair()
      local bytes = ("x"):rep(16 * 1024 * 1024)
      local seconds, results = took(client.write, client, bytes, 0.3)
      local taken = results[4]
      assert.same({ nil, "timeout" }, { results[1], results[2] })
      assert.is_true(seconds >= 0.3 and seconds < 1.3)
      local received = 0
      client:close()
      for _ = 1, 1e6 do
        local some = server:read(65536, 1)
        if not some then break end
        received = received + #some
      end
      assert.equal(received, taken)
      assert.is_true(taken > 0 and taken < #bytes)
    end)

    it("bounds a write to a peer that takes a little now and then", function()
      local slow = peer.start { { take = 1e9, every = 0.01 } }
      local client = assert(sock.connect { host = "127.0.0.1", port = slow.port, timeout = 1 })
      local bytes = ("x"):rep(16 * 1024 * 1024)
      local seconds, results = took(client.write, client, bytes, 0.5)
      assert.equal("timeout", results[2])
      assert.is_true(seconds >= 0.5 and seconds < 1.5)
      slow:stop()
    end)

    it("goes on with a write from where the kernel stopped", function()
      local client, server = pair()
      local bytes, from, received = ("0123456789"):rep(400000), 1, {}
      repeat
        local all, _, _, taken = client:write(bytes, 0, from)
        from = from + (all or taken)
        received[#received + 1] = server:read(1e6, 1)
      until all
      client:close()
      for _ = 1, 1e6 do
        local some = server:read(1e6, 1)
        if not some then break end
        received[#received + 1] = some
      end
      assert.is_true(table.concat(received) == bytes)
    end)

    it("acknowledges before it waits, so that Nagle's algorithm holds no peer back", function()
      local server = require("cqueues.socket").listen("127.0.0.1", 0)
      server:listen()
      local client = assert(sock.connect { host = "127.0.0.1", port = select(3, server:localname()), timeout = 1 })
      local other = server:accept()
      other:setmode("bn", "bn")
      local seconds = took(function()
        for _ = 1, 20 do
          client:write("x", 1)
          other:read(1)
          other:write "a"
          other:write "b"
          assert.equal("a", client:read(1, 1))
          assert.equal("b", client:read(1, 1))
        end
      end)
      assert.is_true(seconds < 0.4)
    end)

    it("is alive while it is open and silent", function()
      local client, server = pair()
      assert.is_true(client:alive())
      server:write("x", 1)
      assert.equal(1, #sock.poll({ { client, "r" } }, 1))
      assert.is_false(client:alive())
      client:read(1, 1)
      assert.is_true(client:alive())
      server:close()
      assert.equal(1, #sock.poll({ { client, "r" } }, 1))
      assert.is_false(client:alive())
      client:close()
      assert.is_false(client:alive())
    end)

    it("is closed as often as one likes, and then only says so", function()
      local client = pair()
      client:close()
      client:close()
      assert.equal("closed", select(2, client:read(1, 1)))
      local n, why, _, taken = client:write("x", 1)
      assert.same({ nil, "closed", 0 }, { n, why, taken })
      assert.is_nil(client:peer())
      assert.is_nil(client:fd())
    end)

    it("is closed by the garbage collector", function()
      local ends = { pair() }
      local server = ends[2]
      assert.is_true(server:alive())
      ends[1] = nil
      collectgarbage()
      collectgarbage()
      assert.equal("closed", select(2, server:read(1, 1)))
    end)

    if not rawget(_G, "jit") then
      it("is closed at the end of its block", function()
        local client, server = pair()
        assert((loadstring or load)("local stream <close> = ...; return stream:fd()"))(client)
        assert.is_nil(client:fd())
        assert.equal("closed", select(2, server:read(1, 1)))
      end)
    end

    it("waits on through a signal", function()
      local path = process.write(keeper.own():new_folder("signal") .. "/script.lua", [[
        local sock = require "smtpsec.sock"
        local listener = assert(sock.listen {})
        local client = assert(sock.connect { host = "127.0.0.1", port = listener:port(), timeout = 1 })
        local started = sock.now()
        pcall(function() client:read(1, 0.6) end)
        print(sock.now() - started >= 0.6)]])
      local words = hosts.environment ""
      words[#words + 1] = rawget(_G, "jit") and "luajit" or "lua5.4"
      words[#words + 1] = path
      local output = process.run(process.command(words) .. " & sleep 0.3; kill -INT $!; wait $!; true")
      assert.matches("true", output)
    end)
  end)

  describe("a dial that an event loop drives", function()
    it("never waits, and tells what to wait for", function()
      local hole, held = loop.hole()
      local dial = assert(sock.dial { host = "127.0.0.1", port = hole, timeout = 0.2 })
      assert.same({ nil, "again" }, { (dial:step()), (select(2, dial:step())) })
      local list, seconds = dial:waits()
      assert.equal(1, #list)
      assert.equal("w", list[1][2])
      assert.is_true(seconds > 0 and seconds <= 0.2)
      sock.poll(list, seconds)
      assert.equal("timeout", select(2, dial:step()))
      assert.has_error(function() dial:step() end, nil)
      dial:close()
      held[1]:close()
    end)

    it("may be dropped half-way", function()
      local hole, held = loop.hole()
      local before = descriptors()
      local dials = {}
      for i = 1, 10 do
        dials[i] = assert(sock.dial { host = i > 5 and "localhost" or "127.0.0.1", port = hole, timeout = 5 })
        dials[i]:step()
      end
      dials = nil -- luacheck: ignore
      assert.is_true(process.wait(function() return descriptors() == before end, 2))
      held[1]:close()
    end)
  end)

  describe("poll", function()
    it("tells which sockets are ready, and for what", function()
      local client, server, listener = pair()
      assert.same({}, sock.poll({ { client, "r" }, { listener, "r" } }, 0.01))
      server:write("x", 1)
      local ready = sock.poll({ { listener, "r" }, { client, "rw" }, { server, "w" } }, 1)
      assert.equal(2, #ready)
      assert.is_true(ready[1][1] == client and ready[1][2] == "rw")
      assert.is_true(ready[2][1] == server and ready[2][2] == "w")
    end)

    it("sleeps when there is nothing to wait for", function()
      local seconds = took(sock.poll, {}, 0.1)
      assert.is_true(seconds >= 0.1 and seconds < 1.1)
    end)

    it("takes descriptors beyond 1024, two thousand of them", function()
      local limit = tonumber((process.read "/proc/self/limits"):match("Max open files%s+(%d+)"))
      if limit < 2200 then
        pending("the limit of open files is " .. ("%d"):format(limit))
        return
      end
      local listener = assert(sock.listen {})
      local clients, servers = {}, {}
      for i = 1, 1000 do
        clients[i] = assert(sock.connect { host = "127.0.0.1", port = listener:port(), timeout = 2 })
        servers[i] = assert(listener:accept(2))
      end
      assert.is_true(servers[1000]:fd() >= 2000)
      local list = {}
      for i, client in ipairs(clients) do
        list[i] = { client, "r" }
      end
      servers[1000]:write("last", 1)
      local ready = sock.poll(list, 1)
      assert.equal(1, #ready)
      assert.equal("last", ready[1][1]:read(10, 1))
      assert.equal("timeout", select(2, clients[999]:read(10, 0.01)))
      for i = 1, 1000 do
        clients[i]:close()
        servers[i]:close()
      end
    end)
  end)

  describe("a caller's mistake", function()
    local client, server, listener

    setup(function()
      client, server, listener = pair()
    end)

    local mistakes = {
      ["no table"] = function() sock.connect() end,
      ["neither host nor path"] = function() sock.connect { timeout = 1 } end,
      ["a host without a port"] = function() sock.connect { host = "x", timeout = 1 } end,
      ["a port out of range"] = function() sock.connect { host = "x", port = 65536, timeout = 1 } end,
      ["half a port"] = function() sock.connect { host = "x", port = 25.5, timeout = 1 } end,
      ["a port that is text"] = function() sock.connect { host = "x", port = "25", timeout = 1 } end,
      ["a NUL in a host"] = function() sock.connect { host = "a\0b", port = 25, timeout = 1 } end,
      ["a NUL in a path"] = function() sock.connect { path = "/a\0b", timeout = 1 } end,
      ["a NUL in a name to resolve"] = function() sock.resolve "a\0b" end,
      ["no bound"] = function() sock.connect { host = "127.0.0.1", port = 25 } end,
      ["a bound that is no number"] = function() client:read(1, "soon") end,
      ["NaN"] = function() client:read(1, 0 / 0) end,
      ["reading nothing"] = function() client:read(0, 1) end,
      ["writing a table"] = function() client:write({}, 1) end,
      ["writing from beyond the end"] = function() client:write("abc", 1, 5) end,
      ["a method of another class"] = function() client.read(listener, 1, 1) end,
      ["polling nonsense"] = function() sock.poll({ 5 }, 1) end,
      ["polling for nothing"] = function() sock.poll({ { client, "" } }, 1) end,
      ["polling what is no socket"] = function() sock.poll({ { {}, "r" } }, 1) end,
      ["listening on a name's port out of range"] = function() sock.listen { port = -1 } end,
    }

    for name, mistake in pairs(mistakes) do
      it("is an error: " .. name, function()
        assert.has_error(mistake)
      end)
    end

    it("leaves the socket as it was", function()
      server:write("x", 1)
      assert.equal("x", client:read(1, 1))
    end)
  end)

  it("listens only on numeric addresses", function()
    local listener, text = sock.listen { host = "localhost" }
    assert.is_nil(listener)
    assert.equal("localhost: a numeric address is needed to listen on", text)
  end)

  it("accepts nobody in the time it was given", function()
    local listener = assert(sock.listen {})
    assert.equal("timeout", select(2, listener:accept(0.05)))
    listener:close()
    assert.equal("closed", select(2, listener:accept(0.05)))
  end)

  it("shows one symbol", function()
    local path = package.searchpath and package.searchpath("smtpsec.sock", package.cpath)
    local shown = process.run("nm -D --defined-only " .. process.quote(path) .. " | awk '{ print $3 }'")
    assert.equal("luaopen_smtpsec_sock\n", shown)
  end)
end)
