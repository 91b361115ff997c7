--- session_cache: what servers gave out to resume TLS with, kept for the life of the process, so that a mailer made
-- for one mail profits from the one before.
--
-- A session is handed out only for what it was won with: the same context (trust, revocations, ciphers, our own
-- certificate), host, port, mode, name, verification and pins. The engine looks at context and peer once more before
-- it offers one. One of TLS 1.3 is handed out once (RFC 8446 appendix C.4), one of TLS 1.2 again and again; none
-- after its time. All is bounded; the oldest goes first, and goes at once: the collector does not see its memory.

local tls = require "smtpsec.tls"

local session_cache = {}

local KEYS, EACH = 64, 4

local kept = {} -- key -> list of sessions, the newest last
local keys = setmetatable({}, { __mode = "k" }) -- settings -> key
local order = {} -- the keys, that of the newest session last

-- Each value with its length: no two lists of values look the same.
local function joined(...)
  local parts = {}
  for i = 1, select("#", ...) do
    local value = tostring((select(i, ...)))
    parts[i] = string.format("%d:%s", #value, value)
  end
  return table.concat(parts, ",")
end

-- Worked out once for the settings of a mailer, which do not change.
local function key_of(settings)
  local key = keys[settings]
  if key then return key end
  local peer = tls.peer(settings)
  key = joined(tls.context_key(settings.tls), settings.host, settings.path, settings.tls.mode, peer.server_name,
    peer.port, peer.verify, peer.optional, joined((table.unpack or unpack)(peer.pins or {}))) -- luacheck: compat
  keys[settings] = key
  return key
end

local function wanted(settings)
  return settings.tls.mode ~= "none" and settings.tls.session_cache ~= false
end

local function drop(key)
  for _, session in ipairs(kept[key]) do session:close() end
  kept[key] = nil
end

-- Makes the key the newest. Returns its list.
local function touch(key)
  for i, one in ipairs(order) do
    if one == key then
      table.remove(order, i)
      break
    end
  end
  if #order == KEYS then drop(table.remove(order, 1)) end
  order[#order + 1] = key
  kept[key] = kept[key] or {}
  return kept[key]
end

--- A session to offer on a new connection.
---@param settings table what config.resolve made
---@return userdata? session nil where there is none
function session_cache.take(settings)
  if not wanted(settings) then return nil end
  local list = kept[key_of(settings)] or {}
  while list[1] do
    local session = list[#list]
    if session:ends() > os.time() then
      if session:once() then list[#list] = nil end
      return session
    end
    list[#list] = nil
    session:close()
  end
  return nil
end

--- Keeps what a connection was given. TLS 1.3 gives sessions with its first bytes, so this comes best when the
-- connection is done with, or after a mail; often does no harm.
---@param settings table those that the connection was made with
---@param conn userdata engine connection
function session_cache.put(settings, conn)
  local session = wanted(settings) and conn:session()
  if not session then return end
  local news = {}
  while session do
    table.insert(news, 1, session)
    session = conn:session()
  end
  local list = touch(key_of(settings))
  for _, one in ipairs(news) do
    if #list == EACH then table.remove(list, 1):close() end
    list[#list + 1] = one
  end
end

--- Forgets all of them.
function session_cache.clear()
  while order[1] do drop(table.remove(order)) end
end

return session_cache
