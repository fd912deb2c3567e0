#!/bin/sh
# The one list of system packages: `sh scripts/system.sh demo` for what `make demo` needs, `... test` for what tests use.
# With root, or sudo that asks for no password, on Debian and Ubuntu they are installed; else the line to type is printed.
# It never fails: what is missing is then skipped, each test with its reason.
set -u
what=${1:?demo or test}
python=${PYTHON:-python3}

missing=""
lacks() { missing="$missing $1"; }
has() { for name in "$@"; do command -v "$name" >/dev/null 2>&1 && return 0; done; return 1; }

"$python" -c 'import ensurepip' 2>/dev/null || lacks python3-venv
has c++ g++ clang++ || lacks g++
"$python" -c 'import os, sysconfig; os.stat(sysconfig.get_path("include") + "/Python.h")' 2>/dev/null || lacks python3-dev
if [ "$what" = test ]; then
  has chromium chromium-browser google-chrome || lacks chromium
  has firefox-esr firefox || ! grep -q '^ID=debian' /etc/os-release 2>/dev/null || lacks firefox-esr  # Ubuntu has none
  has node || lacks nodejs
  has Xvfb || lacks xvfb
  has xdotool || lacks xdotool
  has tmux || lacks tmux
  has fc-list || lacks fontconfig
  fc-list 2>/dev/null | grep -qi 'dejavu' || lacks fonts-dejavu-core
  fc-list 2>/dev/null | grep -qi 'color *emoji' || lacks fonts-noto-color-emoji
fi
[ -n "$missing" ] || exit 0

line="apt-get install -y --no-install-recommends$missing"
if ! has apt-get; then
  echo "missing here:$missing (Debian's names); what needs them is left out"
  exit 0
fi
if [ "$(id -u)" = 0 ]; then
  root=""
elif sudo -n true 2>/dev/null; then
  root="sudo"
else
  echo "missing here:$missing; to have them: sudo $line"
  exit 0
fi
echo "installing$missing"
export DEBIAN_FRONTEND=noninteractive
quick="-qq -o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20"
# shellcheck disable=SC2086  # words, not one word
if ! { $root apt-get $quick update && $root $line $quick >/dev/null; }; then
  echo "could not install them; try: sudo $line"
fi
exit 0
