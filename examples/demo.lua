-- `make demo`: starts the test server with an authority of its own, runs examples/send.lua against it once with
-- STARTTLS and once with TLS from the first byte, and shows what arrived.
local sink = require "smtpsec.sink"

local PDF = "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
  .. "trailer<</Root 1 0 R>>\n%%EOF\n"

local server = assert(sink.start {
  tls = { "starttls", "implicit" }, auth = { ["noreply@example.com"] = "secret" }, require_auth = true,
})

local function quote(s) return "'" .. s:gsub("'", "'\\''") .. "'" end

local function interpreter()
  local i = 0
  while arg[i - 1] do i = i - 1 end
  return arg[i]
end

-- What a user would put in the environment, or in .env.
local function send(scheme, port, pdf)
  local settings = {
    SMTP_URL = ("%s://localhost:%d"):format(scheme, port), MAIL_USER = "noreply@example.com", MAIL_PASS = "secret",
    MAIL_FROM = "監視 <noreply@example.com>", MAIL_TO = "運用 <ops@example.com>", CA_FILE = server.ca_file,
  }
  local words = { "env" }
  for name, value in pairs(settings) do words[#words + 1] = name .. "=" .. quote(value) end
  words[#words + 1] = quote(interpreter()) .. " examples/send.lua " .. quote(pdf)
  local ok = os.execute(table.concat(words, " "))
  assert(ok == true or ok == 0, "examples/send.lua failed")
end

local function show(mail)
  print(("from <%s> to <%s>, %d bytes, %s as %s"):format(mail.from, table.concat(mail.to, ">, <"), #mail.data,
    mail.tls and mail.tls.version or "in clear", tostring(mail.auth)))
  print((mail.data:gsub("\r\n$", ""):gsub("[^\r\n]*\r?\n?", function(line)
    return line ~= "" and "  | " .. line or ""
  end):gsub("\r", "")))
end

local pdf = "build/report.pdf" -- `make demo` has made the folder
local file = assert(io.open(pdf, "wb"))
file:write(PDF)
file:close()

print(("\nA test server listens on localhost: STARTTLS on port %d, TLS from the first byte on port %d.\n")
  :format(server.ports.starttls, server.ports.implicit))
print("$ lua examples/send.lua report.pdf        # SMTP_URL=smtp+starttls://…")
send("smtp+starttls", server.ports.starttls, pdf)
print("\n$ lua examples/send.lua report.pdf        # SMTP_URL=smtps://…")
send("smtps", server.ports.implicit, pdf)

print("\nWhat arrived:\n")
for _, mail in ipairs(assert(server:wait_for(2, 10))) do show(mail) end

os.remove(pdf)
server:stop()
