"""The room of the one ClientSession: what is asked of an OpenAI-compatible API, and what relays really answer.

`client` asks; `session` holds the connections, `exchange` is one request with its retries, `bodies` reads what comes;
`retries` and `failures` decide about what goes wrong; `wire`, `answers`, `events` and `pieces` are the pure rules of
the protocol. It knows nothing of users, turns or stores.
"""
