-- A file to attach that does not stay what it was while the message is made and sent: nothing is delivered of it, and
-- the next mail is. By DATA the connection ends before the final dot, by BDAT no chunk is the last.
local driver = require "smtpsec.io.socket"
local keeper = require "spec.support.keeper"
local process = require "spec.support.process"
local sink = require "smtpsec.sink"
local smtpsec = require "smtpsec"

local FILE = ("0123456789"):rep(100000)

local folder, servers, signer

setup(function()
  folder = keeper.own():new_folder "changed"
  signer = { domain = "example.com", selector = "s", key = process.run "openssl genpkey -algorithm ed25519" }
  servers = { DATA = assert(sink.start { tls = "none" }),
    BDAT = assert(sink.start { tls = "none", extensions = { "CHUNKING" } }) }
end)

teardown(function()
  for _, server in pairs(servers) do server:stop() end
end)

-- The socket driver, telling before each write what is written and how many octets were.
local function watched(on_write)
  local written = 0
  local watching = {}
  for name, value in pairs(driver) do watching[name] = value end
  function watching.connect(target, seconds)
    local stream, err = driver.connect(target, seconds)
    if not stream then return nil, err end
    local write = stream.write
    function stream:write(bytes, ...)
      on_write(bytes, written)
      written = written + #bytes
      return write(self, bytes, ...)
    end
    return stream
  end
  return watching
end

local CHANGES = {
  grown = function(path) process.run("printf x >> " .. path) end,
  ["grown much"] = function(path) process.write(path, FILE:rep(4)) end,
  shrunk = function(path) process.run("truncate -s 999999 " .. path) end,
  emptied = function(path) process.run("truncate -s 0 " .. path) end,
  rewritten = function(path) process.run("sleep 0.02; printf y | dd conv=notrunc of=" .. path .. " 2>&1") end,
  touched = function(path) process.run("sleep 0.02; touch " .. path) end,
  replaced = function(path) process.run(("cp -p %s %s.new && mv %s.new %s"):format(path, path, path, path)) end,
  removed = function(path) os.remove(path) end,
}
-- The file that is open is still what it was.
local UNSEEN_WHILE_READ = { replaced = true, removed = true }

local function mail(path, first)
  return { from = "a@example.com", to = "b@example.org", text = "x",
    attachments = first and { first, { path = path } } or { { path = path } } }
end

local function send(server, given, io, dkim)
  local mailer = assert(smtpsec.new { host = "127.0.0.1", port = server.port, tls = "none", env_file = false, io = io,
    dkim = dkim })
  local receipt, err = mailer:send(given)
  local later, trouble = mailer:send { from = "a@example.com", to = "b@example.org", text = "the next one" }
  mailer:close()
  assert.is_truthy(later, tostring(trouble))
  return receipt, err
end

-- The mails that arrived since the last call, but for the next ones.
local seen = {}
local function arrived(server)
  local count = 0
  local mails = server:mails()
  for i = (seen[server] or 0) + 1, #mails do
    if not mails[i].data:find("the next one", 1, true) then count = count + 1 end
  end
  seen[server] = #mails
  return count
end

-- Changes the file once, before that is written of which `is_time(bytes, written)` says so.
local function send_while(server, change, path, is_time, dkim)
  local done = false
  local receipt, err = send(server, mail(path), watched(function(bytes, written)
    if not done and is_time(bytes, written) then
      done = true
      change(path)
    end
  end), dkim)
  assert.is_true(done)
  return receipt, err
end

local function in_the_middle(_, written) return written > 500000 end

-- Whether the message begins: a file that is signed was hashed by then.
local function is_body(bytes) return bytes:find("DATA\r\n", 1, true) or bytes:find("BDAT ", 1, true) end

local function refused(receipt, err, what)
  assert.is_nil(receipt, what)
  assert.equal("message", err.kind, what)
  assert.equal("body", err.stage, what)
  assert.is_true(err.retry_safe)
  assert.is_truthy(tostring(err):find("attachments[", 1, true), tostring(err))
end

for verb in pairs { DATA = true, BDAT = true } do
  describe("a file sent by " .. verb, function()
    local path
    before_each(function() path = process.write(folder .. "/" .. verb, FILE) end)

    it("is delivered where it stays as it is", function()
      assert.is_truthy(send(servers[verb], mail(path)))
      assert.is_truthy(send(servers[verb], mail(path), nil, signer))
      assert.equal(2, arrived(servers[verb]))
    end)

    for what, change in pairs(CHANGES) do
      it("is not where it was " .. what .. " before it is read again", function()
        local changed = false
        local receipt, err = send(servers[verb], mail(path, { filename = "first", reader = function()
          if changed then return nil end
          changed = true
          change(path)
          return "x"
        end }))
        refused(receipt, err, what)
        assert.equal(0, arrived(servers[verb]))
      end)

      local unseen = UNSEEN_WHILE_READ[what]
      it(("is%s where it was %s while it is read"):format(unseen and "" or " not", what), function()
        local receipt, err = send_while(servers[verb], change, path, in_the_middle)
        if unseen then assert.is_truthy(receipt, tostring(err)) else refused(receipt, err, what) end
        assert.equal(unseen and 1 or 0, arrived(servers[verb]))
      end)

      it("is not where it was " .. what .. " after it was hashed for a signature", function()
        process.write(path, FILE:rep(3)) -- what is shorter is kept in memory between hash and sending
        local receipt, err = send_while(servers[verb], change, path, is_body, signer)
        if verb == "BDAT" and unseen and receipt then -- it was open by then
          assert.equal(1, arrived(servers[verb]))
        else
          refused(receipt, err, what)
          assert.equal(0, arrived(servers[verb]))
        end
      end)
    end
  end)
end
