--- token: strings that nobody can guess and that never come twice, for boundaries and message identifiers.

local core = require "smtpsec.core"

local token = {}

--- 32 hexadecimal digits, 128 bits from the system's generator.
---@return string
function token.new()
  return (core.random(16):gsub(".", function(byte) return string.format("%02x", byte:byte()) end))
end

return token
