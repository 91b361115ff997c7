-- run: every point of every case, and a table of what came of them.
--
--   lua run.lua [thin=N] [workers=N] [only=TEXT]
--
-- With thin, each N-th offset; with only, the cases whose names have that in them ("TLS, 20 mails, BDAT, in, rst").
-- It ends with the line "N passed, N failed": cases in which the client and the sink agree at every point.
local cuts = require "spec.cuts.cuts"
local finish = require "spec.cuts.finish"
local keeper = require "spec.support.keeper"

local options = {}
for _, word in ipairs(arg) do
  local name, value = word:match "^(.-)=(.*)$"
  options[name or error("not name=value: " .. word)] = name == "only" and value or tonumber(value)
end

local outcome = cuts.run(options)
keeper.close_all()
io.write(cuts.tabulate(outcome))
finish(outcome.passed, outcome.failed)
