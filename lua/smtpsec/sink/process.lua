--- process: a sink in a process of its own, and the handle of it: for scripts that mail with blocking sockets and
-- need somebody at the other end meanwhile.
--
-- The child (child.lua) is the same Lua with the same paths. It is told everything over a unix socket in a private
-- folder that is gone once they have met, so nothing shows on a command line, and it ends when that socket does: with
-- stop(), with the handle's collection, or with this process, however it dies. No process is ever killed.

local errors = require "smtpsec.errors"
local frames = require "smtpsec.sink.frames"
local options = require "smtpsec.sink.options"
local shell = require "smtpsec.sink.shell"
local sock = require "smtpsec.sock"

local process = {}

local ANSWER_SECONDS = 60 -- for the child to start, or to answer what it can answer at once
local READ_MAX = 65536

local Handle = { __name = "smtpsec.sink.process" }
Handle.__index = Handle

-- What this Lua was started as; where that cannot be known (in a program that is no Lua), what its kind is called.
local function interpreter()
  local arg, first = rawget(_G, "arg"), 0
  while type(arg) == "table" and arg[first - 1] do first = first - 1 end
  if first < 0 then return arg[first] end
  return rawget(_G, "jit") and "luajit" or _VERSION:lower():gsub(" ", "")
end

local function command(lua, path)
  local chunk = string.format("package.path, package.cpath = %q, %q; require('smtpsec.sink.child').main(%q)",
    package.path, package.cpath, path)
  return "exec " .. shell.words { lua, "-E", "-e", chunk } .. " 2>&1"
end

-- The sink failed: the first thing that its process wrote is why.
local function broken(self)
  self.control:close()
  local words = self.pipe:read("*l")
  self:abandon()
  return nil, errors.new("closed", "the sink has ended" .. (words and ": " .. words or ""))
end

-- Asks the child, or tells it, and returns its answer.
local function ask(self, question, seconds)
  local ends = sock.now() + seconds
  local written = self.control:write(frames.encode(question), seconds)
  while written do
    local whole, value = self.reader:next()
    if whole then return value end
    local bytes = self.control:read(READ_MAX, ends - sock.now())
    if not bytes then break end
    self.reader:feed(bytes)
  end
  return broken(self)
end

-- Starts the child; it has connected, or has said why it cannot, when its first line is there.
local function spawn(self, lua, folder)
  local path = folder .. "/control"
  local listener, text = sock.listen { path = path }
  if not listener then return nil, errors.new("config", "the sink cannot be talked to: " .. text) end
  self.pipe = assert(io.popen(command(lua, path), "r"))
  local line = self.pipe:read("*l")
  self.control = line == "connected" and listener:accept(0)
  listener:remove()
  listener:close()
  if self.control then return true end
  self:abandon()
  return nil, errors.new("config", "the sink does not start: " .. (line or "no word from " .. lua))
end

--- Starts a sink in a process of its own.
---@param given? table see sink.lua
---@return table|nil handle
---@return table|nil err
function process.start(given)
  local o = options.complete(given)
  local folder, why = shell.private_folder()
  if not folder then return nil, errors.new("config", "the sink has no folder to begin in: " .. why) end
  local self = setmetatable({ reader = frames.reader(), kept = {}, entries = {}, last = 0 }, Handle)
  local done, err = spawn(self, o.lua or interpreter(), folder)
  os.remove(folder)
  if not done then return nil, err end
  local started
  started, err = ask(self, given or {}, ANSWER_SECONDS)
  if not started then return nil, err end
  if started.failure then
    self:abandon()
    return nil, errors.new("config", started.failure)
  end
  self.host, self.port, self.ports, self.ca_file = o.host, started.port, started.ports, started.ca_file
  return self
end

-- Fetches what is new, when there are `wait` mails or the seconds are over.
local function refresh(self, wait, seconds)
  while self.control do
    local answer, err = ask(self, { mails = #self.kept, journal = self.last, wait = wait, seconds = seconds },
      seconds + ANSWER_SECONDS)
    if not answer then return nil, err end
    for _, mail in ipairs(answer.mails) do self.kept[#self.kept + 1] = mail end
    for _, entry in ipairs(answer.entries) do self.entries[#self.entries + 1] = entry end
    self.last = answer.last
    if not answer.more then break end
    wait, seconds = 0, 0
  end
  return true
end

local function copy(list)
  local all = {}
  for i, one in ipairs(list) do all[i] = one end
  return all
end

--- The mails that were accepted so far, in that order; after stop(), all of them.
---@return table[]|nil mails
---@return table|nil err where the process has ended by itself
function Handle:mails()
  local done, err = refresh(self, 0, 0)
  if not done then return nil, err end
  return copy(self.kept)
end

--- What happened so far.
---@return table[]|nil entries
---@return table|nil err
function Handle:journal()
  local done, err = refresh(self, 0, 0)
  if not done then return nil, err end
  return copy(self.entries)
end

--- Waits until there are so many mails.
---@param n integer
---@param seconds? number 10
---@return table[]|nil mails
---@return table|nil err of kind "timeout" when they are too few
function Handle:wait_for(n, seconds)
  seconds = seconds or 10
  local done, err = refresh(self, n, seconds)
  if not done then return nil, err end
  if #self.kept >= n then return copy(self.kept) end
  return nil, errors.new("timeout", string.format("%d of %d mails came in %g s", #self.kept, n, seconds))
end

-- Lets go of the child and waits for its end.
function Handle:abandon()
  if self.control then self.control:close() end
  if self.pipe then self.pipe:close() end
  self.control, self.pipe = nil, nil
end

--- Ends the sink: returns when its process is gone. Mails and journal can still be read; stopping again does nothing.
function Handle:stop()
  if not self.control then return end
  if refresh(self, 0, 0) then self:abandon() end
end

Handle.__close = Handle.stop

return process
