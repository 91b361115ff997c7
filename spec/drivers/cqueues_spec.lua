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

  loop.side_by_side(driver, run, cqueues.sleep)

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
