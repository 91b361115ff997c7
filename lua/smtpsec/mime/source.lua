--- source: where the bytes of a part come from: a string, a file, or a function that gives them piece by piece.
--
-- A source is { size = octets or nil, open = function }: open() returns a function that returns one piece after the
-- other, nil at the end, or nil and the error. Opening again begins again, except for a reader's, which can be read
-- only once. Pieces are small: a source never holds more than one of them besides what the caller gave.

local core = require "smtpsec.core"
local printable = require "smtpsec.printable"
local text = require "smtpsec.mime.text"

local source = {}

--- Octets in a piece: whole lines of base64 (57 octets each), some tens of kilobytes.
source.PIECE = 57 * 560

--- A string.
---@param s string
---@return table source
function source.text(s)
  return {
    size = #s,
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

local function changed(field, path)
  return text.refuse(field, "the file %s changed while the message was made or sent",
    "send it when nobody writes to it any more, or copy it first", printable.value(path))
end

-- Reads exactly what was measured: a file that ends early, goes on, or was touched is an error.
local function read_file(file, field, path, identity)
  return function()
    local piece, why = file:read(source.PIECE)
    if not piece then
      file:close()
      return text.refuse(field, "cannot read %s: %s", nil, printable.value(path), why)
    end
    if piece ~= "" then return piece end
    local same = file:identity() == identity
    file:close()
    if not same then return changed(field, path) end
    return nil
  end
end

-- Counts what a source gives, so that no more and no less than its size ever goes out.
local function measured(read, size, fail)
  local left = size
  return function()
    local piece, err = read()
    if err then return nil, err end
    left = left - (piece and #piece or 0)
    if left < 0 or (not piece and left > 0) then return fail() end
    return piece
  end
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
  return {
    size = size,
    open = function()
      local again, gone = core.file(path)
      if not again then
        return function() return text.refuse(field, "cannot open %s: %s", nil, printable.value(path), gone) end
      end
      if again:identity() ~= identity then
        again:close()
        return function() return changed(field, path) end
      end
      return measured(read_file(again, field, path, identity), size, function() return changed(field, path) end)
    end,
  }
end

-- Calls the user's function; whatever it does wrong becomes an error value, since by then a server is waiting.
local function call(reader, field)
  local ok, piece, why = pcall(reader)
  if not ok then return text.refuse(field, "the reader raised an error: %s", nil, tostring(piece)) end
  if piece == nil and why ~= nil then return text.refuse(field, "the reader failed: %s", nil, tostring(why)) end
  if piece ~= nil and type(piece) ~= "string" then
    return text.refuse(field, "the reader returned a %s", "return strings, then nil", type(piece))
  end
  return piece
end

--- A function that returns strings of any length, then nil; nil and a reason when it fails. Its size is not known,
-- and it is read once.
---@param reader function
---@param field string for errors
---@return table source
function source.reader(reader, field)
  local used = false
  return {
    open = function()
      if used then
        return function()
          return text.refuse(field, "the reader was read already", "make the message again, with a new reader")
        end
      end
      used = true
      local held, at = "", 1
      return function()
        while at > #held do
          local piece, err = call(reader, field)
          if not piece then return nil, err end
          held, at = piece, 1
        end
        local piece = held:sub(at, at + source.PIECE - 1)
        at = at + #piece
        return piece
      end
    end,
  }
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

return source
