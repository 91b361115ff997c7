--- address: reads the addresses of a message table.
--
-- One strict reader for everything that becomes a recipient or an author: `local@domain`, `Name <local@domain>`, or
-- { name =, address = }; one of them, a Lua list, or one comma-separated string. A group of mailboxes (RFC 5322 section
-- 3.4) is `Name: a@b, c@d;` in such a string, { group =, members = } in a list. What mail programs disagree about is
-- refused, not guessed: comments, routes, groups in groups, a bare @ in a name. The address itself is the engine's to
-- judge (csrc/smtp/mailbox.h, RFC 5321), so that what the header shows is what the envelope says; so is where it begins
-- and ends in a string (csrc/mime/address.h). A domain that is not ASCII becomes its A-labels, in the header too:
-- so it needs no SMTPUTF8, and the header is the same whatever the server offers. RFC 6532 would allow the other form
-- there; readers show it for both.

local core = require "smtpsec.core"
local domains = require "smtpsec.domain"
local printable = require "smtpsec.printable"
local text = require "smtpsec.mime.text"

local address = {}

--- Longest display name, in octets.
address.LONGEST_NAME = core.address_name

local FORM = 'write local@domain or "Name" <local@domain>'

-- A mailbox that was read, or nil and the error.
local function build(name, spec, local_part, domain, internationalized, field)
  if name and #name > address.LONGEST_NAME then
    return text.refuse(field, "the name is longer than %d octets", "shorten it", address.LONGEST_NAME)
  end
  return {
    name = name, address = spec, local_part = local_part, domain = domain, internationalized = internationalized,
    field = field,
  }
end

-- What to say of a fault, by what it is about: `shown` is the part of the value that it is in.
local REFUSALS = {
  item = function(field, shown, why) return text.refuse(field, shown .. ": " .. why, FORM) end,
  mailbox = function(field, shown, why) return text.refuse(field, shown .. " " .. why, FORM) end,
  empty = function(field) return text.refuse(field, "an empty address", "remove the comma, or " .. FORM) end,
  comma = function(field, shown)
    return text.refuse(field, shown .. " has no @",
      'a name that holds a comma needs quotes: "Doe, Jane" <jane@example.com>')
  end,
}

-- The address and its domain with A-labels. `shown` is the address as it was given.
local function in_ascii(local_part, domain, field, shown)
  local ascii, why = domains.to_ascii(domain)
  local spec = ascii and local_part .. "@" .. ascii
  local sound
  if ascii then sound, why = core.mailbox(spec) end
  if not sound then return REFUSALS.mailbox(field, printable.value(shown), why) end
  return spec, ascii
end

-- Reads the mailbox behind position `at`. Returns it and where the comma behind it is; of a group, nil, where its colon
-- is, and its name; or nil and the error.
local function mailbox(s, at, field, in_group)
  local stop, spec, name, local_part, domain, internationalized, idn = core.address(s, at, in_group)
  if not stop then
    local about, first, last, why = spec, name, local_part, domain
    return REFUSALS[about](field, printable.value(s:sub(first, last)), why)
  end
  if not spec then return nil, stop, name end
  if idn then spec, domain = in_ascii(local_part, domain, field, spec) end
  if not spec then return nil, domain end
  local box, err = build(name, spec, local_part, domain, internationalized, field)
  return box, box and stop or err
end

local function new_group(name, members, field)
  if not name or name == "" then return text.refuse(field, "a group without a name", 'write "Name: a@b, c@d;"') end
  if #name > address.LONGEST_NAME then
    return text.refuse(field, "the name is longer than %d octets", "shorten it", address.LONGEST_NAME)
  end
  return { group = name, members = members }
end

-- Reads the mailboxes of a group, whose colon is at `at`. Returns it and where the comma behind it is.
local function group(s, at, name, field)
  local members, semicolon = {}, s:match("^ *();", at + 1)
  while not semicolon do
    local box, stop = mailbox(s, at, field, true)
    if not box then return nil, stop end
    members[#members + 1], at = box, stop
    if stop > #s then
      return text.refuse(field, "a group is never closed", "write a semicolon behind its last address")
    end
    semicolon = s:sub(stop, stop) == ";" and stop
  end
  local stop = s:match("^ *()", semicolon + 1)
  if not s:find("^,", stop) and stop <= #s then
    return text.refuse(field, "something follows a group", "separate it by a comma")
  end
  local made, err = new_group(name, members, field)
  return made, made and stop or err
end

-- Every mailbox and group of a string.
local function read(s, field)
  local fault = text.fault(s)
  if fault then return text.verdict(field, fault) end
  local items, count, at, many = {}, 0, 0, s:find(",", 1, true)
  repeat
    count = count + 1
    local named = many and string.format("%s[%d]", field, count) or field
    local item, stop, name = mailbox(s, at, named)
    if name then item, stop = group(s, stop, name, named) end
    if not item then return nil, stop end
    items[count], at = item, stop
  until at > #s
  return items
end

local function group_from_table(value, field)
  if value.name or value.address then
    return text.refuse(field, "is a group and an address", "give group and members, or name and address")
  end
  local sound, err = text.verdict(field .. ".group", value.group and text.fault(value.group))
  if not sound then return nil, err end
  local boxes
  boxes, err = address.parse(value.members or {}, field .. ".members")
  if not boxes then return nil, err end
  if boxes.written then return text.refuse(field .. ".members", "holds a group", "a group holds addresses only") end
  return new_group(value.group, boxes, field)
end

local function from_table(value, field)
  if value.group or value.members then return group_from_table(value, field) end
  if not value.address then return text.refuse(field, "has no address", "give address = \"local@domain\"") end
  for _, key in ipairs { "name", "address" } do
    local sound, err = text.verdict(field .. "." .. key, value[key] and text.fault(value[key]))
    if not sound then return nil, err end
  end
  local spec, local_part, domain, internationalized, idn = value.address, core.mailbox(value.address, true)
  if not local_part then return REFUSALS.mailbox(field, printable.value(spec), domain) end
  if idn then spec, domain = in_ascii(local_part, domain, field, spec) end
  if not spec then return nil, domain end
  local name = value.name ~= "" and value.name or nil
  return build(name, spec, local_part, domain, internationalized, field)
end

-- One element of a Lua list: a string in it is exactly one mailbox, whoever wrote it.
local function element(value, field)
  if type(value) == "table" then return from_table(value, field) end
  local items, err = read(value, field)
  if not items then return nil, err end
  if #items > 1 then
    return text.refuse(field, "holds %d addresses", "make each an element of the list", #items)
  end
  if items[1].members then return text.refuse(field, "holds a group", "in a list, write { group =, members = }") end
  return items[1]
end

--- Whether a value of the message table is a Lua list of addresses (the empty table is one).
---@param value any
---@return boolean
function address.is_list(value)
  return type(value) == "table" and (value[1] ~= nil or next(value) == nil)
end

-- What a field shows, and what comes after each; and the mailboxes that are in it.
local function flatten(items)
  local boxes, written = {}, {}
  local function add(box, after)
    boxes[#boxes + 1], written[#written + 1] = box, { name = box.name, address = box.address, after = after }
  end
  for i, item in ipairs(items) do
    local after = i < #items and "," or ""
    local members = item.members
    if members then
      written[#written + 1] = { group = item.group, after = members[1] and "" or ";" .. after }
      for j, box in ipairs(members) do add(box, j < #members and "," or ";" .. after) end
    else
      add(item, after)
    end
  end
  boxes.written = written
  return boxes
end

--- Makes a list of some mailboxes what parse() returns.
---@param items table[] mailboxes, or groups of them
---@return table[] boxes with `international`, the first that only an internationalized transport (RFC 6531) can carry;
--- and with `written` where there are groups (core.header_message)
function address.list(items)
  local boxes = items
  for i = 1, #items do
    if items[i].members then
      boxes = flatten(items)
      break
    end
  end
  for i = 1, #boxes do
    if boxes[i].internationalized then
      boxes.international = boxes[i]
      break
    end
  end
  return boxes
end

-- The string that was last read for each field, and its mailboxes: the author is the same in every mail of a run.
local LONGEST_KEPT = 1000
local last_value, last_boxes = {}, {}

local function read_and_keep(value, field)
  local items, err = read(value, field)
  if not items then return nil, err end
  local boxes = address.list(items)
  if #value <= LONGEST_KEPT then last_value[field], last_boxes[field] = value, boxes end
  return boxes
end

--- Reads the addresses of a field.
---@param value string|table its Lua types were checked before (fields.lua)
---@param field string the field's name, for errors
---@return table[]|nil list of { name=, address=, local_part=, domain=, internationalized=, field= }; not to be changed;
--- see address.list
---@return table|nil err
function address.parse(value, field)
  if value == last_value[field] then return last_boxes[field] end
  if type(value) == "string" then return read_and_keep(value, field) end
  if not address.is_list(value) then
    local box, err = from_table(value, field)
    if not box then return nil, err end
    return address.list { box }
  end
  local boxes = {}
  for i, one in ipairs(value) do
    local box, err = element(one, string.format("%s[%d]", field, i))
    if not box then return nil, err end
    boxes[i] = box
  end
  return address.list(boxes)
end

--- What two addresses of the same mailbox have in common: the domain is the same in either case, the local part is
-- the receiving host's own business (RFC 5321 section 2.4).
---@param box table
---@return string
function address.key(box)
  return box.local_part .. "@" .. box.domain:lower()
end

return address
