--- child: the process that serves on behalf of sink.start. Its parent is at the other end of a unix socket: it sends
-- the options, then asks what came of it. When the parent closes that socket, or dies, this process ends.
--
-- Questions are { mails = n, journal = n, wait = n, seconds = s }: what lies behind the n-th mail and the n-th entry,
-- as soon as there are `wait` mails, or after `seconds`. An answer holds as much as fits; the parent asks again.

local frames = require "smtpsec.sink.frames"
local server = require "smtpsec.sink.server"
local sock = require "smtpsec.sock"

local CONNECT_SECONDS, WRITE_SECONDS = 10, 60
local READ_MAX = 16384
local MOST_BYTES, MOST_ENTRIES = 2 ^ 20, 1000 -- of an answer

local child = {}

local function send(control, value)
  local written, _, text = control:write(frames.encode(value), WRITE_SECONDS)
  if not written then error("the parent does not listen: " .. text, 0) end
end

-- The next question, waiting for it; nil when the parent has gone.
local function receive(control, reader)
  while true do
    local whole, value = reader:next()
    if whole then return value end
    local bytes = control:read(READ_MAX, math.huge)
    if not bytes then return nil end
    reader:feed(bytes)
  end
end

local function answer(self, control, question)
  local entries, last = self.log:since(question.journal, MOST_ENTRIES)
  local mails = self.store:since(question.mails, MOST_BYTES)
  local more = last < self.log.last or question.mails + #mails < self.store:count()
  send(control, { mails = mails, entries = entries, last = last, more = more })
end

-- Serves until there is what the question waits for. Returns whether the parent is still there.
local function wait_for(self, watched, question)
  local ends = sock.now() + question.seconds
  while self.store:count() < question.wait do
    local left = ends - sock.now()
    if left <= 0 then break end
    if #self:step(left, watched) > 0 then return false end
  end
  return true
end

local function serve(self, control, reader)
  -- Descriptor 1 is the pipe to the parent: it becomes ready when nobody can read it any more.
  local watched = { { control, "r" }, { 1, "r" } }
  while true do
    for _, entry in ipairs(self:step(math.huge, watched)) do
      if entry[1] ~= control then return end
      local question = receive(control, reader)
      if not question or not wait_for(self, watched, question) then return end
      answer(self, control, question)
    end
  end
end

local function live(control)
  local reader = frames.reader()
  local given = receive(control, reader)
  if not given then return end
  local self, err = server.new(given)
  if not self then return send(control, { failure = err.message }) end
  local served, trouble = pcall(function()
    send(control, { port = self.port, ports = self.ports, ca_file = self.ca_file })
    serve(self, control, reader)
  end)
  self:close()
  if not served then error(trouble, 0) end
end

--- Serves until the parent goes away.
---@param path string of the parent's unix socket
function child.main(path)
  local control, _, text = sock.connect { path = path, timeout = CONNECT_SECONDS }
  if not control then error(text, 0) end
  io.stdout:write("connected\n")
  io.stdout:flush()
  live(control)
end

return child
