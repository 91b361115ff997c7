--- mask: what a server says, without the secrets that it says back. Some repeat a line that they do not understand, or
-- the token that they refuse; replies are written into errors, events and logs.

local core = require "smtpsec.core"

local mask = {}

local SHORTEST = 4 -- bytes of what can be told from ordinary words
local SHOWN = "***"

local function holds(text, secrets)
  for _, secret in ipairs(secrets) do
    if text:find(secret, 1, true) then return true end
  end
  return false
end

-- SASL sends all that it says as words in base64.
local function cover_base64(text, secrets)
  return (text:gsub("[%w+/]+=*", function(word)
    local decoded = core.base64_decode(word)
    return decoded and holds(decoded, secrets) and SHOWN or nil
  end))
end

local function cover(text, secret)
  local from, to = text:find(secret, 1, true)
  while from do
    text = text:sub(1, from - 1) .. SHOWN .. text:sub(to + 1)
    from, to = text:find(secret, from + #SHOWN, true)
  end
  return text
end

--- What can be looked for.
---@param ... string? secrets
---@return string[]
function mask.secrets(...)
  local list = {}
  for i = 1, select("#", ...) do
    local secret = select(i, ...)
    if secret and #secret >= SHORTEST then list[#list + 1] = secret end
  end
  return list
end

--- The text with "***" for each secret, as it is or inside a word in base64.
---@param text string
---@param secrets string[] as mask.secrets gave them
---@return string
function mask.text(text, secrets)
  if secrets[1] == nil then return text end
  text = cover_base64(text, secrets)
  for _, secret in ipairs(secrets) do text = cover(text, secret) end
  return text
end

return mask
