--- token: strings that nobody can guess and that never come twice, for boundaries and message identifiers.

local core = require "smtpsec.core"

local token = {}

--- 32 hexadecimal digits, 128 bits from the system's generator.
---@param before? string what the string begins with
---@param after? string what it ends with
---@return string
token.new = core.token

return token
