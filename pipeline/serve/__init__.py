"""serve: context for whoever talks to a customer, a live stream of it, and the agent desk.

Asks the stitch worker that owns a profile (one hop), never keeps profiles itself. `api` and `desk` are the outside,
`lookup` says who is meant, `workers` and `routing` find the owner, `live` watches, `calls` knows who is ringing.
"""
