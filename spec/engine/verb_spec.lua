-- What may be said when: the table of csrc/smtp/verb.c, as it shows. A command out of place is the caller's mistake: it
-- queues nothing and costs nothing (RFC 5321 section 4.1.4).
local script = require "spec.support.script"
local core = require "smtpsec.core"

-- Each command with arguments that are right in themselves.
local commands = {
  ehlo = { "client.test" }, helo = { "client.test" }, lhlo = { "client.test" }, starttls = {},
  auth = { "PLAIN", { user = "user", password = "password" } }, mail = { "a@client.test" }, rcpt = { "b@mail.test" },
  data = {}, finish = {},
  body = { "text", 1 }, chunk = { "text", 1 }, rset = {}, noop = {}, quit = {},
}

local function greeted()
  local conn = assert(core.connection { tls = "none", insecure_cleartext = true })
  script.answer(conn, "220 mail.test\r\n")
  return conn
end

local function ready()
  return script.ready("PIPELINING\nCHUNKING\nAUTH PLAIN", { tls = "none", insecure_cleartext = true })
end

local function after(make, ...)
  local steps = { ... }
  return function()
    local conn = make()
    for _, step in ipairs(steps) do
      assert(conn[step[1]](conn, step[2], step[3], step[4]))
      if step.reply then
        assert.equal("reply", (script.answer(conn, step.reply)))
      end
    end
    return conn
  end
end

local function login(reply)
  return { "auth", "PLAIN", { user = "user", password = "password" }, reply = reply }
end

local ok = "250 ok\r\n"
local addressed = { { "mail", "a@client.test", reply = ok }, { "rcpt", "b@mail.test", reply = ok } }

local function unpack_steps(steps, ...)
  local all = { ... }
  for i, step in ipairs(steps) do
    table.insert(all, i, step)
  end
  return (table.unpack or unpack)(all) -- luacheck: ignore 113
end

local states = {
  ["before the greeting"] = {
    make = function() return assert(core.connection { tls = "none", insecure_cleartext = true }) end,
    legal = "",
  },
  ["before EHLO"] = { make = greeted, legal = "ehlo helo lhlo quit" },
  ["after EHLO was refused"] = { make = after(greeted, { "ehlo", "client.test", reply = "502 no\r\n" }),
    legal = "ehlo helo lhlo quit" },
  ["between transactions"] = { make = ready, legal = "ehlo helo lhlo auth mail rset noop quit" },
  ["while EHLO is waited for"] = { make = after(greeted, { "ehlo", "client.test" }), legal = "" },
  ["while AUTH is waited for"] = { make = after(ready, login()), legal = "" },
  ["after AUTH succeeded"] = { make = after(ready, login "235 ok\r\n"),
    legal = "ehlo helo lhlo mail rset noop quit" },
  ["after AUTH failed"] = { make = after(ready, login "535 no\r\n"),
    legal = "ehlo helo lhlo auth mail rset noop quit" },
  ["after MAIL"] = { make = after(ready, { "mail", "a@client.test", reply = ok }), legal = "rcpt rset noop quit" },
  ["after MAIL was queued"] = { make = after(ready, { "mail", "a@client.test" }), legal = "rcpt rset noop quit" },
  ["after MAIL was refused"] = { make = after(ready, { "mail", "a@client.test", reply = "550 no\r\n" }),
    legal = "ehlo helo lhlo auth mail rset noop quit" },
  ["after RCPT"] = {
    make = after(ready, { "mail", "a@client.test", reply = ok }, { "rcpt", "b@mail.test", reply = ok }),
    legal = "rcpt data chunk rset noop quit",
  },
  ["after the only RCPT was refused"] = {
    make = after(ready, { "mail", "a@client.test", reply = ok }, { "rcpt", "b@mail.test", reply = "550 no\r\n" }),
    legal = "rcpt rset noop quit",
  },
  ["while DATA is waited for"] = {
    make = after(ready, { "mail", "a@client.test", reply = ok }, { "rcpt", "b@mail.test", reply = ok }, { "data" }),
    legal = "",
  },
  ["after DATA was refused"] = {
    make = after(ready, { "mail", "a@client.test", reply = ok }, { "rcpt", "b@mail.test", reply = ok },
      { "data", reply = "554 no\r\n" }),
    legal = "rcpt data chunk rset noop quit",
  },
  ["inside a message"] = {
    make = after(ready, { "mail", "a@client.test", reply = ok }, { "rcpt", "b@mail.test", reply = ok },
      { "data", reply = "354 go\r\n" }),
    legal = "body finish",
  },
  ["after the end of a message was queued"] = {
    make = after(ready, { "mail", "a@client.test", reply = ok }, { "rcpt", "b@mail.test", reply = ok },
      { "data", reply = "354 go\r\n" }, { "finish" }),
    legal = "ehlo helo lhlo auth mail rset noop quit",
  },
  ["after a part of a message was queued"] = { make = after(ready, unpack_steps(addressed, { "chunk", "text", 1 })),
    legal = "chunk rset noop quit" },
  ["after a part of a message was taken"] = {
    make = after(ready, unpack_steps(addressed, { "chunk", "text", 1, reply = ok })), legal = "chunk rset noop quit",
  },
  ["after a part of a message was refused"] = {
    make = after(ready, unpack_steps(addressed, { "chunk", "text", 1, reply = "552 no\r\n" })),
    legal = "rset noop quit",
  },
  ["after the last part of a message was queued"] = {
    make = after(ready, unpack_steps(addressed, { "chunk", "text", 1, true })), legal = "rset noop quit",
  },
  ["after the last part of a message was taken"] = {
    make = after(ready, unpack_steps(addressed, { "chunk", "text", 1, true, reply = ok })),
    legal = "ehlo helo lhlo auth mail rset noop quit",
  },
  ["after the last part of a message was refused"] = {
    make = after(ready, unpack_steps(addressed, { "chunk", "text", 1, true, reply = "554 no\r\n" })),
    legal = "rset noop quit",
  },
  ["after RSET behind the last part of a message"] = {
    make = after(ready, unpack_steps(addressed, { "chunk", "text", 1, true }, { "rset" })),
    legal = "ehlo helo lhlo auth mail rset noop quit",
  },
  ["after RSET cleared a refused part"] = {
    make = after(ready, unpack_steps(addressed, { "chunk", "text", 1, reply = "552 no\r\n" },
      { "rset", reply = ok })),
    legal = "ehlo helo lhlo auth mail rset noop quit",
  },
  ["after a message was refused"] = {
    make = after(ready, { "mail", "a@client.test", reply = ok }, { "rcpt", "b@mail.test", reply = ok },
      { "data", reply = "354 go\r\n" }, { "finish", reply = "554 no\r\n" }),
    legal = "ehlo helo lhlo auth mail rset noop quit",
  },
  ["after RSET"] = { make = after(ready, { "mail", "a@client.test", reply = ok }, { "rset", reply = ok }),
    legal = "ehlo helo lhlo auth mail rset noop quit" },
  ["after NOOP inside a transaction"] = {
    make = after(ready, { "mail", "a@client.test", reply = ok }, { "noop", reply = ok }), legal = "rcpt rset noop quit",
  },
  ["after QUIT was queued"] = { make = after(ready, { "quit" }), legal = "" },
  ["after QUIT"] = { make = after(ready, { "quit", reply = "221 bye\r\n" }), legal = "" },
  ["after 421"] = { make = after(ready, { "noop", reply = "421 bye\r\n" }), legal = "" },
}

describe("the table of verbs", function()
  for name, state in pairs(states) do
    for command, arguments in pairs(commands) do
      local legal = (" " .. state.legal .. " "):find(" " .. command .. " ", 1, true) ~= nil
      it(("%s %s %s"):format(legal and "allows" or "refuses", command, name), function()
        local conn = state.make()
        script.drain(conn)
        local phase, waiting, idle = conn:phase(), conn:waiting(), conn:idle()
        local tag, status = conn[command](conn, arguments[1], arguments[2], arguments[3])
        if legal then
          return assert.is_truthy(tag, status)
        end
        assert.is_nil(tag)
        assert.equal("state", status)
        assert.equal("", conn:output())
        assert.same({ phase, waiting, idle, false }, { conn:phase(), conn:waiting(), conn:idle(), conn:failed() })
      end)
    end
  end

  it("names the state in what it says", function()
    local _, _, text = script.ready():rcpt "b@mail.test"
    assert.equal("RCPT is not allowed between transactions", text)
    _, _, text = greeted():mail "a@client.test"
    assert.equal("MAIL is not allowed before EHLO", text)
    _, _, text = script.ready():body("x", 1)
    assert.equal("end is not allowed between transactions", text)
    _, _, text = states["after the last part of a message was queued"].make():mail "a@client.test"
    assert.equal("MAIL is not allowed before the last message was accepted or RSET was given", text)
    _, _, text = states["after a part of a message was taken"].make():data()
    assert.equal("DATA is not allowed inside a message that is sent in parts", text)
  end)

  it("leaves the connection as it was after any number of mistakes", function()
    local result = script.everywhere {
      client = function(client)
        local conn = client.conn
        local function mistakes()
          assert.is_nil(conn:data())
          assert.is_nil(conn:finish())
          assert.is_nil(conn:body("x", 1))
          assert.is_nil(conn:ehlo "not a name")
          assert.is_nil(conn:mail "not an address")
          assert.is_nil(conn:auth("NO-SUCH", { user = "u", password = "p" }))
          assert.is_nil(conn:auth("PLAIN", { user = "", password = "" }))
          assert.is_nil(conn:starttls())
        end
        mistakes()
        client:event()
        mistakes()
        client:ask("ehlo", "client.test")
        mistakes()
        client:ask("mail", "a@client.test")
        mistakes()
        client:ask("rset")
        mistakes()
        client:ask "quit"
      end,
      peer = {
        { reply = "220 mail.test\r\n" },
        { expect = "EHLO client.test\r\n", reply = "250-mail.test\r\n250 AUTH PLAIN\r\n" },
        { expect = "MAIL FROM:<a@client.test>\r\n", reply = ok },
        { expect = "RSET\r\n", reply = ok },
        { expect = "QUIT\r\n", reply = "221 bye\r\n" },
      },
    }
    assert.equal("closed", result.failure.status) -- there is nothing after QUIT
    assert.equal(0, result.steps_left)
  end)

  describe("knows which reply means what:", function()
    local function answer(state, command, code)
      local conn = states[state].make()
      local arguments = commands[command]
      assert(conn[command](conn, arguments[1], arguments[2], arguments[3]))
      local kind, status, words = script.answer(conn, code .. " x\r\n")
      return kind and "reply" or status, words
    end

    local cases = {
      { "before EHLO", "ehlo", good = { 250, 220, 251, 502, 421, 550 }, bad = { 354, 334, 300 } },
      { "before EHLO", "helo", good = { 250, 502 }, bad = { 354 } },
      { "before EHLO", "lhlo", good = { 250, 502 }, bad = { 354 } },
      { "between transactions", "mail", good = { 250, 251, 235, 450, 550 }, bad = { 354, 334 } },
      { "after MAIL", "rcpt", good = { 250, 251, 252, 450, 550 }, bad = { 354, 334 } },
      { "after RCPT", "data", good = { 354, 451, 554 }, bad = { 250, 200, 334, 355, 353, 235 } },
      { "inside a message", "finish", good = { 250, 200, 452, 554 }, bad = { 354, 334 } },
      { "after RCPT", "chunk", good = { 250, 200, 452, 503, 552 }, bad = { 354, 334, 300 } },
      { "between transactions", "rset", good = { 250, 500 }, bad = { 354 } },
      { "between transactions", "noop", good = { 250, 200, 500 }, bad = { 354 } },
      { "between transactions", "quit", good = { 221, 250, 500 }, bad = { 354 } },
    }
    for _, case in ipairs(cases) do
      for _, code in ipairs(case.good) do
        it(("%d answers %s"):format(code, case[2]), function()
          assert.equal("reply", (answer(case[1], case[2], code)))
        end)
      end
      for _, code in ipairs(case.bad) do
        it(("%d is a violation after %s"):format(code, case[2]), function()
          local status, words = answer(case[1], case[2], code)
          assert.equal("protocol", status)
          local name = ({ finish = "end", chunk = "BDAT" })[case[2]] or case[2]:upper()
          assert.equal(("the server answered %s with %d"):format(name, code), words)
        end)
      end
    end
  end)
end)
