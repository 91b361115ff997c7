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
