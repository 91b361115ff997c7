-- Many personalised mails from one program: drawn as fast as they leave, each with its own outcome.
--
--   lua5.4 examples/bulk.lua < addresses.txt        (the server from SMTP_HOST, MAIL_USER, … or .env)
--
-- Prints a line a mail. Those that may be sent again safely are told apart from those that may have arrived.

local smtpsec = require "smtpsec"

local mailer, problem = smtpsec.new()
if not mailer then
  io.stderr:write(tostring(problem), "\n")
  os.exit(1)
end

local addresses = {}

-- Called whenever there is room for another mail; nil ends it.
local function next_message()
  local address = io.read()
  if not address then return nil end
  addresses[#addresses + 1] = address
  return { to = address, subject = "お知らせ", text = "この知らせは " .. address .. " 宛です。\n" }
end

local failed = 0
for i, receipt, err in mailer:send_all(next_message, { window = 32 }) do
  local outcome = receipt and receipt.status or err.retry_safe and "not sent" or "in doubt"
  print(addresses[i], outcome, receipt and receipt.queue_id or tostring(err))
  if not receipt then failed = failed + 1 end
end
mailer:close()
os.exit(failed == 0 and 0 or 1)
