"""A dlt pipeline: its REST client, one resource, merge by InventoryID.

    with_dlt.py postgresql://… | with_dlt.py sqlite:///FILE

Child tables with keys of dlt's own; text where the API sends text. PostgreSQL through COPY (`loader_file_format=csv`).
"""

import os
import sys

import dlt
from dlt.sources.helpers import requests

import neto


@dlt.resource(name="item", primary_key="InventoryID", write_disposition="merge")
def items():
    page = 0
    while True:
        answer = requests.post(neto.URL, json=neto.body(page), headers=neto.HEADERS).json()
        rows = answer.get("Item") or []
        if not rows:
            return
        yield [neto.flat(row) for row in rows]
        page += 1


target = sys.argv[1]
if target.startswith("sqlite"):
    pipeline = dlt.pipeline("neto", destination=dlt.destinations.sqlalchemy(target), dataset_name="main", pipelines_dir=os.environ["WORK"])
    pipeline.run(items())
else:
    pipeline = dlt.pipeline("neto", destination=dlt.destinations.postgres(target), dataset_name="dlt", pipelines_dir=os.environ["WORK"])
    pipeline.run(items(), loader_file_format="csv")
print(pipeline.last_trace.last_normalize_info.row_counts.get("item"), "products")
