--- url: takes apart where to send, written as one line (RFC 3986): scheme://user:password@host:port
--
--   smtps://               TLS from the first byte
--   smtp://                TLS is required, in the way the port has it (465: from the first byte, else STARTTLS)
--   smtp+starttls://       STARTTLS is required
--   smtp+opportunistic://  STARTTLS where it is offered
--   smtp+plain://          no TLS
--   lmtp://host            LMTP over TCP
--   lmtp:///path           LMTP over a unix socket
--
-- User and password are percent-decoded. A query, a fragment or a path that means nothing is refused. A mistyped URL
-- may have its password anywhere, so no message says more of it than the scheme.

local url = {}

local SCHEMES = {
  ["smtps"] = { mode = "implicit" },
  ["smtp"] = {},
  ["smtp+starttls"] = { mode = "starttls" },
  ["smtp+opportunistic"] = { mode = "opportunistic" },
  ["smtp+plain"] = { mode = "none" },
  ["lmtp"] = { lmtp = true },
}

local function decode(text)
  if text:gsub("%%%x%x", ""):find("%", 1, true) then
    return nil, "has a % without two hexadecimal digits behind it (a % itself is written %25)"
  end
  local plain = text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end)
  if plain:find("%c") then return nil, "has a control character" end
  return plain
end

local function credentials(text, parts)
  local user, password = text:match("^([^:]*):?(.*)$")
  if text:find(":", 1, true) and password == "" then return "has a colon but no password behind the user" end
  local why
  parts.user, why = decode(user)
  if not parts.user then return why end
  if parts.user == "" then return "has an @ but no user before it" end
  if password ~= "" then parts.password, why = decode(password) end
  return why
end

-- host, host:port, [v6] or [v6]:port. Whether the name is a good one is not asked here.
local function server(text, parts)
  local host, rest = text:match("^%[([^%[%]]*)%](.*)$")
  if not host then host, rest = text:match("^([^:]*)(.*)$") end
  if host == "" then return "names no host" end
  parts.host = host
  if rest == "" then return nil end
  local digits = rest:match("^:(%d+)$")
  parts.port = digits and #digits <= 5 and tonumber(digits) or nil
  if not parts.port or parts.port < 1 or parts.port > 65535 then
    return "has a port that is not a number from 1 to 65535 (an IPv6 address stands in brackets)"
  end
end

-- What stands before the first slash.
local function authority(text, parts)
  local userinfo, place = text:match("^(.*)@([^@]*)$")
  if userinfo then
    if userinfo:find("@", 1, true) then return "has more than one @ (in a user or password it is written %40)" end
    local why = credentials(userinfo, parts)
    if why then return why end
  end
  place = place or text
  if place == "" and parts.lmtp then return nil end
  return server(place, parts)
end

local function location(path, parts)
  if path == "" or path == "/" then
    return not parts.host and "names neither a host nor the path of a socket" or nil
  end
  if not parts.lmtp then return "has a path, which means nothing to SMTP" end
  if parts.host then return "has both a host and a path: a socket is written lmtp:///path" end
  local why
  parts.path, why = decode(path)
  return why
end

--- Takes a URL apart.
---@param text string
---@return table? parts host, port, path, mode, lmtp, user, password: those that the URL says
---@return string? why what is wrong, to be put behind "the URL"; shows nothing of what may be secret
function url.parse(text)
  local scheme, rest = text:match("^(%a[%w+.-]*)://(.*)$")
  if not scheme then return nil, "has no scheme, such as smtps:// or smtp+starttls://" end
  local known = SCHEMES[scheme:lower()]
  if not known then
    return nil, "has an unknown scheme: use smtps, smtp, smtp+starttls, smtp+opportunistic, smtp+plain or lmtp"
  end
  if rest:find("[%s%c]") then return nil, "has a space or a control character" end
  if rest:find("[?#]") then
    return nil, "has a ? or a #, which begin parts that mean nothing here (in a password: %3F, %23)"
  end
  local parts = { mode = known.mode, lmtp = known.lmtp }
  local front, path = rest:match("^([^/]*)(.*)$")
  local why = authority(front, parts) or location(path, parts)
  if why then return nil, why end
  return parts
end

return url
