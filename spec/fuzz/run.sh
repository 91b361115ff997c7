#!/bin/sh
# run.sh SECONDS: builds every libFuzzer target beside this file and runs each for so long, under AddressSanitizer and
# UndefinedBehaviorSanitizer. What they find is kept in build/fuzz. Ends with "N passed, N failed"; fails on a finding.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-60}
build=${BUILD:-build}/fuzz
here=spec/fuzz
mkdir -p "$build"

# ---- building: the engine once, then each target ----

flags="-std=c11 -D_GNU_SOURCE -Icsrc -O1 -g -fno-omit-frame-pointer -fno-sanitize-recover=undefined"
engine=$(echo csrc/base/*.c csrc/smtp/*.c csrc/sasl/*.c csrc/tls/*.c csrc/mime/*.c csrc/dkim/*.c csrc/*.c)
rm -rf "$build/obj" && mkdir -p "$build/obj"
for source in $engine; do
  object=$build/obj/$(echo "$source" | tr / _).o
  # shellcheck disable=SC2086
  clang $flags -fsanitize=fuzzer-no-link,address,undefined -c "$source" -o "$object"
done

link() { # link SOURCE TARGET [FLAG]
  # shellcheck disable=SC2086
  clang $flags ${3:-} -fsanitize=fuzzer,address,undefined "$here/$1.c" "$build"/obj/*.o -o "$build/$2" -lssl -lcrypto -lunistring
}
link reply reply
link data data
link text text
link sasl sasl
link dkim dkim
link conn conn
link conn conn_tls -DSS_FUZZ_TLS
sh "$here/pki.sh" "$build/pki"
export SS_FUZZ_PKI="$build/pki"

# ---- seeds: honest sessions, from which the fuzzer goes astray ----

seed() { # seed TARGET NAME: standard input is the seed
  mkdir -p "$build/corpus/$1" "$build/seeds/$1"
  cat >"$build/seeds/$1/$2"
}

say() { # an operation of conn.c with a length and bytes: say LETTER 'text as printf takes it'
  # shellcheck disable=SC2059
  length=$(printf "$2" | wc -c)
  # shellcheck disable=SC2059
  printf "$1\\$(printf %03o "$length")$2"
}

greeting() { # greeting MODE VERB [bulk]: up to the reply to EHLO (000) or LHLO (002), which offers what bulk mail needs
  # shellcheck disable=SC2059
  printf "\\$1"
  say f '220 mail.test\r\n'
  # shellcheck disable=SC2059
  printf "zE\\${2:-000}z"
  if test "${3:-}"; then # a length is one byte
    say f '250-mail.test\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-DSN\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n'
    say f '250-BINARYMIME\r\n250-DELIVERBY 9\r\n250-MT-PRIORITY\r\n250-LIMITS RCPTMAX=5\r\n250 FUTURERELEASE 86400 2030-01-01T00:00:00Z\r\n'
  else
    say f '250-mail.test\r\n250-PIPELINING\r\n250-SIZE 99\r\n250-SMTPUTF8\r\n250-STARTTLS\r\n'
    say f '250 AUTH PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256 OAUTHBEARER XOAUTH2 EXTERNAL DIGEST-MD5 ANONYMOUS X-OWN\r\n'
  fi
  printf 'z'
}

mess() { # everything that may be asked for, in or out of place
  printf 'E\000A\001\002ppSM\000\000M\003\000R\000\000D.XN'
  say b 'body'
  say H '[192.0.2.1]'
  printf '\000'
}

transaction() {
  printf 'M\003\000M\000' # the first needs what is not offered
  say '' 'a@client.test'
  printf 'R\000\000R\034\000R\021\000Dz'
  say f '250 2.1.0 ok\r\n250 2.1.5 ok\r\n250 ok\r\n550 5.1.1 no\r\n354 go\r\n'
  printf 'z'
  say b '.one\r\n.\r.\ntwo'
  printf '.zR\000\000'
  say f '250 queued\r\n'
  printf 'zQz'
  say f '221 bye\r\n'
  printf 'zc'
}

transactions() { # several in flight, with BDAT, of which a server refuses some
  for last in '\001' '\001' '\000' '\001'; do
    printf "T\000$last"
    say '' 'one\r\n.two\n\rthree'
  done
  # shellcheck disable=SC2059
  printf "$1"
  say f '250 ok\r\n250 ok\r\n250 one\r\n250 ok\r\n250 ok\r\n550 no\r\n503 no\r\n250 ok\r\n'
  printf 'z'
  say f '250 ok\r\n250 ok\r\n452 full\r\n250 ok\r\n250 ok\r\n250 ok\r\n250 four\r\n250 ok\r\n'
  printf 'zm\373\005\001\003\000'
  say '' 'id+1'
  printf 'R\036\000C\000'
  say '' 'half a\r'
  printf 'C\001'
  say '' '\nmessage'
  printf 'Qz'
  say f '250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n221 bye\r\n'
  printf 'z'
}

for target in conn conn_tls; do
  { greeting 010 000 bulk; transactions z; } | seed $target chunks
  { greeting 010 002 bulk; transactions 'w\377'; } | seed $target lmtp_chunks
  { greeting 010; transaction; } | seed $target mail
  { greeting 010 002; transaction; say f '250 one\r\n250 two\r\n'; printf 'z'; } | seed $target lmtp
  { greeting 010; printf 'A\000\001pz'; say f '235 ok\r\n'; printf 'z'; transaction; } | seed $target plain
  { greeting 010; printf 'A\001\001pz'; say f '334 VXNlcg==\r\n'; printf 'z'; say f '334 \r\n'; printf 'z'
    say f '235 ok\r\n'; printf 'z'; } | seed $target login
  { greeting 010; printf 'A\002\001pz'; say f '334 QUFB\r\n'; printf 'z'; say f '535 no\r\n'; printf 'z'
    transaction; } | seed $target cram
  for bearer in '\007' '\010'; do
    # shellcheck disable=SC2059
    { greeting 010; printf "A$bearer"'\005ya29.z'; say f '334 eyJzdGF0dXMiOiI0MDEifQ==\r\n'; printf 'z'
      say f '535 no\r\n'; printf 'zA\011\000z'; say f '235 ok\r\n'; printf 'z'; } | seed $target "bearer${bearer#?}"
  done
  { greeting 010; printf 'A\012\001pz'
    say f '334 cmVhbG09ImEiLG5vbmNlPSJiIixxb3A9ImF1dGgiLGFsZ29yaXRobT1tZDUtc2VzcyxjaGFyc2V0PXV0Zi04\r\n'; printf 'z'
    say f '334 cnNwYXV0aD1lYTQwZjYwMzM1YzQyN2I1NTI3Yjg0ZGJhYmNkZmZmZA==\r\n'; printf 'z'; } | seed $target digest
  { greeting 010; printf 'O\001\001xz'; say f '334 QUFB\r\n'; printf 'zo\001\001yz'; say f '334 \r\n'
    printf 'zo\003\001zz'; say f '235 ok\r\n'; printf 'z'; transaction; } | seed $target outside
  { greeting 010; printf 'O\000\000z'; say f '334 \r\n'; printf 'zo\000\000z'; say f '501 back\r\n'
    printf 'zO\003\000z'; say f '235 ok\r\n'; printf 'z'; } | seed $target taken_back
  { greeting 010; printf 'A\005\001pz'; say f '334 ZT11bmtub3duLXVzZXI=\r\n'; printf 'z'; } | seed $target scram
  { greeting 011; printf 'Sz'; say f '220 go\r\n'; printf 'nzw\377z'; say i '\026\003\003'; printf 'z'
    transaction; } | seed $target starttls
  { printf '\010'; mess; say f '220 mail.test\r\n'; printf 'z'; mess; printf 'E\000w\003'; mess; printf 'z'
    say f '250-mail.test\r\n250-PIPELINING\r\n250 AUTH LOGIN\r\n'; printf 'zA\001\001pw\377'; mess
    say f '334 \r\n'; printf 'n'; mess; printf 'z'; say f '334 \r\n'; printf 'z'; mess; say f '235 ok\r\n'
    printf 'z'; mess; } | seed $target mess
  { greeting 012; printf 'XXXXNB\100'; say f '421 bye\r\n'; printf 'ze'; } | seed $target leave
  { greeting 010; printf 'M\000\000R\000\000w\377'; say f '250 ok\r\n550 no\r\n421 bye\r\n'; printf 'r\377'
    say i '\027\003\003\000\005hello'; printf 'nR\000\000w\377z'; } | seed $target muted
done
printf '0000250-mail.test\r\n250-PIPELINING\r\n250-AUTH PLAIN LOGIN\r\n250 SIZE 1000\r\n' | seed reply ehlo
printf '1234220 hi\r\n250-2.1.5 a\r\n250 2.1.5 b\r\n550 5.7.1 no\r\n354\r\n421 bye\r\n' | seed reply several
printf '\r\n.\r\n..a\r\nb\rc\nd\r\n.e' | seed data lines
printf '\000 a  b\t\r\n \r\n\r\nc\rd \r\n\r\n' | seed dkim simple
printf '\001 a  b\t\r\n \r\n\r\nc\rd \r\n\r\n' | seed dkim relaxed
printf '\003From: x\r\nA: y\r\n z \r\nb:\r\nB : \tc\r\nC:\r\n' | seed dkim header
printf '\004Subject : a\r\n\tb  c \r\n' | seed dkim field
i=0
for mechanism in '\000' '\001' '\002' '\003' '\004' '\005'; do # SCRAM, bound and not, to its end and to no good one
  # shellcheck disable=SC2059
  printf "$mechanism"'\060r=\001%%x,s=QSXCR+Q6sek8bf92,i=4096,x=y\nv=\002,z=a' | seed sasl "done_$i"
  # shellcheck disable=SC2059
  printf "$mechanism"'\021r=\001x,s=QQ==,i=4100\ne=invalid-proof\n' | seed sasl "error_$i"
  i=$((i + 1))
done
printf '\011\000Username:\nPassword:\n' | seed sasl login
printf '\012\000<1896.697170952@postoffice.reston.mci.net>' | seed sasl cram
printf '\006\000{"status":"invalid_token"}\n' | seed sasl oauthbearer
printf '\007\000{"status":"401"}\n' | seed sasl xoauth2
printf '\014\000realm="a",nonce="b",qop="auth",algorithm=md5-sess,charset=utf-8\nrspauth=ea40f60335c427b5527b84dbabcdfffd\n' |
  seed sasl digest
i=0
for text in '\000a.b+c@mail.test' '\000"a b\\"c"@[IPv6:2001:db8::1]' '\001[192.0.2.1]' '\002QUFBQQ==' \
  '\003\033[2J\342\200\256x' '\004\303\274\360\237\230\200' '\005"J, D" <"a>"@b>, x@[IPv6:::1], N (c)' \
  '\006From x\r\ny \rz\303\274\n=' '\007say  "hi" \303\274 =?utf-8?Q?x?= \\ ' '\010' \
  '\011\000a \346\227\245\346\234\254 b\302\245\r\n'; do
  # shellcheck disable=SC2059
  printf "$text" | seed text "$i"
  i=$((i + 1))
done

cat >"$build/words" <<'W'
"\x0d\x0a"
"\x0d\x0a.\x0d\x0a"
"220 "
"250 "
"250-"
"235 "
"334 "
"354 "
"421 "
"535 "
"552 "
"2.1.5 "
"PIPELINING"
"STARTTLS"
"SMTPUTF8"
"8BITMIME"
"CHUNKING"
"BINARYMIME"
"DSN"
"LIMITS RCPTMAX=1"
"DELIVERBY 9"
"REQUIRETLS"
"FUTURERELEASE 9 2030-01-01T00:00:00Z"
"SIZE "
"AUTH PLAIN LOGIN CRAM-MD5"
"DIGEST-MD5"
"XOAUTH2"
"nonce="
"realm=\x22"
"qop=\x22auth,auth-int\x22"
"algorithm=md5-sess"
"charset=utf-8"
"rspauth="
"stale=true"
"SCRAM-SHA-256-PLUS"
",i=4096"
",s=QQ=="
"r=\x01"
"v=\x02"
",m="
"e=invalid-proof"
"f\x0a"
W

# ---- running ----

passed=0
failed=0
for target in reply data text sasl dkim conn conn_tls; do
  log=$build/$target.log
  if "$build/$target" -max_total_time="$seconds" -timeout=20 -max_len=8192 -dict="$build/words" -print_final_stats=1 \
    -artifact_prefix="$build/$target-" "$build/corpus/$target" "$build/seeds/$target" >"$log" 2>&1; then
    passed=$((passed + 1))
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    covered=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    echo "$target: nothing found in $seconds s, $runs runs, $covered edges"
  else
    failed=$((failed + 1))
    tail -n 40 "$log"
    echo "$target: FAILED, see $log and $build/$target-*"
  fi
done
echo "$passed passed, $failed failed"
test "$failed" -eq 0
