"""What the benchmark does through a mount without a program of its own for it. Prints the seconds that it took.

actions.py random MOUNTED REAL COUNT    reads 4 KiB at random places of MOUNTED, compares with REAL: the sum
actions.py write MOUNTED COUNT          a file is opened, written to COUNT times, and closed
actions.py follow MOUNTED REAL COUNT    from appending a line to REAL until a reader of MOUNTED sees it: the median
"""

import os
import random
import statistics
import sys
import time

BLOCK = 4096
PAUSE_S = 0.01


def read_at_random(mounted, real, count):
    source = random.Random(7)
    fd, other = os.open(mounted, os.O_RDONLY), os.open(real, os.O_RDONLY)
    blocks = os.fstat(other).st_size // BLOCK
    seconds = 0
    for _ in range(int(count)):
        place = source.randrange(blocks) * BLOCK
        start = time.monotonic()
        data = os.pread(fd, BLOCK, place)
        seconds += time.monotonic() - start
        if data != os.pread(other, BLOCK, place):
            sys.exit(f"WRONG DATA at {place}")
    os.close(fd)
    return seconds


def write(mounted, count):
    start = time.monotonic()
    fd = os.open(mounted, os.O_WRONLY | os.O_CREAT, 0o644)
    for number in range(int(count)):
        os.write(fd, b"line %06d\n" % number * 10)
    os.close(fd)
    return time.monotonic() - start


def follow(mounted, real, count):
    """As tail -f does: fstat(2) of the open file, and a read when it has grown."""
    fd, other = os.open(mounted, os.O_RDONLY), os.open(real, os.O_WRONLY | os.O_APPEND)
    seen = len(os.read(fd, 1 << 20))
    lags = []
    for number in range(int(count)):
        time.sleep(1.37)  # out of step with any TTL
        line = b"line %d\n" % number
        start = time.monotonic()
        os.write(other, line)
        while os.fstat(fd).st_size < seen + len(line):
            time.sleep(PAUSE_S)
        if os.pread(fd, len(line), seen) != line:
            sys.exit(f"WRONG DATA at {seen}")
        lags.append(time.monotonic() - start)
        seen += len(line)
    return statistics.median(lags)


print({"random": read_at_random, "write": write, "follow": follow}[sys.argv[1]](*sys.argv[2:]))
