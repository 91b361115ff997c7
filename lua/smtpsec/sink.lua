--- sink: a small submission server for tests, and a test tool only. It delivers nothing, trusts whoever it is told
-- to, keeps passwords in plain text and makes mistakes on purpose: never let it face anything but tests. It is made
-- for demonstrations, for the specs of smtpsec, and for the tests of programs that mail with smtpsec.
--
--    local sink = require "smtpsec.sink"
--    local server = assert(sink.start { tls = "starttls", auth = { joe = "secret" } })
--    smtpsec.send({ from = …, to = …, text = "…" }, {
--      host = "localhost", port = server.port, user = "joe", password = "secret",
--      tls = { mode = "starttls", ca_file = server.ca_file },
--    })
--    local mails = assert(server:wait_for(1))
--    print(mails[1].from, mails[1].data)
--    server:stop()
--
-- Options, all of them optional:
--
--    tls            "starttls" (default), "implicit", "none", or a list of these: a port for each
--    port           0 (default): the system chooses; or a number; or { starttls = 2525, implicit = 4650 }
--    host           the numeric address to listen on, "127.0.0.1"
--    cert, key      PEM files; without them, an authority of its own is made for the life of the sink (see ca_file)
--    client_ca      a PEM file: clients must show a certificate of these authorities
--    min_version, max_version   "TLSv1.2" or "TLSv1.3"
--    name           how it calls itself, "localhost"
--    lmtp           true: it speaks LMTP (RFC 2033)
--    offer          the lines of the reply to EHLO, { "PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8",
--                   "ENHANCEDSTATUSCODES" }; STARTTLS and AUTH come by themselves
--    extensions     more such lines; one with a keyword of the above takes its place. Those that it lives up to:
--                   "CHUNKING" (BDAT, RFC 3030), "BINARYMIME", "DSN", "LIMITS RCPTMAX=5 MAILMAX=10 RCPTDOMAINMAX=1"
--                   (RFC 9422: more recipients are refused with 452, more mails with 421), and those whose parameters
--                   it takes and keeps: "REQUIRETLS", "DELIVERBY", "MT-PRIORITY", "FUTURERELEASE". Any other is only
--                   said
--    auth           { user = "password", … }: AUTH PLAIN and LOGIN, behind TLS where there is TLS
--    require_auth   true: no mail without a login
--    faults         a list of what to do wrong where: smtpsec.sink.faults says what a rule looks like
--    hold           seconds for which every reply is held back, 0
--    idle           seconds of silence after which a client is sent away, 300
--    size           the longest message in octets, 16 MiB
--    memory         what mails may take in all, 256 MiB; when it is full, mails are refused
--    maildir        a folder: mails go there, and their envelopes, in files of the same names, into its envelope/
--    connections    at a time, 1000
--    journal        entries kept, 100000; the oldest go first
--    lua            for start: the interpreter, when it is not the one that runs
--
-- What both kinds of sink have: `host`, `port` (of the first mode), `ports` (by mode), `ca_file` (what a client must
-- trust; nil where `cert` was given), and
--
--    mails()      a list of { id =, from =, to = { … }, data = the bytes as they were sent, helo =, auth = the user,
--                 tls = { version =, cipher =, … } or false, parameters = of MAIL, to_parameters = those of RCPT by
--                 address, connection = its number, time =, path = in a Maildir }
--    journal()    a list of { at = seconds, connection = its number, event = … }, with the events
--                   connected { mode =, address =, port = }
--                   greeting  { code = }
--                   command   { verb =, argument =, code =, user = with AUTH }
--                   tls       { version =, cipher =, resumed = }, tls_failed { reason = }
--                   message   { size =, from =, to =, code = }
--                   injection { size = }: bytes came in clear where TLS was to begin
--                   timeout   { code = }
--                   closed    { by = "peer", "sink" or "fault", why = }
--                 where code is what was answered, nil for silence

local pki = require "smtpsec.sink.pki"
local process = require "smtpsec.sink.process"
local server = require "smtpsec.sink.server"

local sink = {}

--- Makes a sink in this process, which serves while the caller drives it:
--
--    server:step(seconds, also)   serves what is ready, waiting for it; `also` is a list of other
--                                 { socket, "r" | "w" } to wait for, and it returns those that are ready
--    server:run(done)             serves until done(server) is true
--    server:close()               ends it
---@param options? table
---@return table|nil server
---@return table|nil err of kind "config"
function sink.new(options)
  return server.new(options)
end

--- Starts a sink in a process of its own, which serves while the caller blocks elsewhere, and which ends with the
-- caller at the latest:
--
--    server:wait_for(n, seconds)  the mails, as soon as there are n; nil, err after so many seconds (10)
--    server:stop()                ends it; mails and journal stay
---@param options? table
---@return table|nil server
---@return table|nil err of kind "config"; later, its functions may fail with the kind "closed"
function sink.start(options)
  return process.start(options)
end

--- Makes a throw-away authority and a certificate for localhost, 127.0.0.1 and ::1, good for a month, with the
-- command openssl. For a sink that lives longer than a test, so that clients trust it again when it is started again.
---@param folder string is made where it does not exist
---@return table|nil files { ca_file =, cert =, key =, ca_key = }, paths
---@return table|nil err of kind "config"
function sink.certificate(folder)
  return pki.make(folder)
end

return sink
