--- cuts: has workers play all points side by side, and adds up what they tell.
local keeper = require "spec.support.keeper"
local pki = require "spec.support.pki"
local process = require "spec.support.process"
local sink = require "spec.support.judging_sink"

local cuts = {}

local WORKERS = 12
local interpreter = rawget(_G, "jit") and "luajit" or "lua5.4"
local worker = debug.getinfo(1, "S").source:match("^@(.*)cuts%.lua$") .. "worker.lua"
local NUMBERS = { "bytes", "points", "accepted", "refused", "safe", "doubt", "wrong", "missed" }

local function start(options)
  local made = pki.new(keeper.own():new_folder "pki")
  local root = made:ca "root"
  local leaf = made:leaf { name = "sink.test", ca = "root" }
  local binary, pipes = sink.build(), {}
  local workers = options.workers or WORKERS
  for i = 1, workers do
    local words = process.sanitized { interpreter, worker, binary, root.cert, leaf.chain, leaf.key,
      ("%d"):format(i - 1), ("%d"):format(workers), ("%d"):format(options.thin or 1), options.only or "" }
    pipes[i] = assert(io.popen("unset LD_PRELOAD; exec " .. process.command(words) .. " 2>&1", "r"))
  end
  return pipes
end

local function none()
  local sums = {}
  for _, key in ipairs(NUMBERS) do sums[key] = 0 end
  return sums
end

-- A line of a worker's.
local function add(outcome, line)
  local what, name, rest = line:match "^(%a+)\t([^\t]+)\t(.*)$"
  if what == "wrong" then
    table.insert(outcome.wrong, name .. ", " .. rest)
  elseif what == "case" then
    local case, i = outcome.cases[name], 0
    if not case then
      case = none()
      case.name = name
      outcome.cases[name] = case
      table.insert(outcome.cases, case)
    end
    for number in rest:gmatch "%d+" do
      i = i + 1
      local key = NUMBERS[i]
      case[key] = key == "bytes" and tonumber(number) or case[key] + tonumber(number)
    end
  else
    table.insert(outcome.trouble, line)
  end
end

--- Plays them.
---@param options { thin: integer?, workers: integer?, only: string? }
---@return table outcome cases in their order: name, bytes, points, accepted, refused, safe, doubt, wrong, missed;
--- wrong: what disagrees; trouble: what workers said that they should not; passed, failed: how many cases
function cuts.run(options)
  local outcome = { cases = {}, wrong = {}, trouble = {}, passed = 0, failed = 0 }
  for i, pipe in ipairs(start(options)) do
    local done = false
    for line in pipe:lines() do
      if line == "done" then done = true else add(outcome, line) end
    end
    pipe:close()
    if not done then table.insert(outcome.trouble, ("worker %d did not end well"):format(i)) end
  end
  for _, case in ipairs(outcome.cases) do
    local good = case.wrong == 0 and case.missed == 0 and case.points > 0
    outcome.passed, outcome.failed = outcome.passed + (good and 1 or 0), outcome.failed + (good and 0 or 1)
  end
  if outcome.trouble[1] then outcome.failed = outcome.failed + 1 end
  return outcome
end

--- The outcome as a table for people.
---@param outcome table
---@return string
function cuts.tabulate(outcome)
  local row = "%-32s %8s %7s %9s %8s %8s %9s %7s %7s\n"
  local lines = { row:format("case", "bytes", "points", "accepted", "refused", "safe", "in doubt", "missed", "wrong") }
  local sum = none()
  local function put(name, of)
    lines[#lines + 1] = row:format(name, ("%d"):format(of.bytes), ("%d"):format(of.points), ("%d"):format(of.accepted),
      ("%d"):format(of.refused), ("%d"):format(of.safe), ("%d"):format(of.doubt), ("%d"):format(of.missed),
      ("%d"):format(of.wrong))
  end
  for _, case in ipairs(outcome.cases) do
    put(case.name, case)
    for key, value in pairs(sum) do sum[key] = value + case[key] end
  end
  put("all", sum)
  for _, list in ipairs { outcome.wrong, outcome.trouble } do
    for i = 1, math.min(#list, 40) do lines[#lines + 1] = list[i] .. "\n" end
    if #list > 40 then lines[#lines + 1] = ("… and %d more\n"):format(#list - 40) end
  end
  return table.concat(lines)
end

return cuts
