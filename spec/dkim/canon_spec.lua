-- Canonical forms (RFC 6376 section 3.4): the RFC's own examples, and bodies cut at every place, against a plain
-- reference that needs the whole of them.
local core = require "smtpsec.core"
local process = require "spec.support.process"

local function digest(relaxed, pieces)
  local hash = core.dkim_hash(relaxed)
  for _, piece in ipairs(pieces) do hash:update(piece) end
  return hash:finish()
end

-- The digests of some strings, as openssl sees them.
local function sha256(strings)
  local paths, digests = {}, {}
  for i, s in ipairs(strings) do paths[i] = process.write(os.tmpname(), s) end
  local output = process.run("openssl dgst -sha256 -r " .. process.command(paths))
  for hex in output:gmatch "(%x+) %*[^\n]+" do
    digests[#digests + 1] = hex:gsub("%x%x", function(byte) return string.char(tonumber(byte, 16)) end)
  end
  for _, path in ipairs(paths) do os.remove(path) end
  assert.equal(#strings, #digests)
  return digests
end

-- ---- the reference --------------------------------------------------------------------------------------------------

local function without_empty_lines(body)
  while body:sub(-2) == "\r\n" do body = body:sub(1, -3) end
  return body
end

local function simple(body) return without_empty_lines(body) .. "\r\n" end

local function relaxed(body)
  local lines = {}
  for line in (body:gsub("\r\n", "\0") .. "\0"):gmatch "([^%z]*)%z" do
    lines[#lines + 1] = line:gsub("[ \t]+", " "):gsub(" $", "")
  end
  body = without_empty_lines(table.concat(lines, "\r\n"))
  return body ~= "" and body .. "\r\n" or ""
end

local BODIES = {
  "", "\r\n", "\r\n\r\n", " \r\n\t\r\n", "a", "a\r\n", "a \t\r\n", " a\r\n", "\ta  b\t \tc\r\n\r\n \r\n",
  " C \r\nD \t E\r\n\r\n\r\n", "a\r\n\r\n\r\nb\r\n\r\n", "a\rb\nc\r\r\nd\r", "a \rb\r\n", "a\n", "\r", "\r\r\n", " ",
  "a\r\n \r\n\t\r\nb \r\n", "\r\n\r\na\r\n", ".\r\n..\r\n", "a\r\n" .. ("\r\n"):rep(40) .. "b\r\n",
  "0123456789abcdef0123456789abcdef \r\n0123456789abcdef  0123456789abcdef\t0123456789abcde\r\n\r\n",
  ("0123456789abcdef"):rep(5) .. "\r\n" .. ("x y "):rep(9) .. "\r\n",
}

-- Lines of base64, and what is nearly one.
local LINE = ("0123456789+/ABCDEFGH"):rep(4):sub(1, 76)
for _, line in ipairs { "", "x", " ", "  ", "\t\t", " \t", "\r", "\n", "\r\n", "\r\n\r\n", "\1", "\127", "\200\t\t" } do
  BODIES[#BODIES + 1] = ("x\r\n%s\r\n%s%s\r\n%s\r\n"):format(LINE, line, LINE, LINE:sub(5))
  for _, at in ipairs { 0, 16, 60, 75, 76 } do
    local nearly = LINE:sub(1, at) .. line .. LINE:sub(at + #line + 1)
    BODIES[#BODIES + 1] = ("x\r\n%s\r\n%s\r\n%s\r\n"):format(LINE, nearly, LINE)
  end
end

describe("the canonical form of a body", function()
  -- Bodies of what matters to it, by chance that is the same every time.
  local function random_bodies(count)
    local seed, words = 7, { "a", "b", " ", " ", "\t", "\r\n", "\r\n", "\r", "\n", "0123456789abcdef" }
    local bodies = {}
    for i = 1, count do
      local made = {}
      for j = 1, 12 do
        seed = (seed * 1103515245 + 12345) % 2147483648
        made[j] = words[math.floor(seed / 65536) % #words + 1]
      end
      bodies[i] = table.concat(made)
    end
    return bodies
  end

  it("is that of the RFC's examples", function()
    local body = " C \r\nD \t E\r\n\r\n\r\n" -- section 3.4.5
    assert.equal(" C\r\nD E\r\n", relaxed(body))
    assert.equal(" C \r\nD \t E\r\n", simple(body))
    local seen = sha256 { " C\r\nD E\r\n", " C \r\nD \t E\r\n", "", "\r\n" }
    assert.equal(seen[1], digest(true, { body }))
    assert.equal(seen[2], digest(false, { body }))
    assert.equal(seen[3], digest(true, {}))
    assert.equal(seen[4], digest(false, {}))
    -- sections 3.4.4 and 3.4.3 say these digests themselves
    assert.equal("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", core.base64(digest(true, { "\r\n \r\n" })))
    assert.equal("frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=", core.base64(digest(false, { "\r\n\r\n" })))
  end)

  it("is the same wherever the body is cut", function()
    local bodies, expected = random_bodies(tonumber(os.getenv "SMTPSEC_THIN") and 10 or 60), {}
    for _, body in ipairs(BODIES) do bodies[#bodies + 1] = body end
    for i, body in ipairs(bodies) do expected[2 * i - 1], expected[2 * i] = relaxed(body), simple(body) end
    expected = sha256(expected)
    for i, body in ipairs(bodies) do
      for form, is_relaxed in ipairs { true, false } do
        local wanted = expected[2 * (i - 1) + form]
        local bytes = {}
        for at = 0, #body do
          bytes[#bytes + 1] = body:sub(at + 1, at + 1)
          assert.equal(wanted, digest(is_relaxed, { body:sub(1, at), body:sub(at + 1) }), ("%q at %d"):format(body, at))
        end
        assert.equal(wanted, digest(is_relaxed, bytes), ("%q byte by byte"):format(body))
      end
    end
    assert.not_equal(digest(true, { "a b" }), digest(true, { "a", "b" }))
  end)

  it("costs no memory for what is held back", function()
    local hash, empty = core.dkim_hash(true), (" \r\n"):rep(20000)
    for _ = 1, 50 do hash:update(empty) end
    assert.equal(digest(true, { ("\r\n"):rep(1000000), "a" }), hash:update "a":finish())
  end)

  it("begins where it is told, and is finished once", function()
    local hash = core.dkim_hash(false):update("head\r\nbody", 7)
    assert.equal(digest(false, { "body" }), hash:finish())
    assert.has_error(function() hash:update "x" end)
    assert.has_error(function() hash:finish() end)
    assert.has_error(function() core.dkim_hash(true):update("x", 3) end)
    core.dkim_hash(true):update("x", 2):close()
  end)
end)

describe("the canonical form of a header field", function()
  it("is that of the RFC's examples", function()
    -- section 3.4.5
    assert.equal("a:X\r\n", core.dkim_field("A: X\r\n", true))
    assert.equal("b:Y Z\r\n", core.dkim_field("B : Y\t\r\n\tZ  \r\n", true))
    -- section 3.4.6
    assert.equal("B : Y\t\r\n\tZ  \r\n", core.dkim_field("B : Y\t\r\n\tZ  \r\n", false))
  end)

  it("has its name in lower case and its lines joined", function()
    for field, expected in pairs {
      ["Subject:\r\n folded\r\n  twice \t\r\n"] = "subject:folded twice\r\n", ["X-Empty:\r\n"] = "x-empty:\r\n",
      ["X-Empty: \t \r\n \r\n"] = "x-empty:\r\n", ["X:a:B : c\r\n"] = "x:a:B : c\r\n", ["No-End: x"] = "no-end:x\r\n",
      ["\195\132: \195\132 \r\n"] = "\195\132:\195\132\r\n",
    } do
      assert.equal(expected, core.dkim_field(field, true))
      assert.equal(field, core.dkim_field(field, false))
    end
  end)
end)
