"""netosync as a whole process: first load, all again with nothing changed, and with 1 % changed, on both databases.

    cargo build --release && bench/run.sh [PRODUCTS [ROUNDS]]

The simulated store, the client and the database share the machine: compare rows of one run.
"""

import statistics
import sys

from lib import Cost, Netosync, Postgres, Store, rate, table, workplace


def median(costs):
    return Cost(*(statistics.median(values) for values in zip(*((c.wall, c.cpu, c.rss_mb) for c in costs))))


def main():
    products, rounds = (int(given) if given else default for given, default in zip([*sys.argv[1:], "", ""], (50_000, 3)))
    with workplace() as folder:
        server, store = Postgres(folder), Store(products)
        try:
            Netosync(folder, None, store).sync("full")  # the store renders its products
            found = {}
            for turn in range(rounds):
                for engine in ("SQLite", "PostgreSQL"):
                    address = server.database(f"bench{turn}") if engine == "PostgreSQL" else None
                    ours = Netosync(folder, address, store)
                    found.setdefault((engine, "first load"), []).append(ours.sync("full"))
                    found.setdefault((engine, "full again, nothing changed"), []).append(ours.sync("full"))
                    found.setdefault((engine, "sweep, nothing changed"), []).append(ours.sync("sweep"))
                    store.edit()
                    found.setdefault((engine, "full again, 1 % changed"), []).append(ours.sync("full"))
                    store.edit()
                    found.setdefault((engine, "incremental, 1 % changed"), []).append(ours.sync("incremental"))
                    size = ours.bytes_held(server) / products
                    found.setdefault((engine, "bytes"), []).append(Cost(size, 0, 0))
        finally:
            store.stop()
            server.stop()
    print(f"{products:,} products, medians of {rounds}\n")
    rows = []
    for (engine, what), costs in sorted(found.items(), key=lambda one: one[0][0]):
        cost = median(costs)
        if what == "bytes":
            rows.append((engine, "database, bytes a product", f"{cost.wall:,.0f}", "", "", ""))
        else:
            rows.append((engine, what, f"{cost.wall:.2f} s", rate(products, cost), f"{cost.cpu:.2f}", f"{cost.rss_mb:.0f}"))
    table(("database", "run", "time", "products/s", "CPU s", "RSS MB"), rows)


main()
