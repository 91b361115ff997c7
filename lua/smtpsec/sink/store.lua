--- store: the mails that a sink has accepted, in memory, or in a Maildir with only their envelopes in memory.
--
-- A mail is { id =, from =, to = { … }, data =, helo =, auth =, tls =, parameters =, to_parameters =, connection =,
-- time = }; in a Maildir it also has a path. Memory is bounded: where there is no room, a mail is refused; none is ever
-- forgotten.

local store = {}

local Store = { __name = "smtpsec.sink.store" }
Store.__index = Store

local OVERHEAD = 1024 -- octets, of what is kept beside a mail's data

--- Makes an empty store.
---@param limit integer octets of memory that mails may take
---@param maildir table|nil where their data goes instead
function store.new(limit, maildir)
  return setmetatable({ limit = limit, maildir = maildir, taken = 0, mails = {} }, Store)
end

--- Keeps a mail.
---@param mail table it becomes the store's
---@return string|nil id
---@return string|nil why
function Store:add(mail)
  local size = OVERHEAD + (self.maildir and 0 or #mail.data)
  if self.taken + size > self.limit then return nil, "the sink is full" end
  if self.maildir then
    local path, why = self.maildir:deliver(mail)
    if not path then return nil, why end
    mail.path, mail.data = path, nil
  end
  self.taken = self.taken + size
  mail.id = string.format("S%d", #self.mails + 1)
  self.mails[#self.mails + 1] = mail
  return mail.id
end

--- How many there are.
---@return integer
function Store:count()
  return #self.mails
end

-- With its data. A file that somebody took away leaves it without.
local function complete(mail)
  local copy = {}
  for key, value in pairs(mail) do copy[key] = value end
  local file = mail.path and io.open(mail.path, "rb")
  if file then
    copy.data = file:read("*a")
    file:close()
  end
  return copy
end

--- The mails behind the n-th.
---@param n integer
---@param most? integer stop when their data is longer than this
---@return table[]
function Store:since(n, most)
  local list, size = {}, 0
  for i = n + 1, #self.mails do
    local mail = complete(self.mails[i])
    list[#list + 1] = mail
    size = size + #(mail.data or "")
    if most and size > most then break end
  end
  return list
end

return store
