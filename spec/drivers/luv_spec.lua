local loop = require "spec.support.loop"
local peer = require "spec.support.peer"

describe("the luv driver", function()
  local uv = require "luv"
  local driver = require "smtpsec.io.luv"

  -- Runs the functions side by side, each in a coroutine; raises the first error of any.
  local function run(...)
    local problem
    for _, work in ipairs { ... } do
      coroutine.wrap(function()
        local ok, text = pcall(work)
        problem = problem or not ok and text
      end)()
    end
    uv.run()
    if problem then error(problem, 0) end
  end

  local function sleep(seconds)
    local co = coroutine.running()
    local timer = uv.new_timer()
    timer:start(math.ceil(seconds * 1000), 0, function()
      timer:close()
      assert(coroutine.resume(co))
    end)
    coroutine.yield()
  end

  loop.examples(function(case, around)
    around.sleep = sleep
    run(function() case.check(driver, around) end)
  end)

  loop.side_by_side(driver, run, sleep)

  it("leaves nothing in the loop", function()
    local quick = peer.start { { send = "x" }, { drain = true } }
    run(function()
      local stream = assert(driver.connect({ host = "127.0.0.1", port = quick.port }, 2))
      stream:read(1, 2)
      stream:read(1, 0.01)
      stream:close()
    end)
    assert.is_false(uv.loop_alive())
    quick:stop()
  end)

  it("leaves nothing of a crew in the loop", function()
    local silent = peer.start { { stall = true } }
    local went_on = false
    run(function()
      local crew = driver.crew()
      local stream = assert(driver.connect({ host = "127.0.0.1", port = silent.port }, 2))
      crew:start(1, function()
        stream:read(1, 60)
        went_on = true
      end)
      crew:start(2, function()
        driver.sleep(60)
        went_on = true
      end)
      crew:start(3, function() driver.sleep(0.01) end)
      assert(crew:wait(5) == 3)
      crew:close()
      stream:close()
    end)
    assert.is_false(uv.loop_alive())
    assert.is_false(went_on)
    silent:stop()
  end)

  it("goes on where no descriptor is left to wait with", function()
    local sock = require "smtpsec.sock"
    local watch, calls, bytes = sock.watch, 0, nil
    local late = peer.start { { sleep = 0.05 }, { send = "x" }, { drain = true } }
    finally(function() sock.watch = watch end)
    run(function()
      local stream = assert(driver.connect({ host = "127.0.0.1", port = late.port }, 2))
      sock.watch = function()
        calls = calls + 1
        return nil, "error", "Too many open files"
      end
      bytes = stream:read(1, 5)
      stream:close()
    end)
    late:stop()
    assert.equal("x", bytes)
    assert.is_true(calls > 0)
  end)

  local give_up = coroutine.close -- luacheck: compat
  local it_gives_up = give_up and it or function() end -- LuaJIT has none

  it_gives_up("survives that its coroutine is closed", function()
    local late = peer.start { { sleep = 0.05 }, { send = "x" }, { drain = true } }
    local went_on = false
    local co = coroutine.create(function()
      local stream = assert(driver.connect({ host = "127.0.0.1", port = late.port }, 2))
      stream:read(1, 1)
      went_on = true
    end)
    run(function()
      assert(coroutine.resume(co))
      sleep(0.02)
      assert(give_up(co))
      sleep(0.1)
    end)
    late:stop()
    assert.equal("dead", coroutine.status(co))
    assert.is_false(went_on)
    assert.is_false(uv.loop_alive())
  end)

  it("says that it needs a coroutine", function()
    local stream, why, text
    local co, main = coroutine.running()
    if co and not main then
      pending("busted runs examples in a coroutine here")
      return
    end
    stream, why, text = driver.connect({ host = "127.0.0.1", port = 1 }, 1)
    assert.is_nil(stream)
    assert.equal("connect", why)
    assert.matches("coroutine", text)
    local crew
    crew, text = driver.crew()
    assert.is_nil(crew)
    assert.matches("coroutine", text)
    assert.has_error(function() driver.sleep(1) end, "smtpsec: " .. text)
  end)
end)
