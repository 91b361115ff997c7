-- Many mails to the servers people run, each to ten recipients of whom some are refused: what the receipts say is what
-- the servers' logs say and what lies in the mailboxes.
local process = require "spec.support.process"
local servers = require "spec.support.servers"
local smtpsec = require "smtpsec"

-- SMTPSEC_MAILS=1000 sends more of them; under a slow tool, SMTPSEC_THIN=20 only a twentieth.
local THIN = tonumber(os.getenv "SMTPSEC_THIN") or os.getenv "SMTPSEC_GC" and 2 or 1
local COUNT = math.max(20, math.floor((tonumber(os.getenv "SMTPSEC_MAILS") or 200) / THIN))
local REFUSED = { "nosuch@example.test", "NoSuch@example.test", "greylisted@example.test", "full@example.test",
  "Full@example.test" }
-- Of so many mails, one has no recipient that is accepted. (RSET follows it, and Exim lets ten of those pass on a
-- connection that end no message.)
local EVERY = 100

local runs = 0

-- The mails of one run, one after the other; `marker` is in each of them.
local function drawing(marker)
  local i = 0
  return function()
    i = i + 1
    if i > COUNT then return nil end
    local to = {}
    for _, address in ipairs(REFUSED) do
      if i % EVERY ~= 0 then to[#to + 1] = ("r%d-%d@example.test"):format(#to, i) end
      to[#to + 1] = address
    end
    return { from = "joe@example.test", to = to, subject = marker, text = ("mail %d\n.\n"):format(i) }
  end
end

local function sorted(list)
  local copy = {}
  for i, value in ipairs(list) do copy[i] = value end
  table.sort(copy)
  return copy
end

-- How each log says it: which name the queue gave to a Message-ID, that a recipient got the message of that name, that
-- a recipient was refused.
local logs = {
  postfix = { queued = "cleanup%[%d+%]: (%w+): message%-id=<([^>]+)>",
    got = "virtual%[%d+%]: (%w+): to=<([^>]+)>.*status=sent", refused = "reject: RCPT from" },
  exim = { queued = "^%S+ %S+ (%S+) <= .* id=(%S+)", got = "^%S+ %S+ (%S+) [=-][>] %S+ <([^>]+)>",
    refused = "rejected RCPT" },
}

-- The queue's name of each message by its Message-ID, who got it by that name, how often a recipient was refused.
local function read(says, log)
  local queued, got, refused = {}, {}, 0
  for line in log:gmatch "[^\n]+" do
    local name, id = line:match(says.queued)
    if id then queued["<" .. id .. ">"] = name end
    local by, to = line:match(says.got)
    if to then
      got[by] = got[by] or {}
      table.insert(got[by], to)
    end
    if line:find(says.refused, 1, true) then refused = refused + 1 end
  end
  return queued, got, refused
end

-- Sends them all; the receipts, and how many mails had no recipient.
local function send(server, port, marker)
  local mailer = assert(smtpsec.new { host = "localhost", port = server.ports[port], env_file = false,
    tls = { mode = "starttls", ca_file = server.ca_file } })
  local facts = assert(mailer:verify())
  assert.equal(port == "mx", facts.capabilities.CHUNKING ~= nil)
  assert.is_not_nil(facts.capabilities.PIPELINING)
  local receipts, refused, expected = {}, 0, 0
  for i, receipt, err in mailer:send_all(drawing(marker), { retry = false }) do
    expected = expected + 1
    assert.equal(expected, i)
    if i % EVERY == 0 then
      assert.same({ "rejected", "rcpt", #REFUSED }, { err.kind, err.stage, #err.rejected })
      refused = refused + 1
    else
      assert.is_nil(err, ("mail %d: %s"):format(i, tostring(err)))
      receipts[#receipts + 1] = receipt
    end
  end
  mailer:close()
  assert.equal(COUNT, expected)
  return receipts, refused
end

for _, name in ipairs { "postfix", "exim" } do
  for port, how in pairs { mx = "BDAT", data = "DATA" } do
    it(("%s takes many mails by %s, and says of each what its receipt says"):format(name, how), function()
      local server = servers.start(name)
      local _, _, refused_before = read(logs[name], server:log())
      runs = runs + 1
      local marker = ("bulk-%d-%d"):format(process.id(), runs)
      local receipts, without = send(server, port, marker)

      -- The receipts.
      local accepted = 0
      for _, receipt in ipairs(receipts) do
        assert.same({ "partial", 5, 5 }, { receipt.status, #receipt.accepted, #receipt.rejected })
        local verdicts = {}
        for k, one in ipairs(receipt.rejected) do verdicts[k] = one.address .. " " .. one.code end
        assert.same({ "nosuch@example.test 550", "NoSuch@example.test 550", "greylisted@example.test 450",
          "full@example.test 452", "Full@example.test 452" }, verdicts)
        assert.is_string(receipt.queue_id)
        accepted = accepted + #receipt.accepted
      end
      assert.equal(COUNT - without, #receipts)

      -- The mailboxes: each recipient once, and nobody else.
      local boxes = {}
      for _, mail in ipairs(server:wait(marker, accepted, 300)) do
        local id = mail.content:match "Message%-ID: (<[^>]+>)"
        boxes[id] = boxes[id] or {}
        table.insert(boxes[id], mail.recipient)
      end

      -- The log.
      local queued, got, refused
      process.wait(function()
        queued, got, refused = read(logs[name], server:log())
        local count = 0
        for _, receipt in ipairs(receipts) do count = count + #(got[receipt.queue_id] or {}) end
        return count >= accepted
      end, 30)
      for _, receipt in ipairs(receipts) do
        local expected = sorted(receipt.accepted)
        assert.equal(queued[receipt.id], receipt.queue_id)
        assert.same(expected, sorted(boxes[receipt.id] or {}))
        assert.same(expected, sorted(got[receipt.queue_id] or {}))
      end
      assert.equal(COUNT * #REFUSED, refused - refused_before)
    end)
  end
end
