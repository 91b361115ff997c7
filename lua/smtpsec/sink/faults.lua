--- faults: what the sink was told to do wrong, and where. Rules only; who does it is session and connection.
--
-- A rule is a table; what it does not say happens as always:
--   at           where: one of faults.POINTS
--   match        only where this text is found in what the point is about (see there)
--   skip, times  lets the first `skip` occasions pass, and then strikes `times` times; they are counted over all
--                connections
--   reply        said instead of the true reply, without its last CRLF; "" says nothing. A command takes effect when
--                what is said begins with 2 or 3.
--   inject       bytes sent right behind the reply, as they are
--   delay        seconds to wait before the reply
--   trickle      seconds for each byte of it on the wire
--   drop         true: closes the connection behind the reply, or in its place where the rule has none; "reset": the
--                same with a TCP reset
--   after_bytes  at "body": strikes when so many bytes of the message have come

local faults = {}

--- Where a rule may strike, and what its `match` looks at.
faults.POINTS = {
  greeting = "nothing",
  ehlo = "the client's name, of LHLO too", helo = "the client's name",
  starttls = "nothing",
  tls = "nothing; the rule's reply goes out in clear instead of a handshake",
  auth = "the user, when the credentials are there",
  mail = "the sender", rcpt = "the recipient",
  data = "the sender and the recipients, separated by spaces",
  body = "the same, while the message comes",
  bdat = "the same, at the end of a chunk that is not the last",
  final = "the same, when its end has come; with LMTP the one recipient that is answered",
  rset = "nothing", noop = "nothing", vrfy = "the argument", quit = "nothing",
}

local Faults = { __name = "smtpsec.sink.faults" }
Faults.__index = Faults

--- Makes the set of rules for one sink. The rules were checked before.
---@param rules table[]
function faults.new(rules)
  local counted = {}
  for i, rule in ipairs(rules) do counted[i] = { rule = rule, seen = 0 } end
  return setmetatable({ counted = counted }, Faults)
end

local function strikes(one)
  local skip = one.rule.skip or 0
  one.seen = one.seen + 1
  return one.seen > skip and one.seen <= skip + (one.rule.times or math.huge)
end

--- The first rule that strikes at this point.
---@param at string
---@param subject string what `match` looks at
---@return table|nil rule
function Faults:find(at, subject)
  for _, one in ipairs(self.counted) do
    local rule = one.rule
    if rule.at == at and (not rule.match or subject:find(rule.match, 1, true)) and strikes(one) then return rule end
  end
end

return faults
