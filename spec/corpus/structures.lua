--- structures: what parts a message has, and how they are nested.
local bytes = require "spec.corpus.bytes"

local INVITATION = { method = "REQUEST", content = bytes.calendar("REQUEST", "SUMMARY:x\n") }
local FILE = { content = bytes.PDF, filename = "a.pdf" }
local IMAGE = { content = bytes.PNG, filename = "i.png", cid = "i@example.com" }
local SHOWN = { content = bytes.PNG, filename = "shown.png", inline = true }
local HTML = '<img src="cid:i@example.com">'

return {
  { "text alone", given = {}, want = { tree = "plain" } },
  { "html alone", given = { text = false, html = "<p>x\n" }, want = { tree = "html" } },
  { "an invitation alone", given = { text = false, calendar = INVITATION }, want = { tree = "calendar" } },
  { "nothing at all", given = { text = false }, want = { tree = "plain", text = "" } },
  { "text and html", given = { html = "<p>x\n" }, want = { tree = "alternative(plain html)" } },
  { "text and an invitation", given = { calendar = INVITATION }, want = { tree = "alternative(plain calendar)" } },
  { "html and an invitation", given = { text = false, html = "<p>", calendar = INVITATION },
    want = { tree = "alternative(html calendar)" } },
  { "text, html and an invitation", given = { html = "<p>", calendar = INVITATION },
    want = { tree = "alternative(plain html calendar)" } },
  { "html with an image", given = { text = false, html = HTML, attachments = { IMAGE } },
    want = { tree = "related(html image/png)" } },
  { "text, and html with an image", given = { html = HTML, attachments = { IMAGE } },
    want = { tree = "alternative(plain related(html image/png))" } },
  { "text, html with an image, and an invitation", given = { html = HTML, calendar = INVITATION,
    attachments = { IMAGE } },
    want = { tree = "alternative(plain related(html image/png) calendar)" } },
  { "an attachment alone", given = { text = false, attachments = { FILE } },
    want = { tree = "mixed(application/pdf)" } },
  { "text and an attachment", given = { attachments = { FILE } }, want = { tree = "mixed(plain application/pdf)" } },
  { "html and an attachment", given = { text = false, html = "<p>", attachments = { FILE } },
    want = { tree = "mixed(html application/pdf)" } },
  { "text, html and an attachment", given = { html = "<p>", attachments = { FILE } },
    want = { tree = "mixed(alternative(plain html) application/pdf)" } },
  { "html with an image, and an attachment", given = { text = false, html = HTML, attachments = { FILE, IMAGE } },
    want = { tree = "mixed(related(html image/png) application/pdf)", order = { 2, 1 } } },
  { "everything at once", given = { html = HTML, calendar = INVITATION, attachments = { FILE, IMAGE, SHOWN } },
    want = { tree = "mixed(alternative(plain related(html image/png) calendar) application/pdf image/png)",
      order = { 2, 1, 3 } } },
  { "an invitation and an attachment", given = { calendar = INVITATION, attachments = { FILE } },
    want = { tree = "mixed(alternative(plain calendar) application/pdf)" } },
  { "a part with a cid, and no html", given = { attachments = { IMAGE } }, want = { tree = "mixed(plain image/png)" } },
  { "a part with a cid that is attached", given = { html = "<p>", attachments = {
    { content = bytes.PNG, filename = "b.png", cid = "b@example.com", inline = false } } },
    want = { tree = "mixed(alternative(plain html) image/png)" } },
  { "an image to be shown below the text", given = { attachments = { SHOWN } },
    want = { tree = "mixed(plain image/png)" } },
  { "three images of one html", given = { text = false, html = "<img src=cid:a><img src=cid:b><img src=cid:c>",
    attachments = { { content = "1", cid = "a", type = "image/gif" }, { content = "2", cid = "b", type = "image/webp" },
      { content = "3", cid = "c", type = "image/svg+xml" } } },
    want = { tree = "related(html image/gif image/webp image/svg+xml)" } },
  { "a font and a style that html refers to", given = { html = '<link href="cid:s"><p>', attachments = {
    { content = "p { color: red }\n", cid = "s", filename = "s.css" },
      { content = "\0\1", cid = "f", filename = "f.woff2" },
  } }, want = { tree = "alternative(plain related(html text/css font/woff2))" } },
  { "empty text and empty html", given = { text = "", html = "" }, want = { tree = "alternative(plain html)" } },
  { "empty text and an empty attachment", given = { text = "",
    attachments = { { content = "", filename = "e.txt" } } } },
}
