#!/usr/bin/env bash
# The managers that parachute is compared with, below one directory and nowhere else: install.sh DIR
set -euo pipefail
mkdir -p "$1"
cd "$1"

if [ ! -e py/bin/supervisord ]; then
    python3 -m venv py
    py/bin/pip install --quiet supervisor==4.3.0 circus==0.19.0
fi
if [ ! -e npm/node_modules/.bin/pm2 ]; then
    npm install --silent --no-fund --no-audit --prefix npm pm2@7.0.4
fi
if [ ! -e deb/root/usr/bin/s6-svscan ]; then
    mkdir -p deb/root
    (cd deb && apt-get download --quiet runit s6 libs6-2.11 libskarnet2.13 libexecline2.9 &&
        for package in *.deb; do dpkg -x "$package" root; done)
fi
if [ ! -e cargo/bin/horust ]; then
    cargo install --quiet --root cargo horust --version 0.1.14 || echo "horust cannot be built here" >&2
fi
