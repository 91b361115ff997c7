-- Pins: SHA-256 of the server's public key, alone or on top of PKIX.
local core = require "smtpsec.core"
local pki_new = require "spec.support.pki".new
local pair = require "spec.support.tls_pair"

local NO_PIN = "no pin matches the server's key"

describe("pins", function()
  local pki, client, public, own, other_pin

  setup(function()
    pki = pki_new()
    pki:ca("root")
    client = assert(core.context { ca_file = pki.authorities.root.cert })
    public = pki:leaf { name = "mail.test", ca = "root" }
    own = pki:leaf { name = "own.test", ca = false, not_before = os.time() - 7200, not_after = os.time() - 3600 }
    other_pin = pki:pin(pki.authorities.root)
  end)

  teardown(function()
    pki:remove()
  end)

  local function meet(leaf, peer)
    local server = assert(core.context { role = "server", cert = leaf.chain, key = leaf.key })
    peer.server_name = peer.server_name or "mail.test"
    local filter = assert(core.tls_client(client, peer))
    local result = pair.handshake(filter, core.tls_server(server))
    return result[1] or result[4], filter:facts().authenticated
  end

  it("alone accept a self-signed, expired certificate for another name", function()
    assert.same({ true, "pin" }, { meet(own, { verify = "pin", pins = { pki:pin(own) } }) })
    assert.same({ true, "pin" }, { meet(own, { verify = "pin", pins = { other_pin, pki:pin(own) } }) })
  end)

  it("alone refuse any other key, a trusted one too", function()
    assert.same({ NO_PIN, false }, { meet(own, { verify = "pin", pins = { other_pin } }) })
    assert.same({ NO_PIN, false }, { meet(public, { verify = "pin", pins = { pki:pin(own) } }) })
  end)

  it("are of the server's key, not of an authority above it", function()
    assert.equal(NO_PIN, (meet(public, { verify = "pin", pins = { other_pin } })))
  end)

  it("survive a new certificate for the same key", function()
    local renewed = pki:leaf { name = "renewed", ca = "root", san = "DNS:mail.test", key_file = public.key }
    assert.equal(true, (meet(renewed, { pins = { pki:pin(public) } })))
  end)

  it("on top of PKIX are needed besides it", function()
    assert.same({ true, "pkix" }, { meet(public, { pins = { pki:pin(public) } }) })
    assert.same({ NO_PIN, false }, { meet(public, { pins = { other_pin } }) })
    assert.same({ "self-signed certificate", false }, { meet(own, { pins = { pki:pin(own) } }) })
  end)

  it("that are not required are still reported", function()
    assert.same({ true, false }, { meet(public, { verify = "none", pins = { other_pin } }) })
    assert.same({ true, "pkix" }, { meet(public, { verify = "none", pins = { pki:pin(public) } }) })
  end)

  it("are what the facts show", function()
    local server = assert(core.context { role = "server", cert = own.chain, key = own.key })
    local filter = core.tls_client(client, { server_name = "own.test", verify = "none" })
    pair.handshake(filter, core.tls_server(server))
    assert.equal(pki:pin(own), filter:facts().peer.pin)
  end)

  it("must be given to verify by pin, and be digests", function()
    local filter, status, text = core.tls_client(client, { server_name = "mail.test", verify = "pin" })
    assert.is_nil(filter)
    assert.equal("argument", status)
    assert.matches("pin", text)
    for _, pins in ipairs {
      { "" }, { "abc" }, { ("A"):rep(44) }, { other_pin .. "A" }, { 1 }, "no list", { false },
    } do
      assert.has_error(function()
        core.tls_client(client, { server_name = "mail.test", pins = pins })
      end)
    end
  end)
end)
