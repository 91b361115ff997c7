--- message_id: identifiers of messages, RFC 5322 section 3.6.4. Those made here cannot be guessed, so that nobody can
-- answer or thread into a conversation that he has not seen.

local text = require "smtpsec.mime.text"
local token = require "smtpsec.mime.token"

local message_id = {}

-- Long enough for every real one, short enough to stay on one line with any field's name.
local LONGEST = 250

local ATOM = "[A-Za-z0-9!#$%%&'*+/=?^_`{|}~.-]+"

--- A new identifier at `domain`.
---@param domain string domain or address literal
---@return string
function message_id.new(domain)
  return token.new("<", "@" .. domain .. ">")
end

--- Whether a string is an identifier as it may be sent: "<left@right>", without quotes or comments.
---@param s string
---@return boolean
function message_id.valid(s)
  local left, right = s:match("^<([^@]*)@([^@]*)>$")
  if not left or #s > LONGEST or not left:find("^" .. ATOM .. "$") then return false end
  return right:find("^" .. ATOM .. "$") ~= nil or right:find("^%[[A-Za-z0-9.:]+%]$") ~= nil
end

--- Checks an identifier that the user gave.
---@param s string
---@return string|nil s
---@return table|nil err
function message_id.check(s)
  if message_id.valid(s) then return s end
  local fault = text.fault(s)
  if fault then return text.verdict("message_id", fault) end
  return text.refuse("message_id", "not an identifier of the form <left@right>", "leave it out to have one made")
end

return message_id
