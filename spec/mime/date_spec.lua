local date = require "smtpsec.mime.date"
local process = require "spec.support.process"

-- Dates as another process of the same Lua writes them in a zone.
local function in_zone(zone, moments)
  local lua = rawget(_G, "jit") and "luajit" or "lua5.4"
  local script = "local d = require 'smtpsec.mime.date' for _, t in ipairs { " .. table.concat(moments, ",")
    .. " } do print(d.format(t)) end"
  local dates = {}
  local output = process.run("TZ=" .. zone .. " " .. lua .. " -e " .. process.quote(script))
  for line in output:gmatch("[^\n]+") do dates[#dates + 1] = line end
  return dates
end

describe("a date", function()
  it("is RFC 5322's", function()
    assert.is_truthy(date.format(os.time()):find("^%a%a%a, %d%d? %a%a%a %d%d%d%d %d%d:%d%d:%d%d [+-]%d%d%d%d$"))
    assert.equal(date.format(1763773200), date.format(1763773200.9))
    assert.same({ "Thu, 1 Jan 1970 00:00:00 +0000", "Sat, 22 Nov 2025 01:00:00 +0000" },
      in_zone("UTC", { 0, 1763773200 }))
  end)

  it("is in the local zone, half hours and the change of the year included", function()
    assert.same({ "Sat, 22 Nov 2025 10:00:00 +0900", "Wed, 1 Jan 2025 08:59:59 +0900" },
      in_zone("Asia/Tokyo", { 1763773200, 1735689599 }))
    assert.same({ "Fri, 21 Nov 2025 21:30:00 -0330" }, in_zone("America/St_Johns", { 1763773200 }))
    assert.same({ "Tue, 31 Dec 2024 19:00:00 -0500" }, in_zone("America/New_York", { 1735689600 }))
    assert.same({ "Sat, 22 Nov 2025 06:45:00 +0545" }, in_zone("Asia/Kathmandu", { 1763773200 }))
  end)

  it("tells the two hours apart when clocks are set back, and skips the one when they are set forward", function()
    assert.same({
      "Sun, 26 Oct 2025 02:59:59 +0200", "Sun, 26 Oct 2025 02:00:00 +0100", "Sun, 26 Oct 2025 03:00:00 +0100",
    }, in_zone("Europe/Berlin", { 1761440399, 1761440400, 1761444000 }))
    assert.same({ "Sun, 30 Mar 2025 01:59:59 +0100", "Sun, 30 Mar 2025 03:00:00 +0200" },
      in_zone("Europe/Berlin", { 1743296399, 1743296400 }))
  end)

  it("has four-digit years up to the last one", function()
    assert.equal("9999", date.format(date.LAST):match("%a+ (%d+) %d+:"))
  end)
end)
