"""Dashboards in Apache Superset over ClickHouse's views, and Superset beside the stack on one machine.

`charts` says what there can be, `datasets` and `dashboards` what there is, `bundle` turns it into the files that
Superset imports (here and in production), `run` sets Superset up and keeps it running. Superset lives in an environment
of its own (`make bi`), and asks ClickHouse as the user `bi`, who reads views and nothing else.
"""
