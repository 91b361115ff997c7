--- helper: what busted loads once, before the spec files.
--
-- busted forgets after each spec file the modules it loaded; those loaded here stay, and with them the servers they
-- have started, until the end of the run.
local busted = require "busted"
local keeper = require "spec.support.keeper"
require "spec.support.servers"

busted.subscribe({ "exit" }, function()
  keeper.close_all()
  return nil, true
end)
