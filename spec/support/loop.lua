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

--- Makes an example of each case of the contract.
---@param run fun(case: table, around: table) runs the case's check with the driver; raises what it raises
function loop.examples(run)
  local it = require "busted".it
  for _, case in ipairs(contract) do
    it(case.name, function()
      local path = keeper.own():new_folder("loop") .. "/socket"
      local tcp = peer.start(case.script)
      local unix = peer.start(case.script, { path = path })
      local hole, held = loop.hole()
      local ok, problem = pcall(run, case, { port = tcp.port, path = path, hole = hole })
      tcp:stop()
      unix:stop()
      held[1]:close()
      if not ok then error(problem, 0) end
    end)
  end
end

return loop
