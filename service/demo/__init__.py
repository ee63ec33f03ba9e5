"""The demo's upstream: answers like an OpenAI-compatible relay, without a key and without a network.

`run.py --demo` starts it on a loopback port. The rest of the service knows nothing of it: it is an upstream like any.
"""

from service.demo.server import DemoUpstream

__all__ = ["DemoUpstream"]
