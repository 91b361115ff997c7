--- envelope: who sends and who receives, as SMTP is told; from the envelope field, else from the addresses of the
-- header.

local address = require "smtpsec.address"
local text = require "smtpsec.mime.text"

local envelope = {}

-- The address of each mailbox once, in the order of its first mention: a recipient named twice gets one mail.
local function once(boxes)
  local kept = { boxes[1].address }
  if not boxes[2] then return kept end
  local seen, count = { [address.key(boxes[1])] = true }, 1
  for i = 2, #boxes do
    local key = address.key(boxes[i])
    if not seen[key] then
      seen[key], count = true, count + 1
      kept[count] = boxes[i].address
    end
  end
  return kept
end

-- Addresses of the envelope field: groups are the header's (RFC 5322 section 3.4).
local function read(given, field)
  local boxes, err = address.parse(given, field)
  if not boxes then return nil, err end
  if boxes.written then return text.refuse(field, "holds a group", "give addresses: only a header has groups") end
  return boxes
end

local function sender(given, header)
  if given == "" then return { address = "" } end -- the null reverse-path, RFC 5321 section 4.5.5
  if given == nil then return header end
  local boxes, err = read(given, "envelope.from")
  if not boxes then return nil, err end
  if #boxes ~= 1 then
    return text.refuse("envelope.from", "needs one address, got %d", 'use "" for the null sender', #boxes)
  end
  return boxes[1]
end

--- The envelope of a message.
---@param given table|nil the envelope field
---@param from table|nil mailbox that stands for the sender in the header
---@param recipients table mailboxes of the header (address.list)
---@return table|nil envelope { from = address, "" for the null sender, to = list of addresses, each once }
---@return table|nil err
---@return table|nil mailbox the first that only an internationalized transport can carry
function envelope.new(given, from, recipients)
  local origin, to = from, recipients
  if given then
    local err
    origin, err = sender(given.from, from)
    if not origin then return nil, err end
    if given.to ~= nil then to, err = read(given.to, "envelope.to") end
    if not to then return nil, err end
  end
  if #to == 0 then return text.refuse("to", "the recipient list is empty", "give to, cc, bcc or envelope.to") end
  local international = origin.internationalized and origin or to.international
  return { from = origin.address, to = once(to) }, nil, international
end

return envelope
