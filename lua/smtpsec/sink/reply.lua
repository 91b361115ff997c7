--- reply: what a reply looks like on the wire, and what becomes of it where a rule of faults.lua strikes.

local reply = {}

--- Formats a reply; with several lines, each but the last has a hyphen behind the code.
---@param code integer
---@param enhanced string|nil enhanced status code, put into each line
---@param text string|string[]
---@return string bytes
function reply.format(code, enhanced, text)
  local lines = type(text) == "table" and text or { text }
  local prefix, out = enhanced and enhanced .. " " or "", {}
  for i, line in ipairs(lines) do
    out[i] = string.format("%d%s%s%s\r\n", code, i < #lines and "-" or " ", prefix, line)
  end
  return table.concat(out)
end

--- What a rule says instead.
---@param fault table
---@param honest string what is said where the rule does not speak about that
---@return string bytes
function reply.said(fault, honest)
  if fault.reply then return fault.reply ~= "" and fault.reply .. "\r\n" or "" end
  return fault.drop and "" or honest
end

--- The code that a rule says; nil where it says none.
---@param fault table
---@param honest integer
---@return integer|nil
function reply.code(fault, honest)
  if fault.reply then return tonumber(fault.reply:match("^%d%d%d")) end
  return not fault.drop and honest or nil
end

--- Whether a command takes effect, seen from what a rule says. Dropping the connection instead of answering leaves in
-- doubt what became of the command: here it was done.
---@param fault table
---@param honest integer
---@return boolean
function reply.takes_effect(fault, honest)
  local code = fault.reply and (reply.code(fault) or 500) or honest
  return code < 400
end

local CLOSE = { [true] = "drop", reset = "reset" }

--- The act (see session.lua) that carries a reply.
---@param fault table
---@param said string
---@param hold number seconds for which every reply is held
---@return table act
function reply.act(fault, said, hold)
  return {
    bytes = said .. (fault.inject or ""), delay = (fault.delay or 0) + hold, trickle = fault.trickle,
    close = CLOSE[fault.drop],
  }
end

return reply
