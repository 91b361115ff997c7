--- judge: whether what the client reports agrees with what happened, for each mail of a scene.

local mails = require "spec.cuts.mails"

local judge = {}

-- What is reported of one mail, in one word.
local function outcome(result)
  if not result then return "nothing" end
  if result.receipt then return "accepted" end
  if result.err.kind == "in_doubt" then return "in doubt" end
  if result.err.retry_safe == false then return "unsafe and not in doubt" end
  return result.err.kind == "rejected" and "refused" or "safe"
end

-- How often the sink accepted a mail.
local function acceptances(seen, i)
  local count, id = 0, mails.id(i)
  for _, commit in ipairs(seen.commits) do count = count + (commit.id == id and 1 or 0) end
  return count
end

-- Whether the sink accepted anything that is not the whole of one of the mails.
local function is_torn(seen)
  for _, commit in ipairs(seen.commits) do
    if commit.bytes ~= seen.sizes[commit.id] then return true end
  end
  return false
end

-- How often the end of a mail was written, on all connections together.
local function ends(seen, i)
  local sum = 0
  for _, link in ipairs(seen.links) do sum = sum + mails.ends(link.written, i) end
  return sum
end

-- How many messages were accepted as far as the client read.
local function acceptances_read(seen)
  local sum = 0
  for _, link in ipairs(seen.links) do
    for _ in link.heard:gmatch "queued as B%x+\r\n" do sum = sum + 1 end
  end
  return sum
end

local GOODBYE = "221 2.0.0 bye\r\n" -- nobody waits for it

-- Bytes of replies that the sink wrote before it cut the first connection, and that were not read: they had arrived.
-- (After a time-out, or where the client's own network fails, they may have come too late.)
local function unread(seen)
  local sum = seen.stats.bytes_out
  for i, link in ipairs(seen.links) do
    local missing = i > 1 and not link.heard:find(GOODBYE, 1, true)
    sum = sum - link.got.count - (missing and #GOODBYE or 0)
  end
  return sum
end

-- What must hold of each mail: by its outcome, of { times accepted by the sink, times its end was written }.
local RULES = {
  accepted = function(commits)
    return commits == 1 or ("is accepted, and the sink has it %d times"):format(commits)
  end,
  refused = function(commits)
    return commits == 0 or "is refused, and the sink has it"
  end,
  safe = function(commits, written)
    if commits > 0 then return "is safe to retry, and the sink has it" end
    return written == 0 or "is safe to retry, and its end was written"
  end,
  ["in doubt"] = function(commits, written)
    if written == 0 then return "is in doubt before its end was written" end
    return commits < 2 or "is in doubt, and the sink has it more than once"
  end,
}

local function of_mail(seen, i, said)
  local rule = RULES[said]
  if not rule then return ("mail %d: %s"):format(i, said) end
  local commits, written = acceptances(seen, i), ends(seen, i)
  if written > 1 then return ("mail %d: its end was written %d times"):format(i, written) end
  local fine = rule(commits, written)
  return fine ~= true and ("mail %d (%s) %s"):format(i, tostring(seen.results[i].err or "receipt"), fine) or nil
end

local function is_timeout(result)
  return result.err and (result.err.kind == "timeout" or result.err.cause == "timeout")
end

--- Compares all sides of what was seen.
---@param seen table of scene:play
---@param count integer how many mails there were
---@param cut { how: string }
---@param longest number seconds that the call may take
---@return table<string, integer> outcomes how many of each
---@return string[] disagreements
function judge.judge(seen, count, cut, longest)
  local outcomes, wrong = { accepted = 0, refused = 0, safe = 0, ["in doubt"] = 0 }, {}
  for i = 1, count do
    local said = outcome(seen.results[i])
    outcomes[said] = (outcomes[said] or 0) + 1
    wrong[#wrong + 1] = of_mail(seen, i, said)
    if cut.how ~= "stall" and seen.results[i] and is_timeout(seen.results[i]) then
      wrong[#wrong + 1] = ("mail %d: a connection that had ended was waited for"):format(i)
    end
  end
  if is_torn(seen) then wrong[#wrong + 1] = "the sink accepted a message that is not whole" end
  local read = acceptances_read(seen)
  if outcomes.accepted ~= read then
    wrong[#wrong + 1] = ("%d mails are accepted, of %d such replies that were read"):format(outcomes.accepted, read)
  end
  if outcomes["in doubt"] > 0 and (cut.how == "fin" or cut.how == "rst") and unread(seen) > 0 then
    wrong[#wrong + 1] = ("in doubt, with %d bytes of replies unread"):format(unread(seen))
  end
  if seen.seconds > longest then
    wrong[#wrong + 1] = ("it took %.2f s, %.2f at most were expected"):format(seen.seconds, longest)
  end
  return outcomes, wrong
end

return judge
