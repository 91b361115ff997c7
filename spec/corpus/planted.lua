--- planted: a message with something of everything, and faults planted in its bytes: none may pass unseen.
--
-- A fault is { name, from, to }: `from` stands in the bytes, and becomes `to`. What the readers miss by nature, the
-- look at the bytes must see: those are the faults of `bytes`.
local bytes = require "spec.corpus.bytes"

local planted = {}

planted.case = { "the message in which faults are planted", given = {
  from = { name = "Jane Doe", address = "jane@example.com" }, sender = "sender@example.com",
  reply_to = { name = "Ünser Team", address = "reply@example.com" },
  to = { "first@example.org", { name = "Second", address = "second@example.org" },
    { group = "Team", members = { "third@example.org" } } },
  cc = "cc@example.org", bcc = "secret@example.org", subject = "A plain subject", date = 1763773200,
  message_id = "<planted@example.com>", text = "the text\n", html = "<p>the html</p>\n",
  calendar = { method = "REQUEST", content = bytes.calendar("REQUEST", "SUMMARY:planted\n") },
  headers = { { "X-One", "1" }, { "X-Two", "2" }, { "X-Json", ("long words "):rep(20) .. "end" } },
  list_unsubscribe = { url = "https://example.com/u", one_click = true },
  attachments = {
    { content = "attached bytes", filename = "report.bin", type = "application/x-test" },
    { content = "image", filename = "i.png", cid = "cid@example.com" },
    { content = "café", filename = "naïve.txt" },
  },
}, want = { order = { 2, 1, 3 }, groups = { To = { { name = "Team", members = 1 } } },
  to = { "first@example.org", { name = "Second", address = "second@example.org" }, "third@example.org" },
  tree = "mixed(alternative(plain related(html image/png) calendar) application/x-test text/plain)",
  headers = { { "List-Unsubscribe", "<https://example.com/u>" },
    { "List-Unsubscribe-Post", "List-Unsubscribe=One-Click" },
    { "X-One", "1" }, { "X-Two", "2" } },
  secret = "secret@example.org" } }

--- Seen by every reader.
planted.faults = {
  { "the author's name", "From: Jane Doe", "From: Jane Dow" },
  { "the author's address", "<jane@example.com>", "<jana@example.com>" },
  { "the sender", "Sender: sender@", "Sender: fender@" },
  { "the name of whom to reply to", "=?UTF-8?Q?=C3=9Cnser_Team?=", "=?UTF-8?Q?=C3=9Cnser_Tean?=" },
  { "a recipient lost", "first@example.org, ", "" },
  { "a recipient's name", "Second <", "Seconds <" },
  { "a recipient more", "Cc: cc@example.org", "Cc: cc@example.org, dd@example.org" },
  { "a group's name", "Team: ", "Teem: " },
  { "a group's member outside of it", "Team: third@example.org;", "Team:;, third@example.org" },
  { "a Bcc", "Cc: cc@example.org", "Bcc: hidden@example.org\r\nCc: cc@example.org" },
  { "the subject", "A plain subject", "A plane subject" },
  { "the date", "Date: Sat, 22 Nov", "Date: Sun, 23 Nov" },
  { "the identifier", "<planted@", "<planned@" },
  { "a custom header's value", "X-One: 1", "X-One: 3" },
  { "custom headers out of order", "X-One: 1\r\nX-Two: 2", "X-Two: 2\r\nX-One: 1" },
  { "how to leave the list", "<https://example.com/u>", "<https://example.com/v>" },
  { "one click to leave the list", "One-Click", "Two-Click" },
  { "the text", "the text\r\n", "the test\r\n" },
  { "a line more in the text", "the text\r\n", "the text\r\n\r\n" },
  { "the html", "the html", "the htlm" },
  { "the calendar", "SUMMARY:planted", "SUMMARY:planned" },
  { "the calendar's method", "method=REQUEST", "method=PUBLISH" },
  { "an octet of an attachment", "YXR0YWNoZWQgYnl0ZXM=", "YXR0YWNoZWQgYnl1ZXM=" },
  { "the last octet of an attachment lost", "YXR0YWNoZWQgYnl0ZXM=", "YXR0YWNoZWQgYnl0ZQ==" },
  { "an octet of an attached text", "Y2Fmw6k=", "Y2Fmw6g=" },
  { "an attachment's name", "filename=report.bin", "filename=report.bim" },
  { "an attachment's name in UTF-8", "na%C3%AFve.txt", "na%C3%AEve.txt" },
  { "an attachment's type", "application/x-test", "application/x-text" },
  { "an attachment to be shown", "attachment; filename=report.bin", "inline; filename=report.bin" },
  { "an image's identifier", "<cid@example.com>", "<did@example.com>" },
  { "the nesting", "multipart/alternative", "multipart/parallel" },
  { "the type of the html", "Content-Type: text/html", "Content-Type: text/x-html" },
}

--- Seen by the look at the bytes.
planted.bytes = {
  { "a bare LF", "the text\r\n", "the text\n" },
  { "a bare CR", "the text", "the\rtext" },
  { "NUL", "the text", "the\0text" },
  { "a line of 999", "the text", ("x"):rep(999) },
  { "8 bits in the header", "A plain subject", "A plaïn subject" },
  { "8 bits in a body", "the text", "the téxt" },
  { "8 bits in a part's header", "filename=report.bin", "filename=repört.bin" },
  { "a header line that could be folded", "A plain subject", ("word "):rep(20) .. "end" },
  { "a fold taken away", "words\r\n long", "words long" },
  { "an encoded word of 76", "=?UTF-8?Q?=C3=9Cnser_Team?=", "=?UTF-8?Q?" .. ("x"):rep(64) .. "?=" },
  { "a header line of blanks", "X-Two: 2\r\n", "X-Two: 2\r\n \r\n" },
  { "who should be hidden", "X-Two: 2", "X-Two: secret@example.org" },
}

--- Torn between encoded words: the subject that was sent, and how it is torn.
planted.torn = {
  { "a character", "=?UTF-8?Q?=C3?=\r\n =?UTF-8?Q?=9C?=" },
  { "a grapheme", "=?UTF-8?Q?e?=\r\n =?UTF-8?Q?=CC=81?=" },
  { "a flag", "=?UTF-8?B?8J+HrQ==?=\r\n =?UTF-8?B?8J+HtQ==?=" },
}

--- Puts a fault into bytes.
---@param wire string
---@param from string which must be there
---@param to string
---@return string
function planted.put(wire, from, to)
  local first, last = wire:find(from, 1, true)
  assert(first, from .. " is not there")
  return wire:sub(1, first - 1) .. to .. wire:sub(last + 1)
end

return planted
