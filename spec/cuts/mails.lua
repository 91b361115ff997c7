--- mails: what is sent, small so that its bytes are few, and what the sink's rules make of it.
--
-- The sink refuses recipients whose names begin with "refuse" for good and with "later" for now, and the messages of
-- senders whose names begin with "nack". Each message ends with a word of its own, by which its end is found in a
-- record of what was written.

local mails = {}

local TO = { plain = { "to@sink.test" }, refused = { "refuse@sink.test" }, later = { "later@sink.test" },
  partial = { "refuse@sink.test", "to@sink.test" }, nack = { "to@sink.test" } }

--- What may be said of each kind when nothing is cut: the status, or the code of the refusal.
mails.VERDICTS = { plain = "accepted", partial = "partial", refused = 550, later = 451, nack = 554 }

--- The kind of a mail among many, some of which are refused.
---@param i integer
---@return string
function mails.mixed(i)
  if i % 7 == 3 then return "refused" end
  if i % 7 == 5 then return "nack" end
  return i % 5 == 2 and "partial" or "plain"
end

--- The Message-ID of a mail.
---@param i integer
---@return string
function mails.id(i)
  return ("<m%d@client.test>"):format(i)
end

--- A mail.
---@param i integer
---@param kind string
---@param filler? string more text, lines that end
---@return table message
function mails.make(i, kind, filler)
  return {
    raw = ("From: a@client.test\r\nMessage-ID: %s\r\n\r\n.\r\n%sEND-%d\r\n"):format(mails.id(i), filler or "", i),
    envelope = { from = kind == "nack" and "nack@client.test" or "a@client.test", to = TO[kind] },
  }
end

--- How often the end of a mail is in the text that a client wrote on one connection.
---@param text string
---@param i integer
---@return integer
function mails.ends(text, i)
  local last = text:find("BDAT ", 1, true) and "" or ".\r\n"
  local mark, count, at = ("\r\nEND-%d\r\n"):format(i) .. last, 0, 1
  while true do
    local from, to = text:find(mark, at, true)
    if not from then return count end
    count, at = count + 1, to
  end
end

return mails
