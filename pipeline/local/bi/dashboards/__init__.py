"""The dashboards: which charts there are, in which order, and how each is to be read.

Wherever a score or a share stands, its number of cases and its 95 % interval stand beside it, in the same chart.
"""

from __future__ import annotations

from pipeline.local.bi.dashboards.analyses import DRIVERS
from pipeline.local.bi.dashboards.experience import OVERVIEW, TOUCHPOINTS
from pipeline.local.bi.dashboards.people import CUSTOMERS, JOURNEYS
from pipeline.local.bi.dashboards.quality import QUALITY
from pipeline.local.bi.dashboards.service import COMPLAINTS, QUEUES

DASHBOARDS = (OVERVIEW, TOUCHPOINTS, DRIVERS, QUEUES, JOURNEYS, COMPLAINTS, CUSTOMERS, QUALITY)
