-- README.md here is what people check us by: every spec that it names must be there, and every spec here be named.
local process = require "spec.support.process"

local folder = debug.getinfo(1, "S").source:match("^@(.*)/[^/]*$")

-- The rows of the table: { id =, cells = { threat, answer, specs } }.
local function rows_of(text)
  local rows = {}
  for line in text:gmatch "[^\n]+" do
    local id, rest = line:match "^| (%u%d+) |(.*)|$"
    if id then
      local cells = {}
      for cell in (rest .. "|"):gmatch " (.-) |" do cells[#cells + 1] = cell end
      rows[#rows + 1] = { id = id, cells = cells }
    end
  end
  return rows
end

-- The specs of a cell: a list of { path =, names = { … } }.
local function specs_of(cell)
  local specs = {}
  for path, names in cell:gmatch "%[[^%]]+%]%(([^)]+)%): ([^%[]*)" do
    local spec = { path = path, names = {} }
    for name in names:gmatch '"(.-)"' do spec.names[#spec.names + 1] = name end
    specs[#specs + 1] = spec
  end
  return specs
end

-- What a spec is called stands in a string; a comment counts as well, for what several of them do.
local function contains(text, name)
  return text:find(name, 1, true) ~= nil
end

describe("the table of threats", function()
  local rows = rows_of(assert(process.read(folder .. "/README.md")))

  it("numbers its rows without gaps, and fills each of them", function()
    local letter, number = "@", 0
    for _, row in ipairs(rows) do
      local of, count = row.id:match "(%u)(%d+)"
      if of == letter then number = number + 1 else letter, number = string.char(letter:byte() + 1), 1 end
      assert.equal(("%s%d"):format(letter, number), ("%s%s"):format(of, count))
      assert.equal(3, #row.cells, row.id)
      for _, cell in ipairs(row.cells) do assert.is_true(#cell > 1, row.id) end
    end
    assert.equal("F", letter)
  end)

  for _, row in ipairs(rows) do
    it("names specs that there are: " .. row.id, function()
      local specs = specs_of(row.cells[3])
      assert.is_true(#specs > 0)
      for _, spec in ipairs(specs) do
        local text = process.read(folder .. "/" .. spec.path)
        assert.is_string(text, spec.path)
        assert.is_true(#spec.names > 0, spec.path)
        for _, name in ipairs(spec.names) do assert.is_true(contains(text, name), spec.path .. ": " .. name) end
      end
    end)
  end

  it("names every spec of this folder", function()
    local named = {}
    for _, row in ipairs(rows) do
      for _, spec in ipairs(specs_of(row.cells[3])) do named[spec.path] = true end
    end
    local files = process.run("cd " .. process.quote(folder) .. " && ls *_spec.lua")
    for file in files:gmatch "%S+" do
      assert.is_true(named[file] or file == "table_spec.lua", file)
    end
  end)
end)
