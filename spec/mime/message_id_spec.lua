local message_id = require "smtpsec.mime.message_id"

describe("a message identifier", function()
  it("is made at the domain, never twice", function()
    local seen = {}
    for _ = 1, 1000 do
      local id = message_id.new("example.com")
      assert.is_truthy(id:find("^<%x+@example%.com>$"))
      assert.equal(32, #id:match("%x+"))
      assert.is_nil(seen[id])
      assert.is_true(message_id.valid(id))
      seen[id] = true
    end
    assert.is_true(message_id.valid(message_id.new("[192.0.2.1]")))
    assert.is_true(message_id.valid(message_id.new("[IPv6:2001:db8::1]")))
  end)

  it("is taken from the user in its own form only", function()
    for _, id in ipairs { "<a@b>", "<a.b-c_d+1@x.example>", "<x@[192.0.2.1]>" } do
      assert.equal(id, message_id.check(id))
    end
    for _, id in ipairs { "", "a@b", "<a>", "<a@b", "<@b>", "<a@>", "<a b@c>", "<a@b>\r\nBcc: x", "<a@b> <c@d>",
      "<é@b>", "<a@b@c>", "<a@[x y]>", "<a\0@b>", "<" .. ("a"):rep(250) .. "@b>" } do
      local ok, err = message_id.check(id)
      assert.is_nil(ok, id)
      assert.equal("message", err.kind)
    end
  end)
end)
