--- forms: the ways in which a text is commonly written, to search for it.

local forms = {}

local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

-- The base64 characters that depend on `secret` alone where `shift` bytes stand before it.
local function base64(secret, shift)
  local bits = {}
  for i = 1, #secret do
    for bit = 7, 0, -1 do bits[#bits + 1] = math.floor(secret:byte(i) / 2 ^ bit) % 2 end
  end
  local out = {}
  for at = (6 - shift * 8 % 6) % 6, #bits - 6, 6 do
    local value = 0
    for i = 1, 6 do value = value * 2 + bits[at + i] end
    out[#out + 1] = ALPHABET:sub(value + 1, value + 1)
  end
  return table.concat(out)
end

--- Every form of a text: as it is, in hex, in base64 wherever in a longer text it stands (between NULs, say).
---@param secret string
---@return { [1]: string, name: string }[]
function forms.named(secret)
  local hex = secret:gsub(".", function(c) return ("%02x"):format(c:byte()) end)
  return {
    { secret, name = "plain" }, { hex, name = "hex" }, { hex:upper(), name = "hex" },
    { base64(secret, 0), name = "base64" }, { base64(secret, 1), name = "base64" },
    { base64(secret, 2), name = "base64" },
  }
end

--- The same, as a list of strings.
---@param secret string
---@return string[]
function forms.of(secret)
  local list = {}
  for i, form in ipairs(forms.named(secret)) do list[i] = form[1] end
  return list
end

return forms
