std = "max"
max_line_length = 120
unused_args = true
self = false
files["spec"] = { std = "+busted" }
files["lua/smtpsec/io/nginx.lua"] = { globals = { "ngx" } }
exclude_files = { "build*/**" }
