#!/bin/sh
# netosync beside a plain Python script, a dlt pipeline and a Singer tap with its target: the same store, the same server, one run.
#
#   cargo build --release && bench/peers/run.sh [PRODUCTS]
#
# Takes the peers (requirements/*.txt, pinned) from PyPI by pip, each into an environment of its own under target/peers, once. Linux,
# Python 3.11 or later, PostgreSQL's server programs.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
venvs=${VENVS:-$here/../../target/peers}
for peer in plain dlt tap target; do
    if [ ! -f "$venvs/$peer/ready" ]; then
        python3 -m venv "$venvs/$peer"
        "$venvs/$peer/bin/pip" --quiet install --requirement "$here/requirements/$peer.txt"
        touch "$venvs/$peer/ready"
    fi
done
exec python3 "$here/run.py" "$venvs" "${1:-5000}"
