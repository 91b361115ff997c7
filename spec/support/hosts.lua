--- hosts: programs that see other hosts than this machine does: a name with two addresses, one that never resolves.
--
-- getaddrinfo is replaced by hosts.c, which is compiled when it is first needed.
local keeper = require "spec.support.keeper"
local process = require "spec.support.process"

local hosts = {}

local source = debug.getinfo(1, "S").source:match("^@(.*)%.lua$") .. ".c"
local interpreter = rawget(_G, "jit") and "luajit" or "lua5.4"
local library

local function built()
  if not library then
    local path = keeper.own():new_folder("hosts") .. "/hosts.so"
    process.run(process.command { "cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-O1", "-o", path, source })
    library = path
  end
  return library
end

--- The words to put before a command, so that it sees these hosts.
---@param table string "name=address,address name=2s": see hosts.c
---@return string[] words
function hosts.environment(table)
  local preload = os.getenv "LD_PRELOAD"
  return { "env", "LD_PRELOAD=" .. (preload and preload .. ":" or "") .. built(), "SPEC_HOSTS=" .. table }
end

--- Runs a Lua script that sees these hosts, with the Lua that runs this.
---@param table string
---@param script string
---@param linger? integer seconds that the process stays after the Lua state is closed
---@return string output
function hosts.run(table, script, linger)
  local path = process.write(keeper.own():new_folder("script") .. "/script.lua", script)
  local words = hosts.environment(table)
  words[#words + 1] = linger and ("SPEC_LINGER=%d"):format(linger)
  words[#words + 1] = interpreter
  words[#words + 1] = path
  return process.run(process.command(words))
end

return hosts
