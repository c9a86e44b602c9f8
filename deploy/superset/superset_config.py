"""Superset beside the stack on one machine. In production the configuration is that of the Superset that is there.

`make bi` says where its folder is (SUPERSET_HOME); what is secret stands in `secrets.json` there, made at first start.
"""

import json
import os
from pathlib import Path

_HOME = Path(os.environ["SUPERSET_HOME"])

SECRET_KEY = json.loads((_HOME / "secrets.json").read_text())["secret_key"]
SQLALCHEMY_DATABASE_URI = f"sqlite:///{_HOME / 'superset.db'}"
APP_NAME = "Throughline"
# One process serves: what it remembers for a while may stay in its memory.
RATELIMIT_STORAGE_URI = "memory://"
CACHE_CONFIG = {"CACHE_TYPE": "SimpleCache", "CACHE_DEFAULT_TIMEOUT": 300}
DATA_CACHE_CONFIG = {"CACHE_TYPE": "NullCache"}  # figures are as of now
FILTER_STATE_CACHE_CONFIG = {"CACHE_TYPE": "SimpleCache", "CACHE_DEFAULT_TIMEOUT": 86_400}
EXPLORE_FORM_DATA_CACHE_CONFIG = {"CACHE_TYPE": "SimpleCache", "CACHE_DEFAULT_TIMEOUT": 86_400}
# The desk is on the same host, and cookies know no ports.
SESSION_COOKIE_NAME = "throughline_bi"
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_HTTPONLY = True
ROW_LIMIT = 10_000
SQL_MAX_ROW = 10_000
SUPERSET_WEBSERVER_TIMEOUT = 180  # one engine answers all charts of a page: a busy machine takes a while
EMAIL_NOTIFICATIONS = False
