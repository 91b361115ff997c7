--- secrets: a watch over the whole run: no secret that any spec uses may stand in anything that the library says.
--
-- While specs run, this collects every secret that the library is handed (where it wraps a secret, and where the engine
-- is told to log in), and everything that it tells: errors, events, receipts, settings to look at, journals of the
-- sink, messages of what was raised, and what the process writes to its output and errors. At the end, all of that is
-- searched for each secret in plain, hex and base64 (see forms.lua). The library knows nothing of it: its modules are
-- wrapped as they are loaded, for each spec file anew.
--
-- What is told goes to a file and not to memory. Secrets shorter than six bytes, ordinary words and one letter many
-- times are left out, since they stand everywhere: they are counted.

local forms = require "spec.support.forms"

local secrets = {}

local SHORTEST = 6
local ORDINARY = {}
for word in ("secret password"):gmatch "%S+" do ORDINARY[word] = true end

local RECORD, FIELD = "\1\1", "\2" -- what begins a text in the file, and what ends its title

local known, searched, skipped = {}, 0, 0 -- secrets, by their text: whether each can be searched for
local uses = 0 -- how often one of those was handed over
local told = { texts = 0, bytes = 0 }
local where = "the beginning"
local said = {} -- by this spec so far: the same text is kept once
local folder, spool, printed -- where, and two files there: what was told, and what was printed

-- ---- collecting -----------------------------------------------------------------------------------------------------

-- A pattern is a line of grep's: of a secret that has several, the longest counts.
local function one_line(secret)
  local longest = ""
  for line in secret:gmatch "[^\r\n%z]+" do
    if #line > #longest then longest = line end
  end
  return longest
end

--- Takes note of a secret.
---@param secret any only strings count
function secrets.register(secret)
  if type(secret) ~= "string" then return end
  secret = one_line(secret)
  if known[secret] then uses = uses + 1 end
  if secret == "" or known[secret] ~= nil then return end
  local fit = #secret >= SHORTEST and not ORDINARY[secret] and secret ~= secret:sub(1, 1):rep(#secret)
  known[secret] = fit
  if fit then
    searched, uses = searched + 1, uses + 1
  else
    skipped = skipped + 1
  end
end

-- Everything in a value, as text: keys, values, and what tostring makes of it.
local function flatten(value, parts, seen)
  if type(value) == "string" then
    parts[#parts + 1] = value
  elseif type(value) ~= "table" then
    parts[#parts + 1] = tostring(value)
  elseif not seen[value] then
    seen[value] = true
    local meta = getmetatable(value)
    if type(meta) == "table" and meta.__tostring then parts[#parts + 1] = tostring(value) end
    for key, inner in pairs(value) do
      flatten(key, parts, seen)
      flatten(inner, parts, seen)
    end
  end
end

--- Takes note of what was told.
---@param what string what kind of thing it is, for the report
---@param value any
function secrets.hear(what, value)
  local parts = {}
  flatten(value, parts, {})
  local text = table.concat(parts, "\n")
  told.texts, told.bytes = told.texts + 1, told.bytes + #text
  if said[text] then return end
  said[text] = true
  spool:write(RECORD, what, ", ", where, FIELD, text, "\n")
end

-- ---- wrapping the library -------------------------------------------------------------------------------------------

-- Puts a function around one of a table: after(results…) is called with what it returned.
local function follow(table, name, after)
  local original = table[name]
  local function pass(...)
    after(...)
    return ...
  end
  table[name] = function(...) return pass(original(...)) end
end

-- The same around one that raises when it is misused: who called it is still the one to blame, because a call in the
-- tail leaves no trace of this one. Trying twice must do no harm; more than two results are none.
local function follow_blaming(table, name, after)
  local original = table[name]
  table[name] = function(...)
    local called, first, second = pcall(original, ...)
    if not called then return original(...) end
    after(first, second)
    return first, second
  end
end

-- The same for a method of a class that is only seen through its objects.
local function follow_method(module, maker, name, after)
  local done = {}
  follow_blaming(module, maker, function(object)
    local class = type(object) == "table" and getmetatable(object)
    if not class or done[class] then return end
    done[class] = true
    follow(class, name, after)
  end)
end

local function hears(what)
  return function(first, second)
    if first ~= nil then secrets.hear(what, first) end
    if second ~= nil then secrets.hear(what, second) end
  end
end

local watched = setmetatable({}, { __mode = "k" }) -- listeners to events that are

-- The same listener, or one that hears what it hears.
local function listener(on_event)
  if not on_event or watched[on_event] then return on_event end
  local function hear(event)
    secrets.hear("an event", event)
    return on_event(event)
  end
  watched[hear] = true
  return hear
end

local function registering(source)
  local function pass(...)
    secrets.register((...))
    return ...
  end
  return function(...) return pass(source(...)) end
end

local function copy_of(fields)
  local copy = {}
  for name, value in pairs(fields) do copy[name] = value end
  return copy
end

local PATCHES = {}

PATCHES["smtpsec.config.secret"] = function(module)
  local new = module.new
  function module.new(source, options)
    local copy, tidy = copy_of(options), options.tidy
    function copy.tidy(value)
      secrets.register(value)
      value = tidy and tidy(value) or value
      secrets.register(value)
      return value
    end
    secrets.register(source)
    return new(type(source) == "function" and registering(source) or source, copy)
  end
end

-- What the engine says of a login that it refuses, it says to Lua.
local function watch_login(class)
  local auth = class.auth
  local function pass(tag, ...)
    if not tag then secrets.hear("a refusal of the engine", { ... }) end
    return tag, ...
  end
  function class.auth(conn, mechanism, who)
    if type(who) == "table" then
      secrets.register(who.password)
      secrets.register(who.token)
    end
    return pass(auth(conn, mechanism, who))
  end
end

PATCHES["smtpsec.core"] = function(module)
  watch_login(debug.getmetatable(module.connection { tls = "none" }).__index)
  local context, dkim_key = module.context, module.dkim_key
  local function pass(made, ...)
    if not made then secrets.hear("a refusal of the engine", { ... }) end
    return made, ...
  end
  function module.dkim_key(pem, ...)
    if type(pem) == "string" then secrets.register((pem:gsub("%-%-%-%-%-[^\n]*", ""))) end
    return pass(dkim_key(pem, ...))
  end
  function module.context(options)
    if type(options) == "table" then secrets.register(options.key_password) end
    return pass(context(options))
  end
end

PATCHES["smtpsec.errors"] = function(module)
  for _, name in ipairs { "new", "again", "explain" } do follow_blaming(module, name, hears "an error") end
end

PATCHES["smtpsec.pump"] = function(module)
  local new = module.new
  function module.new(conn, stream, options)
    options = copy_of(options)
    options.on_event = listener(options.on_event)
    return new(conn, stream, options)
  end
end

PATCHES["smtpsec.config"] = function(module)
  follow_blaming(module, "resolve", function(settings)
    if settings then settings.on_event = listener(settings.on_event) end
  end)
  follow(module, "public", hears "settings")
end

PATCHES["smtpsec.delivery"] = function(module) follow_method(module, "new", "result", hears "a receipt") end
PATCHES["smtpsec.lane"] = function(module) follow_method(module, "new", "verify", hears "a receipt") end

PATCHES["smtpsec.sink.process"] = function(module) follow_method(module, "start", "journal", hears "a journal") end
PATCHES["smtpsec.sink.server"] = function(module) follow_method(module, "new", "journal", hears "a journal") end

-- Finds a module as the others do, and wraps what it gives.
local function watch_modules()
  local searchers = package.searchers or package.loaders -- luacheck: ignore 143
  table.insert(searchers, 1, function(name)
    local patch = PATCHES[name]
    if not patch then return nil end
    for i = 2, #searchers do
      local loader, extra = searchers[i](name)
      if type(loader) == "function" then
        return function(...)
          local module = loader(...)
          patch(module)
          return module
        end, extra
      end
    end
  end)
end

-- ---- wrapping the process -------------------------------------------------------------------------------------------

local function is_standard(file)
  return file == io.stdout or file == io.stderr
end

local function keep_printed(...)
  for i = 1, select("#", ...) do
    local text = tostring((select(i, ...)))
    told.bytes = told.bytes + #text
    printed:write(text)
  end
  told.texts = told.texts + 1
end

-- What Lua writes to standard output and error. (The C modules write to neither: a spec looks at their symbols.)
local function watch_output()
  local class = debug.getmetatable(io.stdout).__index
  local file_write, io_write, raw_print = class.write, io.write, print
  function class.write(file, ...)
    if is_standard(file) then keep_printed(...) end
    return file_write(file, ...)
  end
  function io.write(...) -- luacheck: ignore 122
    if is_standard(io.output()) then keep_printed(...) end
    return io_write(...)
  end
  function print(...) -- luacheck: ignore 121
    for i = 1, select("#", ...) do keep_printed((select(i, ...)), "\t") end
    keep_printed "\n"
    return raw_print(...)
  end
end

-- What is raised to whoever called the library wrongly is heard where specs catch it. (A table is an assertion of a
-- spec, which may well show what a peer received.)
local function watch_raised()
  local raw_pcall = pcall
  local function pass(ok, ...)
    if not ok and type((...)) == "string" then secrets.hear("an error raised", (...)) end
    return ok, ...
  end
  function pcall(...) return pass(raw_pcall(...)) end -- luacheck: ignore 121
end

--- Begins to watch. To be called before anything of the library is loaded.
---@param busted table
function secrets.watch(busted)
  watch_modules()
  local keeper = require "spec.support.keeper"
  folder = keeper.own():new_folder "watched"
  spool, printed = assert(io.open(folder .. "/told", "wb")), assert(io.open(folder .. "/printed", "wb"))
  watch_output()
  watch_raised()
  busted.subscribe({ "test", "start" }, function(element)
    where, said = element.name or "?", {}
    return nil, true
  end)
end

-- ---- searching ------------------------------------------------------------------------------------------------------

-- What no secret is, and what stands in each file: a search that does not find it finds nothing.
local CANARY = "canary-of-the-watch-over-secrets"

-- The patterns, one a line, in a file; and what each of them is.
local function write_patterns(path)
  local file, meaning = assert(io.open(path, "wb")), {}
  for secret, fit in pairs(known) do
    for _, form in ipairs(fit and forms.named(secret) or {}) do
      meaning[form[1]] = form.name
      file:write(form[1], "\n")
    end
  end
  file:write(CANARY, "\n")
  file:close()
  return meaning
end

-- The title of the text that a byte of the file belongs to.
local function title_at(file, offset)
  local back = 65536
  while true do
    local from = math.max(0, offset - back)
    file:seek("set", from)
    local title
    for found in file:read(offset - from):gmatch(RECORD .. "([^" .. FIELD .. "]*)" .. FIELD) do title = found end
    if title or from == 0 then return title or "?" end
    back = back * 4
  end
end

-- Adds each place where a secret stands in a file: a sentence that does not show it.
local function search_file(leaks, path, patterns, meaning, title)
  local seen, works = {}, false
  local file = assert(io.open(path, "rb"))
  local grep = assert(io.popen(("LC_ALL=C grep -aobF -f '%s' '%s'"):format(patterns, path)))
  for line in grep:lines() do
    local offset, form = line:match "^(%d+):(.*)$"
    if form == CANARY then
      works = true
    else
      local leak = ("a secret stands in %s, as %s"):format(title or title_at(file, tonumber(offset)),
        meaning[form] or "?")
      if not seen[leak] then leaks[#leaks + 1], seen[leak] = leak, true end
    end
  end
  grep:close()
  file:close()
  if not works then leaks[#leaks + 1] = "the search for secrets does not work: it finds not even what is there" end
end

--- Searches everything that was told so far.
---@return string[]? leaks sentences; nil where nothing was watched
---@return string? summary how much was searched for what
function secrets.search()
  if not spool then return nil end
  for _, file in ipairs { spool, printed } do
    file:write("\n", CANARY, "\n")
    file:flush()
  end
  local leaks, patterns = {}, folder .. "/patterns"
  local meaning = write_patterns(patterns)
  search_file(leaks, folder .. "/told", patterns, meaning)
  search_file(leaks, folder .. "/printed", patterns, meaning, "what was printed")
  local what = ("%d secrets, used %d times (%d more too short or too ordinary)"):format(searched, uses, skipped)
  local found = #leaks == 0 and "none found" or #leaks .. " found"
  return leaks, ("%s, searched for in %d texts of %.1f MB: %s"):format(what, told.texts, told.bytes / 1e6, found)
end

return secrets
