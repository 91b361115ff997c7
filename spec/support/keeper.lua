--- keeper: folders and daemons that end with this test process, even when it crashes.
--
-- A keeper is a small shell process (keeper.sh) that owns one folder and the daemons started in it; it acts when it
-- is told to, and cleans up when the pipe from here ends. It must stay the only one to start daemons: a child of this
-- process would inherit the pipe and keep it open.
local process = require "spec.support.process"

local keeper = {}
keeper.__index = keeper

local script = debug.getinfo(1, "S").source:match("^@(.*)%.lua$") .. ".sh"
local open = {}
local own

--- Starts a keeper with an empty folder.
---@param as_root boolean|nil its daemons run as root, through sudo when this process does not, and the folder, still
--- ours, lies where the users to whom they change can reach it
---@return table keeper `folder` is its path
function keeper.new(as_root)
  local folder = process.run(as_root and 'd=$(mktemp -d /tmp/smtpsec-XXXXXX) && chmod 755 "$d" && printf %s "$d"'
    or 'printf %s "$(mktemp -d -t smtpsec-XXXXXX)"')
  local command = "exec sh " .. process.command { script, folder }
  local self = {
    folder = folder,
    pipe = assert(io.popen(as_root and process.as_root(command) or command, "w")),
    folders = 0,
  }
  open[#open + 1] = self
  return setmetatable(self, keeper)
end

--- The keeper for what needs no privileges: temporary folders, scripted peers. Made at its first use.
---@return table keeper
function keeper.own()
  own = own or keeper.new()
  return own
end

--- Makes an empty folder in the keeper's.
---@param label string what it is for, the beginning of its name
---@return string path
function keeper:new_folder(label)
  self.folders = self.folders + 1
  local path = ("%s/%s-%d"):format(self.folder, label, self.folders)
  process.run("mkdir -m 755 " .. process.quote(path))
  return path
end

local function tell(self, words)
  local line = process.command(words)
  assert(not line:find("\n"), "a line break in a command for the keeper")
  assert(self.pipe:write(line, "\n"))
  assert(self.pipe:flush())
end

local function pid_file(self, name)
  return self.folder .. "/" .. name .. ".pid"
end

--- The process id of a daemon.
---@param name string
---@return integer|nil pid nil when it was never started, or was ended
function keeper:pid(name)
  return tonumber(process.read(pid_file(self, name)) or "")
end

--- Starts a daemon; it must stay in the foreground, so that its process id is the one that is known here.
---@param name string its name here, a plain word
---@param argv string[]
---@return integer pid
function keeper:spawn(name, argv)
  local words = { "spawn", name }
  for _, word in ipairs(argv) do
    words[#words + 1] = word
  end
  tell(self, words)
  return assert(process.wait(function() return self:pid(name) end, 5), "the keeper did not start " .. name)
end

--- What a daemon wrote to its standard output and error.
---@param name string
---@return string
function keeper:output(name)
  return process.read(self.folder .. "/" .. name .. ".out") or ""
end

--- Ends a daemon and waits until it is gone.
---@param name string
function keeper:stop(name)
  tell(self, { "end", name })
  assert(process.wait(function() return not self:pid(name) end, 10), "the keeper did not end " .. name)
end

--- Ends every daemon of every keeper and removes their folders; returns when that is done.
function keeper.close_all()
  for i = #open, 1, -1 do
    open[i].pipe:close()
    open[i] = nil
  end
  own = nil
end

return keeper
