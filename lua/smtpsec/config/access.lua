--- access: whether a file that holds a secret keeps it.
--
-- Whoever may write to it chooses what is sent in our name: such a file is refused. That others may read it is told
-- and not refused, because containers often mount their secrets so, for a program that runs as nobody in particular.
-- Links are followed, as they are when the file is read. What is no regular file (a pipe, a terminal) is not judged.

local access = {}

local GROUP_WRITES, OTHERS_WRITE, OTHERS_READ = 16, 2, 4 -- of the permission bits

local function has(mode, bit)
  return math.floor(mode / bit) % 2 == 1
end

-- Where systems mount secrets for one program: who owns and who sees what is in such a folder is theirs to say.
local function is_mounted(path, environment)
  local folders = { "/run/secrets", "/var/run/secrets", environment.getenv "CREDENTIALS_DIRECTORY" }
  for _, folder in pairs(folders) do
    if folder ~= "" and path:sub(1, #folder + 1) == folder .. "/" then return true end
  end
  return false
end

--- Why a file is not to be trusted with a secret.
---@param path string
---@param environment table see environment.lua
---@return string? why nil where it is fine
function access.fault(path, environment)
  local mode, owner, us = environment.access(path)
  if not mode then return nil end
  if owner ~= 0 and owner ~= us and not is_mounted(path, environment) then
    return string.format("%s (mode %04o) belongs to another user (%d) than root and the one who reads it (%d), who "
      .. "could change it: chown %d %s", path, mode, owner, us, us, path)
  end
  if has(mode, GROUP_WRITES) or has(mode, OTHERS_WRITE) then
    return string.format("%s (mode %04o) may be written by others than its owner: chmod go-w %s", path, mode, path)
  end
end

--- What is to be told of a file that everybody may read.
---@param path string
---@param what string what stands in it
---@param environment table
---@return string? note nil where there is nothing to tell
function access.note(path, what, environment)
  local mode = environment.access(path)
  if not mode or not has(mode, OTHERS_READ) or is_mounted(path, environment) then return nil end
  return string.format("every user of this machine may read %s (mode %04o), which holds %s: chmod o-r %s", path, mode,
    what, path)
end

return access
