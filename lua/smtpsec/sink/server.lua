--- server: the sink's loop: it accepts on its listeners and serves all connections in one thread, waiting for sockets
-- and for the time of whatever was told to be slow. Nothing in it blocks but the wait.

local connection = require "smtpsec.sink.connection"
local core = require "smtpsec.core"
local errors = require "smtpsec.errors"
local faults = require "smtpsec.sink.faults"
local journal = require "smtpsec.sink.journal"
local maildir = require "smtpsec.sink.maildir"
local options = require "smtpsec.sink.options"
local pki = require "smtpsec.sink.pki"
local shell = require "smtpsec.sink.shell"
local sock = require "smtpsec.sock"
local store = require "smtpsec.sink.store"

local server = {}

local LONGEST_WAIT = 3600 -- seconds
local DEAF = 0.1

local Server = { __name = "smtpsec.sink" }
Server.__index = Server

-- ---- starting -----------------------------------------------------------------------------------------------------

-- The certificate of the options, or one made for the life of this sink.
local function certificate(self, o)
  if o.cert then return { cert = o.cert, key = o.key } end
  local folder, why = shell.private_folder()
  if not folder then return nil, errors.new("config", "the sink has no folder for its certificate: " .. why) end
  self.folder = folder
  return pki.make(folder)
end

local function needs_tls(o)
  for _, mode in ipairs(o.modes) do
    if mode ~= "none" then return true end
  end
  return false
end

local function prepare_tls(self, o)
  if not needs_tls(o) then return true end
  local files, err = certificate(self, o)
  if not files then return nil, err end
  local context, _, text = core.context {
    role = "server", cert = files.cert, key = files.key, ca_file = o.client_ca,
    min_version = o.min_version, max_version = o.max_version,
  }
  if not context then return nil, errors.new("config", "the sink cannot use its certificate: " .. text) end
  self.ca_file, self.context = files.ca_file, context
  return true
end

local function prepare_store(self, o)
  local folder, err
  if o.maildir then
    folder, err = maildir.open(o.maildir)
    if not folder then return nil, err end
  end
  self.store = store.new(o.memory, folder)
  return true
end

local function listen(self, o)
  for _, mode in ipairs(o.modes) do
    local listener, text = sock.listen { host = o.host, port = options.port(o, mode) }
    if not listener then return nil, errors.new("config", "the sink cannot listen: " .. text) end
    self.listeners[mode], self.ports[mode] = listener, listener:port()
    self.port = self.port or listener:port()
  end
  return true
end

--- Starts a sink whose loop the caller drives.
---@param given? table see sink.lua
---@return table|nil server
---@return table|nil err
function server.new(given)
  local o = options.complete(given)
  local self = setmetatable({
    options = o, host = o.host, ports = {}, listeners = {}, connections = {}, accepted = 0, deaf_until = 0,
    log = journal.new(o.journal, sock.now),
  }, Server)
  for _, prepare in ipairs { prepare_tls, prepare_store, listen } do
    local done, err = prepare(self, o)
    if not done then
      self:close()
      return nil, err
    end
  end
  self.sink = setmetatable({
    context = self.context, faults = faults.new(o.faults), journal = self.log, store = self.store,
  }, { __index = o })
  return self
end

-- ---- the loop -----------------------------------------------------------------------------------------------------

-- Takes all that knock. Where that fails (too many open files), it is tried again after a moment.
local function accept(self, mode, now)
  while #self.connections < self.options.connections do
    local socket, why = self.listeners[mode]:accept(0)
    if not socket then
      if why == "error" then self.deaf_until = now + DEAF end
      return
    end
    self.accepted = self.accepted + 1
    self.connections[#self.connections + 1] = connection.new(socket, self.accepted, mode, self.sink, now)
  end
end

local function remove_closed(self)
  local alive = {}
  for _, one in ipairs(self.connections) do
    if not one.closed then alive[#alive + 1] = one end
  end
  self.connections = alive
end

-- What to wait for as sock.poll wants it, what each socket is to this server, and when to look again in any case.
local function waits(self, now, ends)
  local list, owners = {}, {}
  local function wait(socket, mode, owner)
    list[#list + 1], owners[socket] = { socket, mode }, owner
  end
  local full = #self.connections >= self.options.connections
  if now < self.deaf_until then
    ends = math.min(ends, self.deaf_until)
  elseif not full then
    for mode, listener in pairs(self.listeners) do wait(listener, "r", mode) end
  end
  for _, one in ipairs(self.connections) do
    local mode = one:wants()
    if mode ~= "" then wait(one.socket, mode, one) end
    ends = math.min(ends, one:due_at())
  end
  return list, owners, ends
end

-- Serves what is ready; returns what belongs to the caller.
local function serve(self, ready, owners, now)
  local others = {}
  for _, entry in ipairs(ready) do
    local owner = owners[entry[1]]
    if not owner then
      others[#others + 1] = entry
    elseif type(owner) == "string" then
      accept(self, owner, now)
    elseif entry[2]:find("r", 1, true) then
      owner:receive(now)
    else
      owner:advance(now)
    end
  end
  return others
end

--- Serves all that is ready, waiting for it for some time.
---@param seconds number at the most; 0 only looks
---@param also? table entries of sock.poll whose readiness ends the wait too
---@return table[] ready those of `also` that are
function Server:step(seconds, also)
  local now = sock.now()
  local list, owners, ends = waits(self, now, now + math.min(seconds, LONGEST_WAIT))
  for _, entry in ipairs(also or {}) do list[#list + 1] = entry end
  local ready, _, text = sock.poll(list, math.max(0, ends - now))
  if not ready then error("smtpsec.sink: cannot wait: " .. text, 2) end
  now = sock.now()
  local others = serve(self, ready, owners, now)
  for _, one in ipairs(self.connections) do
    if not one.closed and now >= one:due_at() then one:tick(now) end
  end
  remove_closed(self)
  return others
end

--- Serves until a function, asked after each step, returns true; without one, until an error.
---@param done? fun(server: table): boolean
function Server:run(done)
  repeat
    self:step(LONGEST_WAIT)
  until done and done(self)
end

-- ---- what came of it ----------------------------------------------------------------------------------------------

--- The mails that were accepted, in that order.
---@return table[] mails as in sink.lua
function Server:mails()
  return self.store:since(0)
end

--- What happened.
---@return table[] entries as in sink.lua
function Server:journal()
  return (self.log:since(0))
end

--- Ends it: listeners and connections are closed, its own certificate is removed. Mails and journal stay.
function Server:close()
  for _, listener in pairs(self.listeners) do listener:close() end
  for _, one in ipairs(self.connections) do one:close("sink", "the sink ends") end
  self.listeners, self.connections = {}, {}
  if self.folder then pki.remove(self.folder) end
  self.folder = nil
end

Server.__close = Server.close

return server
