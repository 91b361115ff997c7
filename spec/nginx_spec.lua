-- Mail from inside a real nginx: requests that wait for a slow server hold up nobody else, whichever phase they are in.
local keeper = require "spec.support.keeper"
local nginx = require "spec.support.nginx"
local peer = require "spec.support.peer"
local pki = require "spec.support.pki"
local servers = require "spec.support.servers"
local smtpsec_sock = require "smtpsec.sock"

local HOLD, REQUESTS, PHASES = 1, 50, { "content", "access", "timer" }

local http = [[
  lua_max_running_timers 256;
  init_worker_by_lua_block {
    local smtpsec = require "smtpsec"
    mailers = {}
    function mail(args)
      local key = args.port .. (args.user or "")
      mailers[key] = mailers[key] or assert(smtpsec.new {
        host = "localhost", port = tonumber(args.port), tls = { mode = "starttls", ca_file = args.ca },
        env_file = false,
        user = args.user or false, password = args.password, timeout = 20,
      })
      local receipt, err = mailers[key]:send {
        from = "joe@example.test", to = "joe@example.test", subject = "nginx から", text = "こんにちは\n",
      }
      if not receipt then return "refused: " .. tostring(err) end
      return table.concat({ receipt.status, receipt.tls.version, tostring(receipt.tls.authenticated),
        tostring(receipt.tls.resumed), receipt.id }, " ")
    end
  }
]]

local locations = [[
  location = /ping { content_by_lua_block { ngx.print "pong" } }
  location = /content { content_by_lua_block { ngx.print(mail(ngx.req.get_uri_args())) } }
  location = /access { access_by_lua_block { ngx.print(mail(ngx.req.get_uri_args())) ngx.exit(200) } }
  location = /timer {
    content_by_lua_block {
      local args, result = ngx.req.get_uri_args(), nil
      ngx.timer.at(0, function() result = mail(args) end)
      repeat ngx.sleep(0.02) until result
      ngx.print(result)
    }
  }
  location = /log {
    content_by_lua_block { ngx.print "done" }
    log_by_lua_block { logged = mail(ngx.req.get_uri_args()) }
  }
  location = /logged { content_by_lua_block { ngx.print(logged) } }
]]

local function held(steps)
  local script = {}
  for _, step in ipairs(steps) do
    if step.send then script[#script + 1] = { sleep = HOLD } end
    script[#script + 1] = step
  end
  return script
end

local function slow_server(leaf)
  return peer.start(held {
    { send = "220 slow.test\r\n" }, { expect = "EHLO" }, { send = "250-slow.test\r\n250 STARTTLS\r\n" },
    { expect = "STARTTLS" }, { send = "220 go\r\n" }, { tls = { cert = leaf.chain, key = leaf.key } },
    { expect = "EHLO" }, { send = "250-slow.test\r\n250 PIPELINING\r\n" },
    { expect = "MAIL" }, { send = "250 ok\r\n" }, { expect = "RCPT" }, { send = "250 ok\r\n" },
    { expect = "DATA" }, { send = "354 go\r\n" }, { upto = "\r\n.\r\n" }, { send = "250 taken\r\n" },
    { expect = "QUIT" }, { send = "221 bye\r\n" },
  }, { backlog = 256 })
end

local function connections(postfix)
  local _, count = postfix:log():gsub(": connect from", "")
  return count
end

local function distribution(seconds)
  table.sort(seconds)
  local function at(share) return seconds[math.max(1, math.ceil(#seconds * share))] * 1000 end
  return ("median %.1f ms, 99 %% %.1f ms, worst %.1f ms of %d"):format(at(0.5), at(0.99), at(1), #seconds), at(0.5)
end

describe("nginx", function()
  local server, root, leaf

  setup(function()
    local authority = pki.new(keeper.own():new_folder "nginx-pki")
    root = authority:ca "root"
    leaf = authority:leaf { name = "localhost", ca = "root", san = "DNS:localhost,IP:127.0.0.1" }
    server = nginx.start { http = http, server = locations, log = "warn" }
  end)

  teardown(function() server:stop() end)

  local function target(location, arguments)
    local query = {}
    for key, value in pairs(arguments) do query[#query + 1] = key .. "=" .. value end
    return "/" .. location .. "?" .. table.concat(query, "&")
  end

  it("mails through Postfix from each phase that has cosockets, and reuses connections across requests", function()
    local postfix = servers.start "postfix"
    local arguments = { port = ("%d"):format(postfix.ports.submission), ca = postfix.ca_file, user = "joe",
      password = "secret123" }
    local before = connections(postfix)
    for _, phase in ipairs(PHASES) do
      local status, body = server:get(target(phase, arguments))
      assert.equal(200, status)
      local id = body:match("^accepted TLSv1%.3 pkix false (<.+>)$")
      assert.is_string(id, body)
      postfix:wait(id)
    end
    assert.equal(before + 1, connections(postfix))
  end)

  it("says clearly that the log phase cannot mail, and how to do it instead", function()
    server:get(target("log", { port = "1", ca = leaf.chain }))
    local _, said = server:get "/logged"
    assert.matches("nginx has no cosockets in the phase \"log\"", said, 1, true)
    assert.matches("ngx.timer.at(0", said, 1, true)
  end)

  it("answers others at once while 50 requests in each phase wait for a server that holds every reply", function()
    local slow = slow_server(leaf)
    local arguments = { port = ("%d"):format(slow.port), ca = root.cert }
    local pending, started = {}, smtpsec_sock.now()
    for _ = 1, REQUESTS do
      for _, phase in ipairs(PHASES) do pending[#pending + 1] = server:ask(target(phase, arguments)) end
    end
    local pings = {}
    while smtpsec_sock.now() - started < 7 * HOLD do
      local before = smtpsec_sock.now()
      local status, body = server:get "/ping"
      pings[#pings + 1] = smtpsec_sock.now() - before
      assert.equal(200, status)
      assert.equal("pong", body)
      smtpsec_sock.poll({}, 0.02)
    end
    for _, request in ipairs(pending) do
      local status, body = request.answer(30)
      assert.equal(200, status)
      assert.matches("^accepted TLSv1%.3 pkix", body)
    end
    local words, median = distribution(pings)
    print(("\n%d requests mailed through a server that holds each reply for %d s; another location meanwhile: %s")
      :format(#pending, HOLD, words))
    assert.is_true(#pings > 50, "there were " .. #pings .. " pings")
    -- One that waited for a single held reply would need a second.
    assert.is_true(median < HOLD * 1000 / 4, words)
  end)
end)
