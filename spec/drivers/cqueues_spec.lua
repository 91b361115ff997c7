local loop = require "spec.support.loop"
local peer = require "spec.support.peer"

describe("the cqueues driver", function()
  local cqueues = require "cqueues"
  local driver = require "smtpsec.io.cqueues"

  -- Runs the functions side by side; raises the first error of any.
  local function run(...)
    local controller = cqueues.new()
    for _, work in ipairs { ... } do
      controller:wrap(work)
    end
    assert(controller:loop())
  end

  loop.examples(function(case, around)
    around.sleep = cqueues.sleep
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
        cqueues.sleep(0.01)
        ticks = ticks + 1
      end
    end)
    assert.is_true(driver.now() - started < 1.2)
    assert.is_true(ticks > 20)
    slow:stop()
  end)

  it("forgets a descriptor before its number is used again", function()
    local speaker = peer.start { { sleep = 0.02 }, { send = "x" }, { drain = true } }
    run(function()
      for _ = 1, 50 do
        local stream = assert(driver.connect({ host = "127.0.0.1", port = speaker.port }, 2))
        assert(stream:read(1, 2) == "x")
        stream.socket:close()
      end
    end)
    speaker:stop()
  end)
end)
