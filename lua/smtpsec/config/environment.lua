--- environment: what surrounds the process, as far as configuration looks at it: its variables and its files. Kept
-- apart so that a spec can hand in another one.

local core = require "smtpsec.core"

local environment = {}

--- Most bytes that are read of any file here. Certificates are not read here, OpenSSL does that itself.
environment.MAX_FILE = 262144

-- The system would open what stands before a NUL.
local function open(path)
  if path:find("\0", 1, true) then return nil, path .. ": has a NUL, and no file has it in its name" end
  return io.open(path, "rb")
end

--- The whole of a small file.
---@param path string
---@return string? text
---@return string? why
---@return integer? errno
function environment.read(path)
  local file, why, errno = open(path)
  if not file then return nil, why, errno end
  local text
  text, why, errno = file:read(environment.MAX_FILE + 1)
  file:close()
  if not text and why then return nil, path .. ": " .. why, errno end
  if text and #text > environment.MAX_FILE then return nil, path .. ": is larger than 256 KiB" end
  return text or ""
end

--- Whether a file can be opened.
---@param path string
---@return boolean? ok
---@return string? why
function environment.readable(path)
  local file, why = open(path)
  if not file then return nil, why end
  file:close()
  return true
end

--- An environment: the real one, where `other` has nothing else for getenv, read, readable and access (see
-- core.file_access). Another one with files of its own says itself who may touch them.
---@param other? table
---@return table
function environment.new(other)
  other = other or {}
  return {
    getenv = other.getenv or os.getenv,
    read = other.read or environment.read,
    readable = other.readable or environment.readable,
    access = other.access or (other.read or other.readable) and function() end or core.file_access,
  }
end

return environment
