-- What the crew of the polled drivers does beside the contract of spec/drivers/contract.lua.
local io_select = require("smtpsec.io").select
local peer = require "spec.support.peer"
local process = require "spec.support.process"

describe("a crew", function()
  local speaker
  local driver = io_select "socket"

  setup(function()
    speaker = peer.start { { expect = "go" }, { send = "x" }, { drain = true } }
  end)

  teardown(function()
    speaker:stop()
  end)

  local function connect(with)
    return assert((with or driver).connect({ host = "127.0.0.1", port = speaker.port }, 2))
  end

  local function talk(with)
    local stream = connect(with)
    stream:write("go\n", 2)
    local bytes = stream:read(1, 2)
    stream:close()
    return bytes
  end

  -- Runs the work in a coroutine, and gives back to it what it yields, doubled, until it ends.
  local function outside(work)
    local co, yielded = coroutine.create(work), {}
    local ok, value = coroutine.resume(co)
    while coroutine.status(co) ~= "dead" do
      yielded[#yielded + 1] = value
      ok, value = coroutine.resume(co, value .. value)
    end
    assert(ok, value)
    return value, yielded
  end

  it("passes on what a function yields to somebody else, and passes back what he answers", function()
    local results, yielded = outside(function()
      local crew, results = driver.crew(), {}
      for _, key in ipairs { "a", "b" } do
        crew:start(key, function()
          local before = coroutine.yield(key .. "1")
          local bytes = talk()
          return before, bytes, coroutine.yield(key .. "2")
        end)
      end
      for _ = 1, 2 do
        local key, ok, before, bytes, after = crew:wait(5)
        results[key] = { ok, before, bytes, after }
      end
      return results
    end)
    assert.same({ a = { true, "a1a1", "x", "a2a2" }, b = { true, "b1b1", "x", "b2b2" } }, results)
    table.sort(yielded)
    assert.same({ "a1", "a2", "b1", "b2" }, yielded)
  end)

  it("does not go on with a function that was forgotten while it was away", function()
    local went_on = false
    local crew = driver.crew()
    local co = coroutine.create(function()
      crew:start(1, function()
        coroutine.yield()
        went_on = true
      end)
    end)
    assert(coroutine.resume(co))
    crew:close()
    assert(coroutine.resume(co))
    assert.equal("dead", coroutine.status(co))
    assert.is_false(went_on)
  end)

  it("tells a function's yield to nobody as its error", function()
    local output = process.run(process.command(process.sanitized {
      rawget(_G, "jit") and "luajit" or "lua5.4", "-e", [[
        local crew = require "smtpsec.io.socket".crew()
        crew:start(1, function() coroutine.yield() end)
        crew:start(2, function() return "fine" end)
        print(crew:wait(1))
        print(crew:wait(1))]],
    }))
    assert.equal("1\tfalse\tattempt to yield from outside a coroutine\n2\ttrue\tfine\n", output)
  end)

  it("does not take the coroutine that a function makes for the function", function()
    local crew = driver.crew()
    crew:start(1, function()
      local generate = coroutine.wrap(function()
        coroutine.yield(talk())
        coroutine.yield(talk())
      end)
      return generate(), generate()
    end)
    assert.same({ 1, true, "x", "x" }, { crew:wait(5) })
  end)

  it("takes functions that one of it begins", function()
    local crew, order = driver.crew(), {}
    crew:start("outer", function()
      crew:start("inner", talk)
      return talk()
    end)
    for _ = 1, 2 do
      local key, ok, bytes = crew:wait(5)
      assert.same({ true, "x" }, { ok, bytes })
      order[#order + 1] = key
    end
    table.sort(order)
    assert.same({ "inner", "outer" }, order)
    assert.is_nil(crew:wait(5))
  end)

  it("may be closed by one of its functions", function()
    local crew, went_on = driver.crew(), false
    crew:start(1, function()
      driver.sleep(0.01)
      crew:close()
      driver.sleep(0.01)
      went_on = true
    end)
    crew:start(2, function()
      driver.sleep(0.01)
      went_on = true
    end)
    assert.is_nil(crew:wait(1))
    assert.is_false(went_on)
  end)

  it("that is dropped keeps nothing alive", function()
    local kept = setmetatable({}, { __mode = "v" })
    local function drop()
      local crew, stream = driver.crew(), connect()
      crew:start(1, function() return stream:read(1, 5) end)
      crew:wait(0)
      kept[1], kept[2] = crew, stream
    end
    drop()
    collectgarbage()
    collectgarbage()
    assert.is_nil(kept[1])
    assert.is_nil(kept[2])
  end)

  it("has hundreds of connections at once", function()
    local crew, seen = driver.crew(), 0
    for i = 1, 300 do crew:start(i, talk) end
    for _ = 1, 300 do
      local _, ok, bytes = crew:wait(10)
      assert.same({ true, "x" }, { ok, bytes })
      seen = seen + 1
    end
    assert.equal(300, seen)
  end)

  describe("by the driver auto in cqueues", function()
    local cqueues = require "cqueues"
    local own = io_select()

    local function run(...)
      local controller = cqueues.new()
      for _, work in ipairs { ... } do controller:wrap(work) end
      assert(controller:loop())
    end

    it("lets the loop go on while all of its functions wait", function()
      local order, stream = {}, nil
      run(function()
        local crew = own.crew()
        stream = connect(own)
        crew:start(1, function() return stream:read(1, 5) end)
        order[1] = "waits"
        local bytes = select(3, crew:wait(5))
        order[#order + 1] = bytes
        stream:close()
      end, function()
        while not order[1] do cqueues.sleep(0.001) end
        order[#order + 1] = "loop"
        stream.socket:write("go\n", 0)
      end)
      assert.same({ "waits", "loop", "x" }, order)
    end)
  end)

  it("in a plain script waits by the driver auto too", function()
    local auto = io_select()
    local crew = auto.crew()
    for i = 1, 3 do crew:start(i, talk, auto) end
    for _ = 1, 3 do assert.equal("x", (select(3, crew:wait(5)))) end
  end)
end)
