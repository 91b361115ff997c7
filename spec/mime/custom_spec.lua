local custom = require "smtpsec.mime.custom"

local function refused(given, ...)
  local lines, err = custom.fields(given)
  assert.is_nil(lines)
  assert.equal("message", err.kind)
  for _, words in ipairs { ... } do assert.is_truthy(tostring(err):find(words, 1, true), tostring(err)) end
end

describe("custom headers", function()
  it("are a list, whose order and repetition are kept", function()
    assert.same({ "X-B: 2\r\n", "X-A: 1\r\n", "X-B: 3\r\n" },
      custom.fields { { "X-B", "2" }, { "X-A", "1" }, { "X-B", "3" } })
  end)

  it("are a map, written by name", function()
    assert.same({ "A: 3\r\n", "X-A: 1\r\n", "X-B: 2\r\n" }, custom.fields { ["X-B"] = "2", ["X-A"] = "1", A = "3" })
    assert.same({}, custom.fields {})
  end)

  it("hold text, which is encoded", function()
    assert.same({ "X-Note: =?UTF-8?B?5pel5pys6Kqe?=\r\n" }, custom.fields { ["X-Note"] = "日本語" })
    assert.same({ "X-Note: =?UTF-8?B?PT94Pw==?=\r\n" }, custom.fields { ["X-Note"] = "=?x?" })
  end)

  it("are left as they are where machines read them", function()
    assert.same({ "In-Reply-To: <=?a@b>\r\n" }, custom.fields { ["In-Reply-To"] = "<=?a@b>" })
    local references = ("<0123456789@example.com> "):rep(50):sub(1, -2)
    local line = custom.fields { References = references }[1]
    assert.equal("References: " .. references .. "\r\n", (line:gsub("\r\n ", " ")))
    assert.is_nil(line:find("=?", 1, true))
    refused({ ["List-Archive"] = "https://example.com/é" }, "headers.List-Archive", "ASCII only")
    refused({ References = ("x"):rep(901) }, "more than 900 octets")
  end)

  it("cannot be what smtpsec composes, in any spelling", function()
    refused({ From = "a@b" }, 'headers.From: "From" is composed by smtpsec', "give it as from")
    refused({ { "x-ok", "1" }, { "sUBJECT", "x" } }, "headers[2]", "give it as subject")
    for _, name in ipairs { "Bcc", "Content-Type", "content-transfer-encoding", "MIME-Version", "To", "Cc", "Date",
      "Sender", "Reply-To", "Message-ID", "Return-Path", "DKIM-Signature", "Received", "Resent-Bcc", "List-Unsubscribe",
      "List-Unsubscribe-Post" } do
      refused({ [name] = "x" }, name)
    end
  end)

  it("have names of header fields", function()
    for _, name in ipairs { "", "X Y", "X:Y", "X\r\nBcc", "Xé", "X\0", "X\t", ("X"):rep(51), "X-A:", " X" } do
      refused({ [name] = "v" }, "is no name of a header field")
    end
    assert.is_truthy(custom.fields { [("X"):rep(50)] = "v" })
  end)

  it("have values without controls", function()
    for value, words in pairs {
      ["a\r\nBcc: x@y"] = "carriage return at byte 2", ["a\nb"] = "line feed", ["a\rb"] = "carriage return",
      ["a\0b"] = "NUL", ["a\tb"] = "a tab", ["a\194\128b"] = "U+0080", ["a\27[31m"] = "an escape",
      ["\255"] = "UTF-8 at byte 1",
    } do
      refused({ ["X-A"] = value }, "headers.X-A: the value", words)
      refused({ { "X-A", value } }, "headers[1]: the value", words)
      refused({ References = value }, "headers.References", words)
    end
  end)
end)
