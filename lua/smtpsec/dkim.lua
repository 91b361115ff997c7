--- dkim: signs a message that is ready to be sent (RFC 6376, 8301, 8463).
--
-- The stream is walked once for its hash and once more to be sent. Whatever differs the second time is an error before
-- the message has its end, so nothing is delivered that does not verify. What is not too long is kept in between: in a
-- copy of the engine's (csrc/lua/copy.h), into which it is encoded, hashed where it is, and made strings of when sent.
-- Canonical forms, hashes and signatures are the engine's business (csrc/dkim/); which options make a signer is judged
-- in config/dkim.lua.

local core = require "smtpsec.core"
local errors = require "smtpsec.errors"
local header = require "smtpsec.mime.header"
local stream = require "smtpsec.mime.stream"
local text = require "smtpsec.mime.text"

local dkim = {}

-- Most octets of a message that is kept between its hash and its sending, so that it is read and encoded once; and of
-- all that are kept at a time. The others are read and encoded again.
local KEPT, KEPT_OF_ALL = 2097152, 6291456

-- Octets in a piece of what was kept: when its header is looked for, and when it is sent.
local HEAD, PIECE = 16384, 65520

-- Octets that a copy has room for behind the message: encoders ask for more than they need, and a file that has grown
-- is its source's to notice.
local SPARE = 262144

-- How often a field is signed; the engine's words for it (csrc/dkim/canon.h).
local ONCE, EVERY, SEALED, CLOSED = 0, 1, 2, 3

-- What is signed where nothing else was asked for (RFC 6376 section 5.4.1). CLOSED is what an attacker would add to a
-- message that he has, to change what its reader sees: one more of it, or a first one, breaks the signature. Date and
-- Message-ID are added by servers where they are missing (RFC 6409 section 8), as they can be from a raw message.
local DEFAULT = {
  "From", CLOSED, "To", CLOSED, "Cc", CLOSED, "Subject", CLOSED, "Date", SEALED, "Message-ID", SEALED,
  "Reply-To", CLOSED, "Sender", EVERY, "In-Reply-To", EVERY, "References", EVERY, "MIME-Version", CLOSED,
  "Content-Type", CLOSED, "Content-Transfer-Encoding", CLOSED, "List-Id", EVERY, "List-Unsubscribe", EVERY,
  "List-Unsubscribe-Post", EVERY,
}

-- RFC 8058 section 4: what offers to unsubscribe by one click must be signed, whatever else is.
local ALWAYS = { "List-Unsubscribe", "List-Unsubscribe-Post" }

local function names_of(list)
  if not list then return DEFAULT end
  local names, named = {}, {}
  for _, name in ipairs(list) do
    named[name:lower()] = true
    names[#names + 1], names[#names + 2] = name, ONCE
  end
  for _, name in ipairs(ALWAYS) do
    if not named[name:lower()] then names[#names + 1], names[#names + 2] = name, EVERY end
  end
  return names
end

-- RFC 6376 section 2.11: all but these would be misread in a tag.
local function quoted(s)
  return (s:gsub("[^!-:<>-~]", function(c) return string.format("=%02X", c:byte()) end))
end

-- The field up to the tags that differ from mail to mail.
local function first_tags(given)
  local field = header.field("DKIM-Signature"):token("v=1;"):token("a=" .. given.algorithm .. ";")
    :token("c=" .. given.canonicalization .. ";"):token("d=" .. given.domain .. ";")
    :token("s=" .. given.selector .. ";")
  if given.identity then field:token("i=" .. quoted(given.identity) .. ";") end
  return field:close()
end

--- Makes a signer.
---@param given table key (of core.dkim_key), algorithm, domain, selector, canonicalization; identity, headers,
--- timestamp, expires_in as the option has them; warning, to be told in receipts
---@return table signer
function dkim.signer(given)
  local head, body = given.canonicalization:match("^(%a+)/(%a+)$")
  return {
    domain = given.domain, selector = given.selector, algorithm = given.algorithm, key = given.key,
    relaxed = head == "relaxed", body = body, names = names_of(given.headers), tags = first_tags(given),
    timestamp = given.timestamp, expires_in = given.expires_in, warning = given.warning,
  }
end

-- ---- what is kept ---------------------------------------------------------------------------------------------------

-- The copies that there are. They are closed when they were sent. The collector does not see what they hold, and may
-- leave for long those that never were: there are only so many.
local copies = setmetatable({}, { __mode = "k" })

local function may_keep(octets)
  local all = octets
  for copy in pairs(copies) do all = all + copy:octets() end
  return octets <= KEPT and all <= KEPT_OF_ALL
end

local function drop(copy)
  copy:close()
  copies[copy] = nil
end

-- Writes the stream into a copy: true, or nil and the error.
local function fill(copy, segments)
  local next_piece = stream.pieces(segments, copy)
  local piece, err = next_piece()
  while piece do
    if not copy:add(piece) then return text.refuse("dkim", "the message is longer than it was said to be") end
    piece, err = next_piece()
  end
  if err then return nil, err end
  return true
end

-- A copy of a stream of so many octets; nil where it is too long, or so short that it is one string anyway; nil and the
-- error where it cannot be read.
local function keep(segments, octets)
  local copy = octets and octets > stream.WHOLE and may_keep(octets) and core.copy(octets + SPARE)
  if not copy then return nil end
  copies[copy] = true
  local fine, err = fill(copy, segments)
  if fine then return copy end
  drop(copy)
  return nil, err
end

local function pieces_of(copy, from, most)
  return function()
    local piece = copy:piece(from, most)
    from = from + most
    return piece
  end
end

-- ---- the first walk -------------------------------------------------------------------------------------------------

-- Reads up to the empty line behind the header.
local function read_head(next_chunk)
  local held, from = "", 1
  while true do
    local chunk, err = next_chunk()
    if not chunk then return nil, err or errors.new("internal", "a message without the end of its header") end
    held = held .. chunk
    local at = held:find("\r\n\r\n", from, true)
    if at then return held, at + 1 end
    from = math.max(1, #held - 2)
  end
end

local function begin_hashes(signers)
  local hashes = {}
  for _, signer in ipairs(signers) do
    hashes[signer.body] = hashes[signer.body] or core.dkim_hash(signer.body == "relaxed")
  end
  return hashes
end

local function update(hashes, chunk, from)
  for _, hash in pairs(hashes) do hash:update(chunk, from) end
end

-- Hashes a message that begins with this chunk, up to its end: its octets; and itself, where it is short. Or nil and
-- the error.
local function hash_chunks(hashes, chunk, from, next_chunk)
  local octets, pieces, err = 0, {}, nil
  while chunk do
    update(hashes, chunk, from)
    octets, from = octets + #chunk, nil
    pieces = octets <= stream.WHOLE and pieces or nil
    if pieces then pieces[#pieces + 1] = chunk end
    chunk, err = next_chunk()
  end
  if err then return nil, err end
  return octets, pieces and table.concat(pieces)
end

-- What the walk finds: head (with its last line end), octets of all, digests by canonical form; whole or copy, where it
-- was kept.
local function look(segments, signers, octets)
  local copy, err = keep(segments, octets)
  if err then return nil, err end
  local next_chunk, hashes = copy and pieces_of(copy, 1, HEAD) or stream.chunks(segments), begin_hashes(signers)
  local chunk, head_n = read_head(next_chunk)
  if not chunk then return nil, head_n end
  local seen = { head = chunk:sub(1, head_n), digests = {}, copy = copy, walks = 0 }
  if copy then
    update(hashes, copy, head_n + 3)
    seen.octets = copy:octets()
  else
    seen.octets, seen.whole = hash_chunks(hashes, chunk, head_n + 3, next_chunk)
    if not seen.octets then return nil, seen.whole end
  end
  for name, hash in pairs(hashes) do seen.digests[name] = hash:finish() end
  return seen
end

-- ---- the second -----------------------------------------------------------------------------------------------------

-- The body as it was kept. Who comes to its end closes the copy, if nobody else is reading it: a message is mostly sent
-- once, and otherwise read again.
local function kept(seen)
  local copy, read = seen.copy, pieces_of(seen.copy, #seen.head + 3, PIECE)
  seen.walks = seen.walks + 1
  return function()
    local piece = read and read()
    if piece or not read then return piece end
    read, seen.walks = nil, seen.walks - 1
    if seen.walks == 0 then
      drop(copy)
      seen.copy = nil
    end
  end
end

-- The body again, as it is sent, or an error in place of its end.
local function checked(segments, seen)
  local name, digest = next(seen.digests)
  local next_chunk, hash = stream.chunks(segments), core.dkim_hash(name == "relaxed")
  local skip, octets = #seen.head + 2, 0
  local function finish()
    if octets == seen.octets and hash:finish() == digest then return nil end
    hash:close()
    return text.refuse("dkim", "the message changed after it was signed",
      "send it when nobody writes to its files any more, and give readers that return the same again")
  end
  return function()
    while true do
      local chunk, err = next_chunk()
      if err then
        hash:close()
        return nil, err
      end
      if not chunk then return finish() end
      octets = octets + #chunk
      local from = skip + 1
      skip = math.max(0, skip - #chunk)
      if from <= #chunk then
        hash:update(chunk, from)
        return from > 1 and chunk:sub(from) or chunk
      end
    end
  end
end

-- ---- signing --------------------------------------------------------------------------------------------------------

local function time_tags(signer, now)
  local t, x = signer.timestamp, signer.expires_in
  if t == nil then t = now end
  local tags = (t and string.format(" t=%.0f;", t) or "") .. (x and string.format(" x=%.0f;", (t or now) + x) or "")
  return tags ~= "" and tags .. "\r\n" or ""
end

-- The fields of all signers, the first on top.
local function fields_of(signers, seen)
  local fields, now = "", os.time()
  for _, signer in ipairs(signers) do
    local field, status, why = signer.key:sign(seen.head, signer.names, signer.relaxed,
      signer.tags .. time_tags(signer, now), seen.digests[signer.body])
    if not field then
      return nil, errors.new(status == "internal" and "config" or "message",
        string.format("dkim: the key of %s._domainkey.%s: %s", signer.selector, signer.domain, why))
    end
    fields = fields .. field
  end
  return fields
end

-- Lists of their own for each message: what a caller does to a receipt is nobody else's business.
local function told_of(signers)
  local told = { signatures = {}, warnings = nil }
  for i, signer in ipairs(signers) do
    told.signatures[i] = { domain = signer.domain, selector = signer.selector, algorithm = signer.algorithm }
    if signer.warning then
      told.warnings = told.warnings or {}
      table.insert(told.warnings, signer.warning)
    end
  end
  return told
end

--- Signs a message.
---@param segments table the stream of a message (stream.lua), that begins with its header
---@param signers table[] list of signers, at least one
---@return table|nil segments of the signed message
---@return table|nil told for a receipt: signatures, a list of { domain=, selector=, algorithm= }, and warnings, a list
--- or nil; or the error
function dkim.sign(segments, signers)
  local octets = stream.size(segments)
  local seen, err = look(segments, signers, octets)
  if not seen then return nil, err end
  if not (octets or stream.size(segments)) then -- known of all that could be read again
    return text.refuse("dkim", "the message has a reader, which can be read only once, and a signature needs it twice",
      "give path or content, or a reader that returns a new reader each time it is called")
  end
  local fields
  fields, err = fields_of(signers, seen)
  if not fields then return nil, err end
  if seen.whole then return { fields .. seen.whole }, told_of(signers) end
  local head = fields .. seen.head .. "\r\n"
  return { head, {
    open = function() return seen.copy and kept(seen) or checked(segments, seen) end,
    size = function() return seen.octets - #seen.head - 2 end,
  } }, told_of(signers)
end

return dkim
