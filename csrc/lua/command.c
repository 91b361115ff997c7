/* command: the methods of a connection that queue commands (smtpsec.h), and the message. Each gives a tag, or a failure:
 * nil, status, text, reason. */
#include "lua/check.h"
#include "lua/connection.h"
#include "smtp/proto.h"

#include <string.h>

int ss_lua_push_tag(lua_State *L, int64_t tag, const ss_error *e)
{
  if (tag < 0) return ss_push_failure(L, e);
  lua_pushinteger(L, (lua_Integer)tag);
  return 1;
}

static int greet(lua_State *L, ss_verb verb)
{
  ss_error e;
  size_t n;
  ss_conn *c = ss_lua_check_connection(L);
  const char *name = luaL_checklstring(L, 2, &n);
  return ss_lua_push_tag(L, ss_conn_greet(c, verb, name, n, &e), &e);
}

static int simple(lua_State *L, ss_verb verb)
{
  ss_error e;
  ss_conn *c = ss_lua_check_connection(L);
  return ss_lua_push_tag(L, ss_conn_simple(c, verb, &e), &e);
}

static int ehlo(lua_State *L)
{
  return greet(L, SS_EHLO);
}

static int helo(lua_State *L)
{
  return greet(L, SS_HELO);
}

static int lhlo(lua_State *L)
{
  return greet(L, SS_LHLO);
}

static int starttls(lua_State *L)
{
  return simple(L, SS_STARTTLS);
}

static int data(lua_State *L)
{
  return simple(L, SS_DATA);
}

static int rset(lua_State *L)
{
  return simple(L, SS_RSET);
}

static int noop(lua_State *L)
{
  return simple(L, SS_NOOP);
}

static int quit(lua_State *L)
{
  return simple(L, SS_QUIT);
}

static void check_size(lua_State *L, int table, ss_mail_options *o)
{
  const lua_Integer exact = (lua_Integer)1 << 53;
  o->size = (uint64_t)ss_opt_field_int(L, table, "size", 0, exact, 0);
}

static void check_body_type(lua_State *L, int table, ss_mail_options *o)
{
  static const char *const types[] = {"8bit", "binary", NULL};
  o->body = (ss_body_type)(SS_BODY_8BIT + ss_opt_field_choice(L, table, "body", types, -1));
}

static void check_utf8(lua_State *L, int table, ss_mail_options *o)
{
  o->smtputf8 = ss_opt_field_bool(L, table, "smtputf8");
}

static void check_return(lua_State *L, int table, ss_mail_options *o)
{
  static const char *const returns[] = {"full", "headers", NULL};
  o->ret = (ss_return)(1 + ss_opt_field_choice(L, table, "ret", returns, -1));
}

static void check_envid(lua_State *L, int table, ss_mail_options *o)
{
  o->envid = ss_opt_field_string(L, table, "envid", &o->envid_length);
}

static void check_require_tls(lua_State *L, int table, ss_mail_options *o)
{
  o->require_tls = ss_opt_field_bool(L, table, "require_tls");
}

static void check_delivery(lua_State *L, int table, ss_mail_options *o)
{
  static const char *const modes[] = {"return", "notify", NULL};
  const lua_Integer no_time = SS_SECONDS_MAX + 1;
  lua_Integer by = ss_opt_field_int(L, table, "deliver_by", -SS_SECONDS_MAX, SS_SECONDS_MAX, no_time);
  int mode = ss_opt_field_choice(L, table, "deliver_mode", modes, 0);
  o->deliver_trace = ss_opt_field_bool(L, table, "deliver_trace");
  if (by == no_time) return;
  o->deliver_by = (int32_t)by;
  o->deliver = mode == 0 ? SS_DELIVER_OR_RETURN : SS_DELIVER_OR_NOTIFY;
}

static void check_priority(lua_State *L, int table, ss_mail_options *o)
{
  o->priority = (int8_t)ss_opt_field_int(L, table, "priority", -SS_PRIORITY_MAX, SS_PRIORITY_MAX, 0);
  o->prioritized = true;
}

static void check_hold(lua_State *L, int table, ss_mail_options *o)
{
  o->hold_for = (int32_t)ss_opt_field_int(L, table, "hold_for", 0, SS_SECONDS_MAX, 0);
  o->hold_until = (int64_t)ss_opt_field_int(L, table, "hold_until", 0, SS_DATE_MAX, 0);
}

static void check_mail_option(lua_State *L, int table, const char *name, ss_mail_options *o)
{
  static const struct {
    const char *name;
    void (*check)(lua_State *L, int table, ss_mail_options *o);
  } options[] = {
      {"size", check_size},           {"body", check_body_type},        {"smtputf8", check_utf8},
      {"ret", check_return},          {"envid", check_envid},           {"require_tls", check_require_tls},
      {"deliver_by", check_delivery}, {"deliver_mode", check_delivery}, {"deliver_trace", check_delivery},
      {"priority", check_priority},   {"hold_for", check_hold},         {"hold_until", check_hold},
  };
  size_t i = 0, count = sizeof options / sizeof *options;
  while (i < count && strcmp(options[i].name, name) != 0)
    i++;
  if (i < count) options[i].check(L, table, o);
}

/* Only what is there is looked at: of the many options most mails have two or three. */
static void check_mail_options(lua_State *L, int table, ss_mail_options *o)
{
  lua_pushnil(L);
  while (lua_next(L, table)) {
    lua_pop(L, 1);
    if (lua_type(L, -1) == LUA_TSTRING) check_mail_option(L, table, lua_tostring(L, -1), o);
  }
}

/* conn:mail(mailbox, options) -> tag; an empty mailbox is the null reverse-path. Options (smtp/param.h says what they mean,
 * and which are left out where they are not offered): size, body = "8bit" | "binary", smtputf8, require_tls; ret = "full" | "headers",
 * envid; deliver_by (seconds), deliver_mode = "return" (default) | "notify", deliver_trace; priority; hold_for (seconds),
 * hold_until (seconds since 1970) */
static int mail(lua_State *L)
{
  ss_error e;
  size_t n;
  ss_mail_options options = {0};
  ss_conn *c = ss_lua_check_connection(L);
  const char *mailbox = luaL_checklstring(L, 2, &n);
  if (!lua_isnoneornil(L, 3)) {
    luaL_checktype(L, 3, LUA_TTABLE);
    check_mail_options(L, 3, &options);
  }
  return ss_lua_push_tag(L, ss_conn_mail(c, mailbox, n, &options, &e), &e);
}

/* The field `notify`, a list of words, as a set. */
static unsigned check_notify(lua_State *L, int table)
{
  static const char *const words[] = {"never", "success", "failure", "delay", NULL};
  unsigned notify = 0;
  lua_getfield(L, table, "notify");
  if (!lua_isnil(L, -1)) {
    luaL_argcheck(L, lua_istable(L, -1), table, "notify: a list expected");
    for (int i = 1, n = (int)ss_rawlen(L, -1); i <= n; i++) {
      lua_rawgeti(L, -1, i);
      notify |= 1U << luaL_checkoption(L, -1, NULL, words);
      lua_pop(L, 1);
    }
  }
  lua_pop(L, 1);
  return notify;
}

static void check_rcpt_options(lua_State *L, int table, ss_rcpt_options *o)
{
  o->notify = check_notify(L, table);
  o->orcpt = ss_opt_field_bool(L, table, "orcpt");
}

/* conn:rcpt(mailbox, { notify = { "never" } or a list of "success", "failure", "delay"; orcpt = true }) -> tag */
static int rcpt(lua_State *L)
{
  ss_error e;
  size_t n;
  ss_rcpt_options options = {0};
  ss_conn *c = ss_lua_check_connection(L);
  const char *mailbox = luaL_checklstring(L, 2, &n);
  if (!lua_isnoneornil(L, 3)) {
    luaL_checktype(L, 3, LUA_TTABLE);
    check_rcpt_options(L, 3, &options);
  }
  return ss_lua_push_tag(L, ss_conn_rcpt(c, mailbox, n, &options, &e), &e);
}

/* What a call takes of the string at 2, beginning with byte `from` at 3 (1-based): as much as goes, *take bytes. */
static const char *check_piece(lua_State *L, size_t *take, bool *all)
{
  size_t n;
  const char *bytes = luaL_checklstring(L, 2, &n);
  size_t skip = (size_t)ss_check_int(L, 3, 1, (lua_Integer)n + 1) - 1;
  *all = n - skip <= SS_BODY_MAX;
  *take = *all ? n - skip : SS_BODY_MAX;
  return bytes + skip;
}

/* conn:body(bytes, from) -> how many bytes of the message were taken, beginning with byte `from` (1-based), how many now
 * wait to be written */
static int body(lua_State *L)
{
  ss_error e;
  size_t take;
  bool all;
  ss_conn *c = ss_lua_check_connection(L);
  const char *bytes = check_piece(L, &take, &all);
  if (ss_conn_body(c, bytes, take, &e) != SS_OK) return ss_push_failure(L, &e);
  lua_pushinteger(L, (lua_Integer)take);
  lua_pushinteger(L, (lua_Integer)ss_conn_unwritten(c));
  return 2;
}

/* conn:chunk(bytes, from, last) -> tag, how many bytes were taken, how many now wait to be written. `last` counts only
 * when all that is left was taken. */
static int chunk(lua_State *L)
{
  ss_error e;
  size_t take;
  bool all;
  ss_conn *c = ss_lua_check_connection(L);
  const char *bytes = check_piece(L, &take, &all);
  int64_t tag = ss_conn_chunk(c, bytes, take, all && lua_toboolean(L, 4), &e);
  if (tag < 0) return ss_push_failure(L, &e);
  lua_pushinteger(L, (lua_Integer)tag);
  lua_pushinteger(L, (lua_Integer)take);
  lua_pushinteger(L, (lua_Integer)ss_conn_unwritten(c));
  return 3;
}

/* The commands of a transaction up to its last RCPT, whose mailboxes are in the list at 3: how many were queued, and the
 * tag of the first RCPT; or what was wrong. */
static int64_t queue_envelope(lua_State *L, ss_conn *c, const ss_mail_options *o, const ss_rcpt_options *ro,
                              int *queued, ss_error *e)
{
  size_t n;
  int64_t tag = 1, first = 0;
  *queued = 0;
  if (!ss_conn_is_ready(c)) tag = ss_conn_simple(c, SS_RSET, e), ++*queued;
  const char *from = lua_tolstring(L, 2, &n);
  if (tag > 0) tag = ss_conn_mail(c, from, n, o, e), ++*queued;
  for (int i = 1, to = (int)ss_rawlen(L, 3); tag > 0 && i <= to; i++, ++*queued) {
    lua_rawgeti(L, 3, i);
    const char *mailbox = lua_tolstring(L, -1, &n);
    tag = ss_conn_rcpt(c, mailbox ? mailbox : "", mailbox ? n : 0, ro, e);
    if (i == 1) first = tag;
    lua_pop(L, 1);
  }
  if (tag > 0) return first;
  --*queued;
  return tag;
}

/* conn:transact(from, to, options, rcpt_options[, message]) -> commands queued, tag of the first RCPT, tag of the end |
 * nil, status, text, reason, commands queued. A whole transaction in one call: RSET where one is due, MAIL, RCPT for
 * each of the list, and the message with BDAT LAST; the tag of the end is nil where that is still to be done. "full", and
 * nothing is queued, when not all of the commands can be held. */
static int transact(lua_State *L)
{
  ss_error e;
  ss_mail_options options = {0};
  ss_rcpt_options rcpt_options = {0};
  ss_conn *c = ss_lua_check_connection(L);
  size_t n = 0;
  luaL_checkstring(L, 2);
  luaL_checktype(L, 3, LUA_TTABLE);
  luaL_checktype(L, 4, LUA_TTABLE);
  luaL_checktype(L, 5, LUA_TTABLE);
  luaL_argcheck(L, ss_rawlen(L, 3) > 0, 3, "is empty");
  const char *message = luaL_optlstring(L, 6, NULL, &n);
  luaL_argcheck(L, n <= SS_BODY_MAX, 6, "too long for one call");
  check_mail_options(L, 4, &options);
  check_rcpt_options(L, 5, &rcpt_options);
  if (ss_conn_room(c) < ss_rawlen(L, 3) + 3) {
    ss_fail(&e, SS_E_FULL, "too many commands wait for their replies");
    return ss_push_failure(L, &e);
  }
  int queued;
  int64_t first = queue_envelope(L, c, &options, &rcpt_options, &queued, &e), end = SS_E_FULL;
  if (first > 0 && message) end = ss_conn_chunk(c, message, n, true, &e);
  if (first <= 0 || (end < 0 && end != SS_E_FULL)) {
    int results = ss_push_failure(L, &e);
    lua_pushinteger(L, queued);
    return results + 1;
  }
  lua_pushinteger(L, queued + (end > 0));
  lua_pushinteger(L, (lua_Integer)first);
  if (end > 0)
    lua_pushinteger(L, (lua_Integer)end);
  else
    lua_pushnil(L);
  return 3;
}

/* conn:finish() -> tag of the end of the message */
static int finish(lua_State *L)
{
  ss_error e;
  ss_conn *c = ss_lua_check_connection(L);
  return ss_lua_push_tag(L, ss_conn_end(c, &e), &e);
}

void ss_lua_add_commands(lua_State *L)
{
  static const luaL_Reg methods[] = {
      {"ehlo", ehlo}, {"helo", helo}, {"lhlo", lhlo}, {"starttls", starttls}, {"mail", mail},
      {"rcpt", rcpt}, {"data", data}, {"body", body}, {"chunk", chunk},       {"finish", finish},
      {"rset", rset}, {"noop", noop}, {"quit", quit}, {"transact", transact}, {NULL, NULL}};
  ss_add_methods(L, methods);
}
