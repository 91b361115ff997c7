--- hello: EHLO, HELO, LHLO and STARTTLS: who the client is, what is offered, and the step to TLS (RFC 3207).

local core = require "smtpsec.core"
local login = require "smtpsec.sink.login"
local reply = require "smtpsec.sink.reply"

local hello = {}

local function starts_tls(session)
  return session.mode == "starttls" and not session.tls
end

--- Whether AUTH may be given: not where TLS is to be had and was not begun (RFC 4954 section 4).
---@param session table
---@return boolean
function hello.takes_auth(session)
  return session.sink.auth ~= nil and not starts_tls(session)
end

local function capabilities(session)
  local list = { session.sink.name }
  for _, line in ipairs(session.sink.offer) do list[#list + 1] = line end
  if starts_tls(session) then list[#list + 1] = "STARTTLS" end
  if hello.takes_auth(session) then list[#list + 1] = "AUTH " .. table.concat(login.NAMES, " ") end
  return list
end

local function introduce(session, argument, at, text)
  local sound, why = core.domain(argument)
  if not sound then return session:refuse(501, nil, "the name " .. why) end
  if not session:answer(at, argument, 250, nil, text) then return end
  session:forget()
  session.state, session.extended, session.helo = "ready", at == "ehlo", argument
end

--- EHLO, and LHLO.
function hello.ehlo(session, argument)
  introduce(session, argument, "ehlo", capabilities(session))
end

--- HELO.
function hello.helo(session, argument)
  introduce(session, argument, "helo", session.sink.name)
end

--- Begins TLS, or does what a rule wants instead.
function hello.begin_tls(session)
  local fault = session.sink.faults:find("tls", "") or {}
  local act = reply.act(fault, reply.said(fault, ""), 0)
  act.tls = not fault.reply and not fault.drop
  session:push(act)
  session.read = nil
end

--- STARTTLS. Whatever came behind it in clear may be somebody else's, so it is not even dropped in silence.
function hello.starttls(session, argument)
  if not starts_tls(session) then return session:refuse(502, "5.5.1", "STARTTLS is not offered") end
  if argument ~= "" then return session:refuse(501, "5.5.4", "STARTTLS takes no argument") end
  if session:buffered() > 0 then
    session:refuse(554, "5.5.1", "bytes came behind STARTTLS")
    return session:goodbye()
  end
  if session:answer("starttls", "", 220, "2.0.0", "ready for TLS") then hello.begin_tls(session) end
end

return hello
