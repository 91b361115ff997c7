--- million: very many mails through send_all, some of them refused: every verdict is compared with the sink's rules,
-- and what the process holds is looked at on the way.
local lfs = require "lfs"
local mails = require "spec.cuts.mails"
local process = require "spec.support.process"
local smtpsec = require "smtpsec"

local million = {}

local WINDOW = 64
-- What may be added after the first sample: a collector that is between two cycles holds more than after one, and the
-- allocator keeps pages. A leak of 20 bytes a mail would be twenty times as much.
local GROWTH_KB = 1024
-- A sanitizer keeps what was freed, and looks for leaks itself.
local SANITIZED = os.getenv "LD_PRELOAD" ~= nil

local KINDS = { [3] = "refused", [8] = "later", [13] = "nack", [18] = "partial" } -- of each 25 mails

local function kind_of(i)
  return KINDS[i % 25] or "plain"
end

-- Personalised: no two are alike, and each is made when it is asked for.
local function generator(n)
  local i = 0
  return function()
    i = i + 1
    if i > n then return nil end
    return mails.make(i, kind_of(i), ("Dear customer %d,\r\n\r\nyour balance is %d.\r\n"):format(i, i * 7919 % 100003))
  end
end

local function judge(i, receipt, err)
  local kind = kind_of(i)
  local wanted = mails.VERDICTS[kind]
  if receipt then
    return receipt.status == wanted and receipt.id == mails.id(i) and #receipt.accepted == 1
      and #receipt.rejected == (kind == "partial" and 1 or 0)
  end
  return err.code == wanted and err.kind == "rejected" and err.temporary == (wanted < 500) and err.retry_safe == true
end

local function descriptors()
  local n = 0
  for name in lfs.dir "/proc/self/fd" do n = n + (name:find "^%d" and 1 or 0) end
  return n
end

-- What the process holds when whatever is garbage has gone.
local function sample(mailed)
  collectgarbage()
  collectgarbage()
  return { mailed = mailed, heap = collectgarbage "count", descriptors = descriptors(),
    rss = tonumber(process.read("/proc/self/status"):match "VmRSS:%s*(%d+)") }
end

-- What the sink must have counted.
local function expected(n)
  local sums = { plain = 0, refused = 0, later = 0, nack = 0, partial = 0 }
  for i = 1, n do sums[kind_of(i)] = sums[kind_of(i)] + 1 end
  return { commits = sums.plain + sums.partial, recipients = sums.plain + sums.partial,
    refused = sums.refused + sums.partial, deferred = sums.later, nacked = sums.nack }
end

local function compare(outcome, stats, n)
  for name, count in pairs(expected(n)) do
    if stats[name] ~= count then
      table.insert(outcome.wrong, ("the sink counted %d %s, not %d"):format(stats[name], name, count))
    end
  end
  if outcome.results ~= n then
    table.insert(outcome.wrong, ("%d results of %d mails"):format(outcome.results, n))
  end
  local first, last = outcome.samples[1], outcome.samples[#outcome.samples]
  for _, one in ipairs(outcome.samples) do
    if one.descriptors ~= first.descriptors then
      table.insert(outcome.wrong, ("%d descriptors, and then %d"):format(first.descriptors, one.descriptors))
    end
  end
  for _, name in ipairs(SANITIZED and { "heap" } or { "heap", "rss" }) do
    if last[name] - first[name] > GROWTH_KB then
      table.insert(outcome.wrong, ("%s grows: from %d to %d kB"):format(name, first[name], last[name]))
    end
  end
end

--- Sends them, in clear.
---@param sink table
---@param n integer how many
---@param every integer a sample after so many mails
---@param tell? fun(sample: table) hears of each sample
---@return table outcome results, samples, wrong: what is not as it should be (the first few verdicts, and totals)
function million.run(sink, n, every, tell)
  local outcome = { results = 0, samples = {}, wrong = {} }
  sink:tell("defaults", "commits off", "reset")
  local mailer = assert(smtpsec.new { host = "127.0.0.1", port = sink.plain, tls = "none", hello = "client.test",
    env_file = false })
  for i, receipt, err in mailer:send_all(generator(n), { window = WINDOW, retry = false }) do
    outcome.results = outcome.results + 1
    if not judge(i, receipt, err) and #outcome.wrong < 20 then
      table.insert(outcome.wrong, ("mail %d (%s): %s"):format(i, kind_of(i), tostring(err or receipt.status)))
    end
    if outcome.results % every == 0 then
      local one = sample(outcome.results)
      table.insert(outcome.samples, one)
      if tell then tell(one) end
    end
  end
  mailer:close()
  compare(outcome, sink:stats(), n)
  return outcome
end

return million
