local dotenv = require "smtpsec.config.dotenv"

-- a line of a file -> the value of A
local VALUES = {
  ["A=b"] = "b",
  ["A = b"] = "b",
  ["  A=b  "] = "b",
  ["\tA\t=\tb\t"] = "b",
  ["export A=b"] = "b",
  ["export   A = b"] = "b",
  ["A="] = "",
  ["A=   "] = "",
  ["A=two words"] = "two words",
  ["A=abcd efgh ijkl mnop"] = "abcd efgh ijkl mnop",
  ["A=b # comment"] = "b",
  ["A=b   # comment # more"] = "b",
  ["A=b#c"] = "b#c",
  ["A=#b"] = "#b",
  ["A=b=c"] = "b=c",
  ["A=C:\\new"] = "C:\\new",
  ['A=it"s'] = 'it"s',
  ["A=it's"] = "it's",
  ["A=$HOME"] = "$HOME",
  ["A=${HOME}"] = "${HOME}",
  ["A='b'"] = "b",
  ["A=''"] = "",
  ["A=' b '"] = " b ",
  ["A='b' # comment"] = "b",
  ["A='b#c'"] = "b#c",
  ["A='$x \\n \"q\"'"] = '$x \\n "q"',
  ["A='it\\'s a \\\\'"] = "it's a \\",
  ['A="b"'] = "b",
  ['A="b # c" #'] = "b # c",
  ['A="a\\nb\\tc"'] = "a\nb\tc",
  ['A="say \\"hi\\" \\\\ \\$x \\q"'] = 'say "hi" \\ \\$x \\q',
  ['A="it\'s"'] = "it's",
  ['A="${HOME}"'] = "${HOME}",
  ["A='two\nlines'"] = "two\nlines",
  ['A="two\r\nlines"'] = "two\nlines",
  ["A=b\r\n"] = "b",
  ["A=b\rB=c\r"] = "b",
  ["\239\187\191A=b"] = "b",
  ["# c\n\n  # d\nA=b\n# e"] = "b",
  ["A=b\nA=c"] = "c",
  ["A=b\nB=c\n"] = "b",
  ["A=監視"] = "監視",
}

-- a file -> where it is wrong, and what is said
local WRONG = {
  ["A"] = { 1, "NAME=value" },
  ["A=b\nset -a\n"] = { 2, "NAME=value" },
  ["\n\n=hunter2"] = { 3, "NAME=value" },
  ["1A=hunter2"] = { 1, "NAME=value" },
  ["A B=hunter2"] = { 1, "NAME=value" },
  ["hunter2: x"] = { 1, "NAME=value" },
  ["A='x\ny'\nB='hunter2"] = { 3, "never closed" },
  ['A="hunter2\nB=c'] = { 1, "never closed" },
  ["A='hunter2\\'"] = { 1, "never closed" },
  ['A="hunter2"#x'] = { 1, "closing quote" },
  ["A='hunter2'x"] = { 1, "closing quote" },
  ["A='hunter2''x'"] = { 1, "closing quote" },
  ["A= #hunter2"] = { 1, "needs quotes" },
  ["A=hunter2\0"] = { 1, "NUL" },
}

describe("dotenv", function()
  for text, value in pairs(VALUES) do
    it("reads " .. ("%q"):format(text), function()
      local values, why = dotenv.parse(text)
      assert.is_table(values, why)
      assert.equal(value, values.A.value)
    end)
  end

  for text, wrong in pairs(WRONG) do
    it("says where it cannot read " .. ("%q"):format(text) .. ", and does not show it", function()
      local values, why, line = dotenv.parse(text)
      assert.is_nil(values)
      assert.equal(wrong[1], line)
      assert.is_truthy(why:find(wrong[2], 1, true), why)
      assert.is_nil(why:find("hunter2", 1, true), why)
    end)
  end

  it("knows the line of each value", function()
    local values = dotenv.parse "A=1\n\n# c\nB='x\ny\nz'\nC=3\r\nD=4"
    assert.same({ 1, 4, 7, 8 }, { values.A.line, values.B.line, values.C.line, values.D.line })
  end)

  it("reads nothing out of nothing", function()
    assert.same({}, dotenv.parse "")
    assert.same({}, dotenv.parse "\n# only a comment")
  end)

  it("takes whatever bytes come without raising", function()
    local seed = 42
    local function random(n)
      seed = (seed * 1103515245 + 12345) % 2147483648
      return math.floor(seed / 65536) % n + 1
    end
    local alphabet = { "A", "=", " ", "\t", "\n", "\r\n", "'", '"', "\\", "#", "export ", "é", "\0", "\255", "$" }
    for _ = 1, 3000 do
      local bytes = {}
      for i = 1, random(12) do bytes[i] = alphabet[random(#alphabet)] end
      local values, why, line = dotenv.parse(table.concat(bytes))
      assert.is_true(values ~= nil or (type(why) == "string" and line >= 1))
    end
  end)
end)
