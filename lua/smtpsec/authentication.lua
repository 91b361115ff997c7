--- authentication: by which mechanism a session logs in, with what, and what the server's answer means (RFC 4954).
--
-- What a mechanism says is the engine's business (csrc/sasl), or that of whoever wrote one in Lua. Here is decided
-- which one: the strongest that the server offers and that the caller's secret and channel allow, or the first of
-- those that the caller names. It is tried once, and no weaker one behind it with the same secret. Only a token that
-- can be made anew is asked for again.

local callback = require "smtpsec.callback"
local errors = require "smtpsec.errors"
local mask = require "smtpsec.mask"
local mechanisms = require "smtpsec.mechanisms"
local printable = require "smtpsec.printable"

local authentication = {}

local function fail(kind, message, fields)
  fields = fields or {}
  fields.stage, fields.reason = "auth", kind == "auth" and message or nil
  return nil, errors.new(kind, message, fields)
end

-- ---- which mechanism ------------------------------------------------------------------------------------------------

-- What an AUTH keyword names.
local function set_of(parameters)
  local set = {}
  for name in (parameters or ""):upper():gmatch "%S+" do set[name] = true end
  return set
end

-- Whether the caller and the channel have all that a mechanism needs, and it binds where that is demanded.
local function is_able(mechanism, settings, binding)
  local has = { user = settings.user, password = settings.password, token = settings.token,
    certificate = settings.tls.cert }
  if mechanism.binds then return binding ~= nil and mechanisms.is_served(mechanism, has) end
  return not settings.auth.require_channel_binding and mechanisms.is_served(mechanism, has)
end

-- The first of the allowed mechanisms that the server offers and that can be used, and its place among them.
local function pick(settings, offered, binding)
  for rank, mechanism in ipairs(mechanisms.allowed(settings.auth.mechanisms)) do
    if offered[mechanism.name] and is_able(mechanism, settings, binding) then return mechanism, rank end
  end
end

local function nothing_fits(settings, parameters, binding)
  local offers = " (it offers: " .. printable.text(parameters) .. ")"
  if not settings.auth.require_channel_binding then
    return fail("auth", "the server offers no mechanism that may be used here" .. offers)
  end
  if not binding then
    return fail("auth", "auth.require_channel_binding is set, and this channel has nothing to bind to")
  end
  return fail("auth", "auth.require_channel_binding is set, and the server offers no mechanism that does it" .. offers)
end

-- A server offers no less in TLS than in clear. Where the best has gone on the way, somebody who ends the TLS may have
-- taken it out of the list; without TLS it could have been put in by anybody, so it is never used, only missed.
local function check_weakened(session, rank, binding)
  local settings = session.settings
  local before, rank_before = pick(settings, set_of(session.offered_in_clear), binding)
  if settings.auth.mechanisms or not before or rank_before >= rank then return true end
  return fail("auth", "the server offered " .. before.name .. " before TLS, and offers nothing as strong within it: "
    .. "somebody may be taking strong mechanisms out of its list", {
    hint = "if the server is really like that, name the mechanism to be used in auth.mechanisms" })
end

local function choose(session)
  local settings = session.settings
  local parameters = session.conn:capabilities().AUTH
  if not parameters then
    return fail("auth", "a login was asked for, but the server does not offer AUTH")
  end
  local binding = session.conn:binding(settings.auth.channel_binding)
  local mechanism, rank = pick(settings, set_of(parameters), binding)
  if not mechanism then return nothing_fits(settings, parameters, binding) end
  local fine, err = check_weakened(session, rank, binding)
  if not fine then return nil, err end
  return mechanism, { binding = binding, offered = parameters }
end

-- ---- with what ------------------------------------------------------------------------------------------------------

-- The user name may be a function too; what fails in it is the caller's world, not ours.
local function user_name(user)
  if type(user) ~= "function" then return user end
  local name, why = callback.string(user)
  if name then return name end
  return fail("config", "the user name cannot be had: " .. why)
end

-- SASLprep (RFC 4013), by a library that is loaded only where there is something to prepare.
local function prepare(what, text)
  if not text or not text:find "[^\32-\126]" then return text end
  local prepared, why = require("smtpsec.saslprep").prepare(text)
  if prepared then return prepared end
  return fail("config", "the " .. what .. " is not fit for this mechanism: " .. why)
end

-- Secrets are asked for now and not before. `call.refused` is a token that the server did not take in this call.
local function credentials(session, mechanism, call, binding)
  local settings, who = session.settings, {}
  local err
  who.user, err = user_name(settings.user)
  if not err and mechanism.password then who.password, err = settings.password:reveal() end
  if not err and mechanism.token then who.token, err = settings.token:reveal(call.refused ~= nil) end
  if not err and mechanism.prepares then
    who.user, err = prepare("user name", who.user)
    if not err then who.password, err = prepare("password", who.password) end
  end
  if err then return nil, err end
  who.host, who.port, who.binding, who.iterations = settings.host, settings.port, binding, settings.auth.max_iterations
  return who
end

-- ---- the exchange ---------------------------------------------------------------------------------------------------

-- A mechanism of the caller's own, which may fail in its own way.
local function own(mechanism, method, ...)
  local ran, response, done = pcall(mechanism[method], ...)
  if not ran then return nil, nil, callback.words(response) end
  if response ~= nil and type(response) ~= "string" then
    return nil, nil, method .. " gave a " .. type(response) .. ", not a string"
  end
  return response, done
end

local function gave_up(mechanism, why)
  return fail("auth", string.format("the mechanism %s gave up%s", mechanism.name, why and ": " .. why or ""))
end

local function begin(session, mechanism, who)
  local shown = mechanism.name .. " ***"
  if not (mechanism.start or mechanism.step) then return session.pump:command("auth", shown, mechanism.name, who) end
  local initial, done, why
  if mechanism.start then initial, done, why = own(mechanism, "start", who) end
  if why then return gave_up(mechanism, why) end
  mask.add(session.pump.secrets, initial)
  return session.pump:command("auth_outside", shown, mechanism.name, initial, done)
end

-- Answers one challenge, or takes AUTH back. Returns true, or nil and an error that holds whatever the server replies.
local function answer(session, mechanism, who, challenge)
  local response, done, why = own(mechanism, "step", who, challenge)
  mask.add(session.pump.secrets, response)
  local ok, status, text = session.conn:respond(response, done)
  if ok and response then return true end
  if not ok then return gave_up(mechanism, status .. ": " .. text) end
  local _, err = gave_up(mechanism, why)
  local reply, trouble = session.pump:reply()
  return nil, reply and err or trouble
end

-- Returns the code, enhanced code and text of the last reply, and what the server complained of; or nil and an error.
local function talk(session, mechanism, who)
  local tag, err = begin(session, mechanism, who)
  if not tag then return nil, err end
  while true do
    local kind, verb, _, code, enhanced, text = session.pump:event()
    if not kind then return nil, verb end
    if kind == "reply" then return { code = code, enhanced = enhanced, text = text } end
    local ok
    ok, err = answer(session, mechanism, who, verb)
    if not ok then return nil, err end
  end
end

-- The same, with nothing of the secrets in what the server says.
local function exchange(session, mechanism, who)
  local secrets = mask.new(who.user)
  mask.add(secrets, who.password)
  mask.add(secrets, who.token)
  session.pump.secrets = secrets
  local reply, err = talk(session, mechanism, who)
  session.pump.secrets = nil
  local complaint = reply and session.conn:complaint()
  if complaint then reply.complaint = printable.text(mask.text(complaint, secrets)) end
  return reply, err
end

-- ---- what the answer means ------------------------------------------------------------------------------------------

-- RFC 4954 section 6, RFC 5248 section 2.3.
local MEANINGS = {
  [432] = "it keeps no password for this mechanism yet, until one has logged in once by PLAIN (auth.mechanisms)",
  [454] = "it cannot judge logins for now",
  [500] = "it finds the line too long", [501] = "it does not understand what was sent",
  [504] = "it does not know the mechanism, though it offers it",
  [530] = "it wants something else before a login", [534] = "it finds the mechanism too weak for this user",
  [538] = "it wants an encrypted channel for this mechanism",
}

local function wrong_secret(mechanism)
  return mechanism.token and "it does not take the token"
    or mechanism.password and "the user name or the password is wrong"
    or mechanism.certificate and "the certificate does not stand for this user"
    or "it does not take the login"
end

local function refusal(mechanism, reply)
  local meaning = reply.code == 535 and wrong_secret(mechanism) or MEANINGS[reply.code]
  local message = "the server refuses the login by " .. mechanism.name .. (meaning and ": " .. meaning or "")
  if reply.complaint then message = message .. ", and says " .. reply.complaint end
  return errors.new("auth", message, {
    stage = "auth", code = reply.code, enhanced = reply.enhanced, text = reply.text,
    reason = reply.complaint or meaning or reply.text, temporary = reply.code < 500,
  })
end

-- OAuth tokens expire, and one that can be made anew gets a second try (RFC 7628 section 3.2.3), on a new connection:
-- many servers end the one on which a login failed.
local function may_renew(session, mechanism, reply, call)
  return mechanism.token and reply.code >= 500 and not call.refused and session.settings.token:renewable()
end

--- Logs in, where that was asked for.
---@param session table in front of AUTH: EHLO was answered, on the channel that there will be
---@param call { refused: string?, err: table? } a token that the server refused in this call, and how; set here where
--- a fresh one may do
---@return true | nil, table err
function authentication.run(session, call)
  if not session.settings.login then return true end
  local mechanism, found = choose(session)
  if not mechanism then return nil, found end
  local who, err = credentials(session, mechanism, call, found.binding)
  if not who then return nil, err end
  if call.refused and who.token == call.refused then return nil, call.err end
  local reply
  reply, err = exchange(session, mechanism, who)
  if not reply then return nil, err end
  if reply.code >= 400 then
    err = refusal(mechanism, reply)
    if may_renew(session, mechanism, reply, call) then call.refused, call.err = who.token, err end
    return nil, err
  end
  session.auth = { mechanism = mechanism.name, channel_binding = mechanism.binds and found.binding or nil }
  session.choice = {
    offered = found.offered, why = session.settings.auth.mechanisms and "the first in auth.mechanisms that can be used"
      or "the strongest that the server offers and this login can use",
  }
  return true
end

return authentication
