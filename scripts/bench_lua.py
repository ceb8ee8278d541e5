"""The rows of Lua tasks for scripts/bench: what a task costs, in time and memory, and what vault.map brings."""
import contextlib
import statistics
import subprocess
import sys

from bench_network import USER, Network, free_port, wait_for
from bench_support import MIB

# Passes bytes between a port and a server's after half of the round trip's time.
DELAY = """
import asyncio, sys
port, server, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
async def forward(reader, writer):
    loop, queue = asyncio.get_running_loop(), asyncio.Queue()
    async def write():
        while True:
            due, data = await queue.get()
            await asyncio.sleep(due - loop.time())
            if not data:
                return writer.close()
            writer.write(data)
            await writer.drain()
    writing = asyncio.create_task(write())
    while data := await reader.read(1 << 18):
        queue.put_nowait((loop.time() + seconds, data))
    queue.put_nowait((loop.time() + seconds, b""))
    await writing
async def serve(reader, writer):
    ours, theirs = await asyncio.open_connection("127.0.0.1", server)
    await asyncio.gather(forward(reader, theirs), forward(ours, writer), return_exceptions=True)
async def main():
    async with await asyncio.start_server(serve, "127.0.0.1", port) as listening:
        await listening.serve_forever()
asyncio.run(main())
"""
ROUND_TRIP = 0.002

SPAWN = """
local function f() end
for _ = 1, tonumber(arg[1]) do vault.spawn(f):join() end
"""
TASKS = """
vault.put("f", "x")
local tasks = {}
for n = 1, tonumber(arg[1]) do
  tasks[n] = vault.spawn(function() vault.sleep(0.2) return vault.get "f" end)
end
vault.wait_all(tasks)
"""
MAP = """
local what, count, path = arg[1], tonumber(arg[2]), arg[3]
local names = {}
for n = 1, count do names[n] = "map/" .. n end
local f = what == "get" and vault.get or function(name) return vault.save(path, name) end
if arg[4] == "map" then vault.map(names, f) else for n = 1, count do f(names[n]) end end
"""


class Tasks:
    """The rows; bench is what they share with the other rows."""

    def __init__(self, bench, binary):
        self.bench, self.binary = bench, binary

    def script(self, name, text):
        """Writes a script and returns its path."""
        path = self.bench.work / name
        path.write_text(text)
        return path

    def spawn(self):
        """Spawns and joins tasks one after the other."""
        count = self.bench.amount(200_000)
        script = self.script("spawn.lua", SPAWN)

        def seconds(number):
            """The time of a run with so many tasks."""
            return self.bench.run([self.binary, "run", script, number]).seconds

        each = statistics.median((seconds(count) - seconds(1)) / count for _ in range(self.bench.runs))
        self.bench.limit("lua-spawn", f"{count:,} x spawn and join", each, 5e-6, f"{each * 1e6:.1f} us", "< 5 us")

    def tasks(self):
        """Has many tasks wait at once, for a time and for the vault."""
        count = self.bench.amount(10_000)
        vault, script = self.bench.work / "tasks-vault", self.script("tasks.lua", TASKS)
        subprocess.run([self.binary, "init", "--quiet", vault], check=True)
        most = max(
            self.bench.run([self.binary, "run", "--vault", vault, script, count], sample=True).peak
            for _ in range(self.bench.runs))
        self.bench.limit("lua-tasks", f"{count:,} tasks, RssAnon", most, 100 * MIB, f"{most / MIB:.0f} MiB", "< 100 MiB")

    @contextlib.contextmanager
    def delayed(self, ours):
        """The URL of a served vault behind a network whose round trip takes a while."""
        port = free_port()
        proxy = subprocess.Popen([sys.executable, "-c", DELAY, str(port), str(ours.port), str(ROUND_TRIP / 2)])
        try:
            wait_for(port, proxy)
            url = f"minivault://{USER}@127.0.0.1:{port}"
            ours.call("login", url, "--accept-new", "--password-file", ours.directory / "password")
            yield url
        finally:
            proxy.kill()
            proxy.wait()

    def map(self):
        """Reads and saves small files of a served vault, one after the other and by vault.map, in turn."""
        network = Network(self.bench, self.binary)
        with network.services() as (ours,):
            self.compare(ours.url, "loopback")
            with self.delayed(ours) as url:
                self.compare(url, f"{ROUND_TRIP * 1e3:.0f} ms")

    def compare(self, url, network):
        """Adds the lines of one network."""
        count = self.bench.amount(1_000)
        script, file = self.script("map.lua", MAP), self.bench.work / "small-file"
        file.write_bytes(b"x" * 2000)

        def seconds(what, number, way):
            """The time of a run over so many files."""
            command = [self.binary, "run", "--vault", url, script, what, number, file, way]
            return self.bench.run(command).seconds

        seconds("save", count, "map")
        for what in ("get", "save"):
            ratios = []
            for _ in range(self.bench.runs):
                nothing = seconds(what, 0, "map")
                ratios.append((seconds(what, count, "loop") - nothing) / (seconds(what, count, "map") - nothing))
            middle = statistics.median(ratios)
            self.bench.limit(
                "lua-map", f"{what} {count:,} files, loop by map, {network}", -middle, -5, f"{middle:.1f} x", "> 5 x")


ROWS = {"lua-spawn": Tasks.spawn, "lua-tasks": Tasks.tasks, "lua-map": Tasks.map}
