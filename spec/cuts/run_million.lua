-- run_million: a million mails, and what the process holds after each 50,000 of them.
--
--   lua run_million.lua [MAILS]
local finish = require "spec.cuts.finish"
local keeper = require "spec.support.keeper"
local million = require "spec.cuts.million"
local pki = require "spec.support.pki"
local sink_ = require "spec.support.judging_sink"

local MAILS = tonumber(arg[1]) or 1000000
-- LuaJIT writes machine code now and then, up to two megabytes of it, which would hide a leak as large.
local jit = rawget(_G, "jit")
if jit then jit.off() end
local row = "%9s mails  %7s kB resident  %9s kB in Lua  %3s descriptors"

local made = pki.new(keeper.own():new_folder "pki")
local sink = sink_.start(sink_.build(), made:leaf { name = "sink.test", ca = made:ca "root".name })
local started = os.clock()
local outcome = million.run(sink, MAILS, math.ceil(MAILS / 20), function(one)
  print(row:format(("%d"):format(one.mailed), ("%d"):format(one.rss), ("%.1f"):format(one.heap),
    ("%d"):format(one.descriptors)))
  io.stdout:flush()
end)
local seconds, stats = os.clock() - started, sink:stats()
keeper.close_all()
print(("the sink: %d messages for %d recipients, %d refused, %d deferred, %d messages refused, %d connections"):format(
  stats.commits, stats.recipients, stats.refused, stats.deferred, stats.nacked, stats.connections))
print(("%.1f microseconds of CPU a mail, verdicts and samples included"):format(seconds / MAILS * 1e6))
for _, text in ipairs(outcome.wrong) do print(text) end
finish(outcome.wrong[1] and 0 or 1, outcome.wrong[1] and 1 or 0)
