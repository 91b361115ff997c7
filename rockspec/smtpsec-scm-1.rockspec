rockspec_format = "3.0"
package = "smtpsec"
version = "scm-1"
source = {
  url = "git+file://.", -- built from a checkout: luarocks make
}
description = {
  summary = "Mail submission that can be trusted: TLS required and proven, from Lua scripts and nginx",
  detailed = [[
    Sends mail over SMTP (STARTTLS and implicit TLS) from Lua 5.4, LuaJIT and nginx/OpenResty. TLS is required and
    verified unless told otherwise by name, each mail comes with a receipt of how it travelled, and "sent" means that
    the server took responsibility for it.
  ]],
  license = "MIT",
  labels = { "email", "smtp", "tls", "security", "nginx" },
}
supported_platforms = { "unix" }
dependencies = {
  "lua >= 5.1, < 5.5", -- in practice 5.4 and LuaJIT 2.1
}
external_dependencies = {
  OPENSSL = { header = "openssl/ssl.h", library = "ssl" }, -- TLS and all cryptography
  CRYPTO = { header = "openssl/crypto.h", library = "crypto" },
  LIBIDN = { header = "stringprep.h", library = "idn" }, -- user names and passwords that are not ASCII
  LIBIDN2 = { header = "idn2.h", library = "idn2" }, -- domains that are not
  UNISTRING = { header = "unigbrk.h", library = "unistring" }, -- where what a reader sees as one character ends
}
build = {
  type = "make", -- the Makefile's own rules: its warnings are not errors here, its flags and hidden symbols are the same
  build_target = "rock-build",
  install_target = "rock-install",
  build_variables = {
    CC = "$(CC)", OPTIMIZE = "$(CFLAGS)", WARN = "", LUA_INCDIR = "$(LUA_INCDIR)",
    INCLUDES = "-I$(OPENSSL_INCDIR) -I$(CRYPTO_INCDIR) -I$(LIBIDN_INCDIR) -I$(LIBIDN2_INCDIR) -I$(UNISTRING_INCDIR)",
    LIBRARIES = "-L$(OPENSSL_LIBDIR) -L$(CRYPTO_LIBDIR) -L$(LIBIDN_LIBDIR) -L$(LIBIDN2_LIBDIR) -L$(UNISTRING_LIBDIR)",
  },
  install_variables = { TO_LIB = "$(LIBDIR)", TO_LUA = "$(LUADIR)" },
}
test = {
  type = "command",
  command = "make check",
}
