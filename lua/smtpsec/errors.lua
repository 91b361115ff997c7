--- errors: the one error object of smtpsec.
--
-- A table with fields to test (kind, stage, temporary, retry_safe, …) and one printable line to read. Whatever a peer
-- said is escaped and capped when the error is made. No secret is ever handed to this module. Which words to say is
-- the caller's business, which advice to give is hints.lua's.

local printable = require "smtpsec.printable"

local errors = {}

local function set(list)
  local members = {}
  for _, name in ipairs(list) do members[name] = true end
  return members
end

local KINDS = set { "config", "message", "dns", "connect", "timeout", "tls", "policy", "auth", "rejected", "protocol",
  "closed", "limit", "in_doubt", "internal" }

local STAGES = set { "resolve", "connect", "greeting", "ehlo", "starttls", "tls", "auth", "mail", "rcpt", "data",
  "body", "final", "quit" }

-- Fields that may carry a peer's bytes.
local WORDS = { "message", "text", "reason", "enhanced", "hint" }

local Error = { __name = "smtpsec.error" }

-- Escapes and caps in place; doing it twice changes nothing.
local function make_printable(err)
  for _, name in ipairs(WORDS) do
    if err[name] then err[name] = printable.text(err[name]) end
  end
end

-- The hints are loaded when something fails: a mail that goes well need not wait for them. Where they cannot be found
-- any more, because the program has changed its folder or its root since, an error is told without.
local function advice(err, context)
  local found, hints = pcall(require, "smtpsec.hints")
  local hint = found and hints.find(err, context)
  return hint and printable.text(hint) or nil
end

local function server_said(err)
  if not err.code and not err.text then return "" end
  local words = {}
  if err.code then words[1] = string.format("%d", err.code) end
  for _, field in ipairs { "enhanced", "text" } do
    if err[field] and err[field] ~= "" then words[#words + 1] = printable.text(err[field]) end
  end
  return ": server said " .. table.concat(words, " ")
end

function Error.__tostring(err)
  local hint = err.hint and " (" .. printable.text(err.hint) .. ")" or ""
  return "smtpsec: " .. printable.text(err.message) .. server_said(err) .. hint
end

--- Makes an error. Fields that are not named below are kept as they are.
--
-- `context` (the settings in use: host, port, tls.mode, provider, notes) helps to find the hint and is not kept.
---@param kind string one of KINDS above
---@param message string what happened, in one sentence without a full stop
---@param fields? table stage, temporary (default false), retry_safe (default true, false for "in_doubt"), code,
--- enhanced, text, rejected, tls, reason, hint (default: found by hints.lua), context
---@return table err
function errors.new(kind, message, fields)
  if not KINDS[kind] then error("unknown kind of error: " .. tostring(kind), 2) end
  if type(message) ~= "string" then error("an error needs a message", 2) end
  local err = { temporary = false, retry_safe = kind ~= "in_doubt" }
  for name, value in pairs(fields or {}) do err[name] = value end
  if err.stage and not STAGES[err.stage] then error("unknown stage of an error: " .. tostring(err.stage), 2) end
  local context = err.context
  err.context, err.kind, err.message = nil, kind, message
  make_printable(err)
  err.hint = err.hint or advice(err, context)
  return setmetatable(err, Error)
end

--- The same error again, of another mail or with more said.
---@param err table
---@param fields table that differ
---@return table err a new one
function errors.again(err, fields)
  local copy = {}
  for name, value in pairs(err) do copy[name] = value end
  for name, value in pairs(fields) do copy[name] = value end
  return setmetatable(copy, Error)
end

--- Whether a value is an error made here.
---@param value any
---@return boolean
function errors.is(value)
  return type(value) == "table" and getmetatable(value) == Error
end

--- Looks for a better hint where the settings are known: an error is often made deeper than that. A hint that the
-- maker of the error wrote himself stays.
---@param err table
---@param context table the settings in use, as for errors.new
---@return table err the same one
function errors.explain(err, context)
  if not err.hint or err.hint == advice(err) then err.hint = advice(err, context) end
  return err
end

return errors
