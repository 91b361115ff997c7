--- journal: what happened, as a list of tables that only grows at its end. Bounded: the oldest entries go first.

local journal = {}

local Journal = { __name = "smtpsec.sink.journal" }
Journal.__index = Journal

--- Makes an empty journal.
---@param limit integer how many entries it keeps
---@param now fun(): number its clock; entries count from here
function journal.new(limit, now)
  return setmetatable({ limit = limit, now = now, started = now(), first = 1, last = 0, entries = {} }, Journal)
end

--- Adds an entry, and to it `at`, in seconds.
---@param entry table
function Journal:add(entry)
  entry.at = self.now() - self.started
  self.last = self.last + 1
  self.entries[self.last] = entry
  if self.last - self.first < self.limit then return end
  self.entries[self.first] = nil
  self.first = self.first + 1
end

--- The entries behind the n-th that was ever added.
---@param n integer
---@param most? integer how many at the most
---@return table[] entries
---@return integer last the number of the last of them
function Journal:since(n, most)
  local from = math.max(n + 1, self.first)
  local to = math.min(self.last, from + (most or self.last) - 1)
  local list = {}
  for i = from, to do list[#list + 1] = self.entries[i] end
  return list, math.max(to, n)
end

return journal
