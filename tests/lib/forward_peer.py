"""Both ends of what `clusterfs forward` carries.

serve FILE: a service; its port goes to FILE. The first line of a connection says what it does:
    echo      sends back what comes, to the end
    digest    reads to the end, and only then answers with the SHA-256
    hello     says "hello", ends its way at once, and then answers nothing, but counts: the count is the next "count"'s answer
    count     see above
    pour N    sends N bytes
    later NAME  reads nothing before somebody says "go NAME"; then as digest
    go NAME   see above
hold FILE: a port that is taken, and refuses: it is bound and nobody listens.
silent FILE: a port that does not answer: the queue of those who are not accepted is full, and who comes is dropped.
The other actions are clients: ACTION PORT ... ; exit code 0 if all was as it should be.
"""

import collections
import hashlib
import os
import socket
import sys
import threading
import time

LIMIT_S = int(os.environ.get("CLUSTERFS_TEST_LIMIT", "100"))
counted = {}
going = collections.defaultdict(threading.Event)


def receive_all(connection, digest=None):
    parts, length = [], 0
    while True:
        data = connection.recv(1 << 16)
        if not data:
            return b"".join(parts), length
        length += len(data)
        if digest:
            digest.update(data)
        else:
            parts.append(data)


def pattern(length):
    block = bytes((i * 7 + (i >> 8) * 13) & 255 for i in range(1 << 16))
    return (block * (length // len(block) + 1))[:length]


# --- the service ---


def echo(connection):
    while True:
        data = connection.recv(1 << 16)
        if not data:
            break
        connection.sendall(data)


def answer(connection):
    stream = connection.makefile("rb", buffering=0)
    words = b""
    while not words.endswith(b"\n"):
        byte = stream.read(1)
        if not byte:
            return
        words += byte
    word, *rest = words.split()
    if word == b"echo":
        echo(connection)
    elif word == b"digest":
        digest = hashlib.sha256()
        receive_all(connection, digest)
        connection.sendall(digest.hexdigest().encode())
    elif word == b"hello":
        connection.sendall(b"hello")
        connection.shutdown(socket.SHUT_WR)
        counted[rest[0]] = receive_all(connection)[1]
    elif word == b"count":
        connection.sendall(b"%d" % counted.get(rest[0], -1))
    elif word == b"later":
        going[rest[0]].wait(LIMIT_S)
        digest = hashlib.sha256()
        receive_all(connection, digest)
        connection.sendall(digest.hexdigest().encode())
    elif word == b"go":
        going[rest[0]].set()
    elif word == b"pour":
        connection.sendall(pattern(int(rest[0])))


def serve_one(connection):
    try:
        with connection:
            answer(connection)
    except OSError:
        pass


def tell_port(listener, path):
    with open(path + ".new", "w", encoding="ascii") as file:
        file.write(str(listener.getsockname()[1]))
    os.rename(path + ".new", path)


def listen_at_any():
    try:
        listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(("::", 0))
    except OSError:  # a machine without IPv6
        listener = socket.socket()
        listener.bind(("", 0))
    return listener


def serve(path):
    listener = listen_at_any()
    listener.listen(128)
    tell_port(listener, path)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve_one, args=(connection,), daemon=True).start()


def hold(path):
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    tell_port(holder, path)
    while True:
        time.sleep(3600)


def silent(path):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    waiting = []
    try:
        while True:
            waiting.append(socket.create_connection(listener.getsockname(), 0.5))
    except TimeoutError:
        pass
    tell_port(listener, path)
    while True:
        time.sleep(3600)


# --- clients ---


def connect(port, host="127.0.0.1"):
    connection = socket.create_connection((host, int(port)), LIMIT_S)
    connection.settimeout(LIMIT_S)
    return connection


def many(port, count, host="127.0.0.1"):
    """All are open before the first says anything."""
    connections = [connect(port, host) for _ in range(int(count))]
    for number, connection in enumerate(connections):
        connection.sendall(b"echo\nI am number %d" % number)
    for number, connection in reversed(list(enumerate(connections))):
        connection.shutdown(socket.SHUT_WR)
        assert receive_all(connection)[0] == b"I am number %d" % number


def half_close(port):
    with connect(port) as connection:
        connection.sendall(b"digest\nall of it")
        connection.shutdown(socket.SHUT_WR)
        assert receive_all(connection)[0] == hashlib.sha256(b"all of it").hexdigest().encode()


def server_ends_first(port):
    """What is said to a server that has said all arrives."""
    name = b"%d" % os.getpid()
    with connect(port) as connection:
        connection.sendall(b"hello %s\n" % name)
        assert receive_all(connection)[0] == b"hello"
        for _ in range(300):
            connection.sendall(pattern(10000))
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)
    end = time.monotonic() + LIMIT_S
    while True:
        with connect(port) as connection:
            connection.sendall(b"count %s\n" % name)
            if receive_all(connection)[0] == b"3000000":
                return
        assert time.monotonic() < end
        time.sleep(0.05)


def large(port, size):
    """Both ways at once."""
    size = int(size)
    sent = pattern(size)
    with connect(port) as connection:

        def send():
            connection.sendall(b"echo\n")
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        got, length = receive_all(connection)
        sender.join()
        assert length == size and got == sent


def slow_reader(port):
    """Nobody reads what is poured: others go on, and later all of it comes."""
    size = 24 << 20
    with connect(port) as slow:
        slow.sendall(b"pour %d\n" % size)
        for _ in range(5):
            half_close(port)
        large(port, 1 << 20)
        assert receive_all(slow)[0] == pattern(size)


def slow_service(port):
    """The same the other way round: the service reads later."""
    name = b"%d" % os.getpid()
    sent = pattern(24 << 20)
    with connect(port) as connection:

        def send():
            connection.sendall(b"later %s\n" % name)
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        for _ in range(5):
            half_close(port)
        large(port, 1 << 20)
        with connect(port) as other:
            other.sendall(b"go %s\n" % name)
            receive_all(other)
        assert receive_all(connection)[0] == hashlib.sha256(sent).hexdigest().encode()
        sender.join()


def queue(port, count):
    """All are there before the first is served; one after the other leaves when it was."""
    connections = [connect(port) for _ in range(int(count))]
    for connection in connections:
        connection.sendall(b"echo\nx")
    for connection in connections:
        with connection:
            assert connection.recv(1) == b"x"


def reset(port):
    """A client that goes in the middle hurts nobody."""
    for _ in range(5):
        connection = connect(port)
        connection.sendall(b"pour 100000000\n")
        assert connection.recv(1000)
        connection.close()  # with bytes unread: a reset
    half_close(port)


def is_closed(port):
    try:  # the reset may come before connect(2) has told of the connection
        with connect(port) as connection:
            connection.sendall(b"echo\n")
            assert not connection.recv(1)
    except ConnectionError:
        pass


def until_reset(port, path):
    with connect(port) as connection:
        connection.sendall(b"echo\nx")
        assert connection.recv(1) == b"x"
        with open(path, "w", encoding="ascii"):
            pass
        try:
            assert connection.recv(1)
        except ConnectionResetError:
            return
        raise AssertionError("it was not reset")


if __name__ == "__main__":
    globals()[sys.argv[1].replace("-", "_")](*sys.argv[2:])
