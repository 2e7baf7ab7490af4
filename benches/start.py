#!/usr/bin/env python3
"""How long `netosync run` takes from exec to READY=1, what systemd waits for, and what it holds a second later.

    cargo build --release && benches/start.py [ADDRESS [STARTS]]

ADDRESS is database.url of an existing database, sqlite://FILE or postgres://…; without one, a new SQLite file with one
store is made and thrown away. Everything else is read from the environment, as netosync itself does. Linux.
"""

import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = os.environ.get("NETOSYNC", str(Path(__file__).resolve().parent.parent / "target/release/netosync"))


def status(pid, field):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    return 0


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start(folder):
    """One start: milliseconds to READY=1, then CPU ms, RSS MB and threads a second later."""
    address = f"{folder}/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as hear:
        hear.bind(address)
        hear.settimeout(30)
        begun = time.perf_counter()
        with open(f"{folder}/log", "wb") as log:
            daemon = subprocess.Popen([PROGRAM, "run"], env={**os.environ, "NOTIFY_SOCKET": address}, stderr=log)
        try:
            while b"READY=1" not in hear.recv(4096):
                pass
            ready = (time.perf_counter() - begun) * 1000
            time.sleep(1)
            facts = cpu_seconds(daemon.pid) * 1000, status(daemon.pid, "VmRSS") / 1024, status(daemon.pid, "Threads")
        except TimeoutError:
            sys.exit(f"not ready within 30 s: {Path(folder, 'log').read_text()}")
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait()
    os.unlink(address)
    return ready, *facts


def main():
    starts = int(sys.argv[2]) if len(sys.argv) > 2 else 11
    with tempfile.TemporaryDirectory() as folder:
        if len(sys.argv) > 1 and sys.argv[1]:
            os.environ["NETOSYNC__DATABASE__URL"] = sys.argv[1]
        else:
            os.environ["NETOSYNC__DATABASE__URL"] = f"sqlite://{folder}/netosync.db?mode=rwc"
            Path(folder, "key").write_text("simulated-key")
            add = ["store", "add", "one", "--url", "https://one.example", "--key-file", f"{folder}/key"]
            for command in (["db", "migrate"], add, ["store", "pause", "one"]):
                subprocess.run([PROGRAM, *command], check=True, capture_output=True)
        all_facts = list(zip(*(start(folder) for _ in range(starts))))
        print(f"{starts} starts, median (least to most)")
        for name, facts in zip(("ms to READY=1", "ms of CPU in all, a second later", "MB RSS then", "threads then"), all_facts):
            print(f"{name:34} {statistics.median(facts):8.1f} ({min(facts):.1f} to {max(facts):.1f})")


if __name__ == "__main__":
    main()
