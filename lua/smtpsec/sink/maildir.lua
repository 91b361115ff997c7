--- maildir: a folder of mails: each is written to tmp/ and renamed into new/, so that what is in new/ is whole.
--
-- A mail's file holds the bytes that came, and nothing else; who sent it to whom stands in envelope/, in a file of
-- the same name that is there first. Other programs that read a Maildir do not look there.

local core = require "smtpsec.core"
local errors = require "smtpsec.errors"
local shell = require "smtpsec.sink.shell"
local sock = require "smtpsec.sock"

local maildir = {}

local Maildir = { __name = "smtpsec.sink.maildir" }
Maildir.__index = Maildir

--- Opens a Maildir, which is made where it does not exist.
---@param folder string
---@return table|nil maildir
---@return table|nil err
function maildir.open(folder)
  local paths = {}
  for i, name in ipairs { "tmp", "new", "cur", "envelope" } do paths[i] = folder .. "/" .. name end
  local _, why = shell.run("mkdir -p " .. shell.words(paths))
  if why then return nil, errors.new("config", "the sink's maildir cannot be made: " .. why) end
  return setmetatable({ folder = folder, delivered = 0 }, Maildir)
end

-- Time, a number, randomness in place of a process id, the host: never the same name twice.
local function new_name(self)
  self.delivered = self.delivered + 1
  local random = core.random(8):gsub(".", function(byte) return string.format("%02x", byte:byte()) end)
  local host = (sock.hostname() or "localhost"):gsub("[^%w.-]", "_")
  return string.format("%d.R%sQ%d.%s", os.time(), random, self.delivered, host)
end

local function write(path, bytes)
  local file, why = io.open(path, "wb")
  if not file then return nil, why end
  local written, trouble = file:write(bytes)
  local closed, late_trouble = file:close()
  if written and closed then return true end
  return nil, trouble or late_trouble
end

-- Nothing in here holds a line end: addresses, names and users are printable.
local function envelope(mail)
  local lines = { "from: " .. mail.from }
  local function add(key, value) if value then lines[#lines + 1] = key .. ": " .. value end end
  for _, to in ipairs(mail.to) do add("to", to) end
  add("helo", mail.helo)
  add("auth", mail.auth and core.printable(mail.auth))
  add("tls", mail.tls and mail.tls.version .. " " .. mail.tls.cipher)
  add("connection", string.format("%d", mail.connection))
  add("time", os.date("!%Y-%m-%dT%H:%M:%SZ", mail.time))
  return table.concat(lines, "\n") .. "\n"
end

--- Delivers a mail.
---@param mail table as in store.lua
---@return string|nil path
---@return string|nil why
function Maildir:deliver(mail)
  local name = new_name(self)
  local tmp, new = self.folder .. "/tmp/" .. name, self.folder .. "/new/" .. name
  local done, why = write(self.folder .. "/envelope/" .. name, envelope(mail))
  if done then done, why = write(tmp, mail.data) end
  if done then done, why = os.rename(tmp, new) end
  if not done then return nil, why end
  return new
end

return maildir
