"""How time, memory and size grow with the catalogue, as a table and, with --plot FILE, as an SVG.

    cargo build --release && python3 bench/growth.py [--plot docs/growth.svg] [PRODUCTS …]

SQLite. The store renders what is asked for first, which costs more than netosync itself; so every size is loaded twice and the second load
counts, as long as the store's memory (4 GB) holds all of it.
"""

import argparse
from pathlib import Path

from lib import Netosync, Store, table, workplace

SIZES = [10_000, 30_000, 100_000, 300_000, 1_000_000]


def svg(points):
    """Two lines over the number of products: first load and nothing changed, microseconds a product; and the peak of memory."""
    from math import log10

    wide, high, left, foot = 640, 320, 60, 40
    x = lambda products: left + (log10(products) - log10(points[0][0])) / (log10(points[-1][0]) - log10(points[0][0])) * (wide - left - 60)
    lines = [("first load, µs a product", 1, "#1f77b4"), ("again, µs a product", 2, "#2ca02c"), ("peak of memory, MB", 3, "#d62728")]
    most = max(max(point[1:4]) for point in points) * 1.1
    y = lambda value: high - foot - value / most * (high - foot - 40)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" font-family="sans-serif" font-size="12">']
    out.append(f'<rect width="{wide}" height="{high}" fill="white"/>')
    for part in range(5):
        value = most * part / 4
        out.append(f'<line x1="{left}" x2="{wide - 60}" y1="{y(value):.1f}" y2="{y(value):.1f}" stroke="#ddd"/>')
        out.append(f'<text x="{left - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.0f}</text>')
    for products, *_ in points:
        out.append(f'<text x="{x(products):.1f}" y="{high - foot + 18}" text-anchor="middle">{products:,}</text>')
    for place, (name, column, colour) in enumerate(lines):
        path = " ".join(f"{x(point[0]):.1f},{y(point[column]):.1f}" for point in points)
        out.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out.append(f'<text x="{left + 10 + place * 180}" y="20" fill="{colour}">{name}</text>')
    out.append(f'<text x="{wide / 2}" y="{high - 4}" text-anchor="middle">products</text></svg>')
    return "\n".join(out) + "\n"


def main():
    given = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    given.add_argument("--plot", type=Path)
    given.add_argument("products", type=int, nargs="*", default=SIZES)
    given = given.parse_args()
    points, rows = [], []
    for products in given.products:
        with workplace() as folder:
            store = Store(products)
            try:
                Netosync(folder, None, store).sync("full")
                ours = Netosync(folder, None, store)
                first, again = ours.sync("full"), ours.sync("full")
                size = ours.bytes_held(None) / products
            finally:
                store.stop()
        each = [cost.wall / products * 1e6 for cost in (first, again)]
        points.append((products, *each, first.rss_mb))
        rows.append((f"{products:,}", f"{first.wall:.1f} s", f"{each[0]:.0f} µs", f"{first.cpu / products * 1e6:.0f} µs", f"{each[1]:.1f} µs",
                     f"{first.rss_mb:.0f} / {again.rss_mb:.0f} MB", f"{size:,.0f}"))  # fmt: skip
    table(("products", "first load", "a product", "CPU a product", "again, a product", "peak RSS first / again", "bytes a product"), rows)
    if given.plot:
        given.plot.write_text(svg(points))


main()
