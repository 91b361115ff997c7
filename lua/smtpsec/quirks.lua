--- quirks: what the servers of one mailer were found to offer and not to master.
--
-- PIPELINING, CHUNKING and BINARYMIME change what goes over the wire, and a server, or a box in front of it, that
-- offers one and breaks on it would break on every mail. The first time is told in a receipt and as an event; the next
-- connection goes without. What has once worked is not blamed for what fails later.

local quirks = {}

local Quirks = { __name = "smtpsec.quirks" }
Quirks.__index = Quirks

--- A memory that holds nothing yet.
---@return table
function quirks.new()
  return setmetatable({ avoided = {}, proven = {}, notes = {} }, Quirks)
end

--- Whether to do without an extension.
---@param keyword string
---@return boolean
function Quirks:avoids(keyword)
  return self.avoided[keyword] == true
end

--- A mail went out by these extensions: they work.
function Quirks:prove(flight, one)
  self.proven.PIPELINING = self.proven.PIPELINING or flight.pipelining
  self.proven.CHUNKING = self.proven.CHUNKING or flight.chunking
  self.proven.BINARYMIME = self.proven.BINARYMIME or one:is_binary()
end

local function avoid(self, keyword, why)
  if self.proven[keyword] then return nil end
  if self.avoided[keyword] then return keyword end -- another mail of the same flight
  self.avoided[keyword] = true
  self.notes[#self.notes + 1] = string.format("the server offers %s and breaks on it (%s): it is done without", keyword,
    why)
  return keyword
end

-- "I do not know that command" (500, 502, 504), "not now" (503): no answer to a command that was announced, and whose
-- turn it was.
local BEWILDERED = { [500] = true, [502] = true, [503] = true, [504] = true }

local function out_of_turn(one, verb)
  if verb == "RCPT" then return not one.sender end
  return verb == "DATA" and one:may_go_on()
end

-- RFC 2920 gives the refusal of groups no code: servers that watch for them say it in words.
local function complains(text)
  text = text:lower()
  return text:find("pipelin", 1, true) or text:find("synchroni", 1, true)
end

-- "I do not know that parameter" (501, 504, 555), or command (500); but not where it says that the address is to blame.
local UNKNOWN_PARAMETER = { [500] = true, [501] = true, [504] = true, [555] = true }

-- X.6.1 is "media not supported" (RFC 3463 section 3.7): RFC 3030 has servers say so at the end of the message, too.
local function dislikes_binary(one, verb, code, enhanced)
  if code < 500 or not one:is_binary() then return false end
  if enhanced == "5.6.1" then return true end
  return verb == "MAIL" and UNKNOWN_PARAMETER[code] and not (enhanced or ""):find("^5%.1%.")
end

--- Looks at a refusal, before its transaction hears it.
---@param flight table
---@param one table the transaction
---@param verb string
---@param code integer
---@param enhanced string?
---@param text string
---@return string? keyword of the extension that is to blame
function Quirks:judge(flight, one, verb, code, enhanced, text)
  local why = string.format("%s was answered with %d", verb, code)
  if dislikes_binary(one, verb, code, enhanced) then return avoid(self, "BINARYMIME", why) end
  if verb == "BDAT" or verb == "BDAT LAST" then
    return BEWILDERED[code] and one:may_go_on() and not one.body and avoid(self, "CHUNKING", why) or nil
  end
  if not flight.pipelining or code < 500 then return nil end
  return (complains(text) or (BEWILDERED[code] and out_of_turn(one, verb))) and avoid(self, "PIPELINING", why) or nil
end

--- Looks at the end of a connection.
---@param flight table
---@param one table the oldest transaction
---@param verb string|nil of the command whose reply was due
---@param err table
---@return string? keyword
function Quirks:blame(flight, one, verb, err)
  if err.kind ~= "timeout" and err.kind ~= "closed" then return nil end
  if verb == "BDAT" or verb == "BDAT LAST" then
    return avoid(self, "CHUNKING", "no answer came to BDAT")
  end
  local swallowed = flight.pipelining and one.due > 1 and (verb == "RCPT" or verb == "DATA")
  return swallowed and avoid(self, "PIPELINING", "no answer came to " .. verb) or nil
end

return quirks
