#!/bin/sh
# Puts netosync in place as a service: program, unit, user, folders, configuration, master key. Run it again to upgrade; what is
# yours (configuration, key, database, drop-ins) is never touched.
#
#   sudo systemd/install.sh [PROGRAM]      PROGRAM: target/release/netosync unless given
#
#   PREFIX=/usr       the program goes to PREFIX/bin (default /usr/local)
#   DESTDIR=/folder   everything goes below this folder, for packages and tests; nothing of this machine is changed
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
program=${1:-$here/../target/release/netosync}
prefix=${PREFIX:-/usr/local}
root=${DESTDIR:-}
config=$root/etc/netosync
key=$config/netosync.key

say() { printf '%s\n' "$*"; }
skip() { printf 'skipped: %s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

[ $# -le 1 ] || fail "one argument at most, the program; PREFIX and DESTDIR are environment variables"
case $prefix in
    /*[!A-Za-z0-9/._+-]*) fail "PREFIX=$prefix has characters that do not fit into a unit; use letters, digits and / . _ + -" ;;
    /*) ;;
    *) fail "PREFIX=$prefix must begin with /" ;;
esac
[ -n "$root" ] || [ "$(id -u)" -eq 0 ] || fail "installing needs root: sudo $0 (or set DESTDIR to look at the files first)"
[ -f "$program" ] || fail "there is no program at $program: cargo build --release makes it, or give its path"
"$program" --version >/dev/null || fail "$program does not run on this machine; build it here"

# install(1) replaces a file, it does not write into it: a netosync that runs keeps its program until it is restarted.
install -D -m 755 "$program" "$root$prefix/bin/netosync"
say "program        $root$prefix/bin/netosync"

install -d -m 755 "$root/etc/systemd/system"
unit=$root/etc/systemd/system/netosync.service
sed "s|/usr/local/bin/netosync|$prefix/bin/netosync|" "$here/netosync.service" >"$unit.new"
chmod 644 "$unit.new"
mv -f "$unit.new" "$unit"
say "unit           $unit"
install -D -m 644 "$here/netosync.sysusers" "$root/etc/sysusers.d/netosync.conf"
install -D -m 644 "$here/netosync.tmpfiles" "$root/etc/tmpfiles.d/netosync.conf"
say "user, folders  $root/etc/sysusers.d/netosync.conf, $root/etc/tmpfiles.d/netosync.conf"

if [ -n "$root" ]; then
    skip "the user netosync, because DESTDIR is set (systemd-sysusers makes it)"
elif have systemd-sysusers; then
    systemd-sysusers /etc/sysusers.d/netosync.conf
elif ! id netosync >/dev/null 2>&1; then
    fail "there is no systemd-sysusers here: useradd --system --home-dir /var/lib/netosync netosync, then try again"
fi
[ -d "$config" ] || install -d -m 750 "$config"
if [ -z "$root" ]; then
    chown root:netosync "$config"
    install -d -m 700 -o netosync -g netosync /var/lib/netosync
fi

if [ -e "$config/config.toml" ]; then
    say "configuration  $config/config.toml is yours and stays as it is"
else
    install -m 640 "$here/config.toml" "$config/config.toml"
    [ -n "$root" ] || chgrp netosync "$config/config.toml"
    say "configuration  $config/config.toml"
fi

if [ -e "$key" ]; then
    say "master key     $key is yours and stays as it is"
elif [ -n "$root" ]; then
    skip "the master key, because DESTDIR is set and no two machines should share one (netosync keys init makes it)"
else
    "$prefix/bin/netosync" keys init --key-file "$key" >/dev/null
    chown netosync: "$key"
    say "master key     $key: back it up elsewhere, without it the stores' credentials cannot be opened"
fi

if [ -n "$root" ]; then
    skip "telling systemd, because DESTDIR is set (systemctl daemon-reload does)"
    exit 0
elif [ ! -d /run/systemd/system ] || ! have systemctl; then
    skip "telling systemd, which does not run here (systemctl daemon-reload does)"
else
    systemctl daemon-reload
fi
say "next: sudo -u netosync netosync store add NAME --url URL"
say "      systemctl enable --now netosync        (after an upgrade: systemctl restart netosync)"
