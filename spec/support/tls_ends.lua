--- tls_ends: both ends of TLS for sessions in memory: a client that trusts one authority, a server "mail.test" that has
-- a certificate of it, and a stranger with the same name and an authority of its own.
local core = require "smtpsec.core"
local new_pki = require "spec.support.pki".new

local tls_ends = {}
tls_ends.__index = tls_ends

local function server(leaf, version)
  return assert(core.context { role = "server", cert = leaf.chain, key = leaf.key, max_version = version })
end

--- Makes them in a temporary folder, which `remove` deletes.
---@return table ends server, server12 (TLS 1.2 at most) and stranger, contexts of script's `tls` steps
function tls_ends.new()
  local pki = new_pki()
  pki:ca "root"
  pki:ca "other"
  local leaf = pki:leaf { name = "leaf", ca = "root", san = "DNS:mail.test" }
  return setmetatable({
    pki = pki, client = assert(core.context { ca_file = pki.authorities.root.cert }),
    server = server(leaf), server12 = server(leaf, "TLSv1.2"),
    stranger = server(pki:leaf { name = "stranger", ca = "other", san = "DNS:mail.test" }),
  }, tls_ends)
end

function tls_ends:remove()
  self.pki:remove()
end

--- What core.connection takes.
---@param mode string "starttls", …
---@param changes table|nil
---@return table
function tls_ends:options(mode, changes)
  local options = { tls = mode, context = self.client, server_name = "mail.test", port = "587" }
  for k, v in pairs(changes or {}) do
    options[k] = v
  end
  return options
end

return tls_ends
