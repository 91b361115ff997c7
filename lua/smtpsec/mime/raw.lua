--- raw: a draft made from a finished message (RFC 5322), which goes out as it is, but for three things: its line ends
-- are mended, its Bcc fields are removed, and it ends with a line end.
--
-- The header section is read at once, within a bound; the body is streamed. What cannot be sent as it is, is
-- refused: NUL, lines that are too long, a header that is none, two From fields. A string or a file is looked at
-- before anything is sent; a reader's body, which can be read only once, while it is sent.

local address = require "smtpsec.address"
local body = require "smtpsec.mime.body"
local core = require "smtpsec.core"
local envelope = require "smtpsec.mime.envelope"
local message_id = require "smtpsec.mime.message_id"
local printable = require "smtpsec.printable"
local source = require "smtpsec.mime.source"
local stream = require "smtpsec.mime.stream"
local text = require "smtpsec.mime.text"

local raw = {}

-- Octets of a header section.
local LONGEST_HEADER = 1048576

local HINT = "a raw message is sent as it is, so mend it where it is made"

local REMOVED = { ["bcc"] = true, ["resent-bcc"] = true }

local function refuse(what, ...)
  return text.refuse("raw", what, HINT, ...)
end

local function too_long(octets)
  return refuse("a line of %d octets, more than the %d that mail allows", octets, body.LONGEST_LINE)
end

-- Only an 8-bit transport can carry it.
local function eight_bit_refused()
  return text.refuse("raw", "holds 8-bit text, and the server does not offer 8BITMIME",
    "encode its parts as quoted-printable or base64 where it is made")
end

local function find_source(given)
  if type(given) == "string" then return source.text(given) end
  if (given.path == nil) == (given.reader == nil) then
    return text.refuse("raw", "needs a path or a reader", 'give a string, { path = … } or { reader = … }')
  end
  if given.path then return source.file(given.path, "raw.path") end
  return source.reader(given.reader, "raw.reader")
end

-- The whole message in its final line ends, in chunks.
local function chunks(read)
  return stream.chunks { { open = function() return source.through(read, "crlf", "raw") end } }
end

-- Reads up to the empty line. Returns the header section and what of the body was read with it.
local function read_section(next_chunk)
  local held, from = "", 1
  while #held <= LONGEST_HEADER do
    local chunk, err = next_chunk()
    if err then return nil, err end
    if not chunk and held == "" then return refuse("is empty") end
    if not chunk then return held:sub(-2) == "\r\n" and held or held .. "\r\n", "" end
    held = held .. chunk
    local empty_line = held:find("\r\n\r\n", from, true)
    if held:sub(1, 2) == "\r\n" then return refuse("begins with an empty line, so it has no header") end
    if empty_line then return held:sub(1, empty_line + 1), held:sub(empty_line + 4) end
    from = math.max(1, #held - 2)
  end
  return refuse("the header section is longer than %d octets", LONGEST_HEADER)
end

-- A field that begins with this line, or nil and the error.
local function begin_field(line, number)
  local name = line:match("^([\33-\57\59-\126]+)[ \t]*:")
  if name then return { name = name:lower(), lines = { line } } end
  if number == 1 and line:find("^>?From ") then
    return refuse("begins with the \"From \" line of a mailbox file, which is no part of the message")
  end
  return refuse("line %d is no header field: %s", number, printable.value(line))
end

-- The fields of a header section in their order: { name = in lower case, lines = }.
local function read_fields(section)
  local fields, number = {}, 0
  for line in section:gmatch("([^\r]*)\r\n") do
    number = number + 1
    if #line > body.LONGEST_LINE then return too_long(#line) end
    local field = fields[#fields]
    if line:find("^[ \t]") and field then
      field.lines[#field.lines + 1] = line
    else
      local err
      fields[#fields + 1], err = begin_field(line, number)
      if err then return nil, err end
    end
  end
  return fields
end

-- The values of every field of that name, unfolded.
local function values(fields, name)
  local found = {}
  for _, field in ipairs(fields) do
    if field.name == name then
      found[#found + 1] = table.concat(field.lines):gsub("^[^:]*:", ""):gsub("\t", " ")
    end
  end
  return found
end

-- The mailboxes of every field of these names. What the strict reader does not take can be said in the envelope.
local function mailboxes(fields, names)
  local found = {}
  for _, name in ipairs(names) do
    for _, value in ipairs(values(fields, name)) do
      local boxes, err = {}, nil -- RFC 5322 section 3.6.3: Bcc may be empty
      if name ~= "bcc" or value:find("[^ ]") then boxes, err = address.parse(value, "raw." .. name) end
      if not boxes then
        err.hint = "give envelope = { from = …, to = … }"
        return nil, err
      end
      for _, box in ipairs(boxes) do found[#found + 1] = box end
    end
  end
  return address.list(found)
end

local function is_resent(fields)
  for _, field in ipairs(fields) do
    if field.name:find("^resent%-") then return true end
  end
end

-- Who sends it, where the envelope does not say.
local function find_author(fields)
  local field = #values(fields, "sender") > 0 and "sender" or "from"
  local boxes, err = mailboxes(fields, { field })
  if not boxes then return nil, err end
  if #boxes == 1 then return boxes[1] end
  return text.refuse("raw." .. field, "names %d senders", "give envelope = { from = … }", #boxes)
end

local function find_envelope(fields, given)
  given = given or {}
  local whole = given.from ~= nil and given.to ~= nil
  if not whole and is_resent(fields) then
    return text.refuse("raw", "was sent before, so its header does not say who sends it now",
      "give envelope = { from = …, to = … }")
  end
  local author, recipients, err = nil, {}, nil
  if given.from == nil then author, err = find_author(fields) end
  if err then return nil, err end
  if given.to == nil then recipients, err = mailboxes(fields, { "to", "cc", "bcc" }) end
  if err then return nil, err end
  if given.to == nil and #recipients == 0 then
    return text.refuse("raw", "the recipient list is empty", "give envelope = { to = … }")
  end
  return envelope.new(given, author, recipients)
end

-- The header as it will be sent, and whether it can be.
local function find_head(fields)
  local kept, authors = {}, 0
  for _, field in ipairs(fields) do
    if field.name == "from" then authors = authors + 1 end
    if not REMOVED[field.name] then kept[#kept + 1] = table.concat(field.lines, "\r\n") .. "\r\n" end
  end
  if authors ~= 1 then return refuse("has %s From field", authors == 0 and "no" or "more than one") end
  local head = table.concat(kept)
  local valid, offset = core.utf8_valid(head)
  if not valid then return refuse("the header is not valid UTF-8 at byte %d", offset) end
  return head
end

-- Passes on what a function reads, without its first octets, and adds the line end that the last line may lack.
local function tail(read, octets)
  local open = false
  return function()
    while read do
      local piece, err = read()
      if err then return nil, err end
      if not piece then
        read = nil
        return open and "\r\n" or nil
      end
      if octets < #piece then
        piece = piece:sub(octets + 1)
        octets, open = 0, piece:sub(-1) ~= "\n"
        return piece
      end
      octets = octets - #piece
    end
  end
end

-- The body of a string or a file, which is looked at now and read again later.
local function known_body(from, rest, next_chunk, skip)
  local scanner = core.scanner():update(rest)
  while true do
    local chunk, err = next_chunk()
    if err then return nil, err end
    if not chunk then break end
    scanner:update(chunk)
  end
  local facts = scanner:facts()
  if facts.longest > body.LONGEST_LINE then return too_long(facts.longest) end
  local octets = facts.canonical + (facts.open and 2 or 0)
  return {
    eight_bit = facts.eight_bit,
    segment = function()
      return { open = function() return tail(chunks((from.open())), skip) end, size = function() return octets end }
    end,
  }
end

-- The body of a reader, which is looked at as it passes.
local function passing_body(rest, next_chunk)
  local used = false
  local function open(eight_bit)
    if used then return text.refuse("raw.reader", "the reader was read already", "make the message again") end
    used = true
    local scanner, first = core.scanner(), rest
    return tail(function()
      local chunk, err = first, nil
      first = nil
      if not chunk or chunk == "" then chunk, err = next_chunk() end
      if not chunk then return nil, err end
      local facts = scanner:update(chunk):facts()
      if facts.longest > body.LONGEST_LINE then return too_long(facts.longest) end
      if facts.eight_bit and not eight_bit then return eight_bit_refused() end
      return chunk
    end, 0)
  end
  return {
    segment = function(eight_bit)
      return {
        open = function()
          local read, err = open(eight_bit)
          return read or function() return nil, err end
        end,
        size = function() return nil end,
      }
    end,
  }
end

-- A draft's method. Of a body that was not looked at, anything must be expected.
local function write(draft, offered)
  local content, possible = draft.content, offered["8BITMIME"] == true
  if content.eight_bit and not possible then return nil, eight_bit_refused() end
  local eight_bit = content.eight_bit
  if eight_bit == nil then eight_bit = possible end
  return nil, { draft.head .. "\r\n", content.segment(possible) }, eight_bit
end

-- The draft of what a source gives, which is read from its beginning.
local function read_draft(from, next_chunk, given)
  local section, rest = read_section(next_chunk)
  if not section then return nil, rest end
  local fields, bad_field = read_fields(section)
  if not fields then return nil, bad_field end
  local draft, err, box = { write = write }
  draft.head, err = find_head(fields)
  if not draft.head then return nil, err end
  draft.parties, err, box = find_envelope(fields, given.envelope)
  if not draft.parties then return nil, err end
  if from.size or from.again then
    draft.content, err = known_body(from, rest, next_chunk, #section + 2)
  else
    draft.content = passing_body(rest, next_chunk)
  end
  if not draft.content then return nil, err end
  local id = (values(fields, "message-id")[1] or ""):match("^ *(.-) *$")
  draft.id = message_id.valid(id) and id or nil
  draft.utf8_header = draft.head:find("[\128-\255]") ~= nil
  draft.international = draft.utf8_header and "raw" or (box and box.field)
  return draft
end

--- Makes a draft of a message table that has `raw`.
---@param given table its Lua types were checked before
---@return table|nil draft as composed.new makes it; its id is nil where the message has none
---@return table|nil err
function raw.new(given)
  local from, err = find_source(given.raw)
  if not from then return nil, err end
  local read, close = from.open()
  local draft
  draft, err = read_draft(from, chunks(read), given)
  if not draft and close then close() end -- what is refused was perhaps not read to its end
  return draft, err
end

return raw
