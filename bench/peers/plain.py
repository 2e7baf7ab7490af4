"""What a good programmer writes in an afternoon: httpx, four pages in flight, orjson, COPY or sqlite3; a hash spares unchanged rows.

    plain.py postgres://… | plain.py sqlite:FILE

Text columns, JSON for the lists' members, no removal, no retries, no checkpoint, no change feed.
"""

import asyncio
import hashlib
import sqlite3
import sys

import httpx
import orjson

import neto

COLUMNS = [name.lower() for name in neto.SCALARS]
TABLES = {"item": [*COLUMNS, "content_hash"]} | {
    f"item_{name.lower()}": ["inventoryid", "pos", "data"] for name in neto.LISTS
}


def create(execute):
    for table, columns in TABLES.items():
        key = "inventoryid" if table == "item" else "inventoryid, pos"
        kinds = {"inventoryid": "bigint", "pos": "bigint"}
        named = ", ".join(f'"{name}" {kinds.get(name, "text")}' for name in columns)
        execute(f"CREATE TABLE IF NOT EXISTS {table} ({named}, PRIMARY KEY ({key}))")


def split(items, known):
    """The rows of those that are not held just so, by table, and their keys."""
    rows, ids = {table: [] for table in TABLES}, []
    for item in items:
        digest = hashlib.blake2b(orjson.dumps(item), digest_size=16).hexdigest()
        key = int(item["InventoryID"])
        if known.get(key) == digest:
            continue
        ids.append(key)
        scalars = [item.get(name) or None for name in neto.SCALARS]
        rows["item"].append([key, *map(as_text, scalars[1:]), digest])
        for name in neto.LISTS:
            for pos, row in enumerate(neto.members(name, item.get(name))):
                rows[f"item_{name.lower()}"].append([key, pos, orjson.dumps(row).decode()])
    return rows, ids


def as_text(value):
    return value if value is None or isinstance(value, str) else orjson.dumps(value).decode()


class Postgres:
    def __init__(self, url):
        import psycopg

        self.connection = psycopg.connect(url)
        create(self.connection.execute)
        self.known = dict(self.connection.execute("SELECT inventoryid, content_hash FROM item").fetchall())
        self.fresh = not self.known

    def write(self, rows, ids):
        for table, lines in rows.items():
            if not self.fresh:
                self.connection.execute(f"DELETE FROM {table} WHERE inventoryid = ANY(%s)", [ids])
            with self.connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
                for line in lines:
                    copy.write_row(line)
        self.connection.commit()


class Sqlite:
    def __init__(self, file):
        self.connection = sqlite3.connect(file)
        self.connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;")
        create(self.connection.execute)
        self.known = dict(self.connection.execute("SELECT inventoryid, content_hash FROM item"))

    def write(self, rows, ids):
        with self.connection:
            for table, lines in rows.items():
                self.connection.executemany(f"DELETE FROM {table} WHERE inventoryid = ?", [(key,) for key in ids])
                places = ", ".join("?" * len(TABLES[table]))
                self.connection.executemany(f"INSERT INTO {table} VALUES ({places})", lines)


async def main(target):
    sink = Sqlite(target.removeprefix("sqlite:")) if target.startswith("sqlite:") else Postgres(target)
    seen = 0
    async with httpx.AsyncClient(headers=neto.HEADERS, timeout=60) as client:

        def ask(page):
            return asyncio.create_task(client.post(neto.URL, content=orjson.dumps(neto.body(page))))

        flight = [ask(page) for page in range(4)]
        following = len(flight)
        while True:
            answer = await flight.pop(0)
            items = orjson.loads(answer.raise_for_status().content).get("Item") or []
            if not items:
                break
            flight.append(ask(following))
            following += 1
            seen += len(items)
            rows, ids = split(items, sink.known)
            if ids:
                await asyncio.to_thread(sink.write, rows, ids) if isinstance(sink, Postgres) else sink.write(rows, ids)
        for task in flight:
            task.cancel()
    print(seen, "products")


asyncio.run(main(sys.argv[1]))
