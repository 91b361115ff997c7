--- process: what specs need of the operating system: files, shell commands, root, the clock, and waiting.
--
-- Every command gets /dev/null as standard input and must end by itself; daemons are keeper's. LD_PRELOAD is taken
-- away, so that programs started from a sanitized Lua are not sanitized too.
local system = require "system"

local process = {}

process.now = system.monotime
process.sleep = system.sleep

--- One word of a shell command.
---@param s string
---@return string
function process.quote(s)
  return "'" .. s:gsub("'", "'\\''") .. "'"
end

--- The words of a shell command.
---@param words string[]
---@return string
function process.command(words)
  local quoted = {}
  for i, word in ipairs(words) do
    quoted[i] = process.quote(word)
  end
  return table.concat(quoted, " ")
end

--- The words of a command that loads our modules: when those are sanitized, it needs their sanitizer.
---@param words string[]
---@return string[]
function process.sanitized(words)
  local preload = os.getenv "LD_PRELOAD"
  local all = preload and { "env", "LD_PRELOAD=" .. preload } or {}
  for _, word in ipairs(words) do
    all[#all + 1] = word
  end
  return all
end

--- The content of a file.
---@param path string
---@return string|nil content nil when there is no such file, or it may not be read
function process.read(path)
  local file = io.open(path, "rb")
  if not file then
    return nil
  end
  local content = file:read("*a")
  file:close()
  return content
end

--- Writes a file whole.
---@param path string
---@param content string
---@return string path
function process.write(path, content)
  local file = assert(io.open(path, "wb"))
  assert(file:write(content))
  assert(file:close())
  return path
end

--- Runs a shell command to its end.
---@param command string
---@return boolean success whether it ended with status 0
---@return string output what it wrote, standard error included
function process.try(command)
  local pipe = assert(io.popen("( unset LD_PRELOAD\n" .. command .. "\n) 2>&1 </dev/null; printf '\\n%d' $?"))
  local output, status = pipe:read("*a"):match("^(.*)\n(%d+)$")
  pipe:close()
  return status == "0", output or ""
end

--- Runs a shell command that must succeed; error() with its output when it does not.
---@param command string
---@return string output
function process.run(command)
  local success, output = process.try(command)
  if not success then
    error("failed: " .. command .. "\n" .. output, 2)
  end
  return output
end

--- This process's id.
---@return integer
function process.id()
  return tonumber(process.read("/proc/self/stat"):match("^%d+"))
end

--- This process's user and group id.
---@return integer user
---@return integer group
function process.identity()
  local status = process.read("/proc/self/status")
  return tonumber(status:match("Uid:%s+(%d+)")), tonumber(status:match("Gid:%s+(%d+)"))
end

--- Whether a process runs; a zombie does not.
---@param pid integer
---@return boolean
function process.alive(pid)
  local stat = process.read("/proc/" .. ("%d"):format(pid) .. "/stat")
  return stat ~= nil and not stat:find("^%d+ %(.*%) [ZX]")
end

--- The same command for `try` and `run`, as root: through sudo when this process is not root.
---@param command string
---@return string
function process.as_root(command)
  if process.identity() == 0 then
    return command
  end
  return "sudo -n sh -c " .. process.quote(command)
end

--- Asks until the answer is true, for a bounded time.
---@param question fun():any
---@param seconds number
---@return any answer the first true one, else the last one
function process.wait(question, seconds)
  local deadline = process.now() + seconds
  local answer = question()
  while not answer and process.now() < deadline do
    process.sleep(0.01)
    answer = question()
  end
  return answer
end

return process
