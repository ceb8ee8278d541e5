#!/usr/bin/env python3
"""Packs a directory twice by tar, the second time with some files removed and some edited.

usage: make-versions.py DIRECTORY OLD.tar NEW.tar REMOVE EDIT

Of the files in the order of their paths, one in REMOVE is removed, and one in EDIT of the others gets a
line at a random place. The same arguments make the same archives.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile


def pack(directory, archive):
    subprocess.run(
        ["tar", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "-C", directory, "-cf", archive, "."],
        check=True,
    )


def edit(directory, remove, change):
    choice = random.Random(7)
    paths = (os.path.join(parent, name) for parent, _, names in os.walk(directory) for name in names)
    for number, path in enumerate(sorted(path for path in paths if not os.path.islink(path))):
        if number % remove == remove // 2:
            os.unlink(path)
        elif number % change == change // 2:
            with open(path, "rb") as file:
                content = file.read()
            place = choice.randrange(len(content) + 1)
            place = content.find(b"\n", place) + 1 or place
            with open(path, "wb") as file:
                file.write(content[:place] + b"an edited line\n" + content[place:])


source, old, new, remove, change = sys.argv[1:]
with tempfile.TemporaryDirectory(dir=os.path.dirname(os.path.abspath(new))) as scratch:
    copy = os.path.join(scratch, "copy")
    shutil.copytree(source, copy, symlinks=True)
    pack(copy, old)
    edit(copy, int(remove), int(change))
    pack(copy, new)
