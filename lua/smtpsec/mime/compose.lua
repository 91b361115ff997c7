--- compose: the content of a message table becomes a tree of parts, nested as readers expect it:
--
--     mixed                       where there are attachments
--       alternative               where there is more than one form of the text
--         text/plain
--         related                 where the html has parts that it refers to by cid
--           text/html
--           the parts
--         text/calendar
--       the attachments

local body = require "smtpsec.mime.body"
local core = require "smtpsec.core"
local part = require "smtpsec.mime.part"
local printable = require "smtpsec.printable"
local text = require "smtpsec.mime.text"

local compose = {}

local function text_shape(subtype, charset, method)
  return part.shape { type = "text/" .. subtype, parameters = { { "charset", charset }, method } }
end

local PLAIN, HTML = text_shape("plain", "UTF-8"), text_shape("html", "UTF-8")

-- What a text of this subtype is called in a charset: UTF-8 where there is none.
local function shape_in(set, subtype, usual)
  return set and text_shape(subtype, set.name) or usual
end

-- RFC 6047 section 2.4: the method of the part is the method of the object in it. Its charset is UTF-8, whatever that
-- of the message is (RFC 5545 section 3.1.4).
local function calendar_part(calendar)
  local content = calendar.content
  if not content or not content:upper():find("^BEGIN:VCALENDAR%s") then
    return text.refuse("calendar.content", "is no iCalendar object", 'it begins with "BEGIN:VCALENDAR"')
  end
  local fault = calendar.method and text.fault(calendar.method)
  if fault then return text.verdict("calendar.method", fault) end
  local inside = ("\n" .. content):upper():match("[\r\n]METHOD:([A-Z-]+)")
  local method = calendar.method and calendar.method:upper() or inside
  if method and not method:find("^[A-Z-]+$") then
    return text.refuse("calendar.method", "%s is no method", 'such as "REQUEST" or "CANCEL"',
      printable.value(calendar.method))
  end
  if method ~= inside then
    return text.refuse("calendar.method", "%s is not the METHOD of the content, which is %s",
      "make them the same (RFC 6047)", method, inside or "missing")
  end
  return body.text(content, "calendar.content", text_shape("calendar", "UTF-8", method and { "method", method }))
end

-- The attachments as parts: those that html refers to, and the others.
local function attachments(given, has_html, set)
  local attachment = require "smtpsec.mime.attachment" -- with its table of media types, which most mails do not need
  local related, mixed, seen = {}, {}, {}
  for i, entry in ipairs(given) do
    local field = string.format("attachments[%d]", i)
    local node, err = attachment.part(entry, field, set)
    if not node then return nil, err end
    local shape = part.shape_of(node)
    local cid = shape.cid
    if cid and seen[cid] then
      return text.refuse(field .. ".cid", "%s is the cid of two attachments", "give each its own",
        printable.value(cid))
    end
    if cid then seen[cid] = true end
    local list = has_html and cid and shape.disposition == "inline" and related or mixed
    list[#list + 1] = node
  end
  return related, mixed
end

local MIXED = part.shape_of_parts { type = "multipart/mixed" }
local ALTERNATIVE = part.shape_of_parts { type = "multipart/alternative" }
-- RFC 2387 section 3.1: the type of the part to begin with.
local RELATED = part.shape_of_parts { type = "multipart/related", parameters = { { "type", "text/html" } } }

-- The text in the forms in which it is given, the plainest first (RFC 2046 section 5.1.4): the only one, all of them in
-- a multipart, or nil where there is none.
local function text_parts(given, related, text_wanted, set)
  local plain, html, calendar, err
  if text_wanted then plain, err = body.text(given.text or "", "text", shape_in(set, "plain", PLAIN), set) end
  if not err and given.html then html, err = body.text(given.html, "html", shape_in(set, "html", HTML), set) end
  if html and related[1] then html = part.extend(part.multipart(RELATED, html), related) end
  if not err and given.calendar then calendar, err = calendar_part(given.calendar) end
  if err then return nil, err end
  local first, second = plain or html or calendar, plain and html or calendar
  if not second or first == second then return first end
  return part.multipart(ALTERNATIVE, first, second, plain and html and calendar)
end

--- The message of a table that has nothing but the usual fields of a header and a short text, html or both, that every
-- server takes in the same encoding: the mail that most programs send, written in one step (csrc/lua/plain.c). Where
-- the texts are others, or there are attachments: its header alone, for the tree to be rendered behind.
---@param given any
---@param date string
---@return string|nil written nil where the header is not the usual one, or something is wrong with it
---@return string id
---@return string from the author's address
---@return string[] to the recipients' addresses, each once
---@return boolean whole whether it is the same message that the tree would become
compose.plain = core.plain(PLAIN, HTML, ALTERNATIVE)

local NONE = {}

--- Makes the tree of a message table.
---@param given table its Lua types were checked before
---@param set table|nil charset of its texts and file names (charset.lua)
---@return table|nil node
---@return table|nil err
function compose.tree(given, set)
  local related, mixed = NONE, NONE
  if given.attachments then related, mixed = attachments(given.attachments, given.html ~= nil, set) end
  if not related then return nil, mixed end
  local empty = not given.html and not given.calendar and #mixed == 0
  local forms, err = text_parts(given, related, given.text or empty, set)
  if err or #mixed == 0 then return forms, err end
  return part.extend(part.multipart(MIXED, forms), mixed)
end

return compose
