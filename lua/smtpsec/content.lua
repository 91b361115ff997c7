--- content: how the message itself goes out, after its recipients: with BDAT where the server takes CHUNKING (RFC
-- 3030), else with DATA (RFC 5321 section 4.1.1.4).
--
-- BDAT needs no leave: a small message rides in the flight of its MAIL, and a part that cannot be read is no end of
-- the connection. After DATA the only way back is the end of the message.

local content = {}

local AHEAD = 8 -- BDAT commands without a reply: enough to fill the line, few enough to hear a refusal soon
local LAST_WORDS_SECONDS = 1 -- for the end of a reply that has begun

-- ---- BDAT ----------------------------------------------------------------------------------------------------------

local function chunk(flight, one, bytes, last)
  local from, size = 1, #bytes
  one.bytes = one.bytes + size
  repeat
    local tag, taken, pending = flight.pump:chunk(bytes, from, last)
    if tag then
      from, one.due = from + taken, one.due + 1
      if last and from > size then one.end_tag = tag end
      if pending then
        local ok, err = flight.pump:flush()
        if not ok then return nil, err end
      end
    else
      if taken ~= "full" then return nil, taken end
      local ok, err = flight:relieve()
      if not ok then return nil, err end
    end
  until from > size or one.body -- no more of a message of which a part was refused (RFC 3030 section 2)
  return flight.pipelining or flight:hear_all(one)
end

-- A piece is sent when the next one is there, because only the last one may say so.
local function chunks(flight, one)
  local next_chunk = one.delivery.message:chunks()
  local piece, problem = next_chunk()
  while piece do
    local following
    following, problem = next_chunk()
    if problem then break end
    local ok, err = chunk(flight, one, piece, following == nil)
    while ok and one.due > AHEAD do ok, err = flight:turn() end
    if not ok then return nil, err end
    if one.body then return true end
    piece = following
  end
  if problem then
    problem.stage = "body"
    one.failure = problem -- without LAST nothing was sent: RSET follows
  end
  return true
end

--- By BDAT.
---@param flight table
---@param one table the transaction, whose recipients have been named
---@param whole? string the message, where it is to go in the same flight
---@return true | nil, table err
function content.by_bdat(flight, one, whole)
  if whole then return chunk(flight, one, whole, true) end
  local ok, err = flight:hear_all(one)
  if not ok or not one:may_go_on() then return ok, err end
  return chunks(flight, one)
end

-- ---- DATA ----------------------------------------------------------------------------------------------------------

-- A server that refuses a message before its end says why, and then mostly hangs up or reads no more: its words are
-- worth more than "broken pipe". Where their beginning is there already, the engine will not go on over it, and their
-- end comes within a second.
local function early_reply(flight, one, err)
  if err.kind == "internal" and not flight.pump.failed then
    flight.pump:hurry(LAST_WORDS_SECONDS)
    one.due = 1
    local ok, trouble = flight:turn()
    if ok then flight.pump.failed = true end -- there is no way back into the dialogue
    return ok, trouble
  end
  return nil, err
end

local function pieces(flight, one)
  local next_chunk = one.delivery.message:chunks()
  while true do
    local piece, problem = next_chunk()
    if problem then
      problem.stage = "body"
      one.failure = problem
      flight.session:abandon() -- inside a message there is no way out but to hang up before its end
      return true
    end
    if not piece then return true end
    one.bytes = one.bytes + #piece
    local ok, err = flight.pump:body(piece)
    if not ok then return early_reply(flight, one, err) end
    if one.final then return true end
  end
end

--- By DATA.
---@param flight table
---@param one table the transaction, whose recipients have been named
---@return true | nil, table err
function content.by_data(flight, one)
  if not flight.eager then
    local heard, trouble = flight:hear_all(one)
    if not heard or not one:may_go_on() then return heard, trouble end
  end
  local ok, err = flight:ask(one, "data")
  if ok then ok, err = flight:hear_all(one) end
  if not ok or not one.wanted then return ok, err end
  ok, err = pieces(flight, one)
  if not ok then return nil, err end
  if one.final or one.failure then return true end
  local tag
  tag, err = flight.pump:command "finish"
  if not tag then return early_reply(flight, one, err) end
  one.end_tag, one.due = tag, one.due + 1
  return flight.pipelining or flight:hear_all(one)
end

return content
