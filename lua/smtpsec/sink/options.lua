--- options: what a sink can be told, and the defaults. Mistakes of the caller raise here; what the world thinks of
-- the values (a port in use, a file that is not there) turns out when the sink starts.

local faults = require "smtpsec.sink.faults"
local printable = require "smtpsec.printable"
local schema = require "smtpsec.schema"

local either, secret, text, seconds = schema.either, schema.secret, schema.string, schema.number(0, 86400)

local options = {}

local MODES = { "none", "starttls", "implicit" }

local function keys(set)
  local list = {}
  for key in pairs(set) do list[#list + 1] = key end
  table.sort(list)
  return list
end

local port = schema.integer(0, 65535)

local rule = schema.record("faults", {
  at = schema.enum(keys(faults.POINTS)),
  match = text, skip = schema.integer(0), times = schema.integer(1),
  reply = text, inject = text, delay = seconds, trickle = seconds,
  drop = either(schema.constant(true), schema.enum { "reset" }), after_bytes = schema.integer(0),
})

local shape = {
  host = text,
  tls = either(schema.enum(MODES), schema.list(schema.enum(MODES))),
  port = either(port, schema.record("port", { none = port, starttls = port, implicit = port })),
  cert = text, key = text, client_ca = text,
  min_version = schema.enum { "TLSv1.2", "TLSv1.3" }, max_version = schema.enum { "TLSv1.2", "TLSv1.3" },
  name = text, lmtp = schema.boolean,
  offer = schema.list(text), extensions = schema.list(text),
  auth = schema.map(text, secret(text)), require_auth = schema.boolean,
  faults = schema.list(rule), hold = seconds, idle = seconds,
  size = schema.integer(1, 2 ^ 30), memory = schema.integer(0), journal = schema.integer(1),
  connections = schema.integer(1, 10000),
  maildir = text, lua = text,
}

local check = schema.record("smtpsec.sink", shape)

local DEFAULTS = {
  host = "127.0.0.1", tls = "starttls", port = 0, name = "localhost", lmtp = false, require_auth = false,
  offer = { "PIPELINING", "SIZE", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES" },
  extensions = {}, faults = {}, hold = 0, idle = 300,
  size = 16 * 1024 * 1024, memory = 256 * 1024 * 1024, journal = 100000, connections = 1000,
}

-- What goes out as it was given must be one line: 'x "…" y', or nil.
local function unfit(name, value)
  if value:find("[%c]") then return string.format('"%s" must be one line, got %s', name, printable.value(value)) end
end

-- What no single value tells: the sentence, or nil.
local function contradiction(o)
  for i, one in ipairs(o.faults) do
    if not one.at then return string.format('"faults[%d]" needs "at"', i) end
    if one.after_bytes and one.at ~= "body" then
      return string.format('"faults[%d].after_bytes" means nothing at "%s", only at "body"', i, one.at)
    end
  end
  for _, name in ipairs { "offer", "extensions" } do
    for i, line in ipairs(o[name]) do
      local fault = unfit(string.format("%s[%d]", name, i), line)
      if fault then return fault end
    end
  end
  if o.require_auth and not o.auth then return '"require_auth" needs "auth"' end
  if (o.cert == nil) ~= (o.key == nil) then return '"cert" and "key" belong together' end
  if #o.modes == 0 then return '"tls" must name a mode' end
  if type(o.port) == "number" and o.port ~= 0 and #o.modes > 1 then
    return '"port" must be a table with a port for each mode of "tls"'
  end
  return unfit("name", o.name)
end

-- The lines that the reply to EHLO lists, and keyword -> true. An extension takes the place of the line with its
-- keyword. SIZE says the true size where the caller gave none.
local function offered(o)
  local lines, places = {}, {}
  local function add(line)
    local keyword = line:match("^%S*"):upper()
    places[keyword] = places[keyword] or #lines + 1
    lines[places[keyword]] = line:upper() == "SIZE" and string.format("SIZE %d", o.size) or line
  end
  for _, line in ipairs(o.offer) do add(line) end
  for _, line in ipairs(o.extensions) do add(line) end
  local set = {}
  for keyword in pairs(places) do set[keyword] = true end
  return lines, set
end

-- What the line LIMITS says (RFC 9422), which is then held to.
local function limits(lines)
  local found = { MAILMAX = math.huge, RCPTMAX = math.huge, RCPTDOMAINMAX = math.huge }
  for _, line in ipairs(lines) do
    local words = line:upper():match("^LIMITS (.*)$") or ""
    for name, value in words:gmatch("(%w+)=(%d+)") do found[name] = tonumber(value) end
  end
  return found
end

--- Checks the options of a caller and completes them.
-- Errors are told for the line of the caller's caller.
---@param given? table
---@return table settings the options, and modes (list), offered (set of keywords), limits (by name)
function options.complete(given)
  local o = {}
  for key, value in pairs(DEFAULTS) do o[key] = value end
  for key, value in pairs(check(given or {}, 3)) do o[key] = value end
  o.modes = type(o.tls) == "table" and o.tls or { o.tls }
  local fault = contradiction(o)
  if fault then error("smtpsec.sink: " .. fault, 3) end
  o.offer, o.offered = offered(o)
  o.limits = limits(o.offer)
  return o
end

--- The port to listen on for a mode; 0 lets the system choose.
---@param o table
---@param mode string
---@return integer
function options.port(o, mode)
  return type(o.port) == "number" and o.port or o.port[mode] or 0
end

return options
