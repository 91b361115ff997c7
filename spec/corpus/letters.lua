--- letters: mails as applications send them.
local bytes = require "spec.corpus.bytes"
local smtpsec = require "smtpsec"

local EVENT = "SUMMARY:Weekly meeting\n"
  .. "ORGANIZER:mailto:noreply@example.com\nATTENDEE;RSVP=TRUE:mailto:ops@example.org\n"

return {
  { "a password reset", given = {
    from = "Example Accounts <accounts@example.com>", to = "Jane Doe <jane.doe@example.org>",
    subject = "Reset your password", auto_submitted = "auto-generated",
    text = "Hello Jane,\n\nopen https://example.com/reset?token=3Dabc=def&x=%20y within 30 minutes.\n\n-- \nExample\n",
    html = '<p>Hello Jane,</p>\n<p><a href="https://example.com/reset?token=3Dabc=def&amp;x=%20y">Reset</a></p>\n',
  }, want = {
    from = { { name = "Example Accounts", address = "accounts@example.com" } },
    to = { { name = "Jane Doe", address = "jane.doe@example.org" } },
    headers = { { "Auto-Submitted", "auto-generated" } },
  } },
  { "a confirmation code, text only", given = { subject = "123456 is your code", text = "123456\n" } },
  { "an invoice", given = {
    from = { name = "Müller & Söhne GmbH, Buchhaltung", address = "rechnung@example.com" },
    to = { { name = "Érico Gonçalves", address = "erico@example.org" } }, bcc = "archive@example.com",
    subject = "Ihre Rechnung Nr. 2025/0042 über 1.234,56 €",
    text = "Sehr geehrte Damen und Herren,\n\nanbei unsere Rechnung über 1.234,56 €.\n",
    attachments = { { content = bytes.PDF, filename = "Rechnung 2025-0042 (Müller & Söhne).pdf" } },
  } },
  { "an invoice in three formats", given = {
    subject = "Invoice 42", text = "Attached.\n", html = "<p>Attached.</p>\n",
    attachments = {
      { content = bytes.PDF, filename = "invoice-42.pdf" },
      { content = '<?xml version="1.0"?>\n<Invoice/>\n', filename = "invoice-42.xml" },
      { content = "item;price\r\n\"a;b\";1,00\r\n", filename = "invoice-42.csv", type = "text/csv; charset=utf-8" },
    },
  } },
  { "a newsletter that is left by one click", given = {
    from = "Weekly <news@example.com>", to = "reader@example.org", subject = "Issue 7: ten things ✨",
    text = "Read it in your browser: https://example.com/7\n",
    html = '<!doctype html>\n<html><body style="margin:0"><h1>Issue 7 ✨</h1></body></html>\n',
    list_unsubscribe = { url = "https://example.com/u/7?r=abc%2Bdef", mailto = "mailto:leave@example.com?subject=leave",
      one_click = true },
    headers = { { "List-Id", "Weekly <weekly.example.com>" }, { "Precedence", "bulk" },
      { "Feedback-ID", "7:weekly:example" } },
  }, want = {
    from = { { name = "Weekly", address = "news@example.com" } },
    headers = {
      { "List-Unsubscribe", "<mailto:leave@example.com?subject=leave>, <https://example.com/u/7?r=abc%2Bdef>" },
      { "List-Unsubscribe-Post", "List-Unsubscribe=One-Click" },
      { "List-Id", "Weekly <weekly.example.com>" }, { "Precedence", "bulk" }, { "Feedback-ID", "7:weekly:example" },
    },
  } },
  { "a list that is left by mail", given = { list_unsubscribe = { mailto = "leave+7@example.com" } },
    want = { headers = { { "List-Unsubscribe", "<mailto:leave+7@example.com>" } } } },
  { "a list that is left on a page with a very long address", given = {
    list_unsubscribe = { url = "https://example.com/u?x=" .. ("y"):rep(700) } },
    want = { headers = { { "List-Unsubscribe", "<https://example.com/u?x=" .. ("y"):rep(700) .. ">" } } } },
  { "a discussion list's mail", given = {
    from = "Jane <jane@example.org>", sender = "list-bounces@example.com", to = "list@example.com",
    reply_to = { "list@example.com", { name = "Jane", address = "jane@example.org" } },
    subject = "[list] Re: [list] Re: AW: an old thread", envelope = { from = "list-bounces+x=y@example.com" },
    headers = { { "In-Reply-To", "<a.1@example.org>" }, { "References", "<a.0@example.org> <a.1@example.org>" },
      { "List-Post", "<mailto:list@example.com>" }, { "List-Archive", "<https://example.com/list/>" } },
  }, want = { from = { { name = "Jane", address = "jane@example.org" } } } },
  { "a monitoring alert", given = {
    from = "監視 <noreply@example.com>", to = { "ops@example.org", "on-call@example.org" },
    subject = "【重大】ディスク使用率 93% (web-01)", auto_submitted = "auto-generated",
    text = "ホスト: web-01\n使用率: 93%\n"
      .. ("ファイルシステム /dev/sda1 の空き容量が少なくなっています。"):rep(5) .. "\n",
    headers = { { "X-Priority", "1" }, { "Importance", "high" } },
  }, want = { from = { { name = "監視", address = "noreply@example.com" } },
    headers = { { "Auto-Submitted", "auto-generated" }, { "X-Priority", "1" }, { "Importance", "high" } } } },
  { "a cron job's output", given = { from = "root@host.example.com",
    subject = "Cron <root@host> /etc/cron.daily/backup",
    text = "tar: Removing leading `/' from member names\n\27[31mfailed\27[0m\twith 1\n\n"
      .. "From here on all was well\n" } },
  { "a notification that nobody shall answer", given = {
    auto_submitted = "auto-replied", envelope = { from = "" }, subject = "Out of office",
    headers = { { "In-Reply-To", "<x@example.org>" }, { "X-Auto-Response-Suppress", "All" } } },
    want = { headers = { { "Auto-Submitted", "auto-replied" }, { "In-Reply-To", "<x@example.org>" },
      { "X-Auto-Response-Suppress", "All" } } } },
  { "an invitation", given = { subject = "Invitation: weekly meeting", text = "You are invited.\n",
    calendar = { method = "REQUEST", content = bytes.calendar("REQUEST", EVENT) } } },
  { "an invitation with html and the file attached", given = { text = "You are invited.\n",
    html = "<p>You are invited.</p>",
    calendar = { method = "REQUEST", content = bytes.calendar("REQUEST", EVENT) },
    attachments = { { content = bytes.calendar("REQUEST", EVENT), filename = "invite.ics" } } },
    want = { tree = "mixed(alternative(plain html calendar) text/calendar)" } },
  { "a meeting called off", given = { subject = "Cancelled: weekly meeting", text = "Called off.\n",
    calendar = { method = "CANCEL", content = bytes.calendar("CANCEL", "STATUS:CANCELLED\n" .. EVENT) } } },
  { "an answer to an invitation", given = { subject = "Accepted: weekly meeting",
    calendar = { method = "REPLY",
      content = bytes.calendar("REPLY", "ATTENDEE;PARTSTAT=ACCEPTED:mailto:noreply@example.com\n") } } },
  { "an invitation in Japanese, with line feeds", given = { text = "会議のご案内\n",
    calendar = { content = bytes.calendar("REQUEST", "SUMMARY:定例会議\nLOCATION:本社 3F\n", "\n") } },
    want = { method = "REQUEST" } },
  { "a published calendar", given = { text = "Holidays\n",
    calendar = { method = "publish", content = bytes.calendar("PUBLISH", "SUMMARY:New Year\n") } },
    want = { method = "PUBLISH" } },
  { "a calendar without a method", given = { text = "An event\n",
    calendar = { content = bytes.calendar(nil, "SUMMARY:x\n") } } },
  { "a report with its images", given = {
    subject = "Weekly report", text = "See the images.\n",
    html = '<p><img src="cid:chart@example.com"> <img src="cid:logo@example.com"></p>\n',
    attachments = { { content = bytes.PNG, filename = "chart.png", cid = "chart@example.com" },
      { content = bytes.PNG:reverse(), filename = "logo.jpg", cid = "logo@example.com", inline = true },
      { content = bytes.PDF, filename = "report.pdf" } } },
    want = { tree = "mixed(alternative(plain related(html image/png image/jpeg)) application/pdf)" } },
  { "a forwarded mail", given = { subject = "Fwd: hello", text = "See below.\n", attachments = { {
    content = "From: a@example.org\nTo: b@example.org\nSubject: =?UTF-8?Q?caf=C3=A9?=\n"
      .. "Date: Sat, 22 Nov 2025 10:00:00 +0900\n"
      .. "Message-ID: <a@example.org>\n\nFrom the inside.\n.\n", filename = "hello.eml" } } } },
  { "a forwarded mail with parts", given = { text = "See below.\n", attachments = { { type = "message/rfc822",
    content = "From: a@example.org\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=inner\r\n\r\n"
      .. "--inner\r\nContent-Type: text/plain\r\n\r\nhi\r\n--inner\r\nContent-Type: image/png\r\n"
      .. "Content-Transfer-Encoding: base64\r\n\r\niVBORw==\r\n--inner--\r\n" } } } },
  -- No multipart in its multipart: Python, asked for what it has read, would write an empty line behind that.
  { "a mail that was composed here, attached to another", given = function()
    local inner = assert(smtpsec.message { from = "監視 <a@bücher.example>", to = "b@example.org", bcc = "c@example.org",
      subject = "ディスク使用率 93%", text = "本文\n", attachments = { { content = bytes.PNG, filename = "グラフ.png" } } })
    return { text = "See below.\n", attachments = { { type = "message/rfc822", content = assert(inner:tostring()),
      filename = "alarm.eml" } } }
  end },
  { "a forwarded mail with 8-bit text", needs = "8BITMIME", given = { text = "See below.\n", attachments = {
    { type = "message/rfc822", content = "From: a@example.org\nContent-Type: text/plain; charset=UTF-8\n"
      .. "Content-Transfer-Encoding: 8bit\n\ncafé\n" } } } },
  { "two forwarded mails and nothing else", given = { text = false, attachments = {
    { type = "message/rfc822", content = "From: a@example.org\nSubject: one\n\n1\n" },
    { type = "message/rfc822", content = "From: a@example.org\nSubject: two\n\n2" } } } },
  { "an order in Japanese", given = {
    from = { name = "株式会社サンプル 通販部", address = "order@example.com" },
    to = { { name = "山田 太郎 様", address = "taro@example.org" } },
      subject = "【株式会社サンプル】ご注文ありがとうございます（注文番号：2025-1122-0001）",
    text = "山田 太郎 様\n\nこの度はご注文いただき、誠にありがとうございます。\n合計 ¥12,300（税込）\n",
    attachments = { { content = bytes.PDF,
      filename = "領収書_2025年11月22日_注文番号2025-1122-0001_株式会社サンプル.pdf" } } } },
  { "a mail in Arabic", given = { from = { name = "فريق الدعم", address = "support@example.com" },
    subject = "إعادة تعيين كلمة المرور (Example) 123",
      text = "مرحبا،\n\u{200F}123 ABC\u{200E}\n", html = '<p dir="rtl">مرحبا</p>',
    attachments = { { content = "x", filename = "تقرير شهري 2025.pdf" } } } },
  { "a mail in Hebrew with marks of direction", given = { subject = "\u{202B}שלום\u{202C} - hello",
    text = "שָׁלוֹם\n" } },
  { "a mail in Hindi",
    given = { subject = "नमस्ते दुनिया: क्षेत्रीय कार्यालय से आपका मासिक विवरण", text = "नमस्ते\n" } },
  { "a mail in Thai",
    given = { subject = "ใบแจ้งหนี้ของคุณประจำเดือนพฤศจิกายนพร้อมให้ดาวน์โหลดแล้ววันนี้", text = "สวัสดี\n" } },
  { "a mail in Russian", given = { from = { name = "Служба поддержки", address = "support@example.com" },
    subject = "Ваш заказ № 42 отправлен", text = "Здравствуйте!\n" } },
  { "a mail in Korean, its letters taken apart", given = { subject = ("한국어 제목 "):rep(6) .. "끝",
    text = "안녕\n" } },
  { "a notice with a log attached", given = { subject = "build failed", text = "see the log\n", attachments = {
    { content = "line 1\nline 2 \n.\nFrom x\n\tend", filename = "build.log" } } } },
  { "a backup's reports, ten of them", given = (function()
    local many = {}
    for i = 1, 10 do many[i] = { content = ("report %d\n"):format(i):rep(i),
      filename = ("report-%02d.txt"):format(i) } end
    return { text = "ten\n", attachments = many }
  end)() },
  { "a contact and a key", given = { text = "my card\n", attachments = {
    { content = "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Jane\r\nEND:VCARD\r\n", filename = "jane.vcf" },
    { content = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nx\n", filename = "jane.asc",
      type = "application/pgp-keys" } } } },
}
