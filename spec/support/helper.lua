--- helper: what busted loads once, before the spec files.
--
-- busted forgets after each spec file the modules it loaded; those loaded here stay, and with them the servers they
-- have started, until the end of the run.
local busted = require "busted"
require("spec.support.secrets").watch(busted)
local keeper = require "spec.support.keeper"
require "spec.support.servers"
pcall(require, "luv") -- it crashes when it is loaded a second time after the first copy was collected

-- `make gcstress`: a collector that begins its next cycle as soon as one is over frees at once whatever is not held.
if os.getenv "SMTPSEC_GC" == "stress" then
  collectgarbage("setpause", 0)
  collectgarbage("setstepmul", 200)
end

busted.subscribe({ "exit" }, function()
  keeper.close_all()
  return nil, true
end)
