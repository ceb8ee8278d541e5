"""The rows of the engines for scripts/bench: one server on PostgreSQL and an object store, beside restic and rclone on
the same store. The engines keep what they are told on the disk of the temporary directory."""
import concurrent.futures
import contextlib
import datetime
import hashlib
import hmac
import http.client
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile
import time
import urllib.parse

from bench_network import Served
from bench_support import GIB, KIB, MIB, TOP, Failure, remove, tell

OBJECT = 16 * MIB
THREADS = 4
NAMES = 10_000_000
FIRST = """
io.stdout:setvbuf "line"
for turn = 1, 20 do
  print "begin"
  for entry in vault.list() do break end
  print "end"
end
"""
FILL = """
INSERT INTO entry (vault, object, since, version, sequence, size, modified, saved_at, mode, chunker, kind, depth, root,
  saved_by, name)
SELECT vault.number, n, n, 1, n, 0, 0, 0, 420, 1, 1, 0, sha256(''), 'bench', convert_to('d' || n % 1000 || '/f' || n, 'UTF8')
FROM vault, generate_series(1, {count}) AS n WHERE vault.number = (SELECT max(number) FROM vault);
UPDATE vault SET sequence = {count} WHERE number = (SELECT max(number) FROM vault);
ANALYZE entry;
"""


class Store:
    """The object store as a program meets it that does nothing but store: one signed PUT an object."""

    def __init__(self, environment):
        self.address = urllib.parse.urlparse(environment["AWS_ENDPOINT_URL"]).netloc
        self.access, self.secret = environment["AWS_ACCESS_KEY_ID"], environment["AWS_SECRET_ACCESS_KEY"]

    def request(self, method, path, query="", body=b""):
        """Sends one request, signed by Signature Version 4, and returns its answer."""
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        digest = hashlib.sha256(body).hexdigest()
        headers = {"host": self.address, "x-amz-content-sha256": digest, "x-amz-date": now}
        names = ";".join(headers)
        canonical = "\n".join([method, path, query, *(f"{name}:{value}" for name, value in headers.items()), "", names,
                               digest])
        scope = f"{now[:8]}/us-east-1/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        key = f"AWS4{self.secret}".encode()
        for part in [*scope.split("/"), text]:
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        headers["authorization"] = (f"AWS4-HMAC-SHA256 Credential={self.access}/{scope},SignedHeaders={names},"
                                    f"Signature={key.hex()}")
        connection = http.client.HTTPConnection(self.address, timeout=60)
        connection.request(method, f"{path}?{query}" if query else path, body, headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if answer.status >= 300:
            raise Failure(f"the object store answers {answer.status}: {content[:200]}")
        return content.decode()

    def put_seconds(self, size):
        """The seconds of storing a size in objects of random bytes, a few at a time."""
        body = os.urandom(OBJECT)
        began = time.perf_counter()
        with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(lambda n: self.request("PUT", f"/minivault/alone/{n}", body=body), range(size // OBJECT)))
        seconds = time.perf_counter() - began
        for number in range(size // OBJECT):
            self.request("DELETE", f"/minivault/alone/{number}")
        return seconds

    def count(self, prefix):
        """How many objects there are below a prefix."""
        count, token = 0, None
        while True:
            query = "list-type=2&prefix=" + urllib.parse.quote(prefix, safe="")
            if token:
                query = "continuation-token=" + urllib.parse.quote(token, safe="") + "&" + query
            text = self.request("GET", "/minivault", query)
            count += text.count("<Contents>")
            found = re.search("<NextContinuationToken>(.*?)</NextContinuationToken>", text)
            if not found:
                return count
            token = found[1]


class OnEngines(Served):
    """Our server on the engines."""

    def __init__(self, directory, binary, environment, name):
        self.variables = environment
        options = ["--catalog", environment["MINIVAULT_TEST_CATALOG"], "--packs", f"s3://minivault/{name}"]
        self.engine_options = options
        super().__init__(directory, binary, options)

    def call(self, *words):
        """Users are made where the server looks for them."""
        more = self.engine_options if words[0] == "user" else ()
        return super().call(*words, *more)


class Engines:
    """The rows; bench is what they share with the other rows."""

    def __init__(self, bench, binary):
        self.bench, self.binary = bench, binary

    @contextlib.contextmanager
    def engines(self):
        """Starts the engines, and stops them and removes what they hold after."""
        directory = pathlib.Path(tempfile.mkdtemp(prefix="minivault-engines-"))
        script = TOP / "scripts/engines"
        before = dict(os.environ)
        try:
            text = subprocess.run([script, "start", directory], env=os.environ | {"ENGINES_DURABLE": "1"},
                                  stdout=subprocess.PIPE, text=True, check=True).stdout
            os.environ.update(re.findall(r"(\w+)='(.*?)'", text))
            os.environ.update({"RCLONE_CONFIG": "/dev/null", "RCLONE_CONFIG_STORE_TYPE": "s3",
                               "RCLONE_CONFIG_STORE_PROVIDER": "Ceph", "RCLONE_CONFIG_STORE_ENV_AUTH": "true",
                               "RCLONE_CONFIG_STORE_ENDPOINT": os.environ["AWS_ENDPOINT_URL"]})
            # What this machine trusts has no part in it, and rclone cannot take it.
            os.environ.pop("AWS_CA_BUNDLE", None)
            self.bench.runner.environment.pop("AWS_CA_BUNDLE", None)
            self.bench.runner.environment |= os.environ
            yield Store(os.environ)
        finally:
            subprocess.run([script, "stop", directory], check=False)
            shutil.rmtree(directory, ignore_errors=True)
            os.environ.clear()
            os.environ.update(before)

    @contextlib.contextmanager
    def server(self, name="served"):
        """Starts our server on the engines, with accounts of its own."""
        directory = self.bench.work / name
        server = OnEngines(directory, self.binary, os.environ, name)
        self.bench.runner.environment |= server.environment | {"RESTIC_PASSWORD": "benchmark"}
        try:
            yield server
        finally:
            server.stop()
            remove(directory)

    def restic(self, *words):
        """A command of restic on the store, without a cache."""
        place = os.environ["AWS_ENDPOINT_URL"] + "/minivault/restic"
        return ["restic", "-r", f"s3:{place}", "--no-cache", "--quiet", *map(str, words)]

    def fresh_restic(self, turn):
        """Makes a repository of restic's in the store."""
        command = self.restic("init")
        command[2] += str(turn)
        self.bench.run(command)
        return command[2]

    def save(self):
        """Saves one file of random bytes through the server, beside restic, and beside the store alone."""
        size = self.bench.amount(GIB)
        self.bench.room(2 * size)
        with self.engines() as store, self.server() as server:
            source, shares, turn = self.bench.input, [], 0

            def measure(program):
                """Saves a file that is new to both."""
                nonlocal turn
                if program is server:
                    turn += 1
                    remove(source)
                    self.bench.make_file(size)
                    usage = self.bench.run(server.up(source, pathlib.Path(f"file{turn}")))
                    shares.append(store.put_seconds(size) / usage.seconds)
                    return usage
                place = self.fresh_restic(turn)
                command = self.restic("backup", source)
                command[2] = place
                return self.bench.run(command)

            peer = Named("restic")
            self.bench.compare("engine-save", f"{size // MIB} MiB new", size, "MB/s", peer, 2, measure, ours=server)
            share = statistics.median(shares)
            self.bench.limit("engine-save", "of the store's own PUT rate", -share, -0.8, f"{share * 100:.0f}%", "> 80%")

    def read(self):
        """Reads that file back, with no cache anywhere."""
        size = self.bench.amount(GIB)
        self.bench.room(3 * size)
        with self.engines(), self.server() as server:
            source, target = self.bench.input, self.bench.work / "restored"
            self.bench.make_file(size)
            self.bench.run(server.up(source, pathlib.Path("file")))
            place = self.fresh_restic(0)
            command = self.restic("backup", source)
            command[2] = place
            self.bench.run(command)

            def measure(program):
                """Reads the file, and compares it."""
                remove(target)
                if program is server:
                    usage = self.bench.run(server.down(pathlib.Path("file"), target))
                    result = target
                else:
                    command = self.restic("restore", "latest", "--target", target)
                    command[2] = place
                    usage = self.bench.run(command)
                    result = pathlib.Path(f"{target}{source}")
                if subprocess.run(["cmp", source, result], check=False).returncode:
                    raise Failure(f"{program.name} read back other bytes")
                remove(target)
                return usage

            self.bench.compare("engine-read", f"{size // MIB} MiB back", size, "MB/s", Named("restic"), 3, measure,
                               ours=server)

    def small(self):
        """Saves a tree of new small files, beside rclone and restic, and counts the objects that it makes."""
        count = self.bench.amount(10_000)
        self.bench.room(3 * count * 6 * KIB)
        for peer, target in (("rclone", 10), ("restic", 3)):
            with self.engines() as store, self.server() as server:
                turn, puts = 0, []

                def measure(program):
                    """Saves files that are new to both."""
                    nonlocal turn
                    if program is server:
                        turn += 1
                        remove(self.bench.input)
                        self.bench.make_tree(count)
                        before = store.count("served/")
                        usage = self.bench.run(server.up(self.bench.input, pathlib.Path(f"tree{turn}")))
                        puts.append(store.count("served/") - before)
                        return usage
                    if peer == "rclone":
                        return self.bench.run(["rclone", "copy", "--transfers", "16", "--quiet", self.bench.input,
                                               f"store:minivault/rclone{turn}"])
                    place = self.fresh_restic(turn)
                    command = self.restic("backup", self.bench.input)
                    command[2] = place
                    return self.bench.run(command)

                self.bench.compare("engine-small", f"{count:,} new files", count, "files/s", Named(peer), target,
                                   measure, ours=server)
                files = count / statistics.median(puts)
                self.bench.limit("engine-small", "files a PUT and a transaction", -files, -200, f"{files:.0f}", "> 200")
            remove(self.bench.input)

    def list(self):
        """Asks for the first page of a vault of very many names, from a script that is connected."""
        count = self.bench.amount(NAMES)
        with self.engines(), self.server() as server:
            sql = "SET search_path TO minivault;" + FILL.format(count=count)
            subprocess.run(["psql", "--quiet", os.environ["MINIVAULT_TEST_CATALOG"]], input=sql, text=True, check=True)
            script = self.bench.work / "first.lua"
            script.write_text(FIRST)
            with subprocess.Popen([self.binary, "run", "--vault", server.url, script], env=server.environment,
                                  stdout=subprocess.PIPE) as client:
                times = [time.perf_counter() for _ in client.stdout]
            pages = [after - before for before, after in zip(times[0::2], times[1::2])]
            tell("engine-list: " + " ".join(f"{page * 1000:.1f}" for page in pages) + " ms")
            page = statistics.median(pages)
            self.bench.limit("engine-list", f"first page of {count:,} names", page, 0.02,
                             f"{page * 1000:.1f} ms, first {pages[0] * 1000:.1f}", "< 20 ms")


class Named:
    """A peer that has only its name here."""

    way = ""

    def __init__(self, name):
        self.name = name


ROWS = {"engine-save": Engines.save, "engine-read": Engines.read, "engine-small": Engines.small,
        "engine-list": Engines.list}
