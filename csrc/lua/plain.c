/* plain: the mail that most programs send, written in one step: a text, an html or both, short and the same for every
 * server, below the usual fields of a header.
 *
 * What it writes is what the modules of lua/smtpsec/mime would write of the same table, by the same functions of the
 * engine; what a message is, they say. Whatever else a table asks for, and whatever is wrong with it, is theirs too: here
 * it is only not plain. */
#include "base/buf.h"
#include "lua/check.h"
#include "lua/open.h"
#include "lua/token.h"
#include "mime/address.h"
#include "mime/header.h"
#include "mime/multipart.h"
#include "mime/text.h"
#include "smtp/mailbox.h"

#include <string.h>

#define BUFFERS "smtpsec.plain"

/* Most octets of a text, as in mime/body.lua, and of a display name, as in address.lua. */
enum { LONGEST_TEXT = 32768, LONGEST_NAME = 998 };

/* Most octets of a buffer: of a message, and what its encoder wants to have at hand. */
enum { MOST = 2 * SS_MULTIPART_WHOLE };

/* The keys of a plain table: first those with addresses, in the order in which their fields are written. */
enum { FROM, REPLY_TO, TO, CC, BCC, SUBJECT, TEXT, HTML, KEYS, PEOPLE = SUBJECT };

static const struct {
  const char *name, *field;
} keys[KEYS] = {
    [FROM] = {"from", "From"}, [REPLY_TO] = {"reply_to", "Reply-To"},
    [TO] = {"to", "To"},       [CC] = {"cc", "Cc"},
    [BCC] = {"bcc", NULL},     [SUBJECT] = {"subject", "Subject"},
    [TEXT] = {"text", NULL},   [HTML] = {"html", NULL},
};

/* What a function of core.plain's has: its buffers, a pool of tokens, and the shapes of parts (mime/part.lua). */
enum { BUFFERS_OF = 1, POOL_OF, TEXT_SHAPE, HTML_SHAPE, BOTH_SHAPE };

/* What is in a shape (part.c). */
enum { BEFORE = 1, BEHIND = 2 };

/* Where the arguments are, and behind them the list of recipients and the set of those in it. */
enum { GIVEN = 1, DATE, RECIPIENTS, SEEN };

typedef struct buffers {
  ss_buf whole, name;
} buffers;

/* A value of the table, which owns it: a string, or a list. */
typedef struct value {
  const char *s;
  size_t n;
  bool list;
} value;

typedef struct box {
  const char *spec, *name;
  size_t n, name_n;
  ss_mailbox parts;
} box;

typedef struct mail {
  lua_State *L;
  ss_buf *to, *name;
  value given[KEYS];
  box from, first; /* the author, and the first recipient */
  int recipients;
} mail;

static int buffers_close(lua_State *L)
{
  buffers *b = luaL_checkudata(L, 1, BUFFERS);
  ss_buf_free(&b->whole);
  ss_buf_free(&b->name);
  return 0;
}

static bool put(mail *m, const char *s, size_t n)
{
  return ss_buf_append(m->to, s, n) == SS_OK;
}

/* ---- what was given ---- */

/* A key may hold a NUL. */
static int find_key(const char *s, size_t n)
{
  int i = 0;
  while (i < KEYS && (keys[i].name[0] != s[0] || strcmp(keys[i].name, s) != 0))
    i++;
  return i < KEYS && strlen(keys[i].name) != n ? KEYS : i;
}

/* Takes the value on top of the stack, and its key below. */
static bool take(mail *m)
{
  lua_State *L = m->L;
  size_t n;
  if (lua_type(L, -2) != LUA_TSTRING) return false;
  const char *key = lua_tolstring(L, -2, &n);
  int at = find_key(key, n);
  if (at == KEYS) return false;
  value *v = &m->given[at];
  v->list = at < PEOPLE && lua_istable(L, -1);
  if (!v->list && lua_type(L, -1) == LUA_TSTRING) v->s = lua_tolstring(L, -1, &v->n);
  return v->list || v->s;
}

static bool take_all(mail *m)
{
  lua_State *L = m->L;
  if (!lua_istable(L, GIVEN) || lua_getmetatable(L, GIVEN)) return false;
  for (lua_pushnil(L); lua_next(L, GIVEN); lua_pop(L, 1))
    if (!take(m)) return false;
  return m->given[TEXT].s || m->given[HTML].s;
}

/* ---- its addresses ---- */

/* Puts the recipient into the set, and says whether it is new there. The key is what address.key would make of it. */
static bool is_new(mail *m, const box *b)
{
  lua_State *L = m->L;
  char key[SS_MAILBOX_LONGEST];
  memcpy(key, b->spec, b->n);
  for (size_t i = b->parts.domain_start; i < b->n; i++)
    if (key[i] >= 'A' && key[i] <= 'Z') key[i] |= 0x20;
  lua_pushlstring(L, key, b->n);
  lua_pushvalue(L, -1);
  lua_rawget(L, SEEN);
  bool seen = lua_toboolean(L, -1);
  lua_pop(L, 1);
  lua_pushboolean(L, true);
  lua_rawset(L, SEEN);
  return !seen;
}

/* Adds a recipient to the list where it is not there yet. Most mails have one, and need no set. */
static void add_recipient(mail *m, const box *b)
{
  lua_State *L = m->L;
  if (m->recipients == 0) {
    m->first = *b;
    lua_createtable(L, 1, 0);
    lua_replace(L, RECIPIENTS);
  } else if (m->recipients == 1) {
    lua_newtable(L);
    lua_replace(L, SEEN);
    is_new(m, &m->first);
  }
  if (m->recipients && !is_new(m, b)) return;
  lua_pushlstring(L, b->spec, b->n);
  lua_rawseti(L, RECIPIENTS, ++m->recipients);
}

/* Reads the mailbox behind *at, which then is behind its comma, or behind the end. */
static bool read_box(mail *m, const value *v, size_t *at, box *b)
{
  ss_address a;
  ss_buf_clear(m->name);
  if (ss_address_read(&a, v->s, v->n, *at, false, m->name) != SS_OK || a.fault || a.group) return false;
  *b = (box){.spec = v->s + a.spec, .n = a.spec_n};
  if (ss_mailbox_read(b->spec, b->n, &b->parts) || b->parts.idn || b->parts.internationalized) return false;
  if (a.angle) {
    b->name = (const char *)ss_buf_data(m->name);
    b->name_n = ss_buf_len(m->name);
  }
  *at = a.next + 1;
  return b->name_n <= LONGEST_NAME;
}

/* Writes and keeps the mailboxes of a string; `more` follow in its field. */
static bool put_boxes(mail *m, int key, const value *v, ss_header *h, bool more, int *count)
{
  size_t fault, at = 0;
  if (ss_text_find_fault((const uint8_t *)v->s, v->n, &fault) != SS_TEXT_SOUND) return false;
  do {
    box b;
    if (!read_box(m, v, &at, &b)) return false;
    if (h) ss_header_mailbox(h, b.name, b.name_n, b.spec, b.n, more || at <= v->n ? "," : "");
    if (key == FROM) m->from = b;
    if (key >= TO) add_recipient(m, &b);
    ++*count;
  } while (at <= v->n);
  return true;
}

/* The same of a list, on top of the stack, of strings that hold one mailbox each. */
static bool put_list(mail *m, int key, ss_header *h, int *count)
{
  lua_State *L = m->L;
  int list = lua_gettop(L), n = (int)ss_rawlen(L, list);
  if (lua_getmetatable(L, list)) return false;
  for (int i = 1; i <= n; i++) {
    value v;
    lua_rawgeti(L, list, i);
    if (lua_type(L, -1) != LUA_TSTRING) return false;
    v.s = lua_tolstring(L, -1, &v.n);
    if (!put_boxes(m, key, &v, h, i < n, count) || *count != i) return false;
    lua_settop(L, list);
  }
  if (n)
    lua_pushinteger(L, n);
  else
    lua_pushnil(L);
  return n && !lua_next(L, list); /* nothing but the list is in it */
}

/* Writes a field with addresses, unless it is for nobody's eyes. */
static bool put_people(mail *m, int key)
{
  lua_State *L = m->L;
  const value *v = &m->given[key];
  const char *field = keys[key].field;
  ss_header h;
  int count = 0, top = lua_gettop(L);
  if (!v->s && !v->list) return true;
  if (field) ss_header_begin(&h, m->to, field, strlen(field));
  if (v->list) lua_getfield(L, GIVEN, keys[key].name);
  bool sound = v->list ? put_list(m, key, field ? &h : NULL, &count)
                       : put_boxes(m, key, v, field ? &h : NULL, false, &count);
  lua_settop(L, top);
  if (!sound || (key == FROM && count != 1)) return false;
  return !field || ss_header_end(&h) == SS_OK;
}

/* ---- its header ---- */

static bool put_token(mail *m, const char *field, const char *s, size_t n)
{
  ss_header h;
  ss_header_begin(&h, m->to, field, strlen(field));
  ss_header_token(&h, s, n);
  return ss_header_end(&h) == SS_OK;
}

static bool put_subject(mail *m)
{
  const value *v = &m->given[SUBJECT];
  ss_header h;
  size_t fault;
  if (!v->s) return true;
  if (ss_text_find_fault((const uint8_t *)v->s, v->n, &fault) != SS_TEXT_SOUND) return false;
  ss_header_begin(&h, m->to, keys[SUBJECT].field, strlen(keys[SUBJECT].field));
  ss_header_text(&h, v->s, v->n);
  return ss_header_end(&h) == SS_OK;
}

/* Message-ID; the identifier is left on the stack. */
static bool put_identifier(mail *m)
{
  const box *from = &m->from;
  size_t domain = from->parts.domain_start, domain_n = from->n - domain, n = 0;
  char id[1 + SS_TOKEN + 1 + SS_MAILBOX_LONGEST + 1];
  id[n++] = '<';
  ss_lua_draw_token(m->L, lua_upvalueindex(POOL_OF), id + n);
  n += SS_TOKEN;
  id[n++] = '@';
  memcpy(id + n, from->spec + domain, domain_n);
  n += domain_n;
  id[n++] = '>';
  lua_pushlstring(m->L, id, n);
  return put_token(m, "Message-ID", id, n);
}

static bool put_header(mail *m)
{
  static const char version[] = "MIME-Version: 1.0\r\n";
  size_t n;
  const char *date = luaL_checklstring(m->L, DATE, &n);
  if (!put_token(m, "Date", date, n)) return false;
  for (int key = FROM; key < PEOPLE; key++)
    if (!put_people(m, key)) return false;
  return m->recipients && m->from.n && put_subject(m) && put_identifier(m) &&
         put(m, version, sizeof version - 1);
}

/* ---- its body ---- */

/* One of the two strings of a shape. */
static bool put_lines(mail *m, int shape, int at)
{
  size_t n;
  lua_rawgeti(m->L, lua_upvalueindex(shape), at);
  const char *lines = luaL_checklstring(m->L, -1, &n);
  bool fits = put(m, lines, n);
  lua_pop(m->L, 1);
  return fits;
}

/* A text that every server takes in the same encoding. */
static bool put_text(mail *m, int shape, const value *v)
{
  ss_scan facts;
  if (v->n > LONGEST_TEXT || ss_text_look((const uint8_t *)v->s, v->n, &facts) != SS_OK) return false;
  const char *encoding = ss_text_encoding(&facts, false);
  if (strcmp(encoding, ss_text_encoding(&facts, true)) != 0) return false;
  return put_lines(m, shape, BEFORE) && ss_multipart_encoding(m->to, encoding) == SS_OK &&
         put_lines(m, shape, BEHIND) && ss_text_write((const uint8_t *)v->s, v->n, encoding, m->to) == SS_OK;
}

static bool put_one(mail *m, int shape, const value *v)
{
  if (!put_text(m, shape, v)) return false;
  return ss_buf_data(m->to)[ss_buf_len(m->to) - 1] == '\n' || put(m, "\r\n", 2);
}

static bool put_both(mail *m)
{
  char boundary[2 + SS_TOKEN] = "=_";
  ss_lua_draw_token(m->L, lua_upvalueindex(POOL_OF), boundary + 2);
  bool fits = put_lines(m, BOTH_SHAPE, BEFORE) && put(m, boundary, sizeof boundary) &&
              put_lines(m, BOTH_SHAPE, BEHIND);
  for (int key = TEXT; fits && key <= HTML; key++)
    fits = ss_multipart_delimiter(m->to, boundary, sizeof boundary, false) == SS_OK &&
           put_text(m, key == TEXT ? TEXT_SHAPE : HTML_SHAPE, &m->given[key]);
  return fits && ss_multipart_delimiter(m->to, boundary, sizeof boundary, true) == SS_OK && put(m, "\r\n", 2);
}

static bool put_body(mail *m)
{
  const value *text = &m->given[TEXT], *html = &m->given[HTML];
  if (text->s && html->s) return put_both(m);
  return text->s ? put_one(m, TEXT_SHAPE, text) : put_one(m, HTML_SHAPE, html);
}

/* write(given, date) -> the message, its identifier, the author's address, the list of its recipients | nothing, where it is
 * not plain */
static int write_plain(lua_State *L)
{
  buffers *b = lua_touserdata(L, lua_upvalueindex(BUFFERS_OF));
  mail m = {.L = L, .to = &b->whole, .name = &b->name};
  lua_settop(L, SEEN);
  ss_buf_clear(m.to);
  if (!take_all(&m) || !put_header(&m) || !put_body(&m) || ss_buf_len(m.to) > SS_MULTIPART_WHOLE) return 0;
  int id = lua_gettop(L);
  lua_pushlstring(L, (const char *)ss_buf_data(m.to), ss_buf_len(m.to));
  lua_pushvalue(L, id);
  lua_pushlstring(L, m.from.spec, m.from.n);
  lua_pushvalue(L, RECIPIENTS);
  return 4;
}

/* core.plain(text, html, both) -> the function `write` for parts of these shapes */
static int plain(lua_State *L)
{
  for (int shape = 1; shape <= 3; shape++)
    luaL_checktype(L, shape, LUA_TTABLE);
  lua_settop(L, 3);
  buffers *b = ss_new_object(L, sizeof *b, BUFFERS);
  ss_buf_init(&b->whole, MOST);
  ss_buf_init(&b->name, MOST);
  lua_insert(L, BUFFERS_OF);
  ss_lua_new_pool(L);
  lua_insert(L, POOL_OF);
  lua_pushcclosure(L, write_plain, BOTH_SHAPE);
  return 1;
}

void ss_lua_open_plain(lua_State *L)
{
  static const luaL_Reg methods[] = {{NULL, NULL}};
  static const luaL_Reg functions[] = {{"plain", plain}, {NULL, NULL}};
  ss_register_class(L, BUFFERS, methods, buffers_close);
  luaL_setfuncs(L, functions, 0);
}
