--- fields: the keys of a message table and the Lua types of their values. What the values say is judged by those
-- who use them; here is only what no caller can mean.

local address = require "smtpsec.address"
local core = require "smtpsec.core"
local schema = require "smtpsec.schema"
local wishes = require "smtpsec.wishes"

local either, list, record, shaped = schema.either, schema.list, schema.record, schema.shaped

local fields = {}

local function is_string(value) return type(value) == "string" end

local function an_address(keys)
  return shaped("an address", is_string, schema.string, record("address", keys))
end

local one_address = an_address { name = schema.string, address = schema.string, group = schema.string,
  members = list(an_address { name = schema.string, address = schema.string }) }

local addresses = shaped("addresses", address.is_list, list(one_address), one_address)

local function is_sequence(value) return type(value) == "table" and value[1] ~= nil end

local pair = {
  expects = "a pair { name, value }",
  base = "table",
  fault = function(self, value, path)
    if type(value) == "table" and #value == 2 and is_string(value[1]) and is_string(value[2]) then return nil end
    return string.format('"%s" must be %s of strings', path, self.expects)
  end,
}

local headers = shaped("headers", is_sequence, list(pair), schema.map(schema.string, schema.string))

local attachment = record("attachment", {
  path = schema.string, content = schema.string, reader = schema.callable, filename = schema.string,
  type = schema.string, cid = schema.string, inline = schema.boolean,
})

local smime = record("smime", {
  sign = record("sign", {
    cert = schema.string, chain = schema.string, key = schema.secret(either(schema.string, schema.callable)),
    key_password = schema.secret(either(schema.string, schema.callable,
      record("key_password", { file = schema.string, command = schema.string, credential = schema.string }))),
    insecure_other_address = schema.boolean,
  }),
  encrypt_to = shaped("certificates", is_sequence, list(schema.string), schema.map(schema.string, schema.string)),
  cipher = schema.enum { "aes-256-cbc", "aes-128-cbc", "aes-256-gcm", "aes-128-gcm" },
})

-- The keys whose value may be a string, a list of strings, or a list of tables that hold strings (core.all_strings): a
-- table of nothing else, which most are, needs no closer look.
local STRINGS = {
  from = "list", sender = "list", to = "list", cc = "list", bcc = "list", reply_to = "list", subject = true,
  text = true, html = true, message_id = true, charset = true, raw = true,
  attachments = { path = true, content = true, filename = true, type = true, cid = true },
}

local shape = {
  from = addresses, sender = addresses, to = addresses, cc = addresses, bcc = addresses, reply_to = addresses,
  subject = schema.string, text = schema.string, html = schema.string,
  calendar = record("calendar", { method = schema.string, content = schema.string }),
  attachments = list(attachment),
  headers = headers,
  date = schema.number(), message_id = schema.string, charset = schema.string,
  auto_submitted = schema.enum { "auto-generated", "auto-replied", "auto-notified" },
  list_unsubscribe = record("list_unsubscribe",
    { url = schema.string, mailto = schema.string, one_click = schema.boolean }),
  envelope = record("envelope", { from = addresses, to = addresses }),
  smime = smime,
  raw = either(schema.string, record("raw", { path = schema.string, reader = schema.callable })),
}
for name, type_of in pairs(wishes.FIELDS) do shape[name] = type_of end

--- The keys that a message table may have.
fields.KNOWN = shape

local whole = record("smtpsec.message", shape)

--- Checks a message table; an error is raised where it is none.
---@param given table
---@param level? integer see schema.record; 2 by default, the caller of the function that calls this
---@return boolean plain whether it has none but the fields in STRINGS, and these as they are there
function fields.check(given, level)
  if type(given) == "table" and core.all_strings(given, STRINGS) then return true end
  whole(given, (level or 2) + 1) -- no tail call: levels are counted
  return false
end

return fields
