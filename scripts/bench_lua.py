"""The rows of Lua tasks for scripts/bench: what a task costs, in time and memory, and what vault.map brings."""
import statistics

from bench_network import Network
from bench_support import MIB

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
        most = max(
            self.bench.run([self.binary, "run", "--vault", vault, script, count], sample=True).peak
            for _ in range(self.bench.runs))
        self.bench.limit("lua-tasks", f"{count:,} tasks, RssAnon", most, 100 * MIB, f"{most / MIB:.0f} MiB", "< 100 MiB")

    def map(self):
        """Reads and saves small files of a served vault, one after the other and by vault.map, in turn."""
        count = self.bench.amount(1_000)
        network = Network(self.bench, self.binary)
        script, file = self.script("map.lua", MAP), self.bench.work / "small-file"
        file.write_bytes(b"x" * 2000)
        with network.services() as (ours,):

            def seconds(what, number, way):
                """The time of a run over so many files."""
                command = [ours.binary, "run", "--vault", ours.url, script, what, number, file, way]
                return self.bench.run(command).seconds

            seconds("save", count, "map")
            for what in ("get", "save"):
                ratios = []
                for _ in range(self.bench.runs):
                    nothing = seconds(what, 0, "map")
                    ratios.append((seconds(what, count, "loop") - nothing) / (seconds(what, count, "map") - nothing))
                middle = statistics.median(ratios)
                self.bench.limit(
                    "lua-map", f"{what} {count:,} files, loop by map", -middle, -5, f"{middle:.1f} x", "> 5 x")


ROWS = {"lua-spawn": Tasks.spawn, "lua-tasks": Tasks.tasks, "lua-map": Tasks.map}
