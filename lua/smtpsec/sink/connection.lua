--- connection: one accepted connection: a socket, TLS around it, and the session inside. It does the session's acts,
-- each at its time, and never waits: the server calls it when its socket is ready or its time has come.
--
-- Bounded: what came in and was not read, and what is to go out, stay below LOT, or no more is taken.

local core = require "smtpsec.core"
local session = require "smtpsec.sink.session"

local connection = {}

local READ_MAX = 16384
local LOT = 65536
local SWALLOWED = 16 -- reads

local Connection = { __name = "smtpsec.sink.connection" }
Connection.__index = Connection

--- Makes the connection of a socket that was accepted.
---@param socket userdata
---@param number integer its number among the sink's connections
---@param mode string "none", "starttls" or "implicit"
---@param sink table what sessions share (see session.lua), and context, idle and journal
---@param now number
function connection.new(socket, number, mode, sink, now)
  local self = setmetatable({
    socket = socket, number = number, sink = sink, plain = "", wire = "", sent = 0, touched = now, reading = true,
  }, Connection)
  local address, port = socket:peer()
  self:note { event = "connected", mode = mode, address = address, port = port }
  self.session = session.new(sink, number, mode, function(_, entry) self:note(entry) end)
  self:advance(now)
  return self
end

--- Writes into the journal.
function Connection:note(entry)
  entry.connection = self.number
  self.sink.journal:add(entry)
end

-- Closing a socket that holds unread bytes resets the connection, and the peer may lose what was said to it last.
local function swallow(self)
  for _ = 1, SWALLOWED do
    if not self.socket:read(READ_MAX, 0) then return end
  end
end

--- Ends it at once.
---@param by string who ended it: "peer", "sink" or "fault"
---@param why? string
function Connection:close(by, why)
  if self.closed then return end
  self.closed = true
  swallow(self)
  self.socket:close()
  if self.filter then self.filter:close() end
  self:note { event = "closed", by = by, why = why }
end

-- ---- out ----------------------------------------------------------------------------------------------------------

local function unsent(self)
  return #self.plain + #self.wire - self.sent
end

local function to_wire(self, bytes)
  self.wire, self.sent = self.wire:sub(self.sent + 1) .. bytes, 0
end

-- Moves what TLS has to say to the wire.
local function drain(self)
  local bytes = self.filter:output()
  self.filter:consumed(#bytes)
  to_wire(self, bytes)
end

-- Moves what was said to the wire, through TLS where there is TLS. What was said at once goes in one piece (RFC 2920
-- section 3.2).
local function seal(self)
  local bytes = self.plain
  if bytes == "" then return end
  self.plain = ""
  if not self.filter then return to_wire(self, bytes) end
  while bytes ~= "" do
    local taken = self.filter:write(bytes)
    drain(self)
    if not taken then return end -- TLS has ended; reading says why
    bytes = bytes:sub(taken + 1)
  end
end

-- Writes as much as the socket takes; in a trickle, the byte that is due.
local function flush(self, now)
  seal(self)
  while unsent(self) > 0 and not self.closed do
    if self.pace and now < self.due then return end
    local last = self.pace and self.sent + 1 or #self.wire
    local all, why, text, taken = self.socket:write(self.wire:sub(self.sent + 1, last), 0)
    local count = all or taken
    self.sent = self.sent + count
    if count > 0 then self.touched, self.due = now, now + (self.pace or 0) end
    if not all and why ~= "timeout" then return self:close("peer", text) end
    if not all then return end
  end
end

-- ---- acts ---------------------------------------------------------------------------------------------------------

local function begin_tls(self)
  seal(self)
  local filter, _, text = core.tls_server(self.sink.context)
  if not filter then return self:close("sink", text) end
  self.filter = filter
end

local function begin(self, act, now)
  act.begun, self.touched = true, now
  if act.trickle then
    flush(self, now)
    self.pace, self.due = act.trickle, now
  end
  self.plain = self.plain .. act.bytes
  if act.tls then begin_tls(self) end
  if act.close == "end" and self.filter then
    seal(self)
    self.filter:close_notify()
    drain(self)
  end
end

-- Whether nothing is left to do of an act.
local function is_done(self, act)
  if act.tls then return self.session.tls ~= nil and unsent(self) == 0 end
  return not (act.close or act.trickle) or unsent(self) == 0
end

-- Goes on with the act in hand. Returns whether it is done.
local function act_on(self, act, now)
  if not act.begun then
    if now < self.start then
      flush(self, now)
      return false
    end
    begin(self, act, now)
  end
  if not is_done(self, act) then flush(self, now) end
  if not is_done(self, act) then return false end
  self.pace = nil
  if act.close == "reset" then self.socket:reset() end
  if act.close then self:close(act.close == "end" and "sink" or "fault") end
  return not self.closed
end

-- The peer has sent all that it will, and was answered.
local function rest(self, now)
  flush(self, now)
  if self.ended and unsent(self) == 0 then self:close("peer") end
end

--- Does what can be done now.
---@param now number
function Connection:advance(now)
  while not self.closed do
    if not self.act then
      if unsent(self) > LOT then flush(self, now) end
      if unsent(self) > LOT then return end
      self.act = self.session:next()
      if not self.act then return rest(self, now) end
      self.start = now + self.act.delay
    end
    if not act_on(self, self.act, now) then return end
    self.act = nil
  end
end

-- ---- in -----------------------------------------------------------------------------------------------------------

-- TLS has failed or ended. What it has to say about that (an alert) goes out if it goes at once.
local function tls_ended(self, status, text, reason)
  drain(self)
  self.pace = nil
  flush(self, self.touched)
  if status == "closed" and self.filter:closed_cleanly() then
    self.ended, self.reading = true, false
  else
    self:note { event = "tls_failed", reason = reason or text }
    self:close("peer", text)
  end
end

local function shake_hands(self)
  local done, status, text, reason = self.filter:handshake()
  drain(self)
  if not done then
    if status ~= "again" then tls_ended(self, status, text, reason) end
    return false
  end
  local facts = self.filter:facts()
  self:note { event = "tls", version = facts.version, cipher = facts.cipher, resumed = facts.resumed }
  self.session:secured(facts)
  return true
end

local function take_tls(self, bytes)
  local taken, status, text, reason = self.filter:feed(bytes)
  if taken and not self.session.tls and not shake_hands(self) then return end
  while taken do
    local plain
    plain, status, text, reason = self.filter:read()
    if not plain then break end
    self.session:feed(plain)
  end
  if not self.closed and status ~= "again" then tls_ended(self, status, text, reason) end
end

--- Its socket has something to read.
---@param now number
function Connection:receive(now)
  local bytes, why, text = self.socket:read(READ_MAX, 0)
  if bytes then
    self.touched = now
    if self.filter then take_tls(self, bytes) else self.session:feed(bytes) end
  elseif why == "error" then
    self:close("peer", text)
  elseif why == "closed" then
    self.ended, self.reading = true, false
    if self.filter then take_tls(self, "") end
  end
  self:advance(now)
end

-- ---- waiting ------------------------------------------------------------------------------------------------------

--- What of its socket it waits for: "r", "w", "rw", or "" for nothing.
function Connection:wants()
  local reads = self.reading and self.session:buffered() < LOT
  -- Bytes that come before TLS begins, while a rule delays it, are the handshake's.
  if self.act and self.act.tls and not self.act.begun then reads = false end
  local writes = unsent(self) > 0 and not self.pace
  return (reads and "r" or "") .. (writes and "w" or "")
end

-- When the client will have done nothing for too long; never while the sink itself is slow on purpose.
local function patience(self)
  local slow = self.act and not self.act.begun or self.pace and unsent(self) > 0
  return slow and math.huge or self.touched + self.sink.idle
end

--- When it wants to be called whatever its socket does.
---@return number
function Connection:due_at()
  if self.pace and unsent(self) > 0 then return self.due end
  if self.act and not self.act.begun then return self.start end
  return patience(self)
end

--- Its time may have come.
---@param now number
function Connection:tick(now)
  if now >= patience(self) then
    if self.act then return self:close("sink", "the client does nothing") end
    self.session:expire()
  end
  self:advance(now)
end

return connection
