--- scene: mails to a sink over connections that are cut, and what was seen of it from three sides: what the client
-- reports, what it wrote and read (tap), and what the sink accepted.
local mails = require "spec.cuts.mails"
local records = require "spec.cuts.records"
local smtpsec = require "smtpsec"
local tap = require "spec.cuts.tap"

local scene = {}
scene.__index = scene

local LONG = 10 -- seconds: nothing that is cut off, and says so, is waited for as long
local GREETING, GOODBYE = "220 sink.test ESMTP\r\n", "221 2.0.0 bye\r\n" -- which nobody waits for
-- More than the sockets of both sides hold, so that writes end half-way.
local BIG = ("0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqr\r\n"):rep(90000)

local function options_of(self, sink, driver, seconds)
  return { host = "127.0.0.1", port = self.secure and sink.tls or sink.plain, hello = "client.test", env_file = false,
    -- Each run has a handshake of its own: records.lua counts on its length.
    tls = self.secure and { mode = "implicit", ca_file = self.ca, server_name = "sink.test", session_cache = false }
      or "none",
    timeout = { connect = seconds, greeting = seconds, tls = seconds, command = seconds, data = seconds,
      final = seconds },
    io = driver }
end

local function kind_of(self, i)
  return self.mixed and mails.mixed(i) or self.kind or "plain"
end

local function make(self)
  local list, sizes = {}, {}
  for i = 1, self.count do
    list[i] = mails.make(i, kind_of(self, i), self.big and BIG)
    sizes[mails.id(i)] = #list[i].raw
  end
  return list, sizes
end

local function send(self, mailer, list)
  local results = {}
  if self.count == 1 then
    local receipt, err = mailer:send(list[1])
    return { { receipt = receipt, err = err } }
  end
  for i, receipt, err in mailer:send_all(list, { window = self.window, retry = self.retry or false }) do
    results[i] = { receipt = receipt, err = err }
  end
  return results
end

-- The text of one direction. Over TLS it is as long as the records say, and says what it says without TLS: there is
-- one connection only, so that it is the same each time.
local function text_of(self, list, side)
  local bytes = table.concat(list)
  if not self.secure then return bytes end
  return self.texts[side]:sub(1, records.text(bytes, self.before[side]))
end

--- Sends the mails once.
---@param sink table
---@param cut? { side: "in"|"out", at: integer, how: "fin"|"rst"|"stall"|"break" } bytes that pass before the first
--- connection is cut; "break": the client's network breaks off in a write
---@param seconds? number the time-outs of the client
---@return table seen results by mail; sizes by Message-ID; links: took and got (bytes), written and heard (texts);
--- commits; stats; seconds
function scene:play(sink, cut, seconds)
  local breaks = cut and cut.how == "break"
  sink:tell("reset", cut and not breaks and ("cut %s %d %s"):format(cut.side, cut.at, cut.how) or "cut off")
  local driver = tap.new { break_at = breaks and cut.at or nil, most = self.secure and 1 or nil }
  local mailer = assert(smtpsec.new(options_of(self, sink, driver, seconds or LONG)))
  local started = driver.now()
  local list, sizes = make(self)
  local results = send(self, mailer, list)
  mailer:close()
  local seen = { results = results, sizes = sizes, links = {}, seconds = driver.now() - started }
  seen.commits, seen.stats = sink:commits(), sink:stats()
  for i, link in ipairs(driver.links) do
    seen.links[i] = { took = link.took, got = link.got }
    if self.texts or not self.secure then
      seen.links[i].written, seen.links[i].heard = text_of(self, link.took, "in"), text_of(self, link.got, "out")
    end
  end
  return seen
end

-- Without STARTTLS, so that the sink says the same over TLS and without it.
local function offer(self, sink)
  sink:tell("defaults", "offer -STARTTLS" .. (self.data and " -CHUNKING" or ""))
end

-- Over TLS: what is said without it, and where in the records it begins.
local function learn(self, sink)
  local clear = scene.play(setmetatable({ secure = false }, { __index = self }), sink)
  local seen = self:play(sink)
  self.texts = { ["in"] = clear.links[1].written, out = clear.links[1].heard }
  local took, got = table.concat(seen.links[1].took), table.concat(seen.links[1].got)
  self.before = {
    ["in"] = assert(records.before(took, #"EHLO client.test\r\n"), "no EHLO"),
    out = assert(records.before(got, #GREETING), "no greeting"),
  }
  assert(records.text(took, self.before["in"]) >= #self.texts["in"]
    and math.abs(records.text(got, self.before.out) - #self.texts.out) <= #GOODBYE, "the texts differ")
end

--- Sets the scene, and learns how many bytes pass in each direction when nothing is cut.
---@param sink table
---@param options table secure (over TLS), data (by DATA, not BDAT), count (of mails), window (how many of them at
--- once), retry (as in send_all), mixed (some are refused), kind (of all of them), big (the mail is), ca (path of the
--- root)
---@return table scene `totals`: bytes of each direction
function scene.set(sink, options)
  local self = setmetatable({}, scene)
  for name, value in pairs(options) do self[name] = value end
  offer(self, sink)
  if self.secure then learn(self, sink) end
  local seen = self:play(sink)
  self.totals = { ["in"] = seen.stats.bytes_in, out = seen.stats.bytes_out }
  for i, result in ipairs(seen.results) do
    local verdict = mails.VERDICTS[kind_of(self, i)]
    local got = result.receipt and result.receipt.status or result.err.code
    assert(got == verdict, ("mail %d without a cut: %s, not %s"):format(i, tostring(result.err or got), verdict))
  end
  return self
end

return scene
