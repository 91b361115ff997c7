--- wishes: what a message asks of the servers beside being delivered: notices (RFC 3461), TLS on the whole way (RFC
-- 8689), delivery in time (RFC 2852), priority (RFC 6710), delivery later (RFC 4865).
--
-- Each goes out as a parameter that the engine writes. Those that the message must not travel without are an error
-- where the server lacks them; the others are left out, and the receipt says so.

local errors = require "smtpsec.errors"
local schema = require "smtpsec.schema"

local wishes = {}

local either, seconds = schema.either, schema.integer(1, 999999999)
local notify = schema.enum { "success", "failure", "delay" }

--- The fields of a message table that are wishes, and their types.
wishes.FIELDS = {
  dsn = schema.record("dsn", {
    notify = either(schema.constant "never", notify, schema.list(notify)), ret = schema.enum { "full", "headers" },
    envid = schema.string,
  }),
  require_tls = schema.boolean,
  deliver_by = schema.record("deliver_by", {
    seconds = seconds, otherwise = schema.enum { "return", "notify" }, trace = schema.boolean,
  }),
  priority = schema.integer(-9, 9),
  hold_for = seconds,
  hold_until = schema.integer(1, 253402300799),
}

local function list(value)
  if type(value) == "string" then return { value } end
  return value
end

--- What a checked message table wishes.
---@param given table
---@return table|nil wishes { mail = options for MAIL, rcpt = options for RCPT, keywords = what they need } or nil: none
function wishes.of(given)
  local dsn, by = given.dsn, given.deliver_by
  if not (dsn or by or given.require_tls or given.priority or given.hold_for or given.hold_until) then return nil end
  local made = { mail = {}, rcpt = {}, keywords = {} }
  local mail, keywords = made.mail, made.keywords
  if dsn then
    mail.ret, mail.envid = dsn.ret, dsn.envid
    made.rcpt.notify, made.rcpt.orcpt = list(dsn.notify), true
    keywords.DSN = "no notices were asked for"
  end
  if by then
    mail.deliver_by, mail.deliver_mode, mail.deliver_trace = by.seconds, by.otherwise, by.trace
  end
  if given.priority then
    mail.priority, keywords["MT-PRIORITY"] = given.priority, "no priority was asked for"
  end
  mail.require_tls, mail.hold_for, mail.hold_until = given.require_tls, given.hold_for, given.hold_until
  return made
end

--- What has to be refused before anything is sent.
---@param made table|nil
---@param session table
---@return table? err of kind "policy"
function wishes.refuse(made, session)
  if not (made and made.mail.require_tls) then return nil end
  local facts = session.way.tls
  local verified = facts and facts.authenticated
  local why = not verified and "this connection is not that of a verified server"
    or not session.offers.REQUIRETLS and "the server does not offer REQUIRETLS"
  if not why then return nil end
  return errors.new("policy", "require_tls: this message may only travel in TLS, and " .. why, { stage = "mail" })
end

--- What was left out, in words for a receipt.
---@param made table|nil
---@param offers table
---@return string[]? warnings nil where nothing was
function wishes.missing(made, offers)
  local warnings
  for keyword, what in pairs(made and made.keywords or {}) do
    if not offers[keyword] then
      warnings = warnings or {}
      warnings[#warnings + 1] = string.format("the server does not offer %s: %s", keyword, what)
    end
  end
  return warnings
end

return wishes
