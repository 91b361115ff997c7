--- attachment: an entry of the attachments list becomes a leaf part.
--
-- Only what the entry names is read: `path` is a local regular file, never a URL. What is sent as the file's name
-- is a base name, so that no reader is led to another folder.

local body = require "smtpsec.mime.body"
local part = require "smtpsec.mime.part"
local printable = require "smtpsec.printable"
local source = require "smtpsec.mime.source"
local text = require "smtpsec.mime.text"
local types = require "smtpsec.mime.types"

local attachment = {}

-- Octets; file systems hold 255.
local LONGEST_NAME = 255

local function find_source(entry, field)
  local given = {}
  for _, key in ipairs { "path", "content", "reader" } do
    if entry[key] ~= nil then given[#given + 1] = key end
  end
  if #given ~= 1 then
    local what = #given == 0 and "has no content" or "has " .. table.concat(given, " and ")
    return text.refuse(field, what, "give one of path, content and reader")
  end
  if entry.path then return source.file(entry.path, field .. ".path") end
  if entry.content then return source.text(entry.content) end
  return source.reader(entry.reader, field .. ".reader")
end

-- The name to send, or nil where there is none.
local function find_name(entry, field, set)
  local name = entry.filename or entry.path
  if not name then return nil end
  local at = field .. (entry.filename and ".filename" or ".path")
  name = name:match("[^/\\]*$")
  local fault = text.fault(name)
  if fault then return text.refuse(at, "the file name " .. fault, "give a filename of printable UTF-8") end
  if name == "" or name == "." or name == ".." then
    return text.refuse(at, "%s ends in no file name", "give the name that the reader shall see",
      printable.value(entry.filename or entry.path))
  end
  if #name > LONGEST_NAME then
    return text.refuse(at, "the file name is longer than %d octets", "give a shorter filename", LONGEST_NAME)
  end
  if set then
    local sound, err = set:convert(name, at)
    if not sound then return nil, err end
  end
  return name
end

local function find_type(entry, name, field)
  if not entry.type then return types.of(name), {} end
  local fault = text.fault(entry.type)
  if fault then return text.verdict(field .. ".type", fault) end
  local media_type, parameters = types.parse(entry.type)
  if not media_type then
    return text.refuse(field .. ".type", "%s is no media type", 'write one like "application/pdf"',
      printable.value(entry.type))
  end
  if media_type:find("^multipart/") then
    return text.refuse(field .. ".type", "%s has parts of its own", "attach its parts, or send the message raw",
      printable.value(entry.type))
  end
  return media_type, parameters
end

local function check_cid(cid, field)
  local fault = cid and text.fault(cid)
  if fault then return text.verdict(field .. ".cid", fault) end
  if not cid or (#cid <= LONGEST_NAME and cid:find("^[A-Za-z0-9!#$%%&'*+/=?^_`{|}~.@-]+$")) then return true end
  return text.refuse(field .. ".cid", "%s is no content id",
    "use letters, digits, dots and @, without angle brackets", printable.value(cid))
end

-- RFC 2045 section 6.4: messages may not be encoded, but for those of RFC 6532; every other type is sent byte for byte.
local function find_body(media_type, from, entry, field, shape)
  local is_message = media_type:find("^message/") and not media_type:find("^message/global")
  if not is_message then return body.data(from, field, shape) end
  if entry.reader then
    return text.refuse(field .. ".reader", "a message has to be looked at before it can be attached",
      "give it as content or path")
  end
  return body.message(from, field, shape)
end

--- Makes the part for an entry.
---@param entry table its Lua types were checked before
---@param field string "attachments[1]"
---@param set table|nil charset of its file name (charset.lua)
---@return table|nil node
---@return table|nil err
function attachment.part(entry, field, set)
  local name, name_err = find_name(entry, field, set)
  if name_err then return nil, name_err end
  local media_type, parameters = find_type(entry, name, field)
  if not media_type then return nil, parameters end
  local sound, cid_err = check_cid(entry.cid, field)
  if not sound then return nil, cid_err end
  local from, err = find_source(entry, field)
  if not from then return nil, err end
  local inline = entry.inline or (entry.inline == nil and entry.cid ~= nil)
  local shape = part.shape {
    type = media_type, parameters = parameters, filename = name, cid = entry.cid,
    disposition = inline and "inline" or "attachment", charset = set and set.core,
  }
  return find_body(media_type, from, entry, field, shape)
end

return attachment
