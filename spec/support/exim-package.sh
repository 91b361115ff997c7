#!/bin/sh
# exim-package.sh: unpacks Debian's Exim (GnuTLS) into build/exim, since its package cannot be installed beside
# Postfix, and adds the user whose name is compiled into it. Its libraries are installed by deps.sh. Says nothing when
# there is nothing to do.
set -eu
cd "$(dirname "$0")/../.."
package=exim4-daemon-heavy user=Debian-exim

if [ ! -d build/exim/usr/share/doc/$package ]; then
  echo "unpacking the Debian package $package into build/exim"
  rm -rf build/exim && mkdir -p build/exim
  (cd build/exim && apt-get -q -o APT::Sandbox::User=root download $package &&
    dpkg-deb -x $package*.deb . && rm $package*.deb)
fi

if ! getent passwd $user >/dev/null; then
  echo "adding the system user $user, without whom Exim does not start"
  sudo=
  [ "$(id -u)" -eq 0 ] || sudo=sudo
  # The name's capital letter is Debian's own exception.
  $sudo useradd --system --badname --user-group --no-create-home --home-dir /var/spool/exim4 \
    --shell /usr/sbin/nologin $user
fi
