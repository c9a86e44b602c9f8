"""Who is who: reads evidence, publishes assignments. `process.py` is the work, `known.py` what it remembers."""
