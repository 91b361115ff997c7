/* trust: see trust.h. */
#include "tls/trust.h"
#include "base/openssl_error.h"

#include <dirent.h>
#include <openssl/err.h>
#include <string.h>

static ss_status fail(ss_error *e, const char *key, const char *path)
{
  char words[SS_ERROR_REASON];
  ss_openssl_words(words, sizeof words);
  return ss_fail(e, SS_E_ARGUMENT, "%s \"%s\": %s", key, path, words);
}

/* "5ed36f99.0": the hash of a subject, and a number for those that share it. */
static bool hash_name(const char *name)
{
  return strspn(name, "0123456789abcdef") == 8 && name[8] == '.' && name[9] >= '0' && name[9] <= '9';
}

static bool has_hashes(const char *path)
{
  DIR *dir = opendir(path);
  if (!dir) return false;
  const struct dirent *entry;
  bool found = false;
  while (!found && (entry = readdir(dir)) != NULL)
    found = hash_name(entry->d_name);
  closedir(dir);
  return found;
}

static bool add_folder(X509_STORE *store, const char *path)
{
  X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_hash_dir());
  return lookup && X509_LOOKUP_add_dir(lookup, path, X509_FILETYPE_PEM) == 1;
}

static bool add_revocations(X509_STORE *store, const char *path)
{
  X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
  return lookup && X509_load_crl_file(lookup, path, X509_FILETYPE_PEM) > 0 &&
         X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
}

static ss_status load_revocations(X509_STORE *store, const char *crl_file, ss_error *e)
{
  return !crl_file || add_revocations(store, crl_file) ? SS_OK : fail(e, "crl_file", crl_file);
}

ss_status ss_tls_trust_load(X509_STORE *store, const ss_tls_trust *trust, ss_error *e)
{
  ERR_clear_error();
  if (trust->ca_file && !X509_STORE_load_file(store, trust->ca_file))
    return fail(e, "ca_file", trust->ca_file);
  if (trust->ca_path) {
    if (!has_hashes(trust->ca_path))
      return ss_fail(e, SS_E_ARGUMENT,
                     "ca_path \"%s\": no folder with hashed certificates (\"openssl rehash\" makes one)",
                     trust->ca_path);
    if (!add_folder(store, trust->ca_path)) return fail(e, "ca_path", trust->ca_path);
  }
  return load_revocations(store, trust->crl_file, e);
}

/* The folder costs nothing until a chain is verified, and then one file; the bundle costs tens of milliseconds. */
ss_status ss_tls_trust_load_system(X509_STORE *store, const char *crl_file, ss_error *e)
{
  ERR_clear_error();
  const char *folder = X509_get_default_cert_dir(), *bundle = X509_get_default_cert_file();
  if (!has_hashes(folder))
    X509_STORE_load_file(store, bundle);
  else if (!add_folder(store, folder))
    return fail(e, "system certificates", folder);
  ERR_clear_error();
  return load_revocations(store, crl_file, e);
}
