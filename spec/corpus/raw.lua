--- raw: finished messages, which go out as they are but for their line ends and their Bcc.
local cases = {}

local HEAD = "From: Jane <a@example.com>\nTo: b@example.org\nSubject: raw\nDate: Sat, 22 Nov 2025 10:00:00 +0900\n"
  .. "Message-ID: <1@example.com>\n"

local function crlf(s) return (s:gsub("\r\n", "\n"):gsub("\r", "\n"):gsub("\n", "\r\n")) end

-- A message, what of it arrives where that is not all of it, and what readers find in it.
local function case(name, raw, arrives, want, more)
  local given = { raw = raw }
  for key, value in pairs(more or {}) do given[key] = value end
  want = want or {}
  want.from = want.from or { { name = "Jane", address = "a@example.com" } }
  want.to, want.subject, want.wire = want.to or { "b@example.org" }, want.subject or "raw", crlf(arrives or raw)
  cases[#cases + 1] = { name, given = given, want = want, needs = want.wire:find("[\128-\255]") and "8BITMIME" or nil }
end

local BODY = HEAD .. "\nline 1\nline 2\n"
case("a raw message with line feeds", BODY, nil, { text = "line 1\nline 2\n" })
case("a raw message with carriage returns", (BODY:gsub("\n", "\r")), nil, { text = "line 1\nline 2\n" })
case("a raw message with CRLF", crlf(BODY), nil, { text = "line 1\nline 2\n" })
case("a raw message with all ends of lines", HEAD:gsub("\n", "\r\n", 2) .. "\na\rb\nc\r\nd\r\r\ne\n", nil,
  { text = "a\nb\nc\nd\n\ne\n" })
case("a raw message without a last line end", HEAD .. "\nno end", HEAD .. "\nno end\n", { text = "no end\n" })
case("a raw message with an empty body", HEAD .. "\n", nil, { text = "" })
case("a raw message of a header alone", HEAD, HEAD .. "\n", { text = "" })
case("a raw message with a Bcc", HEAD .. "Bcc: secret@example.org\n\nx\n", HEAD .. "\nx\n",
  { secret = "secret@example.org" })
case("a raw message with folded and repeated Bcc", "bcc: secret@example.org,\n secret2@example.org\n" .. HEAD
  .. "BCC: secret@example.net\nX-Last: 1\n\nx\n", HEAD .. "X-Last: 1\n\nx\n", { secret = "secret" })
case("a raw message with dots, From and blanks", HEAD .. "\n.\n..\nFrom x\n \t\nend \n", nil,
  { text = ".\n..\nFrom x\n \t\nend \n" })
case("a raw message of lines of 998", HEAD .. "X-Long: " .. ("x"):rep(990) .. "\n\n" .. ("y"):rep(998) .. "\n", nil,
  { text = ("y"):rep(998) .. "\n", long = true })
case("a raw message with folded fields", HEAD .. "X-Folded: one\n two\n\tthree\n\nx\n", nil,
  { text = "x\n", long = true })
case("a raw message with encoded words", (HEAD:gsub("raw", "=?UTF-8?Q?caf=C3=A9?=")) .. "\nx\n", nil,
  { subject = "café", text = "x\n" })
case("a raw message with parts", HEAD
  .. "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\npreamble\n--b\n"
  .. "Content-Type: text/plain; charset=utf-8\n\nhi\n--b\nContent-Type: application/x-test\n"
  .. "Content-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=a.bin\n\nAAEC\n--b--\nepilogue\n",
    nil,
  { tree = "mixed(plain application/x-test)", text = "hi", contents = { "\0\1\2" }, filenames = { "a.bin" } })
case("a raw message with 8-bit text", HEAD .. "MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\n"
  .. "Content-Transfer-Encoding: 8bit\n\ncafé\n", nil, { text = "café\n" })
case("a raw message with another envelope", HEAD .. "\nx\n", nil, { text = "x\n", secret = "secret@example.net" },
  { envelope = { from = "bounce@example.com", to = "secret@example.net" } })
case("a raw message of several pieces", HEAD .. "\n" .. ("All work and no play.\n"):rep(9000), nil,
  { text = ("All work and no play.\n"):rep(9000) })
case("a raw message resent", "Resent-From: r@example.com\nResent-To: s@example.org\nResent-Bcc: secret@example.org\n"
  .. HEAD
  .. "\nx\n", "Resent-From: r@example.com\nResent-To: s@example.org\n" .. HEAD .. "\nx\n",
    { secret = "secret@example.org" },
  { envelope = { from = "r@example.com", to = { "s@example.org", "secret@example.org" } } })

local function source(name, given)
  cases[#cases + 1] = { name, given = given, want = { from = { { name = "Jane", address = "a@example.com" } },
    to = { "b@example.org" }, subject = "raw", text = "line 1\nline 2\n", wire = crlf(BODY) } }
end
source("a raw message in a file", function(files) return { raw = { path = files(BODY, "message.eml") } } end)
source("a raw message from a reader, octet by octet", function()
  local at = 0
  return { raw = { reader = function()
    at = at + 1
    return at <= #BODY and BODY:sub(at, at) or nil
  end } }
end)

return cases
