--- dotenv: reads the text of a .env file, as python-dotenv does, but for two things.
--
--   NAME=value  export NAME=value  NAME = value   the name is letters, digits, "_", "." and "-"
--   # comment                                     a line of its own, or behind a value and white space
--   NAME=two words                                white space inside belongs to the value, around it does not
--   NAME='as it is'                               only \' and \\ are escapes; may go over several lines
--   NAME="with \n escapes"                        \n \r \t \a \b \f \v \\ \' \"; may go over several lines
--
-- Line ends may be LF, CRLF or CR, a byte order mark is skipped, the last of several equal names wins. The two things:
-- $NAME and ${NAME} are never replaced, because a password may contain them; and what cannot be read is an error and
-- not a warning, also a value that begins with # behind white space, which is a comment to a shell and a value to
-- python-dotenv. What names mean is not this module's question.

local dotenv = {}

local ESCAPES = {
  ["'"] = { ["'"] = "'", ["\\"] = "\\" },
  ['"'] = {
    n = "\n", r = "\r", t = "\t", a = "\a", b = "\b", f = "\f", v = "\v",
    ["\\"] = "\\", ["'"] = "'", ['"'] = '"',
  },
}

-- The text between quotes. i is behind the opening quote. Returns the value and where the closing quote stands.
local function quoted(text, i, quote)
  local out = {}
  while true do
    local stop = text:find("[\\" .. quote .. "]", i)
    if not stop then return nil, "a quote is opened and never closed" end
    out[#out + 1] = text:sub(i, stop - 1)
    if text:sub(stop, stop) == quote then return table.concat(out), stop end
    local following = text:sub(stop + 1, stop + 1)
    out[#out + 1] = ESCAPES[quote][following] or "\\" .. following
    i = stop + 2
  end
end

-- The value that begins at i, behind the "=". Returns it and where the line's end stands, or nil and why.
local function value_at(text, i)
  local blank, first = text:match("^([ \t]*)([^\n]?)", i)
  i = i + #blank
  if ESCAPES[first] then
    local value, stop = quoted(text, i + 1, first)
    if not value then return nil, stop end
    local rest, line_end = text:match("^([^\n]*)()", stop + 1)
    if rest:find("^[ \t]*$") or rest:find("^[ \t]+#") then return value, line_end end
    return nil, "something other than a comment stands behind the closing quote"
  end
  if first == "#" and blank ~= "" then return nil, "a value that begins with # needs quotes" end
  local value, line_end = text:match("^([^\n]*)()", i)
  return (value:gsub("[ \t]+#.*$", ""):gsub("[ \t]+$", "")), line_end
end

local function count_lines(text, from, to)
  local _, count = text:sub(from, to - 1):gsub("\n", "")
  return count
end

-- One line that is neither empty nor a comment. Returns name, value and where its end stands, or nil and why.
local function assignment(text, i)
  local name, behind = text:match("^export[ \t]+([%a_][%w_.-]*)[ \t]*=()", i)
  if not name then name, behind = text:match("^([%a_][%w_.-]*)[ \t]*=()", i) end
  if not name then return nil, "is not NAME=value" end
  local value, stop = value_at(text, behind)
  if not value then return nil, stop end
  return name, value, stop
end

--- Reads a whole file.
---@param text string
---@return table<string, { value: string, line: integer }>? values by name
---@return string? why what is wrong; never shows a value
---@return integer? line where
function dotenv.parse(text)
  text = text:gsub("^\239\187\191", ""):gsub("\r\n?", "\n")
  local values, line, i = {}, 1, 1
  if text:find("\0", 1, true) then return nil, "has a NUL byte: this is not a text file", 1 end
  while i <= #text do
    i = text:match("^[ \t]*()", i)
    local stop = i
    if text:find("^[^#\n]", i) then
      local name, value, line_end = assignment(text, i)
      if not name then return nil, value, line end
      values[name] = { value = value, line = line }
      stop = line_end
    end
    local next_line = text:match("^[^\n]*\n?()", stop)
    line = line + count_lines(text, i, next_line)
    i = next_line
  end
  return values
end

return dotenv
