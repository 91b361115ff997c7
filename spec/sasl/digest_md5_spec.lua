-- DIGEST-MD5 (RFC 2831): what is said to which challenge, which challenges are none, and that the server proves itself.
-- The proofs are worked out anew by digest.py.
local core = require "smtpsec.core"
local process = require "spec.support.process"
local script = require "spec.support.script"

local clear = { tls = "none", insecure_cleartext = true }
local chris = { user = "chris", password = "secret", host = "elwood.innosoft.com" }
local nonce = 'nonce="OA6MG9tEQGm2hh"'
local rfc = 'realm="elwood.innosoft.com",' .. nonce .. ',qop="auth",algorithm=md5-sess,charset=utf-8'

-- The proofs of client and server.
local function prove(user, realm, password, server_nonce, cnonce, uri)
  local words = { "/usr/bin/python3", "-IS", "spec/sasl/digest.py", user, realm, password, server_nonce, cnonce, uri }
  return process.run(process.command(words)):match "^(%x+) (%x+)\n$"
end

local function challenge(text)
  return "334 " .. core.base64(text) .. "\r\n"
end

-- A connection that was challenged so, and what came of it.
local function challenged(text, who)
  local conn = script.ready("AUTH DIGEST-MD5 PLAIN", clear)
  assert(conn:auth("DIGEST-MD5", who or chris))
  assert.equal("AUTH DIGEST-MD5\r\n", script.drain(conn))
  return conn, script.answer(conn, challenge(text))
end

local function response(conn)
  return core.base64_decode(script.drain(conn):match "^([^\r]*)\r\n$")
end

-- What is said to a challenge that is one.
local function answer(text, who)
  local conn, kind, _, words = challenged(text, who)
  assert.equal("again", kind, words)
  return response(conn), conn
end

-- How a challenge that is none ends: nothing is said to it.
local function refusal(text, who)
  local conn, kind, status, words = challenged(text, who)
  assert.same({ false, "auth", "" }, { kind or false, status, (conn:output()) })
  return (words:gsub("^the server's challenge for DIGEST%-MD5 ", ""))
end

-- Between nonce and proof: the response in parts.
local function cnonce_of(said)
  return said:match 'nc=00000001,cnonce="([%w+/]+)"'
end

local function proof_of(said)
  return said:match ",response=(%x+),qop=auth$"
end

describe("DIGEST-MD5", function()
  describe("has the vectors of RFC 2831 section 4", function()
    local program

    setup(function()
      program = os.tmpname()
      local sources = {}
      for i, name in ipairs { "base64", "buf", "status", "utf8", "wipe" } do
        sources[i] = "csrc/base/" .. name .. ".c"
      end
      process.run("cc -std=c11 -D_GNU_SOURCE -Icsrc -o " .. program .. " spec/sasl/digest_vector.c "
        .. table.concat(sources, " ") .. " -lcrypto")
    end)

    teardown(function()
      os.remove(program)
    end)

    it("in C", function()
      assert.equal("0", process.run(program .. "; echo $?"):match "%d+")
    end)

    it("in the program that is compared with below", function()
      assert.same({ "d388dad90d4bbd760a152321f2143af7", "ea40f60335c427b5527b84dbabcdfffd" }, { prove("chris",
        "elwood.innosoft.com", "secret", "OA6MG9tEQGm2hh", "OA6MHXh6VqTrRk", "imap/elwood.innosoft.com") })
    end)

    it("but not where OpenSSL refuses MD5, which it says", function()
      local config = process.write(program .. ".cnf", table.concat({
        "openssl_conf = all", "[all]", "alg_section = rules", "[rules]", "default_properties = fips=yes", "" }, "\n"))
      assert.equal("OpenSSL does not compute MD5 here\n1\n",
        process.run("OPENSSL_CONF=" .. config .. " " .. program .. "; echo $?"))
      os.remove(config)
    end)
  end)

  it("says who, and proves it; and lets the server do the same", function()
    local said, conn = answer(rfc)
    local cnonce, proof = said:match('^charset=utf%-8,username="chris",realm="elwood%.innosoft%.com",' .. nonce
      .. ',nc=00000001,cnonce="(' .. ("[%w+/]"):rep(24) .. ')",digest%-uri="smtp/elwood%.innosoft%.com",'
      .. "response=(%x+),qop=auth$")
    local ours, theirs = prove("chris", "elwood.innosoft.com", "secret", "OA6MG9tEQGm2hh", cnonce,
      "smtp/elwood.innosoft.com")
    assert.equal(ours, proof)
    assert.equal("again", (script.answer(conn, challenge("rspauth=" .. theirs))))
    assert.equal("\r\n", conn:output())
    local kind, verb, _, code = script.answer(conn, "235 2.7.0 ok\r\n")
    assert.same({ "reply", "AUTH", 235 }, { kind, verb, code })
  end)

  it("never says the same nonce again", function()
    assert.are_not.equal(cnonce_of(answer(rfc)), cnonce_of(answer(rfc)))
  end)

  describe("in other letters than ASCII:", function()
    local function check(user, password, realm, wire)
      local said = answer('realm="' .. realm .. '",' .. nonce .. ",algorithm=md5-sess" .. (wire or ",charset=utf-8"),
        { user = user, password = password, host = "mail.test" })
      assert.equal(prove(user, realm, password, "OA6MG9tEQGm2hh", cnonce_of(said), "smtp/mail.test"), proof_of(said))
      return said:match '^(.-),realm='
    end

    it("hashes as ISO 8859-1 what fits it, and nothing else", function()
      assert.equal('charset=utf-8,username="ünal"', check("ünal", "pässwörd", "münchen"))
      assert.equal('charset=utf-8,username="監視"', check("監視", "秘密", "東京"))
      assert.equal('charset=utf-8,username="監視"', check("監視", "pässwörd", "mail.test"))
    end)

    it("says them as ISO 8859-1 where the server knows no other", function()
      assert.equal('username="\252nal"', check("ünal", "pässwörd", "mail.test", ""))
    end)

    it("says none that the server does not know", function()
      local words = "the server's DIGEST-MD5 takes no user name or password beyond ISO 8859-1"
      for _, who in ipairs { { "監視", "secret" }, { "chris", "秘密" } } do
        assert.equal(words, refusal(nonce .. ",algorithm=md5-sess",
          { user = who[1], password = who[2], host = "mail.test" }))
      end
    end)
  end)

  it("takes the first realm, were it empty, or else the server's name", function()
    local function realm(text)
      local said = answer(text .. nonce .. ",algorithm=md5-sess,charset=utf-8", { user = "u", password = "p",
        host = "mail.test" })
      local found = said:match 'realm="([^"]*)"'
      assert.equal(prove("u", found, "p", "OA6MG9tEQGm2hh", cnonce_of(said), "smtp/mail.test"), proof_of(said))
      return found
    end
    assert.equal("a", realm 'realm="a",realm="b",')
    assert.equal("", realm 'realm="",realm="b",')
    assert.equal("mail.test", realm "")
  end)

  it("quotes and unquotes", function()
    local said = answer([[realm="r\"\\\x",nonce="a\"b,c=\\d",algorithm="md5-sess"]], { user = [[u"\,ü]] .. "\t",
      password = "p", host = "mail.test" })
    assert.truthy(said:find([[username="u\"\\,]] .. "\252\\\t" .. [[",realm="r\"\\x",nonce="a\"b,c=\\d",]], 1, true))
    assert.equal(prove([[u"\,ü]] .. "\t", [[r"\x]], "p", [[a"b,c=\d]], cnonce_of(said), "smtp/mail.test"),
      proof_of(said))
  end)

  for _, text in ipairs {
    nonce .. ",algorithm=md5-sess", "algorithm=md5-sess," .. nonce, "NONCE=x,Algorithm=MD5-SESS", rfc .. ",",
    ",, " .. rfc, nonce .. "\t,\r\n algorithm=md5-sess ", 'nonce = "x" , algorithm = md5-sess', rfc .. ",cipher=3des",
    rfc .. ',maxbuf=65536,cipher="rc4,des"', rfc .. ",stale=false", rfc .. ",x=y,x=y,long-name=\"\"",
    nonce .. ',algorithm="md5-sess",charset="UTF-8",qop=auth', nonce .. ',algorithm=md5-sess,qop="auth-conf, auth"',
    nonce .. ',algorithm=md5-sess,qop="x,,auth,auth-int"', 'nonce="' .. ("n"):rep(2020) .. '",algorithm=md5-sess',
  } do
    it(("takes %q for a challenge"):format(text:sub(1, 90)), function()
      assert.is_truthy(proof_of((answer(text))))
    end)
  end

  for text, words in pairs {
    [""] = "has no nonce", ["x"] = "is malformed", ["="] = "is malformed", ["nonce"] = "is malformed",
    ["nonce="] = "is malformed", ["nonce=,"] = "is malformed", ['nonce="'] = "is malformed",
    ['nonce="x'] = "is malformed", ['nonce="x\\'] = "is malformed", ['nonce="x\\"'] = "is malformed",
    ['nonce="x"y'] = "is malformed", ["nonce=x y=z"] = "is malformed", ['nonce="a\nb"'] = "is malformed",
    ['nonce="a\0b"'] = "is malformed", ['nonce="a\\\0b"'] = "is malformed", ["nonce=x;algorithm=md5-sess"] =
      "is malformed", ["nonce=\255"] = "is malformed", ["\0"] = "is malformed",
    ["algorithm=md5-sess,realm=x"] = "has no nonce", ['nonce="",algorithm=md5-sess'] = "has no nonce",
    [rfc .. "," .. nonce] = "says something twice", [rfc .. ",nonce=other"] = "says something twice",
    ['nonce="",nonce=x,algorithm=md5-sess'] = "says something twice", [rfc .. ",qop=auth"] = "says something twice",
    [rfc .. ",algorithm=md5-sess"] = "says something twice", [rfc .. ",charset=utf-8"] = "says something twice",
    [rfc .. ",maxbuf=1,maxbuf=1"] = "says something twice", [rfc .. ",cipher=des,cipher=des"] = "says something twice",
    [rfc .. ",stale=false,STALE=false"] = "says something twice",
    [nonce] = "is not for md5-sess", [nonce .. ",algorithm=md5"] = "is not for md5-sess",
    [nonce .. ',algorithm=""'] = "is not for md5-sess",
    [nonce .. ",algorithm=md5-sess,charset=latin1"] = "is in an unknown charset",
    [rfc .. ",stale=true"] = "calls a nonce stale that it never gave",
    [nonce .. ',algorithm=md5-sess,qop="auth-int"'] = "does not offer qop=auth",
    [nonce .. ',algorithm=md5-sess,qop="auth-int,auth-conf"'] = "does not offer qop=auth",
    [nonce .. ',algorithm=md5-sess,qop=""'] = "does not offer qop=auth",
    [nonce .. ',algorithm=md5-sess,qop="authentic"'] = "does not offer qop=auth",
    [nonce .. ',algorithm=md5-sess,qop="auth-int;auth"'] = "does not offer qop=auth",
    ['nonce="' .. ("n"):rep(2021) .. '",algorithm=md5-sess'] = "is too long",
  } do
    it(("has no answer to %q, which %s"):format(text:sub(1, 90), words), function()
      assert.equal(words, refusal(text))
    end)
  end

  it("has no answer to an empty challenge, whether nothing stands there or nothing in base64", function()
    for _, line in ipairs { "334\r\n", "334 \r\n" } do
      local conn = script.ready("AUTH DIGEST-MD5", clear)
      conn:auth("DIGEST-MD5", chris)
      local kind, status = script.answer(conn, line)
      assert.same({ nil, "auth" }, { kind, status })
    end
  end)

  describe("has the server prove itself:", function()
    local forged = "the server did not prove that it knows the password (DIGEST-MD5's rspauth)"

    local function proofs()
      local said, conn = answer(rfc)
      local ours, theirs = prove("chris", "elwood.innosoft.com", "secret", "OA6MG9tEQGm2hh", cnonce_of(said),
        "smtp/elwood.innosoft.com")
      return conn, theirs, ours
    end

    it("with more around the proof, or quotes", function()
      for _, frame in ipairs { "rspauth=%s", 'x=y, rspauth="%s"', "RSPAUTH = %s ," } do
        local conn, theirs = proofs()
        assert.equal("again", (script.answer(conn, challenge(frame:format(theirs)))))
        assert.equal("reply", (script.answer(conn, "235 ok\r\n")))
      end
    end)

    it("not with another proof, nor with the client's own", function()
      for i, alter in ipairs {
        function(theirs) return "rspauth=" .. theirs:sub(1, 31) .. (theirs:sub(32) == "0" and "1" or "0") end,
        function(theirs) return "rspauth=" .. (theirs:sub(1, 1) == "0" and "1" or "0") .. theirs:sub(2) end,
        function(theirs) return "rspauth=" .. theirs:sub(1, 31) end,
        function(theirs) return "rspauth=" .. theirs .. "0" end,
        function(_, ours) return "rspauth=" .. ours end,
        function(theirs) return "rspauth=" .. theirs .. ",rspauth=" .. theirs end,
        function(theirs) return 'rspauth="' .. theirs end,
        function() return "rspauth=" end,
        function() return 'rspauth=""' end,
        function() return "" end,
        function() return rfc end,
      } do
        local conn, theirs, ours = proofs()
        local kind, status, words = script.answer(conn, challenge(alter(theirs, ours)))
        assert.same({ i, nil, "auth", forged }, { i, kind, status, words })
      end
    end)

    it("before it may accept, and whenever it accepts", function()
      local conn = script.ready("AUTH DIGEST-MD5", clear)
      conn:auth("DIGEST-MD5", chris)
      local early = "the server accepted the login by DIGEST-MD5 before the exchange was complete"
      assert.same({ nil, "auth", early }, { script.answer(conn, "235 ok\r\n") })
      local _, half = answer(rfc)
      assert.same({ nil, "auth", early }, { script.answer(half, "235 ok\r\n") })
    end)

    it("though a refusal needs no proof", function()
      local _, conn = answer(rfc)
      local kind, _, _, code = script.answer(conn, "535 5.7.8 no\r\n")
      assert.same({ "reply", 535 }, { kind, code })
      assert.is_truthy(conn:auth("DIGEST-MD5", chris))
    end)

    it("once, and nothing more", function()
      local conn, theirs = proofs()
      script.answer(conn, challenge("rspauth=" .. theirs))
      assert.same({ nil, "auth", "the server sent one challenge more than DIGEST-MD5 has" },
        { script.answer(conn, challenge("rspauth=" .. theirs)) })
    end)
  end)

  it("needs user, password and the server's name, and says no name without end", function()
    local conn = script.ready("AUTH DIGEST-MD5", clear)
    for what, who in pairs {
      ["user name"] = { password = "p", host = "h" }, ["password"] = { user = "u", host = "h" },
      ["server's name"] = { user = "u", password = "p" },
    } do
      assert.same({ nil, "argument", "the " .. what .. " is empty" }, { conn:auth("DIGEST-MD5", who) })
    end
    assert.is_truthy(conn:auth("DIGEST-MD5", { user = "u", password = "p", host = "h" }))
    assert.is_truthy(answer(rfc, { user = ("u"):rep(3800), password = "p", host = "h" }))
    assert.equal("the user name is too long for DIGEST-MD5",
      refusal(rfc, { user = ("u"):rep(4000), password = "p", host = "h" }))
  end)
end)
