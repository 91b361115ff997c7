-- The layers: who may include, require and call whom. Each check is also shown a fault of the kind that it is for, so
-- that it is known to be able to fail.

-- What a command prints. A sanitizer that is loaded into this process is none of its business.
local function lines_of(command)
  local pipe, lines = assert(io.popen("unset LD_PRELOAD; " .. command)), {}
  for line in pipe:lines() do
    lines[#lines + 1] = line
  end
  pipe:close()
  return lines
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

-- Path -> text of the files below `folder` that have one of these suffixes.
local function sources(folder, ...)
  local files = {}
  for _, suffix in ipairs { ... } do
    for _, path in ipairs(lines_of("find " .. folder .. " -name '*." .. suffix .. "'")) do
      files[path] = read(path)
    end
  end
  assert(next(files), "nothing found in " .. folder)
  return files
end

local function with(files, path, text)
  local more = { [path] = text }
  for k, v in pairs(files) do
    more[k] = more[k] or v
  end
  return more
end

local function matches(text, patterns)
  for _, pattern in ipairs(patterns) do
    if text:find(pattern) then
      return true
    end
  end
  return false
end

-- ---- C: includes ----------------------------------------------------------------------------------------------------

-- What files may include of ours: the first pattern that a path matches decides.
local own_headers = {
  { "^csrc/base/", { "^base/" } },
  { "^csrc/smtp/", { "^base/", "^smtp/" } },
  { "^csrc/sasl/", { "^base/", "^sasl/" } },
  { "^csrc/tls/", { "^base/", "^tls/" } },
  { "^csrc/mime/", { "^base/", "^mime/" } },
  { "^csrc/dkim/", { "^base/", "^dkim/" } },
  { "^csrc/smime/", { "^base/", "^smime/" } },
  { "^csrc/sock/", { "^base/", "^sock/", "^lua/check%.h$" } },
  { "^csrc/prep/", { "^base/", "^lua/check%.h$" } },
  { "^csrc/lua/", { "^base/", "^dkim/", "^lua/", "^mime/", "^sasl/", "^smime/", "^smtp/", "^smtpsec%.h$", "^tls/" } },
  { "^csrc/", { "^base/", "^login%.h$", "^sasl/", "^smtp/", "^smtpsec%.h$", "^tls/" } },
}

-- Which files may include these of the system's.
local system_headers = {
  { { "^lua%.h$", "^lauxlib%.h$", "^lualib%.h$", "^luajit%.h$" }, { "^csrc/lua/", "^csrc/sock/", "^csrc/prep/" } },
  { { "^openssl/" }, { "^csrc/tls/", "^csrc/smime/", "^csrc/sasl/%w+_[%w_]+%.c$", "^csrc/sasl/scram%.[ch]$",
    "^csrc/dkim/key%.c$", "^csrc/dkim/digest%.c$", "^csrc/base/wipe%.c$", "^csrc/base/random%.c$",
    "^csrc/base/pem%.c$", "^csrc/base/openssl_error%.c$" } },
  { { "^stringprep%.h$", "^idn2%.h$" }, { "^csrc/prep/" } },
  { { "^unigbrk%.h$" }, { "^csrc/mime/grapheme%.c$" } },
  { { "^sys/socket%.h$", "^sys/un%.h$", "^sys/select%.h$", "^sys/epoll%.h$", "^netdb%.h$", "^netinet/", "^poll%.h$",
    "^resolv%.h$", "^signal%.h$", "^pthread%.h$", "^threads%.h$" }, { "^csrc/sock/" } },
}

local function may_include(path, kind, header)
  for _, rule in ipairs(kind == '"' and own_headers or {}) do
    if path:find(rule[1]) then
      return matches(header, rule[2])
    end
  end
  for _, rule in ipairs(kind == "<" and system_headers or {}) do
    if matches(header, rule[1]) then
      return matches(path, rule[2])
    end
  end
  return kind == "<"
end

-- Path and header of every include that is out of place.
local function wrong_includes(files)
  local wrong = {}
  for path, text in pairs(files) do
    for kind, header in ("\n" .. text):gmatch '\n%s*#%s*include%s*([<"])([^>"]+)' do
      if not may_include(path, kind, header) then
        wrong[#wrong + 1] = path .. " includes " .. header
      end
    end
  end
  return wrong
end

describe("the C layers", function()
  local files = sources("csrc", "c", "h")

  it("include what is theirs", function()
    assert.same({}, wrong_includes(files))
  end)

  for path, line in pairs {
    ["csrc/conn.c"] = "#include <lua.h>", ["csrc/smtpsec.h"] = "#include <lauxlib.h>",
    ["csrc/smtp/a.c"] = "#include <lua.h>", ["csrc/smtp/b.c"] = "# include <openssl/ssl.h>",
    ["csrc/smtp/c.c"] = '#include "tls/tls.h"',
    ["csrc/smtp/d.c"] = '#include "sasl/sasl.h"', ["csrc/smtp/e.c"] = '#include "mime/codec.h"',
    ["csrc/smtp/f.c"] = '#include "lua/check.h"', ["csrc/smtp/g.c"] = "#include <sys/socket.h>",
    ["csrc/mime/a.c"] = '#include "smtp/data.h"', ["csrc/mime/b.c"] = '#include "tls/tls.h"',
    ["csrc/mime/d.c"] = '#include "dkim/key.h"', ["csrc/dkim/a.c"] = '#include "mime/codec.h"',
    ["csrc/dkim/body.c"] = "#include <openssl/evp.h>",
    ["csrc/mime/c.c"] = "#include <openssl/evp.h>", ["csrc/tls/a.c"] = '#include "smtp/proto.h"',
    ["csrc/smime/a.c"] = '#include "mime/codec.h"', ["csrc/smime/b.c"] = '#include "tls/context.h"',
    ["csrc/mime/smime.c"] = '#include "smime/cms.h"', ["csrc/lua/smime.c"] = "#include <openssl/cms.h>",
    ["csrc/tls/b.c"] = "#include <poll.h>", ["csrc/sasl/a.c"] = '  #include "smtp/auth.h"',
    ["csrc/sasl/sasl.c"] = "#include <openssl/evp.h>", ["csrc/base/a.c"] = '#include "smtp/data.h"',
    ["csrc/prep/a.c"] = '#include "sasl/sasl.h"', ["csrc/prep/b.c"] = "#include <openssl/evp.h>",
    ["csrc/lua/c.c"] = "#include <stringprep.h>", ["csrc/mime/i.c"] = "#include <idn2.h>",
    ["csrc/mime/word.c"] = "#include <unigbrk.h>",
    ["csrc/sasl/plain.c"] = "#include <openssl/evp.h>",
    ["csrc/base/buf.c"] = "#include <openssl/crypto.h>", ["csrc/lua/a.c"] = '#include "sock/dial.h"',
    ["csrc/lua/b.c"] = "#include <netdb.h>", ["csrc/sock/a.c"] = '#include "smtpsec.h"',
    ["csrc/sock/b.c"] = '#include "lua/tls.h"', ["csrc/sock/c.c"] = "#include <openssl/ssl.h>",
    ["csrc/new.c"] = '#include "mime/codec.h"', ["csrc/new2.c"] = '#include "../conn.c"',
  } do
    it(("would not include %s in %s"):format(line, path), function()
      local wrong = wrong_includes(with(files, path, "/* x */\n" .. line .. "\n"))
      assert.equal(1, #wrong)
      assert.truthy(wrong[1]:find(path, 1, true))
    end)
  end
end)

-- ---- C: symbols -----------------------------------------------------------------------------------------------------

-- What the engine must not call: the network, waiting, clocks, signals, threads, other processes, the environment; nor
-- anything that prints, because the watch over secrets (spec/support/secrets.lua) hears only what Lua writes.
local forbidden = {}
for name in ([[
  socket socketpair bind listen accept accept4 connect shutdown getsockopt setsockopt getsockname getpeername
  send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg sendfile splice
  select pselect poll ppoll epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait sleep usleep nanosleep
  getaddrinfo gethostbyname gethostbyname2 getnameinfo gethostname res_init res_query res_search
  time gettimeofday clock clock_gettime signal sigaction sigprocmask pthread_sigmask raise kill alarm setitimer
  pthread_create thrd_create fork vfork execv execve execvp execl execlp posix_spawn posix_spawnp system popen
  getenv secure_getenv setenv putenv setlocale exit _exit abort atexit
  BIO_new_connect BIO_new_accept BIO_new_socket BIO_new_dgram SSL_set_fd
  OPENSSL_cleanup OPENSSL_init_ssl OPENSSL_init_crypto
  printf vprintf fprintf vfprintf dprintf puts putchar fputs fputc putc fwrite write writev perror
]]):gmatch "%S+" do
  forbidden[name] = true
end

-- Undefined and defined symbols of a shared object, without versions; those of the compiler's own run-time left out.
local function symbols(path, which)
  local names = {}
  for _, line in ipairs(lines_of("nm -D --" .. which .. "-only '" .. path .. "'")) do
    local name = line:match "(%S+)$":gsub("@.*", ""):gsub("^__(%w+)_chk$", "%1"):gsub("^__isoc99_", "")
    if not name:find "^__" then
      names[#names + 1] = name
    end
  end
  return names
end

-- What is wrong with a module's symbols.
local function wrong_symbols(path)
  local wrong = {}
  for _, name in ipairs(symbols(path, "undefined")) do
    if forbidden[name:gsub("64$", "")] then
      wrong[#wrong + 1] = "calls " .. name
    end
  end
  for _, name in ipairs(symbols(path, "defined")) do
    if not name:find "^luaopen_smtpsec_" then
      wrong[#wrong + 1] = "shows " .. name
    end
  end
  table.sort(wrong)
  return wrong
end

local function module_path(name)
  return assert(package.searchpath(name, package.cpath))
end

describe("the C modules", function()
  it("call nothing of the network, and show nothing but what opens them", function()
    local path = module_path "smtpsec.core"
    assert.same({}, wrong_symbols(path))
    assert.same({ "luaopen_smtpsec_core" }, symbols(path, "defined"))
    assert.same({ "luaopen_smtpsec_sock" }, symbols(module_path "smtpsec.sock", "defined"))
    assert.same({}, wrong_symbols(module_path "smtpsec.saslprep"))
    assert.same({}, wrong_symbols(module_path "smtpsec.idna"))
  end)

  it("would be caught if they did", function()
    local socket = {}
    for _, wrong in ipairs(wrong_symbols(module_path "smtpsec.sock")) do
      socket[wrong] = true
    end
    assert.is_true(socket["calls connect"] and socket["calls recv"] and socket["calls poll"])

    local base = os.tmpname()
    local file = assert(io.open(base .. ".c", "w"))
    file:write [[
      #include <signal.h>
      #include <sys/socket.h>
      #include <time.h>
      int leaked(void) { return socket(1, 1, 0) + (int)time(0) + (signal(SIGPIPE, SIG_IGN) == SIG_ERR); }
      int luaopen_smtpsec_core(void *L) { return L != 0; }
    ]]
    file:close()
    lines_of(("cc -shared -fPIC -o %s.so %s.c"):format(base, base))
    local wrong = wrong_symbols(base .. ".so")
    os.execute(("rm -f %s %s.c %s.so"):format(base, base, base))
    assert.same({ "calls signal", "calls socket", "calls time", "shows leaked" }, wrong)
  end)
end)

-- ---- Lua: requires --------------------------------------------------------------------------------------------------

local connections = { "^smtpsec%.session$", "^smtpsec%.transaction$", "^smtpsec%.pool$", "^smtpsec%.pump$",
  "^smtpsec%.mailer$" }
local composition = { "^smtpsec%.mime", "^smtpsec%.message$", "^smtpsec%.address$", "^smtpsec%.dkim$" }
local drivers = { "^smtpsec%.io", "^smtpsec%.sock$" }
local sink = { "^smtpsec%.sink" }

local function all(...)
  local patterns = {}
  for _, list in ipairs { ... } do
    for _, pattern in ipairs(list) do
      patterns[#patterns + 1] = pattern
    end
  end
  return patterns
end

-- Where secrets come from is the same wherever one is needed.
local secrets = { "^smtpsec%.config%.secret$", "^smtpsec%.config%.access$", "^smtpsec%.config%.environment$" }

-- Modules of these names reach none of those, by however many steps, but for what a third list allows.
local lua_rules = {
  { { "^smtpsec%.pump$" },
    all(composition, drivers, sink, { "%.session$", "%.transaction$", "%.pool$", "%.mailer$" }) },
  { { "^smtpsec%.session$", "^smtpsec%.transaction$", "^smtpsec%.pool$" },
    all(composition, drivers, sink, { "%.mailer$" }) },
  { composition, all(connections, drivers, sink, { "^smtpsec%.config", "^smtpsec%.tls$" }), secrets },
  { drivers, all(connections, composition, sink, { "^smtpsec%.config", "^smtpsec%.tls$" }) },
  { { "^smtpsec$", "^smtpsec%.mailer$", "^smtpsec%.config" }, sink },
  { { "^smtpsec" }, { "^spec", "^busted", "^luassert" } },
}

-- The engine's parts that a layer has no use for.
local engine_rules = {
  { composition, { "core%.connection", "core%.context", "core%.tls_" } },
  { drivers, { "core%.connection", "core%.context", "core%.tls_" } },
}

local function module_of(path)
  return (path:gsub("^lua/", ""):gsub("%.lua$", ""):gsub("/init$", ""):gsub("/", "."))
end

-- Without comments, which may name anything.
local function code_of(text)
  return (text:gsub("%-%-[^\n]*", ""))
end

-- Module -> list of the modules that it requires. A name that is put together counts as far as it is written out.
local function requires(files)
  local graph = {}
  for path, text in pairs(files) do
    local found = {}
    for name in code_of(text):gmatch "require%s*%(?%s*[\"']([%w_.]+)" do
      found[#found + 1] = name
    end
    graph[module_of(path)] = found
  end
  return graph
end

local function reachable(graph, from, seen)
  seen = seen or {}
  for _, name in ipairs(graph[from] or {}) do
    if not seen[name] then
      seen[name] = true
      reachable(graph, name, seen)
    end
  end
  return seen
end

local function wrong_requires(files)
  local graph, wrong = requires(files), {}
  for module in pairs(graph) do
    for _, rule in ipairs(lua_rules) do
      for name in pairs(matches(module, rule[1]) and reachable(graph, module) or {}) do
        if matches(name, rule[2]) and not matches(name, rule[3] or {}) then
          wrong[#wrong + 1] = module .. " reaches " .. name
        end
      end
    end
  end
  for path, text in pairs(files) do
    for _, rule in ipairs(engine_rules) do
      if matches(module_of(path), rule[1]) and matches(code_of(text), rule[2]) then
        wrong[#wrong + 1] = module_of(path) .. " uses the engine's connections"
      end
    end
  end
  return wrong
end

describe("the Lua layers", function()
  local files = sources("lua", "lua")

  it("require what is theirs", function()
    assert.same({}, wrong_requires(files))
  end)

  it("are all there", function()
    local graph = requires(files)
    for _, name in ipairs {
      "smtpsec", "smtpsec.pump", "smtpsec.session", "smtpsec.transaction", "smtpsec.pool", "smtpsec.mailer",
      "smtpsec.message", "smtpsec.mime.part", "smtpsec.io", "smtpsec.io.socket", "smtpsec.io.nginx", "smtpsec.sink",
    } do
      assert.is_truthy(graph[name], name)
    end
    assert.is_true(reachable(graph, "smtpsec")["smtpsec.mime.part"])
  end)

  for path, line in pairs {
    ["lua/smtpsec/pump.lua"] = 'local session = require "smtpsec.session"',
    ["lua/smtpsec/session.lua"] = 'local mime = require("smtpsec.mime.header")',
    ["lua/smtpsec/transaction.lua"] = "local message = require 'smtpsec.message'",
    ["lua/smtpsec/pool.lua"] = 'local socket = require"smtpsec.sock"',
    ["lua/smtpsec/message.lua"] = 'local pump = require ( "smtpsec.pump" )',
    ["lua/smtpsec/mime/part.lua"] = "local conn = core.connection {}",
    ["lua/smtpsec/mime/smime.lua"] = 'local config = require "smtpsec.config.login"',
    ["lua/smtpsec/mime/new.lua"] = 'local io = require("smtpsec.io." .. name)',
    ["lua/smtpsec/io/socket.lua"] = 'local message = require "smtpsec.message"',
    ["lua/smtpsec/io/new.lua"] = 'local mailer = require "smtpsec.mailer"',
    ["lua/smtpsec/config.lua"] = 'local sink = require "smtpsec.sink"',
    ["lua/smtpsec/errors.lua"] = 'local peer = require "spec.support.script"',
    ["lua/smtpsec/printable.lua"] = 'local mailer = require "smtpsec.mailer"', -- which everybody requires
  } do
    it(("would not have %s in %s"):format(line, path), function()
      assert.is_true(#wrong_requires(with(files, path, "-- x\n" .. line .. "\n")) > 0)
      assert.same({}, wrong_requires(with(files, path, "-- " .. line .. "\n")))
    end)
  end
end)
