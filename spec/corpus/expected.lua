--- expected: what a reader must find in a message, from the table it was made of, by a derivation that shares nothing
-- with the library; and how that differs from what was found.
--
-- What a case wants beyond its table: from, to, cc, reply_to, sender (lists of "a@b" or { name =, address = });
-- groups; subject, text; tree ("mixed(plain application/pdf)"); method; headers; order (of the attachments as they
-- are found); contents, filenames, types, parameters (by attachment); secret (what may stand nowhere); wire (the
-- bytes); long (its header lines are not ours to fold); mailparser (the same again, where that reader is known to
-- read something in its own way).
local expected = {}

-- The media types of the names that the corpus uses.
local TYPES = { pdf = "application/pdf", txt = "text/plain", log = "text/plain", csv = "text/csv",
  xml = "application/xml",
  png = "image/png", jpg = "image/jpeg", ics = "text/calendar", eml = "message/rfc822", css = "text/css",
  woff2 = "font/woff2", html = "text/html", vcf = "text/vcard" }

local FIELDS = { From = "from", Sender = "sender", ["Reply-To"] = "reply_to", To = "to", Cc = "cc" }

local function show(value)
  if type(value) ~= "table" then return (("%q"):format(tostring(value)):sub(1, 300)) end
  local keys, shown = {}, {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for i, key in ipairs(keys) do shown[i] = tostring(key) .. "=" .. show(value[key]) end
  return "{" .. table.concat(shown, " "):sub(1, 600) .. "}"
end

local function same(a, b)
  if type(a) ~= "table" or type(b) ~= "table" then return a == b end
  for key, value in pairs(a) do
    if not same(value, b[key]) then return false end
  end
  for key in pairs(b) do
    if a[key] == nil then return false end
  end
  return true
end

local function canonical(s)
  return (s:gsub("\r\n", "\n"):gsub("\r", "\n"):gsub("\n", "\r\n"))
end

-- Mailboxes in one form.
local function boxes(list)
  local all = {}
  for i, one in ipairs(list) do
    if type(one) == "string" then one = { address = one } end
    all[i] = { name = one.name or "", address = one.address }
  end
  return all
end

-- What the table says of a field with addresses. Strings with more in them than an address are the case's to explain.
local function people(given, want, key)
  if want[key] then return boxes(want[key]) end
  local value = given[key]
  if value == nil then return {} end
  if type(value) == "string" or value.address then value = { value } end
  for _, one in ipairs(value) do
    local plain = type(one) == "table" and one.address or type(one) == "string" and one:find("^[^ ,<>\"]+$")
    assert(plain, "a case has to say what it wants of " .. key)
  end
  return boxes(value)
end

local function base_name(entry)
  local name = entry.filename or entry.path
  return name and name:match("[^/\\]*$")
end

local function type_of(entry)
  if entry.type then return entry.type:match("^[^; ]+"):lower() end
  local name = base_name(entry)
  return name and TYPES[name:match("%.(%w+)$")] or "application/octet-stream"
end

local function disposition(entry)
  if entry.inline == nil then return entry.cid and "inline" or "attachment" end
  return entry.inline and "inline" or "attachment"
end

-- The attachments in the order in which a reader finds them.
local function attachments(given, want)
  local found = {}
  for i, entry in ipairs(given.attachments or {}) do
    local content = want.contents and want.contents[i] or entry.content
    local media_type = want.types and want.types[i] or type_of(entry)
    if media_type == "message/rfc822" then content = canonical(content) end
    found[i] = { content = content, filename = want.filenames and want.filenames[i] or base_name(entry) or "",
      type = media_type, cid = entry.cid and "<" .. entry.cid .. ">" or "", disposition = disposition(entry) }
  end
  if not want.order then return found end
  local ordered = {}
  for i, at in ipairs(want.order) do ordered[i] = found[at] end
  return ordered
end

-- The nesting of a message of text, html or both, and attachments. Cases with more say it themselves.
local function tree(given, want)
  if want.tree then return want.tree end
  local forms, related, mixed = {}, {}, {}
  for _, entry in ipairs(given.attachments or {}) do
    local list = given.html and entry.cid and disposition(entry) == "inline" and related or mixed
    list[#list + 1] = want.types and want.types[1] or type_of(entry)
  end
  if given.text or not (given.html or given.calendar or mixed[1]) then forms[1] = "plain" end
  if given.html then
    forms[#forms + 1] = related[1] and "related(html " .. table.concat(related, " ") .. ")" or "html"
  end
  if given.calendar then forms[#forms + 1] = "calendar" end
  local form = #forms > 1 and "alternative(" .. table.concat(forms, " ") .. ")" or forms[1]
  if not mixed[1] then return form end
  if form then table.insert(mixed, 1, form) end
  return "mixed(" .. table.concat(mixed, " ") .. ")"
end

-- How a part is called in a tree.
local function called(part, attached)
  if part.type:find("^multipart/") then return (part.type:gsub("^multipart/", "")) end
  if attached then return part.type end
  return (part.type:gsub("^text/", ""))
end

-- The parts that were found: what is attached, what is not, and how they are nested. A message in a message is one
-- part.
local function sort_parts(parts)
  local attached, bodies, written, open, inner = {}, {}, {}, 0, nil
  for _, part in ipairs(parts) do
    if not inner or part.depth <= inner then
      inner = nil
      local is_attached = part.disposition ~= nil
      written[#written + 1] = (")"):rep(open - part.depth)
      open = part.depth
      if written[#written - 1] and not written[#written - 1]:find("%($") then written[#written + 1] = " " end
      written[#written + 1] = called(part, is_attached)
      if part.type:find("^multipart/") then
        written[#written + 1], open = "(", part.depth + 1
      elseif is_attached then
        attached[#attached + 1] = part
      else
        bodies[called(part)] = part
      end
      if part.type == "message/rfc822" then inner = part.depth end
    end
  end
  return attached, bodies, table.concat(written) .. (")"):rep(open)
end

-- Whether a part holds this text. Where it is all that the message holds, the message's last line end may be in it.
-- mailparser gives a line end for a part without any content.
local function holds(part, text, single)
  local wire, found = canonical(text), part.content
  if not found then wire, found = wire:gsub("\r\n", "\n"), part.text end
  local open = single or (part.text == "\n" and not part.content)
  return found == wire or (open and wire:sub(-1) ~= "\n" and found:gsub("\r?\n$", "", 1) == wire)
end

local function find_field(fields, name, value)
  for i, field in ipairs(fields) do
    if field[1] == name and field[2] == value then return i end
  end
end

-- Each looks at one side of a message: (given, want, read, complain).
local LOOKS = {}

function LOOKS.defects(_, _, read, complain)
  for _, defect in ipairs(read.defects) do complain("a defect: %s", defect) end
end

function LOOKS.people(given, want, read, complain)
  for name, key in pairs(FIELDS) do
    local wanted = people(given, want, key)
    local found = read.addresses[name] or {}
    if not same(wanted, boxes(found)) then complain("%s is %s, not %s", name, show(found), show(wanted)) end
  end
  if read.addresses.Bcc then complain("Bcc is there") end
  local groups = read.groups
  if not same(want.groups or {}, next(groups) and groups or {}) then
    complain("groups are %s, not %s", show(groups), show(want.groups or {}))
  end
end

function LOOKS.subject(given, want, read, complain)
  local wanted = want.subject or given.subject
  if (read.subject or "") ~= wanted then complain("the subject is %s, not %s", show(read.subject), show(wanted)) end
end

function LOOKS.date(given, _, read, complain)
  local wanted = given.date and math.floor(given.date) or read.date
  if not read.date or read.date ~= wanted then complain("the date is %s, not %s", show(read.date), show(wanted)) end
end

function LOOKS.headers(given, want, read, complain)
  local wanted, at = want.headers or given.headers or {}, 0
  for _, pair in ipairs(wanted) do
    local i = find_field(read.fields, pair[1], pair[2])
    if not i then complain("no field %s: %s", pair[1], show(pair[2])) end
    -- the same field again is looked for behind the last one
    for j = at + 1, #read.fields do
      if read.fields[j][1] == pair[1] and read.fields[j][2] == pair[2] then i = j break end
    end
    if i and i <= at then complain("%s: %s is out of order", pair[1], show(pair[2])) end
    at = i or at
  end
  if given.message_id and not find_field(read.fields, "Message-ID", given.message_id) then
    complain("no Message-ID %s", given.message_id)
  end
end

function LOOKS.bodies(given, want, read, complain)
  local single = #read.parts == 1
  local _, bodies, written = sort_parts(read.parts)
  local wanted_tree = given.raw and (want.tree or "plain") or tree(given, want)
  if written ~= wanted_tree then complain("the parts are %s, not %s", written, wanted_tree) end
  local wanted = { plain = want.text or given.text, html = given.html,
    calendar = given.calendar and given.calendar.content }
  for name, text in pairs(wanted) do
    local part = bodies[name]
    if not part then
      complain("%s is not there", name)
    elseif not holds(part, text, single) then
      complain("%s is %s, not %s", name, show(part.content or part.text), show(text))
    end
  end
  if given.calendar then
    local method = want.method or given.calendar.method
    local found = bodies.calendar and bodies.calendar.parameters.method
    if found ~= method then complain("the method is %s, not %s", show(found), show(method)) end
  end
end

function LOOKS.attachments(given, want, read, complain)
  local found, wanted = sort_parts(read.parts), attachments(given, want)
  if given.raw then
    for i, content in ipairs(want.contents or {}) do
      wanted[i] = { content = content, filename = want.filenames[i], disposition = "attachment" }
    end
  end
  if #found ~= #wanted then complain("%d attachments, not %d", #found, #wanted) end
  for i, entry in ipairs(wanted) do
    for key, value in pairs(entry) do
      local part = found[i] or {}
      local got = part[key] or (key == "content" and part.text) or ""
      if got ~= value then complain("attachment %d has %s %s, not %s", i, key, show(got), show(value)) end
    end
    for name, value in pairs(want.parameters and want.parameters[i] or {}) do
      local got = found[i] and found[i].parameters[name]
      if got ~= value then complain("attachment %d has %s=%s, not %s", i, name, show(got), show(value)) end
    end
  end
end

--- How what was found differs from what was given.
---@param case table
---@param given table its message table
---@param read table as judge.read or judge.parse tells it
---@param reader string who read it: "python" or "mailparser"
---@return string[] complaints
function expected.differences(case, given, read, reader)
  local complaints, want = {}, case.want or {}
  local function complain(format, ...) complaints[#complaints + 1] = format:format(...) end
  if want[reader] then want = setmetatable(want[reader], { __index = want }) end
  for _, look in pairs(LOOKS) do look(given, want, read, complain) end
  return complaints
end

return expected
