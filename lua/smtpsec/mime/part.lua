--- part: the tree that a message's body is, and how it becomes header lines and a stream (RFC 2045, 2046).
--
-- A node is a leaf (body.lua), or a multipart: the list { shape, boundary, node, … }. Nodes know nothing of the table
-- they were made from, and nothing in them changes, so that another transform of the tree (a signature around it) can
-- be put between making and rendering. Rendering is the engine's business: csrc/lua/part.c.

local core = require "smtpsec.core"
local header = require "smtpsec.mime.header"
local token = require "smtpsec.mime.token"

local part = {}

-- Where what is in a leaf, and where a multipart's first part is.
local SHAPE, SEVEN, BODY = 1, 2, 4
local FIRST = 3

-- Every boundary is as long as this one, so that the lines around it are always the same.
local STAND_IN = "=_" .. ("0"):rep(32)

local NONE = {}

local function content_type(fields, boundary)
  local parameters = fields.parameters or NONE
  if not (boundary or parameters[1]) then return header.token("Content-Type", fields.type) end
  local field = header.field("Content-Type"):token(fields.type)
  if boundary then field:parameter("boundary", boundary) end
  for _, parameter in ipairs(parameters) do field:parameter(parameter[1], parameter[2]) end
  return field:close()
end

-- The lines of a leaf behind those of its type and its encoding.
local function about(fields)
  local lines = ""
  if fields.disposition then
    local field = header.field("Content-Disposition", fields.charset):token(fields.disposition)
    if fields.filename then field:parameter("filename", fields.filename) end
    lines = field:close()
  end
  if fields.cid then lines = lines .. header.token("Content-ID", "<" .. fields.cid .. ">") end
  return lines .. "\r\n"
end

--- What the header of a leaf says of it, but for its encoding: the line before that, and those behind, the last of
-- which is empty. The same shape may serve any number of parts.
---@param fields table type ("text/plain"), parameters (list of { name, value }); disposition, filename, cid;
--- charset of the file name, as for header.field
---@return table shape
function part.shape(fields)
  return { content_type(fields), about(fields), disposition = fields.disposition, cid = fields.cid }
end

--- What the header of a multipart says of it, but for its encoding: what comes before its boundary, and what behind.
---@param fields table type ("multipart/mixed"), parameters
---@return table shape
function part.shape_of_parts(fields)
  local line = content_type(fields, STAND_IN)
  local first, last = line:find(STAND_IN, 1, true)
  return { line:sub(1, first - 1), line:sub(last + 1) }
end

--- What the header of a node says of it.
---@param node table
---@return table shape
function part.shape_of(node)
  return node[SHAPE]
end

--- A part made of parts: of at least one, now or by part.extend. Its boundary cannot occur in its children: "=_" is
-- in no base64 or quoted-printable text (RFC 2045 section 6.7), and nobody who wrote the content, which may be 8-bit or
-- binary, can have guessed the rest.
---@param shape table of type "multipart/mixed", "multipart/alternative" or "multipart/related"
---@param first table|nil node, and so are the others; none stands before one that does
---@param second table|nil
---@param third table|nil
---@return table node
function part.multipart(shape, first, second, third)
  return { shape, token.new("=_"), first, second, third }
end

--- Adds nodes to a multipart that is being made.
---@param node table
---@param more table list of nodes
---@return table node
function part.extend(node, more)
  for i = 1, #more do node[#node + 1] = more[i] end
  return node
end

-- The error of the first body that cannot be sent without 8BITMIME.
local function refusal(node, why)
  if type(node[FIRST]) ~= "table" then return not node[SEVEN] and select(2, node[BODY]:refuse(why)) or nil end
  for i = FIRST, #node do
    local err = refusal(node[i], why)
    if err then return err end
  end
end

--- Whether a tree can be sent without 8BITMIME, for those who want it so whatever the server offers.
---@param node table
---@param why string who wants it ("and …"), for the error
---@return boolean|nil
---@return table|nil err
function part.is_seven_bit(node, why)
  local err = refusal(node, why)
  if err then return nil, err end
  return true
end

--- Renders the tree behind the header of its message.
---@param node table
---@param head string header fields
---@param offered table set of the server's extensions
---@param binary? boolean whether data may go without an encoding, in a message that is declared binary (RFC 3030)
---@return string|nil whole the message, where it is short and in memory
---@return table|nil segments otherwise (stream.lua)
---@return boolean|table eight_bit whether 8 bits are in its bodies; the error where there is neither
---@return boolean|nil binary whether some of them are binary: then there may be 8 bits, too
function part.render(node, head, offered, binary)
  local whole, segments, eight_bit, is_binary = core.render(node, offered["8BITMIME"], head, binary)
  if whole then return whole, nil, eight_bit, is_binary end
  if not segments then return nil, nil, refusal(node) end
  for i, segment in ipairs(segments) do
    if type(segment) == "table" then segments[i] = segment[1]:segment(segment[2]) end
  end
  return nil, segments, eight_bit, is_binary
end

return part
