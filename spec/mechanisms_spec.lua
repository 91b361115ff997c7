local mechanisms = require "smtpsec.mechanisms"

describe("mechanisms", function()
  it("may be used when they were named, else when they need not be", function()
    local names = {}
    for _, mechanism in ipairs(mechanisms.allowed()) do
      assert.is_false(mechanism.only_named)
      names[mechanism.name] = true
    end
    assert.is_true(names.PLAIN)
    local own = { name = "X", user = false, password = false, token = false, certificate = false }
    local list = mechanisms.allowed { own, "ANONYMOUS", "LOGIN" }
    assert.equal(own, list[1])
    assert.is_true(list[2].only_named)
    assert.is_true(list[3].password)
    assert.equal(3, #list)
  end)

  it("are served by those who have all that they need", function()
    local plain, oauth = mechanisms.find "PLAIN", mechanisms.find "XOAUTH2"
    assert.is_true(mechanisms.is_served(plain, { user = "u", password = true, certificate = "c" }))
    assert.is_false(mechanisms.is_served(plain, { password = true, token = true, certificate = true }))
    assert.is_false(mechanisms.is_served(plain, { user = "u", token = true }))
    assert.is_true(mechanisms.is_served(oauth, { user = "u", token = true }))
    assert.is_false(mechanisms.is_served(oauth, { user = "u", password = true }))
    assert.is_true(mechanisms.is_served(mechanisms.find "EXTERNAL", { certificate = "c" }))
    assert.is_false(mechanisms.is_served(mechanisms.find "EXTERNAL", { user = "u" }))
    assert.is_nil(mechanisms.find "X-NONE")
  end)
end)
