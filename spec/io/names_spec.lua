-- Names that were found a moment ago.
local loop = require "spec.support.loop"
local names = require "smtpsec.io.names"
local sock = require "smtpsec.sock"
local socket = require "smtpsec.io.socket"

describe("a name that was found", function()
  local now = sock.now
  after_each(function() sock.now = now end)

  it("is known for a minute, and then looked up again", function()
    local clock = 1000
    sock.now = function() return clock end
    names.keep("one.test", "192.0.2.1")
    assert.equal("192.0.2.1", names.find "one.test")
    clock = 1059
    assert.equal("192.0.2.1", names.find "one.test")
    clock = 1061
    assert.is_nil(names.find "one.test")
  end)

  it("is forgotten when it is told to be, and only then kept anew", function()
    names.keep("one.test", "192.0.2.1")
    names.forget "one.test"
    assert.is_nil(names.find "one.test")
    names.forget "one.test"
    names.keep("one.test", "192.0.2.2")
    assert.equal("192.0.2.2", names.find "one.test")
  end)

  it("is a name, and not an address or a path", function()
    names.keep("192.0.2.3", "192.0.2.3")
    names.keep(nil, "192.0.2.3")
    names.keep("none.test", nil)
    assert.is_nil(names.find "192.0.2.3")
    assert.is_nil(names.find(nil))
    assert.is_nil(names.find "none.test")
  end)

  it("is one of a bounded number", function()
    for i = 1, 200 do names.keep(("n%d.test"):format(i), "192.0.2.4") end
    local known = 0
    for i = 1, 200 do known = known + (names.find(("n%d.test"):format(i)) and 1 or 0) end
    assert.is_true(known > 0 and known <= 64)
    assert.is_not_nil(names.find "n200.test")
  end)

  it("is tried at its address first, and looked up anew where nothing answers there", function()
    local listener = assert(sock.listen { host = "127.0.0.1", port = 0 })
    local port = listener:port()
    names.keep("localhost", "127.0.0.2")
    local stream = assert(socket.connect({ host = "localhost", port = port }, 5))
    assert.equal("127.0.0.1", stream.address)
    assert.equal("127.0.0.1", names.find "localhost")
    stream:close()
    stream = assert(socket.connect({ host = "localhost", port = port }, 5))
    assert.equal("127.0.0.1", stream.address)
    stream:close()
    listener:close()
    local none, why = socket.connect({ host = "localhost", port = port }, 5)
    assert.is_nil(none)
    assert.equal("connect", why)
    assert.is_nil(names.find "localhost")
  end)

  it("leaves half of the time for looking it up anew, where its address is silent", function()
    local listener = assert(sock.listen { host = "127.0.0.1", port = 0 })
    local _, held = loop.hole("127.0.0.2", listener:port())
    names.keep("localhost", "127.0.0.2")
    local stream, _, text = socket.connect({ host = "localhost", port = listener:port() }, 1)
    assert(stream, text)
    assert.equal("127.0.0.1", stream.address)
    stream:close()
    listener:close()
    held[1]:close()
  end)
end)
