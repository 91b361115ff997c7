--- shell: what the sink needs of the operating system and plain Lua does not have: folders, and openssl.

local shell = {}

--- One word of a shell command.
---@param s string
---@return string
function shell.quote(s)
  return "'" .. s:gsub("'", "'\\''") .. "'"
end

--- The words of a shell command.
---@param words string[]
---@return string
function shell.words(words)
  local quoted = {}
  for i, word in ipairs(words) do quoted[i] = shell.quote(word) end
  return table.concat(quoted, " ")
end

--- Runs a command to its end. LuaJIT's close() does not tell how it ended, so the shell says it on a line of its own.
---@param command string
---@return string|nil output standard error included
---@return string|nil why one line, when it did not end with status 0
function shell.run(command)
  local pipe, why = io.popen("{ " .. command .. "\n} 2>&1 </dev/null; printf '\\n%d' $?")
  if not pipe then return nil, why end
  local output, status = pipe:read("*a"):match("^(.*)\n(%d+)$")
  pipe:close()
  if status == "0" then return output end
  local last = output and output:match("([^\n]+)\n*$")
  return nil, last or "it failed with status " .. (status or "unknown")
end

--- Makes a folder that only this user can enter.
---@return string|nil path
---@return string|nil why
function shell.private_folder()
  local output, why = shell.run("mktemp -d")
  return output and output:match("^[^\n]+"), why
end

return shell
