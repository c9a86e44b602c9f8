"""The whole stack on one machine: the broker, ClickHouse behind its HTTP front, the supervisor, the demo shop.

Nothing here is needed in production, where the same stages run against any Kafka and any ClickHouse.
"""
