--- login: the server's side of PLAIN (RFC 4616) and LOGIN. Challenges and responses are plain bytes inside and base64
-- outside; what carries them is not known here.
--
-- A mechanism makes a function that is called for each response, the first time with nil where the client sent none
-- with its command. It returns the next challenge; or nil and the outcome { user =, ok = }; or nil alone where the
-- response makes no sense.

local core = require "smtpsec.core"

local login = {}

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local VALUE = {}
for i = 1, #ALPHABET do VALUE[ALPHABET:byte(i)] = i - 1 end

-- Four characters to three bytes.
local function group(a, b, c, d)
  local bits = ((VALUE[a] * 64 + VALUE[b]) * 64 + VALUE[c]) * 64 + VALUE[d]
  return string.char(math.floor(bits / 65536), math.floor(bits / 256) % 256, bits % 256)
end

-- nil where it is not base64, strictly. Decoding what is encoded again must give the same, or bits were hidden in it.
local function decode(text)
  local digits, padding = text:match("^([%w+/]*)(=?=?)$")
  if not digits or #text % 4 ~= 0 then return nil end
  local all, bytes = digits .. ("A"):rep(#padding), {}
  for i = 1, #all, 4 do bytes[#bytes + 1] = group(all:byte(i, i + 3)) end
  local decoded = table.concat(bytes):sub(1, -1 - #padding)
  return core.base64(decoded) == text and decoded or nil
end

local function outcome(users, user, password)
  return nil, { user = user, ok = users[user] ~= nil and users[user] == password }
end

local function plain(users)
  return function(response)
    if not response then return "" end
    local first = response:find("\0", 1, true)
    local second = first and response:find("\0", first + 1, true)
    if not second then return nil end
    local authorize, user = response:sub(1, first - 1), response:sub(first + 1, second - 1)
    local _, result = outcome(users, user, response:sub(second + 1))
    result.ok = result.ok and (authorize == "" or authorize == user)
    return nil, result
  end
end

local function user_then_password(users)
  local user
  return function(response)
    if not response then return "Username:" end
    if user then return outcome(users, user, response) end
    user = response
    return "Password:"
  end
end

local MECHANISMS = { PLAIN = plain, LOGIN = user_then_password }

--- What is offered, strongest first.
login.NAMES = { "PLAIN", "LOGIN" }

--- Begins an exchange.
---@param mechanism string
---@param users table<string, string> password by user
---@return function|nil answer nil where the mechanism is not known. It takes a response as it came, in base64 (nil
--- where there is none yet), and returns the next challenge in base64; or nil and the outcome { user =, ok = }; or
--- nil alone where it cannot read the response.
function login.start(mechanism, users)
  local make = MECHANISMS[mechanism:upper()]
  local step = make and make(users)
  return step and function(text)
    local response = text and decode(text)
    if text and not response then return nil end
    local challenge, result = step(response)
    return challenge and core.base64(challenge), result
  end
end

return login
