--- Driver for plain scripts: waiting blocks the program.
-- @module smtpsec.io.socket

local polled = require "smtpsec.io.polled"
local sock = require "smtpsec.sock"

return polled.driver("socket", sock.poll, function() return true end)
