--- talk: mails through the public API to a scripted peer, and what became of them.
--
--     local seen = talk.send({ talk.hello "PIPELINING", talk.mail(), talk.bye() }, { tls = "none" })
--     seen.receipt, seen.err, seen.peer (its one connection), seen.connections (all of them), seen.seconds
--
-- Scripts are written as spec/support/steps.lua reads them.
local forms = require "spec.support.forms"
local keeper = require "spec.support.keeper"
local new_pki = require "spec.support.pki".new
local peer = require "spec.support.peer"
local steps = require "spec.support.steps"
local sock = require "smtpsec.sock"
local smtpsec = require "smtpsec"

local luassert = require "luassert"

local talk = {}

--- Credentials that stand in no script and no message: wherever they appear, they were sent.
talk.USER, talk.PASSWORD = "some.one@login.test", "kein-Wort-4711"

-- ---- scripts -----------------------------------------------------------------------------------------------------

--- The greeting, EHLO, and the reply to it.
---@param ... string what is offered
function talk.hello(...)
  return { "S: 220 mail.test ESMTP", talk.ehlo(...) }
end

--- EHLO and its reply.
---@param ... string what is offered
function talk.ehlo(...)
  local lines = { "C: EHLO client.test" }
  local offers = { "mail.test", ... }
  for i, offer in ipairs(offers) do
    lines[#lines + 1] = "S: 250" .. (i == #offers and " " or "-") .. offer
  end
  return lines
end

--- STARTTLS, the handshake, and EHLO again.
---@param leaf table certificate of the server, made by spec.support.pki
---@param ... string what is offered in TLS
function talk.starttls(leaf, ...)
  return { "C: STARTTLS", "S: 220 2.0.0 go ahead", talk.tls(leaf), talk.ehlo(...) }
end

--- The handshake.
---@param leaf table certificate of the server
---@param settings? table more fields of core.context
function talk.tls(leaf, settings)
  local step = { cert = leaf.chain, key = leaf.key }
  for name, value in pairs(settings or {}) do step[name] = value end
  return { tls = step }
end

--- MAIL, RCPT and DATA, one by one and each accepted, as far as the message.
function talk.begin()
  return { "C: MAIL", "S: 250 ok", "C: RCPT", "S: 250 ok", "C: DATA", "S: 354 go" }
end

--- The same in one flight.
function talk.begin_group()
  return { "C: MAIL", "C: RCPT", "C: DATA", "S: 250 ok", "S: 250 ok", "S: 354 go" }
end

--- The message, to its end.
talk.END = { upto = "\r\n.\r\n" }

--- A message by BDAT, or a part of it.
talk.BDAT = { bdat = true }

--- A mail to one recipient in one flight, with its message.
function talk.begin_bdat()
  return { "C: MAIL", "C: RCPT", talk.BDAT }
end

--- A mail to one recipient, taken.
function talk.mail()
  return { talk.begin(), talk.END, "S: 250 2.0.0 Ok: queued as 4XyZ" }
end

--- QUIT and its reply.
function talk.bye()
  return { "C: QUIT", "S: 221 2.0.0 bye" }
end

--- Starts a peer.
---@param ... table script of each connection in turn, the last one for all that follow
---@return table peer see spec/support/peer.lua
function talk.listen(...)
  local scripts = { ... }
  for i, script in ipairs(scripts) do scripts[i] = steps(script) end
  return peer.start(scripts)
end

-- ---- mails -------------------------------------------------------------------------------------------------------

local function filled(given, defaults)
  local all = {}
  for name, value in pairs(defaults) do all[name] = value end
  for name, value in pairs(given or {}) do all[name] = value end
  return all
end

--- Options for a peer: clear text and short bounds, where nothing else is given.
---@param server table
---@param options? table
function talk.options(server, options)
  return filled(options, {
    host = "127.0.0.1", port = server.port, tls = "none", hello = "client.test", timeout = 5, env_file = false,
  })
end

--- The same with credentials.
function talk.login(options)
  return filled(options, { user = talk.USER, password = talk.PASSWORD })
end

--- A message.
---@param fields? table what it shall have
function talk.message(fields)
  return filled(fields, { from = "from@client.test", to = "to@mail.test", subject = "subject", text = "text" })
end

--- Waits until the peer has finished with its connections, of which there is one at least, and ends it.
---@param server table
---@return table transcript
function talk.stop(server)
  server:wait(function(transcript)
    for _, connection in ipairs(transcript) do
      if not connection.ended then return false end
    end
    return transcript[1] ~= nil
  end, 1)
  return server:stop()
end

local function outcome(server, work, ...)
  local started = sock.now()
  local receipt, err = work(...)
  local seen = { receipt = receipt, err = err, seconds = sock.now() - started }
  seen.connections = talk.stop(server)
  seen.peer = seen.connections[1]
  return seen
end

--- Sends one mail with smtpsec.send to a peer that plays a script.
---@param script table a script, or a peer that listens; it is ended
---@param options? table as for talk.options
---@param message? table as for talk.message
---@return table seen receipt or err, connections (the transcript), peer (its first), seconds
function talk.send(script, options, message)
  local server = script.journal and script or talk.listen(script)
  return outcome(server, smtpsec.send, talk.message(message), talk.options(server, options))
end

--- Calls verify() of a mailer for a peer that plays a script.
---@return table seen as from talk.send; receipt is what verify() gave
function talk.verify(script, options)
  local server = script.journal and script or talk.listen(script)
  return outcome(server, function()
    local mailer = assert(smtpsec.new(talk.options(server, options)))
    local facts, err = mailer:verify()
    mailer:close()
    return facts, err
  end)
end

--- Sends mails with send_all to a peer that plays a script.
---@param messages table|function as for send_all
---@param options? table as for talk.options
---@param how? table the options of send_all
---@return table seen results, a list of { index =, receipt =, err = }; connections, peer
function talk.send_all(script, messages, options, how)
  local server = script.journal and script or talk.listen(script)
  local seen = outcome(server, function()
    local mailer = assert(smtpsec.new(talk.options(server, options)))
    local results = {}
    for index, receipt, err in mailer:send_all(messages, how) do
      results[#results + 1] = { index = index, receipt = receipt, err = err }
    end
    mailer:close()
    return results
  end)
  seen.results, seen.receipt = seen.receipt, nil
  return seen
end

-- ---- what must hold ----------------------------------------------------------------------------------------------

--- Every way in which a text is commonly written: as it is, in hex, in base64 wherever in a longer text it stands.
---@param secret string
---@return string[]
talk.forms = forms.of

--- Asserts that a text has neither the user nor the password in it, in any form.
---@param text string
function talk.no_secret(text)
  for _, secret in ipairs { talk.USER, talk.PASSWORD } do
    for _, form in ipairs(talk.forms(secret)) do
      luassert.is_nil(text:find(form, 1, true), form .. " in " .. text)
    end
  end
end

--- Asserts that the credentials were not sent, and AUTH not begun.
---@param seen table
function talk.no_login(seen)
  for _, connection in ipairs(seen.connections) do
    talk.no_secret(connection.received)
    talk.no_secret(connection.wire)
    luassert.is_nil(connection.received:find("AUTH", 1, true), connection.received)
  end
  talk.no_secret(tostring(seen.err))
end

--- Asserts that the call failed in this way, before anything of a mail was sent: no MAIL, no DATA, no message.
---@param seen table
---@param fields table of the error
function talk.refused(seen, fields)
  talk.failed(seen, fields)
  for _, connection in ipairs(seen.connections) do
    luassert.is_nil(connection.received:find("MAIL", 1, true), connection.received)
  end
end

--- Asserts that the call failed with an error that has these fields.
---@param seen table
---@param fields table
function talk.failed(seen, fields)
  luassert.is_nil(seen.receipt)
  local found = {}
  for name in pairs(fields) do found[name] = seen.err[name] end
  luassert.same(fields, found, tostring(seen.err))
end

--- Asserts that the mail was taken.
---@param seen table
function talk.accepted(seen)
  luassert.is_nil(seen.err, tostring(seen.err))
  luassert.equal("accepted", seen.receipt.status)
end

--- Asserts that nobody has connected to a peer, and ends it.
---@param server table
function talk.nobody_came(server)
  local probe = assert(sock.connect { host = "127.0.0.1", port = server.port, timeout = 5 })
  probe:close()
  luassert.is_truthy(server:wait(function(transcript) return transcript[1] end))
  luassert.equal(1, #server:stop())
end

-- ---- certificates ------------------------------------------------------------------------------------------------

--- A PKI in a folder that goes away at the end, with the authority "root" and the certificate `good` of a server that
-- is called mail.test and lives at 127.0.0.1; and the TLS options that trust it.
---@param mode string of TLS
---@return table pki, table good, table options fields of the option "tls"
function talk.pki(mode)
  local pki = new_pki(keeper.own():new_folder "pki")
  local root = pki:ca "root"
  local good = pki:leaf { name = "good", ca = "root", san = "DNS:mail.test,IP:127.0.0.1" }
  return pki, good, { mode = mode, ca_file = root.cert }
end

return talk
