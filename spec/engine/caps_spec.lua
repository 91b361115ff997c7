-- What the server offers: whole keywords of its last EHLO, nothing else (RFC 5321 section 4.1.1.1).
local script = require "spec.support.script"
local core = require "smtpsec.core"

describe("capabilities", function()
  local function offered(lines)
    return script.ready(lines):capabilities()
  end

  it("are the keywords of the EHLO reply, each with its parameters", function()
    assert.same({ PIPELINING = "", SIZE = "1000", AUTH = "PLAIN LOGIN", ["8BITMIME"] = "" },
      offered "PIPELINING\nSIZE 1000\nAUTH PLAIN LOGIN\n8BITMIME")
  end)

  it("are told in upper case, however the server wrote them", function()
    assert.same({ PIPELINING = "", AUTH = "plain", XFORWARD = "Name" }, offered "pipelining\nAuth plain\nXforward Name")
  end)

  it("of one keyword on several lines are put together", function()
    assert.same({ AUTH = "PLAIN CRAM-MD5", SIZE = "5" }, offered "AUTH PLAIN\nSIZE 5\nAUTH CRAM-MD5")
  end)

  it("do not come from the line with the server's name", function()
    local conn = assert(core.connection { tls = "none" })
    script.answer(conn, "220 mail.test\r\n")
    conn:ehlo "client.test"
    script.answer(conn, "250-STARTTLS PIPELINING AUTH PLAIN\r\n250 SIZE\r\n")
    assert.same({ SIZE = "" }, conn:capabilities())
    assert.equal("STARTTLS", conn:server_name())
  end)

  it("are none where the reply is one line", function()
    local conn = assert(core.connection { tls = "none" })
    script.answer(conn, "220 mail.test\r\n")
    conn:ehlo "client.test"
    script.answer(conn, "250 PIPELINING\r\n")
    assert.same({}, conn:capabilities())
  end)

  it("are never guessed from what only looks like them", function()
    for _, line in ipairs {
      "XSTARTTLS", "STARTTLSX", "STARTTLS-X", "START TLS", " STARTTLS", "\tSTARTTLS", "-STARTTLS", "_STARTTLS",
      "\"STARTTLS\"", "STARTTLS=1", "STARTTLS,AUTH", "\194\160STARTTLS", "X STARTTLS", "STARTTL\197\191",
    } do
      assert.is_nil(offered(line).STARTTLS, line)
    end
    assert.equal("", offered("starttls").STARTTLS)
    assert.equal("", offered("STARTTLS ").STARTTLS)
    assert.equal(" required", offered("STARTTLS  required").STARTTLS)
  end)

  it("pass over lines that hold no keyword", function()
    assert.same({ SIZE = "1" }, offered " \n\nSIZE 1\n=\n")
  end)

  it("are none after HELO", function()
    local conn = assert(core.connection { tls = "none" })
    script.answer(conn, "220 mail.test\r\n")
    conn:helo "client.test"
    script.answer(conn, "250-mail.test\r\n250 PIPELINING\r\n")
    assert.same({}, conn:capabilities())
    assert.equal("mail.test", conn:server_name())
  end)

  it("are those of the last EHLO", function()
    local conn = script.ready "PIPELINING\nSIZE 5"
    conn:ehlo "client.test"
    script.answer(conn, "250-mail.test\r\n250 DSN\r\n")
    assert.same({ DSN = "" }, conn:capabilities())
    conn:ehlo "client.test"
    script.answer(conn, "550 no more\r\n")
    assert.same({ DSN = "" }, conn:capabilities())
    conn:helo "client.test"
    script.answer(conn, "250 mail.test\r\n")
    assert.same({}, conn:capabilities())
  end)

  it("may be many", function()
    local lines, expected = {}, {}
    for i = 1, 126 do
      lines[i] = ("X%d %s"):format(i, ("p"):rep(100))
      expected["X" .. i] = ("p"):rep(100)
    end
    assert.same(expected, offered(table.concat(lines, "\n")))
  end)

  describe("AUTH", function()
    local function may_use(line, mechanism)
      local conn = script.ready(line, { tls = "none", insecure_cleartext = true })
      local tag, status, text = conn:auth(mechanism, { user = "user", password = "password" })
      return tag and true or false, status, text
    end

    it("names mechanisms whole", function()
      assert.is_true(may_use("AUTH PLAIN", "PLAIN"))
      assert.is_true(may_use("AUTH LOGIN plain", "PLAIN"))
      assert.is_true(may_use("auth  LOGIN\tPLAIN ", "PLAIN"))
      assert.is_true(may_use("AUTH LOGIN\nAUTH PLAIN", "PLAIN"))
      for _, line in ipairs {
        "AUTH PLAIN-CLIENTTOKEN", "AUTH XPLAIN", "AUTH PLAINX", "AUTH PLAI", "AUTH CRAM-MD5,PLAIN", "AUTH",
        "AUTHX PLAIN", "AUTH=PLAIN", "XAUTH PLAIN", "SIZE PLAIN",
      } do
        local used, status = may_use(line, "PLAIN")
        assert.is_false(used, line)
        assert.equal("unoffered", status)
      end
    end)

    it("that is not offered is told apart from a mechanism that is not", function()
      assert.equal("the server does not offer AUTH", select(3, may_use("SIZE", "PLAIN")))
      assert.equal("the server does not offer AUTH PLAIN", select(3, may_use("AUTH LOGIN", "PLAIN")))
    end)
  end)

  describe("SIZE", function()
    local function takes(line, size)
      local tag, status = script.ready(line):mail("a@client.test", { size = size })
      return tag and "yes" or status
    end

    it("is the most that the server takes", function()
      assert.equal("yes", takes("SIZE 1000", 1000))
      assert.equal("unoffered", takes("SIZE 1000", 1001))
      assert.equal("unoffered", takes("size 1", 2))
    end)

    it("is no limit without a number, or with 0", function()
      for _, line in ipairs { "SIZE", "SIZE ", "SIZE 0", "SIZE x", "SIZE -1", "XSIZE 1" } do
        assert.equal("yes", takes(line, 2 ^ 53), line)
      end
    end)

    it("saturates instead of wrapping", function()
      for _, limit in ipairs {
        "18446744073709551615", "18446744073709551617", "36893488147419103233", "99999999999999999999", ("9"):rep(500),
      } do
        assert.equal("yes", takes("SIZE " .. limit, 2 ^ 53), limit)
      end
      assert.equal("unoffered", takes("SIZE 0009", 10))
    end)
  end)

  -- RFC 9422
  describe("LIMITS", function()
    local function limits(lines)
      return script.ready(lines):limits()
    end

    it("are those that the server declares", function()
      assert.same({ RCPTMAX = 100, MAILMAX = 1, RCPTDOMAINMAX = 999999 },
        limits "LIMITS RCPTMAX=100 MAILMAX=1 RCPTDOMAINMAX=999999")
      assert.same({ RCPTMAX = 5 }, limits "limits rcptmax=5")
      assert.same({ MAILMAX = 7 }, limits "LIMITS  \tXMAX=3 MAILMAX=7 ")
      assert.same({}, limits "LIMITS")
      assert.same({}, limits "RCPTMAX=5\nSIZE RCPTMAX=5\nXLIMITS RCPTMAX=5")
    end)

    it("are nothing where they are not well-formed, and the others stand", function()
      for _, bad in ipairs {
        "RCPTMAX=0", "RCPTMAX=007", "RCPTMAX=1000000", "RCPTMAX=-1", "RCPTMAX=+1", "RCPTMAX=1x", "RCPTMAX=", "RCPTMAX",
        "RCPTMAX=1,MAILMAX=2", "RCPTMAX:5", "RCPTMAX =5", "XRCPTMAX=5", "RCPTMAXX=5", "RCPTMAX=99999999999999999999",
      } do
        assert.same({ MAILMAX = 10 }, limits("LIMITS " .. bad .. " MAILMAX=10"), bad)
      end
      assert.same({ RCPTMAX = 5 }, limits "LIMITS RCPTMAX=x RCPTMAX=5 RCPTMAX=6")
    end)
  end)
end)
