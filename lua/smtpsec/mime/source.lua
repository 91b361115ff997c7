--- source: where the bytes of a part come from: a string, a file, or a function that gives them piece by piece.
--
-- A source is { size = octets or nil, open = function }: open() returns a function that returns one piece after the
-- other, nil at the end, or nil and the error. Opening again begins again, except for a reader's, which can be read
-- only once unless it makes a new one each time. A file's returns a second function, which closes the file: for those
-- who read neither to the end nor to an error. Pieces are small: a source never holds more than one of them besides
-- what the caller gave. A string's source has it as `string`; a source that can encode what it reads has
-- encoded(encoding, field, to), which is then as open(), but returns no more than "" of what goes into the copy `to`
-- (core.copy), where there is one.

local callback = require "smtpsec.callback"
local core = require "smtpsec.core"
local printable = require "smtpsec.printable"
local text = require "smtpsec.mime.text"

local source = {}

--- Octets in a piece: whole lines of base64 (57 octets each, 78 once encoded), which become just under 64 KiB.
source.PIECE = 57 * 840

-- A string through an encoder, which reads its pieces where they are.
local function encode_string(s, encoding, field, to)
  local encoder, at, length, most = core.encoder(encoding), 1, #s, source.PIECE
  return function()
    while encoder do
      local more = at <= length
      local out, why
      if more then out, why = encoder:update(s, at, most, to) else out, why = encoder:finish(to) end
      at = at + most
      if not (out and more) then
        encoder:close()
        encoder = nil
      end
      if not out then return text.refuse(field, why) end
      if out ~= "" then return out end
    end
  end
end

--- A string.
---@param s string
---@return table source
function source.text(s)
  return {
    size = #s,
    string = s,
    encoded = function(encoding, field, to) return encode_string(s, encoding, field, to) end,
    open = function()
      local at = 1
      return function()
        local piece = s:sub(at, at + source.PIECE - 1)
        at = at + #piece
        return piece ~= "" and piece or nil
      end
    end,
  }
end

local function changed(measured)
  return text.refuse(measured.field, "the file %s changed while the message was made or sent",
    "send it when nobody writes to it any more, or copy it first", printable.value(measured.path))
end

local function unreadable(measured, why)
  return text.refuse(measured.field, "cannot read %s: %s", nil, printable.value(measured.path), why)
end

-- Reads exactly what was measured, through the encoder where there is one: a file that ends early, goes on, or was
-- touched is an error. No more than its size ever goes out, and no less without an error. What closes the file comes
-- second.
local function read_file(file, measured, encoder, to)
  local left, done = measured.size, false
  local function close()
    file:close()
    if encoder then encoder:close() end
    encoder = nil
  end
  local function finish()
    local same, rest, why = left == 0 and file:identity() == measured.identity, "", nil
    if same and encoder then rest, why = encoder:finish(to) end
    close()
    if not same then return changed(measured) end
    if not rest then return unreadable(measured, why) end
    done = true
    return rest ~= "" and rest or nil
  end
  return function()
    if done then return nil end
    local piece, octets = file:read(source.PIECE, encoder, to)
    if not piece then
      close()
      return unreadable(measured, octets)
    end
    left = left - octets
    if octets > 0 and left >= 0 then return piece end
    return finish()
  end, close
end

local function open_file(measured, encoding, to)
  local file, gone = core.file(measured.path)
  if not file then
    return function()
      return text.refuse(measured.field, "cannot open %s: %s", nil, printable.value(measured.path), gone)
    end
  end
  if file:identity() ~= measured.identity then
    file:close()
    return function() return changed(measured) end
  end
  return read_file(file, measured, encoding and core.encoder(encoding), to)
end

--- A regular file. It is measured now and must still be the same whenever it is read.
---@param path string
---@param field string for errors
---@return table|nil source
---@return table|nil err
function source.file(path, field)
  local file, why = core.file(path)
  if not file then
    return text.refuse(field, "cannot open %s: %s", "give the path of a readable regular file", printable.value(path),
      why)
  end
  local identity, size = file:identity()
  file:close()
  local measured = { path = path, field = field, identity = identity, size = size }
  return {
    size = size,
    open = function() return open_file(measured) end,
    encoded = function(encoding, _, to) return open_file(measured, encoding, to) end,
  }
end

-- Calls the user's function; whatever it does wrong becomes an error value, since by then a server is waiting. Its
-- first answer may be a function.
local function call(reader, field, first)
  local ok, piece, why = pcall(reader)
  local kind = type(piece)
  if not ok then return text.refuse(field, "the reader raised an error: %s", nil, callback.words(piece)) end
  if piece == nil and why ~= nil then return text.refuse(field, "the reader failed: %s", nil, callback.words(why)) end
  if piece ~= nil and kind ~= "string" and not (first and kind == "function") then
    return text.refuse(field, "the reader returned a %s", "return strings, then nil", kind)
  end
  return piece
end

-- One reading of a reader that nobody has begun.
local function read_pieces(from, reader, field)
  local held, at, octets, first = "", 1, 0, true
  local function next_held()
    local piece, err = call(reader, field, first)
    if type(piece) == "function" then
      from.again, reader = true, piece
      piece, err = call(reader, field)
    end
    first = false
    if not piece and not err and from.again then from.size = octets end
    return piece, err
  end
  return function()
    while at > #held do
      local piece, err = next_held()
      if not piece then return nil, err end
      held, at, octets = piece, 1, octets + #piece
    end
    local piece = held:sub(at, at + source.PIECE - 1)
    at = at + #piece
    return piece
  end
end

--- A function that returns strings of any length, then nil; nil and a reason when it fails. Its size is not known,
-- and it is read once. One that returns a function instead is asked for a new one each time: what those return may be
-- read again, and its size is known once it was read.
---@param reader function
---@param field string for errors
---@return table source with `again`, true once it is known that it can be read again
function source.reader(reader, field)
  local used, from = false, { again = false }
  function from.open()
    if used and not from.again then
      return function()
        return text.refuse(field, "the reader was read already",
          "make the message again, or give a reader that returns a new reader each time it is called")
      end
    end
    used = true
    return read_pieces(from, reader, field)
  end
  return from
end

--- What a source gives, encoded: a function as open() returns it.
---@param read function
---@param encoding string name of a core.encoder
---@param field string for errors
---@return function
function source.through(read, encoding, field)
  local encoder = core.encoder(encoding)
  return function()
    while encoder do
      local piece, err = read()
      local out, why
      if piece then
        out, why = encoder:update(piece)
      elseif not err then
        out, why = encoder:finish()
      end
      if not piece or not out then
        encoder:close()
        encoder = nil
      end
      if err then return nil, err end
      if not out then return text.refuse(field, why) end
      if out ~= "" then return out end
    end
  end
end

--- Everything that a source gives, encoded.
---@param from table source
---@param encoding string name of a core.encoder
---@param field string
---@param to? userdata copy (core.copy) that may take it instead of the caller, who then gets no more than "" of it
---@return function as open() returns it
function source.encoded(from, encoding, field, to)
  if from.encoded then return from.encoded(encoding, field, to) end
  return source.through(from.open(), encoding, field)
end

return source
