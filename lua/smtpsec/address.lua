--- address: reads the addresses of a message table.
--
-- One strict reader for everything that becomes a recipient or an author: `local@domain`, `Name <local@domain>`, or
-- { name =, address = }; one of them, a Lua list, or one comma-separated string. What mail programs disagree about is
-- refused, not guessed: comments, routes, groups, a bare @ in a name. The address itself is the engine's to judge
-- (core.mailbox, RFC 5321), so that what the header shows is what the envelope says. One pass, no backtracking.

local core = require "smtpsec.core"
local printable = require "smtpsec.printable"
local text = require "smtpsec.mime.text"

local address = {}

--- Longest display name, in octets.
address.LONGEST_NAME = 998

local FORM = 'write local@domain or "Name" <local@domain>'

-- Characters that may not stand outside quotes in a name, and what they would begin.
local REFUSED = {
  ["("] = "comments in parentheses are not taken", [")"] = "comments in parentheses are not taken",
  [":"] = "groups and routes are not taken", [";"] = "groups are not taken, and addresses are separated by commas",
  [">"] = "an angle bracket closes that was not opened", ["\\"] = "a backslash stands outside quotes",
}

-- A mailbox from its parts, or nil and the error.
local function build(name, spec, field)
  local local_part, domain, internationalized = core.mailbox(spec)
  if not local_part then
    return text.refuse(field, printable.value(spec) .. " " .. domain, FORM)
  end
  if name and #name > address.LONGEST_NAME then
    return text.refuse(field, "the name is longer than %d octets", "shorten it", address.LONGEST_NAME)
  end
  return {
    name = name ~= "" and name or nil, address = spec, local_part = local_part, domain = domain,
    internationalized = internationalized, field = field,
  }
end

-- Where the quoted string that begins at `at` ends, or nil.
local function quoted_end(s, at)
  repeat
    at = s:find('["\\]', at + 1)
    if not at or s:sub(at, at) == '"' then return at end
    at = at + 1
  until false
end

-- Where the address that begins behind "<" ends: the position of its ">", or nil. A quoted local part may hold a ">".
local function angle_end(s, at)
  if s:sub(at, at) == '"' then
    at = quoted_end(s, at)
    if not at then return nil end
  end
  return s:find(">", at, true)
end

-- Reads the piece at `at` into `item` and returns where the next one begins; nil and what is wrong.
local function piece(s, at, item)
  local first = s:sub(at, at)
  if REFUSED[first] then return nil, REFUSED[first] end
  if item.angle then return nil, "something follows the address in angle brackets" end
  if first == '"' then
    local last = quoted_end(s, at)
    if not last then return nil, "a quote is never closed" end
    item.words[#item.words + 1] = s:sub(at + 1, last - 1):gsub("\\(.)", "%1")
    return last + 1
  end
  if first == "<" then
    local last = angle_end(s, at + 1)
    if not last then return nil, "an angle bracket is never closed" end
    item.angle = s:sub(at + 1, last - 1)
    return last + 1
  end
  local _, last = s:find('^[^ "<>,:;()\\]+', at)
  local atom = s:sub(at, last)
  if atom:find("@[", 1, true) and not atom:find("]", 1, true) then -- an address literal holds colons
    last = s:find("]", last, true) or #s
    atom = s:sub(at, last)
  end
  item.words[#item.words + 1] = atom
  item.at_sign = item.at_sign or atom:find("@", 1, true)
  return last + 1
end

-- Reads one mailbox from position `at` up to a comma or the end. Returns it and where the comma is.
local function mailbox(s, at, field)
  local item = { words = {} }
  local _, before = s:find("^ *", at)
  local start, stop = before + 1, before -- the item without the spaces around it
  at = start
  while at <= #s and s:sub(at, at) ~= "," do
    if s:sub(at, at) == " " then
      at = at + 1
    else
      local next_one, why = piece(s, at, item)
      if not next_one then return text.refuse(field, printable.value(s:sub(start)) .. ": " .. why, FORM) end
      at, stop = next_one, next_one - 1
    end
  end
  if stop < start then return text.refuse(field, "an empty address", "remove the comma, or " .. FORM) end
  if item.angle and item.at_sign then
    return text.refuse(field, "%s: an @ stands in the name outside quotes", FORM, printable.value(s:sub(start, stop)))
  end
  local spec = item.angle or s:sub(start, stop)
  if not item.angle and not item.at_sign and not spec:find("@", 1, true) and (at <= #s or start > 1) then
    return text.refuse(field, "%s has no @",
      'a name that holds a comma needs quotes: "Doe, Jane" <jane@example.com>', printable.value(spec))
  end
  local box, err = build(item.angle and table.concat(item.words, " "), spec, field)
  if not box then return nil, err end
  return box, at
end

-- Every mailbox of a string.
local function read(s, field)
  local sound, err = text.verdict(field, text.fault(s))
  if not sound then return nil, err end
  local boxes, at = {}, 0
  repeat
    local label = (#boxes > 0 or s:find(",", 1, true)) and string.format("%s[%d]", field, #boxes + 1) or field
    local box, stop = mailbox(s, at + 1, label)
    if not box then return nil, stop end
    boxes[#boxes + 1], at = box, stop
  until at > #s
  return boxes
end

local function from_table(value, field)
  if not value.address then return text.refuse(field, "has no address", "give address = \"local@domain\"") end
  for _, key in ipairs { "name", "address" } do
    local sound, err = text.verdict(field .. "." .. key, value[key] and text.fault(value[key]))
    if not sound then return nil, err end
  end
  return build(value.name, value.address, field)
end

-- One element of a Lua list: exactly one mailbox.
local function element(value, field)
  if type(value) == "table" then return from_table(value, field) end
  local boxes, err = read(value, field)
  if not boxes then return nil, err end
  if #boxes > 1 then
    return text.refuse(field, "holds %d addresses", "make each an element of the list", #boxes)
  end
  return boxes[1]
end

--- Whether a value of the message table is a Lua list of addresses (the empty table is one).
---@param value any
---@return boolean
function address.is_list(value)
  return type(value) == "table" and (value[1] ~= nil or next(value) == nil)
end

--- Reads the addresses of a field.
---@param value string|table its Lua types were checked before (fields.lua)
---@param field string the field's name, for errors
---@return table[]|nil list of { name=, address=, local_part=, domain=, internationalized=, field= }
---@return table|nil err
function address.parse(value, field)
  if type(value) == "string" then return read(value, field) end
  if not address.is_list(value) then
    local box, err = from_table(value, field)
    return box and { box }, err
  end
  local boxes = {}
  for i, one in ipairs(value) do
    local box, err = element(one, string.format("%s[%d]", field, i))
    if not box then return nil, err end
    boxes[i] = box
  end
  return boxes
end

--- What two addresses of the same mailbox have in common: the domain is the same in either case, the local part is
-- the receiving host's own business (RFC 5321 section 2.4).
---@param box table
---@return string
function address.key(box)
  return box.local_part .. "@" .. box.domain:lower()
end

return address
