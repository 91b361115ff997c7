--- header: writes one header field, folded (RFC 5322 section 2.2.3).
--
-- Tokens are added from left to right. A line is folded before 77 columns, so that a line with an encoded word
-- keeps the 76 of RFC 2047 and every other one the 78 of RFC 5322, wherever a space allows it; what has no space
-- stays whole. No token may be longer than header.LONGEST, so that no line ever passes 998 octets: who makes
-- tokens out of a user's value checks that. Values were checked before (text.lua): nothing is refused here.

local word = require "smtpsec.mime.word"

local header = {}

local WIDTH = 76

--- Longest token, in octets.
header.LONGEST = 900

--- Longest name of a field: whatever its value, the first token of it fits on the line.
header.LONGEST_NAME = WIDTH - #": " - word.SHORTEST

-- Longest value of a parameter that is written in one piece.
local PIECE = 60

local Field = {}
Field.__index = Field

--- Begins a field.
---@param name string
---@return table field
function header.field(name)
  return setmetatable({ pieces = { name .. ":" }, column = #name + 1 }, Field)
end

function Field:write(s)
  self.pieces[#self.pieces + 1] = s
  self.column = self.column + #s
end

function Field:fold()
  self.pieces[#self.pieces + 1] = "\r\n"
  self.column = 0
end

--- Adds a token after `lead`, a run of spaces (default: one), folding before it where the line would be too long. The
-- first token stays on the line of the field's name: some readers stumble over a first line without a value.
---@param token string
---@param lead? string
---@return table field
function Field:token(token, lead)
  lead = lead or " "
  if self.column + #lead + #token > WIDTH and #self.pieces > 1 then self:fold() end
  self:write(lead .. token)
  return self
end

--- Adds a character to the last token.
---@param s string
---@return table field
function Field:glue(s)
  self:write(s)
  return self
end

--- Adds text as encoded words, as many as it takes.
---@param s string
---@return table field
function Field:encoded(s)
  local encoding, at = word.shorter(s), 1
  while at <= #s do
    if self.column + 1 + word.SHORTEST > WIDTH then self:fold() end
    local piece, next_one = word.encode(s, at, encoding, WIDTH - self.column - 1)
    self:write(" " .. piece)
    at = next_one
  end
  return self
end

-- Where the spaces at the very end begin. By hand: a pattern would be quadratic in the spaces of a hostile value.
local function end_of_words(s)
  local at = #s
  while at > 0 and s:byte(at) == 32 do at = at - 1 end
  return at
end

--- Adds unstructured text, such as a subject. Spaces arrive as they were typed: those that readers strip or lose are
-- encoded with the word beside them, which are those at an end, next to an encoded word, and several at a fold.
---@param s string
---@return table field
function Field:text(s)
  local run, at, words_end = nil, 1, end_of_words(s) -- run: pieces of text waiting to be encoded together
  while at <= #s do
    local _, last, lead, part = s:find("^( *)([^ ]*)", at)
    local at_an_end = (at == 1 and lead ~= "") or (last >= words_end and words_end < #s)
    local at_a_fold = not run and #lead > 1 and self.column + #lead + #part > WIDTH
    if last >= words_end then part, last = s:sub(at + #lead), #s end
    if at_an_end or at_a_fold or #part > header.LONGEST or word.needed(part) then
      run = run or {}
      run[#run + 1] = (#run > 0 or at == 1) and lead .. part or lead:sub(2) .. part
    else
      if run then self:encoded(table.concat(run) .. lead:sub(2)) end
      self:token(part, (run or at == 1) and " " or lead)
      run = nil
    end
    at = last + 1
  end
  return run and self:encoded(table.concat(run)) or self
end

-- Adds tokens with the spaces that stand between them.
function Field:spaced(s)
  local first = " "
  for lead, part in s:gmatch("( *)([^ ]+)") do
    self:token(part, first .. lead)
    first = ""
  end
  return self
end

local function has_long_word(s)
  for part in s:gmatch("[^ ]+") do
    if #part > header.LONGEST / 2 then return true end
  end
  return false
end

local ATEXT = "A-Za-z0-9!#$%%&'*+/=?^_`{|}~%-"

--- Adds a display name: as atoms, in quotes, or encoded (RFC 5322 section 3.2.5).
---@param name string
---@return table field
function Field:phrase(name)
  if word.needed(name) or has_long_word(name) then return self:encoded(name) end
  local atoms = name:find("^[" .. ATEXT .. "][" .. ATEXT .. " ]*$")
  if atoms and not name:find("  ", 1, true) and name:sub(-1) ~= " " then return self:spaced(name) end
  return self:spaced('"' .. name:gsub('["\\]', "\\%0") .. '"')
end

-- RFC 2231 section 7: attribute-char, spelt so that no reader trips over it.
local ATTRIBUTE = "[^A-Za-z0-9!#$&+.^_`|~-]"

local function percent(character)
  return (character:gsub(ATTRIBUTE, function(byte) return string.format("%%%02X", byte:byte()) end))
end

-- RFC 2231: the value in as many numbered sections as lines are needed, split between characters.
function Field:sections(name, value)
  local number, section = 0, "UTF-8''"
  local function emit(last)
    local label = (number == 0 and last) and name .. "*=" or string.format("%s*%d*=", name, number)
    self:token(label .. section .. (last and "" or ";"))
    number, section = number + 1, ""
  end
  local room = WIDTH - #name - #" *123*=;"
  for character in value:gmatch("[%z\1-\127\194-\244][\128-\191]*") do
    local piece = percent(character)
    if #section + #piece > room then emit(false) end
    section = section .. piece
  end
  emit(true)
  return self
end

--- Adds a parameter (RFC 2045 section 5.1): a token, a quoted string, or the form of RFC 2231 where the value is not
-- ASCII, is long, or holds what readers get wrong in quotes.
---@param name string
---@param value string
---@return table field
function Field:parameter(name, value)
  self:glue(";")
  if value:find("^[A-Za-z0-9!#$&+.^_`|~-]+$") and #value <= PIECE then return self:token(name .. "=" .. value) end
  local quotable = not value:find('[^\32-\126]') and not value:find('["\\]') and not word.needed(value)
  if quotable and #value <= PIECE then return self:token(name .. '="' .. value .. '"') end
  return self:sections(name, value)
end

--- The field as it stands in the message.
---@return string with its CRLF
function Field:close()
  self.pieces[#self.pieces + 1] = "\r\n"
  return table.concat(self.pieces)
end

return header
