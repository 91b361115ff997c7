--- finish: how a program that counts says what came of it, to people and to tally.sh, and ends.
---@param passed integer
---@param failed integer
return function(passed, failed)
  local tally = os.getenv "SMTPSEC_TALLY"
  if tally then
    local file = assert(io.open(tally, "a"))
    file:write(("%d %d\n"):format(passed, failed))
    file:close()
  end
  print(("%d passed, %d failed (%s)"):format(passed, failed, jit and jit.version or _VERSION))
  os.exit(failed == 0 and passed > 0, true) -- the state is closed: what is left then is leaked
end
