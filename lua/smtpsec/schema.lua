--- schema: checks the tables that callers hand in, and says in one line what is wrong with them.
--
-- A type is { expects = words, base = Lua type or nil, fault = function(self, value, path) }; fault returns nil, or
-- the sentence. Only calling what schema.record returns raises. Misuse is meant here (wrong type, unknown key, value
-- that is not in the list); whether the world agrees with a value is not this module's question.

local printable = require "smtpsec.printable"

local schema = {}

-- Edit distance in which two neighbours that changed places count once (optimal string alignment).
local function distance(a, b)
  local before, last = {}, {}
  for j = 0, #b do last[j] = j end
  for i = 1, #a do
    local row = { [0] = i }
    for j = 1, #b do
      local cost = a:byte(i) == b:byte(j) and 0 or 1
      row[j] = math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + cost)
      if i > 1 and j > 1 and a:byte(i) == b:byte(j - 1) and a:byte(i - 1) == b:byte(j) then
        row[j] = math.min(row[j], before[j - 2] + 1)
      end
    end
    before, last = last, row
  end
  return last[#b]
end

-- The known name that is close enough to be what was meant, or nil. Ties go to the alphabet, so that the sentence is
-- the same every time.
local function nearest(name, known)
  if type(name) ~= "string" or #name > 60 then return nil end
  local wanted = name:lower():gsub("-", "_")
  local best, least
  for candidate in pairs(known) do
    local steps = distance(wanted, candidate:lower():gsub("-", "_"))
    local close = steps <= math.max(1, math.floor(#candidate / 3))
    if close and (not least or steps < least or (steps == least and candidate < best)) then
      best, least = candidate, steps
    end
  end
  return best
end

local function suggestion(name, known)
  local meant = nearest(name, known)
  return meant and string.format(' (did you mean "%s"?)', meant) or ""
end

local function join(list, last)
  if #list < 2 then return list[1] or "nothing" end
  return table.concat(list, ", ", 1, #list - 1) .. " " .. last .. " " .. list[#list]
end

local function mismatch(self, value, path)
  local shown = self.hidden and "a " .. type(value) or printable.value(value)
  return string.format('"%s" must be %s, got %s', path, self.expects, shown)
end

-- A type that one predicate decides.
local function simple(expects, base, accepts)
  return {
    expects = expects,
    base = base,
    fault = function(self, value, path)
      if not accepts(value) then return mismatch(self, value, path) end
    end,
  }
end

local function of_type(name, expects)
  return simple(expects, name, function(value) return type(value) == name end)
end

schema.string = of_type("string", "a string")
schema.boolean = of_type("boolean", "true or false")
schema.callable = of_type("function", "a function")
schema.table = of_type("table", "a table")
schema.any = simple("anything", nil, function() return true end)

--- One value only, such as false where it means "none".
---@param value any
function schema.constant(value)
  return simple(printable.value(value), nil, function(given) return given == value end)
end

local function range(word, lo, hi)
  if lo and hi then return string.format("%s from %.14g to %.14g", word, lo, hi) end
  if lo then return string.format("%s of at least %.14g", word, lo) end
  return hi and string.format("%s of at most %.14g", word, hi) or word
end

local function within(value, lo, hi)
  return type(value) == "number" and value == value and value > -math.huge and value < math.huge
    and (not lo or value >= lo) and (not hi or value <= hi)
end

--- A finite number between lo and hi, both inclusive and optional.
---@param lo? number
---@param hi? number
function schema.number(lo, hi)
  return simple(range("a number", lo, hi), "number", function(value) return within(value, lo, hi) end)
end

--- A whole number between lo and hi, both inclusive and optional (587.0 counts as 587 on every Lua).
---@param lo? number
---@param hi? number
function schema.integer(lo, hi)
  return simple(range("a whole number", lo, hi), "number", function(value)
    return within(value, lo, hi) and value % 1 == 0 and math.abs(value) <= 2 ^ 53
  end)
end

--- One of the strings in the list.
---@param names string[]
function schema.enum(names)
  local known, quoted = {}, {}
  for i, name in ipairs(names) do known[name], quoted[i] = true, '"' .. name .. '"' end
  return {
    expects = "one of " .. join(quoted, "or"),
    base = "string",
    fault = function(self, value, path)
      if type(value) == "string" and known[value] then return nil end
      return mismatch(self, value, path) .. suggestion(value, known)
    end,
  }
end

-- How many elements the sequence part has; nil and the key that does not belong where it is not a pure list.
local function length(list)
  local count = 0
  for _ in ipairs(list) do count = count + 1 end
  for key in pairs(list) do
    local inside = type(key) == "number" and key >= 1 and key <= count and key % 1 == 0
    if not inside then return nil, key end
  end
  return count
end

--- A Lua list without holes whose elements are all of one type.
---@param of table a type
function schema.list(of)
  return {
    expects = "a list",
    base = "table",
    fault = function(self, value, path)
      if type(value) ~= "table" then return mismatch(self, value, path) end
      local count, stray = length(value)
      if not count then
        return string.format('"%s" must be a list, but has the key %s', path, printable.value(stray))
      end
      for i = 1, count do
        if of:fault(value[i], path) then return of:fault(value[i], string.format("%s[%d]", path, i)) end
      end
    end,
  }
end

--- A table whose keys are all of one type and whose values are all of another.
---@param key_type table
---@param value_type table
function schema.map(key_type, value_type)
  return {
    expects = "a table",
    base = "table",
    fault = function(self, map, path)
      if type(map) ~= "table" then return mismatch(self, map, path) end
      for key, value in pairs(map) do
        local at = path .. "." .. printable.text(tostring(key))
        local fault = key_type:fault(key, "key of " .. path) or value_type:fault(value, at)
        if fault then return fault end
      end
    end,
  }
end

--- Any one of several types. One that wants another Lua type than the value's is not asked; where exactly one wants
-- that, it explains what is wrong.
---@param ... table types
function schema.either(...)
  local types, words = { ... }, {}
  for i, of in ipairs(types) do words[i] = of.expects end
  return {
    expects = join(words, "or"),
    fault = function(self, value, path)
      local fitting, explanation = 0, nil
      for _, of in ipairs(types) do
        if not of.base or of.base == type(value) then
          local fault = of:fault(value, path)
          if not fault then return nil end
          if of.base then fitting, explanation = fitting + 1, fault end
        end
      end
      return fitting == 1 and explanation or mismatch(self, value, path)
    end,
  }
end

--- One type or another, told apart by a look at the value, so that a mistake inside a table is explained by the right
-- one.
---@param expects string words for both
---@param first function(value) whether `one` is meant
---@param one table a type
---@param other table a type
function schema.shaped(expects, first, one, other)
  return {
    expects = expects,
    fault = function(_, value, path) return (first(value) and one or other):fault(value, path) end,
  }
end

--- The same type, but a value of it is never shown. A table is still explained by its own type, whose fields are then
-- to be secret themselves.
---@param of table a type
function schema.secret(of)
  return {
    expects = of.expects,
    base = of.base,
    hidden = true,
    fault = function(self, value, path)
      local fault = of:fault(value, path)
      if not fault or type(value) == "table" then return fault end
      return mismatch(self, value, path)
    end,
  }
end

-- Names in the order of the alphabet, so that of two mistakes the same one is told every time.
local function sorted(fields)
  local names = {}
  for name in pairs(fields) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- The first unknown key in the order of the alphabet, or nil.
local function unknown(value, fields)
  local first
  for key in pairs(value) do
    local name = tostring(key)
    if fields[key] == nil and (not first or name < first) then first = name end
  end
  return first
end

local Record = { __name = "smtpsec.schema.record" }
Record.__index = Record

-- Which of a table's mistakes is told, and where it is.
local function explain(self, value, path)
  local within_path = path and path .. "." or ""
  local key = unknown(value, self.fields)
  if key then
    local name = printable.text(within_path .. key)
    return string.format('unknown key "%s"%s', name, suggestion(key, self.fields))
  end
  for _, name in ipairs(self.names) do
    if value[name] ~= nil then
      local fault = self.fields[name]:fault(value[name], within_path .. name)
      if fault then return fault end
    end
  end
end

-- Most tables are sound: to see that takes one look at each of their keys, and no words. Where a table has its fields
-- from another, by a metatable, they have to be asked for by name.
local function is_sound(self, value)
  if getmetatable(value) then return false end
  local fields = self.fields
  for key, inner in pairs(value) do
    local of = fields[key]
    if not of or of:fault(inner, "") then return false end
  end
  return true
end

function Record:fault(value, path)
  if type(value) ~= "table" then
    return path and mismatch(self, value, path) or string.format("a table is needed, got %s", type(value))
  end
  if not is_sound(self, value) then return explain(self, value, path) end
end

-- error() counts from here: 1 is this function, 2 the one that called the check, 3 that one's caller.
function Record:__call(value, level)
  local fault = self:fault(value)
  if fault then error(self.name .. ": " .. fault, (level or 2) + 1) end
  return value
end

--- A table with known keys only; all of them may be absent. The result is a type, and it can be called:
-- check(value, level) returns the value, or raises. level counts as in error() seen from the function that calls the
-- check: 1 is that function, 2 (default) its caller.
---@param name string what the message begins with, such as "smtpsec.new"
---@param fields table<string, table> key -> type
function schema.record(name, fields)
  return setmetatable(
    { name = name, fields = fields, names = sorted(fields), expects = "a table", base = "table" }, Record)
end

return schema
