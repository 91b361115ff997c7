--- Connecting a cosocket: the step that is bounded as a whole, and every address that is tried in it.
--
-- Names: nginx's own `resolver` where one is configured, as its users expect. But it gives out one address at random
-- per connect, so when that one fails, when there is no resolver, and for localhost, the system's resolver is asked
-- (in a thread of smtpsec.sock: the worker does not wait) and all its addresses are tried as RFC 8305 says.
--
-- @module smtpsec.io.nginx.dial

-- luacheck: read globals ngx
local ngx = ngx
local has_sock, sock = pcall(require, "smtpsec.sock")

local unpack = unpack or table.unpack -- luacheck: compat

local ADDRESS_DELAY = 0.25 -- RFC 8305 section 5
local LONGEST_WAIT = 3600 -- a timer need not take more, nor infinity
local MARGIN = 1

local dial = {}

local function updated_now()
  ngx.update_time()
  return ngx.now()
end

dial.now = has_sock and sock.now or updated_now

--- The time that is `seconds` ahead; nil is no bound.
function dial.deadline_in(seconds)
  return dial.now() + (seconds or math.huge)
end

--- Whole milliseconds, as cosockets take them; their 0 would mean "as configured".
function dial.milliseconds(seconds)
  return math.min(math.max(math.ceil((seconds or math.huge) * 1000), 1), 0x7fffffff)
end

--- Bounds the next operation of a cosocket.
function dial.set_timeout(tcp, seconds)
  local ms = dial.milliseconds(seconds)
  tcp:settimeouts(ms, ms, ms)
end

--- A cosocket, or nil and what to do about it.
function dial.cosocket()
  local ok, tcp = pcall(ngx.socket.tcp)
  if ok then return tcp end
  return nil, ("nginx has no cosockets in the phase \"%s\": send from ngx.timer.at(0, function() ... end) instead")
    :format(ngx.get_phase())
end

local function no_resolver(err)
  return err:find("no resolver defined", 1, true) ~= nil
end

local function unresolved(err)
  return no_resolver(err) or err:find("could not be resolved", 1, true) ~= nil
end

-- One attempt, in a light thread of its own. It is the race that ends in time; but whoever runs the race may be killed
-- in the middle, and then the attempts end by themselves. Returns which it was and what connect() returned.
local function attempt(tcp, index, host, port, options, deadline)
  dial.set_timeout(tcp, math.min(deadline - dial.now() + MARGIN, LONGEST_WAIT))
  if not port then return index, tcp:connect(host, options) end
  return index, tcp:connect(host, port, options)
end

local function sleep(seconds)
  ngx.sleep(seconds)
end

-- Waits until one of the threads ends, or for the seconds. Returns what it returned, or nothing.
local function wait_for_one(threads, seconds)
  local all = {}
  for _, thread in pairs(threads) do
    all[#all + 1] = thread
  end
  local pause = ngx.thread.spawn(sleep, math.min(math.max(seconds, 0), LONGEST_WAIT))
  all[#all + 1] = pause
  local _, index, ok, err = ngx.thread.wait(unpack(all))
  ngx.thread.kill(pause)
  return index, ok, err
end

-- Connects to the first of `hosts` (as connect() takes them) that answers. Another is begun when one fails, and
-- beside the running ones after `delay` seconds. Returns the cosocket and its index, or nil and the list of the
-- failures so far, { index, text }. A name that cannot be resolved ends it: it could not the next time either. The
-- light threads that lose are killed before anything else yields: one that ended later would resume us in the middle
-- of that.
local function race(hosts, port, pool, delay, deadline)
  local threads, sockets, failures = {}, {}, {}
  local begun, winner, hopeless = 0, nil, false
  repeat
    if begun < #hosts then
      begun = begun + 1
      sockets[begun] = ngx.socket.tcp()
      threads[begun] = ngx.thread.spawn(attempt, sockets[begun], begun, hosts[begun], port, { pool = pool },
        deadline)
    end
    local left = deadline - dial.now()
    local index, ok, err = wait_for_one(threads, begun < #hosts and math.min(delay, left) or left)
    if index then threads[index] = nil end
    if ok then
      winner = index
    elseif index then
      failures[#failures + 1] = { index, err }
      hopeless = unresolved(err)
    end
  until winner or hopeless or (begun == #hosts and not next(threads)) or dial.now() >= deadline

  for index, thread in pairs(threads) do
    ngx.thread.kill(thread)
    sockets[index]:close()
  end
  if winner then return sockets[winner], winner end
  return nil, failures
end

-- As connect() takes it, where the host is an address; else nil.
local function literal(host)
  if host:find(":", 1, true) then return "[" .. host .. "]" end
  return host:match("^%d+%.%d+%.%d+%.%d+$")
end

-- Why a race was lost, and the sentence for it.
local function lost(target, hosts, failures, seconds, late)
  local parts = {}
  for i, failure in ipairs(failures) do
    local host, text = hosts[failure[1]], failure[2]
    if unresolved(text) then return "dns", text end
    local known = target.path or host == target.host or host == literal(target.host)
    parts[i] = known and text or host .. ": " .. text
  end
  if late then table.insert(parts, 1, ("not connected within %.3g s"):format(seconds)) end
  local name = target.path or ("%s port %d"):format(target.host, target.port)
  return late and "timeout" or "connect", name .. ": " .. table.concat(parts, "; ")
end

-- RFC 6761 section 6.3: such names mean this machine, whatever a resolver says.
local function is_local(host)
  host = host:lower()
  return host == "localhost" or host:find("%.localhost$") ~= nil
end

-- The host's addresses as the system knows them, or nil, why, text. There is no event to wait for, so it asks again
-- and again, ever less often.
local function ask_system(host, deadline)
  if not has_sock then
    return nil, "dns", ("no resolver defined to resolve \"%s\": add a `resolver` to nginx.conf"):format(host)
  end
  local resolution, why, text = sock.resolve(host)
  local pause = 0.001
  while resolution do
    local addresses
    addresses, why, text = resolution:step()
    if addresses or why ~= "again" then
      resolution:close()
      return addresses, why, text
    end
    local left = deadline - dial.now()
    if left <= 0 then
      resolution:close()
      return nil, "timeout", host .. ": the name was not resolved in time"
    end
    ngx.sleep(math.min(pause, left))
    pause = math.min(pause * 2, 0.05)
  end
  return nil, why, text
end

-- The ways to connect to a name. Half of the time is for the address that nginx's resolver chooses, the rest for all
-- that the system knows; where it knows none, nginx's resolver may choose again.
local function by_name(host, seconds, deadline, try)
  local tcp, why, text
  if not is_local(host) then
    tcp, why, text = try({ host }, 0, dial.deadline_in(seconds / 2))
    if tcp or why == "dns" and not no_resolver(text) then return tcp, why, text end
  end
  local hosts, unknown, reason = ask_system(host, deadline)
  if hosts then
    for i, address in ipairs(hosts) do
      hosts[i] = literal(address)
    end
    return try(hosts, ADDRESS_DELAY, deadline)
  end
  if not text or no_resolver(text) then return nil, unknown, reason end
  local names = { host, host, host }
  return try(names, (deadline - dial.now()) / #names, deadline)
end

--- Connects to the target.
---@param target table as in the driver contract of smtpsec.io.polled
---@param pool string the name of the connection pool that it may be parked in
---@param seconds? number for the whole step
---@return table cosocket, string? address the peer's; nil where nginx's resolver chose it
---@return nil, string why, string text
function dial.connect(target, pool, seconds)
  local usable, text = dial.cosocket()
  if not usable then return nil, "connect", text end
  seconds = seconds or math.huge
  local deadline = dial.deadline_in(seconds)
  local function try(hosts, delay, ends)
    local tcp, index = race(hosts, target.port, pool, delay, ends)
    if not tcp then return nil, lost(target, hosts, index, seconds, dial.now() >= ends) end
    local host = hosts[index]
    return tcp, target.path or host:match("^%[(.*)%]$") or literal(host)
  end

  local direct = target.path and "unix:" .. target.path or literal(target.host)
  if direct then return try({ direct }, 0, deadline) end
  return by_name(target.host, seconds, deadline, try)
end

return dial
