--- Names that were found a moment ago: the address that answered is tried first when the same name is wanted again.
--
-- A lookup takes a thread of its own and often a packet, and a program that sends a hundred mails over a hundred
-- connections would make a hundred. A minute is what other clients keep a name for, too; an address that does not
-- answer at once is forgotten, and the name looked up anew.
--
-- @module smtpsec.io.names

local sock = require "smtpsec.sock"

local names = {}

--- How long an address may take to answer before the name is looked up again, seconds; never more than half of the time
-- that there is.
names.PATIENCE = 2

local FRESH = 60 -- seconds
local MOST = 64 -- names; then it begins anew

local known, count = {}, 0

--- The address that answered for a name.
---@param name string?
---@return string? address
function names.find(name)
  local entry = known[name or ""]
  if entry and sock.now() < entry.ends then return entry.address end
end

--- Remembers the address that answered.
---@param name string?
---@param address string?
function names.keep(name, address)
  if not name or not address or name == address then return end
  if not known[name] then count = count + 1 end
  if count > MOST then known, count = {}, 1 end
  known[name] = { address = address, ends = sock.now() + FRESH }
end

--- Forgets it.
---@param name string?
function names.forget(name)
  if name and known[name] then known[name], count = nil, count - 1 end
end

return names
