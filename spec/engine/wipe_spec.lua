-- What the engine keeps of a login, and for how long: its memory is looked at from outside, because what this process
-- itself read of it would be one copy more. The words between NULs and their base64 are made by the engine and, inside
-- TLS, never become strings of Lua, which nobody could wipe.
local core = require "smtpsec.core"
local process = require "spec.support.process"
local talk = require "spec.support.talk"

local PID = process.read("/proc/self/stat"):match "^%d+"

-- How often the words stand in memory: as they are, and in base64.
local function found(user, password)
  local plain, base64 = process.run(process.as_root(process.command {
    "python3", "spec/support/memory.py", PID, user, password,
  })):match "^(%d+) (%d+)"
  return { plain = tonumber(plain), base64 = tonumber(base64) }
end

describe("a login in TLS", function()
  local good, tls

  setup(function()
    local _
    _, good, tls = talk.pki "implicit"
  end)

  -- Sends a mail, and looks into memory as AUTH is queued, as it is answered, and when the mail was taken.
  local function look(...)
    local user, password = "vergiss.mich@login.test", "Niemand-weiss-" .. core.token()
    local looks = {}
    local function on_event(event)
      if event.type == "command" and event.verb == "AUTH" then looks.queued = found(user, password) end
      if event.type == "reply" and event.verb == "AUTH" then looks.answered = found(user, password) end
      if event.type == "command" and event.verb == "QUIT" then looks.over = found(user, password) end
    end
    local seen = talk.send({ talk.tls(good), talk.hello "AUTH PLAIN", ... },
      { tls = tls, user = user, password = password, on_event = on_event })
    return looks, seen
  end

  it("leaves nothing behind in the engine's memory", function()
    local looks, seen = look("C: AUTH PLAIN", "S: 235 in", talk.mail(), talk.bye())
    talk.accepted(seen)
    assert.equal(0, looks.queued.plain)
    assert.is_true(looks.queued.base64 > 0, "it waits to be sent, and is not found: nothing is")
    assert.same({ plain = 0, base64 = 0 }, looks.answered)
    assert.same({ plain = 0, base64 = 0 }, looks.over)
  end)

  it("leaves nothing behind where it is refused", function()
    local looks, seen = look("C: AUTH PLAIN", "S: 535 no", talk.bye())
    talk.failed(seen, { kind = "auth" })
    assert.is_true(looks.queued.base64 > 0)
    assert.same({ plain = 0, base64 = 0 }, looks.answered)
  end)
end)
