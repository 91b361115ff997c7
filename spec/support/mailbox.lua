--- mailbox: the mails a server delivered, read from its Maildir.
--
-- Each delivery is `{ path=, content=, recipient=, sender= }`: one for each recipient, envelope addresses as the
-- server noted them in the header; `content` is the file, line ends LF.
local process = require "spec.support.process"

local mailbox = {}
mailbox.__index = mailbox

-- Names under which servers note the envelope in the header of a delivered mail.
local sender_field = { ["return-path"] = true }
local recipient_field = { ["x-original-to"] = true, ["envelope-to"] = true }

local function address(value)
  return value:match("^[%s<]*(.-)[%s>]*$")
end

local function delivery(path)
  local content = assert(process.read(path), "cannot read " .. path)
  local mail = { path = path, content = content }
  for name, value in content:sub(1, (content:find("\n\n", 1, true))):gmatch("([^%s:]+):([^\n]*)\n") do
    name = name:lower()
    if sender_field[name] and not mail.sender then
      mail.sender = address(value)
    elseif recipient_field[name] and not mail.recipient then
      mail.recipient = address(value)
    end
  end
  return mail
end

--- Looks at a Maildir, which may not exist yet.
---@param path string
---@return table mailbox
function mailbox.new(path)
  return setmetatable({ path = path, known = {} }, mailbox)
end

--- The mails that have arrived.
---@param marker string|nil only those whose content contains this, a Message-ID for instance
---@return table[] deliveries
function mailbox:list(marker)
  local found = {}
  local _, names = process.try("ls " .. process.quote(self.path .. "/new") .. " 2>/dev/null")
  for name in names:gmatch("[^\n]+") do
    self.known[name] = self.known[name] or delivery(self.path .. "/new/" .. name)
    if not marker or self.known[name].content:find(marker, 1, true) then
      found[#found + 1] = self.known[name]
    end
  end
  return found
end

--- Waits for mails.
---@param marker string
---@param count integer|nil how many; default 1
---@param seconds number|nil how long at the most; default 10
---@return table[] deliveries fewer than `count` when the time was over
function mailbox:wait(marker, count, seconds)
  local found
  process.wait(function()
    found = self:list(marker)
    return #found >= (count or 1)
  end, seconds or 10)
  return found
end

return mailbox
