-- What holds for every mechanism: what a line of AUTH can hold (RFC 4954 section 4).
local core = require "smtpsec.core"
local script = require "spec.support.script"

local clear = { tls = "none", insecure_cleartext = true }
local offers = "AUTH PLAIN LOGIN"

describe("a response", function()
  local words = "the credentials make a response of more than 9213 bytes"

  it("that no line can hold is refused before anything is said", function()
    local conn = script.ready(offers, clear)
    local tag, status, text = conn:auth("PLAIN", { user = ("u"):rep(4606), password = ("p"):rep(4606) })
    assert.same({ nil, "argument", words, "", false }, { tag, status, text, conn:output(), conn:failed() })
    local long = { user = ("u"):rep(4605), password = ("p"):rep(4606) }
    assert.is_truthy(conn:auth("PLAIN", long))
    assert.equal("again", (script.answer(conn, "334 \r\n")))
    assert.equal(core.base64("\0" .. long.user .. "\0" .. long.password) .. "\r\n", (conn:output()))
  end)

  it("that no line can hold ends an exchange that has begun", function()
    local function login(user)
      local conn = script.ready(offers, clear)
      conn:auth("LOGIN", { user = user, password = "p" })
      local kind, status, text = script.answer(conn, "334 \r\n")
      return kind, status, text, conn
    end
    local kind, status, text = login(("u"):rep(9214))
    assert.same({ nil, "auth", words }, { kind, status, text })
    local long, _, _, conn = login(("u"):rep(9213))
    assert.equal("again", long)
    assert.equal(12286, #conn:output())
  end)
end)
