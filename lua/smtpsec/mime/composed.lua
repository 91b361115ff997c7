--- composed: a draft made from the fields of a message table: its header in writing, its tree of parts, its envelope.
-- What depends on the server is left open until it is rendered.

local address = require "smtpsec.address"
local compose = require "smtpsec.mime.compose"
local custom = require "smtpsec.mime.custom"
local date = require "smtpsec.mime.date"
local envelope = require "smtpsec.mime.envelope"
local header = require "smtpsec.mime.header"
local message_id = require "smtpsec.mime.message_id"
local part = require "smtpsec.mime.part"
local text = require "smtpsec.mime.text"
local unsubscribe = require "smtpsec.mime.unsubscribe"

local composed = {}

-- The fields with addresses, in the order in which they are written. Bcc has no name: it never is.
local PEOPLE = {
  { key = "from", name = "From" }, { key = "sender", name = "Sender" }, { key = "reply_to", name = "Reply-To" },
  { key = "to", name = "To" }, { key = "cc", name = "Cc" }, { key = "bcc" },
}
local RECIPIENTS = { "to", "cc", "bcc" }

-- Every address of the table: key -> list of mailboxes.
local function read_people(given)
  local people = {}
  for _, field in ipairs(PEOPLE) do
    local boxes, err = {}, nil
    if given[field.key] ~= nil then boxes, err = address.parse(given[field.key], field.key) end
    if not boxes then return nil, err end
    people[field.key] = boxes
  end
  return people
end

-- RFC 5322 section 3.6.2: somebody wrote it, and of several authors one sent it. A sender who is the only author
-- is not named twice.
local function find_sender(people)
  local from, sender = people.from, people.sender
  if #from == 0 then return text.refuse("from", "is missing", 'give from = "Name <local@domain>"') end
  if #sender > 1 then return text.refuse("sender", "holds %d addresses", "give one", #sender) end
  if #from > 1 and #sender == 0 then
    return text.refuse("from", "holds %d addresses, and there is no sender", "say who sends it: sender = …", #from)
  end
  local sent_by = sender[1] or from[1]
  if #from == 1 and address.key(from[1]) == address.key(sent_by) then people.sender = {} end
  return sent_by
end

local function recipients(people)
  local all = {}
  for _, key in ipairs(RECIPIENTS) do
    for _, box in ipairs(people[key]) do all[#all + 1] = box end
  end
  return all
end

-- The field whose address needs an internationalized transport, because the header shows it.
local function international(people)
  for _, field in ipairs(PEOPLE) do
    for _, box in ipairs(field.name and people[field.key] or {}) do
      if box.internationalized then return box.field end
    end
  end
end

local function address_line(name, boxes)
  local field = header.field(name)
  for i, box in ipairs(boxes) do
    if box.name then field:phrase(box.name) end
    local spec = box.name and "<" .. box.address .. ">" or box.address
    field:token(spec .. (i < #boxes and "," or ""))
  end
  return field:close()
end

-- The writers of the header. Each returns lines, or nil and the error.

local function date_line(draft)
  local seconds = draft.given.date or os.time()
  if seconds < 0 or seconds > date.LAST then
    return text.refuse("date", "%.14g is no time between 1970 and 9999", "give seconds since 1970", seconds)
  end
  return { header.field("Date"):token(date.format(seconds)):close() }
end

local function people_lines(draft)
  local lines = {}
  for _, field in ipairs(PEOPLE) do
    local boxes = draft.people[field.key]
    if field.name and #boxes > 0 then lines[#lines + 1] = address_line(field.name, boxes) end
  end
  return lines
end

local function subject_line(draft)
  local subject = draft.given.subject
  if not subject then return {} end
  local sound, err = text.verdict("subject", text.fault(subject))
  return sound and { header.field("Subject"):text(subject):close() }, err
end

local function id_line(draft)
  local given, err = draft.given.message_id, nil
  if given then draft.id, err = message_id.check(given) else draft.id = message_id.new(draft.people.from[1].domain) end
  return draft.id and { header.field("Message-ID"):token(draft.id):close() }, err
end

local function unsubscribe_lines(draft)
  local given = draft.given.list_unsubscribe
  if not given then return {} end
  return unsubscribe.fields(given)
end

local function custom_lines(draft)
  return custom.fields(draft.given.headers or {})
end

local function version_line()
  return { "MIME-Version: 1.0\r\n" }
end

-- In the order in which they write.
local WRITERS = { date_line, people_lines, subject_line, id_line, unsubscribe_lines, custom_lines, version_line }

local function write_header(draft)
  local all = {}
  for _, writer in ipairs(WRITERS) do
    local lines, err = writer(draft)
    if not lines then return nil, err end
    all[#all + 1] = table.concat(lines)
  end
  return table.concat(all)
end

-- A draft's method: the message for a server that offers these extensions.
local function render(draft, offered)
  local rendered, err = part.render(draft.tree, offered)
  if not rendered then return nil, err end
  local segments = { draft.head .. rendered.head .. "\r\n" }
  for _, segment in ipairs(rendered.segments) do segments[#segments + 1] = segment end
  if rendered.open then segments[#segments + 1] = "\r\n" end
  return { segments = segments, eight_bit = rendered.eight_bit }
end

--- Makes a draft of the table.
---@param given table its Lua types were checked before
---@return table|nil draft { id=, head=, envelope=, international = a field's name or nil, render = function }
---@return table|nil err
function composed.new(given)
  local people, err = read_people(given)
  if not people then return nil, err end
  local sent_by
  sent_by, err = find_sender(people)
  if not sent_by then return nil, err end
  local draft = { given = given, people = people, international = international(people), render = render }
  draft.envelope, err = envelope.new(given.envelope, sent_by, recipients(people))
  if not draft.envelope then return nil, err end
  draft.head, err = write_header(draft)
  if not draft.head then return nil, err end
  draft.tree, err = compose.tree(given)
  if not draft.tree then return nil, err end
  return draft
end

return composed
