--- attachments: what is attached, from where, and under which name.
local bytes = require "spec.corpus.bytes"

local cases = {}

local function case(name, entries, want, more)
  local given = { attachments = entries }
  for key, value in pairs(more or {}) do given[key] = value end
  cases[#cases + 1] = { name, given = given, want = want }
end

local function content(name, value)
  case("an attachment " .. name, { { content = value, filename = "content.bin", type = "application/octet-stream" } })
end

content("that is empty", "")
content("of one octet", "\0")
content("of every octet", bytes.EVERY)
content("of 56 octets", ("x"):rep(56))
content("of 57 octets", ("x"):rep(57))
content("of 58 octets", ("x"):rep(58))
content("of several pieces", bytes.EVERY:rep(600))
content("at the border of what is encoded at once", ("\255"):rep(32768))
content("above it", ("\255"):rep(32769))

local function text(name, value)
  case("a text file " .. name, { { content = value, filename = "notes.txt" } })
end

text("with line feeds", "a\nb\n")
text("with carriage returns", "a\rb\r")
text("with CRLF", "a\r\nb\r\n")
text("with all of them", "a\r\n\n\r\rb\n\r\n\r")
text("without a last line end", "a\nb")
text("with blanks, dots and From", " \n.\nFrom x\n \t")
text("in Latin-1", "caf\233\n")
text("in UTF-16", "\255\254h\0i\0\n\0")
text("with NUL", "a\0b\0")
case("a text file with its charset", { { content = "caf\233\n", filename = "latin.txt",
  type = "text/plain; charset=iso-8859-1" } })
case("html that is attached", { { content = "<p>\r\n\n", filename = "page.html" } })

local function filename(what, value, arrives)
  case("a file name " .. what, { { content = "x", filename = value, type = "application/x-test" } },
    arrives and { filenames = { arrives } })
end

filename("with spaces", "annual report 2025.pdf")
filename("with spaces around it", " x ")
filename("with quotes", 'a "quoted" name.txt')
filename("with an apostrophe", "it's.txt")
filename("with semicolons and equals signs", "a;b=c; filename=d.txt")
filename("with percent signs", "100%.txt")
filename("that looks percent-encoded", "a%20b%0d%0a.txt")
case("a file name that looks like an encoded word", { { content = "x", filename = "=?UTF-8?B?YQ==?=.txt" } },
  { mailparser = { filenames = { "a.txt" } } })
filename("that looks like RFC 2231", "UTF-8''x.txt")
filename("with stars", "*a*0*.txt")
filename("with parentheses and brackets", "a (1) [2] <3>.txt")
filename("with commas and colons", "a,b:c.txt")
filename("with many dots", "..a...b..")
filename("that begins with a dot", ".profile")
filename("in Japanese", "日本語のとても長いファイル名、レポート2025年.pdf")
filename("of emoji", ("👨\u{200D}👩\u{200D}👧\u{200D}👦"):rep(5) .. ".png")
filename("with combining characters", ("e\u{301}"):rep(40) .. ".txt")
filename("from right to left", "דוח שנתי.pdf")
filename("with accents and ASCII", "Rechnung für Müller.pdf")
filename("of 255 octets", ("x"):rep(251) .. ".txt")
filename("of 60 octets", ("x"):rep(60))
filename("of 61 octets", ("x"):rep(61))
filename("with a folder", "../../etc/passwd", "passwd")
filename("with a folder of Windows", "C:\\Users\\jane\\report.doc", "report.doc")
filename("with folders in Japanese", "/報告/月次/一月.txt", "一月.txt")

for extension, media_type in pairs {
  pdf = "application/pdf", PDF = "application/pdf", docx =
  "application/vnd.openxmlformats-officedocument.wordprocessingml.document", xlsx =
  "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ["tar.gz"] = "application/gzip",
  json = "application/json", jpeg = "image/jpeg", mp4 = "video/mp4", csv = "text/csv", zip = "application/zip",
  unheard = "application/octet-stream",
} do
  case("the type of a name in ." .. extension, { { content = "x", filename = "file." .. extension } },
    { types = { media_type } })
end
case("no name and no type", { { content = "x" } }, { types = { "application/octet-stream" } })
case("a type and no name", { { content = "x", type = "Application/PDF" } })
case("a type with parameters", { { content = "a;b", filename = "t.csv",
  type = 'text/csv; charset=utf-8; header="is present"' } },
  { parameters = { { charset = "utf-8", header = "is present" } } })
case("a name of one type and another type given", { { content = "x", filename = "a.pdf",
  type = "application/x-secret" } })
case("twenty attachments", (function()
  local many = {}
  for i = 1, 20 do many[i] = { content = bytes.EVERY:sub(i), filename = ("n%d.bin"):format(i) } end
  return many
end)())
case("attachments of the same name", { { content = "1", filename = "a.txt" }, { content = "2", filename = "a.txt" } })

-- Sources that are there only while a case is made: `files(content, name)` writes one, and gives its path.
local function source(name, given, want)
  cases[#cases + 1] = { name, given = given, want = want }
end

local function reader(...)
  local pieces, at = { ... }, 0
  return function()
    at = at + 1
    return pieces[at]
  end
end

source("a file", function(files) return { attachments = { { path = files(bytes.PDF, "report.pdf") } } } end,
  { contents = { bytes.PDF }, filenames = { "report.pdf" } })
source("a file with a name in Japanese", function(files) return { attachments = { { path = files("x",
  "報告 書.pdf") } } } end,
  { contents = { "x" }, filenames = { "報告 書.pdf" } })
source("a file under another name", function(files)
  return { attachments = { { path = files("x", "tmp.dat"), filename = "report.pdf" } } }
end, { contents = { "x" }, filenames = { "report.pdf" } })
source("an empty file", function(files) return { attachments = { { path = files("", "empty.txt") } } } end,
  { contents = { "" }, filenames = { "empty.txt" } })
source("a large file", function(files) return { attachments = { { path = files(bytes.EVERY:rep(600),
  "large.bin") } } } end,
  { contents = { bytes.EVERY:rep(600) }, filenames = { "large.bin" } })
source("a message in a file", function(files)
  return { attachments = { { path = files("From: a@example.org\nSubject: x\n\nhi\n", "m.eml") } } }
end, { contents = { "From: a@example.org\r\nSubject: x\r\n\r\nhi\r\n" }, filenames = { "m.eml" } })
source("an image in a file, shown by html", function(files)
  return { html = '<img src="cid:l@x">', attachments = { { path = files(bytes.PNG, "logo.png"), cid = "l@x" } } }
end, { contents = { bytes.PNG }, filenames = { "logo.png" } })
source("a reader", function()
  return { attachments = { { reader = reader("%PDF", "", bytes.PDF, bytes.EVERY:rep(300)), filename = "r.pdf" } } }
end, { contents = { "%PDF" .. bytes.PDF .. bytes.EVERY:rep(300) }, filenames = { "r.pdf" } })
source("a reader of nothing", function()
  return { attachments = { { reader = reader(), filename = "nothing.txt" } } }
end, { contents = { "" }, filenames = { "nothing.txt" } })
source("a reader of single octets", function()
  local all = {}
  for i = 1, 256 do all[i] = bytes.EVERY:sub(i, i) end
  return { attachments = { { reader = reader((table.unpack or unpack)(all)), filename = "r.bin" } } }
end, { contents = { bytes.EVERY }, filenames = { "r.bin" } })
source("all three sources", function(files)
  return { attachments = { { path = files("path", "p.txt") }, { content = "content", filename = "c.txt" },
    { reader = reader("rea", "der"), filename = "r.txt" } } }
end, { contents = { "path", "content", "reader" }, filenames = { "p.txt", "c.txt", "r.txt" } })

return cases
