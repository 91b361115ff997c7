--- pki: a throw-away certificate authority and one certificate of a server on this machine, made by openssl.
--
-- Good for a month and for the names localhost, 127.0.0.1 and ::1 only. The keys lie unencrypted beside the
-- certificates: nothing that matters may ever trust this authority.

local errors = require "smtpsec.errors"
local shell = require "smtpsec.sink.shell"

local pki = {}

local FILES = { ca_file = "ca.pem", ca_key = "ca.key", cert = "cert.pem", key = "cert.key" }

-- No configuration file: what is in a certificate stands here, and nowhere else.
local REQUEST = "openssl req -x509 -config /dev/null -sha256 -days 30"
  .. " -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc"

local AUTHORITY = { "basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign",
  "subjectKeyIdentifier=hash" }

local SERVER = { "basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature",
  "extendedKeyUsage=serverAuth", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1" }

local function request(subject, extensions, paths)
  local words = { "-subj", "/CN=" .. subject }
  for _, extension in ipairs(extensions) do
    words[#words + 1] = "-addext"
    words[#words + 1] = extension
  end
  for _, word in ipairs(paths) do words[#words + 1] = word end
  return REQUEST .. " " .. shell.words(words)
end

--- Makes the authority and the certificate in a folder, which is made where it does not exist.
---@param folder string
---@return table|nil files paths: ca_file is what a client trusts; cert and key are the server's; ca_key
---@return table|nil err
function pki.make(folder)
  local files = {}
  for name, base in pairs(FILES) do files[name] = folder .. "/" .. base end
  local _, why = shell.run(table.concat({
    "umask 077", "mkdir -p " .. shell.quote(folder),
    request("smtpsec sink authority", AUTHORITY, { "-keyout", files.ca_key, "-out", files.ca_file }),
    request("localhost", SERVER, { "-CA", files.ca_file, "-CAkey", files.ca_key, "-keyout", files.key,
      "-out", files.cert }),
  }, " && "))
  if why then return nil, errors.new("config", "the sink's certificate cannot be made with openssl: " .. why) end
  return files
end

--- Removes what `make` made, and its folder.
---@param folder string
function pki.remove(folder)
  for _, base in pairs(FILES) do os.remove(folder .. "/" .. base) end
  os.remove(folder)
end

return pki
