--- corpus: messages as users give them, and what independent readers must find in what is sent.
--
-- A case is { name, given =, want =, needs = }: `given` a message table, or a function that makes one with the files
-- that it needs; text, from and to are filled in where they are missing (text = false: none). `want` is what cannot
-- be derived from the table (expected.lua says what may stand there). `needs` names the extension without which the
-- message cannot be sent.
local random = require "spec.corpus.random"

local corpus = {}

local SUBJECTS = { "letters", "structures", "headers", "people", "bodies", "attachments", "raw" }

local DEFAULTS = { from = "noreply@example.com", to = "ops@example.org", subject = "x", text = "hello\n" }

--- The cases that are written down, and as a second list those that are made.
---@param seed integer of those made at random
---@return table[] written
---@return table[] made
function corpus.cases(seed)
  local written, made = {}, random.lengths()
  for _, name in ipairs(SUBJECTS) do
    for _, case in ipairs(require("spec.corpus." .. name)) do written[#written + 1] = case end
  end
  for _, case in ipairs(random.values(seed, 60)) do made[#made + 1] = case end
  return written, made
end

--- A case's message table, anew: what reads it, reads it once.
---@param case table
---@param files? fun(content:string, name:string):string writes a file, and gives its path: where the case needs it
---@return table
function corpus.given(case, files)
  local made = case.given
  if type(made) == "function" then made = made(files) end
  local given = {}
  for key, value in pairs(made) do given[key] = value end
  for key, value in pairs(given.raw and {} or DEFAULTS) do
    if given[key] == nil then given[key] = value end
  end
  if given.text == false then given.text = nil end
  return given
end

return corpus
