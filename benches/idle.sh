#!/usr/bin/env bash
# What a daemon with many scheduled stores costs while none of them is due: memory and CPU time.
#
#   cargo build --release && benches/idle.sh [STORES] [SECONDS]
#
# One simulated shop stands for all stores. SQLite, default settings. Linux with curl.
set -euo pipefail
stores=${1:-1000} seconds=${2:-120}
program=${NETOSYNC:-$(cd "$(dirname "$0")/.." && pwd)/target/release/netosync}
folder=$(mktemp -d)
cd "$folder"
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$folder"' EXIT
export NETOSYNC__TRANSPORT__ALLOW_LOOPBACK=true NETOSYNC__DATABASE__URL="sqlite://$folder/netosync.db?mode=rwc"
export NETOSYNC__HTTP__LISTEN=127.0.0.1:18901

"$program" simulate --listen 127.0.0.1:18902 --products 3 >/dev/null 2>simulator.log &
"$program" db migrate >/dev/null
echo simulated-key >key
for number in $(seq "$stores"); do
    "$program" store add "store-$number" --url http://127.0.0.1:18902 --key-file key >/dev/null 2>&1
done

"$program" run 2>daemon.log &
daemon=$!
served() { curl -s http://$NETOSYNC__HTTP__LISTEN/metrics | awk '/^netosync_runs_total\{.*outcome="complete"/ { sum += $2 } END { print sum + 0 }'; }
begun=$(date +%s)
until [ "$(served)" -ge "$stores" ]; do
    kill -0 $daemon
    sleep 1
done
echo "$stores stores served once in $(($(date +%s) - begun)) s"

# User and system time, in clock ticks.
used() { awk '{ print $14 + $15 }' /proc/$daemon/stat; }
memory() { awk '/^VmRSS/ { print $2 }' /proc/$daemon/status; }
before=$(used) most=0
for _ in $(seq "$seconds"); do
    sleep 1
    now=$(memory)
    [ "$now" -le "$most" ] || most=$now
done
after=$(used)
awk -v most="$most" -v peak="$(awk '/^VmHWM/ { print $2 }' /proc/$daemon/status)" -v ticks=$((after - before)) \
    -v hz="$(getconf CLK_TCK)" -v seconds="$seconds" 'BEGIN {
    printf "idle for %d s: VmRSS %.1f MB at the most (peak while serving %.1f MB), %.2f s of CPU = %.2f %% of a core\n",
        seconds, most / 1024, peak / 1024, ticks / hz, 100 * ticks / hz / seconds }'
