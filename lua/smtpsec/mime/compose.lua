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

local attachment = require "smtpsec.mime.attachment"
local body = require "smtpsec.mime.body"
local part = require "smtpsec.mime.part"
local printable = require "smtpsec.printable"
local text = require "smtpsec.mime.text"

local compose = {}

local function text_part(subtype, content, field, parameters)
  local sound, err = text.verdict(field, text.body_fault(content))
  if not sound then return nil, err end
  local all = { { "charset", "UTF-8" } }
  for _, parameter in ipairs(parameters or {}) do all[#all + 1] = parameter end
  return part.leaf { type = "text/" .. subtype, parameters = all, body = body.text(content, field) }
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
  return text_part("calendar", content, "calendar.content", { method and { "method", method } })
end

-- The attachments as parts: those that html refers to, and the others.
local function attachments(given, has_html)
  local related, mixed, seen = {}, {}, {}
  for i, entry in ipairs(given or {}) do
    local field = string.format("attachments[%d]", i)
    local node, err = attachment.part(entry, field)
    if not node then return nil, err end
    if node.cid and seen[node.cid] then
      return text.refuse(field .. ".cid", "%s is the cid of two attachments", "give each its own",
        printable.value(node.cid))
    end
    if node.cid then seen[node.cid] = true end
    local list = has_html and node.cid and node.disposition == "inline" and related or mixed
    list[#list + 1] = node
  end
  return related, mixed
end

-- The only one, or all of them in a multipart.
local function joined(subtype, nodes, parameters)
  return #nodes == 1 and nodes[1] or part.multipart(subtype, nodes, parameters)
end

local function html_part(content, related)
  local html, err = text_part("html", content, "html")
  if not html then return nil, err end
  local nodes = { html }
  for _, node in ipairs(related) do nodes[#nodes + 1] = node end
  -- RFC 2387 section 3.1: the type of the part to begin with.
  return joined("related", nodes, { { "type", "text/html" } })
end

-- The forms in which the text is given, the plainest first (RFC 2046 section 5.1.4).
local function text_forms(given, related, text_wanted)
  local makers = {
    { wanted = text_wanted, make = function() return text_part("plain", given.text or "", "text") end },
    { wanted = given.html, make = function() return html_part(given.html, related) end },
    { wanted = given.calendar, make = function() return calendar_part(given.calendar) end },
  }
  local forms = {}
  for _, form in ipairs(makers) do
    local node, err
    if form.wanted then node, err = form.make() end
    if err then return nil, err end
    forms[#forms + 1] = node
  end
  return forms
end

--- Makes the tree of a message table.
---@param given table its Lua types were checked before
---@return table|nil node
---@return table|nil err
function compose.tree(given)
  local related, mixed = attachments(given.attachments, given.html ~= nil)
  if not related then return nil, mixed end
  local empty = not given.html and not given.calendar and #mixed == 0
  local forms, err = text_forms(given, related, given.text or empty)
  if not forms then return nil, err end
  if #mixed == 0 then return joined("alternative", forms) end
  if #forms > 0 then table.insert(mixed, 1, joined("alternative", forms)) end
  return part.multipart("mixed", mixed)
end

return compose
