--- frames: plain Lua values as bytes, for the two processes of a sink to talk: nil, booleans, numbers, strings, and
-- tables of these. A frame is its length in digits, a line feed, and one value. Both ends are this library, and one
-- user's.

local frames = {}

local function encode(value, out)
  local kind = type(value)
  if kind == "string" then
    out[#out + 1] = string.format("s%d:", #value)
    out[#out + 1] = value
  elseif kind == "number" then
    out[#out + 1] = string.format("n%.17g;", value)
  elseif kind == "table" then
    out[#out + 1] = "{"
    for key, one in pairs(value) do
      encode(key, out)
      encode(one, out)
    end
    out[#out + 1] = "}"
  else
    out[#out + 1] = value == nil and "z" or value and "t" or "f"
  end
end

local CONSTANTS = { z = true, t = true, f = true }

-- The value that begins at `at`, and where the next one does.
local function decode(s, at)
  local kind = s:sub(at, at)
  if CONSTANTS[kind] then
    if kind == "z" then return nil, at + 1 end
    return kind == "t", at + 1
  elseif kind == "n" then
    local digits, behind = s:match("^([^;]*);()", at + 1)
    return tonumber(digits), behind
  elseif kind == "s" then
    local length, behind = s:match("^(%d+):()", at + 1)
    return s:sub(behind, behind + length - 1), behind + length
  end
  if kind ~= "{" then error("a frame holds what is none of ours") end
  local result = {}
  at = at + 1
  while s:sub(at, at) ~= "}" do
    local key, value
    key, at = decode(s, at)
    value, at = decode(s, at)
    result[key] = value
  end
  return result, at + 1
end

--- One frame.
---@param value any
---@return string bytes
function frames.encode(value)
  local out = {}
  encode(value, out)
  local bytes = table.concat(out)
  return string.format("%d\n", #bytes) .. bytes
end

local Reader = { __name = "smtpsec.sink.frames" }
Reader.__index = Reader

--- Makes a reader for the other end.
---@return table reader
function frames.reader()
  return setmetatable({ parts = {}, size = 0 }, Reader)
end

--- Takes in bytes.
---@param bytes string
function Reader:feed(bytes)
  self.parts[#self.parts + 1] = bytes
  self.size = self.size + #bytes
end

--- The next value.
---@return boolean whole whether a frame has come
---@return any value
function Reader:next()
  if self.wanted and self.size < self.wanted then return false end
  local bytes = table.concat(self.parts)
  self.parts = { bytes }
  local length, start = bytes:match("^(%d+)\n()")
  if not length then return false end
  self.wanted = start - 1 + tonumber(length)
  if self.size < self.wanted then return false end
  local value = decode(bytes, start)
  self.parts, self.size, self.wanted = { bytes:sub(self.wanted + 1) }, self.size - self.wanted, nil
  return true, value
end

return frames
