/* header: header fields and the addresses in them, as the Lua layer writes and reads them. */
#include "lua/charset.h"
#include "lua/check.h"
#include "lua/open.h"
#include "lua/scratch.h"
#include "mime/address.h"
#include "mime/header.h"
#include "smtp/mailbox.h"

#include <string.h>

static void end_field(lua_State *L, ss_header *h)
{
  ss_status status = ss_header_end(h);
  if (status == SS_E_ARGUMENT) luaL_error(L, "the charset of a header does not have what is in it");
  if (status != SS_OK) luaL_error(L, "out of memory for a header");
}

static int push_field(lua_State *L, ss_header *h)
{
  end_field(L, h);
  return ss_scratch_push(L, h->to);
}

/* Begins the field whose name is the first argument, and whose charset the third. */
static ss_header begin_field(lua_State *L)
{
  ss_header h;
  size_t n;
  const char *name = luaL_checklstring(L, 1, &n);
  const ss_charset *charset = ss_lua_opt_charset(L, 3);
  ss_header_begin(&h, ss_scratch(L), name, n);
  h.charset = charset;
  return h;
}

/* core.header_text(name, s[, charset]) -> the field of unstructured text, folded, with its CRLF */
static int header_text(lua_State *L)
{
  size_t n;
  const char *s = luaL_checklstring(L, 2, &n);
  ss_header h = begin_field(L);
  ss_header_text(&h, s, n);
  return push_field(L, &h);
}

/* A string at an index of the list of steps, which owns it. */
static const char *step_string(lua_State *L, int at, size_t *n)
{
  lua_rawgeti(L, 2, at);
  if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "a string expected at step %d of a header field", at);
  const char *s = lua_tolstring(L, -1, n);
  lua_pop(L, 1);
  return s;
}

/* Takes the step at `at` and returns where the next one is. */
static int take_step(lua_State *L, ss_header *h, int at)
{
  static const struct {
    const char *name;
    void (*add)(ss_header *, const char *, size_t);
  } kinds[] = {{"token", ss_header_token}, {"text", ss_header_text}, {"phrase", ss_header_phrase}};
  size_t kind_n, n, value_n;
  const char *kind = step_string(L, at, &kind_n), *s = step_string(L, at + 1, &n);
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (strcmp(kind, kinds[i].name) != 0) continue;
    kinds[i].add(h, s, n);
    return at + 2;
  }
  if (strcmp(kind, "parameter") != 0) luaL_error(L, "no step of a header field is called %s", kind);
  const char *value = step_string(L, at + 2, &value_n);
  ss_header_parameter(h, s, n, value, value_n);
  return at + 3;
}

/* core.header(name, steps[, charset]) -> the field, folded, with its CRLF. Steps are the elements of a flat list: "token", s;
 * "text", s; "phrase", s; "parameter", name, value: see mime/header.h */
static int header(lua_State *L)
{
  luaL_checktype(L, 2, LUA_TTABLE);
  ss_header h = begin_field(L);
  int count = (int)ss_rawlen(L, 2);
  for (int at = 1; at <= count;)
    at = take_step(L, &h, at);
  return push_field(L, &h);
}

/* Adds the mailboxes of the list on top of the stack, each { name = or nil, address = }. */
static void add_mailboxes(lua_State *L, ss_header *h)
{
  int list = lua_gettop(L), count = (int)ss_rawlen(L, list);
  for (int i = 1; i <= count; i++) {
    lua_rawgeti(L, list, i);
    luaL_checktype(L, -1, LUA_TTABLE);
    size_t name_n, n;
    const char *name = ss_opt_field_string(L, list + 1, "name", &name_n);
    const char *spec = ss_opt_field_string(L, list + 1, "address", &n);
    if (!spec) luaL_error(L, "a mailbox without its address");
    ss_header_mailbox(h, name, name_n, spec, n, i < count ? "," : "");
    lua_settop(L, list);
  }
}

/* Adds what is in the list on top of the stack, each with what comes `after` it (mime/header.h): { name = or nil,
 * address =, after = }, or { group =, after = }. */
static void add_grouped(lua_State *L, ss_header *h)
{
  int list = lua_gettop(L), count = (int)ss_rawlen(L, list);
  for (int i = 1; i <= count; i++) {
    size_t name_n, n;
    lua_rawgeti(L, list, i);
    luaL_checktype(L, -1, LUA_TTABLE);
    const char *group = ss_opt_field_string(L, list + 1, "group", &name_n);
    const char *after = ss_opt_field_text(L, list + 1, "after");
    if (!after) luaL_error(L, "a mailbox of a group without what comes after it");
    if (group) {
      ss_header_group(h, group, name_n, after);
    } else {
      const char *name = ss_opt_field_string(L, list + 1, "name", &name_n);
      const char *spec = ss_opt_field_string(L, list + 1, "address", &n);
      if (!spec) luaL_error(L, "a mailbox without its address");
      ss_header_mailbox(h, name, name_n, spec, n, after);
    }
    lua_settop(L, list);
  }
}

/* Writes the field whose mailboxes are the list on top of the stack, which it takes away: none where there are none. */
static void put_mailboxes(lua_State *L, ss_buf *to, const char *field, const ss_charset *charset)
{
  ss_header h;
  int list = lua_gettop(L);
  lua_getfield(L, list, "written");
  bool grouped = lua_istable(L, -1);
  if (!grouped) lua_settop(L, list);
  if (ss_rawlen(L, -1)) {
    ss_header_begin(&h, to, field, strlen(field));
    h.charset = charset;
    (grouped ? add_grouped : add_mailboxes)(L, &h);
    end_field(L, &h);
  }
  lua_settop(L, list - 1);
}

/* The fields with addresses, in the order in which they are written. */
static void put_people(lua_State *L, int people, ss_buf *to, const ss_charset *charset)
{
  static const struct {
    const char *key, *name;
  } fields[] = {{"from", "From"}, {"sender", "Sender"}, {"reply_to", "Reply-To"}, {"to", "To"}, {"cc", "Cc"}};
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
    lua_getfield(L, people, fields[i].key);
    if (lua_istable(L, -1))
      put_mailboxes(L, to, fields[i].name, charset);
    else
      lua_pop(L, 1);
  }
}

/* A field of one token. */
static void put_token(lua_State *L, ss_buf *to, const char *name, int value)
{
  size_t n;
  const char *s = luaL_checklstring(L, value, &n);
  ss_header h;
  ss_header_begin(&h, to, name, strlen(name));
  ss_header_token(&h, s, n);
  end_field(L, &h);
}

/* Fields that are written already. */
static void put_fields(lua_State *L, ss_buf *to, const char *s, size_t n)
{
  if (ss_buf_append(to, s, n) != SS_OK) luaL_error(L, "out of memory for a header");
}

/* core.header_message(people, date, subject, id, more[, charset]) -> the fields Date, those of people, Subject where it is
 * not nil, Message-ID, those of the string `more`, and MIME-Version. people is { from =, sender =, reply_to =, to =, cc = }, each
 * nil or a list of { name = or nil, address = }; where that has a list `written`, it is written instead (add_grouped) */
static int header_message(lua_State *L)
{
  static const char version[] = "MIME-Version: 1.0\r\n";
  size_t n, more_n;
  luaL_checktype(L, 1, LUA_TTABLE);
  const char *subject = luaL_optlstring(L, 3, NULL, &n), *more = luaL_checklstring(L, 5, &more_n);
  const ss_charset *charset = ss_lua_opt_charset(L, 6);
  ss_buf *to = ss_scratch(L);
  put_token(L, to, "Date", 2);
  put_people(L, 1, to, charset);
  if (subject) {
    ss_header h;
    ss_header_begin(&h, to, "Subject", strlen("Subject"));
    h.charset = charset;
    ss_header_text(&h, subject, n);
    end_field(L, &h);
  }
  put_token(L, to, "Message-ID", 4);
  put_fields(L, to, more, more_n);
  put_fields(L, to, version, sizeof version - 1);
  return ss_scratch_push(L, to);
}

static int push_fault(lua_State *L, const ss_address *a)
{
  static const char *const about[] = {
      [SS_ADDRESS_ITEM] = "item", [SS_ADDRESS_EMPTY] = "empty", [SS_ADDRESS_COMMA] = "comma"};
  lua_pushnil(L);
  lua_pushstring(L, about[a->fault]);
  lua_pushinteger(L, (lua_Integer)a->start + 1);
  lua_pushinteger(L, (lua_Integer)a->stop);
  lua_pushstring(L, a->why);
  return 5;
}

/* A group has no address. */
static int push_group(lua_State *L, const ss_address *a, ss_buf *name)
{
  lua_pushinteger(L, (lua_Integer)a->next + 1);
  lua_pushnil(L);
  ss_scratch_push(L, name);
  return 3;
}

static int push_mailbox(lua_State *L, const ss_address *a, const char *spec, ss_buf *name)
{
  ss_mailbox box;
  const char *wrong = ss_mailbox_read(spec, a->spec_n, &box);
  if (wrong) {
    lua_pushnil(L);
    lua_pushliteral(L, "mailbox");
    lua_pushinteger(L, (lua_Integer)a->spec + 1);
    lua_pushinteger(L, (lua_Integer)(a->spec + a->spec_n));
    lua_pushstring(L, wrong);
    return 5;
  }
  lua_pushinteger(L, (lua_Integer)a->next + 1);
  lua_pushlstring(L, spec, a->spec_n);
  if (a->angle && ss_buf_len(name))
    ss_scratch_push(L, name);
  else
    lua_pushnil(L);
  lua_pushlstring(L, spec, box.local_length);
  lua_pushlstring(L, spec + box.domain_start, a->spec_n - box.domain_start);
  lua_pushboolean(L, box.internationalized);
  lua_pushboolean(L, box.idn);
  return 7;
}

/* core.address(s, at, in_group) -> where the comma behind the mailbox that begins behind `at` is, or in a group its
 * semicolon (#s + 1: there is neither), its address, name or nil, local part, domain, internationalized, idn
 * (ss_mailbox_read: the domain was not judged) | where the colon of a group is, nil, the group's name | nil, what the fault
 * is about ("item", "empty", "comma" or "mailbox"), from where to where it stands in s, and for "item" and "mailbox" what
 * is wrong */
static int address(lua_State *L)
{
  size_t n;
  const char *s = luaL_checklstring(L, 1, &n);
  size_t at = (size_t)ss_check_int(L, 2, 0, (lua_Integer)n);
  ss_address a;
  ss_buf *name = ss_scratch(L);
  if (ss_address_read(&a, s, n, at, lua_toboolean(L, 3), name) != SS_OK)
    return luaL_error(L, "out of memory for an address");
  if (a.group) return push_group(L, &a, name);
  return a.fault ? push_fault(L, &a) : push_mailbox(L, &a, s + a.spec, name);
}

void ss_lua_open_header(lua_State *L)
{
  static const luaL_Reg functions[] = {{"header", header},
                                       {"header_text", header_text},
                                       {"header_message", header_message},
                                       {"address", address},
                                       {NULL, NULL}};
  ss_scratch_functions(L, functions);
  lua_pushinteger(L, SS_HEADER_WIDTH);
  lua_setfield(L, -2, "header_width");
  lua_pushinteger(L, SS_HEADER_LONGEST);
  lua_setfield(L, -2, "header_longest");
  lua_pushinteger(L, SS_ADDRESS_NAME);
  lua_setfield(L, -2, "address_name");
}
