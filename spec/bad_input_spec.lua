--- What no message can be made of (spec/corpus/bad.lua), each refused with its reason beside a neighbour that is taken.
local bad = require "spec.corpus.bad"
local corpus = require "spec.corpus.corpus"
local message = require "smtpsec.message"

local NONE, ALL = {}, { ["8BITMIME"] = true, SMTPUTF8 = true }

describe("bad input", function()
  -- What becomes of a table for a server: the message, or nil and the error.
  local function render(more, offered)
    local draft, err = message.new(corpus.given({ given = more }))
    if not draft then return nil, err end
    return draft:render(offered)
  end

  local function refused(more, offered, ...)
    local m, err = render(more, offered)
    assert.is_nil(m)
    assert.equal("message", err.kind)
    assert.is_false(err.temporary)
    assert.is_nil(tostring(err):find("[%c\127]"), "the error holds what was refused")
    for _, words in ipairs { ... } do assert.is_truthy(tostring(err):find(words, 1, true), tostring(err)) end
  end

  for _, case in ipairs(bad.cases) do
    it("is " .. case[1] .. ", and is refused where its neighbour is taken", function()
      refused(case.bad, NONE, (table.unpack or unpack)(case.says))
      assert(render(case.good, NONE))
    end)
  end

  it("is a control character in any field", function()
    for _, fields in ipairs { bad.fields, bad.ascii_fields } do
      for field, make in pairs(fields) do
        for _, control in ipairs(bad.controls) do refused(make("A" .. control .. "B"), ALL, field) end
        assert(render(make "AB", NONE))
      end
    end
  end)

  it("is a name of a header with a control character", function()
    for _, control in ipairs(bad.controls) do
      refused({ headers = { ["X-A" .. control .. "Bcc"] = "x" } }, ALL, "is no name of a header field")
    end
  end)

  it("is what is no UTF-8, named by its field and its byte", function()
    for field, make in pairs(bad.fields) do
      local quoted = field:find("^%l+$") and field ~= "subject" or field:find("^envelope")
      local at = ("at byte %d"):format(quoted and 4 or 3)
      for _, broken in ipairs(bad.no_utf8) do refused(make("AB" .. broken .. "C"), ALL, field, at) end
      assert(render(make "ABéC", ALL))
    end
    for field, make in pairs(bad.ascii_fields) do
      for _, broken in ipairs(bad.no_utf8) do refused(make("A" .. broken .. "B"), ALL, field, "at byte") end
    end
  end)

  it("is NUL, and what is no UTF-8, in a body, named by its byte", function()
    for field, make in pairs(bad.bodies) do
      local at = ("at byte %d"):format(bad.body_offsets[field] + 3)
      for _, broken in ipairs(bad.no_utf8) do refused(make("AB" .. broken .. "C"), ALL, field, at) end
      refused(make "AB\0C", ALL, field, "NUL " .. at)
      assert(render(make "AB\1\27\r\n\té", ALL))
    end
  end)

  it("is a key or a Lua type that no message has: the caller's mistake", function()
    for words, more in pairs {
      ["subjct"] = { subjct = "x" }, ["auto_submitted"] = { auto_submitted = "sometimes" },
      ["to[1].member"] = { to = { { group = "A", member = {} } } },
        ["attachments[1].url"] = { attachments = { { url = "x" } } },
      ["to[1].members"] = { to = { { group = "A", members = "a@example.org" } } },
      ["to[1].members[1]"] = { to = { { group = "A", members = { { group = "B" } } } } },
    } do
      local ok, err = pcall(render, more, NONE)
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find(words, 1, true), tostring(err))
    end
  end)
end)
