local loop = require "spec.support.loop"
local process = require "spec.support.process"

describe("the socket driver", function()
  local driver = require "smtpsec.io.socket"

  loop.examples(function(case, around)
    around.sleep = process.sleep
    case.check(driver, around)
  end)
end)
