-- Every bound against every kind of slowness, in every driver, each in its own loop: a call returns within the bound
-- of its step and one second more. In the loops all cases run at once; plain sockets block, and take them one by one.
local loop = require "spec.support.loop"
local nginx = require "spec.support.nginx"
local peer = require "spec.support.peer"
local slow = require "spec.support.slow"

local SLACK = 1

-- How each driver runs all cases: run(ports) returns the outcomes.
local DRIVERS = {}

function DRIVERS.socket(ports)
  local outcomes = {}
  for i, port in ipairs(ports) do outcomes[i] = slow.run(i, port, "socket") end
  return outcomes
end

function DRIVERS.cqueues(ports)
  local controller, outcomes = require "cqueues".new(), {}
  for i, port in ipairs(ports) do
    controller:wrap(function() outcomes[i] = slow.run(i, port, "cqueues") end)
  end
  assert(controller:loop())
  return outcomes
end

function DRIVERS.luv(ports)
  local uv, outcomes = require "luv", {}
  for i, port in ipairs(ports) do
    coroutine.wrap(function() outcomes[i] = slow.run(i, port, "luv") end)()
  end
  uv.run()
  return outcomes
end

local HANDLER = [[
  location = /slow {
    content_by_lua_block {
      local number, port = tonumber(ngx.var.arg_case), tonumber(ngx.var.arg_port)
      local outcome = require "spec.support.slow".run(number, port, "nginx")
      for name, value in pairs(outcome) do ngx.say(name, "=", tostring(value)) end
    }
  }
]]

local function value_of(text)
  if text == "true" or text == "false" then return text == "true" end
  return tonumber(text) or text
end

function DRIVERS.nginx(ports)
  local server = nginx.start { http = "lua_socket_log_errors off;", server = HANDLER }
  local pending, outcomes = {}, {}
  for i, port in ipairs(ports) do pending[i] = server:ask(("/slow?case=%d&port=%d"):format(i, port)) end
  for i, request in ipairs(pending) do
    local status, body = request.answer()
    assert(status == 200, server:log())
    outcomes[i] = {}
    for name, text in body:gmatch "(%S+)=(%S+)" do outcomes[i][name] = value_of(text) end
  end
  server:stop()
  return outcomes
end

describe("time-outs hold", function()
  local ports, peers, hole = {}, {}, nil

  setup(function()
    hole = { loop.hole() }
    for i, case in ipairs(slow) do
      peers[#peers + 1] = case.script and peer.start(case.script)
      ports[i] = case.script and peers[#peers].port or hole[1]
    end
  end)

  teardown(function()
    for _, one in ipairs(peers) do one:stop() end
    hole[2][1]:close()
  end)

  for name, run in pairs(DRIVERS) do
    describe("with the driver " .. name .. " against", function()
      local outcomes

      setup(function()
        outcomes = run(ports)
      end)

      for i, case in ipairs(slow) do
        it(case.name, function()
          local seen = outcomes[i]
          assert.same({ case.status, case.kind, case.stage }, { seen.status, seen.kind, seen.stage })
          assert.is_true(seen.seconds <= case.seconds + SLACK, ("returned after %.2f s"):format(seen.seconds))
          assert.is_true(seen.seconds >= case.seconds / 2, ("returned after %.2f s"):format(seen.seconds))
          if case.kind == "timeout" then assert.same({ true, true }, { seen.temporary, seen.retry_safe }) end
          if case.kind == "in_doubt" then assert.same({ false, false }, { seen.temporary, seen.retry_safe }) end
        end)
      end
    end)
  end
end)
