# SPDX-License-Identifier: MIT
"""The things that are compared, each with one worker, on the proxy's core, in front of the same simulator.

A proxy has a name, a port (HTTP/1.1), a port for HTTP/2 by prior knowledge, one for TLS, and the pids whose CPU counts.
"""
import resource
import shutil
import subprocess

from suite.processes import LOAD_CORE, PROXY_CORE, children_of, free_port


class Proxy:
    """What all have in common."""
    name = ""
    header = None   # one more header line of the requests
    peer = False    # another gateway, run on demand
    most = 100000   # connections that it can serve well
    patience = 1    # how much longer its windows are

    def __init__(self, stage, upstream, build):
        self.stage = stage
        self.upstream = upstream
        self.build = build
        self.port, self.http2_port, self.tls_port = free_port(), free_port(), free_port()
        self.process = None
        self.start()

    def start(self):
        """Starts the process and waits until it listens."""
        raise NotImplementedError

    def pids(self):
        """The processes that do the work."""
        return [self.process.pid]

    def run(self, command, env=None, cwd=None, seconds=10):
        """Starts `command` on the proxy's core."""
        self.process = self.stage.start(command, PROXY_CORE, self.name, env, cwd)
        self.stage.wait_for_port(self.process, self.port, seconds)

    def stop(self):
        """Ends it."""
        self.stage.stop(self.process)

    @staticmethod
    def missing(_build):
        """Why it can't be run here; None when it can."""
        return None


class Direct(Proxy):
    """No proxy: the simulator itself."""
    name = "direct"

    def start(self):
        self.port = self.upstream.port

    def pids(self):
        return []

    def stop(self):
        pass


class Nginx(Proxy):
    """A plain reverse proxy: keep-alive to the upstream, no log; streams are not buffered."""
    name = "nginx"
    buffering = "off"

    def start(self):
        key, certificate = certificate_of(self.stage)
        config = self.stage.file("nginx.conf", f"""
worker_processes 1;
daemon off;
pid {self.stage.folder}/nginx.pid;
error_log {self.stage.folder}/nginx.log warn;
events {{ worker_connections {2 * most_clients()}; }}
http {{
    access_log off;
    client_body_temp_path {self.stage.folder}/nginx-body;
    proxy_temp_path {self.stage.folder}/nginx-proxy;
    fastcgi_temp_path {self.stage.folder}/nginx-fastcgi;
    uwsgi_temp_path {self.stage.folder}/nginx-uwsgi;
    scgi_temp_path {self.stage.folder}/nginx-scgi;
    keepalive_requests 1000000000;
    client_max_body_size 16m;
    client_body_buffer_size 1m;
    http2_max_concurrent_streams 256;
    upstream sim {{
        server 127.0.0.1:{self.upstream.port};
        keepalive 512;
        keepalive_requests 1000000000;
    }}
    server {{
        listen 127.0.0.1:{self.port} backlog=4096;
        listen 127.0.0.1:{self.http2_port} http2 backlog=4096;
        listen 127.0.0.1:{self.tls_port} ssl http2 backlog=4096;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        location / {{
            proxy_pass http://sim;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering {self.buffering};
            proxy_buffers 16 8k;
            proxy_read_timeout 600s;
        }}
    }}
}}
""")
        self.run(["nginx", "-p", self.stage.folder, "-c", config])

    def pids(self):
        return children_of(self.process.pid)


class NginxForWhole(Nginx):
    """For answers in one piece: buffered, as nginx does by itself, which costs it less."""
    buffering = "on"


class Haproxy(Proxy):
    """A plain reverse proxy: keep-alive to the server, `option http-no-delay`, one thread, no log."""
    name = "haproxy"

    def start(self):
        key, certificate = certificate_of(self.stage)
        with open(certificate, encoding="ascii") as one, open(key, encoding="ascii") as other:
            both = self.stage.file("haproxy.pem", one.read() + other.read())
        config = self.stage.file("haproxy.cfg", f"""
global
    maxconn {most_clients()}
    nbthread 1
    tune.h2.max-concurrent-streams 256
    tune.pool-high-fd-ratio 95
    tune.pool-low-fd-ratio 90
defaults
    mode http
    option http-no-delay
    http-reuse safe
    timeout connect 5s
    timeout client 600s
    timeout server 600s
frontend f
    bind 127.0.0.1:{self.port} backlog 4096
    bind 127.0.0.1:{self.http2_port} proto h2 backlog 4096
    bind 127.0.0.1:{self.tls_port} ssl crt {both} alpn h2,http/1.1 backlog 4096
    default_backend b
backend b
    server sim 127.0.0.1:{self.upstream.port} pool-max-conn 512
""")
        self.run(["haproxy", "-db", "-f", config])


class Sluice(Proxy):
    """Sluice with one worker; requests are validated, streams are scanned."""
    name = "sluice"
    workers = 1
    tls = True

    def extra(self):
        """More of the configuration."""
        return ""

    def start(self):
        key, certificate = certificate_of(self.stage)
        self.http2_port = self.port
        extra = self.extra()
        tls = f"""
  - address: 127.0.0.1:{self.tls_port}
    tls: {{ certificate: {certificate}, key: {key} }}""" if self.tls else ""
        config = self.stage.file("sluice.yaml", f"""
listen:
  - 127.0.0.1:{self.port}{tls}
{admin_setting(self.build)}workers: {self.workers}
backends:
  sim:
    url: http://127.0.0.1:{self.upstream.port}/v1
models:
  demo: sim/llama-3-8b
  three:
    all: [sim/llama-3-8b, sim/llama-3-8b, sim/llama-3-8b]
log:
  level: warn
{extra}
""")
        self.run([f"{self.build}/sluice", "--config", config])


KEY = "sk-sluice-GLjbmnz3hG5TdsjK6Co65kwIfzjsOgbkfB0WgC2p36Kz"
KEYS = """auth: { pepper: 0123456789abcdef0123456789abcdef }
keys:
  bench: { hash: 'GLjbmnz3:7f557a8bb5f1fdf3a425e1708a992a3aa86e88bb00d2fca1bb33c4f7fd0727d1', %s }
"""


class SluiceLimit(Sluice):
    """Requests show a key, which has a limit that they do not reach."""
    header = f"authorization: Bearer {KEY}"

    def extra(self):
        return KEYS % "limits: { tokens: 1000000000000/minute }"


class SluiceExpired(SluiceLimit):
    """The key is known, and its time is over: wrong keys would soon be refused for their number."""

    def extra(self):
        return KEYS % "expires: 2026-01-01"


class SluiceRedis(Sluice):
    """Answers are kept in Redis alone. Redis runs beside the load."""

    def extra(self):
        port = free_port()
        redis = self.stage.start(
            ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"], LOAD_CORE,
            "redis")
        self.stage.wait_for_port(redis, port)
        return "cache: { size: 0 }\n" + redis_setting(self.build, port)

    @staticmethod
    def missing(build):
        if shutil.which("redis-server") is None:
            return "there is no redis-server"
        return None if redis_setting(build, 0) else "this build of Sluice has no `redis` setting"


def redis_setting(build, port):
    """The line of a configuration that names a Redis; empty when the binary knows none. A wait for Redis on a busy machine
    must not turn a hit into a call: its budget is wide."""
    known = subprocess.run([f"{build}/sluice", "--describe", "config"], capture_output=True, text=True, check=True).stdout
    return f"redis: {{ servers: ['127.0.0.1:{port}'], budget: 10s, connect: 10s }}\n" if "`redis.servers`" in known else ""


def admin_setting(build):
    """Turns the admin listener off, whose default address another process may have; empty when the binary knows none."""
    known = subprocess.run([f"{build}/sluice", "--describe", "config"], capture_output=True, text=True, check=True).stdout
    return "admin: off\n" if "| `admin` |" in known else ""


def most_clients():
    """How many clients a proxy can have at once: each takes a descriptor here and one towards the simulator."""
    return (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200) // 2


def certificate_of(stage):
    """Paths of a key and a self-signed certificate, made once for a stage."""
    key, certificate = f"{stage.folder}/key.pem", f"{stage.folder}/cert.pem"
    try:
        open(key, encoding="ascii").close()
    except FileNotFoundError:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
             "2", "-subj", "/CN=localhost", "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return key, certificate


PLAIN = [Direct, Nginx, Haproxy, Sluice]
