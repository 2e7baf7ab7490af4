"""A Singer tap with the Meltano SDK, for `tap.py | target-postgres`. A list is one array column there."""

from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.pagination import BasePageNumberPaginator

import neto


class Pages(BasePageNumberPaginator):
    def has_more(self, response):
        return bool(response.json().get("Item"))


class Items(RESTStream):
    name = "item"
    path = ""
    url_base = neto.URL
    rest_method = "POST"
    http_headers = neto.HEADERS
    primary_keys = ("InventoryID",)
    records_jsonpath = "$.Item[*]"
    schema = th.PropertiesList(
        *(th.Property(name, th.StringType) for name in neto.SCALARS),
        *(th.Property(name, th.ArrayType(th.ObjectType(additional_properties=True))) for name in neto.LISTS),
    ).to_dict()

    def get_new_paginator(self):
        return Pages(0)

    def prepare_request_payload(self, context, next_page_token):
        return neto.body(next_page_token or 0)

    def post_process(self, row, context=None):
        return neto.flat(row)


class TapNeto(Tap):
    name = "tap-neto"
    config_jsonschema = th.PropertiesList().to_dict()

    def discover_streams(self):
        return [Items(self)]


if __name__ == "__main__":
    TapNeto.cli()
