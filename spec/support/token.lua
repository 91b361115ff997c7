--- token: what an OAuth server would hand out to log in with XOAUTH2 and OAUTHBEARER: a JSON Web Token (RFC 7519),
-- signed with a key that the mail servers know (HS256, RFC 7518 section 3.2).
local core = require "smtpsec.core"
local process = require "spec.support.process"

local token = {}

token.ISSUER = "https://login.example.test"
local secret = "a key of tokens, for tests alone"

--- The key, as Dovecot wants to have it.
token.KEY = core.base64(secret)

-- base64url without padding (RFC 7515 appendix C).
local function url_safe(base64)
  return (base64:gsub("[+/=]", { ["+"] = "-", ["/"] = "_", ["="] = "" }))
end

--- A token that says who its bearer is.
---@param user string name of a user at example.test
---@param options? { seconds: number?, secret: string? } how long it is valid (negative: it was once); another key
---@return string
function token.new(user, options)
  local now, given = os.time(), options or {}
  local claims = ('{"iss":"%s","sub":"%s","email":"%s@example.test","scope":"mail","iat":%d,"exp":%d}'):format(
    token.ISSUER, user, user, now - 7200, now + (given.seconds or 3600))
  local signed = url_safe(core.base64 '{"alg":"HS256","typ":"JWT"}') .. "." .. url_safe(core.base64(claims))
  local signature = process.run(("printf %%s %s | openssl dgst -sha256 -hmac %s -binary | openssl base64 -A"):format(
    process.quote(signed), process.quote(given.secret or secret)))
  return signed .. "." .. url_safe(signature)
end

return token
