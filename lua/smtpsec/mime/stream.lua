--- stream: a message as a list of segments, and the two things that are done with it: measure it, and walk it.
--
-- A segment is a string, or { open = function, size = function }: open() returns a function that returns piece
-- after piece, nil at the end, or nil and the error; size() returns octets, or nil when nobody knows. A stream can
-- be walked again (to be signed, then sent) and gives the same bytes as long as its sources can.

local stream = {}

-- Small pieces are gathered until they come to this; no chunk is longer than this and one piece of a source together.
local GATHER = 16384

--- Octets of the whole, or nil when a segment does not know its size.
---@param segments table
---@return integer|nil
function stream.size(segments)
  local total = 0
  for _, segment in ipairs(segments) do
    local octets = #segment
    if type(segment) == "table" then octets = segment.size() end
    if not octets then return nil end
    total = total + octets
  end
  return total
end

-- Piece after piece of all segments.
local function pieces(segments)
  local index, read = 0, nil
  return function()
    while true do
      if read then
        local piece, err = read()
        if piece or err then return piece, err end
        read = nil
      end
      index = index + 1
      local segment = segments[index]
      if type(segment) ~= "table" then return segment end
      read = segment.open()
    end
  end
end

--- Walks the stream.
---@param segments table
---@return function next_chunk returns a string, nil at the end, or nil and the error, which it then repeats
function stream.chunks(segments)
  local read, failure, done = pieces(segments), nil, false
  return function()
    local gathered, octets = {}, 0
    while not done and octets < GATHER do
      local piece, err = read()
      if piece then
        gathered[#gathered + 1], octets = piece, octets + #piece
      else
        done, failure = true, err
      end
    end
    if failure then return nil, failure end
    return octets > 0 and table.concat(gathered) or nil
  end
end

return stream
