--- command: the grammar of command lines (RFC 5321 section 4.1). It reads; whether a command may be given now is
-- session's question, and what is a mailbox the engine's.

local core = require "smtpsec.core"

local command = {}

--- Splits a line, without its CRLF, into its verb and the rest.
---@param line string
---@return string verb upper case
---@return string argument without the space between and spaces at its end
function command.split(line)
  local verb, argument = line:match("^(%S*) ?(.-) *$")
  return verb:upper(), argument
end

-- Where the path that begins at `at`, behind its "<", ends. A quoted local part may hold a ">".
local function path_end(s, at)
  if s:sub(at, at) == '"' then
    repeat
      at = s:find('["\\]', at + 1)
      if not at or s:sub(at, at) == '"' then break end
      at = at + 1
    until false
  end
  return at and s:find(">", at, true)
end

local function parameters(rest)
  local found = {}
  for word in rest:gmatch("%S+") do
    local key, value = word:match("^([%w][%w-]*)=?(.*)$")
    if not key then return nil, "cannot read the parameter " .. word end
    key = key:upper()
    if found[key] then return nil, "the parameter " .. key .. " stands twice" end
    found[key] = value
  end
  return found
end

--- Reads what follows MAIL or RCPT.
---@param argument string
---@param keyword string "FROM" or "TO"
---@param null_allowed boolean whether <> is an answer
---@return string|nil address
---@return table|string params by upper case key; a value that is not there is ""; or what is wrong
---@return boolean|nil internationalized whether the local part is not ASCII
function command.path(argument, keyword, null_allowed)
  local start = #keyword + 3
  if argument:sub(1, start - 1):upper() ~= keyword .. ":<" then
    return nil, keyword .. ":<address> is expected"
  end
  local stop = path_end(argument, start)
  local rest = stop and argument:sub(stop + 1)
  if not stop or rest:find("^[^ ]") then return nil, "the path does not end with >" end
  local address = argument:sub(start, stop - 1)
  local found, wrong = parameters(rest)
  if not found then return nil, wrong end
  if address == "" and null_allowed then return address, found, false end
  local local_part, why, internationalized = core.mailbox(address)
  if not local_part then return nil, "the address " .. why end
  return address, found, internationalized
end

return command
