#!/bin/sh
# verifiers.sh: fetches the judges that are no Debian packages to be installed: npm's mailparser, which reads mails, and
# mailauth, which verifies DKIM signatures, into build/judges; and OpenDKIM's program, whose package would bring a
# service, into build/opendkim. Says nothing when there is nothing to do.
set -eu
cd "$(dirname "$0")/../.."
mailauth=4.13.3
mailparser=3.9.20

if [ ! -d build/judges/node_modules/mailauth ] || [ ! -d build/judges/node_modules/mailparser ]; then
  echo "installing mailauth $mailauth and mailparser $mailparser into build/judges"
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix build/judges "mailauth@$mailauth" \
    "mailparser@$mailparser"
fi

if [ ! -x build/opendkim/opendkim ]; then
  echo "unpacking the Debian package opendkim into build/opendkim"
  mkdir -p build/opendkim/package
  (cd build/opendkim && apt-get -q -o APT::Sandbox::User=root download opendkim && dpkg-deb -x opendkim*.deb package &&
    mv package/usr/sbin/opendkim . && rm -r package opendkim*.deb)
fi
