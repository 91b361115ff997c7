local hello = require "smtpsec.io.hello"

describe("the name for EHLO", function()
  local cases = {
    { "mail.example.com", "192.0.2.1", "mail.example.com" },
    { "a-b.example", nil, "a-b.example" },
    { "web1", "192.0.2.1", "[192.0.2.1]" },
    { "web1", "2001:db8::1", "[IPv6:2001:db8::1]" },
    { "web1", "fe80::1%eth0", "[IPv6:fe80::1]" },
    { "my_host.example", "192.0.2.1", "[192.0.2.1]" },
    { "-a.example", "192.0.2.1", "[192.0.2.1]" },
    { "a-.example", "192.0.2.1", "[192.0.2.1]" },
    { "host..example", "192.0.2.1", "[192.0.2.1]" },
    { "host.", "192.0.2.1", "[192.0.2.1]" },
    { "x\r\nMAIL FROM:<a@b.c>", "192.0.2.1", "[192.0.2.1]" },
    { ("a."):rep(128) .. "b", "192.0.2.1", "[192.0.2.1]" },
    { "", "", "[127.0.0.1]" },
    { nil, "/run/socket", "[127.0.0.1]" },
    { nil, nil, "[127.0.0.1]" },
  }

  for i = 1, #cases do
    local name, address, expected = cases[i][1], cases[i][2], cases[i][3]
    it(("of %q at %s is %s"):format(name and name:sub(1, 20) or "", tostring(address), expected), function()
      assert.equal(expected, hello(name, address))
    end)
  end
end)
