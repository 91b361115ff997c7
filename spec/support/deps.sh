#!/bin/sh
# deps.sh build|demo|test|bench: installs the Debian packages that this needs and that are missing, through sudo when
# not root. Nothing is removed, no service is started, and none of those installed here is left to start at boot.
# When nothing is missing it says nothing and takes a few milliseconds.
set -eu

build="build-essential pkg-config libssl-dev libidn-dev libidn2-dev libunistring-dev lua5.4 liblua5.4-dev luajit2 libluajit2-5.1-dev"
demo="openssl"
test="luarocks lua-busted lua-check clang clang-format libclang-rt-14-dev valgrind binutils python3
  lua-cqueues lua-luv nginx-light libnginx-mod-http-lua postfix dovecot-core dovecot-submissiond chasquid
  libgsasl-dev lua-luaossl sasl2-bin libsasl2-modules libsasl2-modules-db"
bench="lua-system lua-socket lua-sec libcurl4-openssl-dev libesmtp-dev python3 nodejs"
nodemailer=10.6.0
# OpenDKIM's package would start a service: it is unpacked by verifiers.sh, and these are the libraries it wants.
opendkim="libopendkim11 libmilter1.0.1 libvbr2 librbl1 libopendbx1 libmemcached11 liblua5.3-0 libunbound8 libldap-2.5-0"
# Exim's package conflicts with Postfix's: it is unpacked by exim-package.sh, and these are the libraries it wants.
exim="libgnutls-dane0 libidn12 libnsl2 libldap-2.5-0 libmariadb3 libperl5.36 libpq5 libspf2-2"
# A package, and its service where that has another name.
services="postfix dovecot chasquid nginx sasl2-bin:saslauthd"

case ${1-} in
build) wanted=$build why="a C compiler, OpenSSL, libidn and both Luas" ;;
demo) wanted="$build $demo" why="a C compiler, OpenSSL, libidn and both Luas" ;;
test) wanted="$build $demo $test $exim $opendkim python3-dkim python3-nacl"
  why="compilers, test tools, and real mail servers to test against"
  command -v node >/dev/null || wanted="$wanted nodejs"
  command -v npm >/dev/null || wanted="$wanted npm" ;;
bench) wanted="$build $demo $bench" why="the clients that are compared, and what drives them"
  command -v npm >/dev/null || wanted="$wanted npm" ;;
*) sed -n '2,4s/^# //p' "$0" >&2; exit 2 ;;
esac
here=$(dirname "$0")
log=$here/../../build/apt.log

# The words of the first argument that are not installed packages.
missing() {
  installed=$(dpkg-query -W -f '${db:Status-Abbrev} ${Package} \n' $1 2>/dev/null | grep '^ii' || true)
  for package in $1; do
    case $installed in *" $package "*) ;; *) printf '%s ' "$package" ;; esac
  done
}

apt() {
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"
}

install_packages() {
  apt --no-install-recommends --no-remove install "$@"
}

# Debian starts a service when its package is installed, unless this file says no.
forbid_starts() {
  policy=/usr/sbin/policy-rc.d
  [ ! -e $policy ] || return 0
  trap '$sudo rm -f $policy' EXIT
  trap 'exit 1' HUP INT TERM
  printf '#!/bin/sh\nexit 101\n' | $sudo tee $policy >/dev/null
  $sudo chmod 755 $policy
}

disable_at_boot() {
  [ -d /run/systemd/system ] || return 0
  for service in $services; do
    case " $packages" in *" ${service%:*}"*) $sudo systemctl --quiet disable "${service#*:}" || true ;; esac
  done
}

packages=$(missing "$wanted")
if [ -n "$packages" ]; then
  sudo=
  if [ "$(id -u)" -ne 0 ]; then
    sudo=sudo
    command -v sudo >/dev/null || { echo "without sudo, have root run: apt-get install $packages" >&2; exit 1; }
  fi
  echo "make $1 needs $why; installing the Debian packages (a minute or two): $packages"
  forbid_starts
  case $packages in *postfix*)
    echo "postfix postfix/main_mailer_type select No configuration" | $sudo debconf-set-selections ;;
  esac
  mkdir -p "$(dirname "$log")"
  install_packages $packages >"$log" 2>&1 || { apt update && install_packages $packages; } >>"$log" 2>&1 || {
    tail -n 20 "$log" >&2
    exit 1
  }
  disable_at_boot
fi

if [ "$1" = test ]; then
  sh "$here/exim-package.sh"
  sh "$here/verifiers.sh"
fi

# nodemailer is no Debian package; it stays in the build folder.
if [ "$1" = bench ] && [ ! -d "$here/../../build/bench/npm/node_modules/nodemailer" ]; then
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$here/../../build/bench/npm" \
    "nodemailer@$nodemailer"
fi
