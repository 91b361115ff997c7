-- A message on its way through DATA: CR and LF only as CRLF, dots doubled, one end, wherever the caller cut its pieces
-- (RFC 5321 sections 2.3.8 and 4.5.2).
local script = require "spec.support.script"

local normalized = script.normalized

local function encoded(text)
  local out = {}
  for line in normalized(text):gmatch "(.-)\r\n" do
    out[#out + 1] = (line:sub(1, 1) == "." and "." or "") .. line .. "\r\n"
  end
  return table.concat(out) .. ".\r\n"
end

-- A server that goes by RFC 5321: lines end with CRLF, nothing else; a lone dot ends; a first dot is taken away. The
-- message, and what follows its end.
local function decoded(wire)
  local message, from = {}, 1
  while true do
    local first, last = wire:find("\r\n", from, true)
    assert(first, "the end never came")
    local line = wire:sub(from, first - 1)
    from = last + 1
    if line == "." then
      return table.concat(message), wire:sub(from)
    end
    message[#message + 1] = line:gsub("^%.", "", 1) .. "\r\n"
  end
end

describe("a message", function()
  local conn

  before_each(function()
    conn = script.ready()
  end)

  -- What goes out for a message that is handed over in these pieces.
  local function send(pieces)
    script.transaction(conn)
    local wire = {}
    for _, piece in ipairs(pieces) do
      local taken = conn:body(piece, 1)
      assert(taken == #piece)
      wire[#wire + 1] = script.drain(conn)
    end
    assert(conn:finish())
    wire[#wire + 1] = script.drain(conn)
    conn:feed "250 ok\r\n"
    assert(conn:next() == "reply")
    return table.concat(wire)
  end

  local function bytes_of(text)
    local pieces = {}
    for i = 1, #text do
      pieces[i] = text:sub(i, i)
    end
    return pieces
  end

  -- Sends it in every way to cut it in two, and byte by byte.
  local function check(text)
    local expected = encoded(text)
    assert.equal(expected, send { text })
    assert.equal(expected, send(bytes_of(text)))
    for cut = 0, #text do
      assert.equal(expected, send { text:sub(1, cut), text:sub(cut + 1) }, cut)
    end
    return expected
  end

  for text, wire in pairs {
    [""] = ".\r\n",
    ["text"] = "text\r\n.\r\n",
    ["text\r\n"] = "text\r\n.\r\n",
    ["."] = "..\r\n.\r\n",
    [".."] = "...\r\n.\r\n",
    [".\r\n"] = "..\r\n.\r\n",
    ["\r\n.\r\n"] = "\r\n..\r\n.\r\n",
    ["a\r\n.b\r\n..c"] = "a\r\n..b\r\n...c\r\n.\r\n",
    ["a.\r\nb."] = "a.\r\nb.\r\n.\r\n",
    ["\n"] = "\r\n.\r\n",
    ["\r"] = "\r\n.\r\n",
    ["\r\n"] = "\r\n.\r\n",
    ["\n\r"] = "\r\n\r\n.\r\n",
    ["\r\r\n"] = "\r\n\r\n.\r\n",
    ["\r\n\n"] = "\r\n\r\n.\r\n",
    ["\255\128\195"] = "\255\128\195\r\n.\r\n",
  } do
    it(("%q becomes %q"):format(text, wire), function()
      assert.equal(wire, check(text))
    end)
  end

  -- Each of these ended the message for some server and not for another.
  for _, smuggled in ipairs {
    "\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\n.\r", "\r\r\n.\r\r\n", "\r\n.\r\r\n", "\n\n.\n\n",
    "\r.\n", "\n\r.\n\r", "\r\n.\r\n",
  } do
    it(("with %q inside stays one message"):format(smuggled), function()
      local text = "first" .. smuggled .. "MAIL FROM:<evil@client.test>\r\nRCPT TO:<b@mail.test>\r\nDATA\r\nsecond"
      local wire = check(text)
      local message, rest = decoded(wire)
      assert.equal(normalized(text), message)
      assert.equal("", rest)
    end)
  end

  it("arrives as it was, whatever it holds and however it was cut", function()
    local alphabet = { "\r", "\n", ".", "\r\n", "\r\n.", "a", ".\r\n", "text", "\255" }
    math.randomseed(20240229)
    for _ = 1, 300 do
      local parts = {}
      for i = 1, math.random(0, 14) do
        parts[i] = alphabet[math.random(#alphabet)]
      end
      local text = table.concat(parts)
      local wire = check(text)
      local message, rest = decoded(wire)
      assert.equal(normalized(text), message)
      assert.equal("", rest)
      assert.is_nil(wire:gsub("\r\n", ""):find "[\r\n]")
      assert.equal(encoded(text), send(parts))
    end
  end)

  it("ends exactly once", function()
    local wire = send { "a\r\n.\r\nb", "\r\n.\r\n" }
    local _, ends = wire:gsub("\r\n%.\r\n", "")
    assert.equal(1, ends)
  end)

  it("without a line end at its end gets one, also after a piece that is empty", function()
    assert.equal("a\r\n.\r\n", send { "a", "" })
    assert.equal("a\r\n.\r\n", send { "", "a\r", "", "\n", "" })
  end)

  it("does not remember the one before", function()
    assert.equal("x\r\n.\r\n", send { "x\r" })
    assert.equal("\r\n.\r\n", send { "\n" })
    assert.equal("open\r\n.\r\n", send { "open" })
    assert.equal("..\r\n.\r\n", send { "." })
  end)

  it("with a NUL is refused, piece by piece, and costs nothing", function()
    script.transaction(conn)
    for _, piece in ipairs { "\0", "a\0", "\0a", ("x"):rep(1000) .. "\0" } do
      local taken, status, text = conn:body(piece, 1)
      assert.is_nil(taken)
      assert.equal("argument", status)
      assert.equal("the message contains a NUL", text)
      assert.equal("", conn:output())
    end
    assert.equal(4, conn:body("good", 1))
    assert(conn:finish())
    assert.equal("good\r\n.\r\n", conn:output())
  end)

  it("waits where the output is full, and loses nothing", function()
    local result = script.play({
      client = function(client)
        client:event()
        client:ask("ehlo", "client.test")
        client:ask("mail", "a@client.test")
        client:ask("rcpt", "b@mail.test")
        client:ask "data"
        local taken = 0
        local n, status, text
        repeat
          n, status, text = client.conn:body((".\n"):rep(2 ^ 17), 1)
          taken = taken + (n or 0)
        until not n
        assert.equal("full", status)
        assert.equal("no room for more of the message", text)
        assert.equal(2 ^ 20, taken * 2) -- at 4 bytes for 2
        n, status, text = client.conn:finish()
        assert.is_nil(n)
        assert.equal("full", status)
        assert.equal("no room for the end of the message", text)
        client:body((".\n"):rep(2 ^ 18))
        client:drain()
        client:ask "finish"
      end,
      peer = {
        { reply = "220 mail.test\r\n" }, { expect = "EHLO client.test\r\n", reply = "250 mail.test\r\n" },
        { expect = "MAIL FROM:<a@client.test>\r\n", reply = "250 ok\r\n" },
        { expect = "RCPT TO:<b@mail.test>\r\n", reply = "250 ok\r\n" }, { expect = "DATA\r\n", reply = "354 go\r\n" },
        { expect = ("..\r\n"):rep(2 ^ 18 + 2 ^ 18) .. ".\r\n", reply = "250 ok\r\n" },
      },
    }, { drain = 65536 })
    assert.is_nil(result.failure)
  end)

  it("of more than a call takes is taken in part", function()
    script.transaction(conn)
    assert.equal(2 ^ 18, conn:body(("x"):rep(2 ^ 18 + 5), 1))
    assert.equal(5, conn:body(("x"):rep(2 ^ 18 + 5), 2 ^ 18 + 1))
    assert.equal(0, conn:body("", 1))
    assert.equal(0, conn:body("abc", 4))
    for _, from in ipairs { 0, 5, -1, 1.5 } do
      assert.has_error(function() conn:body("abc", from) end)
    end
  end)

  it("of bare CRs costs no more than another", function()
    local function seconds(text)
      local began = os.clock()
      for _ = 1, 4 do
        script.transaction(conn)
        assert(conn:body(text, 1))
        conn:finish()
        script.drain(conn)
        script.drain(conn)
        script.drain(conn)
        conn:feed "250 ok\r\n"
        conn:next()
      end
      return os.clock() - began
    end
    local lines = seconds(("x\n"):rep(2 ^ 17))
    assert.is_true(seconds(("\r"):rep(2 ^ 18)) < 20 * lines + 0.2)
  end)
end)
