-- Every bound against every kind of slowness, in every driver, each in its own loop: a call returns within the bound
-- of its step and one second more. In the loops all cases run at once; plain sockets block, and take them one by one.
local loop = require "spec.support.loop"
local nginx = require "spec.support.nginx"
local peer = require "spec.support.peer"
local slow = require "spec.support.slow"

local SLACK = 1

-- How each driver runs all cases: run(places) returns the outcomes.
local DRIVERS = {}

function DRIVERS.socket(places)
  local outcomes = {}
  for i, place in ipairs(places) do outcomes[i] = slow.run(i, place, "socket") end
  return outcomes
end

function DRIVERS.cqueues(places)
  local controller, outcomes = require "cqueues".new(), {}
  for i, place in ipairs(places) do
    controller:wrap(function() outcomes[i] = slow.run(i, place, "cqueues") end)
  end
  assert(controller:loop())
  return outcomes
end

function DRIVERS.luv(places)
  local uv, outcomes = require "luv", {}
  for i, place in ipairs(places) do
    coroutine.wrap(function() outcomes[i] = slow.run(i, place, "luv") end)()
  end
  uv.run()
  return outcomes
end

local HANDLER = [[
  location = /slow {
    content_by_lua_block {
      local outcome = require "spec.support.slow".run(tonumber(ngx.var.arg_case),
        { port = tonumber(ngx.var.arg_port) }, "nginx")
      for name, value in pairs(outcome) do ngx.say(name, "=", tostring(value)) end
    }
  }
]]

local function value_of(text)
  if text == "true" or text == "false" then return text == "true" end
  return tonumber(text) or text
end

function DRIVERS.nginx(places)
  local server = nginx.start { http = "lua_socket_log_errors off;", server = HANDLER }
  local pending, outcomes = {}, {}
  for i, place in ipairs(places) do pending[i] = server:ask(("/slow?case=%d&port=%d"):format(i, place.port)) end
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
  local places, peers, hole = {}, {}, nil

  setup(function()
    for i, case in ipairs(slow) do
      if case.hole then
        hole = hole or { loop.hole() }
        places[i] = { port = hole[1] }
      else
        peers[#peers + 1] = peer.start(case.script)
        places[i] = peers[#peers]
      end
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
        outcomes = run(places)
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
