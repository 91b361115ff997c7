/* tls: contexts, sessions, and the TLS filter by itself.
 *
 * Scripts meet contexts and sessions when they open connections (conn.c). The filter alone is for the server's side
 * (the sink) and for the specs that join two ends in memory. */
#include "lua/tls.h"
#include "base/base64.h"
#include "lua/check.h"
#include "lua/open.h"

#include <string.h>

static const char context_class[] = "smtpsec.tls_context";
static const char session_class[] = "smtpsec.tls_session";
static const char filter_class[] = "smtpsec.tls_filter";

enum { READ_CAP = 64 * 1024 };

typedef struct {
  ss_tls_context *context;
} context_box;

typedef struct {
  ss_tls_session *session;
} session_box;

typedef struct {
  ss_tls *tls;
  ss_buf plain; /* what was read, until it is pushed */
} filter_box;

/* --- contexts --- */

ss_tls_context *ss_lua_check_context(lua_State *L, int arg)
{
  context_box *box = luaL_checkudata(L, arg, context_class);
  luaL_argcheck(L, box->context, arg, "the TLS context is closed");
  return box->context;
}

static int context_close(lua_State *L)
{
  context_box *box = luaL_checkudata(L, 1, context_class);
  ss_tls_context_unref(box->context);
  box->context = NULL;
  return 0;
}

/* core.context{ role = "client" | "server", ca_file=, ca_path=, crl_file=, require_ocsp=, cert=, key=, key_password=,
 * min_version=, max_version=, ciphers=, ciphersuites=, groups= } -> context | nil, status, text */
static int context_new(lua_State *L)
{
  static const char *const roles[] = {[SS_TLS_CLIENT] = "client", [SS_TLS_SERVER] = "server", NULL};
  luaL_checktype(L, 1, LUA_TTABLE);
  const ss_tls_settings settings = {
      .role = (ss_tls_role)ss_opt_field_choice(L, 1, "role", roles, SS_TLS_CLIENT),
      .ca_file = ss_opt_field_text(L, 1, "ca_file"),
      .ca_path = ss_opt_field_text(L, 1, "ca_path"),
      .crl_file = ss_opt_field_text(L, 1, "crl_file"),
      .require_ocsp = ss_opt_field_bool(L, 1, "require_ocsp"),
      .cert = ss_opt_field_text(L, 1, "cert"),
      .key = ss_opt_field_text(L, 1, "key"),
      .key_password = ss_opt_field_text(L, 1, "key_password"),
      .min_version = ss_opt_field_text(L, 1, "min_version"),
      .max_version = ss_opt_field_text(L, 1, "max_version"),
      .ciphers = ss_opt_field_text(L, 1, "ciphers"),
      .ciphersuites = ss_opt_field_text(L, 1, "ciphersuites"),
      .groups = ss_opt_field_text(L, 1, "groups"),
  };
  context_box *box = ss_new_object(L, sizeof *box, context_class);
  ss_error e;
  box->context = ss_tls_context_new(&settings, &e);
  return box->context ? 1 : ss_push_failure(L, &e);
}

/* --- peers --- */

static bool read_pin(const char *text, size_t n, uint8_t *pin)
{
  uint8_t bytes[SS_TLS_PIN_SIZE + 1]; /* the decoder writes whole groups of three */
  size_t length;
  bool good = n == ss_base64_length(SS_TLS_PIN_SIZE) && ss_base64_decode_to(bytes, text, n, &length) &&
              length == SS_TLS_PIN_SIZE;
  if (good) memcpy(pin, bytes, SS_TLS_PIN_SIZE);
  return good;
}

/* Leaves one value on the stack that holds the pins. */
static void check_pins(lua_State *L, int arg, ss_tls_peer *peer)
{
  lua_getfield(L, arg, "pins");
  if (lua_isnil(L, -1)) return;
  luaL_argcheck(L, lua_istable(L, -1), arg, "pins: a list expected");
  size_t count = ss_rawlen(L, -1);
  luaL_argcheck(L, count <= SS_TLS_PINS_MAX, arg, "pins: too many");
  uint8_t *pins = ss_newuserdata(L, count * SS_TLS_PIN_SIZE + 1);
  for (size_t i = 0; i < count; i++) {
    size_t n = 0;
    lua_rawgeti(L, -2, (int)i + 1);
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &n) : "";
    luaL_argcheck(L, read_pin(text, n, pins + i * SS_TLS_PIN_SIZE), arg,
                  "pins: base64 of a SHA-256 digest expected (44 characters)");
    lua_pop(L, 1);
  }
  lua_replace(L, -2);
  peer->pins = pins;
  peer->pin_count = count;
}

void ss_lua_check_peer(lua_State *L, int arg, ss_tls_peer *peer)
{
  enum { PKIX, PIN, NONE };
  static const char *const ways[] = {[PKIX] = "pkix", [PIN] = "pin", [NONE] = "none", NULL};
  luaL_checktype(L, arg, LUA_TTABLE);
  int way = ss_opt_field_choice(L, arg, "verify", ways, PKIX);
  *peer = (ss_tls_peer){.name = ss_opt_field_text(L, arg, "server_name"),
                        .port = ss_opt_field_text(L, arg, "port"),
                        .verify = way == PIN ? SS_TLS_PIN : SS_TLS_PKIX,
                        .optional = way == NONE || ss_opt_field_bool(L, arg, "optional")};
  check_pins(L, arg, peer);
}

/* --- sessions --- */

ss_tls_session *ss_lua_test_session(lua_State *L, int arg)
{
  session_box *box = luaL_testudata(L, arg, session_class);
  return box ? box->session : NULL;
}

static int session_close(lua_State *L)
{
  session_box *box = luaL_checkudata(L, 1, session_class);
  ss_tls_session_unref(box->session);
  box->session = NULL;
  return 0;
}

/* session:ends() -> when the server will not know it any more, in seconds since 1970; 0 when it is of no use */
static int session_ends(lua_State *L)
{
  const session_box *box = luaL_checkudata(L, 1, session_class);
  lua_pushinteger(L, box->session ? (lua_Integer)ss_tls_session_ends(box->session) : 0);
  return 1;
}

/* session:once() -> whether it is good for one connection only, as one of TLS 1.3 */
static int session_once(lua_State *L)
{
  const session_box *box = luaL_checkudata(L, 1, session_class);
  lua_pushboolean(L, !box->session || ss_tls_session_once(box->session));
  return 1;
}

void ss_lua_push_session(lua_State *L, ss_tls *t)
{
  session_box *box = ss_new_object(L, sizeof *box, session_class);
  box->session = ss_tls_take_session(t);
  if (box->session) return;
  lua_pop(L, 1);
  lua_pushnil(L);
}

/* --- facts --- */

static void set_text(lua_State *L, const char *key, const char *value)
{
  if (!value || !value[0]) return;
  lua_pushstring(L, value);
  lua_setfield(L, -2, key);
}

static void push_peer(lua_State *L, const ss_tls_certificate *c)
{
  const char *name = c->names;
  lua_createtable(L, 0, 5);
  set_text(L, "subject", c->subject);
  set_text(L, "expires", c->expires);
  set_text(L, "sha256", c->sha256);
  set_text(L, "pin", c->pin);
  lua_createtable(L, (int)c->name_count, 0);
  for (size_t i = 0; i < c->name_count; i++, name += strlen(name) + 1) {
    lua_pushstring(L, name);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_setfield(L, -2, "names");
}

void ss_lua_push_facts(lua_State *L, ss_tls *t)
{
  ss_tls_facts f;
  ss_tls_facts_now(t, &f);
  lua_createtable(L, 0, 9); /* with what tls.lua adds */
  set_text(L, "version", f.version);
  set_text(L, "cipher", f.cipher);
  set_text(L, "group", f.group);
  lua_pushboolean(L, f.resumed);
  lua_setfield(L, -2, "resumed");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "authenticated");
  set_text(L, "authenticated", f.authenticated);
  set_text(L, "reason", f.reason);
  if (!f.peer) return;
  push_peer(L, f.peer);
  lua_setfield(L, -2, "peer");
}

/* --- the filter --- */

static filter_box *check_filter(lua_State *L)
{
  filter_box *box = luaL_checkudata(L, 1, filter_class);
  luaL_argcheck(L, box->tls, 1, "the TLS filter is closed");
  return box;
}

static int filter_close(lua_State *L)
{
  filter_box *box = luaL_checkudata(L, 1, filter_class);
  ss_tls_free(box->tls);
  box->tls = NULL;
  ss_buf_free(&box->plain);
  return 0;
}

static int new_filter(lua_State *L, ss_tls_context *context, const ss_tls_peer *peer, ss_tls_session *session)
{
  ss_error e;
  filter_box *box = ss_new_object(L, sizeof *box, filter_class);
  ss_buf_init(&box->plain, READ_CAP);
  box->tls = ss_tls_new(context, peer, session, &e);
  return box->tls ? 1 : ss_push_failure(L, &e);
}

/* core.tls_client(context, { server_name=, port=, verify=, pins=, session= }) -> filter | nil, status, text */
static int client_new(lua_State *L)
{
  ss_tls_context *context = ss_lua_check_context(L, 1);
  ss_tls_peer peer;
  ss_lua_check_peer(L, 2, &peer);
  lua_getfield(L, 2, "session");
  return new_filter(L, context, &peer, ss_lua_test_session(L, -1));
}

/* core.tls_server(context) -> filter | nil, status, text */
static int server_new(lua_State *L)
{
  return new_filter(L, ss_lua_check_context(L, 1), NULL, NULL);
}

/* nil, status, text, reason: the filter's own error where there is one. */
static int push_status(lua_State *L, const filter_box *box, ss_status status)
{
  ss_error e = *ss_tls_error(box->tls);
  if (e.status != status)
    ss_fail(&e, status, "%s",
            status == SS_AGAIN    ? "more bytes are needed"
            : status == SS_E_FULL ? "drain first"
                                  : "not legal now");
  return ss_push_failure(L, &e);
}

static int push_done(lua_State *L, const filter_box *box, ss_status status)
{
  if (status != SS_OK) return push_status(L, box, status);
  lua_pushboolean(L, 1);
  return 1;
}

/* filter:feed(bytes) -> true | nil, status, text, reason; "" is the end of the stream */
static int filter_feed(lua_State *L)
{
  filter_box *box = check_filter(L);
  size_t n;
  const char *bytes = luaL_checklstring(L, 2, &n);
  if (n == 0) ss_tls_eof(box->tls);
  return push_done(L, box, n ? ss_tls_feed(box->tls, bytes, n) : SS_OK);
}

/* filter:handshake() -> true | nil, "again" or another status, text, reason */
static int filter_handshake(lua_State *L)
{
  filter_box *box = check_filter(L);
  return push_done(L, box, ss_tls_handshake(box->tls));
}

/* filter:read() -> bytes, never none | nil, "again" or another status, text, reason */
static int filter_read(lua_State *L)
{
  filter_box *box = check_filter(L);
  ss_status status = ss_tls_read(box->tls, &box->plain);
  if (ss_buf_len(&box->plain) == 0) return push_status(L, box, status);
  lua_pushlstring(L, (const char *)ss_buf_data(&box->plain), ss_buf_len(&box->plain));
  ss_buf_clear(&box->plain);
  return 1;
}

/* filter:write(bytes) -> how many were taken | nil, status, text, reason */
static int filter_write(lua_State *L)
{
  filter_box *box = check_filter(L);
  size_t n, taken;
  const char *bytes = luaL_checklstring(L, 2, &n);
  ss_status status = ss_tls_write(box->tls, bytes, n, &taken);
  if (status != SS_OK) return push_status(L, box, status);
  lua_pushinteger(L, (lua_Integer)taken);
  return 1;
}

/* filter:output() -> bytes to send, "" when there are none */
static int filter_output(lua_State *L)
{
  size_t n;
  const uint8_t *bytes = ss_tls_output(check_filter(L)->tls, &n);
  lua_pushlstring(L, n ? (const char *)bytes : "", n);
  return 1;
}

/* filter:consumed(n): n bytes of the output went out */
static int filter_consumed(lua_State *L)
{
  filter_box *box = check_filter(L);
  size_t n;
  ss_tls_output(box->tls, &n);
  ss_tls_consumed(box->tls, (size_t)ss_check_int(L, 2, 0, (lua_Integer)n));
  return 0;
}

/* filter:close_notify() */
static int filter_close_notify(lua_State *L)
{
  ss_tls_close_notify(check_filter(L)->tls);
  return 0;
}

/* filter:closed_cleanly() -> whether the peer ended with close_notify */
static int filter_closed_cleanly(lua_State *L)
{
  lua_pushboolean(L, ss_tls_closed_cleanly(check_filter(L)->tls));
  return 1;
}

/* filter:facts() -> table */
static int filter_facts(lua_State *L)
{
  ss_lua_push_facts(L, check_filter(L)->tls);
  return 1;
}

/* filter:session() -> the newest session for a later connection that was not taken yet | nil */
static int filter_session(lua_State *L)
{
  ss_lua_push_session(L, check_filter(L)->tls);
  return 1;
}

void ss_lua_open_tls(lua_State *L)
{
  static const luaL_Reg none[] = {{NULL, NULL}};
  static const luaL_Reg session[] = {{"ends", session_ends}, {"once", session_once}, {NULL, NULL}};
  static const luaL_Reg filter[] = {{"feed", filter_feed},
                                    {"handshake", filter_handshake},
                                    {"read", filter_read},
                                    {"write", filter_write},
                                    {"output", filter_output},
                                    {"consumed", filter_consumed},
                                    {"close_notify", filter_close_notify},
                                    {"closed_cleanly", filter_closed_cleanly},
                                    {"facts", filter_facts},
                                    {"session", filter_session},
                                    {NULL, NULL}};
  static const luaL_Reg functions[] = {
      {"context", context_new}, {"tls_client", client_new}, {"tls_server", server_new}, {NULL, NULL}};
  ss_register_class(L, context_class, none, context_close);
  ss_register_class(L, session_class, session, session_close);
  ss_register_class(L, filter_class, filter, filter_close);
  luaL_setfuncs(L, functions, 0);
}
