/* smime: certificates, signatures and encryptions of S/MIME. What is asked of whom is decided in lua/smtpsec/mime/smime.lua.
 */
#include "base/buf.h"
#include "lua/check.h"
#include "lua/open.h"
#include "mime/file.h"
#include "smime/certificate.h"
#include "smime/cms.h"

static const char certificate_class[] = "smtpsec.certificate";
static const char cms_class[] = "smtpsec.cms";

/* Octets of the longest file that is read, and how many at once. */
enum { FILE_MAX = 256 * 1024, PIECE = 4096 };

typedef struct {
  ss_certificates *all; /* NULL once closed */
  ss_buf file;          /* while it is read */
} certificate_box;

typedef struct {
  ss_cms *cms; /* NULL once closed */
  ss_buf file; /* of the key, while it is read */
} cms_box;

/* --- PEM --- */

typedef struct {
  const char *path; /* NULL where the text is there already */
  const char *text;
  size_t length;
} pem;

/* The table at `arg`: { pem = text } or { path = where it is }. It owns them. */
static pem check_pem(lua_State *L, int arg)
{
  pem p = {0};
  luaL_checktype(L, arg, LUA_TTABLE);
  p.path = ss_opt_field_text(L, arg, "path");
  p.text = ss_opt_field_string(L, arg, "pem", &p.length);
  luaL_argcheck(L, !p.path != !p.text, arg, "one of pem and path expected");
  return p;
}

static ss_status read_whole(ss_file *from, ss_buf *to, ss_error *e)
{
  size_t got;
  do {
    uint8_t *room = ss_buf_reserve(to, PIECE);
    if (!room) return ss_fail(e, SS_E_ARGUMENT, "it is larger than %d KiB", FILE_MAX / 1024);
    ss_status status = ss_file_read(from, room, PIECE, &got, e);
    if (status != SS_OK) return status;
    ss_buf_commit(to, got);
  } while (got);
  return SS_OK;
}

/* Reads the file, if it is one, into memory that is wiped: there may be a key in it, beside certificates too. */
static ss_status load_pem(pem *p, ss_buf *to, const char *what, ss_error *e)
{
  ss_file file = {0};
  ss_error why;
  if (p->text) return SS_OK;
  ss_buf_init(to, FILE_MAX);
  ss_status status = ss_file_open(&file, p->path, &why);
  if (status == SS_OK) status = read_whole(&file, to, &why);
  ss_file_close(&file);
  if (status != SS_OK) return ss_fail(e, SS_E_ARGUMENT, "%scannot be read: %s", what, why.text);
  p->text = (const char *)ss_buf_data(to);
  p->length = ss_buf_len(to);
  return SS_OK;
}

/* --- certificates --- */

static ss_certificates *check_certificate(lua_State *L, int arg)
{
  certificate_box *box = luaL_checkudata(L, arg, certificate_class);
  luaL_argcheck(L, box->all, arg, "the certificate is closed");
  return box->all;
}

static int certificate_close(lua_State *L)
{
  certificate_box *box = luaL_checkudata(L, 1, certificate_class);
  ss_certificates_free(box->all);
  ss_buf_free(&box->file);
  box->all = NULL;
  return 0;
}

/* core.smime_certificate({ pem= or path= }, purpose) -> the certificates in it, which serve the purpose: "chain", "signing" or
 * "encryption" | nil, status, text */
static int certificate_new(lua_State *L)
{
  static const char *const purposes[] = {
      [SS_SMIME_CHAIN] = "chain", [SS_SMIME_SIGNING] = "signing", [SS_SMIME_ENCRYPTION] = "encryption", NULL};
  ss_error e;
  pem p = check_pem(L, 1);
  ss_smime_purpose purpose = (ss_smime_purpose)luaL_checkoption(L, 2, NULL, purposes);
  certificate_box *box = ss_new_object(L, sizeof *box, certificate_class);
  if (load_pem(&p, &box->file, "", &e) == SS_OK)
    box->all = ss_certificates_read(p.text, p.length, purpose, &e);
  ss_buf_free(&box->file);
  return box->all ? 1 : ss_push_failure(L, &e);
}

/* certificate:names(address) -> whether it is for this address */
static int certificate_names(lua_State *L)
{
  size_t n;
  const ss_certificates *all = check_certificate(L, 1);
  const char *address = luaL_checklstring(L, 2, &n);
  lua_pushboolean(L, ss_certificates_name(all, address, n));
  return 1;
}

/* --- what is made with them --- */

static int cms_close(lua_State *L)
{
  cms_box *box = luaL_checkudata(L, 1, cms_class);
  ss_cms_free(box->cms);
  ss_buf_free(&box->file);
  box->cms = NULL;
  return 0;
}

static ss_cms *check_cms(lua_State *L)
{
  cms_box *box = luaL_checkudata(L, 1, cms_class);
  luaL_argcheck(L, box->cms, 1, "it is closed");
  return box->cms;
}

/* core.smime_signature(certificate, chain or nil, key, password or nil) -> signature | nil, status, text, which begins with
 * the name of what is wrong. The key is as a certificate's PEM. */
static int signature_new(lua_State *L)
{
  ss_error e;
  const ss_certificates *own = check_certificate(L, 1);
  const ss_certificates *chain = lua_isnoneornil(L, 2) ? NULL : check_certificate(L, 2);
  pem key = check_pem(L, 3);
  const char *password = luaL_optstring(L, 4, NULL);
  cms_box *box = ss_new_object(L, sizeof *box, cms_class);
  if (load_pem(&key, &box->file, "key: ", &e) == SS_OK) {
    const ss_smime_secret secret = {key.text, key.length, password};
    box->cms = ss_cms_new_signature(own, chain, &secret, &e);
  }
  ss_buf_free(&box->file);
  return box->cms ? 1 : ss_push_failure(L, &e);
}

/* core.smime_encryption(cipher, { certificate, … }) -> encryption for all of them | nil, status, text */
static int encryption_new(lua_State *L)
{
  ss_error e;
  const char *cipher = luaL_checkstring(L, 1);
  luaL_checktype(L, 2, LUA_TTABLE);
  cms_box *box = ss_new_object(L, sizeof *box, cms_class);
  box->cms = ss_cms_new_encryption(cipher, &e);
  ss_status status = box->cms ? SS_OK : e.status;
  for (int i = 1; status == SS_OK && i <= (int)ss_rawlen(L, 2); i++) {
    lua_rawgeti(L, 2, i);
    status = ss_cms_add_recipient(box->cms, check_certificate(L, lua_gettop(L)), &e);
    lua_pop(L, 1);
  }
  return status == SS_OK ? 1 : ss_push_failure(L, &e);
}

/* cms:hash() -> the name of a signature's hash, as micalg has it */
static int cms_hash(lua_State *L)
{
  lua_pushstring(L, ss_cms_hash(check_cms(L)));
  return 1;
}

/* cms:update(s) -> cms | nil, status, text */
static int cms_update(lua_State *L)
{
  size_t n;
  ss_error e;
  ss_cms *cms = check_cms(L);
  const char *s = luaL_checklstring(L, 2, &n);
  if (ss_cms_update(cms, s, n, &e) != SS_OK) return ss_push_failure(L, &e);
  lua_settop(L, 1);
  return 1;
}

/* cms:finish() -> DER | nil, status, text. It is closed. */
static int cms_finish(lua_State *L)
{
  size_t n;
  ss_error e;
  const uint8_t *der;
  ss_status status = ss_cms_finish(check_cms(L), &der, &n, &e);
  if (status == SS_OK) lua_pushlstring(L, (const char *)der, n);
  cms_close(L);
  return status == SS_OK ? 1 : ss_push_failure(L, &e);
}

void ss_lua_open_smime(lua_State *L)
{
  static const luaL_Reg functions[] = {{"smime_certificate", certificate_new},
                                       {"smime_signature", signature_new},
                                       {"smime_encryption", encryption_new},
                                       {NULL, NULL}};
  static const luaL_Reg certificate_methods[] = {{"names", certificate_names}, {NULL, NULL}};
  static const luaL_Reg cms_methods[] = {
      {"hash", cms_hash}, {"update", cms_update}, {"finish", cms_finish}, {NULL, NULL}};
  ss_register_class(L, certificate_class, certificate_methods, certificate_close);
  ss_register_class(L, cms_class, cms_methods, cms_close);
  luaL_setfuncs(L, functions, 0);
}
