#!/bin/sh
# rock.sh DIRECTORY: installs the rock for Lua 5.4 and for LuaJIT, one after the other from one copy of this checkout
# (LuaRocks builds inside the tree), and loads what was installed, with nothing else on the path.
set -eu
to=$1
# The rock is built as by somebody who has a copy of the tree and did not come from this make.
unset MAKEFLAGS MAKEOVERRIDES MAKELEVEL BUILD
from=$(cd "$(dirname "$0")/../.." && pwd)

install_for() { # interpreter, version for LuaRocks, further settings
  lua=$1 version=$2
  shift 2
  (cd "$to/source" && luarocks --lua-version "$version" --tree "$to/$lua/tree" make rockspec/smtpsec-scm-1.rockspec \
    CFLAGS="-O2 -fPIC -Wall" "$@" >"$to/$lua.log" 2>&1) || { cat "$to/$lua.log"; return 1; }
  share=$to/$lua/tree/share/lua/$version
  diff -r "$from/lua/smtpsec" "$share/smtpsec" # nothing is missing
  LUA_PATH="$share/?.lua;$share/?/init.lua" LUA_CPATH="$to/$lua/tree/lib/lua/$version/?.so" \
    "$lua" -e '
      local smtpsec = require "smtpsec"
      require "smtpsec.sink"
      assert(require "smtpsec.idna".to_ascii "ü.de" and require "smtpsec.saslprep".prepare "ü")
      local mailer = assert(smtpsec.new { host = "localhost", env_file = false })
      assert(mailer:close())
      print(_VERSION, jit and jit.version or "", "loads the installed rock")'
}

rm -rf "$to"
mkdir -p "$to/source"
cp -r "$from/csrc" "$from/lua" "$from/rockspec" "$from/Makefile" "$from/LICENSE" "$from/README.md" "$to/source"
install_for lua5.4 5.4
install_for luajit 5.1 LUA_INCDIR="$(pkg-config --variable=includedir luajit)"
