local io_select = require("smtpsec.io").select
local peer = require "spec.support.peer"

local function driver(fields)
  local result = { now = os.time, connect = print, hello = print, unpark = print }
  for name, value in pairs(fields or {}) do
    result[name] = value
  end
  return result
end

describe("io.select", function()
  it("gives the driver of a name", function()
    for _, name in ipairs { "socket", "cqueues" } do
      assert.equal(name, io_select(name).name)
    end
  end)

  it("takes a driver of one's own", function()
    local own = driver()
    assert.equal(own, io_select(own))
  end)

  it("says what a driver of one's own lacks", function()
    assert.has_error(function() io_select(driver { connect = 5 }) end,
      'smtpsec: io: a driver has a function "connect", this one has a number')
    assert.has_error(function() io_select {} end)
    assert.has_error(function() io_select(driver { crew = true }) end,
      'smtpsec: io: a driver has a function "crew", this one has a boolean')
    local complete = driver { crew = print, sleep = print }
    assert.equal(complete, io_select(complete))
  end)

  it("does not know other names", function()
    assert.has_error(function() io_select "sockets" end,
      'smtpsec: io: "auto", "socket", "nginx", "cqueues", "luv" or a driver expected, not "sockets"')
    assert.has_error(function() io_select(5) end)
  end)

  it("does not give nginx's outside nginx", function()
    assert.has_error(function() io_select "nginx" end, 'smtpsec: io: "nginx" works only inside nginx')
  end)

  describe("auto", function()
    local slow
    local auto = io_select()

    setup(function()
      slow = peer.start { { sleep = 0.1 }, { send = "x" }, { drain = true } }
    end)

    teardown(function()
      slow:stop()
    end)

    -- How often a clock ticks in the loop while two streams wait.
    local function ticks(connect)
      local cqueues = require "cqueues"
      local controller, count, done = cqueues.new(), 0, 0
      for _ = 1, 2 do
        controller:wrap(function()
          assert(connect():read(1, 2) == "x")
          done = done + 1
        end)
      end
      controller:wrap(function()
        while done < 2 do
          cqueues.sleep(0.005)
          count = count + 1
        end
      end)
      assert(controller:loop())
      return count
    end

    local function connect()
      return assert(auto.connect({ host = "127.0.0.1", port = slow.port }, 2))
    end

    it("is also what nil means", function()
      assert.equal("auto", auto.name)
      assert.equal("auto", io_select("auto").name)
    end)

    it("blocks in a plain script", function()
      local stream = connect()
      assert.equal("x", stream:read(1, 2))
      assert.is_string(auto.hello(stream))
      assert.equal(stream, auto.unpark(assert(stream:park(1))))
      stream:close()
    end)

    it("yields in a coroutine of cqueues, also when the mailer was made before", function()
      assert.is_true(ticks(connect) > 5)
    end)

    it("waits where it is used, not where it was connected", function()
      local streams = { connect(), connect() }
      assert.is_true(ticks(function() return table.remove(streams) end) > 5)
      local controller = require("cqueues").new()
      local stream
      controller:wrap(function() stream = connect() end)
      assert(controller:loop())
      assert.equal("x", stream:read(1, 2))
    end)

    it("does not yield to a coroutine of somebody else", function()
      local values = {}
      local count = ticks(function()
        local generate = coroutine.wrap(function()
          local stream = connect()
          coroutine.yield(stream:read(1, 2))
        end)
        values[#values + 1] = generate()
        return { read = function() return values[#values] end }
      end)
      assert.same({ "x", "x" }, values)
      assert.is_true(count < 5)
    end)
  end)
end)
