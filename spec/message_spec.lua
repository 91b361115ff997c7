local judge = require "spec.support.judge"
local message = require "smtpsec.message"
local process = require "spec.support.process"

local FROM, TO = "noreply@example.com", "ops@example.org"
local ALL = { ["8BITMIME"] = true, SMTPUTF8 = true }

-- A message table with what most of them have.
local function mail(more)
  local given = { from = FROM, to = TO, subject = "x", text = "hello\n" }
  for key, value in pairs(more or {}) do given[key] = value end
  return given
end

local function render(given, offered)
  local draft, err = message.new(given)
  if not draft then return nil, err end
  return draft:render(offered)
end

local function refused(given, ...)
  local m, err = render(given)
  assert.is_nil(m)
  assert.equal("message", err.kind)
  assert.is_false(err.temporary)
  for _, words in ipairs { ... } do assert.is_truthy(tostring(err):find(words, 1, true), tostring(err)) end
  assert.is_nil(tostring(err):find("[%c]"))
end

local function every_byte()
  local all = {}
  for i = 0, 255 do all[i + 1] = string.char(i) end
  return table.concat(all)
end

local PDF = "%PDF-1.7\n" .. every_byte():rep(50) .. "\n%%EOF\n"

describe("the structure of a message", function()
  -- type and depth of each part, as Python walks them
  local function structure(given)
    local m = assert(render(given))
    local parts = judge.read({ m:tostring() })[1].parts
    local lines = {}
    for i, part in ipairs(parts) do lines[i] = ("  "):rep(part.depth) .. part.type end
    return lines, parts
  end

  local function without_text(given)
    given.from, given.to = FROM, TO
    return (structure(given))
  end

  local CALENDAR = { method = "REQUEST", content = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n" }

  it("follows what is there", function()
    assert.same({ "text/plain" }, (structure(mail())))
    assert.same({ "text/html" }, without_text { html = "<p>" })
    assert.same({ "text/plain" }, without_text {})
    assert.same({ "text/calendar" }, without_text { calendar = CALENDAR })
    assert.same({ "multipart/alternative", "  text/plain", "  text/html" }, (structure(mail { html = "<p>" })))
    assert.same({ "multipart/alternative", "  text/plain", "  text/html", "  text/calendar" },
      (structure(mail { html = "<p>", calendar = CALENDAR })))
    assert.same({ "multipart/mixed", "  text/plain", "  application/pdf" },
      (structure(mail { attachments = { { content = "x", filename = "a.pdf" } } })))
    assert.same({ "multipart/mixed", "  application/pdf", "  application/octet-stream" },
      without_text { attachments = { { content = "x", filename = "a.pdf" }, { content = "y" } } })
    assert.same({ "multipart/related", "  text/html", "  image/png" },
      without_text { html = "<img src=cid:l>", attachments = { { content = "x", filename = "l.png", cid = "l" } } })
    assert.same({ "multipart/mixed", "  multipart/alternative", "    text/plain", "    multipart/related",
      "      text/html", "      image/png", "    text/calendar", "  text/csv", "  image/gif" },
      (structure(mail { html = "<img src=cid:l@x>", calendar = CALENDAR, attachments = {
        { content = "a,b", filename = "t.csv" }, { content = "x", filename = "l.png", cid = "l@x", inline = true },
        { content = "y", filename = "i.gif", inline = true } } })))
  end)

  it("marks parts as inline or attached", function()
    local _, parts = structure(mail { html = "<p>", attachments = {
      { content = "1", filename = "a.png", cid = "a" },
      { content = "2", filename = "b.png", cid = "b", inline = false },
      { content = "3", filename = "c.png", inline = true }, { content = "4", filename = "d.png" },
    } })
    local found = {}
    for _, part in ipairs(parts) do
      if part.filename then found[part.filename] = part.disposition .. (part.cid or "") end
    end
    assert.same({ ["a.png"] = "inline<a>", ["b.png"] = "attachment<b>", ["c.png"] = "inline",
      ["d.png"] = "attachment" }, found)
  end)

  it("names the method of a calendar and the type of what is related", function()
    local _, parts = structure(mail { calendar = { content = "BEGIN:VCALENDAR\nMETHOD:CANCEL\nEND:VCALENDAR\n" } })
    assert.equal("CANCEL", parts[3].parameters.method)
    _, parts = structure(mail { html = "<p>", attachments = { { content = "1", cid = "a" } } })
    assert.equal("multipart/related", parts[3].type)
    assert.equal("text/html", parts[3].parameters.type)
  end)

  it("declares 8-bit content on every level", function()
    local given = mail { text = "日本\n", html = "<p>x", attachments = { { content = "x" } } }
    local parts = judge.read({ render(given, ALL):tostring() })[1].parts
    assert.same({ "8bit", "8bit", "8bit", "7bit", "base64" },
      { parts[1].encoding, parts[2].encoding, parts[3].encoding, parts[4].encoding, parts[5].encoding })
  end)
end)

describe("a message", function()
  it("has its fields in order, and each once", function()
    local m = assert(render(mail { cc = "c@example.org", bcc = "b@example.org", reply_to = "r@example.org",
      headers = { ["X-A"] = "1" }, list_unsubscribe = { mailto = "u@example.com" } }))
    local names = {}
    for name in m:tostring():match("^(.-\r\n)\r\n"):gmatch("([^\r\n:]+):[^\r\n]*\r\n") do names[#names + 1] = name end
    assert.same({ "Date", "From", "Reply-To", "To", "Cc", "Subject", "Message-ID", "List-Unsubscribe", "X-A",
      "MIME-Version", "Content-Type" }, names)
    assert.is_nil(m:tostring():lower():find("\nbcc", 1, true))
    assert.is_nil(m:tostring():find("b@example.org", 1, true))
  end)

  it("has an identifier and a date that do not change with the rendering", function()
    local draft = assert(message.new(mail { html = "<p>" }))
    assert.is_truthy(draft.id:find("^<%x+@example%.com>$"))
    assert.equal(draft.id, draft:render().id)
    assert.equal(draft:render():tostring(), draft:render {}:tostring())
    assert.not_equal(draft.id, message.new(mail()).id)
    assert.equal("<a@b>", message.new(mail { message_id = "<a@b>" }).id)
  end)

  it("has boundaries that cannot be in its content", function()
    local seen = {}
    for _ = 1, 200 do
      local wire = render(mail { html = "<p>", attachments = { { content = "x" } } }):tostring()
      for boundary in wire:gmatch('boundary="(.-)"') do
        assert.is_truthy(boundary:find("^=_%x+$"))
        assert.is_nil(seen[boundary])
        seen[boundary] = true
      end
    end
  end)

  it("does not name twice who wrote and sent it", function()
    assert.is_nil(render(mail { sender = "N <noreply@EXAMPLE.com>" }):tostring():find("\r\nSender:", 1, true))
    local wire = render(mail { sender = "s@example.com" }):tostring()
    assert.is_truthy(wire:find("\r\nSender: s@example.com\r\n", 1, true))
  end)

  it("does not change the table it was made from", function()
    local function make()
      return mail { sender = FROM, headers = { ["X-A"] = "1" }, attachments = { { content = "x", filename = "a/b" } } }
    end
    local given = make()
    assert(render(given))
    assert.same(make(), given)
  end)

  it("is one string where it is short", function()
    for _, given in ipairs { mail(), mail { html = "<p>日本" }, mail { attachments = { { content = PDF } } },
      { raw = "From: a@b.c\r\nTo: d@e.f\r\n\r\nx" } } do
      for _, offered in ipairs { {}, ALL } do
        local m = assert(render(given, offered))
        local whole = m:whole()
        assert.equal(whole, m:tostring())
        assert.equal(#whole, m:size())
        assert.same({ whole }, { (m:chunks()()) })
      end
    end
    local path = process.write(os.tmpname(), "x")
    finally(function() os.remove(path) end)
    for _, entry in ipairs { { reader = function() end }, { content = ("x"):rep(50000) } } do
      assert.is_nil(render(mail { attachments = { entry } }):whole())
    end
    local one = render(mail { attachments = { { path = path } } })
    assert.equal(one:whole(), one:tostring())
    process.write(path, "changed")
    assert.is_nil(one:whole())
    assert.matches("changed", select(2, one:tostring()).message)
    assert.is_nil(render(mail { text = ("x\n"):rep(40000) }):whole())
    local many = {}
    for i = 1, 10 do many[i] = { content = ("x"):rep(10000) } end
    local m = assert(render(mail { attachments = many }))
    assert.is_nil(m:whole())
    assert.equal(#m:tostring(), m:size())
  end)

  it("gives the same tables every time it is asked", function()
    local m = assert(render(mail()))
    assert.equal(m:envelope(), m:envelope())
    assert.equal(m:needs(), m:needs())
    assert.not_equal(m:envelope(), render(mail()):envelope())
  end)

  it("is rendered for one server after the other", function()
    local draft = assert(message.new(mail { text = "日本\n", html = "é and plain text\n" }))
    local eight, seven = draft:render(ALL), draft:render {}
    assert.is_true(eight:needs()["8BITMIME"])
    assert.is_false(seven:needs()["8BITMIME"])
    assert.is_nil(seven:tostring():find("[\128-\255]"))
    assert.equal(eight:tostring(), draft:render(ALL):tostring())
  end)

  it("does not share with the next one what only one of them has", function()
    local first = assert(render(mail { to = "A <a@example.org>", cc = "c@example.org" }))
    local second = assert(render(mail { to = "A <a@example.org>" }))
    assert.same({ "a@example.org", "c@example.org" }, first:envelope().to)
    assert.same({ "a@example.org" }, second:envelope().to)
    assert.is_nil(second:tostring():find("Cc:", 1, true))
    refused(mail { to = "A <a@example.org" }, "to:", "never closed")
    refused(mail { to = "A <a@example.org" }, "to:", "never closed")
    local third = assert(render(mail { from = TO, sender = "N <" .. TO .. ">" }))
    assert.is_nil(third:tostring():find("\r\nSender:", 1, true))
    assert.is_truthy(render(mail { sender = "N <" .. TO .. ">" }):tostring():find("\r\nSender: N <", 1, true))
  end)

  it("is streamed in chunks of tens of kilobytes", function()
    local m = assert(render(mail { attachments = { { content = PDF:rep(100) } } }))
    local pieces, next_chunk = {}, m:chunks()
    for chunk in next_chunk do
      assert.is_true(#chunk <= 65536)
      pieces[#pieces + 1] = chunk
    end
    assert.equal(m:tostring(), table.concat(pieces))
    assert.is_true(#pieces > 10)
    assert.is_nil(next_chunk())
  end)
end)

describe("the envelope", function()
  local function envelope(given) return render(mail(given)):envelope() end

  it("is of all recipients, each once", function()
    assert.same({ from = FROM, to = { TO, "a@b", "A@b", "c@d" } },
      envelope { to = { TO, "a@b" }, cc = "N <A@b>, a@B", bcc = { "c@d", "OPS <ops@EXAMPLE.org>" } })
  end)

  it("is from the sender, else the author", function()
    assert.equal(FROM, envelope {}.from)
    assert.equal("s@example.com", envelope { sender = "S <s@example.com>" }.from)
    assert.equal("s@example.com", envelope { from = { "a@b", "c@d" }, sender = "s@example.com" }.from)
  end)

  it("is the one that is given", function()
    assert.same({ from = "bounce@example.com", to = { TO } }, envelope { envelope = { from = "bounce@example.com" } })
    assert.same({ from = "", to = { "x@y" } }, envelope { envelope = { from = "", to = "x@y, X <x@Y>" } })
    assert.same({ from = FROM, to = { "x@y" } }, render({ from = FROM, envelope = { to = { "x@y" } } }):envelope())
  end)

  it("has somebody to receive", function()
    refused({ from = FROM, text = "x" }, "to: the recipient list is empty")
    refused({ from = FROM, to = {}, text = "x" }, "to: the recipient list is empty")
    refused(mail { envelope = { to = {} } }, "the recipient list is empty")
    refused(mail { to = "" }, "to: an empty address")
    assert.is_truthy(render { from = FROM, bcc = TO })
  end)
end)

describe("SMTPUTF8", function()
  local pele = "pelé@example.org"

  it("is needed for local parts that are not ASCII, and says so where it lacks", function()
    for field, given in pairs {
      ["to"] = mail { to = pele }, ["bcc"] = mail { bcc = pele }, ["from"] = mail { from = pele },
      ["cc[2]"] = mail { cc = { TO, pele } }, ["reply_to"] = mail { reply_to = pele },
      ["envelope.to"] = mail { envelope = { to = pele } },
    } do
      refused(given, field .. ": is not ASCII, and the server does not offer SMTPUTF8")
      local m = assert(render(given, ALL))
      assert.is_true(m:needs().SMTPUTF8)
      assert.same({}, judge.lint(m:tostring(), m:needs()))
    end
  end)

  it("is not needed for names and text", function()
    local m = assert(render(mail { from = "監視 <noreply@example.com>", subject = "日本" }, ALL))
    assert.is_false(m:needs().SMTPUTF8)
  end)

  it("puts UTF-8 into the header only for the address itself", function()
    local m = assert(render(mail { to = "監視 <" .. pele .. ">" }, ALL))
    assert.same({ SMTPUTF8 = true, ["8BITMIME"] = true }, m:needs())
    assert.is_truthy(m:tostring():find("To: =?UTF-8?B?55uj6KaW?= <" .. pele .. ">", 1, true))
    m = assert(render(mail { bcc = pele }, ALL))
    assert.same({ SMTPUTF8 = true, ["8BITMIME"] = false }, m:needs())
  end)
end)

describe("attachments", function()
  local function attach(...) return mail { attachments = { ... } } end

  it("are read from a path when they are sent, and only then", function()
    local path = process.write(os.tmpname() .. " 報告.pdf", PDF)
    finally(function() os.remove(path) end)
    local m = assert(render(attach { path = path }))
    local part = judge.read({ m:tostring() })[1].parts[3]
    assert.equal(PDF, part.content)
    assert.equal("application/pdf", part.type)
    assert.equal(path:match("[^/]+$"), part.filename)
    assert.equal(#m:tostring(), m:size())
    process.write(path, PDF .. "more")
    local wire, err = m:tostring()
    assert.is_nil(wire)
    assert.is_truthy(tostring(err):find("attachments[1].path: the file", 1, true))
  end)

  it("are read from a reader, whose length nobody knows", function()
    local pieces, at = { "%PDF", "", PDF, PDF:rep(20) }, 0
    local m = assert(render(attach { filename = "r.pdf", reader = function()
      at = at + 1
      return pieces[at]
    end }))
    assert.is_nil(m:size())
    assert.equal(table.concat(pieces), judge.read({ m:tostring() })[1].parts[3].content)
    local wire, err = m:tostring()
    assert.is_nil(wire)
    assert.is_truthy(tostring(err):find("attachments[1].reader: the reader was read already", 1, true))
  end)

  it("are sent under a base name", function()
    for given, want in pairs { ["../../etc/passwd"] = "passwd", ["C:\\Users\\x\\y.doc"] = "y.doc",
      ["/a/b.txt"] = "b.txt", ["日本/語.txt"] = "語.txt" } do
      local part = judge.read({ render(attach { content = "x", filename = given }):tostring() })[1].parts[3]
      assert.equal(want, part.filename)
    end
    for _, name in ipairs { "", "..", ".", "a/", "a/..", "\\" } do
      refused(attach { content = "x", filename = name }, "attachments[1].filename:", "ends in no file name")
    end
  end)

  it("have one content", function()
    refused(attach {}, "attachments[1]: has no content", "give one of path, content and reader")
    refused(attach { path = "x", content = "y" }, "attachments[1]: has path and content")
    refused(attach({ content = "x" }, { reader = print, content = "y" }), "attachments[2]: has content and reader")
  end)

  it("come from regular files that can be read", function()
    local fifo = os.tmpname() .. ".fifo"
    process.run("mkfifo " .. fifo)
    finally(function() os.remove(fifo) end)
    refused(attach { path = "/nonexistent/a.pdf" }, 'attachments[1].path: cannot open "/nonexistent/a.pdf"',
      "No such file")
    refused(attach { path = "/etc" }, "is a directory")
    refused(attach { path = "/dev/zero" }, "is not a regular file")
    refused(attach { path = fifo }, "is a FIFO")
    refused(attach { path = "http://example.com/a.pdf" }, "No such file")
    refused(attach { path = "/etc/hostname\0.pdf" }, "NUL")
  end)

  it("have names, types and identifiers that cannot end a line or a parameter", function()
    for _, bad in ipairs { "a\r\nX: y", "a\nb", "a\0b", "a\27b", "a\194\133b", "a\tb", "a\255" } do
      refused(attach { content = "x", filename = bad }, "attachments[1].filename: the file name")
      refused(attach { content = "x", type = "text/plain; name=" .. bad }, "attachments[1].type")
      refused(attach { content = "x", cid = bad }, "attachments[1].cid")
    end
    for _, cid in ipairs { "", "a b", "<a@b>", "a>b", 'a"b', "é", ("x"):rep(300) } do
      refused(attach { content = "x", cid = cid }, "attachments[1].cid")
    end
    for _, media_type in ipairs { "", "pdf", "a/b/c", "multipart/mixed", "MULTIPART/Mixed; boundary=x" } do
      refused(attach { content = "x", type = media_type }, "attachments[1].type")
    end
    refused(attach { content = "x", filename = ("x"):rep(256) }, "longer than 255 octets")
    refused(attach({ content = "x", cid = "a" }, { content = "y", cid = "a" }), "attachments[2].cid",
      "two attachments")
    assert.is_truthy(render(attach { content = "x", filename = 'a"; b=\'c\' \\ %0d%0a', cid = "a.b@c",
      type = "X-a/b; c=\"d e\"" }))
  end)

  it("that are messages cannot be encoded, so they must fit", function()
    local inner = "Subject: x\n\ncafé\n"
    refused(attach { content = inner, filename = "m.eml" }, "attachments[1]: the attached message holds 8-bit text")
    assert.is_true(render(attach { content = inner, filename = "m.eml" }, ALL):needs()["8BITMIME"])
    refused(attach { content = ("x"):rep(1000), filename = "m.eml" }, "a line of 1000 octets")
    refused(attach { reader = print, type = "message/rfc822" }, "attachments[1].reader")
    local report = "Feedback-Type: abuse\r\nUser-Agent: x/1\r\n"
    local wire = render(attach { content = report, type = "message/feedback-report" }):tostring()
    assert.is_truthy(wire:find("\r\n\r\n" .. report, 1, true))
    refused(attach { content = inner, type = "message/delivery-status" }, "attachments[1]: the attached message")
    wire = render(attach { content = inner, type = "message/global" }):tostring()
    assert.is_truthy(wire:find("Content-Transfer-Encoding: base64\r\n", 1, true))
    assert.is_truthy(render(attach { content = inner, filename = "m.eml", type = "application/octet-stream" }))
  end)
end)

describe("a calendar", function()
  it("is an iCalendar object whose method is told", function()
    local object = "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR\r\n"
    refused(mail { calendar = {} }, "calendar.content", "iCalendar")
    refused(mail { calendar = { content = "hello" } }, "calendar.content")
    refused(mail { calendar = { content = object, method = "CANCEL" } }, "calendar.method", "CANCEL", "REQUEST")
    refused(mail { calendar = { content = "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", method = "CANCEL" } }, "missing")
    refused(mail { calendar = { content = object, method = "REQUEST\r\nX: y" } }, "calendar.method")
    refused(mail { calendar = { content = object .. "\255", method = "REQUEST" } }, "calendar.content",
      "UTF-8 at byte")
  end)
end)

describe("a message table", function()
  it("is refused with its author missing or in doubt", function()
    refused({ to = TO, text = "x" }, "from: is missing")
    refused(mail { from = {} }, "from: is missing")
    refused(mail { from = { "a@b", "c@d" } }, "from: holds 2 addresses, and there is no sender", "sender =")
    refused(mail { from = "a@b, c@d" }, "from: holds 2 addresses")
    refused(mail { sender = "a@b, c@d" }, "sender: holds 2 addresses")
  end)

  it("is refused with dates that none has", function()
    for _, seconds in ipairs { -1, 253402200001, 1e18 } do refused(mail { date = seconds }, "date:") end
  end)

  it("is the caller's mistake where its keys or types are wrong", function()
    for words, given in pairs {
      ["subjct"] = mail { subjct = "x" },
      ["did you mean \"subject\""] = mail { subjct = "x" },
      ["attachments[1].filname"] = mail { attachments = { { content = "x", filname = "y" } } },
      ["to.adress"] = mail { to = { adress = "x" } },
      ["to[2].adress"] = mail { to = { "a@b", { adress = "x" } } },
      ["\"to\""] = mail { to = 42 },
      ["to[1]"] = mail { to = { 42 } },
      ["\"text\" must be a string"] = mail { text = {} },
      ["headers.X-A"] = mail { headers = { ["X-A"] = 1 } },
      ["headers[1]"] = mail { headers = { { "X-A" } } },
      ["reader"] = mail { attachments = { { reader = "x" } } },
      ["date"] = mail { date = "today" },
      ["raw"] = { raw = 42 },
      ["raw.file"] = { raw = { file = "x" } },
    } do
      local ok, err = pcall(message.new, given)
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find(words, 1, true), tostring(err) .. " lacks " .. words)
    end
    for _, given in ipairs { 0 / 0, math.huge } do assert.is_false(pcall(message.new, mail { date = given })) end
  end)

  it("may have fields from another table, by a metatable, that are judged as its own", function()
    local usual = { from = FROM, require_tls = true }
    local function from_usual(given) return setmetatable(given, { __index = usual }) end
    local draft = assert(message.new(from_usual { to = TO, text = "x" }))
    assert.is_true(draft.wished.mail.require_tls)
    assert.equal(FROM, draft:envelope().from)
    for words, wrong in pairs { ["\"subject\" must be a string"] = { subject = 42 },
      ["\"headers.X\" must be a string"] = { headers = { X = 42 } }, ["\"from\""] = { from = 42 } } do
      usual = wrong
      local ok, err = pcall(message.new, from_usual { to = TO, text = "x" })
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find("smtpsec.message: " .. words, 1, true), tostring(err))
    end
  end)
end)
