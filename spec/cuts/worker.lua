-- worker: plays its share of the points, with a sink of its own, and writes a line for each case:
--
--   lua worker.lua SINK CA CHAIN KEY NUMBER WORKERS THIN ONLY
--
-- Most of a run is waiting for time-outs, so that many workers stand side by side on few cores.
local judge = require "spec.cuts.judge"
local plan = require "spec.cuts.plan"
local scene = require "spec.cuts.scene"
local sink_ = require "spec.support.judging_sink"

local binary, ca, chain, key, number, workers, thin, only = (table.unpack or unpack)(arg) -- luacheck: compat
number, workers, thin = tonumber(number), tonumber(workers), tonumber(thin)

local STALL = 0.05 -- seconds: the time-outs of a client whose server stalls
local TRIES = 4 -- with longer ones each time, where the machine was too slow for the client to get as far as the cut
-- Nothing hangs: a call takes no more than so many times its time-out, and the seconds that a busy machine may add.
local SLACK, BUSY, BUSY_BIG = 10, 1, 10

local sink = sink_.start(binary, { chain = chain, key = key })

-- Plays one point; again, where the client gave up before it got there.
local function play(one, case, at)
  local cut = { side = case.side, how = case.how, at = at }
  local outcomes, wrong
  for try = 1, TRIES do
    local seconds = case.how == "stall" and STALL * 2 ^ (try - 1) or nil
    local seen = one:play(sink, cut, seconds)
    outcomes, wrong = judge.judge(seen, one.count, cut, (seconds or 0) * SLACK + (one.big and BUSY_BIG or BUSY))
    local reached = seen.stats.cuts > 0 or case.how == "break" or outcomes.safe + outcomes["in doubt"] == 0
    if reached or wrong[1] then return outcomes, wrong, reached end
  end
  return outcomes, wrong, false
end

local function play_case(one, case)
  local sums = { points = 0, missed = 0, wrong = 0, accepted = 0, refused = 0, safe = 0, ["in doubt"] = 0 }
  local stride = case.stride * thin
  for k = number, math.huge, workers do
    local at = k * stride
    if at > one.totals[case.side] then break end
    local outcomes, wrong, reached = play(one, case, at)
    sums.points, sums.missed = sums.points + 1, sums.missed + (reached and 0 or 1)
    for said, n in pairs(outcomes) do sums[said] = (sums[said] or 0) + n end
    sums.wrong = sums.wrong + (wrong[1] and 1 or 0)
    for _, text in ipairs(wrong) do print(("wrong\t%s\tat %d: %s"):format(case.name, at, text)) end
  end
  print(("case\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d"):format(case.name, one.totals[case.side], sums.points,
    sums.accepted, sums.refused, sums.safe, sums["in doubt"], sums.wrong, sums.missed))
  io.stdout:flush()
end

local current, one
for _, case in ipairs(plan.cases()) do
  if case.name:find(only, 1, true) then
    if case.scene ~= current then
      current, case.scene.ca = case.scene, ca
      one = scene.set(sink, case.scene)
    end
    play_case(one, case)
  end
end
sink:tell "stop"
print "done"
