"""store: what stitch and identify published, as rows in ClickHouse. Start reading at `main.py`."""
