--- part: the tree that a message's body is, and how it becomes header lines and a stream (RFC 2045, 2046).
--
-- A node is a leaf with a body, or a multipart with children. Nodes know nothing of the table they were made from, so
-- that another transform of the tree (a signature around it) can be put between making and rendering.

local header = require "smtpsec.mime.header"
local token = require "smtpsec.mime.token"

local part = {}

--- A part that holds a body.
---@param fields table type ("text/plain"), parameters (list of { name, value }), body; disposition, filename, cid
---@return table node
function part.leaf(fields)
  return fields
end

--- A part made of parts. Its boundary cannot occur in its children: "=_" is in no base64 or quoted-printable text
-- (RFC 2045 section 6.7), and nobody who wrote the content can have guessed the rest.
---@param subtype string "mixed", "alternative" or "related"
---@param children table nodes
---@param parameters? table list of { name, value }
---@return table node
function part.multipart(subtype, children, parameters)
  local own = { { "boundary", "=_" .. token.new() } }
  for _, parameter in ipairs(parameters or {}) do own[#own + 1] = parameter end
  return { type = "multipart/" .. subtype, parameters = own, children = children, boundary = own[1][2] }
end

local function content_type(node)
  local field = header.field("Content-Type"):token(node.type)
  for _, parameter in ipairs(node.parameters or {}) do field:parameter(parameter[1], parameter[2]) end
  return field:close()
end

local function head(node, encoding)
  local lines = { content_type(node) }
  local function add(line) lines[#lines + 1] = line end
  if encoding ~= "7bit" then add(header.field("Content-Transfer-Encoding"):token(encoding):close()) end
  if node.disposition then
    local field = header.field("Content-Disposition"):token(node.disposition)
    if node.filename then field:parameter("filename", node.filename) end
    add(field:close())
  end
  if node.cid then add(header.field("Content-ID"):token("<" .. node.cid .. ">"):close()) end
  return table.concat(lines)
end

local function render_leaf(node, offered)
  local encoding, err = node.body:encoding(offered)
  if not encoding then return nil, err end
  return {
    head = head(node, encoding),
    segments = { node.body:segment(encoding) },
    eight_bit = encoding == "8bit",
    open = node.body:ends_open(encoding),
  }
end

local function render_multipart(node, offered)
  local segments, eight_bit = {}, false
  for i, child in ipairs(node.children) do
    local inner, err = part.render(child, offered)
    if not inner then return nil, err end
    segments[#segments + 1] = (i == 1 and "--" or "\r\n--") .. node.boundary .. "\r\n" .. inner.head .. "\r\n"
    for _, segment in ipairs(inner.segments) do segments[#segments + 1] = segment end
    eight_bit = eight_bit or inner.eight_bit
  end
  segments[#segments + 1] = "\r\n--" .. node.boundary .. "--"
  -- RFC 2045 section 6.4: what holds 8-bit parts is 8-bit itself.
  local encoding = eight_bit and "8bit" or "7bit"
  return { head = head(node, encoding), segments = segments, eight_bit = eight_bit, open = true }
end

--- Renders a node for a server.
---@param node table
---@param offered table set of the server's extensions
---@return table|nil rendered { head = its header lines, segments =, eight_bit =, open = a line end must follow it }
---@return table|nil err
function part.render(node, offered)
  return (node.children and render_multipart or render_leaf)(node, offered)
end

return part
