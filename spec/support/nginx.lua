--- nginx: a real nginx with its Lua module, one worker, on loopback, as the user who runs the specs.
--
--     local server = nginx.start {
--       server = [[ location = /hello { content_by_lua_block { ngx.print "hello" } } ]],
--     }
--     server:get "/hello"        --> 200, "hello"
--     server:stop()
--
-- Its Lua is LuaJIT, whichever Lua runs the specs: it finds this checkout's modules as built for LuaJIT.
local keeper = require "spec.support.keeper"
local ports = require "spec.support.ports"
local process = require "spec.support.process"
local sock = require "smtpsec.sock"

local nginx = {}
nginx.__index = nginx

local modules = "/usr/lib/nginx/modules/"

local template = [[
%s
load_module %sndk_http_module.so;
load_module %sngx_http_lua_module.so;
daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log %s;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  lua_package_path "%s";
  lua_package_cpath "%s";
  %s
  server {
    listen 127.0.0.1:%d;
    %s
  }
}
]]

--- Whether there is one to start.
---@return boolean
function nginx.available()
  return process.try "command -v nginx" and process.read(modules .. "ngx_http_lua_module.so") ~= nil
end

-- The paths of this process (see `make env`), for the other Lua: its modules in C are beside those for this one.
local function paths()
  local path, cpath = os.getenv "LUA_PATH", os.getenv "LUA_CPATH"
  assert(path and cpath, "LUA_PATH and LUA_CPATH must say where smtpsec is")
  return path, (cpath:gsub("/5%.4/%?%.so", "/jit/?.so"))
end

--- Starts it; it answers when this returns.
---@param options { main: string?, http: string?, server: string?, log: string?, words: string[]? } pieces of the
--- configuration for each of its levels; the level of its log ("error" when not given); words before the command
---@return table server with `port` and `folder`
function nginx.start(options)
  local folder = keeper.own():new_folder("nginx")
  local self = setmetatable({ name = folder:match "[^/]+$", folder = folder, port = ports.take() }, nginx)
  local path, cpath = paths()
  local root = process.identity() == 0
  process.write(folder .. "/nginx.conf", template:format(
    (root and "user root;\n" or "") .. (options.main or ""), modules, modules, options.log or "error", path, cpath,
    options.http or "", self.port, options.server or ""))
  local words = {}
  for _, word in ipairs(options.words or {}) do
    words[#words + 1] = word
  end
  for _, word in ipairs { "nginx", "-p", folder, "-c", folder .. "/nginx.conf", "-e", folder .. "/error.log" } do
    words[#words + 1] = word
  end
  keeper.own():spawn(self.name, process.sanitized(words))
  local listening = process.wait(function() return ports.listening { self.port } end, 10)
  assert(listening, "nginx did not start: " .. keeper.own():output(self.name) .. self:log())
  return self
end

--- Sends a request and does not wait.
---@param target string path and query
---@return table pending with `answer`
function nginx:ask(target)
  local stream = assert(sock.connect { host = "127.0.0.1", port = self.port, timeout = 5 })
  assert(stream:write(("GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n"):format(target), 5))
  local pending = { asked = sock.now() }

  --- Waits for the answer.
  ---@param seconds? number 20 when not given
  ---@return integer status, string body
  function pending.answer(seconds)
    local deadline, parts = sock.now() + (seconds or 20), {}
    while true do
      local bytes, why = stream:read(65536, deadline - sock.now())
      if not bytes then
        assert(why == "closed", "nginx did not answer " .. target)
        break
      end
      parts[#parts + 1] = bytes
    end
    pending.took = sock.now() - pending.asked
    stream:close()
    local status, body = table.concat(parts):match("^HTTP/1%.1 (%d+).-\r\n\r\n(.*)$")
    return tonumber(status), body
  end

  return pending
end

--- Sends a request and waits for the answer.
---@param target string path and query
---@param seconds? number
---@return integer status, string body
function nginx:get(target, seconds)
  return self:ask(target).answer(seconds)
end

--- What it has written to its error log.
---@return string
function nginx:log()
  return process.read(self.folder .. "/error.log") or ""
end

function nginx:stop()
  keeper.own():stop(self.name)
end

return nginx
