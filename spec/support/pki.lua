--- pki: throw-away certificate authorities for specs, made with the openssl command line in a folder of their own.
--
-- Certificates are as good as a public CA's unless a spec asks for a flaw (a past date, SHA-1, a wrong purpose, an
-- extra extension): then that flaw is the only one. Keys are EC P-256 unless asked otherwise, because they are cheap.
-- Nothing here knows TLS or SMTP, and nothing outside the folder is read or written.
local process = require "spec.support.process"

local pki = {}
pki.__index = pki

local quote, read, write, run = process.quote, process.read, process.write, process.run

--- Makes a PKI in `dir`, which is created; without `dir`, in a fresh temporary folder that `remove` deletes.
---@param dir string|nil
---@return table pki
function pki.new(dir)
  local temporary = not dir
  if temporary then
    dir = run('printf %s "$(mktemp -d -t smtpsec-XXXXXX)"')
  end
  local self = setmetatable({ dir = dir, temporary = temporary, authorities = {} }, pki)
  run("mkdir -p " .. quote(dir))
  return self
end

--- Deletes the folder if it was made by `new` without a name.
function pki:remove()
  if self.temporary then
    run("rm -rf " .. quote(self.dir))
  end
end

local function stamp(seconds)
  return os.date("!%Y%m%d%H%M%SZ", seconds)
end

local function lines(value)
  if type(value) == "table" then
    return table.concat(value, "\n")
  end
  return value or ""
end

local authority_extensions = [[
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
]]

local leaf_extensions = [[
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
]]

-- One file is the configuration of both `openssl req` and `openssl ca`.
local function configuration(self, issuer, subject, extensions)
  local home = self.dir .. "/" .. issuer
  return table.concat({
    "[req]", "prompt = no", "distinguished_name = dn", "string_mask = utf8only", "utf8 = yes",
    "[dn]", "CN = " .. subject,
    "[ca]", "default_ca = here",
    "[here]", "database = " .. home .. "/index", "new_certs_dir = " .. home, "crlnumber = " .. home .. "/crlnumber",
    "rand_serial = yes", "unique_subject = no", "policy = any", "copy_extensions = none", "string_mask = utf8only",
    "x509_extensions = ext", "crl_extensions = crl", "default_md = sha256",
    "[any]", "commonName = supplied",
    "[crl]", "authorityKeyIdentifier = keyid",
    "[ext]", extensions, "",
  }, "\n")
end

local function new_key(key, to, password)
  local curve_or_bits = key:match("^rsa:%d+$") or key == "ed25519" and key
  local how = "-newkey " .. (curve_or_bits or "ec -pkeyopt ec_paramgen_curve:P-256")
  return how .. " -keyout " .. quote(to) .. (password and " -passout " .. quote("pass:" .. password) or " -noenc")
end

-- Makes a key and a certificate for it, signed by the authority named `issuer` (its own name: self-signed).
local function issue(self, o, issuer, extensions)
  local base = self.dir .. "/" .. o.name
  local key = o.key_file or base .. ".key"
  local out = { name = o.name, cert = base .. ".pem", key = key, chain = base .. ".chain.pem" }
  local request, config = base .. ".csr", write(base .. ".cnf", configuration(self, issuer, o.cn, extensions))
  local signer = self.authorities[issuer]
  local from = o.not_before or os.time() - 3600
  local to = o.not_after or os.time() + (o.days or 30) * 86400
  local pass = o.password and " -passin " .. quote("pass:" .. o.password) or ""
  run(table.concat({
    "openssl req -new -config", quote(config), "-out", quote(request),
    o.key_file and "-key " .. quote(o.key_file) .. pass or new_key(o.key or "ec", out.key, o.password),
    "&& openssl ca -batch -notext -config", quote(config), "-in", quote(request), "-out", quote(out.cert),
    "-md", o.digest or "sha256", "-startdate", stamp(from), "-enddate", stamp(to),
    "-keyfile", quote(signer and signer.key or out.key),
    signer and "-cert " .. quote(signer.cert) or "-selfsign" .. pass,
  }, " "))
  write(out.chain, read(out.cert) .. (signer and signer.parents or ""))
  return out
end

local function open_database(self, name)
  local home = self.dir .. "/" .. name
  run("mkdir -p " .. quote(home))
  write(home .. "/index", "")
  write(home .. "/crlnumber", "01\n")
end

--- Makes a certificate authority.
--
-- `options`: `ca` (the authority that signs it, making it an intermediate; absent: a root), `cn`, `key`, `digest`,
-- `days` / `not_before` / `not_after`, `ext` as for `leaf`.
---@param name string its name among this PKI's authorities and files
---@param options table|nil
---@return table authority `{ name=, cert=, key= }`, paths of PEM files
function pki:ca(name, options)
  local o = { name = name, cn = name .. " authority" }
  for k, v in pairs(options or {}) do
    o[k] = v
  end
  open_database(self, name)
  local authority = issue(self, o, o.ca or name, authority_extensions .. lines(o.ext))
  -- What a server sends after a leaf of this authority: itself and those above, without the root.
  authority.parents = o.ca and read(authority.chain) or ""
  self.authorities[name] = authority
  return authority
end

--- Makes an end-entity certificate.
--
-- `options`: `name` (of the files), `cn` (default: name), `san` ("DNS:a,IP:127.0.0.1", a list of those, or false for
-- none; default "DNS:<cn>"), `eku` (default "serverAuth"; false for none), `ca` (name of the authority; false:
-- self-signed), `key` ("ec", "rsa:<bits>", "ed25519"), `key_file` (an existing key instead), `password` (of the new
-- key), `digest` (default "sha256"), `days` or `not_before` and `not_after` (seconds since 1970), `ext` (lines of
-- openssl's extension syntax, which win over the usual ones).
---@param options table
---@return table leaf `{ name=, cert=, key=, chain= }`, paths of PEM files; `chain` is what a server sends
function pki:leaf(options)
  local o = { cn = options.name, eku = "serverAuth" }
  for k, v in pairs(options) do
    o[k] = v
  end
  local san = o.san == nil and "DNS:" .. o.cn or o.san
  if type(san) == "table" then
    san = table.concat(san, ",")
  end
  local extensions = leaf_extensions
    .. (san and "subjectAltName = " .. san .. "\n" or "")
    .. (o.eku and "extendedKeyUsage = " .. o.eku .. "\n" or "")
    .. lines(o.ext)
  if not o.ca then
    open_database(self, o.name)
  end
  return issue(self, o, o.ca or o.name, extensions)
end

--- Revokes `revoked` and makes the authority's current revocation list.
--
-- `options`: `name` (of the file, default the authority's), `last_update`, `next_update` (seconds since 1970).
---@param ca string name of the authority
---@param revoked table|nil list of leaves or authorities
---@param options table|nil
---@return string path of a PEM file
function pki:crl(ca, revoked, options)
  local o = options or {}
  local signer = assert(self.authorities[ca], "no such authority")
  local config = write(self.dir .. "/" .. ca .. ".crl.cnf", configuration(self, ca, ca, ""))
  local openssl = table.concat({
    "openssl ca -config", quote(config), "-keyfile", quote(signer.key), "-cert", quote(signer.cert),
  }, " ")
  for _, certificate in ipairs(revoked or {}) do
    run(openssl .. " -revoke " .. quote(certificate.cert))
  end
  local path = self.dir .. "/" .. (o.name or ca) .. ".crl.pem"
  run(table.concat({
    openssl, "-gencrl -out", quote(path),
    "-crl_lastupdate", stamp(o.last_update or os.time() - 3600),
    "-crl_nextupdate", stamp(o.next_update or os.time() + 30 * 86400),
  }, " "))
  return path
end

--- Makes an OCSP response about a certificate: good, or revoked once `crl` was told so.
--
-- `options`: `name` (of the file), `signer` (who answers: a leaf with eku "OCSPSigning", or any other to be wrong;
-- default the authority itself), `days` until the next answer (default 1; false for an answer without an end).
---@param ca string name of the authority
---@param leaf table
---@param options table|nil
---@return string path of a DER file
function pki:ocsp(ca, leaf, options)
  local o = options or {}
  local issuer = assert(self.authorities[ca], "no such authority")
  local signer = o.signer or issuer
  local path = self.dir .. "/" .. (o.name or leaf.name) .. ".ocsp"
  run(table.concat({
    "openssl ocsp -index", quote(self.dir .. "/" .. ca .. "/index"), "-CA", quote(issuer.cert),
    "-rsigner", quote(signer.cert), "-rkey", quote(signer.key), "-issuer", quote(issuer.cert),
    "-cert", quote(leaf.cert), "-respout", quote(path), "-noverify",
    o.days ~= false and "-ndays " .. ("%d"):format(o.days or 1) or "",
  }, " "))
  return path
end

--- Puts PEM files together: a trust file of several authorities, several revocation lists, a wrong chain.
---@param name string of the file
---@param ... string paths
---@return string path
function pki:bundle(name, ...)
  local parts = {}
  for i, path in ipairs { ... } do
    parts[i] = read(path)
  end
  return write(self.dir .. "/" .. name .. ".pem", table.concat(parts))
end

--- Makes a folder of certificates that OpenSSL can search by hash.
---@param name string of the folder
---@param ... string paths of PEM files
---@return string path
function pki:hashed(name, ...)
  local path = self.dir .. "/" .. name
  local files = {}
  for i, file in ipairs { ... } do
    files[i] = quote(file)
  end
  run("mkdir -p " .. quote(path) .. " && cp " .. table.concat(files, " ") .. " " .. quote(path)
    .. " && openssl rehash " .. quote(path))
  return path
end

--- The digest that a pin is: base64 of SHA-256 of the certificate's public key (SPKI), worked out by openssl.
---@param certificate table leaf or authority
---@return string
function pki:pin(certificate)
  local path = self.dir .. "/pin"
  run("openssl x509 -in " .. quote(certificate.cert) .. " -noout -pubkey"
    .. " | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | openssl base64 -A -out " .. quote(path))
  return (read(path):gsub("%s", ""))
end

return pki
