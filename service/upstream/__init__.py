"""The room of the one ClientSession: what is asked of an OpenAI-compatible API, and what relays really answer.

`client` asks, `session` holds the connections, `retries` and `failures` decide about what goes wrong, `wire`,
`events` and `pieces` are the pure rules of the protocol. It knows nothing of users, turns or stores.
"""
