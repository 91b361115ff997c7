--- random: values put together at random, from a seed, and every length of them around the places where lines are
-- folded.
local bytes = require "spec.corpus.bytes"

local random = {}

--- What the random values are made from: another one by SMTPSEC_SEED=n. The names of the specs say which it was.
random.SEED = math.floor(tonumber(os.getenv "SMTPSEC_SEED") or 42)

local PIECES = {
  " ", "  ", "a", "word", "日本", "é", "e\u{301}", "😀", "👩\u{200D}💻", "🇯🇵", "=?", "?=", "=", "_",
    ",", "\"", "\\", "(", ")",
  "<", ">", "@", ".", ";", ":", "'", "%", "*", "=?utf-8?q?x?=", ("long"):rep(20),
}

--- Numbers from 1 to n, the same ones for the same seed on every Lua.
---@param seed integer
---@return fun(n:integer):integer
function random.numbers(seed)
  local state = seed % 2147483646 + 1
  return function(n)
    state = state * 16807 % 2147483647
    return math.floor(state / 65536) % n + 1
  end
end

-- A value of up to twenty pieces.
local function value(numbers)
  local all = {}
  for i = 1, numbers(20) do all[i] = PIECES[numbers(#PIECES)] end
  return table.concat(all)
end

-- The same for a file: no folders, not too long, and nothing that mailparser decodes against RFC 2231.
local function filename(numbers)
  return "f" .. value(numbers):gsub("\\", ""):gsub("=%?utf%-8%?q%?x%?=", ""):gsub(("long"):rep(20), "long")
end

--- Cases of every length.
---@return table[]
function random.lengths()
  local cases = {}
  for i = 1, 40 do
    cases[i] = { "values of length " .. i, given = {
      subject = ("日"):rep(i) .. " " .. ("a"):rep(i * 2) .. " é",
      from = { name = ("é"):rep(i) .. ",", address = "noreply@example.com" },
      to = { { name = ("n"):rep(i) .. " " .. ("m"):rep(i), address = "ops@example.org" } },
      attachments = { { content = bytes.EVERY:sub(1, i), filename = ("ä"):rep(i) .. ("b"):rep(i) .. ".bin" } },
    } }
  end
  return cases
end

--- Cases made at random.
---@param seed integer
---@param count integer
---@return table[]
function random.values(seed, count)
  local cases, numbers = {}, random.numbers(seed)
  for i = 1, count do
    cases[i] = { ("values at random, %d of seed %d"):format(i, seed), given = {
      subject = value(numbers), from = { name = "." .. value(numbers), address = "noreply@example.com" },
      text = value(numbers) .. "\n" .. value(numbers) .. "\n",
      to = { { name = value(numbers) .. ".", address = "ops@example.org" }, "x@example.org" },
      headers = { { "X-Value", value(numbers) } },
      attachments = { { content = value(numbers), filename = filename(numbers) } },
    } }
  end
  return cases
end

return random
