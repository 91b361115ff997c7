--- steps: scripts for spec/support/peer.lua, written as they are spoken.
--
-- "C: EHLO" expects a line that begins so, "S: 250 ok" says one; tables are steps as peer.lua knows them; lists of all
-- these are played in order, however deep they are.

local function add(steps, item)
  if type(item) == "string" then
    local who, text = item:match "^([CS]): (.*)$"
    if not who then error("neither C: nor S: in front of " .. item, 0) end
    steps[#steps + 1] = who == "C" and { expect = text } or { send = text .. "\r\n" }
  elseif item[1] == nil then
    steps[#steps + 1] = item
  else
    for _, inner in ipairs(item) do add(steps, inner) end
  end
  return steps
end

--- The steps of a script, one after the other.
---@param script table
---@return table
return function(script)
  return add({}, script)
end
