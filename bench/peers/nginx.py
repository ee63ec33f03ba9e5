"""nginx as a plain proxy: what a hop costs that understands nothing."""

from __future__ import annotations

from bench.peers.install import program
from bench.subjects import Subject

_CONFIG = """\
daemon off;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 16384; }
http {
  access_log off;
  keepalive_requests 100000000;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  upstream bench { server {host}; keepalive 256; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:{port} backlog=4096;
    location / {
      proxy_pass http://bench;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }
  }
}
"""


def subject() -> Subject:
    return Subject(
        name="nginx, plain proxy",
        command=(program("nginx"), "-p", "./", "-c", "nginx.conf"),
        files={"nginx.conf": _CONFIG},
        path="/v1/chat/completions",
    )
