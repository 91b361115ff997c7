--- verifier: what independent programs say of DKIM signatures: npm's mailauth, dkimpy, and OpenDKIM's filter in its
-- test mode. Each is run once for any number of messages, and finds the public keys in a file instead of the DNS.
local process = require "spec.support.process"

local verifier = {}

local HERE = debug.getinfo(1, "S").source:match("^@(.*)verifier%.lua$")

-- What openssl says of a key, given PEM or its path; DKIM publishes Ed25519 keys bare (RFC 8463 section 4.2).
local function public_key(path)
  local command = "openssl pkey -in %s -pubout -outform DER"
  local der = command:format(process.quote(path))
  local kind = process.run("openssl pkey -in " .. process.quote(path) .. " -noout -text"):find("ED25519", 1, true)
    and "ed25519" or "rsa"
  if kind == "ed25519" then der = der .. " | tail -c 32" end
  return kind, (process.run(der .. " | base64 -w0"))
end

--- What the DNS would say of some keys.
---@param keys table "selector._domainkey.domain" -> path of the private key
---@return string lines
function verifier.zone(keys)
  local lines = {}
  for name, path in pairs(keys) do
    lines[#lines + 1] = ("%s v=DKIM1; k=%s; p=%s\n"):format(name, public_key(path))
  end
  return table.concat(lines)
end

-- The verdicts of one program: a line for each signature, "message selector domain verdict".
local function read_lines(output)
  local verdicts = {}
  for index, selector, domain, verdict in output:gmatch "(%d+) (%S+) (%S+) (%S+)\n" do
    index = tonumber(index)
    verdicts[index] = verdicts[index] or {}
    verdicts[index][selector .. " " .. domain] = verdict
  end
  return verdicts
end

-- OpenDKIM prints the header that it would insert into each message.
local function read_filter(output)
  local verdicts = {}
  for inserted in output:gmatch "(hvalue='.-)\n###" do
    local list = {}
    for verdict, words in inserted:gmatch "\tdkim=(%w+)([^\n]*)" do
      local domain, selector = words:match "header%.d=(%S+)", words:match "header%.s=(%S+)"
      if domain then list[selector .. " " .. domain] = verdict == "pass" and "pass" or "fail" end
    end
    verdicts[#verdicts + 1] = list
  end
  return verdicts
end

--- Judges messages.
---@param messages string[]
---@param zone string as verifier.zone gives it
---@return table program -> for each message: "selector domain" -> "pass" or "fail"
function verifier.judge(messages, zone)
  local folder = process.run 'printf %s "$(mktemp -d -t smtpsec-XXXXXX)"'
  local keys, paths = process.write(folder .. "/keys", zone), {}
  for i, message in ipairs(messages) do paths[i] = process.write(("%s/%d.eml"):format(folder, i), message) end
  local conf = process.write(folder .. "/conf", "Mode v\nTestPublicKeys " .. keys .. "\n")
  local files = process.command(paths)
  local verdicts = {
    mailauth = read_lines(process.run(("node %sverifier.cjs %s %s"):format(HERE, keys, files))),
    dkimpy = read_lines(process.run(("/usr/bin/python3 %sverifier.py %s %s"):format(HERE, keys, files))),
    opendkim = read_filter(process.run(("build/opendkim/opendkim -x %s -v -v -t %s 2>%s/log; echo '###'"):format(conf,
      table.concat(paths, ","), folder))),
  }
  process.run("rm -rf " .. process.quote(folder))
  return verdicts
end

return verifier
