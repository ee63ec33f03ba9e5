"""What a frontend sees: routes, envelopes, event streams. The only room that knows aiohttp.web."""
