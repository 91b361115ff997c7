--- hints: for an error, the one sentence that usually mends it. Data: a list of rules, of which the first that fits
-- wins.
--
-- A rule has conditions and a hint. Conditions on the error: kind, stage, code (one value or a list of values) and
-- match (Lua patterns, one of which is found in the lower-case text of message, reason, enhanced code and the
-- server's words). Conditions on the settings in use, where they are known: mode, port. {…} in a hint is filled in; a
-- rule whose blank has nothing to go in is passed over. Certificates' rules name what is wrong and who can mend it:
-- no hint ever says to check less.

local providers = require "smtpsec.providers"

local hints = {}

local NOT_IMPLICIT = { "starttls", "opportunistic", "none" }

local RULES = {
  -- which kind of TLS a port speaks
  { kind = "tls", match = "does not speak tls", mode = "implicit", port = 25,
    hint = 'port 25 begins in clear: use tls = "starttls"' },
  { kind = "tls", match = "does not speak tls", mode = "implicit",
    hint = 'the port begins in clear, as 587 does: use tls = "starttls", or port 465 with tls = "implicit"' },
  { kind = "tls", match = { "does not speak tls", "wrong version number" },
    hint = "the server promised TLS and sent something else: something between here and there may be broken or "
      .. "hostile" },
  { kind = "protocol", match = "peer speaks tls", mode = NOT_IMPLICIT,
    hint = 'the port speaks TLS from the first byte, as 465 does: use tls = "implicit"' },
  { kind = { "timeout", "closed" }, stage = "greeting", port = 465, mode = NOT_IMPLICIT,
    hint = 'port 465 speaks TLS from the first byte: use tls = "implicit"' },
  { kind = { "timeout", "closed" }, stage = "greeting", mode = NOT_IMPLICIT,
    hint = 'a port that speaks TLS from the first byte, as 465 does, is silent like this: try tls = "implicit"' },
  { kind = { "timeout", "closed" }, stage = "tls", mode = "implicit",
    hint = 'is this a port that speaks TLS from the first byte? 465 does; for 587 use tls = "starttls"' },
  { kind = "protocol", stage = "greeting", match = { "http", "%* ok", "%* preauth", "%+ok", "ssh%-" },
    hint = "another service than SMTP answers on this port: look at host and port" },
  { kind = "policy", stage = "starttls", match = "refuses",
    hint = 'TLS of the server is out of order for now, or somebody on the way forbids it: try later, or port 465 '
      .. 'with tls = "implicit"' },
  { kind = "policy", stage = "starttls", port = 25,
    hint = 'for submission use port 587, or 465 with tls = "implicit"; if the server offered STARTTLS before, '
      .. 'somebody on the way may be hiding it' },
  { kind = "policy", stage = "starttls",
    hint = 'try port 465 with tls = "implicit"; if the server offered STARTTLS before, somebody on the way may be '
      .. 'hiding it' },
  { kind = "protocol", stage = "starttls",
    hint = "bytes that came before TLS cannot be trusted: the server is broken, or somebody on the way adds to "
      .. "what it says" },

  -- certificates
  { kind = "tls", match = "certificate has expired",
    hint = "the server's certificate must be renewed by those who run it; look at this machine's clock too" },
  { kind = "tls", match = "certificate is not yet valid",
    hint = "look at this machine's clock: the certificate begins later" },
  { kind = "tls", match = "ip address mismatch",
    hint = "the certificate is for {names}: use the server's name as host, and not its address" },
  { kind = "tls", match = "hostname mismatch",
    hint = "the certificate is for {names}: if that is the server you mean, use its name as host (or as "
      .. "tls.server_name)" },
  { kind = "tls", match = { "hostname mismatch", "ip address mismatch" },
    hint = "the certificate has no such name in subjectAltName, and its common name does not count (RFC 9525): the "
      .. "server needs another certificate, or you another host" },
  { kind = "tls", match = "no pin matches",
    hint = "the server has another key than the pinned ones: find out from those who run it why, before you change "
      .. "tls.pins" },
  { kind = "tls", match = { "self.signed", "local issuer", "issuer certificate", "verify the first certificate" },
    hint = "if you know who issued the certificate, name that issuer's certificate in tls.ca_file; for a server of "
      .. 'your own, tls = { verify = "pin", pins = … } trusts its key alone' },
  { kind = "tls", match = "certificate revoked",
    hint = "its issuer took the certificate back: send nothing there until the server has another one" },
  { kind = "tls", match = "ocsp response",
    hint = "tls.require_ocsp needs a server that staples what its authority says of its certificate: those who run it "
      .. "must turn that on, or mend it" },
  { kind = "tls", match = "crl",
    hint = "tls.crl_file must hold a current list of every issuer in the chain" },
  { kind = "tls", match = { "too weak", "key too small", "too small" },
    hint = "the server's key or signature is too weak: it needs a certificate with RSA 2048 or ECDSA, signed with "
      .. "SHA-256" },
  { kind = "tls", match = "certificate purpose",
    hint = "the certificate is not made for a server (extended key usage): the server needs another one" },
  { kind = "tls", match = { "certificate was refused", "invalid ca certificate" },
    hint = "those who run the server must mend its certificate, or tls.ca_file must name who issued it" },
  { kind = "tls", match = { "protocol version", "unsupported protocol", "no protocols available" },
    hint = "the server and this side have no version of TLS in common: TLS 1.2 is the oldest that is spoken here" },
  { kind = "tls", match = { "certificate required", "bad certificate", "peer did not return a certificate" },
    hint = "the server wants a certificate from you: tls = { cert = …, key = … }" },
  { kind = "tls", match = "handshake failure",
    hint = "the server and this side have no ciphers in common, or it wants a certificate from you (tls.cert, "
      .. "tls.key)" },

  -- login
  { kind = "auth", match = "take the token",
    hint = "the token is expired, withdrawn, or not meant for sending mail as this user: get a fresh one (a function "
      .. "as token is asked for it by itself)" },
  { kind = "auth", match = "certificate does not stand",
    hint = "tls.cert must be the certificate that the server knows this user by" },
  { kind = "auth", match = { "channel.binding", "out of the server's list" },
    hint = "do not send: somebody may be standing between you and the server; ask those who run it" },
  { kind = "auth", match = "iteration count",
    hint = "ask those who run the server for a sensible count (4096 to 1000000), or raise auth.max_iterations" },
  { kind = { "auth", "rejected" }, match = "5%.7%.30", hint = "{provider}" },
  { kind = "auth", code = { 534, 535, 530, 550 }, hint = "{provider}" },
  { kind = "auth", code = 534,
    hint = "the account wants an app password, made in its security settings, in place of its own password" },
  { kind = "auth", code = 535,
    hint = "user name or password is wrong: many providers want the whole address as user and an app password" },
  { kind = "auth", code = 538,
    hint = 'the mechanism needs an encrypted channel: use tls = "starttls" or "implicit"' },
  { kind = "auth", code = 454, hint = "the server cannot look up passwords for now: try later" },
  { kind = "auth", match = "not offer auth", port = 25,
    hint = "port 25 is for servers among themselves: log in on port 587 or 465" },
  { kind = "auth", match = "not offer auth",
    hint = "use the server's submission port (587 or 465), or user = false if it needs no login" },
  { kind = "auth", match = "no mechanism",
    hint = "allow one of those in auth.mechanisms, or ask those who run the server for another" },
  { kind = "policy", stage = "auth", mode = { "starttls", "implicit" },
    hint = "the channel is encrypted, but the server did not have to prove its name: give tls.ca_file or tls.pins, so "
      .. "that it can" },
  { kind = "policy", stage = "auth",
    hint = 'use tls = "starttls" or "implicit", so that the password travels encrypted to a server that has proved '
      .. 'its name' },
  { kind = "policy", match = { "in clear", "cleartext" }, hint = 'use tls = "starttls" or "implicit"' },

  -- what servers refuse
  { kind = "rejected", match = { "starttls first", "must issue a starttls", "encryption required", "tls required" },
    hint = 'the server takes mail only over TLS: use tls = "starttls"' },
  { kind = "rejected", code = 530, hint = "the server wants a login first, and {note}" },
  { kind = "rejected", code = { 530, 550, 551, 553, 554 }, match = { "authentication required", "must authenticate" },
    hint = "the server wants a login first: give user and password" },
  { kind = "rejected", code = 530, hint = "the server wants a login first: give user and password" },
  { kind = "rejected", match = "relay", hint = "the server passes mail on only after a login, and {note}" },
  { kind = "rejected", match = "relay",
    hint = "the server passes mail on to others only for those who log in: give user and password" },
  { kind = "rejected", match = { "5%.7%.60", "not owned", "send as", "sender address rejected", "sender verify" },
    hint = "the server takes mail only from addresses that belong to the login: look at from" },
  { kind = { "rejected", "limit" }, code = 552,
    hint = "the message or the mailbox is too large for the server: send less, or a link" },
  { kind = { "rejected", "limit" }, match = { "5%.3%.4", "size limit", "too large", "takes at most" },
    hint = "the message is too large for this server: send less, or a link" },
  { kind = "rejected", match = "gr[ea]ylist",
    hint = "the server wants to see whether you come back: try again in some minutes" },
  { kind = "rejected", code = 421,
    hint = "the server is busy or closing: try again later, with fewer connections at once" },
  { kind = "rejected", stage = "ehlo",
    hint = "the server dislikes the name this machine gives itself: set hello to its full name" },
  { kind = "rejected", stage = "greeting", code = 554,
    hint = "the server talks to nobody at this address: many refuse dynamic addresses on port 25, use 587 or 465" },
  { kind = "rejected", code = { 450, 451, 452 },
    hint = "the server says that it may work later: try again in some minutes" },
  { kind = "rejected", stage = "rcpt", match = { "5%.1%.1", "user unknown", "no such user", "unknown user" },
    hint = "there is no such mailbox: look at the address" },

  -- getting there
  { kind = "dns", hint = "look at the spelling of host, and at this machine's DNS" },
  { kind = "timeout", stage = "connect", port = 25,
    hint = "many networks and hosting providers block port 25: use the server's submission port, 587 or 465" },
  { kind = "connect", match = "refused", port = 25,
    hint = "nothing listens there, or port 25 is blocked: for submission use 587 or 465" },
  { kind = "connect", match = "refused",
    hint = "nothing listens on that port: look at host and port (587 STARTTLS, 465 implicit TLS), and that the "
      .. "server runs" },
  { kind = { "timeout", "connect" }, stage = "connect",
    hint = "look at host and port, and whether a firewall on the way lets them through" },
  { kind = "timeout", stage = { "data", "body", "final" },
    hint = "the server or the network is slow: give timeout.data or timeout.final more seconds" },
  { kind = "in_doubt",
    hint = "look whether the mail arrived before you send it again, or it may arrive twice" },
}

-- Every word the error has, in lower case.
local function words_of(err)
  local parts = {}
  for _, field in ipairs { "message", "reason", "enhanced", "text" } do parts[#parts + 1] = err[field] end
  return table.concat(parts, "\n"):lower()
end

-- Whether a condition (nil, one value or a list) holds for what there is.
local function among(wanted, is)
  if wanted == nil then return true end
  if type(wanted) ~= "table" then return wanted == is end
  for _, one in ipairs(wanted) do
    if one == is then return true end
  end
  return false
end

local function found(patterns, words)
  if patterns == nil then return true end
  for _, pattern in ipairs(type(patterns) == "table" and patterns or { patterns }) do
    if words:find(pattern) then return true end
  end
  return false
end

local function fits(rule, case)
  return among(rule.kind, case.kind) and among(rule.stage, case.stage) and among(rule.code, case.code)
    and among(rule.mode, case.mode) and among(rule.port, case.port) and found(rule.match, case.words)
end

-- The names in the server's certificate, as far as they fit into a sentence.
local function names_of(err)
  local peer = type(err.tls) == "table" and err.tls.peer
  local names = peer and peer.names or {}
  if #names == 0 then return nil end
  local shown = table.concat(names, ", ", 1, math.min(#names, 4))
  return #names > 4 and shown .. ", …" or shown
end

local function case_of(err, settings)
  local provider = settings.provider and providers.get(settings.provider)
  return {
    kind = err.kind, stage = err.stage, code = err.code, words = words_of(err),
    mode = settings.tls and settings.tls.mode, port = settings.port,
    blanks = { names = names_of(err), provider = provider and provider.hint, note = (settings.notes or {})[1] },
  }
end

-- The hint with its blanks filled in, or nil where there is nothing for one of them.
local function fill(hint, blanks)
  for name in hint:gmatch "{(%l+)}" do
    if not blanks[name] then return nil end
  end
  return (hint:gsub("{(%l+)}", blanks))
end

--- Finds the hint for an error.
---@param err table its fields (errors.lua)
---@param settings? table what is in use: host, port, tls.mode, provider, notes; any of them may be missing
---@return string? hint
function hints.find(err, settings)
  local case = case_of(err, settings or {})
  for _, rule in ipairs(RULES) do
    local hint = fits(rule, case) and fill(rule.hint, case.blanks)
    if hint then return hint end
  end
  return nil
end

return hints
