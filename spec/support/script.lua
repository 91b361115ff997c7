--- script: whole SMTP sessions in memory: the engine as the client, a peer that is data, no socket and no clock.
--
-- A session is a table:
--   options  what core.connection takes; default { tls = "none" }
--   peer     the server: a list of steps, each taken when the one before is done
--              { expect = bytes, reply = bytes }  waits for exactly these bytes, then answers; either may be absent
--              { answer = function(line) }        waits for a line, then says what the function returns
--              { tls = context }                  speaks TLS from here on
--              { raw = bytes }                    says this past TLS, as somebody in between would
--              { close = "cut" }                  ends the stream, and is deaf from here on
--              { close = "notify" }               ends TLS properly before that
--   client   what to do: a list of turns, or a function(client) for what a list cannot say
--              "event"                            waits for one event
--              { "ehlo", "client.test" }          queues a command and waits for its reply
--              { { "mail", … }, { "rcpt", … } }   queues several, then waits for as many replies
--              { body = bytes }                   hands over a piece of the message
--
-- What comes of it: `wire`, all that the peer heard, decrypted; `flights`, the same, cut where the client stopped to
-- read; `events`; `failure` { status, text, reason } where the session did not end well ("stalled" when both sides wait
-- for each other); `peer_ended` { status, reason } where the peer's TLS ended; and `steps_left` of the peer. A client
-- that says what the peer does not expect is an error at once.
local core = require "smtpsec.core"

local script = {}

local FEED_MAX = 16384

-- Under a slow tool, SMTPSEC_THIN=20 plays only each twentieth cut.
local THIN = tonumber(os.getenv "SMTPSEC_THIN") or 1

-- ---- the peer -------------------------------------------------------------------------------------------------------

local Peer = {}
Peer.__index = Peer

local function new_peer(steps)
  return setmetatable({ steps = steps, at = 1, text = "", wire = {}, pending = "" }, Peer)
end

function Peer:flush()
  local bytes = self.filter:output()
  self.filter:consumed(#bytes)
  self.pending = self.pending .. bytes
end

function Peer:say(bytes)
  if not self.filter then
    self.pending = self.pending .. bytes
    return
  end
  while bytes ~= "" do
    bytes = bytes:sub(assert(self.filter:write(bytes)) + 1)
    self:flush()
  end
end

-- Whether the step's bytes have all come; raises when others have.
function Peer:heard(expected)
  local n = math.min(#self.text, #expected)
  if self.text:sub(1, n) ~= expected:sub(1, n) then
    error(("the client said %q where %q was expected"):format(self.text, expected), 0)
  end
  return n == #expected
end

-- Answers the line that has come, if one has.
function Peer:answer(act)
  local line, rest = self.text:match "^(.-)\r\n(.*)$"
  if line then
    self.text = rest
    self:say(act(line))
  end
  return line ~= nil
end

function Peer:take(step)
  if step.tls then
    self.filter = assert(core.tls_server(step.tls))
    return true
  elseif step.close == "cut" then
    self.closed = true
    return true
  elseif step.raw then
    self.pending = self.pending .. step.raw
    return true
  elseif self.filter and not self.up then
    return false
  elseif step.close == "notify" then
    self.filter:close_notify()
    self:flush()
    self.closed = true
    return true
  elseif step.answer then
    return self:answer(step.answer)
  elseif not self:heard(step.expect or "") then
    return false
  end
  self.text = self.text:sub(#(step.expect or "") + 1)
  self:say(step.reply or "")
  return true
end

function Peer:advance()
  while self.steps[self.at] and self:take(self.steps[self.at]) do
    self.at = self.at + 1
  end
  if not self.steps[self.at] and self.text ~= "" then
    error(("the client said %q when nothing was expected any more"):format(self.text), 0)
  end
end

-- Decrypts what came; the text in it.
function Peer:open(bytes)
  if not self.filter then
    return bytes
  end
  self.filter:feed(bytes)
  local text, status, reason, _ = "", nil, nil, nil
  if not self.up then
    self.up, status, _, reason = self.filter:handshake()
  end
  while self.up and not status do
    local part
    part, status, _, reason = self.filter:read()
    text = text .. (part or "")
  end
  if status ~= "again" then
    self.ended = { status, reason }
  end
  self:flush()
  return text
end

function Peer:receive(bytes)
  if self.closed then
    return
  end
  local text = self:open(bytes)
  self.wire[#self.wire + 1] = text
  self.text = self.text .. text
  self:advance()
end

-- ---- the client -----------------------------------------------------------------------------------------------------

local Client = {}
Client.__index = Client

--- Waits for the next event.
---@return string verb or "secured"
---@return integer code, string? enhanced, string text
function Client:event()
  return coroutine.yield()
end

--- Queues a command, which the engine must accept.
---@return integer tag
function Client:queue(name, ...)
  local tag, status, text = self.conn[name](self.conn, ...)
  if not tag then
    error(("%s: %s: %s"):format(name, status, text), 2)
  end
  return tag
end

--- Queues a command and waits for the next event.
function Client:ask(...)
  self:queue(...)
  return self:event()
end

--- Waits until all output was written.
function Client:drain()
  coroutine.yield "drain"
end

--- Hands over a piece of the message; more than the engine has room for waits until it was written.
function Client:body(bytes)
  local from = 1
  while from <= #bytes do
    local taken, status, text = self.conn:body(bytes, from)
    if taken then
      from = from + taken
    elseif status == "full" then
      self:drain()
    else
      error(("body: %s: %s"):format(status, text), 2)
    end
  end
end

local function unpack_command(command)
  return (table.unpack or unpack)(command, 1, #command) -- luacheck: ignore 113
end

-- A list of turns as a function.
local function follow(turns)
  return function(client)
    for _, turn in ipairs(turns) do
      if turn == "event" then
        client:event()
      elseif turn.body then
        client:body(turn.body)
      else
        local group = type(turn[1]) == "table" and turn or { turn }
        for _, command in ipairs(group) do
          client:queue(unpack_command(command))
        end
        for _ = 1, #group do
          client:event()
        end
      end
    end
  end
end

-- ---- the play -------------------------------------------------------------------------------------------------------

local Play = {}
Play.__index = Play

local function describe(verb, code, enhanced, text)
  return ("%s %d%s %s"):format(verb, code, enhanced and " [" .. enhanced .. "]" or "", (text:gsub("\n", "|")))
end

function Play:record(kind, verb, tag, code, enhanced, text)
  self.result.events[#self.result.events + 1] = kind == "reply" and describe(verb, code, enhanced, text) or kind
  self:resume(kind == "reply" and verb or kind, code, enhanced, text, tag)
end

-- Lets the client go on until it waits for something.
function Play:resume(...)
  if coroutine.status(self.client) == "dead" then
    return
  end
  local ran, wish = coroutine.resume(self.client, ...)
  if not ran then
    error(wish, 0)
  end
  self.draining = wish == "drain"
end

-- Writes a piece of the output. False when there was none.
function Play:write()
  local bytes = self.conn:output()
  if bytes == "" then
    return false
  end
  bytes = bytes:sub(1, self.how.drain or #bytes)
  self.conn:consumed(#bytes)
  self.peer:receive(bytes)
  return true
end

function Play:mark_flight()
  local said = table.concat(self.peer.wire)
  if #said > self.marked then
    table.insert(self.result.flights, said:sub(self.marked + 1))
    self.marked = #said
  end
end

-- Feeds a piece of what the peer sent. False when there is none.
function Play:read()
  self:mark_flight()
  local pending, cut, upto = self.peer.pending, self.how.cut, self.how.upto or math.huge
  if pending == "" or self.fed >= upto then
    local closed = self.peer.closed or self.fed >= upto
    local news = closed and not self.told
    self.told = closed
    return news and (self.conn:feed("") or true)
  end
  local n = math.min(#pending, self.how.size or FEED_MAX, upto - self.fed)
  if cut and self.fed < cut then
    n = math.min(n, cut - self.fed)
  end
  self.fed = self.fed + n
  self.peer.pending = pending:sub(n + 1)
  self.conn:feed(pending:sub(1, n)) -- its error comes again from next()
  return true
end

function Play:fail(status, text, reason)
  self.result.failure = { status = status, text = text, reason = reason }
  self.how = { drain = self.how.drain }
  while self:write() do end -- an alert
end

-- One turn of the crank. False when nothing moves any more.
function Play:crank()
  local kind, verb, tag, code, enhanced, text = self.conn:next()
  if not kind then
    self:fail(verb, tag, code)
    return false
  elseif kind ~= "again" then
    self:record(kind, verb, tag, code, enhanced, text)
    return true
  end
  local wrote = self:write()
  if self.draining and self.conn:output() == "" then
    self:resume()
    return true
  end
  -- Duplex: the peer's answer is read between two writes, as a driver may that polls for both.
  local read = (not wrote or self.how.duplex) and self:read()
  return wrote or read
end

--- Plays a session once.
---@param session table
---@param how table|nil bytes fed at once (`size`), offset where the peer's stream is cut in two (`cut`) or ends
--- (`upto`), bytes written at once (`drain`), reading between writes (`duplex`); without them everything moves whole
---@return table result wire, flights, events, failure, peer_ended, steps_left; conn and peer, to go on with; fed, how
--- many bytes the peer sent
function script.play(session, how)
  local self = setmetatable({
    how = how or {}, fed = 0, marked = 0, peer = new_peer(session.peer),
    conn = assert(core.connection(session.options or { tls = "none" })),
    result = { events = {}, flights = {} },
  }, Play)
  local act = type(session.client) == "table" and follow(session.client) or session.client
  self.client = coroutine.create(act)
  self.peer:advance()
  self:resume(setmetatable({ conn = self.conn }, Client))
  while self:crank() do end
  self:mark_flight()
  local result = self.result
  if not result.failure and coroutine.status(self.client) ~= "dead" then
    result.failure = { status = "stalled", text = "waiting for " .. tostring(self.conn:waiting()) }
  end
  result.wire, result.fed, result.conn, result.peer = table.concat(self.peer.wire), self.fed, self.conn, self.peer
  result.peer_ended, result.steps_left = self.peer.ended, #session.peer - self.peer.at + 1
  return result
end

-- What must not depend on how the bytes were cut. The words of a failure may quote more or less of them.
local function essence(result)
  local failure = result.failure
  return {
    wire = result.wire, events = result.events, steps_left = result.steps_left,
    failure = failure and { status = failure.status, reason = failure.reason },
  }
end

--- Plays a session with its bytes cut in every way, and asserts that it is the same session each time.
---@param session table
---@param every integer|nil tries only each n-th cut in two, for sessions that are long
---@return table result of the play with whole flights
function script.everywhere(session, every)
  local luassert = require "luassert"
  local whole = script.play(session)
  local function same(how, words)
    luassert.same(essence(whole), essence(script.play(session, how)), words)
  end
  same({ size = 1 }, "fed byte by byte")
  same({ drain = 1 }, "written byte by byte")
  same({ drain = 7 }, "written by seven bytes")
  same({ drain = 1, duplex = true }, "written byte by byte, read in between")
  same({ size = 1, drain = 1, duplex = true }, "byte by byte in both directions")
  for cut = 1, whole.fed - 1, (every or 1) * THIN do
    same({ cut = cut }, "cut after byte " .. cut)
  end
  return whole
end

-- ---- replies alone --------------------------------------------------------------------------------------------------

--- A reply of the server.
---@param code integer
---@param text string its lines, "\n" between them
---@return string bytes
function script.reply(code, text)
  local lines = {}
  for line in (text .. "\n"):gmatch "(.-)\n" do
    lines[#lines + 1] = ("%d-%s\r\n"):format(code, line)
  end
  lines[#lines] = lines[#lines]:gsub("%-", " ", 1)
  return table.concat(lines)
end

--- A connection that was greeted and knows what is offered.
---@param offers string|nil lines of the EHLO reply after the first, "\n" between them; default PIPELINING
---@param options table|nil
---@return userdata conn
function script.ready(offers, options)
  local conn = assert(core.connection(options or { tls = "none" }))
  script.answer(conn, "220 mail.test\r\n")
  assert(conn:ehlo("client.test"))
  script.answer(conn, script.reply(250, "mail.test\n" .. (offers or "PIPELINING")))
  return conn
end

--- Writes what the connection has to say.
---@return string bytes
function script.drain(conn)
  local bytes = conn:output()
  conn:consumed(#bytes)
  return bytes
end

--- Writes, feeds the peer's bytes and returns the next event.
function script.answer(conn, bytes)
  script.drain(conn)
  assert(conn:feed(bytes))
  return conn:next()
end

--- A connection that waits for a message.
---@return userdata conn
function script.in_body(offers, options)
  local conn = script.ready(offers, options)
  script.transaction(conn)
  return conn
end

--- Brings a connection between transactions into the body of the next.
function script.transaction(conn)
  for _, command in ipairs { { "mail", "a@client.test" }, { "rcpt", "b@mail.test" }, { "data" } } do
    assert(conn[command[1]](conn, command[2]))
    script.answer(conn, command[1] == "data" and "354 go\r\n" or "250 ok\r\n")
  end
end

local function outcome(conn)
  local kind, verb, tag, code, enhanced, text = conn:next()
  if kind == "again" then
    return { again = true }
  elseif not kind then
    return { status = verb, words = tag, reason = code }
  end
  return { code = code, enhanced = enhanced, text = text, verb = verb }
end

-- Feeds the answer to the first of two commands in pieces that end at `cuts`; the first outcome other than "again".
local function read_pieces(bytes, cuts)
  local conn, from, seen = script.ready(), 1, nil
  conn:rset()
  conn:rset()
  script.drain(conn)
  for _, cut in ipairs(cuts) do
    conn:feed(bytes:sub(from, cut))
    from, seen = cut + 1, outcome(conn)
    if not seen.again then
      break
    end
  end
  return seen, conn, from
end

local function every_byte(n)
  local cuts = {}
  for i = 1, n do
    cuts[i] = i
  end
  return cuts
end

-- As luassert wants it: without the words of a failure, which may quote what has come.
local function stripped(seen)
  return { again = seen.again, code = seen.code, enhanced = seen.enhanced, text = seen.text, status = seen.status,
    reason = seen.reason }
end

local function with_trailing(bytes, seen)
  local luassert = require "luassert"
  local next_reply = "250 next\r\n"
  local together, conn = read_pieces(bytes .. next_reply, { #bytes + #next_reply })
  luassert.same(stripped(seen), stripped(together), "with another reply behind it")
  if seen.code then
    luassert.equal("next", outcome(conn).text)
  end
end

--- Reads one reply whole, byte by byte, at every cut in two, and with another reply behind it, and asserts that all see
-- the same: { code, enhanced, text }, { status, words, reason } of a failure, or { again = true }.
---@param bytes string at most a feed
---@return table outcome
function script.parse(bytes)
  local luassert = require "luassert"
  local seen = read_pieces(bytes, { #bytes })
  luassert.same(stripped(seen), stripped((read_pieces(bytes, every_byte(#bytes)))), "byte by byte")
  local step = math.max(1, math.floor(#bytes / 100))
  for cut = 1, #bytes - 1, step do
    luassert.same(stripped(seen), stripped((read_pieces(bytes, { cut, #bytes }))), "cut after byte " .. cut)
  end
  if not seen.again then
    with_trailing(bytes, seen)
  end
  return seen
end

--- A peer's first steps, and what follows them.
---@param offers string keywords, a line each
function script.peer(offers, ...)
  return {
    { reply = "220 mail.test\r\n" },
    { expect = "EHLO client.test\r\n", reply = script.reply(250, "mail.test\n" .. offers) },
    ...
  }
end

--- A client's first turns, and what follows them.
function script.client(...)
  return { "event", { "ehlo", "client.test" }, ... }
end

--- A login in clear, and NOOP behind it, against these steps, at every cut of the bytes.
function script.login(offers, mechanism, who, ...)
  return script.everywhere {
    options = { tls = "none", insecure_cleartext = true }, peer = script.peer(offers, ...),
    client = script.client({ "auth", mechanism, who }, { "noop" }),
  }
end

--- What a peer says to that NOOP.
script.AFTER_LOGIN = { expect = "NOOP\r\n", reply = "250 ok\r\n" }

--- The last n events of what script.play gave.
function script.last_events(result, n)
  local from, events = #result.events - n, {}
  for i = 1, n do
    events[i] = result.events[from + i]
  end
  return events
end

--- A message as it must come out, said in another way than the engine says it.
function script.normalized(text)
  text = text:gsub("\r\n", "\n"):gsub("\r", "\n")
  if text ~= "" and text:sub(-1) ~= "\n" then
    text = text .. "\n"
  end
  return (text:gsub("\n", "\r\n"))
end

return script
