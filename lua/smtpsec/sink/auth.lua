--- auth: the command AUTH (RFC 4954) around the mechanisms of login.lua. Passwords never reach the journal.

local core = require "smtpsec.core"
local hello = require "smtpsec.sink.hello"
local login = require "smtpsec.sink.login"
local reply = require "smtpsec.sink.reply"

local function judge(session, result)
  local fault = session.sink.faults:find("auth", result.user)
  session.entry.user = core.printable(result.user)
  session:read_lines()
  if not result.ok then return session:say(fault, 535, "5.7.8", "user or password is wrong") end
  if session:say(fault, 235, "2.7.0", "welcome") then session.user = result.user end
end

local read_response

-- `text` is a response; nil where there is none yet.
local function go_on(session, text)
  local challenge, result = session.exchange(text)
  if result then return judge(session, result) end
  if challenge then
    session.read = read_response
    return session:push(reply.act({}, reply.format(334, nil, challenge), session.sink.hold))
  end
  session:read_lines()
  session:refuse(501, "5.5.2", "cannot read this response")
end

function read_response(session)
  local line = session:take_line()
  if not line then return false end
  if line == "*" then
    session:read_lines()
    session:refuse(501, "5.7.0", "cancelled")
  else
    go_on(session, line)
  end
  return true
end

--- AUTH.
local function auth(session, argument)
  local mechanism, initial = argument:match("^(%S*) ?(.*)$")
  session.entry.argument = core.printable(mechanism) -- and nothing of what follows
  if not session.sink.auth then return session:refuse(502, "5.5.1", "AUTH is not offered") end
  if not hello.takes_auth(session) then return session:refuse(538, "5.7.11", "AUTH needs TLS: STARTTLS first") end
  if session.user then return session:refuse(503, "5.5.1", "already logged in") end
  session.exchange = login.start(mechanism, session.sink.auth)
  if not session.exchange then return session:refuse(504, "5.5.4", "the mechanism is not offered") end
  if initial == "" then return go_on(session, nil) end
  go_on(session, initial == "=" and "" or initial)
end

return auth
