# SPDX-License-Identifier: MIT
# packages.sh - sourced by the other scripts here: what a bare Debian machine still lacks is installed by name.

missing_packages() {
  for package; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || echo "$package"
  done
}

install_packages() {
  if ! command -v apt-get >/dev/null; then
    echo "no apt-get here: make sure that there is what Debian calls $*"
    return
  fi
  local missing
  missing=$(missing_packages "$@" | tr '\n' ' ')
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" != 0 ]; then
    echo "please, as root: apt-get install --no-install-recommends $missing" >&2
    exit 1
  fi
  echo "installing $missing"
  for pause in 5 15 30 60 0; do # another apt may be at work, or the mirror busy
    quiet_apt update || true
    quiet_apt install --no-install-recommends $missing && return
    sleep $pause
  done
  echo "apt-get could not install $missing" >&2
  exit 1
}

quiet_apt() {
  DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" >/dev/null </dev/null
}
