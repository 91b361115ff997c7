local stream = require "smtpsec.mime.stream"

local function segment(pieces, err)
  return {
    size = function()
      local octets = 0
      for _, piece in ipairs(pieces) do octets = octets + #piece end
      return octets
    end,
    open = function()
      local at = 0
      return function()
        at = at + 1
        if pieces[at] then return pieces[at] end
        return nil, err
      end
    end,
  }
end

local function drain(segments)
  local chunks = {}
  for chunk in stream.chunks(segments) do chunks[#chunks + 1] = chunk end
  return chunks
end

describe("a stream", function()
  it("gathers what is small", function()
    assert.same({ "abcde" }, drain { "a", segment { "b", "c" }, "d", segment {}, "", "e" })
    assert.same({}, drain {})
    assert.same({}, drain { "" })
  end)

  it("passes on what is large, in order and with nothing lost", function()
    local large, pieces = {}, {}
    for i = 1, 30 do large[i] = tostring(i):rep(12000) end
    for _, chunk in ipairs(drain { "head", segment(large), "tail" }) do
      assert.is_true(#chunk < 60000)
      pieces[#pieces + 1] = chunk
    end
    assert.equal("head" .. table.concat(large) .. "tail", table.concat(pieces))
  end)

  it("passes on what is large alone", function()
    local large = ("x"):rep(20000)
    assert.same({ "ab", large, large, "c", large, "d" },
      drain { "a", segment { "b", large, large, "c" }, large, "d" })
  end)

  it("can be walked again", function()
    local segments = { "a", segment { "b" }, "c" }
    assert.same(drain(segments), drain(segments))
  end)

  it("is as long as its segments, where all know", function()
    assert.equal(6, stream.size { "ab", segment { "c", "de" }, "f" })
    assert.is_nil(stream.size { "ab", { size = function() return nil end } })
  end)

  it("ends with an error, which stays", function()
    local next_chunk = stream.chunks { "a", segment({ "b" }, "broken"), "never" }
    assert.same({ nil, "broken" }, { next_chunk() })
    assert.same({ nil, "broken" }, { next_chunk() })
  end)

  it("stays at its end", function()
    local next_chunk = stream.chunks { "a" }
    assert.equal("a", next_chunk())
    assert.is_nil(next_chunk())
    assert.is_nil(next_chunk())
  end)
end)
