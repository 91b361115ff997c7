-- base64, whole values at once (RFC 4648 section 4): what the server's challenges are read with. That garbage is
-- refused is shown in auth_spec.lua.
local core = require "smtpsec.core"
local script = require "spec.support.script"

local vectors = {
  [""] = "", ["f"] = "Zg==", ["fo"] = "Zm8=", ["foo"] = "Zm9v", ["foob"] = "Zm9vYg==", ["fooba"] = "Zm9vYmE=",
  ["foobar"] = "Zm9vYmFy", ["\0"] = "AA==", ["\0\0\0"] = "AAAA", ["\255\255\255"] = "////", ["\251\239\190"] = "++++",
  ["\252"] = "/A==",
}

-- What CRAM-MD5 makes of a challenge shows every bit of it.
local function digest_by_engine(challenge)
  local conn = script.ready("AUTH CRAM-MD5", { tls = "none", insecure_cleartext = true })
  conn:auth("CRAM-MD5", { user = "u", password = "key" })
  assert(script.answer(conn, "334 " .. challenge .. "\r\n"))
  return script.drain(conn)
end

local function digest_by_openssl(bytes)
  local path = os.tmpname()
  local file = assert(io.open(path, "wb"))
  file:write(bytes)
  file:close()
  local pipe = assert(io.popen("openssl dgst -md5 -hmac key -r <" .. path))
  local hex = pipe:read("*a"):match "^%x+"
  pipe:close()
  os.remove(path)
  return core.base64("u " .. hex) .. "\r\n"
end

describe("base64", function()
  it("is written as RFC 4648 shows it", function()
    for bytes, text in pairs(vectors) do
      assert.equal(text, core.base64(bytes))
    end
  end)

  it("is read as it is written", function()
    for bytes, text in pairs(vectors) do
      if bytes ~= "" then
        assert.equal(digest_by_openssl(bytes), digest_by_engine(text), text)
      end
    end
    local all = {}
    for i = 0, 255 do
      all[i + 1] = string.char(i)
    end
    for length = 254, 256 do
      local bytes = table.concat(all, "", 1, length)
      assert.equal(digest_by_openssl(bytes), digest_by_engine(core.base64(bytes)), length)
    end
  end)
end)
