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
local part = require "smtpsec.mime.part"
local printable = require "smtpsec.printable"
local text = require "smtpsec.mime.text"

local compose = {}

local function text_shape(subtype, method)
  return part.shape { type = "text/" .. subtype, parameters = { { "charset", "UTF-8" }, method } }
end

local PLAIN, HTML = text_shape("plain"), text_shape("html")

local function text_part(shape, content, field)
  local made, err = body.text(content, field)
  if not made then return nil, err end
  return part.leaf(shape, made)
end

-- RFC 6047 section 2.4: the method of the part is the method of the object in it.
local function calendar_part(calendar)
  local content = calendar.content
  if not content or not content:upper():find("^BEGIN:VCALENDAR%s") then
    return text.refuse("calendar.content", "is no iCalendar object", 'it begins with "BEGIN:VCALENDAR"')
  end
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
  return text_part(text_shape("calendar", method and { "method", method }), content, "calendar.content")
end

-- The attachments as parts: those that html refers to, and the others.
local function attachments(given, has_html)
  local attachment = require "smtpsec.mime.attachment" -- with its table of media types, which most mails do not need
  local related, mixed, seen = {}, {}, {}
  for i, entry in ipairs(given) do
    local field = string.format("attachments[%d]", i)
    local node, err = attachment.part(entry, field)
    if not node then return nil, err end
    local cid = node.shape.cid
    if cid and seen[cid] then
      return text.refuse(field .. ".cid", "%s is the cid of two attachments", "give each its own",
        printable.value(cid))
    end
    if cid then seen[cid] = true end
    local list = has_html and cid and node.shape.disposition == "inline" and related or mixed
    list[#list + 1] = node
  end
  return related, mixed
end

local MIXED = part.shape { type = "multipart/mixed" }
local ALTERNATIVE = part.shape { type = "multipart/alternative" }
-- RFC 2387 section 3.1: the type of the part to begin with.
local RELATED = part.shape { type = "multipart/related", parameters = { { "type", "text/html" } } }

-- The only form, or all of them in a multipart.
local function alternative(forms)
  return #forms == 1 and forms[1] or part.multipart(ALTERNATIVE, forms)
end

local function html_part(content, related)
  local html, err = text_part(HTML, content, "html")
  if not html or not related[1] then return html, err end
  table.insert(related, 1, html)
  return part.multipart(RELATED, related)
end

-- The forms in which the text is given, the plainest first (RFC 2046 section 5.1.4).
local function text_forms(given, related, text_wanted)
  local plain, html, calendar, err
  if text_wanted then plain, err = text_part(PLAIN, given.text or "", "text") end
  if not err and given.html then html, err = html_part(given.html, related) end
  if not err and given.calendar then calendar, err = calendar_part(given.calendar) end
  if err then return nil, err end
  local second, third = html or calendar, html and calendar
  return plain and { plain, second, third } or { second, third }
end

local NONE = {}

--- Makes the tree of a message table.
---@param given table its Lua types were checked before
---@return table|nil node
---@return table|nil err
function compose.tree(given)
  local related, mixed = NONE, NONE
  if given.attachments then related, mixed = attachments(given.attachments, given.html ~= nil) end
  if not related then return nil, mixed end
  local empty = not given.html and not given.calendar and #mixed == 0
  local forms, err = text_forms(given, related, given.text or empty)
  if not forms then return nil, err end
  if #mixed == 0 then return alternative(forms) end
  if #forms > 0 then table.insert(mixed, 1, alternative(forms)) end
  return part.multipart(MIXED, mixed)
end

return compose
