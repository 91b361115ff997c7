--- dns_process PORTFILE NAME=ADDRESS,…: the process of a name server; see dns.lua. RFC 1035: A records of the
-- names, no data for other types, no such name for others.
local uv = require "luv"

local names = {}
for i = 2, #arg do
  local name, addresses = arg[i]:match("^(.-)=(.*)$")
  names[name] = {}
  for address in addresses:gmatch("[^,]+") do
    table.insert(names[name], (address:gsub("(%d+)%.?", function(n) return string.char(tonumber(n)) end)))
  end
end

local function number(n)
  return string.char(math.floor(n / 256), n % 256)
end

-- The answer to a query with one question, nil for none.
local function answer(query)
  local labels, at = {}, 13
  while query:byte(at) ~= 0 do
    labels[#labels + 1] = query:sub(at + 1, at + query:byte(at))
    at = at + 1 + query:byte(at)
  end
  local question, kind = query:sub(13, at + 4), query:byte(at + 2)
  local addresses = names[table.concat(labels, "."):lower()]
  if addresses and #addresses == 0 then return nil end
  local records = {}
  for _, address in ipairs(kind == 1 and addresses or {}) do
    records[#records + 1] = "\192\12\0\1\0\1\0\0\0\1\0\4" .. address
  end
  return query:sub(1, 2) .. "\129" .. (addresses and "\128" or "\131") .. "\0\1" .. number(#records) .. "\0\0\0\0"
    .. question .. table.concat(records)
end

local server = uv.new_udp()
assert(server:bind("127.0.0.1", 0))
server:recv_start(function(_, query, from)
  local reply = query and #query > 12 and answer(query)
  if reply then server:try_send(reply, from.ip, from.port) end
end)
local file = assert(io.open(arg[1], "w"))
file:write(("%d"):format(server:getsockname().port))
file:close()
uv.run()
