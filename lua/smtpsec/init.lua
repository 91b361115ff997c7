--- smtpsec: mail submission that can be trusted: TLS is required and proven, passwords cross only channels that are
-- encrypted to a verified server, and "sent" means that the server took responsibility (RFC 5321 section 4.2.5).
--
--    local smtpsec = require "smtpsec"
--    local receipt, err = smtpsec.send { to = "ops@example.com", subject = "…", text = "…" }
--
-- This file only names the public functions; each is documented where it lives.

local config = require "smtpsec.config"
local mailer = require "smtpsec.mailer"
local message = require "smtpsec.message"

local smtpsec = { _VERSION = "smtpsec 0.1" }

--- Makes a mailer that keeps its connections. Nothing is connected yet.
---@param options? table|string options, a URL, or nil for the environment (and .env)
---@return table mailer with :send, :send_all, :verify, :close | nil, table err of kind "config"
function smtpsec.new(options)
  local made, err = mailer.new(options, 2)
  return made, err
end

--- Sends one mail: connects, sends, and ends the connection.
---@param fields table the message
---@param options? table|string as for smtpsec.new
---@return table receipt | nil, table err
function smtpsec.send(fields, options)
  local one, err = mailer.new(options, 2, true)
  if not one then return nil, err end
  return one:send(fields) -- a tail call: misuse is blamed on who called us
end

--- Composes a message without sending it.
---@param fields table the message
---@param options? { capabilities: string[]?, dkim: table? } what the server is assumed to offer (default: nothing, so
--- 7-bit); who signs it, as for smtpsec.new
---@return table message with :chunks, :tostring, :size, :envelope | nil, table err
function smtpsec.message(fields, options)
  local settings, err = config.message(options, 2)
  if not settings then return nil, err end
  local draft
  draft, err = message.new(fields, 3, settings.dkim)
  if not draft then return nil, err end
  return draft:render(settings.capabilities)
end

--- What would be used, secrets masked.
---@param options? table|string as for smtpsec.new
---@return table settings | nil, table err of kind "config"
function smtpsec.config(options)
  local settings, err = config.resolve(options, nil, 2)
  if not settings then return nil, err end
  return config.public(settings)
end

return smtpsec
