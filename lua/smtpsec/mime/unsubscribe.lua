--- unsubscribe: the fields by which a mailing list is left, RFC 2369 section 3.2 and RFC 8058.
--
-- URIs stand in angle brackets as they are: no encoded word, and no folding inside.

local address = require "smtpsec.address"
local errors = require "smtpsec.errors"
local header = require "smtpsec.mime.header"
local printable = require "smtpsec.printable"
local text = require "smtpsec.mime.text"

local unsubscribe = {}

-- A URI that may stand between angle brackets, or nil and the error.
local function uri(value, field)
  local sound, err = text.verdict(field, text.fault(value))
  if not sound then return nil, err end
  if value:find('[^\33-\126]') or value:find('[<>"\\^`{|}]') then
    return text.refuse(field, "%s holds a character that a URI may not hold", "percent-encode it",
      printable.value(value))
  end
  if #value > header.LONGEST - #"<>," then
    return text.refuse(field, "the URI is longer than %d octets", "shorten it", header.LONGEST - #"<>,")
  end
  return value
end

local function web(url, one_click)
  local field = "list_unsubscribe.url"
  local value, err = uri(url, field)
  if not value then return nil, err end
  local scheme = value:match("^(%a+)://[^/]")
  scheme = scheme and scheme:lower()
  if scheme ~= "https" and (scheme ~= "http" or one_click) then
    return text.refuse(field, "%s is no %s URL", one_click and "one_click needs https (RFC 8058)" or nil,
      printable.value(url), one_click and "https" or "web")
  end
  return value
end

local function escaped(s)
  return (s:gsub("[^A-Za-z0-9._~+-]", function(c) return string.format("%%%02X", c:byte()) end))
end

-- RFC 6068 section 2: a domain in A-labels, which more readers know than percent-encoded UTF-8; of a local part that is
-- not ASCII, that is the one form there is. Whether the reader's server can send there is not ours to ask.
local function mailto_uri(spec, field)
  local boxes, err = address.parse({ address = spec }, field)
  if not boxes then return nil, errors.again(err, { hint = "write local@domain or a mailto: URI" }) end
  return "mailto:" .. escaped(boxes[1].local_part) .. "@" .. escaped(boxes[1].domain)
end

-- "mailto:…" as it is, or an address, which is made one.
local function mail(mailto)
  local field = "list_unsubscribe.mailto"
  local sound, err = text.verdict(field, text.fault(mailto))
  if not sound then return nil, err end
  if not mailto:find("^[Mm][Aa][Ii][Ll][Tt][Oo]:") then
    mailto, err = mailto_uri(mailto, field)
    if not mailto then return nil, err end
  end
  return uri(mailto, field)
end

-- In the order in which they are written.
local FORMS = { { key = "mailto", check = mail }, { key = "url", check = web } }

--- Checks the list_unsubscribe field and writes its header fields.
---@param given table { url=, mailto=, one_click= }
---@return string[]|nil lines header fields
---@return table|nil err
function unsubscribe.fields(given)
  if given.one_click and not given.url then
    return text.refuse("list_unsubscribe", "one_click needs a url", "give the https URL that takes the POST")
  end
  local uris = {}
  for _, form in ipairs(FORMS) do
    if given[form.key] then
      local value, err = form.check(given[form.key], given.one_click)
      if not value then return nil, err end
      uris[#uris + 1] = value
    end
  end
  if #uris == 0 then return text.refuse("list_unsubscribe", "has neither url nor mailto", "give one of them") end
  local field = header.field("List-Unsubscribe")
  for i, value in ipairs(uris) do field:token("<" .. value .. ">" .. (i < #uris and "," or "")) end
  local lines = { field:close() }
  if given.one_click then lines[2] = "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" end
  return lines
end

return unsubscribe
