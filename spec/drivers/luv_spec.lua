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
  end)
end)
