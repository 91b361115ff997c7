--- records: how much text has crossed a connection, seen from outside of its encryption.
--
-- A record of TLS 1.3 says its length in clear (RFC 8446 section 5.2), and nobody can read any of it before its last
-- byte. The texts of both sides are the same in each run, so that their lengths tell which text it was.

local records = {}

local APPLICATION, OVERHEAD = 23, 17 -- the type within, and the tag

--- The lengths of the texts in the whole protected records, in their order.
---@param bytes string of one direction, from the first on
---@return integer[]
function records.lengths(bytes)
  local list, at = {}, 1
  while at + 4 <= #bytes do
    local kind, _, _, high, low = bytes:byte(at, at + 4)
    local size = high * 256 + low
    if at + 4 + size > #bytes then break end
    if kind == APPLICATION then list[#list + 1] = size - OVERHEAD end
    at = at + 5 + size
  end
  return list
end

--- How much text of the dialogue there is, after those records that belong to the handshake.
---@param bytes string
---@param before integer records of the handshake
---@return integer
function records.text(bytes, before)
  local sum = 0
  for i, length in ipairs(records.lengths(bytes)) do
    if i > before then sum = sum + length end
  end
  return sum
end

--- How many records of the handshake come before one of a given length.
---@param bytes string
---@param length integer
---@return integer?
function records.before(bytes, length)
  for i, n in ipairs(records.lengths(bytes)) do
    if n == length then return i - 1 end
  end
end

return records
