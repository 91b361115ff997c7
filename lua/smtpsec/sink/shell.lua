--- shell: what the sink needs of the operating system and plain Lua does not have: folders, and openssl.

local command = require "smtpsec.command"

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

--- Runs a command to its end.
---@param line string
---@return string|nil output standard error included
---@return string|nil why one line, when it did not end with status 0
function shell.run(line)
  local output, status = command.capture("{ " .. line .. "\n} 2>&1 </dev/null")
  if not output then return nil, status end
  if status == "0" then return output end
  return nil, output:match("([^\n]+)\n*$") or "it failed with status " .. status
end

--- Makes a folder that only this user can enter.
---@return string|nil path
---@return string|nil why
function shell.private_folder()
  local output, why = shell.run("mktemp -d")
  return output and output:match("^[^\n]+"), why
end

return shell
