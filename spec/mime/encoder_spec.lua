local core = require "smtpsec.core"
local judge = require "spec.support.judge"

local function encode(name, ...)
  local encoder, out = core.encoder(name), {}
  for i, piece in ipairs { ... } do out[i] = assert(encoder:update(piece)) end
  out[#out + 1] = encoder:finish()
  return table.concat(out)
end

local function bytes_of(s)
  local all = {}
  for i = 1, #s do all[i] = s:sub(i, i) end
  return all
end

-- The same at every split in two, byte by byte, and in threes.
local function split_everywhere(name, input)
  local whole = encode(name, input)
  for at = 0, #input do
    assert.equal(whole, encode(name, input:sub(1, at), input:sub(at + 1)))
  end
  assert.equal(whole, encode(name, (table.unpack or unpack)(bytes_of(input))))
  for at = 0, #input - 2 do
    assert.equal(whole, encode(name, input:sub(1, at), input:sub(at + 1, at + 1), input:sub(at + 2)))
  end
  return whole
end

-- Pieces that a codec has something to do with, in every order a seed gives.
local PIECES = { "\r\n", "\r", "\n", " ", "\t", "From ", ".", "=", "é", "日", "\0", "plain text ", "\255",
  ("x"):rep(75) }

local function random_input(seed, pieces)
  local state = seed * 7919 + 1
  local function random(n)
    state = state * 16807 % 2147483647
    return math.floor(state / 65536) % n + 1
  end
  local all = {}
  for i = 1, random(12) do all[i] = pieces[random(#pieces)] end
  return table.concat(all)
end

local function without_nul()
  local kept = {}
  for _, piece in ipairs(PIECES) do
    if piece ~= "\0" then kept[#kept + 1] = piece end
  end
  return kept
end

local function every_byte()
  local all = {}
  for i = 0, 255 do all[i + 1] = string.char(i) end
  return table.concat(all)
end

describe("the base64 encoder", function()
  it("is RFC 4648's, in lines of 76 that CRLF joins", function()
    assert.equal("", encode("base64", ""))
    assert.equal("Zg==", encode("base64", "f"))
    assert.equal("Zm9vYmFy", encode("base64", "foo", "bar"))
    assert.equal(("YWFh"):rep(19), encode("base64", ("a"):rep(57)))
    assert.equal(("YWFh"):rep(19) .. "\r\nYQ==", encode("base64", ("a"):rep(58)))
  end)

  it("gives the same at every split", function()
    for _, length in ipairs { 0, 1, 2, 3, 4, 56, 57, 58, 59, 113, 114, 115, 171 } do
      split_everywhere("base64", every_byte():sub(1, length))
    end
  end)

  it("is decoded by Python to what went in", function()
    local inputs, outputs = { every_byte(), every_byte():rep(40) }, {}
    for length = 0, 120 do inputs[#inputs + 1] = every_byte():reverse():sub(1, length) end
    for i, input in ipairs(inputs) do
      outputs[i] = encode("base64", input)
      for line in (outputs[i] .. "\r\n"):gmatch("(.-)\r\n") do assert.is_true(#line <= 76) end
    end
    assert.same(inputs, judge.decode("base64", outputs))
  end)
end)

describe("the quoted-printable encoder", function()
  it("leaves text alone and keeps line ends", function()
    assert.equal("plain text\r\n\r\nmore\r\n", encode("quoted-printable", "plain text\r\n\r\nmore\r\n"))
  end)

  it("escapes =, controls and 8-bit octets", function()
    assert.equal("a=3Db=C3=A9=00=7F", encode("quoted-printable", "a=bé\0\127"))
  end)

  it("escapes a lone CR and a lone LF", function()
    assert.equal("a=0Db=0Ac=0D\r\n=0D", encode("quoted-printable", "a\rb\nc\r\r\n\r"))
  end)

  it("protects blanks before a line end, and only the last of them", function()
    assert.equal("a =20\r\nb=09\r\nc=20", encode("quoted-printable", "a  \r\nb\t\r\nc "))
    assert.equal("a b\tc", encode("quoted-printable", "a b\tc"))
    assert.equal("a =0Db", encode("quoted-printable", "a \rb"))
  end)

  it("protects From and dots at the start of a line", function()
    assert.equal("From=20me\r\n=2E\r\n=2E.x\r\nFromage, From me", encode("quoted-printable",
      "From me\r\n.\r\n..x\r\nFromage, From me"))
    -- behind a soft break the line begins anew
    local line = ("x"):rep(75)
    assert.equal(line .. "=\r\n=2E", encode("quoted-printable", line .. "."))
    assert.equal(line .. "=\r\nFrom=20y", encode("quoted-printable", line .. "From y"))
  end)

  it("breaks lines at 76 characters and never inside an escape", function()
    for lead = 70, 76 do
      local encoded = encode("quoted-printable", ("x"):rep(lead) .. ("é"):rep(60))
      for line in (encoded .. "\r\n"):gmatch("(.-)\r\n") do
        assert.is_true(#line <= 76)
        assert.is_nil(line:find("=%x$"))
      end
    end
  end)

  it("gives the same at every split", function()
    split_everywhere("quoted-printable",
      "From x \r\n.\r\n\r\r\n \t\r\nFrom=\0é日\n end \r\n" .. ("y"):rep(76) .. "From . \r")
    for seed = 1, 40 do split_everywhere("quoted-printable", random_input(seed, PIECES)) end
  end)

  it("is decoded by Python to what went in", function()
    local inputs, outputs = { "", every_byte(), "a \r\n \r\n.\r\nFrom \r\n" }, {}
    for seed = 1, 300 do inputs[#inputs + 1] = random_input(seed, PIECES) end
    for i, input in ipairs(inputs) do
      outputs[i] = encode("quoted-printable", input)
      for line in (outputs[i] .. "\r\n"):gmatch("(.-)\r\n") do
        assert.is_true(#line <= 76)
        assert.is_nil(line:find("[ \t]$"))
        assert.is_nil(line:find("^From ") or line:find("^%."))
        assert.is_nil(line:find("[^\32-\126\t]"))
      end
    end
    assert.same(inputs, judge.decode("quoted-printable", outputs))
  end)
end)

describe("the crlf encoder", function()
  local function mended(s)
    return (s:gsub("\r\n", "\n"):gsub("\r", "\n"):gsub("\n", "\r\n"))
  end

  it("makes CR, LF and CRLF into CRLF, at every split", function()
    for seed = 1, 60 do
      local input = random_input(seed, without_nul())
      assert.equal(mended(input), split_everywhere("crlf", input))
    end
    assert.equal("\r\n\r\n\r\n", split_everywhere("crlf", "\r\r\n\n"))
  end)

  it("refuses NUL and takes what stands beside it", function()
    local encoder = core.encoder("crlf")
    local out, why = encoder:update("a\0b")
    assert.is_nil(out)
    assert.equal("contains a NUL", why)
    assert.equal("ab", encoder:update("ab"))
  end)
end)

describe("an encoder", function()
  it("has a name that is known", function()
    assert.error_matches(function() core.encoder("base65") end, "no encoder has this name")
  end)

  it("is of no use once finished or closed", function()
    for _, ending in ipairs { "finish", "close" } do
      local encoder = core.encoder("base64")
      encoder[ending](encoder)
      assert.error_matches(function() encoder:update("x") end, "the encoder is finished")
      assert.error_matches(function() encoder:finish() end, "the encoder is finished")
      encoder:close()
    end
  end)

  it("takes up to 1 MiB at once, of whatever it blows up most", function()
    local input = ("\255"):rep(1048576)
    for _, name in ipairs { "base64", "quoted-printable" } do
      assert.same({ input }, judge.decode(name, { encode(name, input) }))
    end
    assert.equal(2097152, #encode("crlf", ("\n"):rep(1048576)))
    assert.error_matches(function() core.encoder("crlf"):update(input .. "x") end, "1 MiB")
  end)
end)

describe("the base64 encoder's lines", function()
  -- Single bytes never make a whole line, so they are encoded without the kernels that make whole lines.
  local function bytewise(input)
    return encode("base64", (table.unpack or unpack)(bytes_of(input)))
  end

  it("are the same from every kernel, at every length", function()
    local input = (every_byte() .. every_byte():reverse()):rep(2)
    for length = 0, 700 do
      local part = input:sub(1, length)
      assert.equal(bytewise(part), encode("base64", part), length)
    end
  end)

  it("are the same from every kernel, wherever they begin", function()
    local input = every_byte():rep(2)
    local whole = bytewise(input)
    for first = 0, 180 do assert.equal(whole, encode("base64", input:sub(1, first), input:sub(first + 1))) end
    for first = 1, 256 do assert.equal(bytewise(input:sub(first)), encode("base64", input:sub(first))) end
  end)

  it("hold every value of every byte of a group, in every place", function()
    local all = {}
    for value = 0, 255 do
      for place = 0, 2 do all[#all + 1] = ("\0"):rep(place) .. string.char(value) .. ("\255"):rep(2 - place) end
    end
    local input = table.concat(all)
    for shift = 0, 56 do
      assert.equal(bytewise(("x"):rep(shift) .. input), encode("base64", ("x"):rep(shift) .. input))
    end
  end)
end)

describe("core.encode", function()
  it("gives at once what an encoder gives in pieces", function()
    for seed = 1, 60 do
      local input = random_input(seed, without_nul())
      for _, name in ipairs { "base64", "quoted-printable", "crlf" } do
        assert.equal(encode(name, input), core.encode(name, input))
      end
    end
    assert.equal("", core.encode("base64", ""))
  end)

  it("refuses what the encoder refuses, and begins anew after that", function()
    assert.same({ nil, "contains a NUL" }, { core.encode("crlf", "a\0b") })
    assert.equal("a\r\n", core.encode("crlf", "a\n"))
    assert.error_matches(function() core.encode("base65", "x") end, "no encoder has this name")
    assert.error_matches(function() core.encode("base64", ("x"):rep(1048577)) end, "1 MiB")
    assert.equal(2097152, #core.encode("crlf", ("\n"):rep(1048576)))
  end)
end)

describe("core.base64", function()
  it("is one line of RFC 4648", function()
    assert.equal("", core.base64(""))
    assert.equal("AP8=", core.base64("\0\255"))
    assert.equal(("YWFh"):rep(100), core.base64(("a"):rep(300)))
  end)
end)
