local unsubscribe = require "smtpsec.mime.unsubscribe"

local function lines(given) return assert(unsubscribe.fields(given)) end

local function refused(given, words)
  local fields, err = unsubscribe.fields(given)
  assert.is_nil(fields)
  assert.equal("message", err.kind)
  assert.is_truthy(tostring(err):find(words, 1, true), tostring(err))
end

describe("list_unsubscribe", function()
  it("is written in angle brackets", function()
    assert.same({ "List-Unsubscribe: <https://example.com/u?id=1>\r\n" },
      lines { url = "https://example.com/u?id=1" })
    assert.same({ "List-Unsubscribe: <http://example.com/u>\r\n" }, lines { url = "http://example.com/u" })
    assert.same({ "List-Unsubscribe: <mailto:leave@example.com>\r\n" }, lines { mailto = "leave@example.com" })
    assert.same({ "List-Unsubscribe: <mailto:leave@example.com?subject=bye>\r\n" },
      lines { mailto = "mailto:leave@example.com?subject=bye" })
    assert.same({ "List-Unsubscribe: <mailto:a%26b@example.com>\r\n" }, lines { mailto = "a&b@example.com" })
  end)

  it("has an address as a URI: its domain in A-labels, all else that a URI may not hold percent-encoded", function()
    for given, address in pairs {
      ["leave@Bücher。test"] = "leave@xn--bcher-kva.test", ["a@XN--FA-HIA.de"] = "a@xn--fa-hia.de",
      ["pelé@bücher.test"] = "pel%C3%A9@xn--bcher-kva.test", ["日本@b.test"] = "%E6%97%A5%E6%9C%AC@b.test",
      ['"not@me"@b.test'] = "%22not%40me%22@b.test", ["a/b?c#d%e@b.test"] = "a%2Fb%3Fc%23d%25e@b.test",
      ["a@[192.0.2.1]"] = "a@%5B192.0.2.1%5D",
      ["mailto:a@xn--0.test?subject=b%C3%BC"] = "a@xn--0.test?subject=b%C3%BC", -- as it is
    } do
      assert.same({ "List-Unsubscribe: <mailto:" .. address .. ">\r\n" }, lines { mailto = given })
    end
  end)

  it("offers one click over https", function()
    assert.same({
      "List-Unsubscribe: <mailto:leave@example.com>, <https://example.com/u>\r\n",
      "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
    }, lines { url = "https://example.com/u", mailto = "leave@example.com", one_click = true })
    refused({ url = "http://example.com/u", one_click = true }, "is no https URL")
    refused({ mailto = "leave@example.com", one_click = true }, "one_click needs a url")
  end)

  it("never becomes an encoded word and is never folded inside", function()
    local url = "https://example.com/" .. ("=?x"):rep(200)
    assert.equal("List-Unsubscribe: <mailto:a@b>,\r\n <" .. url .. ">\r\n", lines { url = url, mailto = "a@b" }[1])
  end)

  it("refuses what is no URI", function()
    refused({}, "neither url nor mailto")
    refused({ url = "example.com/u" }, "is no web URL")
    refused({ url = "javascript:alert(1)" }, "is no web URL")
    refused({ url = "https://" }, "is no web URL")
    refused({ url = "https://example.com/a b" }, "percent-encode")
    refused({ url = "https://example.com/>, <https://evil.example" }, "percent-encode")
    refused({ url = "https://example.com/é" }, "percent-encode")
    refused({ url = "https://example.com/\r\nBcc: x@y" }, "carriage return at byte 21")
    refused({ url = "https://example.com/" .. ("x"):rep(900) }, "longer than")
    refused({ mailto = "nobody" }, 'list_unsubscribe.mailto: "nobody" has no @')
    refused({ mailto = "nobody" }, "write local@domain or a mailto: URI")
    refused({ mailto = "a@1א.de" }, 'list_unsubscribe.mailto: "a@1א.de" has a domain that mixes writing')
    refused({ mailto = "a@xn--0.de" }, "no Punycode")
    refused({ mailto = "mailto:a@bücher.test" }, "percent-encode it")
    refused({ mailto = "a@b.test, c@d.test" }, "list_unsubscribe.mailto: ")
    refused({ mailto = "a@b\r\nX: y" }, "control")
    refused({ mailto = "mailto:a@b\nX: y" }, "a line feed at byte 11")
  end)
end)
