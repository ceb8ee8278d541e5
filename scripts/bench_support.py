"""The programs that scripts/bench measures, the running of them, and its smaller tools."""

import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
SAMPLE_SECONDS = 0.005
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TOP = pathlib.Path(__file__).resolve().parent.parent


class Failure(Exception):
    """A row cannot be measured; the message says why."""


@dataclass
class Usage:
    """What one run of a program took: seconds, and bytes of RssAnon where they were sampled."""

    seconds: float
    cpu: float
    first_line: float = 0.0
    lines: int = 0
    start: int = 0
    peak: int = 0


class Sampler(threading.Thread):
    """Samples the anonymous memory of a process until it has ended."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.ended = threading.Event()
        self.status = os.open(f"/proc/{pid}/status", os.O_RDONLY)
        self.samples = []

    def run(self):
        """Takes the first sample at once, and one every five milliseconds after it."""
        while True:
            try:
                found = re.search(rb"RssAnon:\s+(\d+) kB", os.pread(self.status, 8192, 0))
            except ProcessLookupError:
                return
            if found:
                self.samples.append(int(found[1]) * KIB)
            if self.ended.wait(SAMPLE_SECONDS):
                return

    def finish(self):
        """Ends the sampling and returns the first and the highest sample."""
        self.ended.set()
        self.join()
        os.close(self.status)
        return (self.samples[0], max(self.samples)) if self.samples else (0, 0)


def tell(text):
    """Tells what happens, beside the results."""
    print(text, file=sys.stderr, flush=True)


def remove(path):
    """Removes a file or a tree, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def clear(work):
    """Removes the work directory, in which a program that was just killed may still make a file."""
    for _ in range(100):
        shutil.rmtree(work, ignore_errors=True)
        if not work.exists():
            return
        time.sleep(0.1)
    tell(f"{work} cannot be removed")


def stored_bytes(path):
    """The bytes that the files below a directory occupy, as du counts them."""
    return sum(os.lstat(os.path.join(top, name)).st_blocks * 512 for top, _, names in os.walk(path) for name in names)


def in_mib(size):
    """A number of bytes in MiB, with decimals where they matter."""
    return f"{size / MIB:,.1f} MiB" if size < 100 * MIB else f"{size / MIB:,.0f} MiB"


def file_system(path):
    """The type of the file system that holds a path."""
    mounts = [line.split()[1:3] for line in pathlib.Path("/proc/self/mounts").read_text().splitlines()]
    above = [mount for mount in mounts if path.is_relative_to(mount[0])]
    return max(enumerate(above), key=lambda found: (len(found[1][0]), found[0]))[1][1]


def print_table(heads, lines):
    """Prints lines of text in columns; those that begin with a digit are aligned to the right."""
    widths = [max(map(len, column)) for column in zip(heads, *lines)]
    right = [all(re.match(r"[\d-]", line[at]) for line in lines) for at in range(len(heads))]
    for line in (heads, *lines):
        cells = (text.rjust(width) if end else text.ljust(width) for text, width, end in zip(line, widths, right))
        print("  ".join(cells).rstrip())


def text_of(command):
    """What a short command prints, or a question mark where it fails."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else "?"


class MiniVault:
    """Our own program."""

    name = "minivault"

    def __init__(self, work, binary):
        self.binary, self.repository = str(binary), work / "minivault"
        self.packs, self.cache = self.repository / "packs", work / "no-cache"

    def version(self):
        """The version that the program's own Lua API tells, and where the program is from."""
        command = [self.binary, "run", "--vault", self.repository, "-"]
        script = subprocess.run(command, input=b"print(vault.version)", capture_output=True)
        commit = text_of(["git", "-C", TOP, "describe", "--always", "--dirty"])
        source = "MINIVAULT_BINARY" if "MINIVAULT_BINARY" in os.environ else f"commit {commit}"
        return f"minivault {script.stdout.decode().strip() or '?'} ({source})"

    def create(self):
        """The command that makes an empty vault."""
        return [self.binary, "init", "--quiet", self.repository]

    def save(self, source):
        """The command that saves a file or a tree."""
        if source.is_dir():
            return [self.binary, "push", "--quiet", "--vault", self.repository, source, "tree"]
        return [self.binary, "save", "--quiet", "--vault", self.repository, source, "--as", "data"]

    def read(self, source, target):
        """The command that reads the saved file back, where its output goes, and the file that results."""
        return [self.binary, "read", "--quiet", "--vault", self.repository, "data", target], None, target

    def list(self):
        """The command that lists all names."""
        return [self.binary, "list", "--vault", self.repository]


class Borg:
    """borg without compression and encryption."""

    name = "borg"

    def __init__(self, work):
        self.repository = self.packs = work / "borg"
        self.cache = work / "borg-home"

    def version(self):
        """The version of the installed borg."""
        return f"{text_of(['borg', '--version'])} (compression none)"

    def create(self):
        """The command that makes an empty repository."""
        return ["borg", "init", "--encryption", "none", self.repository]

    def save(self, source):
        """The command that saves a file or a tree; the archive's name holds the time, so that it is a new one."""
        return ["borg", "create", "--compression", "none", f"{self.repository}::{time.time_ns()}", source]


class Restic:
    """restic, compressing as it does by default unless RESTIC_COMPRESSION says otherwise; it always encrypts."""

    name = "restic"

    def __init__(self, work):
        self.repository, self.restored = work / "restic", work / "restored"
        self.packs, self.cache = self.repository / "data", work / "restic-cache"
        self.way = "dump"
        self.compression = os.environ.get("RESTIC_COMPRESSION", "auto")

    def version(self):
        """The version of the installed restic."""
        return f"{' '.join(text_of(['restic', 'version']).split()[:2])} (compression {self.compression})"

    def create(self):
        """The command that makes an empty repository."""
        return ["restic", "--quiet", "--repo", self.repository, "init"]

    def save(self, source):
        """The command that saves a file or a tree."""
        return ["restic", "--quiet", "--repo", self.repository, "backup", "--compression", self.compression, source]

    def read(self, source, target):
        """The command that reads the saved file back, where its output goes, and the file that results."""
        command = ["restic", "--quiet", "--repo", self.repository, self.way, "latest"]
        if self.way == "dump":
            return [*command, source], target, target
        return [*command, "--target", self.restored], None, self.restored / str(source).lstrip("/")


def built_program():
    """The program to measure, built if it is not named."""
    if named := os.environ.get("MINIVAULT_BINARY"):
        return pathlib.Path(named).resolve(strict=True)
    subprocess.run([TOP / "scripts/minivault", "--help"], stdout=subprocess.DEVNULL, check=True)
    return TOP / ".build/release/minivault"


def on_interrupt(handler):
    """Has Ctrl-C and its like handled by a function, or ignored."""
    for number in INTERRUPTS:
        signal.signal(number, handler)


def stop(pid):
    """Kills a process and all that it started, and waits for it."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


class Runner:
    """Runs programs with all that they leave behind in the work directory."""

    def __init__(self, work):
        self.output, self.errors = work / "output", work / "errors"
        self.environment = os.environ | {
            "BORG_BASE_DIR": str(work / "borg-home"), "BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK": "yes",
            "RESTIC_CACHE_DIR": str(work / "restic-cache"), "RESTIC_PASSWORD": "benchmark", "TMPDIR": str(work)}

    def run(self, command, output=None, sample=False, pipe=False):
        """Runs a program with its output in a file, or read through a pipe, and returns what it took."""
        command = [str(part) for part in command]
        reader, writer = os.pipe() if pipe else (None, None)
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                   (os.POSIX_SPAWN_DUP2, writer, 1) if pipe else
                   (os.POSIX_SPAWN_OPEN, 1, str(output or self.output), flags, 0o600),
                   (os.POSIX_SPAWN_OPEN, 2, str(self.errors), flags, 0o600)]
        pid = sampler = None
        try:
            # What interrupts waits until the process is known here, and can be stopped.
            signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
            began = time.perf_counter()
            # A group of its own gets no Ctrl-C from the terminal, so that this script decides what happens.
            pid = os.posix_spawnp(command[0], command, self.environment, file_actions=actions, setpgroup=0,
                                  setsigmask=[], setsigdef=[signal.SIGPIPE, signal.SIGXFSZ])
            signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
            if sample:
                sampler = Sampler(pid)
                sampler.start()
            if pipe:
                os.close(writer)
            first_line, lines = self.drain(reader, began) if pipe else (0.0, 0)
            _, status, used = os.wait4(pid, 0)
            seconds = time.perf_counter() - began
        except BaseException:
            if pid:
                stop(pid)
            raise
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTS)
            start, peak = sampler.finish() if sampler else (0, 0)
        if code := os.waitstatus_to_exitcode(status):
            last = self.errors.read_text(errors="replace").strip().splitlines()[-3:]
            raise Failure(f"{' '.join(command)} ended with {code}: {' / '.join(last)}")
        return Usage(seconds, used.ru_utime + used.ru_stime, first_line, lines, start, peak)

    def drain(self, reader, began):
        """Reads a pipe to its end and returns the time until its first line was there, and its lines."""
        first, lines = 0.0, 0
        with open(reader, "rb", buffering=0) as stream:
            while block := stream.read(64 * KIB):
                lines += block.count(b"\n")
                first = first or (time.perf_counter() - began if lines else 0.0)
        return first, lines
