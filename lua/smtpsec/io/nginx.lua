--- Driver for nginx (ngx_http_lua_module, OpenResty): cosockets, so a waiting mail holds up no other request.
--
-- TLS is the engine's, never the cosocket's. A time-out of a cosocket begins anew with every byte that moves; the
-- bounds here are those of the whole step, as everywhere. How a connection comes about stands in nginx/dial.lua.
--
-- @module smtpsec.io.nginx

local ngx = ngx
local dial = require "smtpsec.io.nginx.dial"
local hello = require "smtpsec.io.hello"
local has_sock, sock = pcall(require, "smtpsec.sock")

-- A write is bounded slice by slice: small enough that the kernel, once it reports room, takes one whole; large enough
-- for a record of TLS.
local SLICE = 17 * 1024

local MOMENT = 0.001 -- seconds

local driver = { name = "nginx", now = dial.now }

local whys = {
  timeout = "timeout",
  closed = "closed",
  ["connection reset by peer"] = "closed",
  ["broken pipe"] = "closed",
}

local Stream = {}
Stream.__index = Stream
Stream.__name = "smtpsec.io.stream"

local function closed_here()
  return nil, "closed", "the connection was closed on this side"
end

function Stream:read(max, seconds)
  if not self.tcp then return closed_here() end
  dial.set_timeout(self.tcp, seconds)
  local bytes, err = self.tcp:receiveany(max)
  if bytes then return bytes end
  return nil, whys[err] or "error", err
end

-- A cosocket does not tell how much of a slice that fails went out: it may have been all of it.
function Stream:write(bytes, seconds)
  if not self.tcp then
    local _, why, text = closed_here()
    return nil, why, text, 0
  end
  local deadline, written = dial.deadline_in(seconds), 0
  repeat
    dial.set_timeout(self.tcp, deadline - dial.now())
    local slice = bytes:sub(written + 1, written + SLICE)
    local sent, err = self.tcp:send(slice)
    written = written + #slice
    if not sent then return nil, whys[err] or "error", err, written end
    if written < #bytes and dial.now() >= deadline then return nil, "timeout", "timeout", written end
  until written == #bytes
  return written
end

-- A read that may last a millisecond: nothing must come of it. (A cosocket stays usable after a read's time-out.)
function Stream:alive()
  local _, why = self:read(1, 0)
  return why == "timeout"
end

-- A cosocket dies with its request. What outlives it is the connection, in a pool of nginx's that nobody else uses.
function Stream:park(seconds)
  if not self.tcp then return nil, "the connection was closed on this side" end
  local ok, err = self.tcp:setkeepalive(dial.milliseconds(seconds), 1)
  if not ok then return nil, err end
  self.tcp = nil
  return { pool = self.pool, address = self.address, port = self.port }
end

function Stream:close()
  if self.tcp then self.tcp:close() end
  self.tcp = nil
end

local function wrap(tcp, pool, address, port)
  tcp:setoption("tcp-nodelay", true)
  return setmetatable({ tcp = tcp, pool = pool, address = address, port = port }, Stream)
end

--- Takes a parked connection back, in this request or in another of the same worker; nil when it is gone or not silent.
function driver.unpark(token)
  local tcp, text = dial.cosocket()
  if not tcp then return nil, text end
  -- nginx ends what does not stay silent in a pool, as soon as it looks: it is let. (A read that finds nothing would
  -- tell the same, but nginx would log it as an error, at each mail.)
  ngx.sleep(MOMENT)
  -- An address that nothing can connect to: only the pool can answer.
  local ok = tcp:connect("unix:", { pool = token.pool })
  if not ok or tcp:getreusedtimes() == 0 then return nil end
  return wrap(tcp, token.pool, token.address, token.port)
end

function driver.sleep(seconds)
  ngx.sleep(math.max(seconds, 0))
end

function driver.crew()
  local usable, text = dial.cosocket()
  if not usable then return nil, text end
  return require("smtpsec.io.nginx.crew").new()
end

--- The name for EHLO. (A cosocket does not tell its own address.)
function driver.hello()
  return hello(has_sock and sock.hostname() or nil)
end

local pools = 0

local function new_pool()
  pools = pools + 1
  return ("smtpsec:%d:%d"):format(ngx.worker.pid(), pools)
end

--- See the driver contract in smtpsec.io.polled.
function driver.connect(target, seconds)
  local pool = new_pool()
  local tcp, address, text = dial.connect(target, pool, seconds)
  if not tcp then return nil, address, text end
  return wrap(tcp, pool, address, target.port)
end

return driver
