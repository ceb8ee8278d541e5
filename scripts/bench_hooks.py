"""The rows of hooks for scripts/bench: what a hook adds to a save, and how many events a second are told."""
import contextlib
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import time
import urllib.request

from bench_network import Served, free_port
from bench_support import KIB, Failure, remove, tell

NOTHING = 'vault.on("before_save", {match = "/no/such/name"}, function() end)\n'
DECIDING = 'vault.on("before_save", function() end)\n'
TELLING = 'vault.on("save", function() end)\n'
# Begins to hear when the vault holds a name.
GATED = """
local is_open = false
vault.on("save", {timeout = 600}, function()
  while not is_open do
    is_open = vault.exists "open"
    if not is_open then vault.sleep(0.01) end
  end
end)
"""
# Saves that one time is taken of, and what a script prints when they are done.
GROUP = 20
SAVES = f"""
io.stdout:setvbuf "line"
for n = 1, tonumber(arg[1]) do
  vault.put("seq/" .. arg[2] .. "/" .. n, arg[2] .. n)
  if n % {GROUP} == 0 then print(n) end
end
"""
TELL_SECONDS_MAX = 5


class Hooked(Served):
    """Our server with hooks, and its metrics."""

    def __init__(self, directory, binary, hooks):
        self.metrics = free_port()
        file = pathlib.Path(str(directory) + ".lua")
        file.write_text(hooks)
        super().__init__(directory, binary, ["--hooks", file, "--metrics", f"127.0.0.1:{self.metrics}"])

    def waiting(self):
        """How many events wait to be told."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        return sum(int(count) for count in re.findall(r'^minivault_outbox_events\{.*"waiting"\} (\d+)', text, re.M))


class Hooks:
    """The rows; bench is what they share with the other rows."""

    def __init__(self, bench, binary):
        self.bench, self.binary = bench, binary

    @contextlib.contextmanager
    def servers(self, **hooks):
        """Starts a server for each text of hooks, without hooks for none; their names are those of the arguments."""
        started = []
        try:
            for name, text in hooks.items():
                directory = self.bench.work / name
                started.append(Hooked(directory, self.binary, text) if text else Served(directory, self.binary))
            yield started
        finally:
            for server in started:
                server.stop()

    def run(self, server, *words):
        """The seconds of a command on a server, as one of whose users it runs."""
        began = time.perf_counter()
        done = subprocess.run([self.binary, *map(str, words), "--vault", server.url], env=server.environment,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise Failure(f"{words[0]}: {done.stderr.strip()}")
        return time.perf_counter() - began

    def save_time(self, server, count, turn):
        """The median time of a save, of saves one after the other: that of groups, since one is too short to take."""
        script = self.bench.work / "saves.lua"
        script.write_text(SAVES)
        with subprocess.Popen([self.binary, "run", "--vault", server.url, script, str(count), f"turn{turn}"],
                              env=server.environment, stdout=subprocess.PIPE) as client:
            times = [time.perf_counter() for _ in client.stdout]
        if client.returncode:
            raise Failure("saving one after the other failed")
        # The first are slower, while caches fill.
        return statistics.median(after - before for before, after in zip(times[2:], times[3:])) / GROUP

    def compare(self, row, work, plain, hooked, share):
        """Pushes new small files to both servers in turn, and asks for a share of what the first one takes."""
        count = self.bench.amount(10_000)
        self.bench.room(4 * count * 6 * KIB)
        ratios, rates = [], []
        for turn in range(self.bench.runs):
            remove(self.bench.input)
            self.bench.make_tree(count)
            without, with_hooks = (self.run(server, "push", "--quiet", self.bench.input, f"tree{turn}")
                                   for server in (plain, hooked))
            ratios.append(without / with_hooks)
            rates.append((count / without, count / with_hooks))
            tell(f"{row} {turn + 1}/{self.bench.runs}: {rates[-1][0]:,.0f} and {rates[-1][1]:,.0f} files/s")
        less = 1 - statistics.median(ratios)
        before, after = (statistics.median(column) for column in zip(*rates))
        self.bench.limit(row, f"{count:,} files, {work}", less, 1 - share,
                         f"{before:,.0f} to {after:,.0f} files/s, {100 * less:.0f}% fewer", f"< {100 * (1 - share):.0f}%")

    def decide(self):
        """Saves with and without a hook that decides and reads nothing."""
        count = self.bench.amount(4_000)
        with self.servers(plain=None, deciding=DECIDING) as (plain, hooked):
            more = []
            for turn in range(self.bench.runs):
                without, with_hook = (self.save_time(server, count, turn) for server in (plain, hooked))
                more.append(with_hook - without)
                tell(f"hook-decide {turn + 1}/{self.bench.runs}: {without * 1e6:.0f} and {with_hook * 1e6:.0f} us a save")
            middle = statistics.median(more)
            self.bench.limit("hook-decide", f"{count:,} saves, one by one", middle, 100e-6, f"{middle * 1e6:.0f} us more",
                             "< 100 us more")
            self.compare("hook-decide", "pipelined", plain, hooked, 0.8)

    def nothing(self):
        """Saves with no hooks, and with a hook that is about other names."""
        with self.servers(plain=None, elsewhere=NOTHING) as (plain, hooked):
            self.compare("hook-none", "no hook is asked", plain, hooked, 0.95)

    def push(self, server, count, turn):
        """Pushes new small files."""
        remove(self.bench.input)
        self.bench.make_tree(count)
        self.run(server, "push", "--quiet", self.bench.input, f"tree{turn}")

    def drained(self, server):
        """The seconds from now until all is told."""
        began = time.perf_counter()
        while server.waiting():
            if time.perf_counter() - began > 120:
                raise Failure("the outbox is not drained")
            time.sleep(0.005)
        return time.perf_counter() - began

    def tell(self):
        """Tells a hook of many saves."""
        count = self.bench.amount(10_000)
        self.bench.room(4 * count * 6 * KIB)
        with self.servers(telling=TELLING) as (server,):
            drained = []
            for turn in range(self.bench.runs):
                self.push(server, count, turn)
                drained.append(self.drained(server))
                tell(f"hook-tell {turn + 1}/{self.bench.runs}: {drained[-1]:.2f} s after the last save")
            middle = statistics.median(drained)
            self.bench.limit("hook-tell", f"{count:,} saves, until all is told", middle, TELL_SECONDS_MAX,
                             f"{middle:.2f} s after the last", f"< {TELL_SECONDS_MAX} s")

    def spawn(self):
        """Tells a hook of saves that wait for it, and in turn starts a program for each of as many events."""
        count, programs = self.bench.amount(10_000), self.bench.amount(2_000)
        self.bench.room(4 * count * 6 * KIB)
        true, ratios, rates = shutil.which("true"), [], []
        for turn in range(self.bench.runs):
            with self.servers(gated=GATED) as (server,):
                self.push(server, count, turn)
                if server.waiting() < count:
                    raise Failure("events were told too early")
                # The telling begins before this command has ended: its time counts.
                opening = self.run(server, "save", "--quiet", __file__, "--as", "open")
                ours = count / (opening + self.drained(server))
            # As many at once as there are processors, which is the best that those servers can do.
            began, running = time.perf_counter(), 0
            for _ in range(programs):
                os.posix_spawn(true, [true], os.environ)
                running += 1
                if running > (os.cpu_count() or 1):
                    os.wait()
                    running -= 1
            for _ in range(running):
                os.wait()
            theirs = programs / (time.perf_counter() - began)
            ratios.append(ours / theirs)
            rates.append((ours, theirs))
            tell(f"hook-spawn {turn + 1}/{self.bench.runs}: {ours:,.0f} events/s and {theirs:,.0f} programs/s")
        middle = statistics.median(ratios)
        ours, theirs = (statistics.median(column) for column in zip(*rates))
        self.bench.limit("hook-spawn", f"{count:,} events, a program each", -middle, -10,
                         f"{ours:,.0f} to {theirs:,.0f} events/s, {middle:.1f} x", "> 10 x")


ROWS = {"hook-decide": Hooks.decide, "hook-none": Hooks.nothing, "hook-tell": Hooks.tell, "hook-spawn": Hooks.spawn}
