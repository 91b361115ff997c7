--- stream: a message as a list of segments, and the two things that are done with it: measure it, and walk it.
--
-- A segment is a string, or { open = function, size = function }: open() returns a function that returns piece
-- after piece, nil at the end, or nil and the error; size() returns octets, or nil when nobody knows. A stream can
-- be walked again (to be signed, then sent) and gives the same bytes as long as its sources can.

local core = require "smtpsec.core"

local stream = {}

-- Small pieces are gathered until they come to this; what is longer passes alone, uncopied.
local GATHER = 16384

--- Most octets of a message that is one string, and of the strings that one in several pieces is made of.
stream.WHOLE = core.message_whole

--- Octets of the whole, or nil when a segment does not know its size.
---@param segments table
---@return integer|nil
function stream.size(segments)
  local total = 0
  for i = 1, #segments do
    local segment = segments[i]
    local octets = #segment
    if type(segment) == "table" then octets = segment.size() end
    if not octets then return nil end
    total = total + octets
  end
  return total
end

--- Walks the stream piece after piece, as its segments give them.
---@param segments table
---@param to? userdata copy (core.copy) that takes what is encoded, in place of the caller (source.lua)
---@return function next_piece returns a string, nil at the end, or nil and the error, which it then repeats
function stream.pieces(segments, to)
  local index, read, failure = 0, nil, nil
  return function()
    while true do
      if read then
        local piece, err = read()
        if piece then return piece end
        read = nil
        if err then index, failure = #segments, err end
      end
      index = index + 1
      local segment = segments[index]
      if type(segment) ~= "table" then return segment, failure end
      read = segment.open(to)
    end
  end
end

--- Walks a stream that is one string.
---@param s string|nil
---@return function next_chunk as that of stream.chunks
function stream.once(s)
  return function()
    local chunk = s
    s = nil
    return chunk
  end
end

--- Walks the stream, small pieces gathered.
---@param segments table
---@return function next_chunk returns a string, nil at the end, or nil and the error, which it then repeats
function stream.chunks(segments)
  local next_piece = stream.pieces(segments)
  local waiting -- a long piece that came behind small ones
  return function()
    local piece, err = waiting, nil
    waiting = nil
    if not piece then piece, err = next_piece() end
    if not piece or #piece >= GATHER then return piece, err end
    local gathered, octets = { piece }, #piece
    while octets < GATHER do
      piece, err = next_piece()
      if not piece then break end
      if #piece >= GATHER then
        waiting = piece
        break
      end
      gathered[#gathered + 1], octets = piece, octets + #piece
    end
    if err or octets == 0 then return nil, err end
    return table.concat(gathered)
  end
end

return stream
