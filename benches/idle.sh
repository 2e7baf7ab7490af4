#!/usr/bin/env bash
# What a daemon with many scheduled stores costs: memory, CPU time, wake-ups.
#
#   cargo build --release && benches/idle.sh [STORES] [SECONDS] [quiet]
#
# One simulated shop stands for all stores. SQLite, default settings, every store served once before. With the default schedules a
# thousand stores are more than a run a second; `quiet` leaves them without schedules, so that nothing is ever due. Linux with
# python3.
set -euo pipefail
stores=${1:-1000} seconds=${2:-120} quiet=${3:-}
program=${NETOSYNC:-$(cd "$(dirname "$0")/.." && pwd)/target/release/netosync}
folder=$(mktemp -d)
cd "$folder"
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$folder"' EXIT
export NETOSYNC__TRANSPORT__ALLOW_LOOPBACK=true NETOSYNC__DATABASE__URL="sqlite://$folder/netosync.db?mode=rwc"

"$program" simulate --listen 127.0.0.1:18902 --products 3 >/dev/null 2>simulator.log &
"$program" db migrate >/dev/null
python3 - "$stores" <<'END'
import sqlite3, sys
source = sqlite3.connect("source.db")
source.execute("CREATE TABLE shops (name TEXT, url TEXT, secret TEXT)")
row = "http://127.0.0.1:18902", "simulated-key"
source.executemany("INSERT INTO shops VALUES (?, ?, ?)", ((f"store-{n}", *row) for n in range(int(sys.argv[1]))))
source.commit()
END
NETOSYNC__CREDENTIALS__IMPORT__URL="sqlite://$folder/source.db" \
    NETOSYNC__CREDENTIALS__IMPORT__QUERY="SELECT name, url, secret FROM shops" "$program" store import >/dev/null
begun=$(date +%s)
NETOSYNC__WORKER__SLOTS=64 "$program" run --once 2>once.log
echo "$stores stores served once with 64 slots in $(($(date +%s) - begun)) s"

if [ "$quiet" = quiet ]; then
    export NETOSYNC__SCHEDULE__FULL= NETOSYNC__SCHEDULE__INCREMENTAL= NETOSYNC__SCHEDULE__SWEEP=
fi
"$program" run 2>daemon.log &
daemon=$!
sleep 20
# User and system time in clock ticks; how often a thread went to sleep, which is how often one was woken.
used() { awk '{ print $14 + $15 }' /proc/$daemon/stat; }
sleeps() { cat /proc/$daemon/task/*/status | awk '/^voluntary_ctxt_switches/ { sum += $2 } END { print sum }'; }
memory() { awk '/^VmRSS/ { print $2 }' /proc/$daemon/status; }
ended() { grep -c 'run ended' daemon.log || true; }
before=$(used) slept=$(sleeps) runs=$(ended) most=0
for _ in $(seq "$seconds"); do
    sleep 1
    now=$(memory)
    [ "$now" -le "$most" ] || most=$now
done
after=$(used)
awk -v most="$most" -v anon="$(awk '/^RssAnon/ { print $2 }' /proc/$daemon/status)" -v ticks=$((after - before)) \
    -v wakes=$(($(sleeps) - slept)) -v runs=$(($(ended) - runs)) -v hz="$(getconf CLK_TCK)" -v seconds="$seconds" 'BEGIN {
    printf "%d s, %d runs: VmRSS %.1f MB at the most (%.1f MB of it not of the program file), %.2f s of CPU = %.2f %% of a core, %.1f wake-ups a second\n",
        seconds, runs, most / 1024, anon / 1024, ticks / hz, 100 * ticks / hz / seconds, wakes / seconds }'
