--- mask: what a server says, without the secrets that it says back. Some repeat a line that they do not understand, or
-- the token that they refuse; replies are written into errors, events and logs.
--
-- What is said back may be cut off, be in several pieces or in capitals: a piece of a secret is enough to know it by.

local core = require "smtpsec.core"

local mask = {}

local SHORTEST = 4 -- bytes of what can be told from ordinary words
local PIECE = 12 -- bytes of a longer secret by which it is known
local WORD = 6 -- characters of base64 by which it is known
local MOST = 4096 -- bytes of a text that are looked at: no error, event or log shows more of it
local SHOWN = "***"

-- What is looked for, of which so many bytes in a row are enough.
local function trace(text, enough)
  return { text = text:lower(), enough = math.min(#text, enough) }
end

-- What base64 makes of a secret wherever it stands in what is written so: only the characters that are its own.
local function in_base64(secret, before)
  local text = core.base64(("\0"):rep(before) .. secret)
  return text:sub(math.ceil(before * 8 / 6) + 1, math.floor((before + #secret) * 8 / 6))
end

local function is_piece(of, text, from, to)
  return of.text:find(text:sub(from, to), 1, true) ~= nil
end

-- Where the next piece stands in a text in lower case.
local function find_piece(text, of, from)
  local more = of.enough - 1
  for first = from, #text - more do
    if is_piece(of, text, first, first + more) then
      local last = first + more
      while last < #text and is_piece(of, text, last + 1 - more, last + 1) do last = last + 1 end
      return first, last
    end
  end
end

local function cover(text, of)
  local lower, from, out = text:lower(), 1, {}
  local first, last = find_piece(lower, of, from)
  while first do
    out[#out + 1] = text:sub(from, first - 1) .. SHOWN
    from = last + 1
    first, last = find_piece(lower, of, from)
  end
  return table.concat(out) .. text:sub(from)
end

-- SASL sends all that it says as words in base64, which go whole.
local function cover_words(text, words)
  return (text:gsub("[%w+/]+=*", function(word)
    local lower = word:lower()
    for _, of in ipairs(words) do
      if find_piece(lower, of, 1) then return SHOWN end
    end
  end))
end

local function add_words(known, text)
  for before = 0, 2 do table.insert(known.words, trace(in_base64(text, before), WORD)) end
end

--- What can be looked for.
---@param user string? no secret, but what has it in base64 came from us: some mechanisms send it with a digest
---@return table known
function mask.new(user)
  local known = { plain = {}, words = {} }
  if user and #user >= SHORTEST then add_words(known, user) end
  return known
end

--- Looks for a secret from now on.
---@param known table
---@param secret string?
function mask.add(known, secret)
  if not secret or #secret < SHORTEST then return end
  table.insert(known.plain, trace(secret, PIECE))
  add_words(known, secret)
end

--- The text with "***" for what is known, as it is or in base64.
---@param text string
---@param known table
---@return string
function mask.text(text, known)
  text = cover_words(text:sub(1, MOST), known.words)
  for _, of in ipairs(known.plain) do text = cover(text, of) end
  return text
end

return mask
