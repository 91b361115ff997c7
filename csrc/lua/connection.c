/* connection: the engine's ss_conn as a Lua object: its bytes, its events, and what is known of it; what it can be told is
 * in command.c. Each function checks its arguments, makes one call and pushes what came of it; a failure is nil, status,
 * text, reason. */
#include "lua/connection.h"
#include "lua/check.h"
#include "lua/open.h"
#include "lua/tls.h"

static const char class[] = "smtpsec.connection";

/* One output string at most: a Lua string is a copy, and a driver may take only a part of it. */
enum { OUTPUT_MAX = 1 << 18 };

typedef struct {
  ss_conn *conn;
} box;

ss_conn *ss_lua_check_connection(lua_State *L)
{
  box *b = ss_check_self(L, class);
  luaL_argcheck(L, b->conn, 1, "the connection is closed");
  return b->conn;
}

static int close(lua_State *L)
{
  box *b = luaL_checkudata(L, 1, class);
  ss_conn_free(b->conn);
  b->conn = NULL;
  return 0;
}

/* core.connection{ tls = "implicit" | "starttls" | "opportunistic" | "none", context=, session=, insecure_cleartext=,
 * without_pipelining=, without_chunking=, and the peer's fields } -> connection | nil, status, text */
static int new (lua_State *L)
{
  static const char *const modes[] = {[SS_TLS_IMPLICIT] = "implicit",
                                      [SS_TLS_STARTTLS] = "starttls",
                                      [SS_TLS_OPPORTUNISTIC] = "opportunistic",
                                      [SS_TLS_NONE] = "none",
                                      NULL};
  ss_conn_options options = {0};
  ss_error e;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  options.mode = (ss_tls_mode)ss_opt_field_choice(L, 1, "tls", modes, SS_TLS_STARTTLS);
  options.insecure_cleartext = ss_opt_field_bool(L, 1, "insecure_cleartext");
  options.without_pipelining = ss_opt_field_bool(L, 1, "without_pipelining");
  options.without_chunking = ss_opt_field_bool(L, 1, "without_chunking");
  if (options.mode != SS_TLS_NONE) {
    lua_getfield(L, 1, "context");
    options.context = ss_lua_check_context(L, 2);
    lua_getfield(L, 1, "session");
    options.session = ss_lua_test_session(L, 3);
    ss_lua_check_peer(L, 1, &options.peer);
  }
  box *b = ss_new_object(L, sizeof *b, class);
  b->conn = ss_conn_new(&options, &e);
  return b->conn ? 1 : ss_push_failure(L, &e);
}

/* ---- bytes ---------------------------------------------------------------------------------------------------- */

static int done(lua_State *L, ss_status status, const ss_error *e)
{
  if (status != SS_OK) return ss_push_failure(L, e);
  lua_pushboolean(L, 1);
  return 1;
}

/* conn:feed(bytes) -> true; "" is the end of the stream */
static int feed(lua_State *L)
{
  ss_error e;
  size_t n;
  ss_conn *c = ss_lua_check_connection(L);
  const char *bytes = luaL_checklstring(L, 2, &n);
  return done(L, ss_conn_feed(c, bytes, n, &e), &e);
}

/* conn:output() -> bytes to write, "" when there are none. Never fails: after an error it is what is left to say. */
static int output(lua_State *L)
{
  ss_error e;
  const uint8_t *bytes = NULL;
  size_t n = 0;
  ss_conn_output(ss_lua_check_connection(L), &bytes, &n, &e);
  lua_pushlstring(L, n ? (const char *)bytes : "", n < OUTPUT_MAX ? n : OUTPUT_MAX);
  return 1;
}

/* conn:consumed(n): n bytes of the output were written */
static int consumed(lua_State *L)
{
  ss_error e;
  const uint8_t *bytes;
  size_t n = 0;
  ss_conn *c = ss_lua_check_connection(L);
  ss_conn_output(c, &bytes, &n, &e);
  ss_conn_consumed(c, (size_t)ss_check_int(L, 2, 0, (lua_Integer)n));
  return 0;
}

static int push_reply(lua_State *L, const ss_event *event, int skipped)
{
  lua_pushliteral(L, "reply");
  if (event->verb < SS_VERBS)
    lua_pushstring(L, ss_verb_rule_of(event->verb)->name);
  else
    lua_pushliteral(L, "none");
  lua_pushinteger(L, (lua_Integer)event->tag);
  lua_pushinteger(L, event->reply.code);
  if (event->reply.enhanced[0])
    lua_pushstring(L, event->reply.enhanced);
  else
    lua_pushnil(L);
  lua_pushlstring(L, event->reply.text, event->reply.length);
  lua_pushinteger(L, skipped);
  return 7;
}

static int push_challenge(lua_State *L, const ss_event *event)
{
  lua_pushliteral(L, "challenge");
  lua_pushlstring(L, (const char *)event->challenge, event->challenge_length);
  return 2;
}

/* A reply that only says that all goes well so far. */
static bool is_routine(const ss_event *event)
{
  static const bool routine[SS_VERBS + 1] = {
      [SS_MAIL] = true, [SS_RCPT] = true, [SS_BDAT] = true, [SS_RSET] = true};
  return event->type == SS_EVENT_REPLY && routine[event->verb] && event->reply.code < 300;
}

/* conn:next(brief) -> "reply", verb, tag, code, enhanced or nil, text, skipped | "secured" | "challenge", bytes | "again",
 * skipped. With
 * `brief`, positive replies to MAIL, RCPT, BDAT and RSET are passed over and only counted: most replies of a bulk run. */
static int next(lua_State *L)
{
  ss_error e;
  ss_event event;
  ss_conn *c = ss_lua_check_connection(L);
  bool brief = lua_toboolean(L, 2);
  int skipped = 0;
  ss_status status = ss_conn_next(c, &event, &e);
  for (; status == SS_OK && brief && is_routine(&event); skipped++)
    status = ss_conn_next(c, &event, &e);
  if (status != SS_OK && status != SS_AGAIN) return ss_push_failure(L, &e);
  if (status == SS_OK && event.type == SS_EVENT_REPLY) return push_reply(L, &event, skipped);
  if (status == SS_OK && event.type == SS_EVENT_CHALLENGE) return push_challenge(L, &event);
  lua_pushstring(L, status == SS_OK ? "secured" : "again");
  lua_pushinteger(L, skipped);
  return 2;
}

/* ---- what is known -------------------------------------------------------------------------------------------- */

/* conn:sent(tag) -> whether all of that command has been written */
static int sent(lua_State *L)
{
  ss_conn *c = ss_lua_check_connection(L);
  lua_pushboolean(L, ss_conn_sent(c, (uint32_t)ss_check_int(L, 2, 1, INT32_MAX)));
  return 1;
}

static int phase(lua_State *L)
{
  lua_pushstring(L, ss_phase_name(ss_conn_phase(ss_lua_check_connection(L))));
  return 1;
}

/* conn:waiting() -> verb of the command whose reply is due | nil */
static int waiting(lua_State *L)
{
  ss_verb verb = ss_conn_waiting(ss_lua_check_connection(L));
  if (verb < SS_VERBS)
    lua_pushstring(L, ss_verb_rule_of(verb)->name);
  else
    lua_pushnil(L);
  return 1;
}

static int is_ready(lua_State *L)
{
  lua_pushboolean(L, ss_conn_is_ready(ss_lua_check_connection(L)));
  return 1;
}

static int is_idle(lua_State *L)
{
  lua_pushboolean(L, ss_conn_is_idle(ss_lua_check_connection(L)));
  return 1;
}

static int has_failed(lua_State *L)
{
  lua_pushboolean(L, ss_conn_failed(ss_lua_check_connection(L)));
  return 1;
}

/* Lua has no case-insensitive keys: keywords arrive in upper case. */
static void push_upper(lua_State *L, const char *s, size_t n)
{
  char upper[64];
  if (n > sizeof upper) n = sizeof upper; /* no keyword that anything here asks for is that long */
  for (size_t i = 0; i < n; i++)
    upper[i] = (char)(s[i] >= 'a' && s[i] <= 'z' ? s[i] - 32 : s[i]);
  lua_pushlstring(L, upper, n);
}

/* conn:capabilities() -> { KEYWORD = its parameters or "" }; a keyword offered twice has its parameters joined */
static int capabilities(lua_State *L)
{
  const ss_caps *caps = ss_conn_caps(ss_lua_check_connection(L));
  ss_keyword k;
  lua_newtable(L);
  for (size_t position = 0; ss_caps_next(caps, &position, &k);) {
    push_upper(L, k.name, k.name_length);
    lua_pushvalue(L, -1);
    lua_rawget(L, -3);
    bool again = lua_isstring(L, -1);
    if (again) lua_pushliteral(L, " ");
    lua_pushlstring(L, k.params, k.params_length);
    if (again)
      lua_concat(L, 3);
    else
      lua_remove(L, -2);
    lua_rawset(L, -3);
  }
  return 1;
}

/* conn:limits() -> { RCPTMAX=, MAILMAX=, RCPTDOMAINMAX= }, as far as the server declared them (RFC 9422) */
static int limits(lua_State *L)
{
  static const char *const names[] = {"RCPTMAX", "MAILMAX", "RCPTDOMAINMAX"};
  const ss_caps *caps = ss_conn_caps(ss_lua_check_connection(L));
  lua_newtable(L);
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    unsigned limit;
    if (!ss_caps_limit(caps, names[i], &limit)) continue;
    lua_pushinteger(L, (lua_Integer)limit);
    lua_setfield(L, -2, names[i]);
  }
  return 1;
}

/* conn:server_name() -> the name that the server gave itself | nil */
static int server_name(lua_State *L)
{
  size_t n;
  const char *name = ss_caps_server(ss_conn_caps(ss_lua_check_connection(L)), &n);
  if (n)
    lua_pushlstring(L, name, n);
  else
    lua_pushnil(L);
  return 1;
}

/* conn:tls() -> facts | nil before TLS began */
static int tls(lua_State *L)
{
  ss_tls *t = ss_conn_tls(ss_lua_check_connection(L));
  if (t)
    ss_lua_push_facts(L, t);
  else
    lua_pushnil(L);
  return 1;
}

/* conn:session() -> a TLS session to resume | nil */
static int session(lua_State *L)
{
  ss_tls *t = ss_conn_tls(ss_lua_check_connection(L));
  if (t)
    ss_lua_push_session(L, t);
  else
    lua_pushnil(L);
  return 1;
}

static int close_notify(lua_State *L)
{
  ss_conn_close_notify(ss_lua_check_connection(L));
  return 0;
}

void ss_lua_open_connection(lua_State *L)
{
  static const luaL_Reg methods[] = {
      {"feed", feed},      {"output", output}, {"consumed", consumed}, {"next", next},
      {"sent", sent},      {"phase", phase},   {"waiting", waiting},   {"capabilities", capabilities},
      {"limits", limits},  {"tls", tls},       {"session", session},   {"server_name", server_name},
      {"ready", is_ready}, {"idle", is_idle},  {"failed", has_failed}, {"close_notify", close_notify},
      {NULL, NULL},
  };
  ss_register_class(L, class, methods, close);
  luaL_getmetatable(L, class);
  lua_getfield(L, -1, "__index");
  ss_lua_add_commands(L);
  ss_lua_add_login(L);
  lua_pop(L, 2);
  lua_pushcfunction(L, new);
  lua_setfield(L, -2, "connection");
  ss_lua_push_mechanisms(L);
  lua_setfield(L, -2, "mechanisms");
}
