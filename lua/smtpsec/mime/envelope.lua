--- envelope: who sends and who receives, as SMTP is told; from the envelope field, else from the addresses of the
-- header.

local address = require "smtpsec.address"
local text = require "smtpsec.mime.text"

local envelope = {}

-- Each mailbox once, in the order of its first mention: a recipient named twice gets one mail.
local function once(boxes)
  local seen, kept = {}, {}
  for _, box in ipairs(boxes) do
    local key = address.key(box)
    if not seen[key] then
      seen[key] = true
      kept[#kept + 1] = box
    end
  end
  return kept
end

local function sender(given, header)
  if given == "" then return { address = "" } end -- the null reverse-path, RFC 5321 section 4.5.5
  if given == nil then return header end
  local boxes, err = address.parse(given, "envelope.from")
  if not boxes then return nil, err end
  if #boxes ~= 1 then
    return text.refuse("envelope.from", "needs one address, got %d", 'use "" for the null sender', #boxes)
  end
  return boxes[1]
end

--- The envelope of a message.
---@param given table|nil the envelope field
---@param from table|nil mailbox that stands for the sender in the header
---@param recipients table mailboxes of the header
---@return table|nil envelope { from = mailbox, to = mailboxes }; the null sender's address is ""
---@return table|nil err
function envelope.new(given, from, recipients)
  given = given or {}
  local origin, err = sender(given.from, from)
  if not origin then return nil, err end
  local to = recipients
  if given.to ~= nil then
    to, err = address.parse(given.to, "envelope.to")
    if not to then return nil, err end
  end
  if #to == 0 then return text.refuse("to", "the recipient list is empty", "give to, cc, bcc or envelope.to") end
  return { from = origin, to = once(to) }
end

--- The first mailbox of an envelope that only an internationalized transport (RFC 6531) can carry, or nil.
---@param self table envelope
---@return table|nil mailbox
function envelope.internationalized(self)
  if self.from.internationalized then return self.from end
  for _, box in ipairs(self.to) do
    if box.internationalized then return box end
  end
end

--- The envelope as plain strings.
---@param self table envelope
---@return table { from = string, to = list of strings }
function envelope.plain(self)
  local to = {}
  for i, box in ipairs(self.to) do to[i] = box.address end
  return { from = self.from.address, to = to }
end

return envelope
