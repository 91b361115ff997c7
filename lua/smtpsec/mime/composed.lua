--- composed: a draft made from the fields of a message table: its header in writing, its tree of parts, its envelope.
-- What depends on the server is left open until it is rendered.

local address = require "smtpsec.address"
local compose = require "smtpsec.mime.compose"
local date = require "smtpsec.mime.date"
local envelope = require "smtpsec.mime.envelope"
local header = require "smtpsec.mime.header"
local message_id = require "smtpsec.mime.message_id"
local part = require "smtpsec.mime.part"
local text = require "smtpsec.mime.text"

local composed = {}

-- The fields with addresses, in the order in which they are written. Bcc has no name: it never is.
local PEOPLE = { "from", "sender", "reply_to", "to", "cc", "bcc" }
local NAMES = { from = "From", sender = "Sender", reply_to = "Reply-To", to = "To", cc = "Cc" }
local RECIPIENTS = { "to", "cc", "bcc" }

local NOBODY = {}

-- Every address of the table: key -> list of mailboxes; and as `international` the field whose address needs an
-- internationalized transport, because the header shows it.
local function read_people(given)
  local people = { from = NOBODY, sender = NOBODY, reply_to = NOBODY, to = NOBODY, cc = NOBODY, bcc = NOBODY,
    international = nil }
  for i = 1, #PEOPLE do
    local key = PEOPLE[i]
    if given[key] ~= nil then
      local boxes, err = address.parse(given[key], key)
      if not boxes then return nil, err end
      people[key] = boxes
      local box = not people.international and NAMES[key] and envelope.international(boxes)
      if box then people.international = box.field end
    end
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
  if #sender == 1 and #from == 1 and address.key(from[1]) == address.key(sent_by) then people.sender = NOBODY end
  return sent_by
end

local function recipients(people)
  if people.cc == NOBODY and people.bcc == NOBODY then return people.to end
  local all = {}
  for _, key in ipairs(RECIPIENTS) do
    for _, box in ipairs(people[key]) do all[#all + 1] = box end
  end
  return all
end

-- The last line of each field that names one person: the author is the same in every mail of a run, and address.lua
-- gives the same list for him.
local last_boxes, last_line = {}, {}

local function people_line(key, boxes)
  if last_boxes[key] == boxes then return last_line[key] end
  local line = header.mailboxes(NAMES[key], boxes)
  if #boxes == 1 then last_boxes[key], last_line[key] = boxes, line end
  return line
end

-- What the header says. Each returns its lines, or its value, "" where there is none; or nil and the error.

local function find_date(given)
  local seconds = given.date or os.time()
  if seconds < 0 or seconds > date.LAST then
    return text.refuse("date", "%.14g is no time between 1970 and 9999", "give seconds since 1970", seconds)
  end
  return date.format(seconds)
end

local function people_lines(people)
  local lines = ""
  for i = 1, #PEOPLE do
    local key = PEOPLE[i]
    local boxes = people[key]
    if boxes ~= NOBODY and NAMES[key] and boxes[1] then lines = lines .. people_line(key, boxes) end
  end
  return lines
end

local function subject_line(subject)
  if not subject then return "" end
  local fault = text.fault(subject)
  if fault then return text.verdict("subject", fault) end
  return header.text("Subject", subject)
end

local function find_id(given, people)
  if given.message_id then return message_id.check(given.message_id) end
  return message_id.new(people.from[1].domain)
end

local function unsubscribe_lines(given)
  if not given then return "" end
  local lines, err = require("smtpsec.mime.unsubscribe").fields(given)
  return lines and table.concat(lines), err
end

local function custom_lines(given)
  if not given then return "" end
  local lines, err = require("smtpsec.mime.custom").fields(given)
  return lines and table.concat(lines), err
end

-- Everything but the lines that depend on the body. The identifier is returned behind it.
local function write_header(given, people)
  local dated, err = find_date(given)
  if not dated then return nil, err end
  local subject, id, unsubscribing, more
  subject, err = subject_line(given.subject)
  if not subject then return nil, err end
  id, err = find_id(given, people)
  if not id then return nil, err end
  unsubscribing, err = unsubscribe_lines(given.list_unsubscribe)
  if not unsubscribing then return nil, err end
  more, err = custom_lines(given.headers)
  if not more then return nil, err end
  return "Date: " .. dated .. "\r\n" .. people_lines(people) .. subject .. "Message-ID: " .. id .. "\r\n"
    .. unsubscribing .. more .. "MIME-Version: 1.0\r\n", id
end

-- A draft's method: the segments of the message for a server that offers these extensions, and whether 8 bits are in
-- its bodies; nil and the error.
local function write(draft, offered)
  local tree, segments = draft.tree, {}
  local encoding, err = part.choose(tree, offered)
  if not encoding then return nil, err end
  local rest = part.render(tree, segments, draft.head, part.ends_open(tree) and "\r\n" or "")
  if rest ~= "" then segments[#segments + 1] = rest end
  return segments, encoding == "8bit"
end

--- Makes a draft of the table.
---@param given table its Lua types were checked before
---@return table|nil draft { id=, head=, parties = envelope, utf8_header = whether the header holds UTF-8,
--- international = the field that keeps the message from servers without SMTPUTF8 or nil, write = function }
---@return table|nil err
function composed.new(given)
  local people, err = read_people(given)
  if not people then return nil, err end
  local sent_by, parties, box, head, id, tree
  sent_by, err = find_sender(people)
  if not sent_by then return nil, err end
  parties, err, box = envelope.new(given.envelope, sent_by, recipients(people))
  if not parties then return nil, err end
  head, id = write_header(given, people)
  if not head then return nil, id end
  tree, err = compose.tree(given)
  if not tree then return nil, err end
  local field = people.international
  return { id = id, head = head, parties = parties, tree = tree, utf8_header = field ~= nil,
    international = field or (box and box.field), write = write }
end

return composed
