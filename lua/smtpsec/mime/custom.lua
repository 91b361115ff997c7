--- custom: the header fields that a user adds. Their values are text, and arrive as text; a field that smtpsec
-- composes itself cannot be set here, or a message could have two of them.

local header = require "smtpsec.mime.header"
local printable = require "smtpsec.printable"
local text = require "smtpsec.mime.text"

local custom = {}

-- Where to say it instead.
local COMPOSED = {
  ["from"] = "from", ["sender"] = "sender", ["to"] = "to", ["cc"] = "cc", ["bcc"] = "bcc", ["reply-to"] = "reply_to",
  ["subject"] = "subject", ["date"] = "date", ["message-id"] = "message_id",
  ["list-unsubscribe"] = "list_unsubscribe",
  ["list-unsubscribe-post"] = "list_unsubscribe", ["auto-submitted"] = "auto_submitted",
  ["return-path"] = "envelope.from",
}

-- Written by smtpsec, or by relays, or never.
local RESERVED = { ["mime-version"] = true, ["dkim-signature"] = true, ["received"] = true, ["resent-bcc"] = true }

-- Fields that hold identifiers, addresses or URIs: machines read them, and none of them knows encoded words.
local VERBATIM = {
  ["in-reply-to"] = true, ["references"] = true, ["list-help"] = true, ["list-subscribe"] = true,
  ["list-post"] = true, ["list-owner"] = true, ["list-archive"] = true, ["autocrypt"] = true,
  ["feedback-id"] = true,
}

local function check_name(name, at)
  if #name == 0 or #name > header.LONGEST_NAME or name:find("[^\33-\57\59-\126]") then
    return text.refuse(at, "%s is no name of a header field", "use letters, digits and hyphens, not too many",
      printable.value(name))
  end
  local key = name:lower()
  if COMPOSED[key] then
    return text.refuse(at, "%s is composed by smtpsec", "give it as " .. COMPOSED[key], printable.value(name))
  end
  if RESERVED[key] or key:find("^content%-") then
    return text.refuse(at, "%s cannot be set", "leave it out", printable.value(name))
  end
  return key
end

local function verbatim(name, value, at)
  if value:find("[\128-\255]") then
    return text.refuse(at, "%s takes ASCII only", "percent-encode or remove the rest", name)
  end
  local field = header.field(name)
  for word in value:gmatch("[^ ]+") do
    if #word > header.LONGEST then
      return text.refuse(at, "holds a word of more than %d octets", "shorten it", header.LONGEST)
    end
    field:token(word)
  end
  return field:close()
end

local function write(name, value, at, set)
  local key, err = check_name(name, at)
  if not key then return nil, err end
  local sound
  sound, err = text.verdict(at, text.fault(value))
  if not sound then return nil, err end
  if VERBATIM[key] then return verbatim(name, value, at) end
  if not set then return header.text(name, value) end
  sound, err = set:convert(value, at)
  if not sound then return nil, err end
  return header.text(name, value, set.core)
end

-- Pairs in the order given, or by name where a map has none. Each with the way to name it in an error.
local function in_order(given)
  local ordered = {}
  for i, pair in ipairs(given) do
    ordered[i] = { name = pair[1], value = pair[2], at = string.format("headers[%d]", i) }
  end
  if ordered[1] then return ordered end
  for name, value in pairs(given) do
    ordered[#ordered + 1] = { name = name, value = value, at = "headers." .. printable.text(name) }
  end
  table.sort(ordered, function(a, b) return a.name < b.name end)
  return ordered
end

--- Checks the headers field and writes it.
---@param given table map, or list of { name, value }
---@param set table|nil charset (charset.lua)
---@return string[]|nil lines header fields
---@return table|nil err
function custom.fields(given, set)
  local lines = {}
  for i, one in ipairs(in_order(given)) do
    local line, err = write(one.name, one.value, one.at, set)
    if not line then return nil, err end
    lines[i] = line
  end
  return lines
end

return custom
