--- composed: a draft made from the fields of a message table: its header in writing, its tree of parts, its envelope.
-- What depends on the server is left open until it is rendered.

local address = require "smtpsec.address"
local charset = require "smtpsec.mime.charset"
local compose = require "smtpsec.mime.compose"
local date = require "smtpsec.mime.date"
local envelope = require "smtpsec.mime.envelope"
local header = require "smtpsec.mime.header"
local message_id = require "smtpsec.mime.message_id"
local part = require "smtpsec.mime.part"
local text = require "smtpsec.mime.text"

local composed = {}

-- The fields with addresses, in the order in which they are read. Bcc is never written.
local PEOPLE = { "from", "sender", "reply_to", "to", "cc", "bcc" }
local RECIPIENTS = { "to", "cc", "bcc" }

local NOBODY = {}

-- Every address of the table: key -> list of mailboxes, or nil; and as `international` the field whose address needs an
-- internationalized transport, because the header shows it.
local function read_people(given)
  local people = { from = nil, to = nil } -- which most messages have
  for i = 1, #PEOPLE do
    local key = PEOPLE[i]
    local value = given[key]
    if value ~= nil then
      local boxes, err = address.parse(value, key)
      if not boxes then return nil, err end
      people[key] = boxes
      local box = boxes.international
      if box and key ~= "bcc" then people.international = people.international or box.field end
    end
  end
  return people
end

-- RFC 5322 section 3.6.2: somebody wrote it, and of several authors one sent it. A sender who is the only author
-- is not named twice.
local function find_sender(people)
  local from, sender = people.from or NOBODY, people.sender or NOBODY
  if from.written or sender.written then
    return text.refuse(from.written and "from" or "sender", "holds a group", "say who it is: a group sends no mail")
  end
  if #from == 0 then return text.refuse("from", "is missing", 'give from = "Name <local@domain>"') end
  if #sender > 1 then return text.refuse("sender", "holds %d addresses", "give one", #sender) end
  if #from > 1 and #sender == 0 then
    return text.refuse("from", "holds %d addresses, and there is no sender", "say who sends it: sender = …", #from)
  end
  local sent_by = sender[1] or from[1]
  if #sender == 1 and #from == 1 and address.key(from[1]) == address.key(sent_by) then people.sender = nil end
  return sent_by
end

local function recipients(people)
  if not people.cc and not people.bcc then return people.to or NOBODY end
  local all = {}
  for _, key in ipairs(RECIPIENTS) do
    for _, box in ipairs(people[key] or NOBODY) do all[#all + 1] = box end
  end
  return address.list(all)
end

-- What the header says. Each returns its lines, or its value; or nil and the error.

local function find_date(given)
  local seconds = given.date or os.time()
  if seconds < 0 or seconds > date.LAST then
    return text.refuse("date", "%.14g is no time between 1970 and 9999", "give seconds since 1970", seconds)
  end
  return date.format(seconds)
end

-- The fields that few messages have; "" where there are none.
local function more_lines(given, set)
  local lines = given.auto_submitted and "Auto-Submitted: " .. given.auto_submitted .. "\r\n" or "" -- RFC 3834
  if given.list_unsubscribe then
    local more, err = require("smtpsec.mime.unsubscribe").fields(given.list_unsubscribe)
    if not more then return nil, err end
    lines = lines .. table.concat(more)
  end
  if given.headers then
    local more, err = require("smtpsec.mime.custom").fields(given.headers, set)
    if not more then return nil, err end
    lines = lines .. table.concat(more)
  end
  return lines
end

-- Whether the charset has all that the header says, but for the fields that a user adds.
local function check_charset(given, people, set)
  local sound, err = true, nil
  if given.subject then sound, err = set:convert(given.subject, "subject") end
  for _, key in ipairs(PEOPLE) do
    local boxes = key ~= "bcc" and people[key] or NOBODY
    for _, box in ipairs(boxes) do
      if sound and box.name then sound, err = set:convert(box.name, box.field) end
    end
    for _, item in ipairs(boxes.written or NOBODY) do
      if sound and item.group then sound, err = set:convert(item.group, key) end
    end
  end
  return sound, err
end

-- Everything but the lines that depend on the body. The identifier is returned behind it.
local function write_header(given, people, set)
  local dated, err = find_date(given)
  if not dated then return nil, err end
  local fault = given.subject and text.fault(given.subject)
  if fault then return text.verdict("subject", fault) end
  if set then
    local sound
    sound, err = check_charset(given, people, set)
    if not sound then return nil, err end
  end
  local id, more = given.message_id, ""
  if id then id, err = message_id.check(id) else id = message_id.new(people.from[1].domain) end
  if not id then return nil, err end
  if given.auto_submitted or given.list_unsubscribe or given.headers then more, err = more_lines(given, set) end
  if not more then return nil, err end
  return header.message(people, dated, given.subject, id, more, set and set.core), id
end

-- A draft's method: the message for a server that offers these extensions, as part.render returns it.
local function write(draft, offered, binary)
  return part.render(draft.tree, draft.head, offered, binary)
end

--- The message of a table that is plain, or its header (compose.plain).
---@param given any
---@return string|nil written nil where a draft has to be made of the table alone
---@return string id
---@return string from
---@return string[] to
---@return boolean whole
function composed.plain(given)
  return compose.plain(given, date.format(os.time()))
end

--- Makes a draft of a table whose header is plain, and written.
---@param given table its Lua types were checked before
---@param head string what composed.plain returned, as the others
---@param id string
---@param from string
---@param to string[]
---@return table|nil draft as that of composed.new
---@return table|nil err
function composed.behind(given, head, id, from, to)
  local tree, err = compose.tree(given)
  if not tree then return nil, err end
  return { id = id, head = head, parties = { from = from, to = to }, tree = tree, utf8_header = false, write = write,
    fixed = false }
end

--- Makes a draft of the table.
---@param given table its Lua types were checked before
---@return table|nil draft { id=, head=, parties = envelope, utf8_header = whether the header holds UTF-8,
--- international = the field that keeps the message from servers without SMTPUTF8 or nil, warnings = for receipts or
--- nil, write = function, fixed = whether its encodings must stay as they are }
---@return table|nil err
function composed.new(given)
  local people, err = read_people(given)
  if not people then return nil, err end
  local sent_by, parties, box, set, head, id, tree, warnings
  sent_by, err = find_sender(people)
  if not sent_by then return nil, err end
  parties, err, box = envelope.new(given.envelope, sent_by, recipients(people))
  if not parties then return nil, err end
  set, err = charset.find(given.charset)
  if err then return nil, err end
  head, id = write_header(given, people, set)
  if not head then return nil, id end
  tree, err = compose.tree(given, set)
  if tree and given.smime then
    tree, err, warnings = require("smtpsec.mime.smime").transform(tree, given.smime, people, parties)
  end
  if not tree then return nil, err end
  local field = people.international
  return { id = id, head = head, parties = parties, tree = tree, utf8_header = field ~= nil,
    international = field or (box and box.field), warnings = warnings, write = write,
    fixed = given.smime ~= nil }
end

return composed
