--- login: the server's side of PLAIN (RFC 4616) and LOGIN. Challenges and responses are plain bytes inside and base64
-- outside; what carries them is not known here.
--
-- A mechanism makes a function that is called for each response, the first time with nil where the client sent none
-- with its command. It returns the next challenge; or nil and the outcome { user =, ok = }; or nil alone where the
-- response makes no sense.

local core = require "smtpsec.core"

local login = {}

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
    local response = text and core.base64_decode(text)
    if text and not response then return nil end
    local challenge, result = step(response)
    return challenge and core.base64(challenge), result
  end
end

return login
