#!/bin/sh
# pki.sh DIR: an authority (ca.pem) and a server of it, mail.test (server.pem, certificate and key), for the programs
# beside this file.
set -eu
dir=$1
mkdir -p "$dir"
test -s "$dir/server.pem" && test -n "$(find "$dir/server.pem" -mtime -20)" && exit 0

{
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj '/CN=fuzz authority' \
    -addext 'keyUsage=critical,keyCertSign,cRLSign' -keyout "$dir/ca.key" -out "$dir/ca.pem"
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj '/CN=mail.test' \
    -keyout "$dir/server.key" -out "$dir/server.csr"
  printf '%s\n' 'basicConstraints=critical,CA:FALSE' 'keyUsage=critical,digitalSignature' \
    'extendedKeyUsage=serverAuth' 'subjectAltName=DNS:mail.test' 'subjectKeyIdentifier=hash' \
    'authorityKeyIdentifier=keyid' >"$dir/server.ext"
  openssl x509 -req -days 30 -in "$dir/server.csr" -CA "$dir/ca.pem" -CAkey "$dir/ca.key" -CAcreateserial \
    -extfile "$dir/server.ext" -out "$dir/server.crt"
} >"$dir/log" 2>&1 || { cat "$dir/log" >&2; exit 1; }
cat "$dir/server.crt" "$dir/server.key" >"$dir/server.pem"
