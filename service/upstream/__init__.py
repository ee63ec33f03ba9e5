"""The room of the one ClientSession: what is asked of an OpenAI-compatible API, and what relays really answer.

`client` asks; `session` sends, by itself or by `direct`, over the connections of `pool`; `exchange` is one request with
its retries, `bodies` reads what comes, `deadlines` is the clock of all of them; `retries` and `failures` decide about
what goes wrong; `wire`, `answers`, `events` and `pieces` are the pure rules of the protocol. It knows nothing of users,
turns or stores.
"""
