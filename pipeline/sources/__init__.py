"""Import adapters: what other systems have written down, as events and outcomes.

``adapter.py`` says what an adapter is; ``bank_calls.py``, ``web_sessions.py``, ``cdnow.py`` and ``outcomes.py`` are
four of them, pure and without any I/O; ``main.py`` reads the file, lets the adapter work and writes to Kafka. To add
another: write one more module with a ``read`` function, and name it in ``main.ADAPTERS``.
"""
