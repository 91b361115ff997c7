--- judge: what others make of our bytes. Python's `email` reads them (judge.py), and npm's mailparser (judge.js);
-- lint() looks at the bytes themselves.
local process = require "spec.support.process"

local judge = {}

local unpack = table.unpack or unpack

local HERE = debug.getinfo(1, "S").source:match("^@(.*)judge%.lua$")
local PYTHON = { "/usr/bin/python3", HERE .. "judge.py" }
-- Where verifiers.sh puts what is no Debian package.
local NODE = { "env", "NODE_PATH=" .. HERE .. "../../build/judges/node_modules", "node", HERE .. "judge.js" }

-- Runs a program once for all inputs, in the order given.
local function run(program, what, inputs)
  local words, paths = { unpack(program) }, {}
  words[#words + 1] = what
  for i, input in ipairs(inputs) do
    paths[i] = os.tmpname()
    words[#words + 1] = process.write(paths[i], input)
  end
  local ok, output = process.try(process.command(words))
  for _, path in ipairs(paths) do os.remove(path) end
  assert(ok, output)
  return assert(load(output))()
end

--- Reads messages.
---@param messages string[]
---@return table[] for each: defects, fields ({ name, decoded value }), subject, date (seconds since 1970), zone
--- (seconds), addresses (by field name: { name=, address= }), groups (by field name: { name=, members = how many }),
--- parts (in the order of a walk: depth, type, encoding, parameters, disposition, filename, cid, content, text)
function judge.read(messages)
  return run(PYTHON, "message", messages)
end

--- Reads messages with mailparser.
---@param messages string[]
---@return table[] for each: as read() tells it, but for zone and encoding. A part has content or text, whose line ends
--- are LF then. defects are words that end inside a grapheme.
function judge.parse(messages)
  return run(NODE, nil, messages)
end

--- Decodes bodies.
---@param encoding string "base64" or "quoted-printable"
---@param bodies string[]
---@return string[]
function judge.decode(encoding, bodies)
  return run(PYTHON, encoding, bodies)
end

-- Whether a header line could have been folded: a blank stands between two tokens.
local function is_breakable(line)
  return line:gsub("^[!-9;-~]+: *", ""):find("%S +%S") ~= nil
end

local function lint_line(line, in_header, allowed, complain)
  if #line > 998 then complain("a line of %d octets", #line) end
  if line:find("[\r\n]") then complain("a bare CR or LF: %q", line) end
  if line:find("%z") then complain("NUL: %q", line) end
  if not in_header then return end
  if line:find("[\128-\255]") and not allowed.SMTPUTF8 then complain("8 bits in the header: %s", line) end
  local has_word = false
  for word in line:gmatch("=%?[^ ?]+%?[BQ]%?[^ ?]*%?=") do
    has_word = true
    if #word > 75 then complain("an encoded word of %d characters", #word) end
  end
  if has_word and #line > 76 then complain("a line with an encoded word of %d characters", #line) end
  if line:find("^[ \t]*$") then complain("a header line of blanks") end
  if #line > 78 and is_breakable(line) then complain("a header line of %d: %s", #line, line) end
end

--- What is wrong with the bytes of a message, by RFC 5322 and 2047.
---@param bytes string
---@param allowed table|nil extensions in use: ["8BITMIME"], SMTPUTF8
---@param foreign boolean|nil whether its header lines are not ours to fold
---@return string[] complaints
function judge.lint(bytes, allowed, foreign)
  allowed = allowed or {}
  local complaints, in_header = {}, true
  local function complain(format, ...) complaints[#complaints + 1] = string.format(format, ...) end
  if bytes:sub(-2) ~= "\r\n" then complain("no CRLF at the end") end
  for line in (bytes:gsub("\r\n$", "") .. "\r\n"):gmatch("(.-)\r\n") do
    if line == "" or foreign then in_header = false end
    if line:find("^%-%-=_%x+$") then in_header = true end -- a part begins
    lint_line(line, in_header, allowed, complain)
  end
  if bytes:find("[\128-\255]") and not (allowed["8BITMIME"] or allowed.SMTPUTF8) then complain("8 bits") end
  return complaints
end

return judge
