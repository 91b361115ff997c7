/* header: header fields and the addresses in them, as the Lua layer writes and reads them. */
#include "lua/check.h"
#include "lua/open.h"
#include "lua/scratch.h"
#include "mime/address.h"
#include "mime/header.h"
#include "smtp/mailbox.h"

#include <string.h>

static int push_field(lua_State *L, ss_header *h)
{
  if (ss_header_end(h) != SS_OK) return luaL_error(L, "out of memory for a header field");
  return ss_scratch_push(L, h->to);
}

/* Begins the field whose name is the first argument. */
static ss_header begin_field(lua_State *L)
{
  ss_header h;
  size_t n;
  const char *name = luaL_checklstring(L, 1, &n);
  ss_header_begin(&h, ss_scratch(L), name, n);
  return h;
}

/* core.header_text(name, s) -> the field of unstructured text, folded, with its CRLF */
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

/* core.header(name, steps) -> the field, folded, with its CRLF. Steps are the elements of a flat list: "token", s;
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

/* core.header_mailboxes(name, boxes) -> the field that lists them; boxes is a list of { name = or nil, address = } */
static int header_mailboxes(lua_State *L)
{
  luaL_checktype(L, 2, LUA_TTABLE);
  ss_header h = begin_field(L);
  int count = (int)ss_rawlen(L, 2);
  for (int i = 1; i <= count; i++) {
    lua_rawgeti(L, 2, i);
    luaL_checktype(L, -1, LUA_TTABLE);
    size_t name_n, n;
    const char *name = ss_opt_field_string(L, 3, "name", &name_n);
    const char *spec = ss_opt_field_string(L, 3, "address", &n);
    if (!spec) return luaL_error(L, "a mailbox without its address");
    ss_header_mailbox(&h, name, name_n, spec, n, i < count);
    lua_settop(L, 2);
  }
  return push_field(L, &h);
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

static int push_mailbox(lua_State *L, const ss_address *a, const char *spec, ss_buf *name)
{
  ss_mailbox box;
  const char *wrong = ss_mailbox_parse(spec, a->spec_n, &box);
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
  return 6;
}

/* core.address(s, at) -> where the comma behind the mailbox that begins behind `at` is (#s + 1: there is none), its
 * address, name or nil, local part, domain, internationalized | nil, what the fault is about ("item", "empty", "comma" or
 * "mailbox"), from where to where it stands in s, and for "item" and "mailbox" what is wrong */
static int address(lua_State *L)
{
  size_t n;
  const char *s = luaL_checklstring(L, 1, &n);
  size_t at = (size_t)ss_check_int(L, 2, 0, (lua_Integer)n);
  ss_address a;
  ss_buf *name = ss_scratch(L);
  if (ss_address_read(&a, s, n, at, name) != SS_OK) return luaL_error(L, "out of memory for an address");
  return a.fault ? push_fault(L, &a) : push_mailbox(L, &a, s + a.spec, name);
}

void ss_lua_open_header(lua_State *L)
{
  static const luaL_Reg functions[] = {{"header", header},
                                       {"header_text", header_text},
                                       {"header_mailboxes", header_mailboxes},
                                       {"address", address},
                                       {NULL, NULL}};
  ss_scratch_functions(L, functions);
  lua_pushinteger(L, SS_HEADER_WIDTH);
  lua_setfield(L, -2, "header_width");
  lua_pushinteger(L, SS_HEADER_LONGEST);
  lua_setfield(L, -2, "header_longest");
}
