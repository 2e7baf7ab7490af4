#!/bin/sh
# Removes what systemd/install.sh has put in place. Configuration, master key, database and user stay, unless --purge.
#
#   sudo systemd/uninstall.sh              data and configuration stay
#   sudo systemd/uninstall.sh --purge      everything goes, for good: the copy, the key, the stores' credentials
#
# PREFIX and DESTDIR as for install.sh.
set -eu

prefix=${PREFIX:-/usr/local}
root=${DESTDIR:-}

say() { printf '%s\n' "$*"; }
skip() { printf 'skipped: %s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

purge=
case "$*" in
    '') ;;
    --purge) purge=yes ;;
    *) fail "unknown argument: $* (there is only --purge)" ;;
esac
case $prefix in
    /*) ;;
    *) fail "PREFIX=$prefix must begin with /" ;;
esac
[ -n "$root" ] || [ "$(id -u)" -eq 0 ] || fail "removing needs root: sudo $0"
systemd=
[ -n "$root" ] || [ ! -d /run/systemd/system ] || ! have systemctl || systemd=yes

if [ -z "$systemd" ]; then
    skip "stopping the service, because DESTDIR is set or systemd does not run here"
elif [ -e /etc/systemd/system/netosync.service ]; then
    systemctl disable --now netosync
fi
for file in "$prefix/bin/netosync" /etc/systemd/system/netosync.service /etc/sysusers.d/netosync.conf \
    /etc/tmpfiles.d/netosync.conf; do
    [ -e "$root$file" ] || continue
    rm -f "$root$file"
    say "removed $root$file"
done
[ -z "$systemd" ] || systemctl daemon-reload

if [ -z "$purge" ]; then
    for kept in /etc/netosync /var/lib/netosync /etc/systemd/system/netosync.service.d; do
        [ ! -e "$root$kept" ] || say "kept    $root$kept (--purge removes it)"
    done
    exit 0
fi
for folder in /etc/netosync /var/lib/netosync /etc/systemd/system/netosync.service.d; do
    [ -e "$root$folder" ] || continue
    rm -rf "$root$folder"
    say "removed $root$folder"
done
if [ -n "$root" ]; then
    skip "the user netosync, because DESTDIR is set"
elif id netosync >/dev/null 2>&1; then
    userdel netosync
    say "removed the user netosync"
fi
