-- The server's name for a mail, in the words of its reply.
local core = require "smtpsec.core"

describe("a queue id", function()
  it("is found in the words that are known", function()
    for text, id in pairs {
      ["2.0.0 Ok: queued as 4XyZ-1.2"] = "4XyZ-1.2", ["Ok: queued as A1 by mx"] = "A1",
      ["queued as , queued as B2"] = "B2", ["OK id=1abc-DEF-23"] = "1abc-DEF-23", ["id=x"] = "x",
      ["paid=1 id=2"] = "2", ["(id=3)"] = "3", ["Queued! 1a.b (Queue-Id: 2c)"] = "1a.b",
      ["2.0.0 OK  1700000000 a1-b2.3 - gsmtp"] = "a1-b2.3", ["x - gsmtp"] = "x",
    } do
      assert.equal(id, core.queue_id(text), text)
    end
  end)

  it("is nowhere else", function()
    for _, text in ipairs { "", "OK", "queued as ", "queued as", "queued  as x", "Queued as x", "paid=1", "id=", "id",
      "so Queued! x", " - gsmtp", "x - gsmtp.", "x- gsmtp", "- gsmtp", "queued as _", "i", "q" } do
      assert.is_nil(core.queue_id(text), text)
    end
  end)
end)
