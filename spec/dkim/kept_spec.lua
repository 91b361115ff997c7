-- Signed messages that are kept between their hash and their sending, and those that are not: what is sent is the same,
-- however often, and what is kept has its bounds.
local core = require "smtpsec.core"
local keeper = require "spec.support.keeper"
local process = require "spec.support.process"
local smtpsec = require "smtpsec"

local folder, signer
local copy = core.copy

-- What dkim.lua asked for since the last call: the octets of each copy that there is room for, those given up included.
local asked, copies = {}, {}

setup(function()
  folder = keeper.own():new_folder "kept"
  signer = { domain = "example.test", selector = "s", key = process.run "openssl genpkey -algorithm ed25519" }
  core.copy = function(octets)
    asked[#asked + 1] = octets
    copies[#copies + 1] = copy(octets)
    return copies[#copies]
  end
end)

before_each(function() asked, copies = {}, {} end)

-- Closed copies count no more.
after_each(function()
  for _, one in ipairs(copies) do one:close() end
end)

teardown(function() core.copy = copy end)

local function compose(fields)
  fields.from, fields.to = fields.from or "a@example.test", fields.to or "b@example.test"
  return assert(smtpsec.message(fields, { dkim = signer }))
end

local function attach(octets)
  local path = process.write(("%s/%d"):format(folder, octets), ("0123456789abcdef"):rep(octets / 16))
  return { attachments = { { path = path } } }, path
end

local function held()
  local octets = 0
  for _, one in ipairs(copies) do octets = octets + one:octets() end
  return octets
end

describe("a signed message of up to 2 MiB", function()
  it("is kept until it was sent, and then read again", function()
    local fields, path = attach(320000)
    local message = compose(fields)
    assert.equal(1, #asked)
    assert.is_true(held() > 400000)
    process.run("touch -d yesterday " .. path) -- no matter: what was signed is here
    local sent = assert(message:tostring())
    assert.equal(message:size(), #sent)
    assert.is_truthy(sent:find("^DKIM%-Signature: "))
    assert.equal(0, held())
    local again, err = message:tostring()
    assert.is_nil(again)
    assert.is_truthy(tostring(err):find("changed while", 1, true), tostring(err))
  end)

  it("may be walked by several at once, and again", function()
    local message = compose(attach(320000))
    local slow = message:chunks()
    local pieces = { (assert(slow())) }
    local sent = message:tostring()
    assert.is_true(held() > 400000)
    assert.equal(message:size(), #sent)
    for piece in slow do pieces[#pieces + 1] = piece end
    assert.equal(0, held())
    assert.equal(sent, table.concat(pieces))
    assert.equal(sent, message:tostring())
  end)

  it("is the same as one that is read twice", function()
    local text = ("schön, und so weiter; "):rep(5000) .. "\n \n"
    local eml = process.write(folder .. "/eml", "Subject: x\n\n" .. ("line\n"):rep(30000))
    for name, fields in pairs {
      ["quoted-printable"] = { text = text }, content = { attachments = { { content = text, filename = "x" } } },
      ["an attached message"] = { attachments = { { path = eml, type = "message/rfc822" } } },
      ["several"] = { text = text, html = "<p>" .. text, attachments = { { content = text, filename = "x" } } },
    } do
      local message = compose(fields)
      assert.equal(1, #asked, name)
      local kept = assert(message:tostring())
      assert.equal(0, held(), name)
      assert.equal(kept, message:tostring(), name) -- from its sources, against its hash
      asked = {}
    end
  end)

  it("is read twice where too much is kept already, where it is longer, or of unknown length", function()
    local fields, messages, sent = attach(960000), {}, {}
    for i = 1, 8 do messages[i] = compose(fields) end
    assert.equal(4, #asked)
    assert.is_true(held() <= 6291456)
    for i, message in ipairs(messages) do sent[i] = assert(message:tostring()) end
    assert.equal(0, held())
    for i, message in ipairs(messages) do assert.equal(sent[i], message:tostring()) end
    compose(fields)
    assert.equal(5, #asked)
    asked = {}
    local long = compose(attach(1600000))
    assert.equal(long:size(), #assert(long:tostring()))
    local read = compose { attachments = { { filename = "x", reader = function()
      local left = 3
      return function()
        left = left - 1
        return left > 0 and ("x"):rep(100000) or nil
      end
    end } } }
    assert.equal(read:size(), #assert(read:tostring()))
    assert.same({}, asked)
  end)
end)

describe("a short signed message", function()
  it("is one string", function()
    local message = compose { text = "hi\n", attachments = { { content = ("x"):rep(20000), filename = "x" } } }
    assert.same({}, asked)
    local whole = assert(message:whole())
    assert.equal(whole, message:tostring())
    assert.equal(whole, (message:chunks()()))
  end)
end)
