--- tap: the driver of plain scripts, with a record of every byte that its streams took and gave, and a network that may
-- break off in the middle of a write.
--
-- What a client may claim hangs on what it wrote and read; this is where that is known without asking it.
local driver = require "smtpsec.io.socket"

local tap = {}

local Stream = {}
Stream.__index = Stream

local function keep(list, bytes, n)
  if n > 0 then list[#list + 1] = bytes:sub(1, n) end
  list.count = list.count + n
end

function Stream:read(max, seconds)
  local bytes, why, text = self.stream:read(max, seconds)
  if bytes then keep(self.got, bytes, #bytes) end
  return bytes, why, text
end

local function pass(self, bytes, seconds)
  local all, why, text, most = self.stream:write(bytes, seconds)
  keep(self.took, bytes, all or most or 0)
  return all, why, text, most
end

function Stream:write(bytes, seconds)
  local room = self.breaks_at - self.took.count
  if #bytes <= room then return pass(self, bytes, seconds) end
  local all, why, text, most = 0, nil, nil, nil
  if room > 0 then all, why, text, most = pass(self, bytes:sub(1, room), seconds) end
  if not all then return nil, why, text, most end
  return nil, "error", "the network is gone", all
end

function Stream:alive()
  return self.stream:alive()
end

function Stream:park()
  return self
end

function Stream:close()
  self.stream:close()
end

local function unpark(stream)
  if stream:alive() then return stream end
  stream:close()
  return nil
end

--- Makes a driver, for one call.
---@param options { break_at: integer?, most: integer? } how many bytes the first connection takes; how many connections
--- there may be
---@return table driver `links`: its streams so far, each with the lists `took` and `got`, and how many bytes they are
function tap.new(options)
  local self = { name = "tap", links = {}, now = driver.now, sleep = driver.sleep, crew = driver.crew,
    hello = function() return "client.test" end, unpark = unpark }

  function self.connect(target, seconds)
    local links = self.links
    if #links >= (options.most or math.huge) then return nil, "error", "no more connections here" end
    local breaks_at = not links[1] and options.break_at or math.huge
    local link = { took = { count = 0 }, got = { count = 0 }, breaks_at = breaks_at }
    links[#links + 1] = link
    local stream, why, text = driver.connect(target, seconds)
    if not stream then return nil, why, text end
    link.stream, link.address, link.port = stream, stream.address, stream.port
    return setmetatable(link, Stream)
  end

  return self
end

return tap
