--- scram: the server's side of SCRAM (RFC 5802), for scripted peers: honest, but it can be made to lie. It computes
-- with luaossl and openssl's command, and has nothing from the engine but base64.
--
--     local server = scram.new { mechanism = "SCRAM-SHA-256", user = "u", password = "p" }
--     script.play { …, peer = script.peer("AUTH SCRAM-SHA-256", server:steps()) }
local core = require "smtpsec.core"
local digest = require "openssl.digest"
local hmac = require "openssl.hmac"
local process = require "spec.support.process"

local scram = {}
scram.__index = scram

local HASHES = { ["SHA-1"] = "sha1", ["SHA-256"] = "sha256", ["SHA-512"] = "sha512" }

local function xor(a, b)
  local out = {}
  for i = 1, #a do
    local x, y, bit, sum = a:byte(i), b:byte(i), 1, 0
    while x > 0 or y > 0 do
      if x % 2 ~= y % 2 then sum = sum + bit end
      x, y, bit = math.floor(x / 2), math.floor(y / 2), bit * 2
    end
    out[i] = string.char(sum)
  end
  return table.concat(out)
end

--- Makes a server for one exchange.
---@param options table mechanism, user (as it is written in the message), password; where the defaults will not do:
--- salt, iterations, nonce (what it adds to the client's), header (the gs2 header that it wants, default "n,,"),
--- channel (bytes of the channel binding); and to lie, functions of what it would say: first(message, client's nonce),
--- last(message)
function scram.new(options)
  local self = { salt = "\0\255salt", iterations = 4096, nonce = "%server", header = "n,,", channel = "" }
  for name, value in pairs(options) do self[name] = value end
  self.hash = HASHES[options.mechanism:match "^SCRAM%-(SHA%-%d+)"]
  return setmetatable(self, scram)
end

local function mac(self, key, text)
  return hmac.new(key, self.hash):final(text)
end

--- Answers the client's first message.
---@param message string
---@return string
function scram:take_first(message)
  self.bare = message:sub(#self.header + 1)
  assert(message:sub(1, #self.header) == self.header, "the header is " .. message)
  local user, nonce = self.bare:match "^n=([^,]*),r=([^,%s]+)$"
  assert(user == self.user, "the user is " .. tostring(user))
  assert(#nonce >= 24, "the nonce is short")
  self.client_nonce = nonce
  self.said = ("r=%s%s,s=%s,i=%d"):format(nonce, self.nonce, core.base64(self.salt), self.iterations)
  return self.first and self.first(self.said, nonce) or self.said
end

local function hex(text)
  return (text:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
end

local known = {} -- what was derived already, by the command for it

local function derive(hash, password, salt, iterations)
  local command = ("openssl kdf -binary -keylen %d -kdfopt digest:%s -kdfopt hexpass:%s -kdfopt hexsalt:%s "
    .. "-kdfopt iter:%d PBKDF2 | od -An -v -tx1"):format(#hmac.new("", hash):final "", hash, hex(password), hex(salt),
    iterations)
  known[command] = known[command] or process.run(command):gsub("%s+", ""):gsub("%x%x", function(byte)
    return string.char(tonumber(byte, 16))
  end)
  return known[command]
end

-- The signatures of client and server for all that was said.
local function signatures(self, message)
  local salted = derive(self.hash, self.password, self.salt, self.iterations)
  local client_key = mac(self, salted, "Client Key")
  local stored_key = digest.new(self.hash):final(client_key)
  local all = ("%s,%s,%s"):format(self.bare, self.said, message:match "^(.*),p=[^,]*$")
  return xor(client_key, mac(self, stored_key, all)), mac(self, mac(self, salted, "Server Key"), all)
end

--- Judges the client's last message, and answers it.
---@param message string
---@return string|nil answer nil where the proof is wrong
function scram:take_last(message)
  local channel, nonce, proof = message:match "^c=([^,]*),r=([^,]*),p=([^,]*)$"
  assert(channel == core.base64(self.header .. self.channel), "the channel is " .. message)
  assert(nonce == self.client_nonce .. self.nonce, "the nonce is " .. message)
  local expected, own = signatures(self, message)
  if proof ~= core.base64(expected) then return nil end
  local last = "v=" .. core.base64(own)
  return self.last and self.last(last) or last
end

--- The steps of a peer of spec/support/script.lua, from AUTH to its outcome.
---@return table first, table second, table third
function scram:steps()
  local command = "^AUTH " .. self.mechanism:gsub("%-", "%%-") .. " (%S+)$"
  return { answer = function(line)
    local said = assert(line:match(command), line)
    return "334 " .. core.base64(self:take_first(core.base64_decode(said))) .. "\r\n"
  end }, { answer = function(line)
    local last = self:take_last(core.base64_decode(line))
    return last and "334 " .. core.base64(last) .. "\r\n" or "535 5.7.8 wrong\r\n"
  end }, { expect = "\r\n", reply = "235 2.7.0 welcome\r\n" }
end

return scram
