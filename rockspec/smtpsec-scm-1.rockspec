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
}
build = {
  type = "builtin",
  modules = {
    ["smtpsec.core"] = {
      sources = {
        "csrc/base/base64.c", "csrc/base/buf.c", "csrc/base/printable.c", "csrc/base/random.c",
        "csrc/base/status.c", "csrc/base/utf8.c", "csrc/base/wipe.c", "csrc/conn.c", "csrc/mime/base64.c",
        "csrc/mime/codec.c", "csrc/mime/crlf.c", "csrc/mime/file.c", "csrc/mime/quoted_printable.c",
        "csrc/mime/scan.c", "csrc/sasl/cram_md5.c", "csrc/sasl/list.c", "csrc/sasl/login.c", "csrc/sasl/plain.c",
        "csrc/sasl/sasl.c", "csrc/smtp/answer.c", "csrc/smtp/auth.c", "csrc/smtp/caps.c", "csrc/smtp/data.c",
        "csrc/smtp/mailbox.c", "csrc/smtp/param.c", "csrc/smtp/proto.c", "csrc/smtp/queue.c", "csrc/smtp/reply.c",
        "csrc/smtp/verb.c", "csrc/tls/context.c", "csrc/tls/facts.c", "csrc/tls/filter.c", "csrc/tls/identity.c",
        "csrc/tls/openssl_error.c", "csrc/tls/session.c", "csrc/tls/staple.c", "csrc/tls/trust.c",
        "csrc/tls/version.c", "csrc/tls/watch.c", "csrc/tls/wire.c", "csrc/lua/check.c", "csrc/lua/connection.c",
        "csrc/lua/core.c", "csrc/lua/mime.c", "csrc/lua/text.c", "csrc/lua/tls.c",
      },
      defines = { "_GNU_SOURCE" },
      incdirs = { "csrc", "$(OPENSSL_INCDIR)", "$(CRYPTO_INCDIR)" },
      libdirs = { "$(OPENSSL_LIBDIR)", "$(CRYPTO_LIBDIR)" },
      libraries = { "ssl", "crypto", "m" },
    },
    ["smtpsec.sock"] = {
      sources = {
        "csrc/sock/address.c", "csrc/sock/bind_dial.c", "csrc/sock/bind_listen.c", "csrc/sock/bind_poll.c",
        "csrc/sock/bind_resolve.c", "csrc/sock/bind_stream.c", "csrc/sock/clock.c", "csrc/sock/dial.c",
        "csrc/sock/listen.c", "csrc/sock/poll.c", "csrc/sock/resolve.c", "csrc/sock/sock.c", "csrc/sock/stream.c",
        "csrc/sock/trouble.c", "csrc/sock/watch.c", "csrc/lua/check.c", "csrc/base/status.c",
      },
      defines = { "_GNU_SOURCE" },
      incdirs = { "csrc" },
      libraries = { "pthread", "m" },
    },
    ["smtpsec.address"] = "lua/smtpsec/address.lua",
    ["smtpsec.command"] = "lua/smtpsec/command.lua",
    ["smtpsec.config"] = "lua/smtpsec/config.lua",
    ["smtpsec.config.dotenv"] = "lua/smtpsec/config/dotenv.lua",
    ["smtpsec.config.environment"] = "lua/smtpsec/config/environment.lua",
    ["smtpsec.config.login"] = "lua/smtpsec/config/login.lua",
    ["smtpsec.config.options"] = "lua/smtpsec/config/options.lua",
    ["smtpsec.config.secret"] = "lua/smtpsec/config/secret.lua",
    ["smtpsec.config.server"] = "lua/smtpsec/config/server.lua",
    ["smtpsec.config.sources"] = "lua/smtpsec/config/sources.lua",
    ["smtpsec.config.tls"] = "lua/smtpsec/config/tls.lua",
    ["smtpsec.config.url"] = "lua/smtpsec/config/url.lua",
    ["smtpsec.errors"] = "lua/smtpsec/errors.lua",
    ["smtpsec.hints"] = "lua/smtpsec/hints.lua",
    ["smtpsec"] = "lua/smtpsec/init.lua",
    ["smtpsec.io.cqueues"] = "lua/smtpsec/io/cqueues.lua",
    ["smtpsec.io.hello"] = "lua/smtpsec/io/hello.lua",
    ["smtpsec.io"] = "lua/smtpsec/io/init.lua",
    ["smtpsec.io.luv"] = "lua/smtpsec/io/luv.lua",
    ["smtpsec.io.nginx"] = "lua/smtpsec/io/nginx.lua",
    ["smtpsec.io.nginx.dial"] = "lua/smtpsec/io/nginx/dial.lua",
    ["smtpsec.io.polled"] = "lua/smtpsec/io/polled.lua",
    ["smtpsec.io.socket"] = "lua/smtpsec/io/socket.lua",
    ["smtpsec.mailer"] = "lua/smtpsec/mailer.lua",
    ["smtpsec.message"] = "lua/smtpsec/message.lua",
    ["smtpsec.mime.attachment"] = "lua/smtpsec/mime/attachment.lua",
    ["smtpsec.mime.body"] = "lua/smtpsec/mime/body.lua",
    ["smtpsec.mime.compose"] = "lua/smtpsec/mime/compose.lua",
    ["smtpsec.mime.composed"] = "lua/smtpsec/mime/composed.lua",
    ["smtpsec.mime.custom"] = "lua/smtpsec/mime/custom.lua",
    ["smtpsec.mime.date"] = "lua/smtpsec/mime/date.lua",
    ["smtpsec.mime.envelope"] = "lua/smtpsec/mime/envelope.lua",
    ["smtpsec.mime.fields"] = "lua/smtpsec/mime/fields.lua",
    ["smtpsec.mime.header"] = "lua/smtpsec/mime/header.lua",
    ["smtpsec.mime.message_id"] = "lua/smtpsec/mime/message_id.lua",
    ["smtpsec.mime.part"] = "lua/smtpsec/mime/part.lua",
    ["smtpsec.mime.raw"] = "lua/smtpsec/mime/raw.lua",
    ["smtpsec.mime.source"] = "lua/smtpsec/mime/source.lua",
    ["smtpsec.mime.stream"] = "lua/smtpsec/mime/stream.lua",
    ["smtpsec.mime.text"] = "lua/smtpsec/mime/text.lua",
    ["smtpsec.mime.token"] = "lua/smtpsec/mime/token.lua",
    ["smtpsec.mime.types"] = "lua/smtpsec/mime/types.lua",
    ["smtpsec.mime.unsubscribe"] = "lua/smtpsec/mime/unsubscribe.lua",
    ["smtpsec.mime.word"] = "lua/smtpsec/mime/word.lua",
    ["smtpsec.pool"] = "lua/smtpsec/pool.lua",
    ["smtpsec.printable"] = "lua/smtpsec/printable.lua",
    ["smtpsec.providers"] = "lua/smtpsec/providers.lua",
    ["smtpsec.pump"] = "lua/smtpsec/pump.lua",
    ["smtpsec.schema"] = "lua/smtpsec/schema.lua",
    ["smtpsec.session"] = "lua/smtpsec/session.lua",
    ["smtpsec.sink"] = "lua/smtpsec/sink.lua",
    ["smtpsec.sink.auth"] = "lua/smtpsec/sink/auth.lua",
    ["smtpsec.sink.body"] = "lua/smtpsec/sink/body.lua",
    ["smtpsec.sink.child"] = "lua/smtpsec/sink/child.lua",
    ["smtpsec.sink.command"] = "lua/smtpsec/sink/command.lua",
    ["smtpsec.sink.connection"] = "lua/smtpsec/sink/connection.lua",
    ["smtpsec.sink.faults"] = "lua/smtpsec/sink/faults.lua",
    ["smtpsec.sink.frames"] = "lua/smtpsec/sink/frames.lua",
    ["smtpsec.sink.hello"] = "lua/smtpsec/sink/hello.lua",
    ["smtpsec.sink.journal"] = "lua/smtpsec/sink/journal.lua",
    ["smtpsec.sink.login"] = "lua/smtpsec/sink/login.lua",
    ["smtpsec.sink.maildir"] = "lua/smtpsec/sink/maildir.lua",
    ["smtpsec.sink.options"] = "lua/smtpsec/sink/options.lua",
    ["smtpsec.sink.pki"] = "lua/smtpsec/sink/pki.lua",
    ["smtpsec.sink.process"] = "lua/smtpsec/sink/process.lua",
    ["smtpsec.sink.reply"] = "lua/smtpsec/sink/reply.lua",
    ["smtpsec.sink.server"] = "lua/smtpsec/sink/server.lua",
    ["smtpsec.sink.session"] = "lua/smtpsec/sink/session.lua",
    ["smtpsec.sink.shell"] = "lua/smtpsec/sink/shell.lua",
    ["smtpsec.sink.store"] = "lua/smtpsec/sink/store.lua",
    ["smtpsec.sink.transaction"] = "lua/smtpsec/sink/transaction.lua",
    ["smtpsec.tls"] = "lua/smtpsec/tls.lua",
    ["smtpsec.transaction"] = "lua/smtpsec/transaction.lua",
  },
}
test = {
  type = "command",
  command = "make check",
}
