local address = require "smtpsec.address"

local function shown(boxes)
  local all = {}
  for i, box in ipairs(boxes) do all[i] = (box.name and box.name .. "|" or "") .. box.address end
  return all
end

local function parse(value)
  local boxes, err = address.parse(value, "to")
  return boxes and shown(boxes), err
end

local function refused(value, ...)
  local boxes, err = address.parse(value, "to")
  assert.is_nil(boxes)
  assert.equal("message", err.kind)
  for _, part in ipairs { ... } do
    assert.is_truthy((tostring(err)):find(part, 1, true), tostring(err) .. " lacks " .. part)
  end
end

describe("an address", function()
  it("is a string, a name with brackets, or a table", function()
    assert.same({ "a@b" }, parse("a@b"))
    assert.same({ "Jane Doe|jane@example.com" }, parse("Jane Doe <jane@example.com>"))
    assert.same({ "Jane|jane@example.com" }, parse { name = "Jane", address = "jane@example.com" })
    assert.same({ "jane@example.com" }, parse { address = "jane@example.com" })
    assert.same({ "a@b" }, parse("<a@b>"))
    assert.same({ "a@b" }, parse("   a@b  "))
    assert.same({ "a@b" }, parse { name = "", address = "a@b" })
  end)

  it("is a list, of Lua or with commas", function()
    assert.same({ "a@b", "C|c@d", "E|e@f" }, parse { "a@b", "C <c@d>", { name = "E", address = "e@f" } })
    assert.same({ "a@b", "C|c@d", "e@f" }, parse("a@b, C <c@d>,e@f"))
    assert.same({}, parse {})
    assert.same({ "Doe, Jane|j@x", "a@b" }, parse('"Doe, Jane" <j@x>, a@b'))
  end)

  it("knows its parts", function()
    assert.same({ { name = "J", address = '"j doe"@Example.COM', local_part = '"j doe"', domain = "Example.COM",
      internationalized = false, field = "to[2]" } }, { address.parse('a@b, J <"j doe"@Example.COM>', "to")[2] })
    assert.is_true(address.parse("pelé@example.com", "to")[1].internationalized)
  end)

  it("has names in any script, quoted where they must be", function()
    assert.same({ "監視 システム|a@b" }, parse("監視 システム <a@b>"))
    assert.same({ 'say "hi" \\o/|a@b' }, parse('"say \\"hi\\" \\\\o/" <a@b>'))
    assert.same({ "Dr. O'Neil [x]|a@b" }, parse("Dr. O'Neil [x] <a@b>"))
    assert.same({ "a@b.c (x), <y>; z:|a@b" }, parse('"a@b.c (x), <y>; z:" <a@b>'))
    assert.same({ "=?utf-8?Q?typed?=|a@b" }, parse("=?utf-8?Q?typed?= <a@b>"))
    assert.same({ "anything, (at) <all>@x|a@b" }, parse { name = "anything, (at) <all>@x", address = "a@b" })
  end)

  it("has quoted local parts and address literals", function()
    assert.same({ '"a>b,c"@d' }, parse('"a>b,c"@d'))
    assert.same({ 'N|"a>b,c \\" @x"@d' }, parse('N <"a>b,c \\" @x"@d>'))
    assert.same({ "a@[192.0.2.1]", "b@[IPv6:2001:db8::1]" }, parse("a@[192.0.2.1], b@[IPv6:2001:db8::1]"))
  end)

  it("is in a group", function()
    local function groups(value)
      local shown_groups = {}
      for i, one in ipairs(address.parse(value, "to").written) do
        shown_groups[i] = (one.group and one.group .. ":" or one.address) .. one.after
      end
      return table.concat(shown_groups, " ")
    end
    assert.same({ "a@b", "C|c@d" }, parse("Friends: a@b, C <c@d>;"))
    assert.same({}, parse("undisclosed-recipients:;"))
    assert.same({ "x@y", "a@b", "[IPv6]|c@d" }, parse("x@y, Friends : a@b ; , [IPv6] <c@d>"))
    assert.same({ "a@b", "c@d", "x@y" }, parse { { group = "Friends", members = { "a@b", { address = "c@d" } } },
      "x@y" })
    assert.same({ "a@b" }, parse { group = "Friends", members = { "a@b" } })
    assert.equal("Friends: a@b, c@d;, x@y, Nobody:;", groups('Friends: a@b,c@d;,x@y, "Nobody" :;'))
    assert.equal("Nobody:;, x@y", groups { { group = "Nobody" }, "x@y" })
    assert.equal("Doe, Jane: a@b;", groups('"Doe, Jane": a@b;'))
    assert.is_nil(address.parse("a@b, c@d", "to").written)
    assert.is_truthy(address.parse("A: pelé@b;", "to").international)
    refused({ "A: b@c;" }, "to[1]: holds a group", "write { group =")
    refused({ "A:;" }, "to[1]: holds a group")
    refused({ group = "" }, "a group without a name")
    refused({ members = { "a@b" } }, "a group without a name")
    refused({ group = "A", address = "a@b" }, "is a group and an address")
    refused({ group = "A\n" }, "to.group", "a line feed at byte 2")
    refused({ group = "A", members = { "a@b", { group = "B" } } }, "to.members: holds a group")
    refused({ group = "A", members = { "a@" } }, "to.members[1]")
    refused({ group = ("x"):rep(999) }, "longer than 998")
  end)

  it("is refused where mail programs disagree, with the way to say it", function()
    refused("a@b (comment)", "comments", "write local@domain")
    refused("(comment) a@b", "comments")
    refused("Friends: a@b, Others: c@d;;", "a colon stands where no group can begin")
    refused("a@b: c@d;", "a colon stands where no group can begin")
    refused(": a@b;", "a colon stands where no group can begin")
    refused("Re: Jane <a@b>", "a group is never closed", "write a semicolon")
    refused("Friends: a@b, c@d", "to[1]: a group is never closed")
    refused("Friends: a@b; c@d", "something follows a group", "separate it by a comma")
    refused("Friends: a@b, ;", "an empty address")
    refused('"": a@b;', "a group without a name")
    refused("<@relay.example:a@b>", "to: \"@relay.example:a@b\"")
    refused("a@b; c@d", "separated by commas")
    refused("a@b.c <d@e>", "an @ stands in the name")
    refused("a@b <c@d> e", "something follows")
    refused("<a@b> <c@d>", "something follows")
    refused("<a@b>c", "something follows")
    refused("Jane <a@b", "never closed")
    refused('"Jane <a@b>', "a quote is never closed")
    refused('"Jane\\', "a quote is never closed")
    refused('<"a@b>', "an angle bracket is never closed")
    refused("Jane a@b>", "closes that was not opened")
    refused("a\\@b", "a backslash")
  end)

  it("is refused where there is none", function()
    refused("", "empty address")
    refused("   ", "empty address")
    refused("a@b,", "to[2]: an empty address", "remove the comma")
    refused(",a@b", "to[1]: an empty address")
    refused("a@b,,c@d", "to[2]")
    refused("Jane", "has no @")
    refused("<>", "is empty")
    refused("Jane <>", "is empty")
    refused({ name = "Jane" }, "has no address")
    refused("Doe, Jane <j@x>", "to[1]: \"Doe\" has no @", "a name that holds a comma needs quotes")
    refused("a@b, Jane", "to[2]: \"Jane\" has no @")
  end)

  it("is refused by its grammar, naming the field and the limit", function()
    refused({ "a@b", "c@" }, "to[2]: \"c@\"")
    refused("a b@c", "to: \"a b@c\"")
    refused("a@b@c", "domain")
    refused("a..b@c", "two dots")
    refused("a@b_c", "letters, digits")
    refused("a@-b", "hyphen")
    refused(("x"):rep(65) .. "@b", "64 octets")
    refused("a@" .. ("x."):rep(130) .. "b", "255 octets")
    refused("a@例え..jp", "to: \"a@例え..jp\" has a domain with an empty label")
    refused({ "a@b", { address = "a@1א.de" } }, "to[2]: \"a@1א.de\" has a domain that mixes writing", "RFC 5893")
    refused({ "a@b, c@d" }, "to[1]: holds 2 addresses")
    refused({ address = "Jane <a@b>" }, "to:")
    refused({ address = "a@b, c@d" }, "to:")
    refused({ name = ("x"):rep(999), address = "a@b" }, "longer than 998")
  end)

  it("is refused with any control character, quotes or not, naming the place", function()
    refused("a@b\r\nBcc: x@y", "to: the value contains a carriage return at byte 4")
    refused('"a\nb"@c', "a line feed at byte 3")
    refused("a\0@b", "NUL at byte 2")
    refused("a@b\t", "a tab at byte 4")
    refused("a\127@b", "a delete")
    refused("a\194\133@b", "U+0085")
    refused({ name = "x\ry", address = "a@b" }, "to.name", "carriage return at byte 2")
    refused({ "a@b", { address = "c\n@d" } }, "to[2].address")
    refused("a\255@b", "not valid UTF-8 at byte 2", "convert it to UTF-8")
    refused({ name = "\237\160\128", address = "a@b" }, "UTF-8 at byte 1")
    assert.same({ "嘍嘊|a@b" }, parse("嘍嘊 <a@b>")) -- U+560D U+560A: no CR LF in them
  end)

  it("shortens what it shows", function()
    local _, err = parse(("x"):rep(10000))
    assert.is_true(#tostring(err) < 300)
  end)

  it("takes time in proportion to the input", function()
    local start = os.clock()
    local many = {}
    for i = 1, 20000 do many[i] = string.format("N <u%d@example.com>", i) end
    assert.equal(20000, #parse(table.concat(many, ",")))
    for _, unit in ipairs { "(", '"', "<", "\\", " ", '"\\', "a ", "a@[", ",", "\"a\"", "<a>", ":" } do
      parse(unit:rep(100000))
    end
    assert.is_true(os.clock() - start < 20)
  end)
end)

describe("the key of an address", function()
  local function key(s) return address.key(address.parse(s, "to")[1]) end

  it("is the same for the same mailbox only", function()
    assert.equal(key("a@Example.COM"), key("Jane <a@example.com>"))
    assert.not_equal(key("A@example.com"), key("a@example.com"))
  end)
end)
