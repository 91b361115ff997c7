--- command: runs a shell command and says what it printed and how it ended. It blocks.

local command = {}

--- LuaJIT's close() does not tell how a command ended, so the shell says it on a line of its own.
---@param line string a shell command; where its input and errors go is its own business
---@param limit? integer most bytes of output that are read
---@return string|nil output nil where it could not be run
---@return string status "0" after success, "unknown" where the output was cut; or why it could not be run
function command.capture(line, limit)
  local pipe, why = io.popen("(\n" .. line .. "\n)\nprintf '\\n%d' \"$?\"", "r")
  if not pipe then return nil, why end
  local text = pipe:read(limit or "*a") or ""
  pipe:close()
  local output, status = text:match("^(.*)\n(%d+)$")
  return output or text, status or "unknown"
end

return command
