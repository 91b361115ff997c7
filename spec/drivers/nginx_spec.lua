local contract = require "spec.drivers.contract"
local dns = require "spec.support.dns"
local hosts = require "spec.support.hosts"
local loop = require "spec.support.loop"
local nginx = require "spec.support.nginx"
local peer = require "spec.support.peer"
local sock = require "smtpsec.sock"

local server_block = [[
  location = /case {
    content_by_lua_block {
      local case = require "spec.drivers.contract"[tonumber(ngx.var.arg_case)]
      local around = { sleep = ngx.sleep, path = ngx.var.arg_path }
      around.port, around.hole = tonumber(ngx.var.arg_port), tonumber(ngx.var.arg_hole)
      local ok, problem = pcall(case.check, require "smtpsec.io.nginx", around)
      ngx.print(ok and "ok" or problem)
    }
  }

  location = /ping { content_by_lua_block { ngx.print "pong" } }

  # Connects and shows what came of it: the address and the first bytes, or why and text; and the seconds.
  location = /connect {
    content_by_lua_block {
      local driver = require "smtpsec.io.nginx"
      local started = driver.now()
      local stream, why, text = driver.connect(
        { host = ngx.var.arg_host, port = tonumber(ngx.var.arg_port) }, tonumber(ngx.var.arg_seconds))
      local seconds = driver.now() - started
      if stream then
        why, text = tostring(stream.address), stream:read(100, 2)
        stream:close()
      end
      ngx.print(why, "|", text, "|", ("%.3f"):format(seconds))
    }
  }

  # How many descriptors are open after many connects by name, when nothing was collected meanwhile.
  location = /names {
    content_by_lua_block {
      local function count()
        local n = 0
        for fd = 0, 999 do
          local file = io.open("/proc/self/fdinfo/" .. fd)
          if file then
            file:close()
            n = n + 1
          end
        end
        return n
      end
      local driver, before = require "smtpsec.io.nginx", count()
      collectgarbage "stop"
      for _ = 1, 20 do
        local stream = assert(driver.connect({ host = "localhost", port = tonumber(ngx.var.arg_port) }, 5))
        stream:close()
      end
      ngx.print(count() - before)
      collectgarbage "restart"
    }
  }

  # Writes much to a peer that does not read, and shows how it ended and how many may have been taken.
  location = /write {
    content_by_lua_block {
      local stream = assert(require "smtpsec.io.nginx".connect(
        { host = "127.0.0.1", port = tonumber(ngx.var.arg_port) }, 2))
      local all, why, _, most = stream:write(("x"):rep(16 * 1024 * 1024), 0.2)
      stream:close()
      ngx.print(tostring(all), "|", why, "|", ("%d"):format(most))
    }
  }

  location = /content { content_by_lua_block { ngx.print(talk(ngx.var.arg_port)) } }
  location = /rewrite { rewrite_by_lua_block { ngx.print(talk(ngx.var.arg_port)) ngx.exit(200) } }
  location = /access { access_by_lua_block { ngx.print(talk(ngx.var.arg_port)) ngx.exit(200) } }
  location = /timer {
    content_by_lua_block {
      local port = ngx.var.arg_port
      result = nil
      ngx.timer.at(0, function() result = talk(port) end)
      for _ = 1, 100 do
        if result then break end
        ngx.sleep(0.01)
      end
      ngx.print(result)
    }
  }

  # Phases without cosockets: what connecting says there.
  location = /log {
    content_by_lua_block { ngx.print "done" }
    log_by_lua_block {
      result = table.concat({ select(2, auto().connect({ host = "127.0.0.1", port = 1 }, 1)) }, "|")
    }
  }
  location = /header {
    content_by_lua_block { ngx.print "done" }
    header_filter_by_lua_block {
      result = table.concat({ select(2, auto().connect({ host = "127.0.0.1", port = 1 }, 1)) }, "|")
    }
  }
  location = /result { content_by_lua_block { ngx.print(result) } }
  location = /init { content_by_lua_block { ngx.print(init_result) } }

  location = /park {
    content_by_lua_block {
      local driver = require "smtpsec.io.nginx"
      local stream = assert(driver.connect({ host = "127.0.0.1", port = tonumber(ngx.var.arg_port) }, 2))
      stream:read(100, 2)
      token = assert(stream:park(tonumber(ngx.var.arg_seconds) or 5))
      ngx.print "parked"
    }
  }
  location = /unpark {
    content_by_lua_block {
      local stream = require "smtpsec.io.nginx".unpark(token)
      token = nil
      if not stream then return ngx.print "gone" end
      stream:write("again\n", 2)
      ngx.print(stream:read(100, 2), stream.address, ":", stream.port)
      stream:close()
    }
  }
]]

local http_block = [[
  init_by_lua_block {
    function auto() return require "smtpsec.io".select() end
    function talk(port)
      local driver = auto()
      local stream = assert(driver.connect({ host = "localhost", port = tonumber(port) }, 2))
      assert(stream:write("hello\n", 2) == 6)
      local bytes = stream:read(100, 2)
      stream:close()
      return driver.name .. " " .. bytes
    end
  }
  init_worker_by_lua_block {
    init_result = table.concat({ select(2, auto().connect({ host = "127.0.0.1", port = 1 }, 1)) }, "|")
  }
]]

local function connect(server, host, port, seconds)
  local _, body = server:get(("/connect?host=%s&port=%d&seconds=%g"):format(host, port, seconds))
  local why, text, took = body:match("^(.-)|(.*)|(.-)$")
  return why, text, tonumber(took)
end

local describe_nginx = nginx.available() and describe or pending

describe_nginx("the nginx driver", function()
  local server

  setup(function()
    server = nginx.start { http = http_block, server = server_block }
  end)

  teardown(function()
    server:stop()
  end)

  loop.examples(function(case, around)
    local number
    for i, each in ipairs(contract) do
      if each == case then number = i end
    end
    local target = ("/case?case=%d"):format(number)
    for name, value in pairs(around) do
      target = target .. ("&%s=%s"):format(name, type(value) == "number" and ("%d"):format(value) or value)
    end
    local status, body = server:get(target)
    assert.same({ 200, "ok" }, { status, body })
  end)

  describe("in each phase", function()
    local speaker

    setup(function()
      speaker = peer.start { { expect = "hello" }, { send = "reply" }, { drain = true } }
    end)

    teardown(function()
      speaker:stop()
    end)

    for _, phase in ipairs { "content", "rewrite", "access", "timer" } do
      it("with cosockets works: " .. phase, function()
        local _, body = server:get("/" .. phase .. ("?port=%d"):format(speaker.port))
        assert.equal("nginx reply", body)
      end)
    end

    local advice = "send from ngx.timer.at(0, function() ... end) instead"

    for _, phase in ipairs { "log", "header_filter" } do
      it("without them says what to do: " .. phase, function()
        server:get("/" .. phase:match("^%a+"))
        local _, body = server:get "/result"
        assert.equal(('connect|nginx has no cosockets in the phase "%s": %s'):format(phase, advice), body)
      end)
    end

    it("without them says what to do: init_worker", function()
      local _, body = server:get "/init"
      assert.equal('connect|nginx has no cosockets in the phase "init_worker": ' .. advice, body)
    end)
  end)

  it("holds up no other request of the worker", function()
    local slow = peer.start { { sleep = 0.5 }, { send = "220" }, { drain = true } }
    local waiting = {}
    for i = 1, 30 do
      waiting[i] = server:ask(("/connect?host=localhost&port=%d&seconds=2"):format(slow.port))
    end
    local worst = 0
    for _ = 1, 20 do
      local ping = server:ask "/ping"
      assert.same({ 200, "pong" }, { ping.answer() })
      worst = math.max(worst, ping.took)
    end
    for i = 1, 30 do
      local _, body = waiting[i].answer()
      assert.matches("^127%.0%.0%.1|220|", body)
    end
    assert.is_true(worst < 0.3)
    assert.is_true(sock.now() - waiting[1].asked < 3)
    slow:stop()
  end)

  it("leaves no descriptors to the collector", function()
    local speaker = peer.start { { drain = true } }
    assert.same({ 200, "0" }, { server:get(("/names?port=%d"):format(speaker.port)) })
    speaker:stop()
  end)

  it("never says less than the peer got of a write that failed", function()
    local late = peer.start { { sleep = 0.4 }, { drain = true } }
    local _, body = server:get(("/write?port=%d"):format(late.port))
    local most = tonumber(body:match "^nil|timeout|(%d+)$")
    assert.is_truthy(late:wait(function(seen) return seen[1] and seen[1].ended end))
    local got = #late:stop()[1].received
    assert.is_true(got > 0)
    assert.is_true(got <= most)
    assert.is_true(most <= got + 17 * 1024)
  end)

  describe("parks a connection", function()
    it("for another request, which gets the same one", function()
      local speaker = peer.start { { send = "220" }, { expect = "again" }, { send = "250 " }, { drain = true } }
      local log = server:log()
      assert.same({ 200, "parked" }, { server:get(("/park?port=%d"):format(speaker.port)) })
      assert.same({ 200, ("250 127.0.0.1:%d"):format(speaker.port) }, { server:get "/unpark" })
      assert.equal(1, #speaker:stop())
      assert.equal(log, server:log()) -- a mail that goes well is no news there
    end)

    it("and knows when it is gone, without connecting anew", function()
      local speaker = peer.start { { send = "220" }, { sleep = 0.1 }, { close = true } }
      local log = server:log()
      server:get(("/park?port=%d"):format(speaker.port))
      assert.is_truthy(speaker:wait(function(seen) return seen[1] and seen[1].ended end))
      assert.same({ 200, "gone" }, { server:get "/unpark" })
      assert.equal(1, #speaker:stop())
      assert.equal(log, server:log())
    end)

    it("and knows when its time is over", function()
      local speaker = peer.start { { send = "220" }, { drain = true } }
      server:get(("/park?seconds=0.1&port=%d"):format(speaker.port))
      assert.is_truthy(speaker:wait(function(seen) return seen[1] and seen[1].ended == "client" end))
      assert.same({ 200, "gone" }, { server:get "/unpark" })
      speaker:stop()
    end)

    it("and drops it when the peer speaks out of turn", function()
      local speaker = peer.start { { send = "220" }, { sleep = 0.1 }, { send = "421 bye" }, { drain = true } }
      server:get(("/park?port=%d"):format(speaker.port))
      assert.is_truthy(speaker:wait(function(seen) return seen[1] and seen[1].ended == "client" end))
      assert.same({ 200, "gone" }, { server:get "/unpark" })
      speaker:stop()
    end)
  end)

  describe("without a resolver", function()
    it("asks the system, without waiting for it, and tries every address", function()
      local live = peer.start { { send = "220" }, { drain = true } }
      local _, held = loop.hole("127.0.0.2", live.port)
      local other = nginx.start {
        main = "env SPEC_HOSTS;", http = http_block, server = server_block,
        words = hosts.environment("refused.test=::1,127.0.0.3,127.0.0.4,127.0.0.1 silent.test=127.0.0.2,127.0.0.1 "
          .. "slow.test=2s dead.test=127.0.0.3,::1"),
      }
      local address, text, took = connect(other, "refused.test", live.port, 5)
      assert.same({ "127.0.0.1", "220" }, { address, text })
      assert.is_true(took < 0.7)

      address, text, took = connect(other, "silent.test", live.port, 5)
      assert.same({ "127.0.0.1", "220" }, { address, text })
      assert.is_true(took >= 0.24 and took < 1.2)

      local why
      why, text, took = connect(other, "slow.test", live.port, 0.4)
      assert.same({ "timeout", "slow.test: the name was not resolved in time" }, { why, text })
      assert.is_true(took >= 0.39 and took < 1.4)

      local waiting = other:ask(("/connect?host=slow.test&port=%d&seconds=1"):format(live.port))
      local ping = other:ask "/ping"
      assert.same({ 200, "pong" }, { ping.answer() })
      assert.is_true(ping.took < 0.5)
      waiting.answer()

      why, text = connect(other, "dead.test", 1, 5)
      assert.same({ "connect", "dead.test port 1: 127.0.0.3: connection refused; [::1]: connection refused" },
        { why, text })
      other:stop()
      live:stop()
      held[1]:close()
    end)
  end)

  describe("with a resolver", function()
    local names, other, live

    setup(function()
      live = peer.start { { send = "220" }, { drain = true } }
      names = dns.start {
        ["one.test"] = { "127.0.0.1" }, ["many.test"] = { "127.0.0.3", "127.0.0.1" }, ["silent.test"] = {},
        ["dead.test"] = { "127.0.0.3" }, ["private.test"] = { "127.0.0.3" },
      }
      other = nginx.start {
        main = "env SPEC_HOSTS;", server = server_block,
        http = http_block .. ("resolver 127.0.0.1:%d ipv6=off;"):format(names.port),
        words = hosts.environment(
          "many.test=127.0.0.3,127.0.0.1 dead.test=127.0.0.3,::1 one.test=0s private.test=0s silent.test=0s"),
      }
    end)

    teardown(function()
      other:stop()
      names:stop()
      live:stop()
    end)

    it("asks it", function()
      local address, text = connect(other, "one.test", live.port, 5)
      assert.same({ "nil", "220" }, { address, text })
    end)

    it("tries every address when the one that it chose refuses", function()
      for _ = 1, 20 do
        local _, text = connect(other, "many.test", live.port, 5)
        assert.equal("220", text)
      end
    end)

    it("tells why each address failed", function()
      local why, text = connect(other, "dead.test", 1, 5)
      assert.same({ "connect", "dead.test port 1: 127.0.0.3: connection refused; [::1]: connection refused" },
        { why, text })
    end)

    it("tries it again when the system does not know the name", function()
      local why, text = connect(other, "private.test", 1, 5)
      assert.same({ "connect", "private.test port 1: connection refused; connection refused; connection refused" },
        { why, text })
    end)

    it("says that it does not know a name", function()
      local why, text = connect(other, "nowhere.test", live.port, 5)
      assert.same({ "dns", "nowhere.test could not be resolved (3: Host not found)" }, { why, text })
    end)

    it("does not wait for it longer than asked", function()
      local why, text, took = connect(other, "silent.test", live.port, 0.4)
      assert.equal("timeout", why)
      assert.matches("^silent%.test port %d+: not connected within 0%.4 s", text)
      assert.is_true(took >= 0.39 and took < 1.4)
    end)

    it("knows localhost all the same", function()
      local address, text = connect(other, "localhost", live.port, 5)
      assert.same({ "127.0.0.1", "220" }, { address, text })
    end)
  end)
end)
