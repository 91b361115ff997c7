--- loop: the contract of a driver, as busted's examples: see spec/drivers/contract.lua.
local contract = require "spec.drivers.contract"
local keeper = require "spec.support.keeper"
local peer = require "spec.support.peer"
local sock = require "smtpsec.sock"

local loop = {}

--- A port where connections get no answer, because the queue of its listener is full.
---@param host? string "127.0.0.1" when not given
---@param port? integer any free one when not given
---@return integer port, table held what keeps it so; the first is the listener, to close
function loop.hole(host, port)
  host = host or "127.0.0.1"
  local listener = assert(sock.listen { host = host, port = port, backlog = 0 })
  local held = { listener }
  for _ = 1, 3 do
    held[#held + 1] = sock.connect { host = host, port = listener:port(), timeout = 0.02 }
  end
  return listener:port(), held
end

-- What a case needs around it, each with a function that ends it.
local surroundings = {
  port = function(script)
    local server = peer.start(script)
    return server.port, function() server:stop() end
  end,
  path = function(script)
    local path = keeper.own():new_folder("loop") .. "/socket"
    local server = peer.start(script, { path = path })
    return path, function() server:stop() end
  end,
  hole = function()
    local port, held = loop.hole()
    return port, function() held[1]:close() end
  end,
}

--- Makes an example of each case of the contract.
---@param run fun(case: table, around: table) runs the case's check with the driver; raises what it raises
function loop.examples(run)
  local it = require "busted".it
  for _, case in ipairs(contract) do
    it(case.name, function()
      local place, finish = surroundings[case.at](case.script)
      local ok, problem = pcall(run, case, { [case.at] = place })
      finish()
      if not ok then error(problem, 0) end
    end)
  end
end

--- Makes the examples of a driver in an event loop that other work goes on in.
---@param driver table
---@param run fun(...) runs functions side by side in the loop, until they end; raises the first error of any
---@param sleep fun(seconds: number) as the loop's own users sleep
function loop.side_by_side(driver, run, sleep)
  local it, assert = require "busted".it, require "luassert"

  it("lets two transfers and a clock run side by side", function()
    local slow = peer.start { { sleep = 0.4 }, { send = "220\n" }, { take = 1000000 }, { drain = true } }
    local ticks, done = 0, 0
    local started = driver.now()
    local function transfer()
      local stream = assert(driver.connect({ host = "localhost", port = slow.port }, 2))
      assert(stream:read(100, 2) == "220\n")
      assert(stream:write(("x"):rep(1000000), 5) == 1000000)
      stream:close()
      done = done + 1
    end
    run(transfer, transfer, function()
      while done < 2 do
        sleep(0.01)
        ticks = ticks + 1
      end
    end)
    assert.is_true(driver.now() - started < 1.2)
    assert.is_true(ticks > 20)
    slow:stop()
  end)

  it("lets the functions of a crew wait for other things of the loop", function()
    local speaker = peer.start { { expect = "go" }, { send = "x" }, { drain = true } }
    local order = {}
    local function talk()
      local stream = assert(driver.connect({ host = "127.0.0.1", port = speaker.port }, 2))
      stream:write("go\n", 2)
      local bytes = stream:read(1, 2)
      stream:close()
      return bytes
    end
    run(function()
      local crew = driver.crew()
      for i = 1, 3 do
        crew:start(i, function()
          local before = talk()
          sleep(0.02)
          return before .. talk()
        end)
      end
      for _ = 1, 3 do
        local _, ok, bytes = crew:wait(5)
        order[#order + 1] = tostring(ok) .. " " .. tostring(bytes)
      end
    end, function()
      sleep(0.001)
      order[1] = "loop"
    end)
    assert.same({ "loop", "true xx", "true xx", "true xx" }, order)
    speaker:stop()
  end)
end

return loop
