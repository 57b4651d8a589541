"""The peers: plain reverse proxies to the same simulator, each with one worker or thread, keep-alive upstream, no
access log.

Each has two listeners: one for whole answers, as such a proxy comes, and one that hands events on as they arrive. nginx
keeps a body of up to 1 MB in memory, so that a long prompt does not go by way of its disk.
"""
import os
import shutil

NAMES = ["nginx", "haproxy"]

NGINX = """
{user}daemon off; worker_processes 1; pid {dir}/nginx.pid; error_log {dir}/nginx.log;
events {{ worker_connections {connections}; }}
http {{
    access_log off; keepalive_requests 1000000000; keepalive_timeout 75s;
    client_max_body_size 64m; client_body_buffer_size 1m;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    upstream simulator {{ server 127.0.0.1:{mock}; keepalive 64; keepalive_requests 1000000000; }}
    proxy_http_version 1.1; proxy_set_header Connection "";
    server {{ listen 127.0.0.1:{unary} backlog=4096; location / {{ proxy_pass http://simulator; }} }}
    server {{ listen 127.0.0.1:{stream} backlog=4096; location / {{ proxy_pass http://simulator; proxy_buffering off; }} }}
}}
"""

HAPROXY = """
global
    nbthread 1
    no strict-limits
    maxconn {connections}
defaults
    mode http
    http-reuse always
    timeout connect 5s
    timeout client 75s
    timeout server 75s
frontend unary
    bind 127.0.0.1:{unary} backlog 4096
    default_backend unary
frontend stream
    bind 127.0.0.1:{stream} backlog 4096
    option http-no-delay
    default_backend stream
backend unary
    server simulator 127.0.0.1:{mock}
backend stream
    option http-no-delay
    server simulator 127.0.0.1:{mock}
"""

CONFIGURATIONS = {"nginx": NGINX, "haproxy": HAPROXY}


def program(name):
    """Where it is, or None. Debian puts both where a user's PATH does not look."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def command(name, directory, **values):
    """Writes its configuration and says how it is started."""
    path = f"{directory}/{name}.conf"
    with open(path, "w", encoding="ascii") as file:
        user = "user root; " if os.geteuid() == 0 else ""
        file.write(CONFIGURATIONS[name].format(dir=directory, user=user, **values))
    return [program(name), "-c", path] if name == "nginx" else [program(name), "-db", "-f", path]
