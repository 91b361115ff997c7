/* plain: the mail that most programs send, written in one step: the usual fields of a header, and below them a text, an html
 * or both, short and the same for every server. Where the body is another, it is only the header that is written.
 *
 * What comes of a table is what the modules of lua/smtpsec/mime would make of it; they say what a message is. Whatever else
 * a table asks for, and whatever is wrong with it, is theirs too: here it is only not plain (mime/plain.h). */
#include "mime/plain.h"
#include "lua/check.h"
#include "lua/open.h"
#include "lua/token.h"
#include "smtp/mailbox.h"

#include <string.h>

#define WRITER "smtpsec.plain"

/* The keys of a plain table: first those with addresses, in the order in which their fields are written. Attachments are not
 * looked at: they make the body another. */
enum { FROM, REPLY_TO, TO, CC, BCC, SUBJECT, TEXT, HTML, ATTACHMENTS, KEYS, PEOPLE = SUBJECT };

static const struct {
  const char *name, *field;
} keys[KEYS] = {
    [FROM] = {"from", "From"},
    [REPLY_TO] = {"reply_to", "Reply-To"},
    [TO] = {"to", "To"},
    [CC] = {"cc", "Cc"},
    [BCC] = {"bcc", NULL},
    [SUBJECT] = {"subject", "Subject"},
    [TEXT] = {"text", NULL},
    [HTML] = {"html", NULL},
    [ATTACHMENTS] = {"attachments", NULL},
};

/* What a function of core.plain's has: a writer, a pool of tokens, and the shapes of parts, which are two strings each
 * (mime/part.lua). */
enum { WRITER_OF = 1, POOL_OF, TEXT_SHAPE, HTML_SHAPE, BOTH_SHAPE };

/* Where the arguments are, and behind them the list of recipients and the set of those in it. */
enum { GIVEN = 1, DATE, RECIPIENTS, SEEN };

/* A value of the table, which owns it: a string, or a table, which is to be a list. */
typedef struct value {
  const char *s;
  size_t n;
  bool list;
} value;

/* A sound address in the value that it was read from. */
typedef struct box {
  const char *spec;
  size_t n;
  ss_mailbox parts;
} box;

typedef struct mail {
  lua_State *L;
  ss_plain *to;
  value given[KEYS];
  box from, first; /* the author, and the first recipient */
  int recipients;
} mail;

static int writer_close(lua_State *L)
{
  ss_plain_free(luaL_checkudata(L, 1, WRITER));
  return 0;
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
  v->list = (at < PEOPLE || at == ATTACHMENTS) && lua_istable(L, -1);
  if (at != ATTACHMENTS && lua_type(L, -1) == LUA_TSTRING) v->s = lua_tolstring(L, -1, &v->n);
  return v->list || v->s;
}

static bool take_all(mail *m)
{
  lua_State *L = m->L;
  if (!lua_istable(L, GIVEN) || lua_getmetatable(L, GIVEN)) return false;
  for (lua_pushnil(L); lua_next(L, GIVEN); lua_pop(L, 1))
    if (!take(m)) return false;
  return true;
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

/* An address that needs nothing of its server, and no A-labels. */
static bool judge(const ss_plain_box *seen, box *b)
{
  *b = (box){.spec = seen->spec, .n = seen->n};
  return !ss_mailbox_read(b->spec, b->n, &b->parts) && !b->parts.idn && !b->parts.internationalized;
}

/* Writes and keeps the mailboxes of a string; `more` follow in its field. */
static bool put_boxes(mail *m, int key, const value *v, bool more, int *count)
{
  size_t at = 0;
  if (!ss_plain_look(v->s, v->n)) return false;
  do {
    ss_plain_box seen;
    box b;
    if (!ss_plain_read(m->to, v->s, v->n, &at, &seen) || !judge(&seen, &b)) return false;
    ss_plain_show(m->to, &seen, more || at <= v->n);
    if (key == FROM) m->from = b;
    if (key >= TO) add_recipient(m, &b);
    ++*count;
  } while (at <= v->n);
  return true;
}

/* The same of a list, on top of the stack, of strings that hold one mailbox each. */
static bool put_list(mail *m, int key, int *count)
{
  lua_State *L = m->L;
  int list = lua_gettop(L), n = (int)ss_rawlen(L, list);
  if (n == 0 || lua_getmetatable(L, list)) return false;
  for (int i = 1; i <= n; i++) {
    value v;
    lua_rawgeti(L, list, i);
    if (lua_type(L, -1) != LUA_TSTRING) return false;
    v.s = lua_tolstring(L, -1, &v.n);
    if (!put_boxes(m, key, &v, i < n, count) || *count != i) return false;
    lua_settop(L, list);
  }
  lua_pushinteger(L, n);
  return !lua_next(L, list); /* nothing but the list is in it */
}

/* Writes a field with addresses, unless it is for nobody's eyes. */
static bool put_people(mail *m, int key)
{
  lua_State *L = m->L;
  const value *v = &m->given[key];
  int count = 0, top = lua_gettop(L);
  if (!v->s && !v->list) return true;
  ss_plain_begin_people(m->to, keys[key].field);
  if (v->list) lua_getfield(L, GIVEN, keys[key].name);
  bool sound = v->list ? put_list(m, key, &count) : put_boxes(m, key, v, false, &count);
  lua_settop(L, top);
  return sound && (key != FROM || count == 1) && ss_plain_end_people(m->to);
}

/* ---- its header ---- */

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
  return ss_plain_token(m->to, "Message-ID", id, n);
}

static bool put_header(mail *m)
{
  static const char version[] = "MIME-Version: 1.0\r\n";
  const value *subject = &m->given[SUBJECT];
  size_t n;
  const char *date = luaL_checklstring(m->L, DATE, &n);
  if (!ss_plain_token(m->to, "Date", date, n)) return false;
  for (int key = FROM; key < PEOPLE; key++)
    if (!put_people(m, key)) return false;
  if (!m->recipients || !m->from.n) return false;
  if (subject->s && !ss_plain_field(m->to, keys[SUBJECT].field, subject->s, subject->n)) return false;
  return put_identifier(m) && ss_plain_put(m->to, version, sizeof version - 1);
}

/* ---- its body ---- */

/* A shape, which its table owns. */
static ss_plain_shape shape_of(lua_State *L, int upvalue)
{
  ss_plain_shape shape;
  lua_rawgeti(L, lua_upvalueindex(upvalue), 1);
  lua_rawgeti(L, lua_upvalueindex(upvalue), 2);
  shape.before = luaL_checklstring(L, -2, &shape.before_n);
  shape.behind = luaL_checklstring(L, -1, &shape.behind_n);
  lua_pop(L, 2);
  return shape;
}

static bool put_text(mail *m, int key)
{
  const ss_plain_shape shape = shape_of(m->L, key == TEXT ? TEXT_SHAPE : HTML_SHAPE);
  return ss_plain_text(m->to, &shape, m->given[key].s, m->given[key].n);
}

static bool put_both(mail *m)
{
  char boundary[2 + SS_TOKEN] = "=_";
  const ss_plain_shape both = shape_of(m->L, BOTH_SHAPE);
  ss_lua_draw_token(m->L, lua_upvalueindex(POOL_OF), boundary + 2);
  bool fits = ss_plain_put(m->to, both.before, both.before_n) &&
              ss_plain_put(m->to, boundary, sizeof boundary) &&
              ss_plain_put(m->to, both.behind, both.behind_n);
  for (int key = TEXT; fits && key <= HTML; key++)
    fits = ss_plain_delimiter(m->to, boundary, sizeof boundary, false) && put_text(m, key);
  return fits && ss_plain_delimiter(m->to, boundary, sizeof boundary, true) && ss_plain_put(m->to, "\r\n", 2);
}

static bool put_body(mail *m)
{
  bool text = m->given[TEXT].s, html = m->given[HTML].s;
  if (m->given[ATTACHMENTS].list || (!text && !html)) return false;
  if (text && html) return put_both(m);
  return put_text(m, text ? TEXT : HTML) && ss_plain_end_line(m->to);
}

/* write(given, date) -> the message, or its header alone, but for what the parts of its body add to that; its identifier, the
 * author's address, the list of its recipients; whether it is the whole message | nothing, where it is not plain */
static int write_plain(lua_State *L)
{
  mail m = {.L = L, .to = lua_touserdata(L, lua_upvalueindex(WRITER_OF))};
  lua_settop(L, SEEN);
  ss_plain_begin(m.to);
  if (!take_all(&m) || !put_header(&m)) return 0;
  int id = lua_gettop(L);
  size_t head = ss_buf_len(&m.to->whole);
  bool whole = put_body(&m) && ss_plain_fits(m.to);
  lua_settop(L, id);
  lua_pushlstring(L, (const char *)ss_buf_data(&m.to->whole), whole ? ss_buf_len(&m.to->whole) : head);
  lua_pushvalue(L, id);
  lua_pushlstring(L, m.from.spec, m.from.n);
  lua_pushvalue(L, RECIPIENTS);
  lua_pushboolean(L, whole);
  return 5;
}

/* core.plain(text, html, both) -> the function `write` for parts of these shapes */
static int plain(lua_State *L)
{
  for (int shape = 1; shape <= 3; shape++)
    luaL_checktype(L, shape, LUA_TTABLE);
  lua_settop(L, 3);
  ss_plain_init(ss_new_object(L, sizeof(ss_plain), WRITER));
  lua_insert(L, WRITER_OF);
  ss_lua_new_pool(L);
  lua_insert(L, POOL_OF);
  lua_pushcclosure(L, write_plain, BOTH_SHAPE);
  return 1;
}

void ss_lua_open_plain(lua_State *L)
{
  static const luaL_Reg methods[] = {{NULL, NULL}};
  static const luaL_Reg functions[] = {{"plain", plain}, {NULL, NULL}};
  ss_register_class(L, WRITER, methods, writer_close);
  luaL_setfuncs(L, functions, 0);
}
