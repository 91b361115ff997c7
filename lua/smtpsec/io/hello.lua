--- The name for EHLO where the user gives none: what both ends of a driver can know about this machine.
--
-- RFC 5321 section 4.1.4: the host's full name where it has one, else the address literal of this end of the
-- connection. A name without a dot is no such name, and many servers refuse it.
--
-- @module smtpsec.io.hello

local function is_full_name(name)
  if not name:find(".", 1, true) or #name > 255 then return false end
  for label in (name .. "."):gmatch("([^.]*)%.") do
    if not label:find("^%w[%w-]*$") or label:find("-$") then return false end
  end
  return true
end

--- The name, always fit to be sent.
---@param hostname? string what the machine calls itself
---@param address? string this end's numeric address, where it is known
---@return string
local function hello(hostname, address)
  if hostname and is_full_name(hostname) then return hostname end
  if address and address:find(":", 1, true) then return "[IPv6:" .. address:match("^[^%%]*") .. "]" end
  return "[" .. (address and address:match("^%d+%.%d+%.%d+%.%d+$") or "127.0.0.1") .. "]"
end

return hello
