"""WeChat's server API: who a login code belongs to, and whether WeChat lets a text pass.

The operator's appid and secret, the access token and the session key stay in this room. It knows nothing of
tokens, turns or users of ours, nor of what is done with a refusal.
"""
