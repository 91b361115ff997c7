--- ports: TCP ports on 127.0.0.1 for servers that must be told theirs beforehand.
--
-- Each test process reserves a block of ports for its lifetime, so that two that run side by side (one for each Lua)
-- never choose the same; the blocks lie below the range from which the kernel takes ports of outgoing connections.
-- A block is reserved by a symbolic link that names the process, and is free again when that process has ended.
-- Blocks are tried in random order, for the sake of runs in containers that share the network, but not the links.
local process = require "spec.support.process"

local ports = {}

local first_block, last_block, block_size = 200, 319, 100
local next_port, end_of_block

local reserve = [[
links=/tmp/smtpsec-ports
mkdir -m 1777 "$links" 2>/dev/null
exec 9<"$links" && flock 9
for block in $(shuf -i %d-%d); do
  owner=$(readlink "$links/$block") && { [ -d "/proc/$owner" ] || rm -f "$links/$block"; }
  ln -s %d "$links/$block" 2>/dev/null && printf %%s "$block" && exit
done
echo "all blocks of ports are reserved in $links" && exit 1]]

-- The local ports in the kernel's table of IPv4 or IPv6 sockets; with `state`, only of sockets in that state.
local function used(table_name, state)
  local set = {}
  local pattern = "\n%s*%d+: %x+:(%x+) %x+:%x+ " .. (state or "%x+")
  for port in (process.read("/proc/net/" .. table_name) or ""):gmatch(pattern) do
    set[tonumber(port, 16)] = true
  end
  return set
end

--- A port that nothing uses.
---@return integer
function ports.take()
  if not next_port then
    local block = tonumber(process.run(reserve:format(first_block, last_block, process.id())))
    next_port, end_of_block = block * block_size, (block + 1) * block_size
  end
  local taken, taken6 = used "tcp", used "tcp6"
  while taken[next_port] or taken6[next_port] do
    next_port = next_port + 1
  end
  assert(next_port < end_of_block, "this process has used up its ports")
  next_port = next_port + 1
  return next_port - 1
end

--- Whether something listens on every port of a list (or map).
---@param list table<any, integer>
---@return boolean
function ports.listening(list)
  local set = used("tcp", "0A")
  for _, port in pairs(list) do
    if not set[port] then
      return false
    end
  end
  return true
end

return ports
