--- part: the tree that a message's body is, and how it becomes header lines and a stream (RFC 2045, 2046).
--
-- A node is a leaf with a body, or a multipart with children. Nodes know nothing of the table they were made from, so
-- that another transform of the tree (a signature around it) can be put between making and rendering.

local header = require "smtpsec.mime.header"
local stream = require "smtpsec.mime.stream"
local token = require "smtpsec.mime.token"

local part = {}

--- What the header of a part says of it. The same shape may serve any number of parts: its lines are written once for
-- each encoding.
---@param fields table type ("text/plain"), parameters (list of { name, value }); disposition, filename, cid
---@return table shape
function part.shape(fields)
  fields.heads = {}
  return fields
end

--- A part that holds a body.
---@param shape table
---@param body table (body.lua), of this part only
---@return table node
function part.leaf(shape, body)
  body.shape = shape
  return body
end

-- Every boundary is as long as this one, so that the lines around it are always the same.
local STAND_IN = "=_" .. ("0"):rep(32)

--- A part made of parts. Its boundary cannot occur in its children: "=_" is in no base64 or quoted-printable text
-- (RFC 2045 section 6.7), and nobody who wrote the content can have guessed the rest.
---@param shape table of type "multipart/mixed", "multipart/alternative" or "multipart/related"
---@param children table nodes
---@return table node
function part.multipart(shape, children)
  return { shape = shape, children = children, boundary = "=_" .. token.new(), encoding = nil }
end

-- Nothing is said of what is not encoded.
local ENCODING = { ["7bit"] = "" }
for _, name in ipairs { "8bit", "quoted-printable", "base64" } do
  ENCODING[name] = header.field("Content-Transfer-Encoding"):token(name):close()
end

local function content_type(shape, boundary)
  local field = header.field("Content-Type"):token(shape.type)
  if boundary then field:parameter("boundary", boundary) end
  for _, parameter in ipairs(shape.parameters or {}) do field:parameter(parameter[1], parameter[2]) end
  return field:close()
end

-- The header lines of a leaf, and the empty line behind them.
local function leaf_head(shape, encoding)
  local lines = content_type(shape) .. ENCODING[encoding]
  if shape.disposition then
    local field = header.field("Content-Disposition"):token(shape.disposition)
    if shape.filename then field:parameter("filename", shape.filename) end
    lines = lines .. field:close()
  end
  if shape.cid then lines = lines .. header.field("Content-ID"):token("<" .. shape.cid .. ">"):close() end
  return lines .. "\r\n"
end

-- The header lines of a multipart: what comes before its boundary, and what behind it.
local function multipart_head(shape, encoding)
  local lines = content_type(shape, STAND_IN) .. ENCODING[encoding]
  local first, last = lines:find(STAND_IN, 1, true)
  return { lines:sub(1, first - 1), lines:sub(last + 1) }
end

local function head(node, write)
  local heads, encoding = node.shape.heads, node.encoding
  local lines = heads[encoding]
  if not lines then
    lines = write(node.shape, encoding)
    heads[encoding] = lines
  end
  return lines
end

--- Chooses the encoding of a node and all in it, which it keeps until this is called again.
---@param node table
---@param offered table set of the server's extensions
---@return string|nil encoding of a multipart: what its parts ask for (RFC 2045 section 6.4: what holds 8-bit parts is
--- 8-bit itself)
---@return table|nil err
function part.choose(node, offered)
  local children = node.children
  if not children then return node:choose(offered) end
  local whole = "7bit"
  for i = 1, #children do
    local encoding, err = part.choose(children[i], offered)
    if not encoding then return nil, err end
    if encoding == "8bit" then whole = "8bit" end
  end
  node.encoding = whole
  return whole
end

--- Whether a line end must follow a node where it is the end of the message.
---@param node table its encoding was chosen
---@return boolean
function part.ends_open(node)
  return node.children ~= nil or node:ends_open()
end

local function render_leaf(node, segments, before, after)
  local lines, segment = head(node, leaf_head), node:segment()
  if type(segment) == "string" and #before + #segment <= stream.WHOLE then
    return before .. lines .. segment .. after
  end
  local count = #segments
  segments[count + 1], segments[count + 2] = before .. lines, segment
  return after
end

local function render_multipart(node, segments, before, after)
  local lines, children, boundary = head(node, multipart_head), node.children, node.boundary
  local next_part = "\r\n--" .. boundary .. "\r\n"
  before = before .. lines[1] .. boundary .. lines[2] .. next_part
  for i = 1, #children - 1 do before = part.render(children[i], segments, before, next_part) end
  return part.render(children[#children], segments, before, "\r\n--" .. boundary .. "--" .. after)
end

--- Renders a node in the encodings that were chosen.
---@param node table
---@param segments table list of a stream's segments, to which is added what cannot be in one string with the rest
---@param before string what comes before the node and is not among them yet
---@param after string what comes behind it
---@return string rest what comes behind them: the end of it all
function part.render(node, segments, before, after)
  return (node.children and render_multipart or render_leaf)(node, segments, before, after)
end

return part
