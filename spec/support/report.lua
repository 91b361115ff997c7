--- report: how busted tells the outcome here: a dot for each passed spec, each failure in full, the slowest files.
--
-- A pending spec is a failure: what is not tested must not look as if it were. So is a secret that the run has told
-- (secrets.lua). With SMTPSEC_TALLY naming a file, the
-- line "passed failed" is appended to it, for tally.sh, which adds up several runs.
return function()
  local busted = require "busted"
  local handler = {}
  local passed, failures, files = 0, {}, {}

  local function write(...)
    io.write(...)
    io.flush()
    return nil, true
  end

  -- The names of the blocks around a spec and its own; of what fails outside of all blocks, the file's.
  local function full_name(element)
    local names = { element.name or element.descriptor }
    local parent = busted.parent(element)
    while parent and parent.descriptor ~= "file" and parent.name do
      table.insert(names, 1, parent.name)
      parent = busted.parent(parent)
    end
    return table.concat(names, " ")
  end

  local function failed(element, _, message, trace)
    failures[#failures + 1] = {
      name = full_name(element),
      message = tostring(message or "no message"),
      traceback = trace and trace.traceback,
    }
    return write "F"
  end

  -- The runner's own listener to failures makes the exit status, so it must hear of a pending spec, too.
  local function pending(element, parent, message, trace)
    busted.publish({ "failure", "it" }, element, parent, "pending: " .. tostring(message or "not written"), trace)
    return nil, true
  end

  local function test_end(element, parent, status)
    if status == "success" then
      passed = passed + 1
      return write "."
    elseif status == "pending" and element.descriptor == "pending" then
      return pending(element, parent)
    end
    return nil, true
  end

  local function file_end(file)
    files[#files + 1] = { name = file.name, seconds = file.duration or 0 }
    return nil, true
  end

  local function print_failure(number, failure)
    local trace = (failure.traceback or ""):gsub("\n%s*%[C%]:[^\n]*", "")
    io.write(("\n%d) %s\n%s\n"):format(number, failure.name, failure.message), (trace:gsub("%s+$", "")), "\n")
  end

  local function print_slowest()
    table.sort(files, function(a, b) return a.seconds > b.seconds end)
    io.write "slowest files:"
    for i = 1, math.min(5, #files) do
      io.write((" %s %.1f s%s"):format(files[i].name, files[i].seconds, i < math.min(5, #files) and "," or "\n"))
    end
  end

  local function append_tally(path)
    local file = assert(io.open(path, "a"))
    file:write(("%d %d\n"):format(passed, #failures))
    file:close()
  end

  -- The runner's own listener counts these, too. Only now is everything told.
  local function search_secrets()
    local leaks, summary = require("spec.support.secrets").search()
    for _, leak in ipairs(leaks or {}) do
      busted.publish({ "failure", "secret" }, { name = leak, descriptor = "secret" }, nil, leak)
    end
    return summary
  end

  local function finish()
    io.write "\n"
    local summary = search_secrets()
    for number, failure in ipairs(failures) do
      print_failure(number, failure)
    end
    if summary then
      print(summary)
    end
    if #files > 1 then
      print_slowest()
    end
    print(("%d passed, %d failed (%s)"):format(passed, #failures, jit and jit.version or _VERSION))
    local tally = os.getenv "SMTPSEC_TALLY"
    if tally then
      append_tally(tally)
    end
    return nil, true
  end

  function handler.subscribe()
    busted.subscribe({ "test", "end" }, test_end)
    busted.subscribe({ "pending" }, pending)
    busted.subscribe({ "failure" }, failed)
    busted.subscribe({ "error" }, failed)
    busted.subscribe({ "file", "end" }, file_end)
    busted.subscribe({ "exit" }, finish)
  end

  return handler
end
