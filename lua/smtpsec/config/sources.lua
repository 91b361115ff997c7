--- sources: the places that settings come from, each asked in the same words: options, process environment, .env
-- file.
--
-- A source answers get(key) with the value and how a message names it, nil where it has none, or nil, nil and why
-- where what it has cannot be used. Values are looked at when they are asked for, so that a variable that nobody
-- needs can break nothing. Keys: url, host, port, mode, provider, user, password, token, from, to. Which source wins is
-- config.lua's question.

local options = require "smtpsec.config.options"
local printable = require "smtpsec.printable"

local sources = {}

-- Variables by key; where there are two, they may not differ. A file named by a variable ending in _FILE holds what
-- the variable without it would.
local VARIABLES = {
  url = { "SMTP_URL" }, host = { "SMTP_HOST" }, port = { "SMTP_PORT" }, mode = { "SMTP_TLS" },
  user = { "MAIL_USER", "SMTP_USER" }, password = { "MAIL_PASS", "SMTP_PASS", "MAIL_PASS_FILE", "SMTP_PASS_FILE" },
  token = { "MAIL_TOKEN", "SMTP_TOKEN", "MAIL_TOKEN_FILE", "SMTP_TOKEN_FILE" },
  from = { "MAIL_FROM" }, to = { "MAIL_TO" },
}

-- How text becomes a value: value, or nil and what it must be.
local CONVERT = {}

function CONVERT.port(text)
  local port = #text <= 5 and text:match("^%d+$") and math.floor(tonumber(text))
  if port and port >= 1 and port <= 65535 then return port end
  return nil, "a whole number from 1 to 65535"
end

function CONVERT.mode(text)
  for _, mode in ipairs(options.MODES) do
    if text:lower() == mode then return mode end
  end
  return nil, "one of " .. table.concat(options.MODES, ", ")
end

--- What the caller wrote.
---@param given table checked options
---@return table source
function sources.options(given)
  local tls = type(given.tls) == "table" and given.tls.mode or type(given.tls) == "string" and given.tls or nil
  return {
    explicit = true,
    name = "the options",
    get = function(key)
      local value = given[key]
      if key == "mode" then value = tls end
      if value == nil then return nil end
      return value, key == "mode" and '"tls"' or '"' .. key .. '"'
    end,
  }
end

local function names_file(name)
  return name:find("_FILE$") ~= nil
end

-- The one variable of `names` that is set and not empty: its text, label and name; or nil three times and why.
local function pick(names, lookup)
  local text, label, chosen
  for _, name in ipairs(names) do
    local found, where = lookup(name)
    if found and found ~= "" then
      if text and (text ~= found or names_file(name) ~= names_file(chosen)) then
        return nil, nil, nil, label .. " and " .. name .. " are both set, and differ: keep one"
      end
      if not text then text, label, chosen = found, where, name end
    end
  end
  return text, label, chosen
end

-- A source of variables. lookup(name) gives the text and how a message names it.
local function variables(name, lookup)
  return {
    name = name,
    get = function(key)
      local text, label, chosen, clash = pick(VARIABLES[key] or {}, lookup)
      if not text then return nil, nil, clash end
      if names_file(chosen) then return { file = text }, label end
      local convert = CONVERT[key]
      if not convert then return text, label end
      local value, wanted = convert(text)
      if value then return value, label end
      return nil, nil, string.format("%s must be %s, got %s", label, wanted, printable.word(text))
    end,
  }
end

--- The process's own variables.
---@param environment table see environment.lua
---@return table source
function sources.process(environment)
  return variables("the environment", function(name)
    return environment.getenv(name), name .. " in the environment"
  end)
end

local ENOENT, EISDIR = 2, 21

-- The default .env need not be there, and a folder of that name is somebody's virtual environment.
local function absent(errno)
  return errno == ENOENT or errno == EISDIR
end

--- The variables of a .env file.
---@param environment table
---@param option string|boolean|nil option env_file: a path; false for none; else .env where there is one
---@return table? source one without variables where there is no file
---@return string? why
function sources.file(environment, option)
  local path = type(option) == "string" and option or ".env"
  local values = {}
  if option ~= false then
    local text, why, errno = environment.read(path)
    if not text and (path == option or not absent(errno)) then return nil, '"env_file" cannot be read: ' .. why end
    local line
    if text then
      values, why, line = require("smtpsec.config.dotenv").parse(text) -- loaded where there is one
    end
    if not values then return nil, string.format("%s, line %d: %s", path, line, why) end
  end
  local source = variables(path, function(name)
    local entry = values[name]
    if entry then return entry.value, string.format("%s in %s, line %d", name, path, entry.line) end
  end)
  source.path = path
  return source
end

return sources
