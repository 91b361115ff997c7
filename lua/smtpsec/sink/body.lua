--- body: the message behind DATA, from the wire to its bytes: it ends at CRLF "." CRLF, and a dot that begins a line
-- is taken away (RFC 5321 section 4.5.2). Only CRLF is a line end here: what else looks like one is kept as it came.
-- Or the message behind BDAT, which is kept byte for byte (RFC 3030 section 2).

local body = {}

local Body = { __name = "smtpsec.sink.body" }
Body.__index = Body

--- Begins a message.
---@param limit integer octets that are kept; more are counted and dropped
function body.new(limit)
  -- The DATA command's own line end may be the one before the final dot: an empty message has no other.
  return setmetatable({ limit = limit, held = "\r\n", borrowed = 2, parts = {}, size = 0, received = 0 }, Body)
end

--- Begins a message that comes in chunks: add() them.
---@param limit integer as above
function body.chunked(limit)
  return setmetatable({ limit = limit, borrowed = 0, parts = {}, size = 0, received = 0 }, Body)
end

local function take(self, bytes)
  if self.borrowed > 0 and bytes ~= "" then
    bytes, self.borrowed = bytes:sub(self.borrowed + 1), 0
  end
  self.size = self.size + #bytes
  if self.size > self.limit then
    self.parts = {}
  else
    self.parts[#self.parts + 1] = bytes
  end
end

-- How many bytes at the end may be the beginning of a line end and what follows it.
local function open_end(work)
  if work:sub(-2) == "\r\n" then return 2 end
  return work:sub(-1) == "\r" and 1 or 0
end

--- Takes in bytes from the wire.
---@param bytes string
---@return string|nil rest what follows the end of the message; nil while it goes on
function Body:feed(bytes)
  local work, at = self.held .. bytes, 1
  self.received = self.received + #bytes
  while true do
    local line_end = work:find("\r\n.", at, true)
    if not line_end then
      local settled = #work - open_end(work)
      take(self, work:sub(at, settled))
      self.held = work:sub(math.max(at, settled + 1))
      return nil
    end
    local behind = work:sub(line_end + 3, line_end + 4)
    if behind == "" or behind == "\r" then
      take(self, work:sub(at, line_end - 1))
      self.held = work:sub(line_end)
      return nil
    end
    take(self, work:sub(at, line_end + 1))
    if behind == "\r\n" then
      local rest = work:sub(line_end + 5)
      self.received = self.received - #rest
      return rest
    end
    at = line_end + 3
  end
end

--- Takes in bytes of a chunk.
---@param bytes string
function Body:add(bytes)
  self.received = self.received + #bytes
  take(self, bytes)
end

--- Whether it is longer than the limit.
function Body:too_long()
  return self.size > self.limit
end

--- The message, when it is complete and not too long.
---@return string
function Body:content()
  return table.concat(self.parts)
end

return body
