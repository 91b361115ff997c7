--- message_id: identifiers of messages, RFC 5322 section 3.6.4. Those made here cannot be guessed, so that nobody can
-- answer or thread into a conversation that he has not seen.

local domains = require "smtpsec.domain"
local printable = require "smtpsec.printable"
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

-- The identifier with A-labels on its right side, which mostly is a domain.
local function in_ascii(s)
  local left, right = s:match("^<([^@]*)@([^@]*)>$")
  if not left or not right:find("[\128-\255]") then return s end
  local ascii, why = domains.to_ascii(right)
  if not ascii then
    return text.refuse("message_id", "%s %s", "leave it out to have one made", printable.value(s), why)
  end
  return "<" .. left .. "@" .. ascii .. ">"
end

--- Checks an identifier that the user gave.
---@param s string
---@return string|nil id as it is sent
---@return table|nil err
function message_id.check(s)
  local id, err = in_ascii(s)
  if not id then return nil, err end
  if message_id.valid(id) then return id end
  local fault = text.fault(s)
  if fault then return text.verdict("message_id", fault) end
  return text.refuse("message_id", "not an identifier of the form <left@right>", "leave it out to have one made")
end

return message_id
