--- plan: the cases, and which offsets of each are played: every one, but for those that have a stride.

local plan = {}

local HOWS = { ["in"] = { "fin", "rst", "stall", "break" }, out = { "fin", "rst", "stall" } }

local function add(list, scene, strides)
  for _, side in ipairs { "in", "out" } do
    for _, how in ipairs(HOWS[side]) do
      list[#list + 1] = { scene = scene, side = side, how = how, stride = strides[side],
        name = ("%s, %s, %s, %s, %s"):format(scene.secure and "TLS" or "clear", scene.name,
          scene.data and "DATA" or "BDAT", side, how) }
    end
  end
end

-- What failed for now goes again over another connection, and never twice.
local AT_ONCE = { attempts = 3, first = 0, longest = 0 }

local function both(n)
  return { ["in"] = n, out = n }
end

-- Refusals make what the client says next depend on when they come: too much for records to tell the text by.
local function scenes(secure, data)
  local mixed = not secure
  local rows = {
    { { name = "1 mail", count = 1 }, both(1) },
    { { name = "1 refused", count = 1, kind = "refused" }, both(secure and 7 or 1) },
    { { name = "20 mails", count = 20, window = 20, mixed = mixed }, both(1) },
    { { name = "20 by 5", count = 20, window = 5, mixed = mixed }, both(7) },
    { { name = "6 MB", count = 1, big = true }, { ["in"] = 100003, out = data and 53 or 211 } },
  }
  if not secure then -- over TLS there is one connection only
    rows[#rows + 1] = { { name = "20 retried", count = 20, window = 20, mixed = true, retry = AT_ONCE }, both(7) }
  end
  return rows
end

--- All cases, those of one scene together.
---@return table[] { scene, side, how, stride, name }
function plan.cases()
  local list = {}
  for _, secure in ipairs { false, true } do
    for _, data in ipairs { true, false } do
      for _, row in ipairs(scenes(secure, data)) do
        row[1].secure, row[1].data = secure, data
        add(list, row[1], row[2])
      end
    end
  end
  return list
end

return plan
