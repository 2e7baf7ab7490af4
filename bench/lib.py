"""What the benchmarks of whole processes share: a PostgreSQL server, a simulated store, netosync, a stopwatch. Python's own library
only; Linux."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from glob import glob
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = os.environ.get("NETOSYNC", str(ROOT / "target/release/netosync"))


@dataclass
class Cost:
    """What a run of a program took."""

    wall: float
    cpu: float
    rss_mb: float


def measure(*command, env=None, log=None):
    """Runs a program, or a pipe of them given as lists, to its end: wall and CPU seconds, and the sum of their peaks."""
    pipe = command if isinstance(command[0], (list, tuple)) else [command]
    begun, cpu, rss, upstream, running = time.perf_counter(), 0.0, 0.0, None, []
    for place, args in enumerate(pipe):
        last = place == len(pipe) - 1
        out = log if last else subprocess.PIPE
        one = subprocess.Popen([str(arg) for arg in args], env=env, stdin=upstream, stdout=out, stderr=log)
        if upstream:
            upstream.close()
        upstream = one.stdout
        running.append(one)
    for one in running:
        _, status, used = os.wait4(one.pid, 0)
        one.returncode = os.waitstatus_to_exitcode(status)
        cpu += used.ru_utime + used.ru_stime
        rss += used.ru_maxrss / 1024
        if one.returncode:
            said = Path(log.name).read_text(errors="replace")[-2000:] if log else ""
            sys.exit(f"{one.args} ended with {one.returncode}: {said}")
    return Cost(time.perf_counter() - begun, cpu, rss)


class Postgres:
    """A throw-away server on a socket of its own, durable like one in production."""

    SETTINGS = ["listen_addresses=''", "shared_buffers=512MB", "max_wal_size=4GB"]

    def __init__(self, folder):
        self.folder = Path(folder, "pg")
        self.folder.mkdir()
        found = shutil.which("initdb") or sorted(glob("/usr/lib/postgresql/*/bin/initdb"))[-1:]
        if not found:
            sys.exit("PostgreSQL's server programs are needed: apt-get install postgresql")
        self.programs = Path(os.path.realpath(found if isinstance(found, str) else found[0])).parent
        self.user = {}
        if os.getuid() == 0:
            # The server refuses to run as root.
            names = {entry.pw_name: entry for entry in pwd.getpwall()}
            entry = names.get("postgres") or names["nobody"]
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
            Path(folder).chmod(0o755)
            self.user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        self.ask("initdb", "-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
        with open(self.folder / "data/postgresql.conf", "a") as conf:
            print(*self.SETTINGS, f"unix_socket_directories='{self.folder}'", sep="\n", file=conf)
        self.ask("pg_ctl", "-w", "-s", "-D", "data", "-l", "log", "start")

    def ask(self, program, *args):
        asked = [str(self.programs / program), *args]
        done = subprocess.run(asked, cwd=self.folder, capture_output=True, text=True, check=False, **self.user)
        if done.returncode:
            sys.exit(f"{program}: {done.stdout}{done.stderr}")
        return done.stdout

    def sql(self, database, statement):
        return self.ask("psql", "-q", "-A", "-t", "-h", str(self.folder), "-U", "postgres", "-d", database, "-c", statement).strip()

    def database(self, name, scheme="postgres"):
        """The address of a new, empty database."""
        self.sql("postgres", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        self.sql("postgres", f"CREATE DATABASE {name}")
        return f"{scheme}://postgres@localhost/{name}?host={self.folder}"

    def stop(self):
        self.ask("pg_ctl", "-s", "-m", "immediate", "-D", "data", "stop")


class Store:
    """`netosync simulate`; its products are rendered when they are asked for first, then kept."""

    def __init__(self, products, port=18787, share=0.01, cache_mb=4096):
        self.url = f"http://127.0.0.1:{port}"
        self.products = products
        command = [PROGRAM, "simulate", "--listen", f"127.0.0.1:{port}", "--products", products]
        command += ["--edit-share", share, "--cache-mb", cache_mb]
        self.process = subprocess.Popen([str(arg) for arg in command], stdout=subprocess.PIPE, text=True)
        while "store add" not in self.process.stdout.readline():
            if self.process.poll() is not None:
                sys.exit("the simulated store did not start")

    def edit(self):
        """Edits its share of the products."""
        self.process.send_signal(signal.SIGUSR1)
        while "edited" not in self.process.stdout.readline():
            pass

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        self.process.communicate()


class Netosync:
    """netosync with a database of its own."""

    def __init__(self, folder, address, store, **settings):
        self.folder = Path(folder, f"n{time.monotonic_ns()}")
        self.folder.mkdir()
        self.address = address or f"sqlite://{self.folder}/netosync.db?mode=rwc"
        key = self.folder / "store.key"
        key.write_text("simulated-key")
        self.env = os.environ | {
            "NETOSYNC__DATABASE__URL": self.address,
            "NETOSYNC__SECRETS__KEY_FILE": str(self.folder / "master.key"),
            "NETOSYNC__TRANSPORT__ALLOW_LOOPBACK": "true",
            "NETOSYNC__BUDGET__CALLS_PER_MINUTE": "1000000",
            "NETOSYNC__FETCH__IN_FLIGHT": "4",
        }
        self.env |= {f"NETOSYNC__{name.upper()}": str(value) for name, value in settings.items()}
        self.log = open(self.folder / "log", "wb")
        for command in (["keys", "init"], ["db", "migrate"], ["store", "add", "main", "--url", store.url, "--key-file", key]):
            measure(PROGRAM, *command, env=self.env, log=self.log)

    def sync(self, kind):
        return measure(PROGRAM, "sync", "main", "--kind", kind, env=self.env, log=self.log)

    def bytes_held(self, server):
        """Size of the database."""
        if self.address.startswith("sqlite"):
            return sum(Path(file).stat().st_size for file in glob(f"{self.folder}/netosync.db*") if not file.endswith("key"))
        name = self.address.split("/")[3].split("?")[0]
        return int(server.sql(name, f"SELECT pg_database_size('{name}')"))


def table(head, rows):
    """Prints a table in Markdown."""
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)


def rate(products, cost):
    """Products a second, to three digits."""
    per_second = products / cost.wall
    digits = len(str(int(per_second)))
    return f"{round(per_second, 3 - digits):,.0f}"


def workplace():
    """A folder that goes away."""
    return tempfile.TemporaryDirectory(prefix="netosync-bench-")

