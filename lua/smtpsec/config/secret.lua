--- secret: a password or token that does not show itself, and that is fetched as late as possible.
--
-- It prints as ***, has no field that holds it, and is asked for with :reveal() when a mechanism needs it. Lua
-- strings cannot be wiped: a function, a file or a command keeps the secret out of memory until then.
--   "text"               the secret itself
--   function             called each time; returns the secret, or nil and why; its argument is true where the server
--                        has just said that the one before is no good
--   { file = path }      the file's text without its last line end, read each time; config/access.lua says which
--                        files are refused (Docker and Kubernetes have theirs in /run/secrets); a pipe is good for one
--                        login
--   { credential = name} the file of this name that systemd has made for the unit (LoadCredential= and the like)
--   { command = line }   the first line that a shell command prints; it blocks, so it is not for event loops

local access = require "smtpsec.config.access"
local callback = require "smtpsec.callback"
local command = require "smtpsec.command"
local environments = require "smtpsec.config.environment"
local errors = require "smtpsec.errors"

local MAX = 65536

-- Every secret that was made. There is no field and no metatable to know them by: both would show what they hold.
local made = setmetatable({}, { __mode = "k" })

-- The argument is left away where it says nothing: io.read, for one, takes a nil for a mistake.
local function from_function(source, again)
  if again then return callback.string(source, true) end
  return callback.string(source)
end

-- The file that a source names, or nil where it names none; nil and why where there can be no such file.
local function path_of(source, environment)
  if type(source) ~= "table" then return nil end
  local name = source.credential
  if not name then return source.file end
  if name == "" or name == "." or name == ".." or name:find("/", 1, true) then
    return nil, "a credential is named without a path, as the unit names it"
  end
  local folder = environment.getenv "CREDENTIALS_DIRECTORY"
  if not folder or folder == "" then
    return nil, "CREDENTIALS_DIRECTORY is not set: systemd sets it for a unit that has credentials"
  end
  return folder .. "/" .. name
end

local function from_file(path, environment)
  local fault = access.fault(path, environment)
  if fault then return nil, fault end
  local text, why = environment.read(path)
  if not text then return nil, why end
  return (text:gsub("\r?\n$", ""))
end

local function from_command(line)
  local output, status = command.capture(line, MAX + 100)
  if not output then return nil, status end
  if status ~= "0" then return nil, "the command failed with status " .. status end
  return output:match("^[^\r\n]*")
end

local function fetch(source, environment, again)
  if type(source) == "function" then return from_function(source, again) end
  if type(source) == "string" then return source end
  if source.command then return from_command(source.command) end
  local path, why = path_of(source, environment)
  if not path then return nil, why end
  return from_file(path, environment)
end

-- What no secret has. SASL separates fields with NUL (RFC 4616); a line end is what a careless paste leaves.
local function unfit(value)
  if value == "" then return "is empty" end
  if #value > MAX then return "is longer than 64 KiB" end
  if value:find("\0", 1, true) then return "contains a NUL byte" end
  if value:find("[\r\n]") then return "contains a line end" end
end

local secret = {}

--- What is wrong with where a secret is said to come from, for a message that names it.
---@param source string|function|table
---@return string? why
function secret.fault(source)
  if type(source) ~= "table" then return nil end
  local count = 0
  for _, name in ipairs { "file", "command", "credential" } do
    if source[name] ~= nil then count = count + 1 end
  end
  return count ~= 1 and "must be either { file = … }, { command = … } or { credential = … }" or nil
end

--- Wraps where a secret comes from.
---@param source string|function|table see above; one without secret.fault
---@param options { label: string, tidy: function?, environment: table? } label names it in messages ("password"); tidy
--- is applied to what was fetched; environment: where files and variables are looked for, where not in the real one
---@return table secret
function secret.new(source, options)
  local label, tidy, environment = options.label, options.tidy, options.environment or environments.new()
  local methods = {}

  --- The secret itself, or nil and an error of kind "config". With `again`, a function hears that the server has said
  -- that the one before is no good.
  function methods.reveal(_, again)
    local value, why = fetch(source, environment, again)
    if not value then return nil, errors.new("config", label .. " cannot be had: " .. why) end
    why = unfit(value)
    if why then return nil, errors.new("config", label .. " " .. why) end
    return tidy and tidy(value) or value
  end

  --- Whether asking once more could give another one.
  function methods.renewable()
    return type(source) ~= "string"
  end

  --- Finds out early what costs nothing: strings and files are looked at, functions and commands are not called, and
  -- a pipe is left alone, because it can be read only once.
  -- Returns true and what is to be told of the file, if anything; or nil and an error of kind "config".
  function methods.check()
    if type(source) == "function" or (type(source) == "table" and source.command) then return true end
    local path = path_of(source, environment)
    if path and select(2, environment.access(path)) == true then return true end
    local value, err = methods.reveal()
    if not value then return nil, err end
    return true, path and access.note(path, "a secret", environment)
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
