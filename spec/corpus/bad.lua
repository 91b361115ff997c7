--- bad: message tables that are refused, each beside the nearest one that is taken.
--
-- `cases` are { what, bad =, good =, says = what the error must hold }. `fields` say for each field that takes text
-- how to put a value there: what may stand in no header must be refused in all of them. `bodies` are those that may
-- hold line ends.
local bytes = require "spec.corpus.bytes"

local bad = {}

local function attach(entry)
  return { attachments = { entry } }
end

-- field as an error names it -> the rest of a table with a value in it
bad.fields = {
  subject = function(s) return { subject = s } end,
  ["from.name"] = function(s) return { from = { name = s, address = "a@example.com" } } end,
  from = function(s) return { from = '"' .. s .. '" <a@example.com>' } end,
  ["sender.name"] = function(s) return { sender = { name = s, address = "s@example.com" } } end,
  ["reply_to[2].name"] = function(s) return { reply_to = { "r@example.com",
    { name = s, address = "r2@example.com" } } } end,
  ["to[1].name"] = function(s) return { to = { { name = s, address = "b@example.org" } } } end,
  ["to[1].group"] = function(s) return { to = { { group = s, members = { "b@example.org" } } } } end,
  ["to[1].members[1].name"] = function(s)
    return { to = { { group = "G", members = { { name = s, address = "b@example.org" } } } } }
  end,
  to = function(s) return { to = '"' .. s .. '": b@example.org;' } end,
  cc = function(s) return { cc = '"' .. s .. '" <c@example.org>' } end,
  bcc = function(s) return { bcc = '"' .. s .. '"@example.org' } end,
  ["headers.X-A"] = function(s) return { headers = { ["X-A"] = s } } end,
  ["headers[2]"] = function(s) return { headers = { { "X-A", "1" }, { "X-B", s } } } end,
  ["attachments[1].filename"] = function(s) return attach { content = "", filename = s } end,
  ["envelope.from"] = function(s) return { envelope = { from = '"' .. s .. '"@example.com' } } end,
  ["envelope.to"] = function(s) return { envelope = { to = '"' .. s .. '"@example.org' } } end,
}

-- Fields of ASCII alone, in which a control or a broken character is one more character that may not be there.
bad.ascii_fields = {
  ["headers.References"] = function(s) return { headers = { References = "<" .. s .. "@example.com>" } } end,
  ["attachments[1].cid"] = function(s) return attach { content = "", cid = s } end,
  ["attachments[1].type"] = function(s) return attach { content = "", type = 'text/plain; name="' .. s .. '"' } end,
  ["calendar.method"] = function(s) return { calendar = { method = s, content = bytes.calendar("AB", "") } } end,
  message_id = function(s) return { message_id = "<" .. s .. "@example.com>" } end,
  ["list_unsubscribe.url"] = function(s) return { list_unsubscribe = { url = "https://example.com/" .. s } } end,
  ["list_unsubscribe.mailto"] = function(s) return { list_unsubscribe = { mailto = s .. "@example.com" } } end,
}

bad.controls = { "\r\n", "\r", "\n", "\0", "\1", "\8", "\t", "\11", "\27", "\31", "\127", "\194\128", "\194\133",
  "\194\159" }

-- What is no UTF-8: a lone octet, a character cut short, an overlong NUL, a surrogate, what is beyond the last
-- character.
bad.no_utf8 = { "\255", "\128", "\195", "\230\151", "\192\128", "\224\128\128", "\237\160\128", "\244\144\128\128" }

bad.bodies = {
  text = function(s) return { text = s } end,
  html = function(s) return { html = s } end,
  ["calendar.content"] = function(s) return { calendar = { content = "BEGIN:VCALENDAR\r\n" .. s } } end,
}
bad.body_offsets = { text = 0, html = 0, ["calendar.content"] = #"BEGIN:VCALENDAR\r\n" }

local many = {}
for i = 1, 10 do many[i] = "a" .. i .. "@example.com" end

local RAW = "From: a@example.com\nTo: b@example.org\n\nx\n"
local DIRECTORY = "/tmp"

bad.cases = {
  { "no author", bad = { from = {} }, good = { from = "a@example.com" }, says = { "from: is missing" } },
  { "two authors and no sender", bad = { from = { "a@example.com", "b@example.com" } },
    good = { from = { "a@example.com", "b@example.com" }, sender = "a@example.com" },
    says = { "from: holds 2 addresses, and there is no sender" } },
  { "ten authors in one string", bad = { from = table.concat(many, ",") },
    good = { from = table.concat(many, ","), sender = many[1] }, says = { "from: holds 10 addresses" } },
  { "two senders", bad = { sender = "a@example.com, b@example.com" }, good = { sender = "a@example.com" },
    says = { "sender: holds 2 addresses" } },
  { "a group as the author", bad = { from = "Team: a@example.com;" }, good = { from = "Team <a@example.com>" },
    says = { "from: holds a group" } },
  { "a group as the sender", bad = { sender = "Team: a@example.com;" }, good = { sender = "Team <a@example.com>" },
    says = { "sender: holds a group" } },
  { "a group as the sender of the envelope", bad = { envelope = { from = "Team: a@example.com;" } },
    good = { envelope = { from = "a@example.com" } }, says = { "envelope.from: holds a group" } },
  { "a group in the envelope", bad = { envelope = { to = "Team: a@example.org;" } },
    good = { envelope = { to = "a@example.org" } }, says = { "envelope.to: holds a group" } },
  { "a group in a list's string", bad = { to = { "Team: a@example.org, b@example.org;" } },
    good = { to = { { group = "Team", members = { "a@example.org", "b@example.org" } } } },
    says = { "to[1]: holds a group", "{ group =, members = }" } },
  { "nobody to receive it", bad = { to = {} }, good = { to = {}, bcc = "b@example.org" },
    says = { "to: the recipient list is empty" } },
  { "an empty group to receive it", bad = { to = "Nobody:;" }, good = { to = "Nobody:;", bcc = "b@example.org" },
    says = { "to: the recipient list is empty" } },
  { "an envelope of nobody", bad = { envelope = { to = {} } }, good = { envelope = { to = "b@example.org" } },
    says = { "the recipient list is empty" } },
  { "an address without a domain", bad = { to = { "a@example.org", "b@" } }, good = { to = { "a@example.org", "b@c" } },
    says = { 'to[2]: "b@"' } },
  { "an address without an @", bad = { cc = "Jane" }, good = { cc = "Jane@example.org" }, says = { 'cc: "Jane"' } },
  { "an address with a space", bad = { to = "a b@example.org" }, good = { to = '"a b"@example.org' },
    says = { "to:" } },
  { "two dots in an address", bad = { to = "a..b@example.org" }, good = { to = "a.b@example.org" },
    says = { "two dots" } },
  { "a local part of 65", bad = { to = ("x"):rep(65) .. "@example.org" },
    good = { to = ("x"):rep(64) .. "@example.org" },
    says = { "64 octets" } },
  { "a comment", bad = { to = "a@example.org (Jane)" }, good = { to = '"a (Jane)" <a@example.org>' },
    says = { "comments" } },
  { "a name that holds an address", bad = { to = "a@example.org <b@example.org>" },
    good = { to = '"a@example.org" <b@example.org>' }, says = { "an @ stands in the name" } },
  { "a name cut at its comma", bad = { to = "Doe, Jane <b@example.org>" },
    good = { to = '"Doe, Jane" <b@example.org>' },
    says = { "a name that holds a comma needs quotes" } },
  { "a semicolon between addresses", bad = { to = "a@example.org; b@example.org" },
    good = { to = "a@example.org, b@example.org" }, says = { "separated by commas" } },
  { "an open group", bad = { to = "A: a@example.org" }, good = { to = "A: a@example.org;" },
    says = { "never closed" } },
  { "a group in a group", bad = { to = "A: B: a@example.org;;" }, good = { to = "A: a@example.org;, B:;" },
    says = { "no group can begin" } },
  { "a name of 999", bad = { from = { name = ("x"):rep(999), address = "a@b" } },
    good = { from = { name = ("x"):rep(998), address = "a@b" } }, says = { "longer than 998" } },
  { "a header that smtpsec composes", bad = { headers = { Subject = "x" } },
    good = { headers = { ["X-Subject"] = "x" } },
    says = { "give it as subject" } },
  { "a second Auto-Submitted", bad = { headers = { ["auto-submitted"] = "no" } },
    good = { auto_submitted = "auto-replied" },
    says = { "give it as auto_submitted" } },
  { "a header of the parts", bad = { headers = { ["Content-Type"] = "text/html" } },
    good = { headers = { ["X-Content-Type"] = "text/html" } }, says = { "cannot be set" } },
  { "a Bcc by a header", bad = { headers = { BCC = "a@example.org" } }, good = { bcc = "a@example.org" },
    says = { "give it as bcc" } },
  { "a name of a header with a colon", bad = { headers = { ["X-A: b"] = "c" } },
    good = { headers = { ["X-A"] = "b: c" } },
    says = { "is no name of a header field" } },
  { "a name of a header in UTF-8", bad = { headers = { ["X-é"] = "c" } }, good = { headers = { ["X-e"] = "é" } },
    says = { "is no name of a header field" } },
  { "references in UTF-8", bad = { headers = { References = "<é@example.com>" } },
    good = { headers = { References = "<e@example.com>" } }, says = { "headers.References", "ASCII only" } },
  { "an identifier without brackets", bad = { message_id = "a@example.com" }, good = { message_id = "<a@example.com>" },
    says = { "message_id" } },
  { "a date before 1970", bad = { date = -1 }, good = { date = 0 }, says = { "date: -1" } },
  { "a date after 9999", bad = { date = 253402200001 }, good = { date = 253402200000 }, says = { "date:" } },
  { "no content", bad = attach { filename = "a.txt" }, good = attach { filename = "a.txt", content = "" },
    says = { "attachments[1]: has no content" } },
  { "two contents", bad = attach { path = "/etc/hostname", content = "x" }, good = attach { content = "x" },
    says = { "has path and content" } },
  { "a URL as a path", bad = attach { path = "https://example.com/a.pdf" },
    good = attach { content = "https://example.com/a.pdf" }, says = { "attachments[1].path: cannot open",
      "No such file" } },
  { "a file URL as a path", bad = attach { path = "file:///etc/passwd" }, good = attach { path = "/etc/passwd" },
    says = { "attachments[1].path: cannot open", "No such file" } },
  { "a command as a path", bad = attach { path = "|cat /etc/passwd" }, good = attach { content = "|cat /etc/passwd" },
    says = { "cannot open" } },
  { "a folder", bad = attach { path = DIRECTORY }, good = attach { path = "/etc/passwd" },
    says = { "is a directory" } },
  { "a device", bad = attach { path = "/dev/zero" }, good = attach { path = "/etc/passwd" },
    says = { "is not a regular file" } },
  { "an endless file", bad = attach { path = "/dev/stdin" }, good = attach { path = "/etc/passwd" },
    says = { "cannot open" } },
  { "NUL in a path", bad = attach { path = "/etc/passwd\0.txt" }, good = attach { path = "/etc/passwd" },
    says = { "NUL" } },
  { "a file name that is a folder", bad = attach { content = "x", filename = "a/" },
    good = attach { content = "x", filename = "b/a" }, says = { "ends in no file name" } },
  { "a file name of dots", bad = attach { content = "x", filename = "../.." },
    good = attach { content = "x", filename = "../..." }, says = { "ends in no file name" } },
  { "a file name of 256", bad = attach { content = "x", filename = ("x"):rep(256) },
    good = attach { content = "x", filename = ("x"):rep(255) }, says = { "longer than 255 octets" } },
  { "a type that is none", bad = attach { content = "x", type = "pdf" },
    good = attach { content = "x", type = "application/pdf" }, says = { "attachments[1].type" } },
  { "a type with parts", bad = attach { content = "x", type = "multipart/mixed; boundary=x" },
    good = attach { content = "x", type = "application/x-mixed; boundary=x" }, says = { "has parts of its own" } },
  { "the same cid twice", bad = { attachments = { { content = "x", cid = "a" }, { content = "y", cid = "a" } } },
    good = { attachments = { { content = "x", cid = "a" }, { content = "y", cid = "b" } } },
    says = { "attachments[2].cid", "two attachments" } },
  { "an attached message with a line of 999", bad = attach { content = "X: " .. ("x"):rep(996), filename = "m.eml" },
    good = attach { content = "X: " .. ("x"):rep(995), filename = "m.eml" }, says = { "a line of 999 octets" } },
  { "an attached message with NUL", bad = attach { content = "X: \0", filename = "m.eml" },
    good = attach { content = "X: \0", filename = "m.eml", type = "application/octet-stream" },
      says = { "contains NUL" } },
  { "an attached message that is 8-bit, for a server that is not",
    bad = attach { content = "X: y\n\né", filename = "m.eml" },
    good = attach { content = "X: y\n\ne", filename = "m.eml" }, says = { "attachments[1]", "8BITMIME" } },
  { "a calendar that is none", bad = { calendar = { content = "hello" } },
    good = { calendar = { content = bytes.calendar("REQUEST", "") } }, says = { "calendar.content", "iCalendar" } },
  { "a calendar of another method", bad = { calendar = { method = "CANCEL", content = bytes.calendar("REQUEST", "") } },
    good = { calendar = { method = "CANCEL", content = bytes.calendar("CANCEL", "") } }, says = { "calendar.method" } },
  { "one click without a URL", bad = { list_unsubscribe = { mailto = "a@example.com", one_click = true } },
    good = { list_unsubscribe = { url = "https://example.com/", one_click = true } },
      says = { "one_click needs a url" } },
  { "one click in clear", bad = { list_unsubscribe = { url = "http://example.com/", one_click = true } },
    good = { list_unsubscribe = { url = "http://example.com/" } }, says = { "list_unsubscribe.url" } },
  { "a URL that leaves its brackets",
    bad = { list_unsubscribe = { url = "https://example.com/>, <https://x.example/" } },
    good = { list_unsubscribe = { url = "https://example.com/%3E" } }, says = { "list_unsubscribe.url" } },
  { "a raw message beside a subject", bad = { raw = RAW, subject = "x" }, good = { raw = RAW },
    says = { "subject: cannot be given beside raw" } },
  { "a raw message without an author", bad = { raw = "To: b@example.org\n\nx" }, good = { raw = RAW },
    says = { "raw" } },
  { "a raw message with two From fields", bad = { raw = "From: c@example.com\n" .. RAW },
    good = { raw = "Cc: c@example.com\n" .. RAW },
    says = { "raw", "From" } },
  { "a raw message with a line of 999", bad = { raw = RAW .. ("x"):rep(999) }, good = { raw = RAW .. ("x"):rep(998) },
    says = { "a line of 999 octets" } },
  { "a raw message with NUL", bad = { raw = RAW .. "\0" }, good = { raw = RAW .. "\1" }, says = { "NUL" } },
  { "a raw message of no header", bad = { raw = "hello\n\nworld\n" }, good = { raw = "X: hello\n" .. RAW },
    says = { "line 1 is no header field" } },
  { "a raw message out of a mailbox file", bad = { raw = "From a@example.com Sat Nov 22\n" .. RAW },
    good = { raw = RAW },
    says = { "mailbox file" } },
  { "an empty raw message", bad = { raw = "" }, good = { raw = RAW }, says = { "raw: is empty" } },
  { "a raw message with a header in Latin-1", bad = { raw = "X: caf\233\n" .. RAW },
    good = { raw = "X: cafe\n" .. RAW },
    says = { "raw", "not valid UTF-8 at byte 7" } },
  { "a raw message in a folder", bad = { raw = { path = DIRECTORY } }, good = { raw = RAW }, says = { "raw.path" } },
}

return bad
