#!/usr/bin/env python3
"""Measures an emulated link from inside, for tests/mount/link.sh.

link_probe.py serve ADDRESS PORT_FILE    answers connections: "echo", or "give N" with N bytes that tell their place
link_probe.py round-trip ADDRESS PORT    prints the shortest of 20 round trips, in ms
link_probe.py take ADDRESS PORT N        takes N bytes, checks each, prints Mbit/s
link_probe.py hold ADDRESS PORT FOLDER   echoes once, makes FOLDER/held, echoes again, makes FOLDER/echoed
"""

import hashlib
import os
import socket
import sys
import threading
import time

STEP = 64 * 1024


def block(place):
    """STEP bytes that belong to this place and no other."""
    return hashlib.sha256(place.to_bytes(8, "big")).digest() * (STEP // 32)


def connect(arguments):
    end = socket.create_connection((arguments[0], int(arguments[1])), timeout=60)
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return end


def take_exactly(end, size):
    data = bytearray()
    while len(data) < size:
        part = end.recv(size - len(data))
        if not part:
            sys.exit("the other end closed the connection")
        data += part
    return bytes(data)


def answer(end):
    words = end.makefile("rb", buffering=0).readline().split()
    try:
        if words and words[0] == b"give":
            for place in range(0, int(words[1]), STEP):
                end.sendall(block(place))
        while True:
            data = end.recv(STEP)
            if not data:
                break
            end.sendall(data)
    except OSError:
        pass
    end.close()


def serve(arguments):
    listener = socket.create_server((arguments[0], 0))
    with open(arguments[1] + ".new", "w", encoding="ascii") as file:
        file.write(str(listener.getsockname()[1]))
    os.rename(arguments[1] + ".new", arguments[1])
    while True:
        end, _ = listener.accept()
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=answer, args=(end,), daemon=True).start()


def echo(end):
    start = time.monotonic()
    end.sendall(b"x")
    take_exactly(end, 1)
    return time.monotonic() - start


def round_trip(arguments):
    with connect(arguments) as end:
        end.sendall(b"echo\n")
        print(min(echo(end) for _ in range(20)) * 1000)


def take(arguments):
    size = int(arguments[2])
    with connect(arguments) as end:
        start = time.monotonic()
        end.sendall(b"give %d\n" % size)
        for place in range(0, size, STEP):
            if take_exactly(end, STEP) != block(place):
                sys.exit(f"wrong bytes at {place}")
        print(size * 8 / (time.monotonic() - start) / 1e6)


def hold(arguments):
    with connect(arguments) as end:
        end.sendall(b"echo\n")
        echo(end)
        open(arguments[2] + "/held", "w", encoding="ascii").close()
        while not os.path.exists(arguments[2] + "/go"):
            time.sleep(0.01)
        echo(end)
        open(arguments[2] + "/echoed", "w", encoding="ascii").close()


{"serve": serve, "round-trip": round_trip, "take": take, "hold": hold}[sys.argv[1]](sys.argv[2:])
