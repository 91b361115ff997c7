--- judging_sink: starts the sink of spec/bench/sink and talks to its control port: a server in C that shares no code
-- with the library, counts, cuts a connection at any byte, and remembers what it took responsibility for.
-- spec/bench/sink/control.c says what may be asked.
local driver = require "smtpsec.io.socket"
local keeper = require "spec.support.keeper"
local process = require "spec.support.process"

local sink = {}
sink.__index = sink

local SECONDS = 60 -- for an answer of the sink, which has other things to do
local sources = debug.getinfo(1, "S").source:match("^@(.*)support/judging_sink%.lua$") .. "bench/sink"

--- Compiles it.
---@return string path
function sink.build()
  local path = keeper.own():new_folder "sink" .. "/sink"
  process.run("cc -std=c11 -D_GNU_SOURCE -O2 -o " .. process.quote(path) .. " " .. process.quote(sources)
    .. "/*.c -lssl -lcrypto")
  return path
end

local count = 0

--- Starts one.
---@param binary string
---@param leaf { chain: string, key: string }
---@return table sink plain, tls: its ports
function sink.start(binary, leaf)
  count = count + 1
  local name = ("sink%d"):format(count)
  keeper.own():spawn(name, { binary, leaf.chain, leaf.key })
  local plain, tls, control
  process.wait(function()
    plain, tls, control = keeper.own():output(name):match "plain=(%d+) tls=(%d+) control=(%d+)\n"
    return control
  end, 10)
  local stream = assert(driver.connect({ host = "127.0.0.1", port = tonumber(control) }, SECONDS))
  return setmetatable({ plain = tonumber(plain), tls = tonumber(tls), stream = stream, held = "" }, sink)
end

local function line(self)
  while true do
    local text, rest = self.held:match "^(.-)\n(.*)$"
    if text then
      self.held = rest
      return text
    end
    self.held = self.held .. assert(self.stream:read(16384, SECONDS))
  end
end

-- The lines of the answer to one command.
local function answer(self)
  local lines = {}
  while true do
    local text = line(self)
    if text == "ok" then return lines end
    assert(not text:find "^error: ", text)
    lines[#lines + 1] = text
  end
end

--- Says commands, and hears their answers; whatever the sink had been sent before, it has looked at by then.
---@param ... string
---@return string[] lines of the last answer
function sink:tell(...)
  local lines
  assert(self.stream:write(table.concat({ ... }, "\n") .. "\n", SECONDS))
  for _ = 1, select("#", ...) do lines = answer(self) end
  return lines
end

--- What was counted since the last "reset".
---@return table<string, integer>
function sink:stats()
  local stats = {}
  for _, text in ipairs(self:tell "stats") do
    local name, value = text:match "^(.-)=(%d+)$"
    stats[name] = tonumber(value)
  end
  return stats
end

--- The messages that were accepted since the last "reset".
---@return table[] commits id (Message-ID), bytes
function sink:commits()
  local commits = {}
  for i, text in ipairs(self:tell "commits") do
    local id, bytes = text:match " id=(%S*) recipients=%d+ bytes=(%d+)"
    commits[i] = { id = id, bytes = tonumber(bytes) }
  end
  return commits
end

return sink
