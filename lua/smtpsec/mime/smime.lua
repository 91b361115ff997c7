--- smime: a tree of parts becomes a tree that is signed, or encrypted, or both (RFC 8551).
--
--     multipart/signed            the signature is detached, so that readers without S/MIME show the mail (RFC 1847)
--       the tree
--       application/pkcs7-signature
--
--     application/pkcs7-mime      the tree, or the signed one, encrypted
--
-- What is signed or encrypted is 7-bit with CRLF (RFC 8551 section 3.1), rendered as it would be sent alone: no server
-- on its way finds anything to change. It is signed when the message is judged, not when it is rendered, so that it
-- is the same for every server. A signature reads the parts and lets them go, to be read again when they are sent;
-- what is encrypted is held.
--
-- The message's own header stays outside, its subject with it: nothing here hides it or vouches for it.

local access = require "smtpsec.config.access"
local address = require "smtpsec.address"
local body = require "smtpsec.mime.body"
local callback = require "smtpsec.callback"
local core = require "smtpsec.core"
local environment = require "smtpsec.config.environment"
local errors = require "smtpsec.errors"
local part = require "smtpsec.mime.part"
local printable = require "smtpsec.printable"
local secret = require "smtpsec.config.secret"
local source = require "smtpsec.mime.source"
local stream = require "smtpsec.mime.stream"
local text = require "smtpsec.mime.text"

local smime = {}

-- RFC 8551 section 2.7 would rather have AES-GCM where nothing is known of a reader; but hardly any reader can open
-- that yet, and all of them AES-CBC. By name: OpenSSL's, and the smime-type of what it makes.
local CIPHERS = {
  ["aes-256-cbc"] = { "AES-256-CBC", "enveloped-data" }, ["aes-128-cbc"] = { "AES-128-CBC", "enveloped-data" },
  ["aes-256-gcm"] = { "id-aes256-GCM", "authEnveloped-data" },
  ["aes-128-gcm"] = { "id-aes128-GCM", "authEnveloped-data" },
}
local USUAL_CIPHER = "aes-256-cbc"

-- ---- what the caller gives ------------------------------------------------------------------------------------------

-- PEM, or the path of it, as the engine takes it.
local function pem_or_path(value, field)
  if value:find("-----BEGIN ", 1, true) then return { pem = value } end
  if value ~= "" and not value:find("%z") then return { path = value } end
  return text.refuse(field, "is neither PEM nor a path", "give the path of a PEM file, or what is in it")
end

-- The certificates that the value stands for.
local function certificates(value, field, purpose)
  local given, err = pem_or_path(value, field)
  if not given then return nil, err end
  local read, _, fault = core.smime_certificate(given, purpose)
  if read then return read end
  return text.refuse(field, "%s %s", "give a certificate for S/MIME in PEM, or the path of one",
    given.path and printable.value(given.path) or "the certificate", fault)
end

local function from_function(key)
  local pem, why = callback.string(key)
  if pem then return { pem = pem } end
  return text.refuse("smime.sign.key", "cannot be had: %s", nil, why)
end

-- The key as the engine takes it. What is given is not shown unless there is a file of that name.
local function find_key(key)
  if type(key) == "function" then return from_function(key) end
  local given, err = pem_or_path(key, "smime.sign.key")
  local fault = given and given.path and access.fault(given.path, environment.new())
  if fault then return text.refuse("smime.sign.key", "%s", nil, fault) end
  return given, err
end

local function find_password(from)
  local why = secret.fault(from)
  if why then return text.refuse("smime.sign.key_password", "%s", nil, why) end
  return secret.new(from, { label = "smime.sign.key_password" }):reveal()
end

-- ---- bytes ----------------------------------------------------------------------------------------------------------

-- The tree as a list of segments that can be walked again as often as its parts can.
local function rendered(tree)
  local possible, err = part.is_seven_bit(tree, "and what is signed or encrypted is 7-bit")
  if not possible then return nil, err end
  local whole, segments = part.render(tree, "", {})
  return whole and { whole } or segments
end

local HINTS = { limit = "sign it only, which has no limit, or put less into it" }

-- Passes everything through the engine, which is closed then. Returns what comes out.
local function pass(segments, cms)
  local next_chunk = stream.chunks(segments)
  local piece, err = next_chunk()
  local out, status, why = true, nil, nil
  while piece and out do
    out, status, why = cms:update(piece)
    if out then piece, err = next_chunk() end
  end
  if out and not err then out, status, why = cms:finish() end
  cms:close()
  if err then return nil, err end
  if not out then return text.refuse("smime", "the message %s", HINTS[status], why) end
  return out
end

-- ---- signing --------------------------------------------------------------------------------------------------------

-- The leaf that is rendered already: its header is among its bytes, which end with a line end.
local Entity = { open = false }
Entity.__index = Entity

function Entity:segment()
  local segments = self.segments
  return {
    open = function() return stream.chunks(segments) end,
    size = function() return stream.size(segments) end,
  }
end

local AS_IS = { "", "" } -- nothing is written around it

local function entity(segments)
  return { AS_IS, "7bit", "7bit", setmetatable({ segments = segments }, Entity), false }
end

-- A shape for each hash, made when it is needed.
local SIGNED = setmetatable({}, {
  __index = function(shapes, hash)
    local shape = part.shape_of_parts { type = "multipart/signed",
      parameters = { { "protocol", "application/pkcs7-signature" }, { "micalg", hash } } }
    shapes[hash] = shape
    return shape
  end,
})

local SIGNATURE = part.shape { type = "application/pkcs7-signature", parameters = { { "name", "smime.p7s" } },
  disposition = "attachment", filename = "smime.p7s" }

-- RFC 8550 section 3: readers compare the certificate with the author.
local function check_author(own, sign, people)
  if sign.insecure_other_address then return true end
  for _, box in ipairs(people.from) do
    if own:names(box.address) then return true end
  end
  return text.refuse("smime.sign.cert", "the certificate is not for %s, who is in From",
    "readers would warn of the signature; where that is meant, say insecure_other_address = true",
    printable.value(people.from[1].address))
end

-- The signer's certificate, or nil and the error; behind them those that vouch for it, where there are some.
local function own_certificates(sign, people)
  if not sign.cert then return text.refuse("smime.sign.cert", "is missing", "give one in PEM, or its path") end
  local own, err = certificates(sign.cert, "smime.sign.cert", "signing")
  if not own then return nil, err end
  local sound, chain
  sound, err = check_author(own, sign, people)
  if not sound then return nil, err end
  if not sign.chain then return own end
  chain, err = certificates(sign.chain, "smime.sign.chain", "chain")
  if not chain then return nil, err end
  return own, nil, chain
end

-- The engine's signer.
local function signer(sign, people)
  local own, err, chain = own_certificates(sign, people)
  if not own then return nil, err end
  local key, password
  key, err = find_key(sign.key or sign.cert)
  if key and sign.key_password then password, err = find_password(sign.key_password) end
  if err then return nil, err end
  local cms, _, why = core.smime_signature(own, chain, key, password)
  own:close()
  if chain then chain:close() end
  if not cms then return nil, errors.new("message", "smime.sign." .. why) end
  return cms
end

local function signed(tree, sign, people)
  local cms, err = signer(sign, people)
  if not cms then return nil, err end
  local segments, signature
  segments, err = rendered(tree)
  if not segments then return nil, err end
  local hash = cms:hash()
  signature, err = pass(segments, cms)
  if not signature then return nil, err end
  if not stream.size(segments) then
    return text.refuse("smime.sign", "the message has a reader, which can be read only once, and it is read twice: "
      .. "to be signed, and to be sent", "give its attachment as content or path")
  end
  return part.multipart(SIGNED[hash], entity(segments), body.data(source.text(signature), "smime.sign", SIGNATURE))
end

-- ---- encrypting -----------------------------------------------------------------------------------------------------

-- The mailbox that a string is, and nothing else in it.
local function mailbox(spec)
  local boxes, err = address.parse({ address = spec }, "smime.encrypt_to")
  return boxes and boxes[1], err
end

-- A map of certificates by address.key, each { value, field, address }.
local function directory(map)
  local by_key = {}
  for spec, value in pairs(map) do
    local box, err = mailbox(spec)
    if not box then return nil, err end
    local field = string.format("smime.encrypt_to[%s]", printable.value(spec))
    by_key[address.key(box)] = { value, field, box.address }
  end
  return by_key
end

-- Who is to read it: every recipient, and the author, where he is in the map too.
local function readers_in(map, people, parties)
  local by_key, err = directory(map)
  if not by_key then return nil, err end
  local readers = {}
  for _, spec in ipairs(parties.to) do
    local reader = by_key[address.key(mailbox(spec))]
    if not reader then
      return text.refuse("smime.encrypt_to", "there is no certificate for %s, and the message goes there",
        "add one, or send a message of its own to those who have none", printable.value(spec))
    end
    readers[#readers + 1] = reader
  end
  for _, box in ipairs(people.from) do readers[#readers + 1] = by_key[address.key(box)] end
  return readers
end

local function readers_of(list)
  local readers = {}
  for i, value in ipairs(list) do readers[i] = { value, string.format("smime.encrypt_to[%d]", i) } end
  return readers
end

-- The certificates of those who are to read it, each once.
local function reader_certificates(encrypt_to, people, parties)
  if people.bcc and people.bcc[1] then
    return text.refuse("bcc", "everybody who gets an encrypted message sees for whom it is encrypted",
      "send those in bcc a message of their own")
  end
  local readers, err = readers_of(encrypt_to), nil
  if not readers[1] then readers, err = readers_in(encrypt_to, people, parties) end
  if not readers then return nil, err end
  local found, seen = {}, {}
  for _, reader in ipairs(readers) do
    local value, field, spec = reader[1], reader[2], reader[3]
    local read = seen[value]
    if not read then
      read, err = certificates(value, field, "encryption")
      if not read then return nil, err end
      seen[value], found[#found + 1] = read, read
    end
    if spec and not read:names(spec) then
      return text.refuse(field, "the certificate is for somebody else", "give the one that names this address")
    end
  end
  return found
end

local function encrypted(tree, found, cipher)
  local how = CIPHERS[cipher or USUAL_CIPHER]
  local segments, err = rendered(tree)
  if not segments then return nil, err end
  local cms, _, why = core.smime_encryption(how[1], found)
  for _, certificate in ipairs(found) do certificate:close() end
  if not cms then return text.refuse("smime.encrypt_to", "%s", nil, why) end
  local der
  der, err = pass(segments, cms)
  if not der then return nil, err end
  return body.data(source.text(der), "smime.encrypt_to", part.shape { type = "application/pkcs7-mime",
    parameters = { { "smime-type", how[2] }, { "name", "smime.p7m" } }, disposition = "attachment",
    filename = "smime.p7m" })
end

-- ---- both -----------------------------------------------------------------------------------------------------------

-- What is told in receipts.
local function warnings_of(sign)
  if not sign or not sign.insecure_other_address then return nil end
  return { "insecure_other_address: nobody checked that the certificate that signs names the author" }
end

--- Signs and encrypts a tree, in this order.
---@param tree table node (part.lua)
---@param given table the smime field; its Lua types were checked before
---@param people table address fields of the message (composed.lua)
---@param parties table envelope
---@return table|nil node
---@return table|nil err
---@return string[]|nil warnings for receipts
function smime.transform(tree, given, people, parties)
  if not given.encrypt_to and (given.cipher or not given.sign) then
    return text.refuse("smime", "says nothing of who is to read it or who signs it",
      "give encrypt_to, or sign; cipher is for encrypt_to")
  end
  local readers, err
  if given.encrypt_to then
    readers, err = reader_certificates(given.encrypt_to, people, parties)
    if not readers then return nil, err end
  end
  if given.sign then
    tree, err = signed(tree, given.sign, people)
    if not tree then return nil, err end
  end
  if readers then
    tree, err = encrypted(tree, readers, given.cipher)
    if not tree then return nil, err end
  end
  return tree, nil, warnings_of(given.sign)
end

return smime
