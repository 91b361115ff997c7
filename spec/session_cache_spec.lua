-- Sessions across connections: what may be resumed with what, through the engine and with its TLS on both sides.
local core = require "smtpsec.core"
local pair = require "spec.support.tls_pair"
local pki_new = require "spec.support.pki".new
local session_cache = require "smtpsec.session_cache"
local tls = require "smtpsec.tls"

describe("the store of TLS sessions", function()
  local pki, server, leaf, client

  setup(function()
    pki = pki_new()
    pki:ca("root")
    leaf = pki:leaf { name = "leaf", ca = "root", san = "DNS:mail.test,DNS:other.test" }
    client = pki:leaf { name = "client", ca = "root", san = "DNS:me.test" }
  end)

  teardown(function()
    session_cache.clear()
    pki:remove()
  end)

  before_each(function()
    session_cache.clear()
  end)

  local function serve(version)
    server = assert(core.context { role = "server", cert = leaf.chain, key = leaf.key, max_version = version })
  end

  local function settings(changes, options)
    local made = { host = "mail.test", port = 587, tls = { mode = "implicit", ca_file = pki.authorities.root.cert } }
    for name, value in pairs(changes or {}) do made[name] = value end
    for name, value in pairs(options or {}) do made.tls[name] = value end
    return made
  end

  -- One connection with these settings; whether it was resumed. What it leaves goes into the store.
  local function connect(with)
    local peer = tls.peer(with)
    peer.verify = peer.optional and "none" or peer.verify
    peer.session = session_cache.take(with)
    local filter = assert(core.tls_client(assert(tls.context(with.tls)), peer))
    local other = assert(core.tls_server(server))
    assert(pair.handshake(filter, other)[1])
    assert.equal("220 hello", (pair.send(other, filter, "220 hello")))
    session_cache.put(with, filter)
    local resumed = filter:facts().resumed
    filter:close()
    return resumed
  end

  -- What is in the store for these settings; it is taken out.
  local function count(with)
    local n = 0
    while n < 100 and session_cache.take(with) do n = n + 1 end
    return n
  end

  for _, version in ipairs { "TLSv1.2", "TLSv1.3" } do
    describe("of " .. version, function()
      before_each(function()
        serve(version)
      end)

      it("lets a connection resume what one with the same settings left", function()
        assert.is_false(connect(settings()))
        assert.is_true(connect(settings()))
        assert.is_true(connect(settings()))
      end)

      local others = {
        ["another port"] = { { port = 465 } },
        ["another host"] = { { host = "other.test" } },
        ["another host of the same name"] = { { host = "127.0.0.1" }, { server_name = "mail.test" } },
        ["another mode"] = { {}, { mode = "starttls" } },
        ["a mode without verification"] = { {}, { mode = "opportunistic" } },
        ["no verification"] = { {}, { insecure_skip_verify = true } },
        ["pins"] = { {}, function() return { pins = { pki:pin(leaf) } } end },
        ["verification by pins"] = { {}, function() return { verify = "pin", pins = { pki:pin(leaf) } } end },
        ["more pins"] = { {}, function()
          return { verify = "pin", pins = { pki:pin(leaf), pki:pin(pki.authorities.root) } }
        end },
        ["another trust store"] = { {}, function()
          return { ca_file = pki:bundle("again", pki.authorities.root.cert) }
        end },
        ["another oldest version"] = { {}, { min_version = "TLSv1.2" } },
        ["a certificate of its own"] = { {}, function() return { cert = client.chain, key = client.key } end },
      }

      for name, other in pairs(others) do
        it("keeps what " .. name .. " has won apart", function()
          local options = type(other[2]) == "function" and other[2]() or other[2]
          local function with() return settings(other[1], options) end
          assert.is_false(connect(settings()))
          assert.is_nil(session_cache.take(with()))
          assert.is_false(connect(with()))
          assert.is_true(connect(with()))
          assert.is_true(connect(settings()))
        end)
      end

      it("is not used where it is switched off", function()
        local off = settings({}, { session_cache = false })
        assert.is_false(connect(off))
        assert.is_false(connect(off))
        assert.is_nil(session_cache.take(settings()))
        connect(settings())
        assert.is_nil(session_cache.take(off))
        assert.is_truthy(session_cache.take(settings()))
      end)

      it("hands out nothing that has expired", function()
        connect(settings())
        local now, clock = os.time(), os.time
        os.time = function() return now + 8 * 24 * 3600 end -- luacheck: ignore
        local late = session_cache.take(settings())
        os.time = clock -- luacheck: ignore
        assert.is_nil(late)
        assert.is_nil(session_cache.take(settings()))
        connect(settings())
        assert.is_truthy(session_cache.take(settings()))
      end)

      it("is no way around the engine's own look", function()
        connect(settings())
        local session = assert(session_cache.take(settings()))
        local with = settings { host = "other.test" }
        local peer = tls.peer(with)
        peer.session = session
        local filter, other = assert(core.tls_client(assert(tls.context(with.tls)), peer)), core.tls_server(server)
        assert(pair.handshake(filter, other)[1])
        assert.is_false(filter:facts().resumed)
      end)
    end)
  end

  it("hands a session of TLS 1.3 out once, one of TLS 1.2 again and again", function()
    serve "TLSv1.3"
    connect(settings())
    assert.equal(2, count(settings()))
    serve "TLSv1.2"
    connect(settings())
    assert.equal(100, count(settings()))
  end)

  it("has four for a peer and sixty-four peers at the most, and lets the oldest go", function()
    serve "TLSv1.3"
    for _ = 1, 3 do
      local with = settings()
      local filter = assert(core.tls_client(assert(tls.context(with.tls)), tls.peer(with)))
      local other = core.tls_server(server)
      pair.handshake(filter, other)
      pair.send(other, filter, "220 hello")
      session_cache.put(with, filter)
    end
    assert.equal(4, count(settings()))
    for port = 1, 65 do
      connect(settings { port = port })
      connect(settings { port = 1 })
    end
    assert.equal(0, count(settings { port = 2 }))
    assert.is_true(count(settings { port = 1 }) > 0)
    assert.equal(2, count(settings { port = 3 }))
    assert.equal(2, count(settings { port = 65 }))
  end)

  it("has nothing to do where there is no TLS", function()
    local clear = settings({}, { mode = "none" })
    assert.is_nil(session_cache.take(clear))
    session_cache.put(clear, { session = function() error "asked" end })
  end)

  it("keeps nothing of a connection that has nothing to give", function()
    session_cache.put(settings(), { session = function() end })
    assert.is_nil(session_cache.take(settings()))
  end)
end)
