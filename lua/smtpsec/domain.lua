--- domain: names of hosts and of mail domains, as they go over the network: in ASCII.
--
-- A name in other writing (U-labels) becomes its A-labels here, by UTS 46; one that has A-labels already is judged. The
-- library that does it is loaded for those names only. What else a domain may be is the engine's question
-- (csrc/smtp/mailbox.h), and is asked of what is returned.

local domain = {}

--- A domain in ASCII.
---@param name string
---@return string|nil ascii the same string where there is nothing to do
---@return string|nil why a sentence without its subject ("has a domain …")
function domain.to_ascii(name)
  if not name:find("[\128-\255]") and not name:find("[xX][nN]%-%-") then return name end
  return require("smtpsec.idna").to_ascii(name)
end

return domain
