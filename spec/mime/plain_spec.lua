-- The mail that is written in one step is the mail that would have been made part by part: the same octets, but for
-- what nobody can guess; so is the header that is written in one step. A table is plain, or its header is, or neither;
-- whatever is wrong in a header makes it no plain one.
local bad = require "spec.corpus.bad"
local compose = require "smtpsec.mime.compose"
local composed = require "smtpsec.mime.composed"
local corpus = require "spec.corpus.corpus"
local date = require "smtpsec.mime.date"
local keeper = require "spec.support.keeper"
local message = require "smtpsec.message"
local part = require "smtpsec.mime.part"
local process = require "spec.support.process"
local random = require "spec.corpus.random"
local stream = require "smtpsec.mime.stream"

local MOMENT = 1763776800
local ALL = { ["8BITMIME"] = true, SMTPUTF8 = true }
local TOKEN = ("%x"):rep(32)

local function without_tokens(s) return (s:gsub(TOKEN, "TOKEN")) end

local function copy(given)
  local other = {}
  for key, value in pairs(given) do other[key] = value end
  return other
end

-- Everything that a draft becomes for a server that offers this; or nil and the error.
local function octets(draft, offered)
  local whole, segments, err = part.render(draft.tree, draft.head, offered)
  if not whole and not segments then return nil, tostring(err) end
  local next_piece, all = stream.pieces(segments or { whole }), {}
  for piece in next_piece do all[#all + 1] = piece end
  return without_tokens(table.concat(all))
end

-- Whether a part can be read but once.
local function is_read_once(given)
  for _, attachment in ipairs(type(given.attachments) == "table" and given.attachments or {}) do
    if attachment.reader then return true end
  end
  return false
end

local function at_once(given) return compose.plain(given, date.format(MOMENT)) end

-- What is plain of a table: "whole", "head", or nothing. What comes of it must be the same as by its parts then, or
-- refused for the same reason.
local function plain_part(given)
  local written, id, from, to, whole = at_once(given)
  if not written then return "nothing" end
  local dated = copy(given)
  dated.date = MOMENT
  local draft, err = composed.new(dated)
  local behind, behind_err = composed.behind(given, written, id, from, to)
  assert.equal(err and err.message, behind_err and behind_err.message)
  if not draft then
    assert.is_false(whole)
    return "head"
  end
  assert.equal(without_tokens(draft.id), without_tokens(id))
  assert.is_truthy(written:find("\r\nMessage-ID: " .. id .. "\r\n", 1, true))
  assert.equal(draft.parties.from, from)
  assert.same(draft.parties.to, to)
  assert.equal(without_tokens(draft.head), without_tokens(whole and written:sub(1, #draft.head) or written))
  for _, offered in ipairs(is_read_once(given) and {} or { {}, ALL }) do
    local all, refused = octets(draft, offered)
    if whole then
      assert.equal(all, without_tokens(written))
    else
      assert.same({ all, refused }, { octets(behind, offered) })
    end
  end
  return whole and "whole" or "head"
end

local function mail(more)
  local given = { from = "noreply@example.com", to = "ops@example.org", subject = "x", text = "hello\n" }
  for key, value in pairs(more) do given[key] = value end
  for key, value in pairs(given) do
    if value == false then given[key] = nil end
  end
  return given
end

local LONG = ("a"):rep(998)

local PLAIN = {
  ["a text"] = {},
  ["an html"] = { text = false, html = "<p>x</p>" },
  ["both"] = { html = "<p>x</p>\n" },
  ["an empty text"] = { text = "" },
  ["no subject"] = { subject = false },
  ["an empty subject"] = { subject = "" },
  ["a subject of many words"] = { subject = ("word "):rep(60) .. "end" },
  ["a subject in Japanese"] = { subject = ("日本語の件名"):rep(20) },
  ["names"] = { from = '"Doe, Jane" <jane@example.com>', to = "Ops  Team <ops@example.org>" },
  ["a name in Japanese"] = { from = "山田太郎 <taro@example.com>" },
  ["many names"] = { to = "A <a@example.org>, b@example.org,<c@example.org>, \"d\" <d@example.org>" },
  ["a list"] = { to = { "a@example.org", "B <b@example.org>", '"x, y" <c@example.org>' } },
  ["a recipient named twice"] = { to = "a@Example.org", cc = { "a@example.ORG", "A@example.org", "b@example.org" },
    bcc = "b@example.org, c@example.org" },
  ["copies alone"] = { to = false, cc = "c@example.org" },
  ["blind copies alone"] = { to = false, bcc = { "c@example.org", "d@example.org" } },
  ["answers elsewhere"] = { reply_to = "Desk <desk@example.com>, x@example.com" },
  ["a quoted local part"] = { to = '"a b"@example.org' },
  ["address literals"] = { from = "a@[IPv6:2001:db8::A]", to = "b@[192.0.2.1], B@[192.0.2.1]" },
  ["every field"] = { to = "a@b.example", cc = { "c@b.example" }, bcc = "d@b.example", reply_to = { "e@b.example" },
    html = "<p>x</p>" },
  ["line ends of any kind"] = { text = "a\rb\nc\r\nd\r\r\n\n", html = "\n\r" },
  ["no line end"] = { text = "a", html = "b" },
  ["what relays alter"] = { text = "From here \n.\n..\nblank \n\tx\t\n" },
  ["a long line"] = { text = LONG .. "\n" },
  ["a longer line"] = { text = LONG .. "a\n", html = ("b"):rep(5000) },
  ["controls in a text"] = { text = "a\1b\27[0m\127\n" },
  ["a text of the greatest length"] = { text = ("0123456789abcde\n"):rep(2048) },
  ["a list of thousands"] = (function()
    local to = {}
    for i = 1, 2000 do to[i] = ("u%d@example.org"):format(i % 1500) end
    return { to = to }
  end)(),
  ["the longest name"] = { to = ("n"):rep(998) .. " <a@example.org>" },
  ["the longest address"] = { to = ("l"):rep(64) .. "@" .. ("d"):rep(63) .. "." .. ("d"):rep(63) .. "."
    .. ("d"):rep(61) },
}

-- Sound, and made of parts: what depends on the server, is long, or has more parts.
local HEADS = {
  ["a text in 8 bits"] = { text = "日本語\n" },
  ["an html in 8 bits"] = { html = "é" },
  ["a longer text"] = { text = ("0123456789abcde\n"):rep(2048) .. "x" },
  ["more than 64 KiB"] = { text = ("0123456789abcde\n"):rep(2048), html = ("0123456789abcde\n"):rep(2048) },
  ["no text"] = { text = false },
  ["an attachment"] = { attachments = { { content = "x", filename = "x" } } },
  ["an attachment alone"] = { text = false, attachments = { { content = ("x"):rep(100000), type = "text/plain" } } },
  ["an image in the html"] = { html = "<img src=cid:a>", attachments = { { content = "x", cid = "a" } } },
  ["an empty list of attachments"] = { attachments = {} },
}

-- Sound, with a header that few mails have.
local OTHERS = {
  ["a sender"] = { sender = "s@example.com" },
  ["headers"] = { headers = { ["X-A"] = "1" } },
  ["an identifier"] = { message_id = "<a@example.com>" },
  ["a charset"] = { charset = "ISO-2022-JP" },
  ["an envelope"] = { envelope = { from = "" } },
  ["a wish"] = { dsn = { notify = { "failure" } } },
  ["a group"] = { to = "Team: a@example.org, b@example.org;" },
  ["an address that is a table"] = { to = { { name = "A", address = "a@example.org" } } },
  ["an author that is a table"] = { from = { name = "A", address = "a@example.org" } },
  ["a domain with umlauts"] = { to = "a@bücher.example" },
  ["a domain in A-labels"] = { to = "a@xn--bcher-kva.example" },
  ["an empty list beside another"] = { cc = {} },
}

local REFUSED = {
  ["no author"] = { from = false },
  ["two authors"] = { from = "a@example.com, b@example.com" },
  ["nobody to send it to"] = { to = false },
  ["nobody in the list"] = { to = {} },
  ["an empty address"] = { to = "" },
  ["a comma behind the last address"] = { to = "a@b.example," },
  ["two addresses in one of a list"] = { to = { "a@b.example, c@b.example" } },
  ["a longer name"] = { to = ("n"):rep(999) .. " <a@example.org>" },
  ["a local part that is not ASCII"] = { to = "é@b.example" },
  ["a line feed in a subject"] = { subject = "a\nBcc: x@y.example" },
  ["a line feed in an address"] = { to = "a@b.example\n" },
  ["a line feed in a name"] = { to = { '"a\nb" <a@b.example>' } },
  ["broken UTF-8 in a name"] = { cc = "\255 <a@b.example>" },
}

local REFUSED_BODIES = {
  ["broken UTF-8 in a text"] = { text = "\255" },
  ["NUL in an html"] = { html = "\0" },
  ["an attachment without content"] = { attachments = { {} } },
  ["an attachment with a control in its name"] = { attachments = { { content = "x", filename = "a\nb" } } },
}

describe("a plain mail", function()
  for what, more in pairs(PLAIN) do
    it("is one with " .. what .. ", and the same as by its parts", function()
      assert.equal("whole", plain_part(mail(more)))
    end)
  end

  for what, more in pairs(HEADS) do
    it("has its header alone with " .. what .. ", and the same parts behind it", function()
      assert.equal("head", plain_part(mail(more)))
      assert(assert(message.new(mail(more))):render(ALL))
    end)
  end

  for what, more in pairs(OTHERS) do
    it("is none with " .. what .. ", which is sent all the same", function()
      assert.equal("nothing", plain_part(mail(more)))
      assert(assert(message.new(mail(more))):render(ALL))
    end)
  end

  for what, more in pairs(REFUSED) do
    it("is none with " .. what .. ", which is refused", function()
      assert.equal("nothing", plain_part(mail(more)))
      local draft = message.new(mail(more))
      assert.is_nil(draft and draft:render {})
    end)
  end

  for what, more in pairs(REFUSED_BODIES) do
    it("has its header alone with " .. what .. ", which is refused", function()
      assert.equal("head", plain_part(mail(more)))
      assert.is_nil((message.new(mail(more))))
    end)
  end

  it("is a table of strings", function()
    for _, given in ipairs { "a", 1, {}, { mail {} }, mail { subject = 1 }, mail { text = {} }, mail { to = { 1 } },
      mail { to = { "a@b.example", x = "c@b.example" } },
      mail { to = { "a@b.example", nil, "c@b.example" } }, mail { [1] = "x" }, mail { Subject = "x" },
      mail { ["cc\0"] = "a@b.example" }, mail { attachments = "x" },
      setmetatable(mail {}, {}),
      mail { to = setmetatable({ "a@b.example" }, {}) } } do
      assert.is_nil(at_once(given))
    end
    assert.is_nil(at_once(nil))
    assert.is_truthy(at_once(mail {}))
  end)

  it("is held to its Lua types wherever they come from", function()
    for _, given in ipairs { mail { attachments = { { content = 1 } } }, mail { attachments = { "x" } },
      mail { attachments = { { content = "x", inline = "yes" } } }, mail { attachments = { { contents = "x" } } },
      mail { attachments = { { content = "x" }, nil, { content = "x" } } },
      mail { attachments = { setmetatable({ filename = "x" }, { __index = { content = 1 } }) } },
      setmetatable(mail { from = false }, { __index = { from = 1 } }) } do
      local fine, why = pcall(message.new, given)
      assert.is_false(fine)
      assert.is_truthy(why:find("smtpsec.message: ", 1, true), why)
    end
    assert(message.new(mail { attachments = { { content = "x" }, { content = "y", inline = true } } }))
    assert(message.new(mail { attachments = { setmetatable({}, { __index = { content = "x" } }) } }))
    assert(message.new(setmetatable(mail { from = false }, { __index = { from = "a@b.example" } })))
  end)

  it("is the same as by its parts, whichever of the corpus are plain", function()
    local folder
    local function files(content, name)
      folder = folder or keeper.own():new_folder "plain"
      return process.write(folder .. "/" .. name, content)
    end
    local written, made = corpus.cases(random.SEED)
    local seen = { whole = 0, head = 0, nothing = 0 }
    for _, list in ipairs { written, made } do
      for _, case in ipairs(list) do
        local what = plain_part(corpus.given(case, files))
        seen[what] = seen[what] + 1
      end
    end
    for what, count in pairs(seen) do assert.is_true(count >= 60, what .. ": " .. count .. " of the corpus") end
  end)

  it("is none with what is refused in any field", function()
    local tried = 0
    for _, fields in ipairs { bad.fields, bad.ascii_fields } do
      for _, make in pairs(fields) do
        for _, control in ipairs(bad.controls) do
          assert.not_equal("whole", plain_part(mail(make("A" .. control .. "B"))))
          tried = tried + 1
        end
        plain_part(mail(make "AB"))
      end
    end
    for _, case in ipairs(bad.cases) do
      plain_part(corpus.given { given = case.bad })
      plain_part(corpus.given { given = case.good })
    end
    assert.is_true(tried > 100)
  end)

  it(("is the same as by its parts, made at random (seed %d)"):format(random.SEED), function()
    local numbers = random.numbers(random.SEED)
    local pieces = { "a", "a", "Jane ", "Doe", "<", ">", "@", "@", ",", ";", ":", '"', "\\", " ", "b.example", "é",
      "\n", "=?", "a@b.example", "a@b.example", "c@B.example", "<d@b.example>", "(", "[1.2.3.4]" }
    local texts = { "line\n", "x", " ", "\r", "\n", "\r\n", "=", "From ", ".", "é", "\t", ("w"):rep(300), "\0" }
    local function some(list, most)
      local all = {}
      for i = 1, numbers(most) - 1 do all[i] = list[numbers(#list)] end
      return table.concat(all)
    end
    local function people()
      local way = numbers(8)
      if way == 1 then return nil end
      if way == 2 then return some(pieces, 6) end
      if way <= 6 then return "a@b.example" end
      local list = {}
      for i = 1, numbers(4) - 1 do
        list[i] = numbers(9) == 1 and some(pieces, 5) or "a" .. numbers(3) .. "@b.example"
      end
      return list
    end
    local whole, head = 0, 0
    for _ = 1, 4000 do
      local given = { from = numbers(9) == 1 and people() or "a@b.example", to = people(), cc = people(),
        bcc = people(), reply_to = people(), subject = some(pieces, 8),
        text = numbers(4) > 1 and some(texts, 12) or nil, html = numbers(3) == 1 and some(texts, 12) or nil }
      local what = plain_part(given)
      if what == "whole" then whole = whole + 1 end
      if what == "head" then head = head + 1 end
    end
    assert.is_true(whole > 300 and head > 100, ("%d of 4000 are plain, of %d more the header"):format(whole, head))
  end)

  it("has an identifier and a boundary of its own each time", function()
    local given, seen = mail { html = "x" }, {}
    for _ = 1, 50 do
      local tokens = 0
      for token in at_once(given):gmatch("[<=_](" .. TOKEN .. ")") do
        if not seen[token] then seen[token], tokens = true, tokens + 1 end
      end
      assert.equal(2, tokens)
    end
  end)

  it("is rendered for every server, and is its own message", function()
    local draft = assert(message.new(mail {}))
    assert.equal(draft:render(ALL):tostring(), draft:render {}:tostring())
    assert.same({ ["8BITMIME"] = false, SMTPUTF8 = false }, draft:render(ALL):needs())
    assert.equal(#draft:render():tostring(), draft:render():size())
  end)
end)
