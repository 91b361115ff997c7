local types = require "smtpsec.mime.types"

describe("media types", function()
  it("are found by the last extension, in either case", function()
    assert.equal("application/pdf", types.of("report.pdf"))
    assert.equal("application/pdf", types.of("REPORT.PDF"))
    assert.equal("application/gzip", types.of("backup.tar.gz"))
    assert.equal("image/jpeg", types.of("写真.jpg"))
    assert.equal("text/calendar", types.of("a.ics"))
    assert.equal("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", types.of("a.xlsx"))
  end)

  it("are octets where nothing is known", function()
    for _, name in ipairs { "", "noext", "a.", "a.unheard-of", ".pdf.x", "pdf" } do
      assert.equal("application/octet-stream", types.of(name), name)
    end
    assert.equal("application/octet-stream", types.of(nil))
  end)

  it("are read with their parameters", function()
    assert.same({ "text/csv", {} }, { types.parse("Text/CSV") })
    assert.same({ "text/csv", { { "charset", "utf-8" }, { "header", "present it" } } },
      { types.parse('text/csv; Charset=utf-8;header="present it"') })
  end)

  it("are refused where they are none", function()
    for _, s in ipairs {
      "", "text", "text/", "/csv", "text/csv;", "text/csv; charset", "text/csv; charset=", "text/csv charset=x",
      "text/csv; a=b\r\nX: y", 'text/csv; a="b', "text/csv; a=b c", "te xt/csv", "text/csv\r\n", "text/é",
    } do
      assert.is_nil((types.parse(s)), s)
    end
  end)

  it("have names that fit into a line", function()
    local longest = ("x"):rep(127)
    assert.equal(longest .. "/" .. longest, (types.parse(longest .. "/" .. longest .. "; " .. longest .. "=y")))
    for _, s in ipairs { longest .. "x/y", "y/x" .. longest, "y/y; x" .. longest .. "=y" } do
      assert.is_nil((types.parse(s)), s)
    end
  end)
end)
