-- run: `make bench`. Starts the sink, lets every client do the same things in turn, round after round, and prints
-- medians, spread, ratios, and whether what the library promises of itself holds.
--
-- Judged are counts, and ratios of CPU time within one run. Wall time on a shared machine means nothing.
--
-- lua5.4 spec/bench/run.lua BUILD, from the top of the tree. Environment: BENCH_ROUNDS (5), BENCH_QUICK=1 (less of
-- everything).

local process = require "spec.support.process"
local judging_sink = require "spec.support.judging_sink"
local keeper = require "spec.support.keeper"
local pki = require "spec.support.pki"
local servers = require "spec.support.servers"

local build = arg[1] or "build"
local quick = os.getenv "BENCH_QUICK" == "1"
local rounds = tonumber(os.getenv "BENCH_ROUNDS" or "") or (quick and 2 or 5)
local programs = build .. "/bench/"
local dir = keeper.own():new_folder "bench"
local authority = pki.new(dir)
local ca = authority:ca("root").cert
local server = judging_sink.start(programs .. "sink", authority:leaf { name = "server", cn = "localhost", ca = "root",
  san = "DNS:localhost,IP:127.0.0.1" })

-- ---- clients --------------------------------------------------------------------------------------------------------

local function ours(lua, abi)
  return { "env", "LUA_PATH=lua/?.lua;lua/?/init.lua;;", ("LUA_CPATH=%s/%s/?.so;;"):format(build, abi), lua,
    "spec/bench/smtpsec.lua" }
end

local LUAS = { ["lua5.4"] = ours("lua5.4", "5.4"), luajit = ours("luajit", "jit") }
local NODE = { "env", "BENCH_NODEMAILER=" .. process.run("readlink -f " .. process.quote(programs)):gsub("\n", "")
  .. "/npm/node_modules/nodemailer", "node", "spec/bench/peers/nodemailer.js" }

local clients = {
  bare = { name = "bare C", words = { programs .. "bare" } },
  bulk = { name = "bare C, 64 in flight", words = { programs .. "bare" }, with = { window = 64 }, many = 10 },
  curl = { name = "libcurl", words = { programs .. "curl" } },
  evp = { name = "bare EVP sign", words = { programs .. "sign" } },
  kernel = { name = "base64 kernel", words = { programs .. "kernel" } },
  esmtp = { name = "libESMTP", words = { programs .. "esmtp" }, plain = true },
  smtplib = { name = "smtplib", words = { "/usr/bin/python3", "spec/bench/peers/smtplib.py" } },
  nodemailer = { name = "nodemailer", words = NODE },
  luasocket = { name = "LuaSocket", words = { "lua5.4", "spec/bench/peers/luasocket.lua" } },
  ["lua5.4"] = { name = "smtpsec, Lua 5.4", words = LUAS["lua5.4"] },
  luajit = { name = "smtpsec, LuaJIT", words = LUAS.luajit },
  ["all5.4"] = { name = "send_all 64, Lua 5.4", words = LUAS["lua5.4"], with = { mode = "all" }, many = 10 },
  alljit = { name = "send_all 64, LuaJIT", words = LUAS.luajit, with = { mode = "all" }, many = 10 },
}
local EVERY = { "bare", "curl", "esmtp", "smtplib", "nodemailer", "luasocket", "lua5.4", "luajit", "bulk", "all5.4",
  "alljit" }
local OURS = { ["lua5.4"] = true, luajit = true, ["all5.4"] = true, alljit = true }

-- Runs a client to its end. Returns what it printed (or `missing`), and what the sink counted meanwhile.
local function run(key, settings)
  local client = clients[key]
  local port = (client.plain or settings.tls == "starttls" or settings.scheme == "smtp") and server.plain
    or server.tls
  local all = { port = ("%d"):format(port), message = dir .. "/message" }
  if not settings.ca_path then all.ca = ca end
  for _, from in ipairs { settings, client.with or {} } do
    for k, v in pairs(from) do all[k] = math.type(v) == "float" and ("%.0f"):format(v) or tostring(v) end
  end
  local words = { "timeout", "900" }
  for _, word in ipairs(client.words) do words[#words + 1] = word end
  for k, v in pairs(all) do words[#words + 1] = k .. "=" .. v end
  server:tell "reset"
  local fine, output = process.try(process.command(words))
  if not fine then return { missing = "failed: " .. output:match "^%s*([^\n]*)" }, server:stats() end
  local result = {}
  for k, v in output:gmatch "([%w_]+)=(%S+)" do result[k] = tonumber(v) or v end
  if result.missing then result.missing = "not built" end
  return result, server:stats()
end

-- ---- figures --------------------------------------------------------------------------------------------------------

local function median(list)
  local sorted = { table.unpack(list) }
  table.sort(sorted)
  local n = #sorted
  return n % 2 == 1 and sorted[(n + 1) // 2] or (sorted[n // 2] + sorted[n // 2 + 1]) / 2
end

-- Medians of the ratios of two clients' figures, each within one round.
local function ratio(figures, key, to)
  if not (figures[key] and figures[to]) then return nil end
  local list = {}
  for i, value in ipairs(figures[key]) do list[i] = value / figures[to][i] end
  return median(list)
end

-- Runs clients in turn, round after round. `settings` may be a function of the client's key; `take` makes one figure
-- of a result. Returns key -> list of figures, and key -> why there is none.
local function interleave(keys, settings, take)
  local figures, missing = {}, {}
  for _ = 1, rounds do
    for _, key in ipairs(keys) do
      if not missing[key] then
        local result, counts = run(key, type(settings) == "function" and settings(key) or settings)
        missing[key] = result.missing
        if not result.missing then
          figures[key] = figures[key] or {}
          table.insert(figures[key], take(result, counts))
        end
      end
    end
  end
  for key in pairs(missing) do figures[key] = nil end
  return figures, missing
end

local function number(value, format)
  return value and (format or "%.2f"):format(value) or "-"
end

local function heading(text, ...)
  print(("\n%s"):format(text))
  print((("%-24s" .. ("%12s"):rep(select("#", ...))):format("", ...)))
end

local function row(name, ...)
  print((("%-24s" .. ("%12s"):rep(select("#", ...))):format(name, ...)))
end

local function table_of_figures(title, keys, figures, missing, unit, format)
  heading(title, unit, "min", "max", "of libcurl", "x bare C")
  for _, key in ipairs(keys) do
    local list = figures[key]
    if list then
      row(clients[key].name, number(median(list), format), number(math.min(table.unpack(list)), format),
        number(math.max(table.unpack(list)), format), number(ratio(figures, key, "curl")),
        number(ratio(figures, key, "bare"), "%.1f"))
    else
      print(("%-24s  %s"):format(clients[key].name, missing[key]))
    end
  end
end

-- What is promised, and what was seen.
local promises = {}

local function promise(what, figure, bound, at_least)
  promises[#promises + 1] = { what = what, figure = figure, bound = bound, at_least = at_least }
end

-- ---- what is looked at ----------------------------------------------------------------------------------------------

local function trips(key, recipients, mails)
  local result, counts = run(key, { mails = mails, warm = 1, recipients = recipients })
  if result.missing or counts.commits == 0 then return nil, result.missing end
  return counts.trips_warm / counts.commits
end

local function warm_trips()
  local mails = quick and 19 or 49
  heading("Round trips of a warm 2 KB mail over TLS (the sink holds replies)", "CHUNKING", "20 rcpt", "without it",
    "20 rcpt")
  server:tell "hold 3"
  for _, key in ipairs(EVERY) do
    local window = clients[key].many and 64 * (quick and 10 or 30) or mails
    local seen, why = {}, nil
    for i, chunking in ipairs { true, false } do
      server:tell("offer " .. (chunking and "+" or "-") .. "CHUNKING")
      -- The bare client knows nothing else.
      if chunking or not (key == "bare" or key == "bulk") then
        seen[2 * i - 1], why = trips(key, 1, window)
        seen[2 * i] = trips(key, 20, window)
      end
    end
    if why and not seen[1] then print(("%-24s  %s"):format(clients[key].name, why))
    else row(clients[key].name, number(seen[1]), number(seen[2]), number(seen[3]), number(seen[4])) end
    local name = clients[key].name
    if key == "lua5.4" or key == "luajit" then
      promise("1  round trips, warm mail, 1 recipient: " .. name, seen[1], 1.1)
      promise("1  round trips, warm mail, 20 recipients: " .. name, seen[2], 1.1)
      promise("1  round trips, without CHUNKING: " .. name, seen[3], 2.1)
    elseif OURS[key] then
      promise("1  round trips a mail: " .. name, seen[1], 0.05)
      promise("1  round trips, without CHUNKING: " .. name, seen[3], 1.1)
    end
  end
  server:tell "defaults"
end

local function cold_trips()
  heading("Round trips of a cold mail, AUTH PLAIN, without the TCP handshake", "implicit", "with QUIT", "STARTTLS",
    "with QUIT")
  server:tell "hold 3"
  for _, key in ipairs { "curl", "smtplib", "nodemailer", "lua5.4", "luajit" } do
    local seen = {}
    for _, mode in ipairs { "implicit", "starttls" } do
      local result, counts = run(key, { mode = "cold", mails = 4, warm = 1, user = "user", tls = mode,
        scheme = mode == "implicit" and "smtps" or "smtp" })
      local n, column = counts.connections, #seen
      if result.missing or counts.commits ~= 5 or n ~= 5 then
        print(("%-24s  %s"):format(clients[key].name, result.missing or "did not send each on a connection of its own"))
        break
      end
      seen[column + 1] = (counts.trips_greeting + counts.trips_setup + counts.trips_warm) / n
      seen[column + 2] = seen[column + 1] + counts.trips_quit / n
    end
    row(clients[key].name, number(seen[1]), number(seen[2]), number(seen[3]), number(seen[4]))
    if OURS[key] then
      promise("2  round trips, cold, implicit TLS, QUIT if waited for: " .. clients[key].name, seen[2], 5.5)
      promise("2  round trips, cold, STARTTLS, QUIT if waited for: " .. clients[key].name, seen[4], 7.5)
    end
  end
  server:tell "defaults"
end

local function microseconds(result) return result.cpu / result.mails * 1e6 end

local function warm_cpu()
  local mails = quick and 500 or 2000
  server:tell "commits off"
  local figures, missing = interleave(EVERY, function(key)
    return { mails = mails * (clients[key].many or 1), warm = quick and 50 or 200 }
  end, microseconds)
  server:tell "defaults"
  table_of_figures("CPU of a warm 2 KB mail over TLS, µs", EVERY, figures, missing, "median", "%.1f")
  for _, key in ipairs { "lua5.4", "luajit" } do
    promise("3  CPU of libcurl's, warm mail: " .. clients[key].name, ratio(figures, key, "curl"), 0.30)
  end
  for _, key in ipairs { "all5.4", "alljit" } do
    promise("3  CPU of libcurl's: " .. clients[key].name, ratio(figures, key, "curl"), 0.10)
  end
end

local function cold_cpu()
  local keys, resumed = { "curl", "lua5.4", "luajit" }, {}
  local figures, missing = interleave(keys, { mode = "cold", mails = quick and 50 or 200, warm = 10 },
    function(result, counts)
      resumed[#resumed + 1] = counts.resumed / (counts.connections - 1)
      return microseconds(result)
    end)
  table_of_figures("CPU of a cold mail, TLS 1.3 resumed, µs", keys, figures, missing, "median", "%.0f")
  print(("%-24s%12s"):format("resumed, at least", number(#resumed > 0 and math.min(table.unpack(resumed)) or nil)))
  for _, key in ipairs { "lua5.4", "luajit" } do
    promise("4  CPU of libcurl's, cold, resumed: " .. clients[key].name, ratio(figures, key, "curl"), 0.7)
  end
end

-- The system's folder of hashed roots, with ours among them.
local function system_roots()
  local roots_dir = dir .. "/roots"
  process.run(("mkdir %s && cp -L /etc/ssl/certs/*.[0-9] %s/ 2>/dev/null; cp %s %s/ours.pem && h=$(openssl x509 -hash "
    .. "-noout -in %s) && ln -s ours.pem %s/$h.0"):format(roots_dir, roots_dir, ca, roots_dir, ca, roots_dir))
  return roots_dir
end

local function first_mail()
  local keys, roots = { "lua5.4", "luajit" }, system_roots()
  local figures, missing = interleave(keys, { mode = "first", ca_path = roots, mails = 1 }, function(result)
    return result.cpu * 1e3
  end)
  table_of_figures("CPU of a fresh process and its one mail, trusting system roots, ms", keys, figures, missing,
    "median")
  for _, key in ipairs(keys) do
    promise("4  CPU of the first mail of a fresh process, ms: " .. clients[key].name,
      figures[key] and median(figures[key]), 8)
  end
end

-- The file is random where its encoding is compared; where only memory is looked at, it has no blocks on the disk.
local function attachment()
  local keys = { "curl", "nodemailer", "lua5.4", "luajit" }
  local megabytes = quick and 20 or 100
  local file = dir .. "/attachment"
  process.run(("head -c %d /dev/urandom >%s"):format(megabytes * 1000000, file))
  server:tell "commits off"
  local before = rounds
  rounds = math.min(rounds, 3)
  local modes = { curl = "mime", nodemailer = "mime", ["lua5.4"] = "file", luajit = "file" }
  local figures, missing = interleave(keys, function(key)
    return { mode = modes[key], mails = 1, warm = 1, file = file }
  end, function(result) return result.cpu / megabytes * 1e3 end)
  rounds = before
  server:tell "defaults"
  os.remove(file)
  table_of_figures(("CPU of a %d MB attachment, ms per MB"):format(megabytes), keys, figures, missing, "median")
  for _, key in ipairs { "lua5.4", "luajit" } do
    promise("5  CPU of libcurl mime's, attachment: " .. clients[key].name, ratio(figures, key, "curl"), 0.15)
    promise("5  MB a CPU second, times nodemailer's: " .. clients[key].name, ratio(figures, "nodemailer", key), 4, true)
  end
end

-- What a signature adds to a mail, beside OpenSSL's own part of it: the hash of these bytes, and the signature.
local function signing_cpu(kind, bound, what, file, mails)
  local key = ("%s/%s.key"):format(dir, kind)
  local bytes = run("lua5.4", { mode = "sign", key = key, file = file, mails = 10 }).bytes
  local keys = { "evp", "lua5.4", "luajit" }
  local settings = { mode = "sign", key = key, file = file, size = bytes or 0, mails = mails }
  local figures, missing = interleave(keys, settings, microseconds)
  local title = ("CPU of a DKIM signature, %s, %s, µs"):format(kind, what)
  table_of_figures(title, keys, figures, missing, "median", "%.1f")
  for _, client in ipairs { "lua5.4", "luajit" } do
    promise(("D  times a bare EVP sign, %s, %s: %s"):format(kind, what, clients[client].name),
      ratio(figures, client, "evp"), bound)
  end
end

local function signing()
  process.run(("openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out %s/RSA-2048.key && openssl genpkey "
    .. "-algorithm ED25519 -out %s/Ed25519.key"):format(dir, dir))
  local file = dir .. "/signed"
  process.run(("head -c 1000000 /dev/urandom >%s"):format(file))
  for kind, bound in pairs { ["RSA-2048"] = 1.3, Ed25519 = 2 } do
    signing_cpu(kind, bound, "2 KB", nil, quick and 500 or 2000)
    signing_cpu(kind, bound, "1 MB attached", file, quick and 50 or 200)
  end
  os.remove(file)
end

-- Composing alone: nothing is sent. What is printed as "of libcurl" and "x bare C" has no meaning here.
local function composition()
  local ours_and = { "kernel", "nodemailer", "luasocket", "lua5.4", "luajit" }
  local figures, missing = interleave(ours_and, { mode = "compose", size = 1000000, mails = quick and 20 or 100,
    warm = 5 }, microseconds)
  table_of_figures("CPU of composing with an attachment of 1 MB, µs", ours_and, figures, missing, "median", "%.0f")
  for _, key in ipairs { "lua5.4", "luajit" } do
    promise("C  composing 1 MB attached, of the base64 kernel's rate: " .. clients[key].name,
      ratio(figures, "kernel", key), 0.5, true)
    for _, other in ipairs { "nodemailer", "luasocket" } do
      promise(("C  composing 1 MB attached, times %s's rate: %s"):format(clients[other].name, clients[key].name),
        ratio(figures, other, key), 50, true)
    end
  end
  local small = { "luasocket", "lua5.4", "luajit" }
  figures, missing = interleave(small, { mode = "compose", mails = quick and 2000 or 10000, warm = 500 }, microseconds)
  table_of_figures("CPU of composing text and html, µs", small, figures, missing, "median", "%.1f")
  for _, key in ipairs { "lua5.4", "luajit" } do
    promise("C  composing text and html, times LuaSocket's rate: " .. clients[key].name,
      ratio(figures, "luasocket", key), 10, true)
  end
end

-- What an attachment costs on the wire, TLS and all, where the server takes it as it is (RFC 3030) and where not.
local function binary()
  local file, megabytes = dir .. "/binary", quick and 20 or 100
  process.run(("head -c %d /dev/urandom >%s"):format(megabytes * 1000000, file))
  heading(("Bytes on the wire of those of a %d MB attachment, %%"):format(megabytes), "BINARYMIME", "without it")
  server:tell "commits off"
  for _, key in ipairs { "lua5.4", "luajit" } do
    local seen = {}
    for i, line in ipairs { "extra BINARYMIME", "extra" } do
      server:tell(line)
      local result, counts = run(key, { mode = "file", file = file })
      seen[i] = not result.missing and counts.bytes_in / megabytes / 1e4 or nil
    end
    row(clients[key].name, number(seen[1], "%.2f"), number(seen[2], "%.2f"))
    promise(("C  %% of its bytes on the wire, %d MB attached, BINARYMIME: %s"):format(megabytes, clients[key].name),
      seen[1], 100.5)
  end
  server:tell "defaults"
  os.remove(file)
end

local function memory()
  local file, size = dir .. "/sparse", quick and "100M" or "1G"
  process.run(("truncate -s %s %s"):format(size, file))
  server:tell "commits off"
  heading(("Memory with an attachment of %sB, KB"):format(size), "idle", "peak", "more")
  for _, key in ipairs { "lua5.4", "luajit" } do
    local result = run(key, { mode = "file", file = file })
    local more = result.peak_kb and result.peak_kb - result.idle_kb
    row(clients[key].name, number(result.idle_kb, "%.0f"), number(result.peak_kb, "%.0f"), number(more, "%.0f"))
    promise(("5  MB above an idle mailer, %sB attached: %s"):format(size, clients[key].name), more and more / 1024, 12)
    local signed = run(key, { mode = "file", file = file, key = dir .. "/Ed25519.key" })
    more = signed.peak_kb and signed.peak_kb - signed.idle_kb
    row(clients[key].name .. ", DKIM", number(signed.idle_kb, "%.0f"), number(signed.peak_kb, "%.0f"),
      number(more, "%.0f"))
    promise(("D  MB above an idle mailer, %sB attached, signed: %s"):format(size, clients[key].name),
      more and more / 1024, 12)
  end
  server:tell "defaults"
end

-- How much longer than its server needs does a mail take? What the server needs differs from mail to mail and from run
-- to run by more than what is looked for, so times are not subtracted. Looked at instead (see held.c) is when the
-- server has said something that is not acknowledged, though the client has read all there is and sleeps: it may hold
-- back its next reply until then (Nagle's algorithm), and where the acknowledgement is delayed that lasts up to 40 ms.
-- What of it falls into a mail's turn (from the verdict on the one before it, or its own drawing, to its own verdict)
-- is what the client adds beside its CPU time, which is judged above: what it has to say is written before it sleeps.
-- All other time is the server's, or the machine's.
local function excess(turns, spans)
  local list, before, first = {}, 0, 1
  for from, to in turns:gmatch "(%S+) (%S+)" do
    from, to = math.max(tonumber(from), before), tonumber(to)
    while spans[first] and spans[first].to <= from do first = first + 1 end
    local sum, at = 0, first
    while spans[at] and spans[at].from < to do
      sum = sum + math.max(0, math.min(to, spans[at].to) - math.max(from, spans[at].from))
      at = at + 1
    end
    list[#list + 1], before = sum * 1e3, to
  end
  table.sort(list)
  return list
end

-- The excess of each mail over what this server needs, in ms, from the least to the most, and the share of the time
-- that was looked at.
local function one_server(key, one)
  local held, turns = dir .. "/held", dir .. "/turns"
  local words = { "timeout", "900", programs .. "held", ("port=%d"):format(one.ports.mx), "out=" .. held, "--" }
  for _, word in ipairs(clients[key].words) do words[#words + 1] = word end
  for k, v in pairs { mode = "turns", port = ("%d"):format(one.ports.mx), ca = one.ca_file, turns = turns,
    mails = quick and 200 or 1000 } do words[#words + 1] = k .. "=" .. v end
  local fine, output = process.try(process.command(words))
  if not fine then return nil, "failed: " .. output:match "^%s*([^\n]*)" end
  local spans = {}
  for from, to in process.read(held):gmatch "(%S+) (%S+)" do
    spans[#spans + 1] = { from = tonumber(from), to = tonumber(to) }
  end
  return excess(process.read(turns), spans), tonumber(output:match "seen=(%S+)")
end

local function server_need()
  heading("What a mail adds to its server's need, ms (10 recipients, 64 in flight)", "median", "99th", "worst",
    "looked at")
  for _, name in ipairs { "postfix", "exim" } do
    for _, key in ipairs { "lua5.4", "luajit" } do
      local title = ("%s, %s"):format(name, key)
      local started, one = pcall(servers.start, name)
      local list, seen = nil, one
      if started then list, seen = one_server(key, one) end
      if list then
        row(title, number(median(list)), number(list[math.ceil(#list * 0.99)]), number(list[#list]), number(seen))
      else
        print(("%-24s  %s"):format(title, tostring(seen):match "^[^\n]*"))
      end
      -- A machine that leaves no time to look shows nothing.
      promise("8  ms a mail adds to its server's need, at most: " .. title, list and seen > 0.5 and list[#list] or nil,
        35)
    end
  end
end

local function judge()
  heading("What is promised", "seen", "bound", "")
  for _, p in ipairs(promises) do
    local holds = p.figure and (p.at_least and p.figure >= p.bound or not p.at_least and p.figure <= p.bound)
    print(("%-76s %8s %s %-6g %s"):format(p.what, number(p.figure, "%.3g"), p.at_least and ">=" or "<=", p.bound,
      not p.figure and "not seen" or holds and "holds" or "does not hold"))
  end
end

-- ---- all of it ------------------------------------------------------------------------------------------------------

-- The ready message, as large as what our mails are composed to.
local function write_message()
  local lines = { "From: <bench@client.test>", "To: <user1@sink.test>", "Subject: bench", "Message-ID: <1@client.test>",
    "Date: Sun, 01 Nov 2026 00:00:00 +0000", "MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "" }
  for i = 1, 23 do
    lines[#lines + 1] = ("line %03d of a message that says the same thing again and again, and no more of it"):format(i)
  end
  process.write(dir .. "/message", table.concat(lines, "\r\n") .. "\r\n")
end

local fine, why = xpcall(function()
  write_message()
  for _, look in ipairs { warm_trips, cold_trips, warm_cpu, cold_cpu, first_mail, attachment, composition,
    binary, signing, memory, server_need } do look() end
  judge()
end, debug.traceback)
if not fine then error(why, 0) end
