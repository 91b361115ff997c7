--- word: encoded words, RFC 2047: text that a header cannot hold as it is.
--
-- A word is at most 75 characters and holds whole UTF-8 characters only (section 5: each word must decode on its
-- own). The set of characters that the Q encoding leaves alone is the narrow one that is right in phrases too
-- (section 5 (3)), so that one encoder serves subjects and names.

local core = require "smtpsec.core"

local word = {}

local OPEN, CLOSE = "=?UTF-8?", "?="
local FRAME = #OPEN + #"B?" + #CLOSE

--- Longest encoded word, and the shortest room in which any single character still fits.
word.LONGEST = 75
word.SHORTEST = FRAME + 12

local PLAIN = "[A-Za-z0-9!*+/ -]"
local CHARACTER = "[%z\1-\127\194-\244][\128-\191]*"

--- Whether text must be encoded to arrive as it was typed: it is not ASCII, or a reader could take a part of it for
-- an encoded word.
---@param s string
---@return boolean
function word.needed(s)
  return s:find("[\128-\255]") ~= nil or s:find("=?", 1, true) ~= nil
end

--- The encoding that makes the text shorter.
---@param s string
---@return string "B" or "Q"
function word.shorter(s)
  local _, plain = s:gsub(PLAIN, "")
  return math.ceil(#s / 3) * 4 < plain + 3 * (#s - plain) and "B" or "Q"
end

local function q(character)
  if character == " " then return "_" end
  if character:find("^" .. PLAIN) then return character end
  return (character:gsub(".", function(byte) return string.format("=%02X", byte:byte()) end))
end

-- Each takes what fits into `limit` encoded characters from position `from`, at least one character of the text, and
-- returns the encoding and where the rest begins.
local take = {}

function take.Q(s, from, limit)
  local pieces, used, at = {}, 0, from
  while at <= #s do
    local _, last = s:find(CHARACTER, at)
    local piece = q(s:sub(at, last))
    if used + #piece > limit then break end
    pieces[#pieces + 1], used, at = piece, used + #piece, last + 1
  end
  return table.concat(pieces), at
end

function take.B(s, from, limit)
  local next_one = from + math.floor(limit / 4) * 3
  while next_one <= #s and s:find("^[\128-\191]", next_one) do next_one = next_one - 1 end
  return core.base64(s:sub(from, next_one - 1)), math.min(next_one, #s + 1)
end

--- Encodes as much of the text as one word of at most `room` characters holds.
---@param s string valid UTF-8
---@param from integer where to begin, at the start of a character
---@param encoding string "B" or "Q"
---@param room integer word.SHORTEST or more; more than word.LONGEST is not used
---@return string encoded_word
---@return integer next where the rest begins, #s + 1 at the end
function word.encode(s, from, encoding, room)
  local encoded, next_one = take[encoding](s, from, math.min(room, word.LONGEST) - FRAME)
  return OPEN .. encoding .. "?" .. encoded .. CLOSE, next_one
end

return word
