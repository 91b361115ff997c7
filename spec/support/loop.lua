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

return loop
