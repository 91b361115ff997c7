--- secret: a password or token that does not show itself, and that is fetched as late as possible.
--
-- It prints as ***, has no field that holds it, and is asked for with :reveal() when a mechanism needs it. Lua
-- strings cannot be wiped: a function, a file or a command keeps the secret out of memory until then.
--   "text"               the secret itself
--   function             called each time; returns the secret, or nil and why
--   { file = path }      the file's text without its last line end, read each time
--   { command = line }   the first line that a shell command prints; it blocks, so it is not for event loops
-- Files fit systemd credentials (MAIL_PASS_FILE=%d/name in the unit) and secrets of Docker and Kubernetes
-- (/run/secrets/name). Who else may read a file is not looked at: each of these sets modes of its own.

local command = require "smtpsec.command"
local environment = require "smtpsec.config.environment"
local errors = require "smtpsec.errors"

local MAX = 65536

-- Every secret that was made. There is no field and no metatable to know them by: both would show what they hold.
local made = setmetatable({}, { __mode = "k" })

local function from_function(source)
  local ran, value, why = pcall(source)
  if not ran then return nil, "the function failed: " .. tostring(value) end
  if value == nil then return nil, "the function gave nothing" .. (why and ": " .. tostring(why) or "") end
  if type(value) ~= "string" then return nil, "the function gave a " .. type(value) .. ", not a string" end
  return value
end

local function from_file(path, read)
  local text, why = read(path)
  if not text then return nil, why end
  return (text:gsub("\r?\n$", ""))
end

local function from_command(line)
  local output, status = command.capture(line, MAX + 100)
  if not output then return nil, status end
  if status ~= "0" then return nil, "the command failed with status " .. status end
  return output:match("^[^\r\n]*")
end

local function fetch(source, read)
  if type(source) == "function" then return from_function(source) end
  if type(source) == "string" then return source end
  if source.file then return from_file(source.file, read) end
  return from_command(source.command)
end

-- What no secret has. SASL separates fields with NUL (RFC 4616); a line end is what a careless paste leaves.
local function unfit(value)
  if value == "" then return "is empty" end
  if #value > MAX then return "is longer than 64 KiB" end
  if value:find("\0", 1, true) then return "contains a NUL byte" end
  if value:find("[\r\n]") then return "contains a line end" end
end

local secret = {}

--- Wraps where a secret comes from.
---@param source string|function|table see above
---@param options { label: string, tidy: function?, read: function? } label names it in messages ("password"); tidy is
--- applied to what was fetched; read(path) replaces the reading of files
---@return table secret
function secret.new(source, options)
  local label, tidy, read = options.label, options.tidy, options.read or environment.read
  local methods = {}

  --- The secret itself, or nil and an error of kind "config".
  function methods.reveal()
    local value, why = fetch(source, read)
    if not value then return nil, errors.new("config", label .. " cannot be had: " .. why) end
    why = unfit(value)
    if why then return nil, errors.new("config", label .. " " .. why) end
    return tidy and tidy(value) or value
  end

  --- Finds out early what costs nothing: strings and files are looked at, functions and commands are not called.
  -- Returns true, or nil and an error of kind "config".
  function methods.check()
    if type(source) == "function" or (type(source) == "table" and source.command) then return true end
    local value, err = methods.reveal()
    return value and true or nil, err
  end

  local self = setmetatable({}, {
    __name = "smtpsec.secret",
    __metatable = "smtpsec.secret",
    __index = methods,
    __tostring = function() return "***" end,
  })
  made[self] = true
  return self
end

--- Whether a value is a secret made here.
---@param value any
---@return boolean
function secret.is(value)
  return made[value] == true
end

-- White space as a browser copies it, the no-break space (U+00A0) included.
local GAP = "[ \194\160]+"
local GROUPED = "^(" .. ("%w"):rep(4) .. ")" .. (GAP .. "(" .. ("%w"):rep(4) .. ")"):rep(3) .. "$"

--- Takes the gaps out of an app password that is written in four groups of four letters or digits, as Gmail shows it.
-- Anything else stays as it is.
---@param value string
---@return string
function secret.ungroup(value)
  local a, b, c, d = value:match(GROUPED)
  return a and a .. b .. c .. d or value
end

return secret
