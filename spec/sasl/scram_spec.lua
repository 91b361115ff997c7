-- SCRAM (RFC 5802, RFC 7677): the RFCs' own examples, honest servers, and what hostile ones may try. With channel
-- binding, and against a server that is not ours: plus_spec.
local core = require "smtpsec.core"
local keeper = require "spec.support.keeper"
local process = require "spec.support.process"
local scram = require "spec.support.scram"
local script = require "spec.support.script"

local clear = { tls = "none", insecure_cleartext = true }
local after = script.AFTER_LOGIN

-- A login, in clear, to a peer with these steps behind EHLO.
local function login(mechanism, who, ...)
  return script.play {
    options = clear, client = script.client({ "auth", mechanism, who }, { "noop" }),
    peer = script.peer("AUTH " .. mechanism, ...),
  }
end

local user = { user = "user", password = "pencil" }

-- A server of SCRAM-SHA-256 for that user.
local function new_server(changes)
  local options = { mechanism = "SCRAM-SHA-256", user = "user", password = "pencil" }
  for name, value in pairs(changes or {}) do options[name] = value end
  return scram.new(options)
end

local function accepted(result)
  assert.is_nil(result.failure)
  assert.same({ "AUTH 235 [2.7.0] welcome", "NOOP 250 ok" }, script.last_events(result, 2))
end

-- The login failed for a reason that these words are of, and no word of the user's was said after it.
local function refused(result, words)
  assert.equal("auth", result.failure and result.failure.status)
  assert.matches(words, result.failure.text, 1, true)
  assert.is_nil(result.failure.text:find "[%c\127-\255]")
  assert.is_nil(result.failure.text:find("pencil", 1, true))
end

describe("SCRAM", function()
  -- ---- the RFCs' examples -------------------------------------------------------------------------------------------

  describe("says what is in", function()
    local program

    setup(function()
      program = keeper.own():new_folder "scram" .. "/vector"
      process.run("cc -std=c11 -D_GNU_SOURCE -Icsrc spec/sasl/scram_vector.c csrc/sasl/*.c $(ls csrc/base/*.c "
        .. "| grep -v random) -o " .. process.quote(program) .. " -lcrypto")
    end)

    -- The client's words where the server says these.
    local function exchange(arguments, ...)
      local input = process.write(program .. ".in", table.concat({ ... }, "\n") .. "\n")
      return process.run(process.command { program, (table.unpack or unpack)(arguments) } .. " <"
        .. process.quote(input))
    end

    it("RFC 5802, section 5: SCRAM-SHA-1", function()
      local arguments = { "SCRAM-SHA-1", "user", "pencil", "fyko+d2lbbFgONRv9qkxdawL" }
      local first = "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"
      local said = "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL\n" ..
        "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=\n"
      assert.equal(said .. "\ndone\n", exchange(arguments, first, "v=rmF9pqV8S7suAoZWja4dJRkFsKQ="))
      local forged = exchange(arguments, first, "v=smF9pqV8S7suAoZWja4dJRkFsKQ=")
      assert.equal(said .. "failed: the server's signature is wrong", forged:sub(1, #said + 39))
    end)

    it("RFC 7677, section 3: SCRAM-SHA-256", function()
      assert.equal("n,,n=user,r=rOprNGfwEbeRWgbNEkqO\n" ..
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0," ..
        "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=\n\ndone\n",
        exchange({ "SCRAM-SHA-256", "user", "pencil", "rOprNGfwEbeRWgbNEkqO" },
          "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
          "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="))
    end)

    -- By Python's hashlib and hmac.
    it("two examples of SCRAM-SHA-512, one of them with all that there may be", function()
      assert.equal("n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL" .. "\n" ..
        "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=VdS8LkrURiej1tG6iX+fqCXQfUnBb//d9llXYa" ..
          "H+ylUbDwBUz9geyR9fC4TewskRUM2tlYSalhAT4Aay1Q5dTA==" .. "\n\ndone\n",
        exchange({ "SCRAM-SHA-512", "user", "pencil", "fyko+d2lbbFgONRv9qkxdawL" },
          "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
          "v=14PAAuavk9hxBEkgB0brDxUhvWu+N16meYk+qxVNFqchR8QPohM09Y4Z6WaTCuX4C6nqMB9KIJTDm6RpSM990g=="))
      assert.equal("p=tls-exporter,,n==3D=2Cü,r=rOprNGfwEbeRWgbNEkqO" .. "\n" ..
        "c=cD10bHMtZXhwb3J0ZXIsLODh4uPk5ebn6Onq6+zt7u/w8fLz9PX29/j5+vv8/f7/,r=rOprNGfwEbeRWgbNEkqO%hv" ..
          "YDpWUa2RaTCAfuxFIlj)hNlF$k0,p=CecajKVoy7/gra1OqLtLLkGcivI1J19268GZkMmm2X3ipevrEPxieAT4O/087/" ..
          "uhkgGRBMcGt6ge1CdG9LgdwQ==" .. "\n\ndone\n",
        exchange({ "SCRAM-SHA-512-PLUS", "=,ü", "päss,=", "rOprNGfwEbeRWgbNEkqO", "tls-exporter",
        "e0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff" },
          "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaG" ..
          "xwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==,i=5000",
          "v=JYQuyOm7rOfJYIgn1Dk1JTNbCs7mJO0nJzLWwvWDmVkg3SM6eh8jNYkdTfMZKoIMweFLRr3IBIZR65qWF6p6Wg=="))
    end)
  end)
  -- ---- honest servers -----------------------------------------------------------------------------------------------

  for _, mechanism in ipairs { "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512" } do
    it(("logs in by %s with the right password, and not with a wrong one"):format(mechanism), function()
      local server = new_server { mechanism = mechanism }
      local first, last, outcome = server:steps()
      accepted(login(mechanism, user, first, last, outcome, after))
      first, last = new_server { mechanism = mechanism, password = "crayon" }:steps()
      local result = login(mechanism, user, first, last, after)
      assert.is_nil(result.failure)
      assert.same({ "AUTH 535 [5.7.8] wrong", "NOOP 250 ok" }, script.last_events(result, 2))
    end)
  end

  local function honest(changes, who)
    local first, last, outcome = new_server(changes):steps()
    accepted(login("SCRAM-SHA-256", who or user, first, last, outcome, after))
  end

  it("writes any user and password as the RFC wants them", function()
    for name, escaped in pairs {
      ["=,="] = "=3D=2C=3D", ["n=x,r=y"] = "n=3Dx=2Cr=3Dy", ["ünal"] = "ünal", ["=2C"] = "=3D2C",
    } do
      for _, password in ipairs { "pässwörd😀", "a,b=c", ("x"):rep(200) } do
        honest({ user = escaped, password = password }, { user = name, password = password })
      end
    end
  end)

  it("is one exchange however the bytes are cut", function()
    for _, how in ipairs { { size = 1 }, { drain = 1 }, { size = 1, drain = 1, duplex = true } } do
      local first, last, outcome = new_server():steps()
      accepted(script.play({
        options = clear, client = script.client({ "auth", "SCRAM-SHA-256", user }, { "noop" }),
        peer = script.peer("AUTH SCRAM-SHA-256", first, last, outcome, after),
      }, how))
    end
  end)

  it("waits with its first message where the line would be too long, and refuses a name without end", function()
    local name = ("n"):rep(400)
    local first, last, outcome = new_server { user = name }:steps()
    local held = { answer = function(line) return first.answer("AUTH SCRAM-SHA-256 " .. line) end }
    accepted(login("SCRAM-SHA-256", { user = name, password = "pencil" },
      { expect = "AUTH SCRAM-SHA-256\r\n", reply = "334 \r\n" }, held, last, outcome, after))
    local conn = script.ready("AUTH SCRAM-SHA-256", clear)
    for _, long in ipairs { ("n"):rep(9000), ("="):rep(9216) } do
      local tag, status, text = conn:auth("SCRAM-SHA-256", { user = long, password = "p" })
      assert.is_nil(tag)
      assert.same({ "argument", "the user name is too long for SCRAM-SHA-256" }, { status, text })
    end
    assert.is_truthy(conn:auth("SCRAM-SHA-256", user))
  end)

  it("never uses a nonce twice", function()
    local seen = {}
    for _ = 1, 20 do
      local conn = script.ready("AUTH SCRAM-SHA-256", clear)
      conn:auth("SCRAM-SHA-256", user)
      local nonce = core.base64_decode(conn:output():match "^AUTH %S+ (%S+)\r\n$"):match ",r=(%S+)$"
      assert.equal(18, #core.base64_decode(nonce))
      assert.is_nil(seen[nonce])
      seen[nonce] = true
    end
  end)

  it("does not bind what has no binding", function()
    local conn = script.ready("AUTH SCRAM-SHA-256-PLUS", clear)
    local tag, status, text = conn:auth("SCRAM-SHA-256-PLUS", { user = "u", password = "p", binding = "tls-exporter" })
    assert.is_nil(tag)
    assert.same({ "argument", "SCRAM-SHA-256-PLUS needs a channel binding, and this channel has none" },
      { status, text })
  end)

  -- ---- the server's first message -----------------------------------------------------------------------------------

  describe("takes from the server", function()
    -- A server whose first message is changed, and that goes on as if that had been what it wanted to say.
    local function changed(change, who)
      local server
      server = new_server { first = function(said, nonce)
        server.said = change(said, nonce)
        return server.said
      end }
      local first, last, outcome = server:steps()
      return login("SCRAM-SHA-256", who or user, first, last, outcome, after)
    end

    it("extensions, and ignores them", function()
      for _, extension in ipairs { ",x=1", ",d=ü=,h=abc==", ",X=m=,Z=r=" } do
        accepted(changed(function(said) return said .. extension end))
      end
    end)

    for what, case in pairs {
      ["nothing"] = { function() return "" end, "does not begin with a nonce" },
      ["garbage"] = { function() return "\1\2\255 garbage" end, "is not UTF-8" },
      ["a line's end"] = { function(said) return said .. "\n" end, "iteration count of 4096 ," },
      ["a NUL"] = { function(said) return said .. ",x=\0" end, "is not UTF-8" },
      ["a sentence"] = { function() return "hello, I am the server" end, "does not begin with a nonce" },
      ["its last message first"] = { function() return "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=" end,
        "does not begin with a nonce" },
      ["a mandatory extension in front"] = { function(said) return "m=x," .. said end, "demands an extension" },
      ["a mandatory extension behind"] = { function(said) return said .. ",m=x" end, "demands an extension" },
      ["another nonce"] = { function(said) return (said:gsub("^r=....", "r=AAAA")) end, "nonce is not an extension" },
      ["ours alone"] = { function(said) return (said:gsub("%%server", "")) end, "nonce is not an extension" },
      ["a part of ours"] = { function(_, nonce) return "r=" .. nonce:sub(1, -2) .. ",s=QSXC,i=4096" end,
        "nonce is not an extension" },
      ["a nonce with a blank"] = { function(said) return (said:gsub("%%server", " server")) end,
        "nonce is not an extension" },
      ["a nonce that is not ASCII"] = { function(said) return (said:gsub("%%server", "ü")) end,
        "nonce is not an extension" },
      ["an empty nonce"] = { function() return "r=,s=QSXC,i=4096" end, "does not begin with a nonce" },
      ["no salt"] = { function(_, nonce) return "r=" .. nonce .. "x,i=4096" end, "has no salt" },
      ["an empty salt"] = { function(_, nonce) return "r=" .. nonce .. "x,s=,i=4096" end, "has no salt" },
      ["a salt that is not base64"] = { function(_, nonce) return "r=" .. nonce .. "x,s=QSX,i=4096" end,
        "salt is not base64" },
      ["a salt with stray bits"] = { function(_, nonce) return "r=" .. nonce .. "x,s=QR==,i=4096" end,
        "salt is not base64" },
      ["a salt without end"] = { function(_, nonce)
        return "r=" .. nonce .. "x,s=" .. ("QUFB"):rep(400) .. ",i=4096"
      end, "salt is longer than" },
      ["no count"] = { function(_, nonce) return "r=" .. nonce .. "x,s=QSXC" end, "has no iteration count" },
      ["an empty count"] = { function(_, nonce) return "r=" .. nonce .. "x,s=QSXC,i=" end, "has no iteration count" },
      ["another order"] = { function(_, nonce) return "s=QSXC,r=" .. nonce .. "x,i=4096" end,
        "does not begin with a nonce" },
      ["a second count"] = { function(said) return said .. ",i=5000" end, "twice, or out of its place" },
      ["a second nonce"] = { function(said, nonce) return said .. ",r=" .. nonce .. "y" end,
        "twice, or out of its place" },
      ["a comma at the end"] = { function(said) return said .. "," end, "no extension" },
      ["an extension without a value"] = { function(said) return said .. ",x=" end, "no extension" },
      ["an extension without a name"] = { function(said) return said .. ",=x" end, "no extension" },
      ["an extension of two letters"] = { function(said) return said .. ",xy=1" end, "no extension" },
    } do
      it("no first message with " .. what, function()
        refused(changed(case[1]), case[2])
      end)
    end

    it("no iteration count out of bounds, and tells which they are", function()
      local function asked(count, most)
        return changed(function(_, nonce) return "r=" .. nonce .. "x,s=QSXC,i=" .. count end,
          { user = "user", password = "pencil", iterations = most })
      end
      for _, count in ipairs {
        "0", "1", "4095", "1000001", "2147483648", "4294971392", "18446744073709555712", "4096x", "+4096", "04096",
        "-4096", " 4096", "4096.0", "4e3", "0x1000", ("9"):rep(2000),
      } do
        local result = asked(count)
        refused(result, "iteration count of " .. (#count > 70 and ("9"):rep(70) or count))
        refused(result, "takes from 4096 to 1000000 here")
      end
      refused(asked("5001", 5000), "takes from 4096 to 5000 here")
      refused(asked("4096", 4095), "takes from 4096 to 4095 here")
    end)

    it("an iteration count at its bounds", function()
      honest { iterations = 4096 }
      honest({ iterations = 5000 }, { user = "user", password = "pencil", iterations = 5000 })
    end)

    it("a salt of any length that there may be", function()
      for _, n in ipairs { 1, 2, 3, 64, 1022 } do honest { salt = ("\255"):rep(n) } end
    end)
  end)

  -- ---- the server's last message ------------------------------------------------------------------------------------

  describe("believes the server", function()
    local function says(last)
      local first, second, outcome = new_server { last = last }:steps()
      return login("SCRAM-SHA-256", user, first, second, outcome, after)
    end

    it("that shows the signature, and ignores extensions behind it", function()
      accepted(says(function(said) return said .. ",x=y,d=z" end))
    end)

    for what, case in pairs {
      ["a forged signature"] = { function(said)
        return "v=" .. (said:sub(3, 3) == "A" and "B" or "A") .. said:sub(4)
      end, "signature is wrong" },
      ["a signature that is wrong at its end"] = { function(said)
        return said:sub(1, -3) .. (said:sub(-2, -2) == "A" and "E" or "A") .. "="
      end, "signature is wrong" },
      ["a short signature"] = { function(said) return said:sub(1, 6) end, "signature is wrong" },
      ["a signature without its padding"] = { function(said) return said:sub(1, -2) end, "signature is wrong" },
      ["a longer signature"] = { function(said) return said:sub(1, -2) .. "AAAAA" end, "signature is wrong" },
      ["the signature in hex"] = { function(said)
        return "v=" .. core.base64_decode(said:sub(3)):gsub(".", function(c) return ("%02x"):format(c:byte()) end)
      end, "signature is wrong" },
      ["an empty signature"] = { function() return "v=" end, "has no signature" },
      ["no signature"] = { function() return "" end, "has no signature" },
      ["an extension alone"] = { function() return "x=y" end, "has no signature" },
      ["an extension before it"] = { function(said) return "x=y," .. said end, "has no signature" },
      ["garbage"] = { function() return "\255\0" end, "has no signature" },
      ["a mandatory extension"] = { function(said) return said .. ",m=y" end, "demands an extension" },
      ["a second signature"] = { function(said) return said .. "," .. said end, "twice" },
      ["a comma behind it"] = { function(said) return said .. "," end, "no extension" },
      ["its first message again"] = { function() return "r=x,s=QSXC,i=4096" end, "has no signature" },
    } do
      it("never with " .. what, function()
        refused(says(case[1]), case[2])
      end)
    end

    for word, words in pairs {
      ["invalid-proof"] = "the password is wrong (invalid-proof)",
      ["channel-bindings-dont-match"] = "somebody stands in between (channel-bindings-dont-match)",
      ["server-does-support-channel-binding"] = "took the mechanisms with channel binding out of the server's list",
      ["unknown-user"] = "it does not know the user", ["other-error,x=y"] = "it gives no reason (other-error)",
      ["in\27[2J-my\nway"] = "by SCRAM-SHA-256 (in\\x1B[2J-my way)",
      ["invalid-proofs"] = "by SCRAM-SHA-256 (invalid-proofs)",
      [("x"):rep(2000)] = "(" .. ("x"):rep(70),
    } do
      it("that refuses in its own way: " .. word:sub(1, 40):gsub("%c", "?"), function()
        local result = says(function() return "e=" .. word end)
        refused(result, words)
        local complaint = word:match "^[^,]*"
        assert.equal(#complaint <= 1024 and complaint or nil, result.conn:complaint())
        local first = new_server { first = function() return "e=" .. word end }:steps()
        refused(login("SCRAM-SHA-256", user, first), words)
      end)
    end
  end)

  -- ---- the wrong time -----------------------------------------------------------------------------------------------

  describe("is not over before the server has shown its signature:", function()
    local early = "the server accepted the login by SCRAM-SHA-256 before the exchange was complete"

    it("235 at once, where its first or where its last message is due", function()
      local first, last = new_server():steps()
      local welcome = { answer = function() return "235 2.7.0 welcome\r\n" end }
      refused(login("SCRAM-SHA-256", user, welcome), early)
      refused(login("SCRAM-SHA-256", user, first, welcome), early)
      accepted(login("SCRAM-SHA-256", user, first, last, { expect = "\r\n", reply = "235 2.7.0 welcome\r\n" },
        after))
    end)

    it("challenges that are empty, or no base64, or without end", function()
      local first, last = new_server():steps()
      local function always(challenge)
        return { answer = function() return "334 " .. challenge .. "\r\n" end }
      end
      refused(login("SCRAM-SHA-256", user, always ""), "does not begin with a nonce")
      refused(login("SCRAM-SHA-256", user, always "no base64!"), "not base64")
      refused(login("SCRAM-SHA-256", user, first, always ""), "has no signature")
      refused(login("SCRAM-SHA-256", user, first, always "Q"), "not base64")
      refused(login("SCRAM-SHA-256", user, first, last, always ""), "one challenge more than SCRAM-SHA-256 has")
    end)
  end)
end)
