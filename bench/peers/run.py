"""The same catalogue into the same server by netosync and by what people use today, in one run. Started by run.sh, which makes the peers'
environments."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from lib import Netosync, Postgres, Store, measure, rate, table, workplace  # noqa: E402


def main():
    venvs, products = Path(sys.argv[1]), int(sys.argv[2])
    python = lambda name: venvs / name / "bin/python"
    with workplace() as folder:
        server, store = Postgres(folder), Store(products)
        env = os.environ | {"STORE_URL": store.url, "WORK": folder, "DLT_TELEMETRY": "false", "RUNTIME__DLTHUB_TELEMETRY": "false"}
        log = open(Path(folder, "log"), "wb")
        rows, ours = [], {}

        def peer(name, *command):
            for what in ("first load", "again"):
                cost = measure(*command, env=env, log=log)
                base = ours[name.rpartition(" → ")[2]][what]
                rows.append((name, what, rate(products, cost), f"{cost.cpu:.1f}", f"{cost.rss_mb:.0f}", f"1 : {cost.wall / base.wall:.0f}"))

        try:
            Netosync(folder, None, store).sync("full")  # the store renders what is asked for, once
            measure(python("plain"), HERE / "plain.py", f"sqlite:{folder}/warm.db", env=env, log=log)
            for engine in ("PostgreSQL", "SQLite"):
                address = server.database("ours") if engine == "PostgreSQL" else None
                one = Netosync(folder, address, store)
                ours[engine] = {what: one.sync("full") for what in ("first load", "again")}
                for what, cost in ours[engine].items():
                    rows.append((f"netosync → {engine}", what, rate(products, cost), f"{cost.cpu:.1f}", f"{cost.rss_mb:.0f}", "1"))
            peer("Python script → PostgreSQL", python("plain"), HERE / "plain.py", server.database("plain"))
            peer("Python script → SQLite", python("plain"), HERE / "plain.py", f"sqlite:{folder}/plain.db")
            peer("dlt → PostgreSQL", python("dlt"), HERE / "with_dlt.py", server.database("dlt", "postgresql"))
            peer("dlt → SQLite", python("dlt"), HERE / "with_dlt.py", f"sqlite:///{folder}/dlt.db")
            config = Path(folder, "target.json")
            address = server.database("singer", "postgresql+psycopg")
            config.write_text(f'{{"sqlalchemy_url": "{address}", "default_target_schema": "singer"}}')
            target = [venvs / "target/bin/target-postgres", "--config", config]
            peer("Singer tap, target → PostgreSQL", [python("tap"), HERE / "tap.py"], target)
        finally:
            store.stop()
            server.stop()
    print(f"{products:,} products, one run of each, start of the program included\n")
    table(("what", "run", "products/s", "CPU s", "RSS MB", "to netosync"), rows)


main()
