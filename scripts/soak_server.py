"""Puts a real server on loopback through what takes long, for scripts/soak.

    soak_server.py gigabytes GIGABYTES NAMES
    soak_server.py kill TIMES

Work is done below SOAK_DIRECTORY, TMPDIR or /tmp; MINIVAULT_BINARY names a built program to use.
"""

import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from bench_network import Served
from bench_support import (
    GIB, INTERRUPTS, KIB, MIB, Failure, Runner, Sampler, built_program, clear, in_mib, on_interrupt, tell)

BLOCK = 4 * MIB
# What a transfer of any size may take beyond what the process has at its start.
MEMORY_MAX = 64 * MIB
# Compares each name of a list with the file of the same path.
CHECK = """
for name in io.lines(arg[1]) do
  local file <close> = assert(io.open(name, "rb"))
  assert(vault.get(name) == file:read "a", name)
end
"""


class Soak:
    """A server with its data in the work directory, and clients whose memory is looked at."""

    def __init__(self, work, binary):
        self.work, self.binary = work, str(binary)
        self.runner = Runner(work)
        self.served = Served(work / "served", binary)
        self.runner.environment |= self.served.environment

    def stop(self):
        """Ends the server and removes its data."""
        self.served.stop()

    def client(self, *words):
        """The command that runs the client on the served vault."""
        return [self.binary, words[0], "--vault", self.served.url, *map(str, words[1:])]

    def step(self, what, *words):
        """Runs a client, prints what it and the server took, and refuses more memory than the bound."""
        sampler = Sampler(self.served.process.pid)
        sampler.start()
        try:
            usage = self.runner.run(self.client(*words), sample=True)
        finally:
            start, peak = sampler.finish()
        sides = {"client": usage.peak - usage.start, "server": peak - start}
        tell(f"  {what}: {usage.seconds:.1f} s; memory above the start: "
             + ", ".join(f"{side} {in_mib(most)}" for side, most in sides.items()))
        for side, most in sides.items():
            if most > MEMORY_MAX:
                raise Failure(f"{what} took {in_mib(most)} of the {side}'s memory, and {in_mib(MEMORY_MAX)} are allowed")

    def succeed(self, *words):
        """Runs a client that must go well, and returns what it prints."""
        done = subprocess.run(
            self.client(*words), env=self.runner.environment, cwd=self.work, capture_output=True, text=True)
        if done.returncode:
            raise Failure(f"minivault {' '.join(map(str, words))}: {done.stderr.strip()}")
        return done.stdout

    # Killed servers

    def kill(self):
        """Kills the server, and waits until it is gone."""
        os.killpg(self.served.process.pid, signal.SIGKILL)
        self.served.process.wait()

    def start_again(self):
        """Starts the server on the same data and the same port."""
        self.served.start(self.served.command, stdout=subprocess.DEVNULL)


def room(work, size):
    """Refuses what does not fit."""
    free = shutil.disk_usage(work).free
    if free < size:
        raise Failure(f"it needs {in_mib(size)} and {work} has {in_mib(free)}: see SOAK_DIRECTORY")


def make_file(path, size):
    """Makes a file of random bytes."""
    with open(path, "wb", buffering=0) as file:
        for at in range(0, size, BLOCK):
            file.write(os.urandom(min(BLOCK, size - at)))


def make_tree(path, count):
    """Makes a tree of small files of random bytes, two hundred a directory."""
    for index in range(count):
        directory = path / f"{index // 200:05d}"
        if index % 200 == 0:
            directory.mkdir(parents=True)
        (directory / f"file-{index:07d}").write_bytes(os.urandom(200))


def same(*command):
    """Refuses differences that a program finds."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        raise Failure(f"what was read back differs: {(done.stdout + done.stderr).strip()[:500]}")


def gigabytes(soak, size, names):
    """Takes a large file and a large tree to the server and back."""
    source, back = soak.work / "source", soak.work / "back"
    room(soak.work, 3 * size * GIB + names * 16 * KIB)
    tell(f"  a file of {size} GiB")
    make_file(source, size * GIB)
    soak.step("saving the file", "save", "--quiet", source, "--as", "large")
    soak.step("reading it back", "read", "--quiet", "large", back)
    same("cmp", source, back)
    soak.step("verifying", "verify")
    source.unlink()
    back.unlink()
    tell(f"  a tree of {names:,} names")
    make_tree(source, names)
    soak.step("pushing the tree", "push", "--quiet", source, "tree")
    soak.step("pushing it again", "push", "--quiet", source, "tree")
    soak.step("listing it", "list", "tree")
    found = soak.runner.output.read_bytes().count(b"\n")
    if found != names:
        raise Failure(f"{found:,} names are listed of {names:,}")
    soak.step("pulling it", "pull", "--quiet", "tree", back)
    same("diff", "-r", source, back)
    soak.step("verifying all", "verify")
    soak.step("removing all", "remove", "--quiet", "tree")
    soak.step("keeping the rest", "keep", "--quiet", "--within", "1s")
    soak.step("collecting", "gc", "--quiet")


class ChangingTree:
    """A tree of which some files change between two pushes: small ones, and once in a while a large one."""

    count = 200

    def __init__(self, path, seed):
        self.path, self.random = path, random.Random(seed)
        path.mkdir()
        for index in range(self.count):
            self.change(index)

    def change(self, index):
        """Gives a file new content."""
        size = self.random.randrange(24 * MIB) if index % 50 == 0 else self.random.randrange(20 * KIB)
        (self.path / f"f{index:03d}").write_bytes(self.random.randbytes(size))

    def change_some(self):
        """Gives some files new contents."""
        for index in self.random.sample(range(self.count), self.random.randrange(1, 40)):
            self.change(index)
        if self.random.randrange(3) == 0:
            self.change(50 * self.random.randrange(4))


def acknowledged(text):
    """The names that a push has said to be saved, in lines that are whole."""
    lines = text.split("\n")[:-1]
    return [found["name"] for found in map(json.loads, lines) if "name" in found]


def kill(soak, times):
    """Kills the server during pushes, and compares what was acknowledged after each."""
    seed = random.randrange(1 << 30)
    tell(f"  the seed is {seed}")
    tree, check, names = ChangingTree(soak.work / "t", seed), soak.work / "check.lua", soak.work / "names"
    check.write_text(CHECK)
    kills = total = 0
    while kills < times:
        push = subprocess.Popen(
            soak.client("push", "--json", "t", "t"), env=soak.runner.environment, cwd=soak.work,
            stdout=open(soak.runner.output, "wb"), stderr=open(soak.runner.errors, "wb"), start_new_session=True)
        # After some output, or after some time: the latter also hits the beginning, and the end.
        by_output, most = tree.random.randrange(2) == 0, tree.random.randrange(1, 12_000)
        end = time.monotonic() + (30 if by_output else tree.random.random() * tree.random.choice((0.1, 0.5, 1.0)))
        while time.monotonic() < end and push.poll() is None:
            if by_output and soak.runner.output.stat().st_size >= most:
                break
            time.sleep(0.001)
        # Who has not got as far as to be connected is told that nobody listens.
        is_connected = soak.runner.output.stat().st_size > 0
        soak.kill()
        kills += 1
        # Every other client goes on with the next server, as it would after a restart; the others end too.
        goes_on = tree.random.randrange(2) == 0
        if not goes_on:
            push.kill()
        soak.start_again()
        status = push.wait(timeout=300)
        if goes_on and is_connected and status:
            raise Failure(f"a push did not go on after kill {kills}: {soak.runner.errors.read_text().strip()[-500:]}")
        saved = acknowledged(soak.runner.output.read_text())
        total += len(saved)
        names.write_text("".join(f"{name}\n" for name in saved))
        soak.succeed("run", check, names)
        if kills % 20 == 0:
            soak.succeed("verify")
            soak.succeed("gc", "--quiet")
            tell(f"  {kills} kills, {total:,} files acknowledged")
        tree.change_some()
    soak.succeed("push", "--quiet", "t", "t", "--delete")
    soak.succeed("verify")
    soak.succeed("pull", "--quiet", "t", "back")
    same("diff", "-r", soak.work / "t", soak.work / "back")
    if not total:
        raise Failure("no push got as far as to have a file acknowledged")


def main():
    """Runs the part that the command line names, and leaves no file behind."""
    parts = {"gigabytes": gigabytes, "kill": kill}
    if len(sys.argv) < 3 or sys.argv[1] not in parts:
        sys.exit(__doc__)
    on_interrupt(signal.default_int_handler)
    binary = built_program()
    top = os.environ.get("SOAK_DIRECTORY") or tempfile.gettempdir()
    work = pathlib.Path(tempfile.mkdtemp(prefix="minivault-soak-", dir=top))
    soak, code = None, 0
    try:
        soak = Soak(work, binary)
        parts[sys.argv[1]](soak, *map(int, sys.argv[2:]))
    except (Failure, subprocess.TimeoutExpired) as failure:
        tell(f"soak: {failure}.")
        code = 1
    except KeyboardInterrupt:
        code = 130
    finally:
        for number in INTERRUPTS:
            signal.signal(number, signal.SIG_IGN)
        if soak:
            soak.stop()
        clear(work)
    return code


if __name__ == "__main__":
    sys.exit(main())
