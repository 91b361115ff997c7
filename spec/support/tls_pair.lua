--- tls_pair: two TLS filters joined in memory, so that a spec sees both ends and chooses how the bytes are cut.
local tls_pair = {}

-- Moves what `from` has to send into `to`, in pieces of `size` bytes (all at once without), calling `step` after each.
local function carry(from, to, size, step)
  local bytes = from:output()
  from:consumed(#bytes)
  size = size or #bytes
  for at = 1, #bytes, math.max(size, 1) do
    to:feed(bytes:sub(at, at + size - 1))
    step()
  end
  return #bytes
end

--- Runs both handshakes until nothing moves any more.
---@param client userdata
---@param server userdata
---@param size integer|nil bytes per piece
---@return table client what its last handshake() returned: { true } or { nil, status, text, reason }
---@return table server
function tls_pair.handshake(client, server, size)
  local results = {}
  local function step_client()
    results.client = { client:handshake() }
  end
  local function step_server()
    results.server = { server:handshake() }
  end
  step_client()
  step_server()
  repeat
    local moved = carry(client, server, size, step_server) + carry(server, client, size, step_client)
  until moved == 0
  return results.client, results.server
end

--- Reads all that has arrived.
---@return string bytes
---@return string status "again", "closed" or a failure
---@return string text
---@return string|nil reason
function tls_pair.drain(filter)
  local parts = {}
  while true do
    local bytes, status, text, reason = filter:read()
    if not bytes then
      return table.concat(parts), status, text, reason
    end
    parts[#parts + 1] = bytes
  end
end

--- Sends `text` through `from` to `to` and returns what `to` read, then as `drain`.
function tls_pair.send(from, to, text, size)
  local read, status, message, reason = {}, nil, nil, nil
  local function step()
    local part
    part, status, message, reason = tls_pair.drain(to)
    read[#read + 1] = part
  end
  repeat
    local taken = from:write(text) or 0
    text = text:sub(taken + 1)
    local moved = carry(from, to, size, step)
  until text == "" or moved == 0
  return table.concat(read), status, message, reason
end

return tls_pair
