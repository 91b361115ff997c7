--- Which driver moves the bytes: see smtpsec.io.polled for what a driver is.
-- @module smtpsec.io

local io = {}

local names = { auto = true, socket = true, nginx = true, cqueues = true, luv = true }

-- Waits as the coroutine that this is can wait, as far as that can be known. It is asked anew each time: a mailer is
-- often made before any loop runs, and a connection kept for later may be used elsewhere. cqueues tells whether the
-- running coroutine is one that it resumes itself. luv cannot tell whose a coroutine is, and to yield to somebody
-- else's would lose control in the middle of a mail: it has to be asked for by name.
local function blocks()
  local cqueues = package.loaded["cqueues"]
  return not (cqueues and select(2, cqueues.running()))
end

local function wait(list, seconds)
  return require(blocks() and "smtpsec.io.socket" or "smtpsec.io.cqueues").wait(list, seconds)
end

local NEEDED = { "now", "connect", "hello", "unpark" }
local WELCOME = { "sleep", "crew" } -- for rate limits, retries and several connections

local function checked(driver, level)
  local function demand(name)
    if type(driver[name]) ~= "function" then
      error(("smtpsec: io: a driver has a function %q, this one has a %s"):format(name, type(driver[name])), level)
    end
  end
  for _, name in ipairs(NEEDED) do demand(name) end
  for _, name in ipairs(WELCOME) do
    if driver[name] ~= nil then demand(name) end
  end
  return driver
end

--- The driver to use.
--
-- "auto" is nginx's cosockets inside nginx (where the phase has none, connecting says so), cqueues in a coroutine of
-- a running cqueues controller, else blocking sockets. "luv" is never chosen by itself.
--
---@param choice? string|table "auto" (also nil), "socket", "nginx", "cqueues", "luv", or a driver of your own
---@param level? integer whose line an error about misuse names, as in error(): 2 (default) is who calls this function
---@return table driver
function io.select(choice, level)
  level = level or 2
  if type(choice) == "table" then return checked(choice, level + 1) end
  choice = choice or "auto"
  if not names[choice] then
    error(('smtpsec: io: "auto", "socket", "nginx", "cqueues", "luv" or a driver expected, not %q')
      :format(tostring(choice)), level)
  end
  local ngx = rawget(_G, "ngx")
  local inside = type(ngx) == "table" and type(ngx.socket) == "table"
  if choice == "nginx" and not inside then error('smtpsec: io: "nginx" works only inside nginx', level) end
  if choice ~= "auto" then return require("smtpsec.io." .. choice) end
  if inside then return require "smtpsec.io.nginx" end
  return require("smtpsec.io.polled").driver("auto", wait, blocks)
end

return io
