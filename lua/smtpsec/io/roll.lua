--- roll: who of a crew is still at work, and what those that have ended left behind, in the order in which they did.
-- @module smtpsec.io.roll

local unpack = table.unpack or unpack -- luacheck: compat

local roll = {}

local Roll = { __name = "smtpsec.io.roll" }
Roll.__index = Roll

--- Makes an empty one.
---@return table roll
function roll.new()
  return setmetatable({ members = {}, results = {}, first = 1, last = 0 }, Roll)
end

--- Takes in a member: anything that is no other's.
---@param member any
function Roll:add(member)
  self.members[#self.members + 1] = member
end

--- The members still at work, in the order in which they began.
---@return table list not to be kept
function Roll:at_work()
  return self.members
end

--- A member has ended, with these results. Returns false when it was forgotten before.
---@param member any
---@param key any
---@param ... any
---@return boolean
function Roll:ended(member, key, ...)
  for i, one in ipairs(self.members) do
    if one == member then
      table.remove(self.members, i)
      self.last = self.last + 1
      self.results[self.last] = { key, n = select("#", ...) + 1, ... }
      return true
    end
  end
  return false
end

--- Whether one has ended that next() has not told yet.
---@return boolean
function Roll:ready()
  return self.first <= self.last
end

--- Whether nobody is at work.
---@return boolean
function Roll:is_empty()
  return self.members[1] == nil
end

--- What the one left behind that ended first: key and results; nothing where there is none.
function Roll:next()
  if not self:ready() then return nil end
  local results = self.results[self.first]
  self.results[self.first], self.first = nil, self.first + 1
  return unpack(results, 1, results.n)
end

--- Forgets all.
---@return table members those that were at work
function Roll:clear()
  local members = self.members
  self.members, self.results, self.first, self.last = {}, {}, 1, 0
  return members
end

return roll
