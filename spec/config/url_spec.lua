local url = require "smtpsec.config.url"

local GOOD = {
  ["smtps://smtp.example.com"] = { mode = "implicit", host = "smtp.example.com" },
  ["smtps://smtp.example.com/"] = { mode = "implicit", host = "smtp.example.com" },
  ["SMTPS://smtp.example.com:465"] = { mode = "implicit", host = "smtp.example.com", port = 465 },
  ["smtp://smtp.example.com:2525"] = { host = "smtp.example.com", port = 2525 },
  ["smtp+starttls://h:587"] = { mode = "starttls", host = "h", port = 587 },
  ["smtp+opportunistic://h"] = { mode = "opportunistic", host = "h" },
  ["smtp+plain://localhost:25"] = { mode = "none", host = "localhost", port = 25 },
  ["lmtp://h:24"] = { lmtp = true, host = "h", port = 24 },
  ["lmtp:///var/run/lmtp"] = { lmtp = true, path = "/var/run/lmtp" },
  ["lmtp:///with%20space"] = { lmtp = true, path = "/with space" },
  ["smtps://[2001:db8::1]:465"] = { mode = "implicit", host = "2001:db8::1", port = 465 },
  ["smtps://[::1]"] = { mode = "implicit", host = "::1" },
  ["smtps://u@h"] = { mode = "implicit", user = "u", host = "h" },
  ["smtps://u:p@h:1"] = { mode = "implicit", user = "u", password = "p", host = "h", port = 1 },
  ["smtps://me%40example.com:p%3A%2F%40%25@h"] =
    { mode = "implicit", user = "me@example.com", password = "p:/@%", host = "h" },
  ["smtps://u:a:b@h"] = { mode = "implicit", user = "u", password = "a:b", host = "h" },
  ["smtps://u:a+b@h"] = { mode = "implicit", user = "u", password = "a+b", host = "h" },
}

-- what is wrong -> URLs, each with "hunter2" somewhere
local BAD = {
  ["no scheme"] = { "hunter2", "smtp.hunter2.com:465", "//hunter2", "" },
  ["unknown scheme"] = { "http://hunter2", "smtpss://u:hunter2@h", "hunter2://h" },
  ["names no host"] = { "smtps://u:hunter2@", "smtps://u:hunter2@:465", "smtps://" },
  ["names neither a host nor the path"] = { "lmtp://", "lmtp:///" },
  ["more than one @"] = { "smtps://me@x.com:hunter2@h", "smtps://u:hunter2@@h" },
  ["no user before it"] = { "smtps://:hunter2@h", "smtps://@hunter2" },
  ["no password behind"] = { "smtps://hunter2:@h" },
  ["two hexadecimal digits"] = { "smtps://u:hunter2%@h", "smtps://u:hunter2%4@h", "smtps://u%zz:hunter2@h" },
  ["control character"] = { "smtps://u:hunter2%0A@h", "smtps://u%00:hunter2@h", "smtps://u:hunter2\n@h" },
  ["a space"] = { "smtps://u:hunter2 x@h" },
  ["a ? or a #"] = { "smtps://u:hunter2?@h", "smtps://u:hun#ter2@h", "smtps://h?password=hunter2" },
  ["a port that is not"] = { "smtps://h:hunter2", "smtps://u:hunter2@h:0", "smtps://u:hunter2@h:65536",
    "smtps://u:hunter2/x@h", "smtps://2001:db8::1:hunter2", "smtps://[::1:hunter2", "smtps://[::1]hunter2" },
  ["a path, which means nothing"] = { "smtps://u:p@h/hunter2" },
  ["both a host and a path"] = { "lmtp://h/hunter2" },
}

describe("url", function()
  for text, parts in pairs(GOOD) do
    it("takes apart " .. text, function()
      assert.same(parts, url.parse(text))
    end)
  end

  for why, list in pairs(BAD) do
    it("refuses what has: " .. why .. ", and does not show it", function()
      for _, text in ipairs(list) do
        local parts, message = url.parse(text)
        assert.is_nil(parts, text)
        assert.is_truthy(message:find(why, 1, true), text .. " -> " .. message)
        assert.is_nil(message:find("hunter2", 1, true), message)
        assert.is_nil(message:find("%c"), message)
      end
    end)
  end
end)
