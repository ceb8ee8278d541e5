"""The served vault and its peers for scripts/bench: sshd, an rsync daemon and nginx, all on loopback."""

import contextlib
import getpass
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import time

from bench_support import GIB, KIB, MIB, Failure, Usage, remove, tell

USER, PASSWORD = "bench", "a password for the benchmark"
CIPHER = "aes128-gcm@openssh.com"


def free_port():
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(port, process):
    """Waits until something listens on a port, or its process has ended."""
    for _ in range(500):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        if process.poll() is not None:
            raise Failure(f"{process.args[0]} ended with {process.returncode}")
        time.sleep(0.02)
    raise Failure(f"{process.args[0]} does not listen")


def cpu_seconds(pid):
    """The processor's time that a process and those it has waited for have used."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def loopback_bytes():
    """The bytes that have been sent over loopback."""
    line = re.search(r"\blo:\s*(.*)", pathlib.Path("/proc/net/dev").read_text())
    return int(line[1].split()[8])


class Service:
    """A server process of its own, with its files in a directory."""

    def __init__(self, directory):
        self.directory, self.process, self.port = directory, None, free_port()
        directory.mkdir()

    def start(self, command, environment=None, **streams):
        """Starts the server in a process group of its own, and waits until it listens."""
        self.process = subprocess.Popen(
            [str(part) for part in command], env=environment, start_new_session=True, stdin=subprocess.DEVNULL,
            stderr=open(self.directory / "errors", "wb"), **streams)
        wait_for(self.port, self.process)

    def stop(self):
        """Ends the server and all that it started."""
        if self.process:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        remove(self.directory)

    def cpu(self):
        """The processor's time that the server has used."""
        return cpu_seconds(self.process.pid)


class SecureShell(Service):
    """sshd with keys of its own, for the user who runs the benchmark; scp and rsync go through it."""

    name = "scp"

    def __init__(self, directory):
        super().__init__(directory)
        for key in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / key], check=True)
        shutil.copy(directory / "user.pub", directory / "authorized")
        (directory / "config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {directory}/host\n"
            f"AuthorizedKeysFile {directory}/authorized\nStrictModes no\nUsePAM no\nPidFile none\n"
            "Subsystem sftp internal-sftp\n")
        if os.geteuid() == 0:
            os.makedirs("/run/sshd", exist_ok=True)
        self.start([shutil.which("sshd") or "/usr/sbin/sshd", "-D", "-f", directory / "config"])
        self.options = ["-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={directory}/known", "-o",
                        "LogLevel=ERROR", "-o", "BatchMode=yes", "-c", CIPHER, "-i", str(directory / "user")]
        self.place = f"{getpass.getuser()}@127.0.0.1:"

    def up(self, source, target):
        """The command that sends a file."""
        return ["scp", "-q", "-P", self.port, *self.options, source, f"{self.place}{target}"]

    def down(self, source, target):
        """The command that fetches a file."""
        return ["scp", "-q", "-P", self.port, *self.options, f"{self.place}{source}", target]


class SecureRsync:
    """rsync through that sshd."""

    name = "rsync/ssh"

    def __init__(self, shell):
        self.shell = shell
        self.remote = " ".join(["ssh", "-p", str(shell.port), *shell.options])

    def up(self, source, target):
        """The command that mirrors a file or tree to the server."""
        return ["rsync", "-a", "-e", self.remote, source, f"{self.shell.place}{target}"]

    def cpu(self):
        """The processor's time that sshd and its children have used."""
        return self.shell.cpu()


class RsyncDaemon(Service):
    """The plain rsync daemon: no encryption, no checks of content."""

    name = "rsyncd"

    def __init__(self, directory, files):
        super().__init__(directory)
        owner = "uid = root\ngid = root\n" if os.geteuid() == 0 else ""
        (directory / "config").write_text(
            f"port = {self.port}\naddress = 127.0.0.1\n{owner}use chroot = no\n[files]\npath = {files}\n"
            "read only = no\n")
        self.start(["rsync", "--daemon", "--no-detach", f"--config={directory}/config"])
        self.place = f"rsync://127.0.0.1:{self.port}/files/"

    def up(self, source, target):
        """The command that mirrors a file or tree to the server."""
        return ["rsync", "-a", source, self.place + target.name]


class Nginx(Service):
    """nginx with TLS 1.3 and WebDAV, used by curl."""

    name = "nginx/curl"

    def __init__(self, directory, files):
        super().__init__(directory)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
             "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", directory / "key",
             "-out", directory / "certificate"], check=True, stderr=subprocess.DEVNULL)
        user = "user root;\n" if os.geteuid() == 0 else ""
        (directory / "config").write_text(f"""
{user}daemon off; pid {directory}/pid; error_log {directory}/log; worker_processes auto;
events {{ worker_connections 64; }}
http {{
  access_log off; sendfile on; client_max_body_size 0; client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
  server {{
    listen 127.0.0.1:{self.port} ssl; ssl_protocols TLSv1.3;
    ssl_certificate {directory}/certificate; ssl_certificate_key {directory}/key;
    location / {{ root {files}; dav_methods PUT DELETE; create_full_put_path on; }}
  }}
}}
""")
        self.start(["nginx", "-p", directory, "-c", directory / "config"])
        self.options = ["--silent", "--fail", "--show-error", "--tlsv1.3", "--cacert", str(directory / "certificate")]

    def up(self, source, target):
        """The command that sends a file."""
        return ["curl", *self.options, "--upload-file", source, f"https://127.0.0.1:{self.port}/{target.name}"]

    def down(self, source, target):
        """The command that fetches a file."""
        return ["curl", *self.options, "--output", target, f"https://127.0.0.1:{self.port}/{source.name}"]

    def cpu(self):
        """The processor's time of the workers, which nginx does not wait for while it runs."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return cpu_seconds(self.process.pid) + sum(map(cpu_seconds, children))


class Served(Service):
    """Our own server, with a user who is logged in."""

    name = "minivault"

    def __init__(self, directory, binary, options=()):
        super().__init__(directory)
        self.binary, data = str(binary), directory / "data"
        password = directory / "password"
        password.write_text(PASSWORD + "\n")
        password.chmod(0o600)
        self.environment = os.environ | {"XDG_CONFIG_HOME": str(directory / "config"), "HOME": str(directory)}
        self.call("user", "add", USER, "--data", data, "--password-file", password)
        self.command = [self.binary, "serve", "--data", data, "--listen", f"127.0.0.1:{self.port}", *options]
        self.start(self.command, stdout=subprocess.DEVNULL)
        self.url = f"minivault://{USER}@127.0.0.1:{self.port}"
        self.call("login", self.url, "--accept-new", "--password-file", password)

    def call(self, *words):
        """Runs a command that must go well."""
        done = subprocess.run([self.binary, *map(str, words)], env=self.environment, capture_output=True, text=True)
        if done.returncode:
            raise Failure(f"{' '.join(map(str, words))}: {done.stderr.strip()}")
        return done.stdout

    def up(self, source, target):
        """The command that saves a file or a tree."""
        if source.is_dir():
            return [self.binary, "push", "--quiet", "--vault", self.url, source, target.name]
        return [self.binary, "save", "--quiet", "--vault", self.url, source, "--as", target.name]

    def down(self, source, target):
        """The command that reads a file back."""
        return [self.binary, "read", "--quiet", "--vault", self.url, source.name, target]

    def empty(self):
        """Removes all that was saved, and gives its space back."""
        script = "for e in vault.list() do vault.remove(e.name) end vault.keep('', {within = '1s'}) vault.gc()"
        subprocess.run([self.binary, "run", "--vault", self.url, "-"], input=script.encode(), env=self.environment,
                       check=False, capture_output=True)

    def memory(self):
        """The bytes of memory that the server has of its own."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"RssAnon:\s+(\d+)", status)[1]) * KIB


class Network:
    """The rows of the served vault; bench is what they share with the other rows."""

    def __init__(self, bench, binary):
        self.bench, self.binary = bench, binary
        self.files = bench.work / "files"

    @contextlib.contextmanager
    def services(self, *kinds):
        """Starts our server and the peers that are named, and stops them after."""
        self.files.mkdir()
        started = []
        try:
            started.append(Served(self.bench.work / "served", self.binary))
            for kind in kinds:
                directory = self.bench.work / kind.__name__.lower()
                started.append(kind(directory) if kind is SecureShell else kind(directory, self.files))
            self.bench.runner.environment |= started[0].environment
            yield started
        finally:
            for service in reversed(started):
                service.stop()
            remove(self.files)

    def run(self, program, command):
        """Runs a client and counts the server's processor time with it."""
        os.sync()
        before = program.cpu()
        usage = self.bench.run(command)
        usage.cpu += program.cpu() - before
        return usage

    def save(self):
        """Sends one file of random bytes, new to both sides."""
        size = self.bench.amount(GIB)
        self.bench.room(4 * size)
        with self.services(SecureShell, Nginx) as (ours, shell, nginx):
            for peer, target in ((shell, 1.5), (nginx, 1)):
                def measure(program):
                    """Sends the file anew."""
                    if program is ours:
                        self.bench.make_file(size)
                    usage = self.run(program, program.up(self.bench.input, self.files / "data"))
                    remove(self.files / "data")
                    if program is ours:
                        ours.empty()
                    return usage
                self.bench.compare("net-save", f"{size >> 20:,} MiB new", size, "MB/s", peer, target, measure, ours)

    def read(self):
        """Fetches that file; the bytes are compared."""
        size = self.bench.amount(GIB)
        self.bench.room(4 * size)
        with self.services(SecureShell, Nginx) as (ours, shell, nginx):
            self.bench.make_file(size)
            self.bench.run(ours.up(self.bench.input, self.files / "data"))
            shutil.copy(self.bench.input, self.files / "data")
            for peer, target in ((shell, 1.5), (nginx, 1)):
                def measure(program):
                    """Fetches the file, and checks it."""
                    usage = self.run(program, program.down(self.files / "data", self.bench.copy))
                    if subprocess.run(["cmp", "-s", self.bench.input, self.bench.copy], check=False).returncode:
                        raise Failure(f"{program.name} fetched other bytes than were sent")
                    remove(self.bench.copy)
                    return usage
                self.bench.compare("net-read", f"{size >> 20:,} MiB", size, "MB/s", peer, target, measure, ours)

    def small(self):
        """Sends a tree of new small files."""
        count = self.bench.amount(10_000)
        self.bench.room(4 * count * 6 * KIB)
        with self.services(SecureShell, RsyncDaemon) as (ours, shell, daemon):
            for peer, target in ((daemon, 2), (SecureRsync(shell), None)):
                def measure(program):
                    """Sends the tree into an empty place."""
                    if program is ours:
                        remove(self.bench.input)
                        self.bench.make_tree(count)
                    usage = self.run(program, program.up(self.bench.input, self.files / "tree"))
                    remove(self.files / "tree")
                    if program is ours:
                        ours.empty()
                    return usage
                self.bench.compare("net-small", f"{count:,} new files", count, "files/s", peer, target, measure, ours)

    def unchanged(self):
        """Sends that tree again, with nothing changed in it."""
        count = self.bench.amount(10_000)
        self.bench.room(4 * count * 6 * KIB)
        with self.services(SecureShell) as (ours, shell):
            peer = SecureRsync(shell)
            self.bench.make_tree(count)
            for program in (ours, peer):
                self.bench.run(program.up(self.bench.input, self.files / "tree"))
            self.bench.compare(
                "net-unchanged", f"{count:,} unchanged", count, "files/s", peer, 10,
                lambda program: self.run(program, program.up(self.bench.input, self.files / "tree")), ours)

    def delta(self):
        """Sends a file again after one percent of it has changed, and counts the bytes on the wire."""
        size = self.bench.amount(GIB)
        self.bench.room(4 * size)
        with self.services(SecureShell) as (ours, shell):
            peer = SecureRsync(shell)
            self.bench.make_file(size)
            sent = {ours: [], peer: []}
            for program in (ours, peer):
                self.bench.run(program.up(self.bench.input, self.files / "data"))

            def measure(program):
                """Changes the file for both alike, and sends it again."""
                if program is ours:
                    self.bench.overwrite(size, 10, max(1, size // 1000))
                before = loopback_bytes()
                usage = self.run(program, program.up(self.bench.input, self.files / "data"))
                sent[program].append(loopback_bytes() - before)
                return usage

            self.bench.compare("net-delta", f"{size >> 20:,} MiB, 1% in 10", size, "MB/s", peer, 1, measure, ours)
            mine, theirs = (100 * statistics.median(counts) / size for counts in sent.values())
            self.bench.limit("net-delta", "bytes on the wire", mine, 3, f"{mine:.2f}% (rsync {theirs:.2f}%)", "< 3%")

    def sessions(self):
        """Saves from many sessions at once; each is a client of its own."""
        count, size = self.bench.amount(200), 10 * MIB
        self.bench.room(3 * count * size)
        with self.services() as (ours,):
            sources = self.bench.work / "sources"
            sources.mkdir()
            for number in range(count):
                (sources / f"{number}").write_bytes(os.urandom(size))
            clients = []
            began, peak = time.perf_counter(), 0
            for number in range(count):
                clients.append(subprocess.Popen(
                    ours.up(sources / f"{number}", self.files / f"{number}"), env=ours.environment,
                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))
            ends = {}
            while len(ends) < count:
                if time.perf_counter() - began > 300:
                    for client in clients:
                        client.kill()
                    raise Failure(f"after 300 s, {count - len(ends)} of {count} sessions have not ended")
                peak = max(peak, ours.memory())
                for number, client in enumerate(clients):
                    if number not in ends and client.poll() is not None:
                        if client.returncode:
                            raise Failure(f"a session failed: {client.stderr.read().decode(errors='replace').strip()}")
                        ends[number] = time.perf_counter() - began
                time.sleep(0.005)
            for client in clients:
                client.stderr.close()
            remove(sources)
            mean, last = statistics.mean(ends.values()), max(ends.values())
            tell(f"net-sessions: mean {mean:.2f} s, last {last:.2f} s, {count * size / 1e6 / last:,.0f} MB/s in all")
            self.bench.limit("net-sessions", f"{count} at once, the last", last / mean, 3, f"{last / mean:.2f} x the mean",
                             "< 3 x")
            self.bench.limit("net-sessions", "the server's memory", peak, 512 * MIB, f"{peak / MIB:.0f} MiB", "< 512 MiB")

    def idle(self):
        """Opens many sessions that do nothing."""
        count = self.bench.amount(1000)
        with self.services() as (ours,):
            script = self.bench.work / "idle.lua"
            script.write_text(
                "local open = {} for i = 1, tonumber(arg[2]) do open[i] = vault.connect(arg[1]) open[i]:exists('x') end "
                "print('open') io.stdout:flush() io.read()")
            client = subprocess.Popen([ours.binary, "run", str(script), ours.url, str(count)], env=ours.environment,
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            try:
                if client.stdout.readline() != b"open\n":
                    raise Failure(f"the sessions did not open: {client.stderr.read().decode(errors='replace')}")
                used = ours.memory()
            finally:
                client.kill()
                client.communicate()
            self.bench.limit("net-idle", f"{count:,} sessions, the server's", used, 150 * MIB, f"{used / MIB:.0f} MiB",
                             "< 150 MiB")

    def stat(self):
        """Asks for one entry again and again on an open session; each answer is timed in the script."""
        count = self.bench.amount(20_000)
        with self.services() as (ours,):
            script = self.bench.work / "stat.lua"
            script.write_text("vault.put('x', 'y') for _ = 1, tonumber(arg[1]) do vault.stat('x') end")

            def seconds(number):
                """The time of a run with so many questions."""
                return self.bench.run([ours.binary, "run", "--vault", ours.url, script, number]).seconds

            trips = [(seconds(count) - seconds(1)) / count for _ in range(self.bench.runs)]
            middle = statistics.median(trips)
            self.bench.limit("net-stat", f"{count:,} round trips", middle, 150e-6, f"{middle * 1e6:.0f} us", "< 150 us")


ROWS = {
    "net-save": Network.save, "net-read": Network.read, "net-small": Network.small, "net-unchanged": Network.unchanged,
    "net-delta": Network.delta, "net-sessions": Network.sessions, "net-idle": Network.idle, "net-stat": Network.stat}
