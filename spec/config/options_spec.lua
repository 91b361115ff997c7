local options = require "smtpsec.config.options"

-- A public function, as a caller sees it.
local function new(given)
  options.check(given)
  return true
end

-- options that are accepted, and the like that are not, with what the message says
local CASES = {
  { { url = "smtps://h" }, { url = 1 }, '"url" must be a string, got a number' },
  { { host = "h", port = 25 }, { host = "h", port = "25" }, '"port" must be a whole number from 1 to 65535' },
  { { provider = "gmail" }, { provider = "gmial" }, 'did you mean "gmail"?' },
  { { env_file = "x.env" }, { env_file = true }, '"env_file" must be a string or false, got true' },
  { { env_file = false }, { env_file = 1 }, '"env_file" must be a string or false' },
  { { tls = "starttls" }, { tls = "startls" }, 'did you mean "starttls"?' },
  { { tls = { mode = "implicit" } }, { tls = { mode = "ssl" } }, '"tls.mode" must be one of' },
  { { tls = { ca_file = "x" } }, { tls = { cafile = "x" } }, 'unknown key "tls.cafile" (did you mean "ca_file"?)' },
  { { tls = { insecure_skip_verify = true } }, { tls = { skip_verify = true } }, 'unknown key "tls.skip_verify"' },
  { { tls = { verify = "pin" } }, { tls = { verify = false } }, '"tls.verify" must be one of' },
  { { tls = { verify = "pkix" } }, { tls = { verify = "none" } }, '"tls.verify" must be one of' },
  { { tls = { min_version = "TLSv1.3" } }, { tls = { min_version = "TLSv1.0" } },
    '"tls.min_version" must be one of' },
  { { user = "u", password = "p" }, { user = 1 }, '"user" must be a string, a function or false' },
  { { user = print, password = print }, { password = 1 }, '"password" must be a string' },
  { { user = false }, { user = true }, '"user" must be' },
  { { password = { file = "x" } }, { password = { fiel = "x" } },
    'unknown key "password.fiel" (did you mean "file"?)' },
  { { auth = { mechanisms = { "PLAIN" } } }, { auth = { mechanisms = "PLAIN" } },
    '"auth.mechanisms" must be a list' },
  { { auth = { mechanisms = { { name = "X", step = print } } } }, { auth = { mechanisms = { { nam = "X" } } } },
    'unknown key "auth.mechanisms[1].nam" (did you mean "name"?)' },
  { { auth = { mechanisms = { "PLAIN", { name = "X", start = print, user = true } } } },
    { auth = { mechanisms = { "PLAIN", { name = "X", start = "x" } } } },
    '"auth.mechanisms[2].start" must be a function' },
  { { auth = { channel_binding = "tls-exporter" } }, { auth = { channel_binding = "tls-export" } },
    'did you mean "tls-exporter"?' },
  { { auth = { require_channel_binding = true } }, { auth = { require_channel_binding = 1 } },
    '"auth.require_channel_binding" must be true or false' },
  { { auth = { max_iterations = 4096 } }, { auth = { max_iterations = 4095 } },
    '"auth.max_iterations" must be a whole number from 4096 to 2147483647' },
  { { auth = { max_iterations = 2147483647 } }, { auth = { max_iterations = 2147483648 } }, "max_iterations" },
  { { user = "u", token = { credential = "x" } }, { token = { credentials = "x" } },
    'unknown key "token.credentials" (did you mean "credential"?)' },
  { { auth = { insecure_cleartext = true } }, { auth = { cleartext = true } }, 'unknown key "auth.cleartext"' },
  { { hello = "h" }, { helo = "h" }, 'unknown key "helo" (did you mean "hello"?)' },
  { { timeout = 5 }, { timeout = 0 }, '"timeout" must be a number from 0.001 to 86400, got 0' },
  { { timeout = { final = 600 } }, { timeout = { finale = 600 } }, 'unknown key "timeout.finale"' },
  { { timeout = { total = 5 } }, { timeout = { total = -1 } }, '"timeout.total" must be a number' },
  { { io = "nginx" }, { io = "select" }, '"io" must be one of' },
  { { io = { name = "mine" } }, { io = print }, '"io" must be' },
  { { pool = { size = 2, idle = 0 } }, { pool = { size = 0 } }, '"pool.size" must be a whole number' },
  { { recipients = "all" }, { recipients = "some" }, '"recipients" must be one of "any" or "all"' },
  { { on_event = print }, { on_event = "print" }, '"on_event" must be a function' },
  { { from = "a@b", to = { "c@d" } }, { to = 1 }, '"to" must be a string or a table' },
}

describe("options", function()
  for _, case in ipairs(CASES) do
    it("accepts what fits, and refuses with: " .. case[3], function()
      assert.is_true(new(case[1]))
      local ok, message = pcall(new, case[2])
      assert.is_false(ok)
      assert.is_truthy(message:find("smtpsec options: ", 1, true), message)
      assert.is_truthy(message:find(case[3], 1, true), message)
    end)
  end

  it("shows no secret, wherever it was put", function()
    for _, given in ipairs { { url = 8675309 }, { password = 8675309 }, { password = { "hunter2" } },
      { token = 8675309 },
      { pass = "hunter2" }, { tls = { key_password = 8675309 } }, { tls = { key = 8675309 } } } do
      local ok, message = pcall(new, given)
      assert.is_false(ok)
      assert.is_nil(message:find("hunter2", 1, true), message)
      assert.is_nil(message:find("8675309", 1, true), message)
    end
  end)

  it("refuses what this version cannot do, instead of doing without it", function()
    for _, case in ipairs {
      { { tls = { verify = "dane" } }, '"tls.verify"' },
    } do
      local why = options.unsupported(case[1])
      assert.is_truthy(why and why:find(case[2], 1, true), why)
      assert.is_truthy(why:find("not supported by this version", 1, true), why)
    end
    assert.is_nil(options.unsupported {})
    assert.is_nil(options.unsupported { tls = { verify = "pkix", require_ocsp = true } })
    assert.is_nil(options.unsupported { tls = "implicit", token = "t", auth = { mechanisms = { "PLAIN" } } })
  end)
end)
