"""For tests of system calls on a mount: what to mark, to compare with, and the program around it.

A test file marks functions with @check and ends with `main()`. It is run as

    FILE MOUNT SERVERS_FOLDER STATE_FILE first|again [NAME...]

Each function gets a Place of its own: a folder on the mount, and the same one on the server. "again" is for a fresh mount
of the same folder: only the functions marked @check_again run. All that failed is said; the exit code is 1 then."""
import ctypes
import errno
import os
import sys
import time
import traceback

LIMIT = 60  # seconds that something may take to be seen
CHECKS = []
CHECKS_AGAIN = []
C = ctypes.CDLL(None, use_errno=True)


def check(function):
    CHECKS.append(function)
    return function


def check_again(function):
    CHECKS_AGAIN.append(function)
    return function


class Place:
    """A folder, on the mount and on the server."""

    def __init__(self, mount, server, state):
        self.mount, self.state = mount, state
        self.unsettled_server = server

    def __call__(self, name):
        return os.path.join(self.mount, name)

    @property
    def server(self):
        if "CLUSTERFS_TEST_SETTLE" in os.environ:
            self.settle()
        return self.unsettled_server

    def on_server(self, name):
        return os.path.join(self.server, name)

    def settle(self):
        """What programs were told to be done is done on the server."""
        folder = os.open(os.path.dirname(self.mount), os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def write(self, name, data):
        with open(self(name), "wb") as file:
            file.write(data)

    def read(self, name):
        with open(self(name), "rb") as file:
            return file.read()

    def write_on_server(self, name, data):
        """A new name may be missed for attr_ttl: returns when the mount sees it."""
        with open(self.on_server(name), "wb") as file:
            file.write(data)
        eventually(lambda: os.path.lexists(self(name)))

    def read_on_server(self, name):
        with open(self.on_server(name), "rb") as file:
            return file.read()

    def open(self, name, flags, mode=0o666):
        return os.open(self(name), flags, mode)

    def holds(self, name, data):
        equal(self.read_on_server(name), data)
        equal(self.read(name), data)


def short(value):
    text = repr(value)
    return text if len(text) < 300 else text[:300] + "..."


def equal(got, expected):
    if got != expected:
        raise AssertionError(f"expected {short(expected)}, got {short(got)}")


def fails(number, function, *arguments, **keywords):
    """FUNCTION fails with errno NUMBER, or one of several."""
    numbers = number if isinstance(number, tuple) else (number,)
    names = " or ".join(errno.errorcode[one] for one in numbers)
    try:
        function(*arguments, **keywords)
    except OSError as error:
        if error.errno not in numbers:
            raise AssertionError(f"expected {names}, got {error}") from error
    else:
        raise AssertionError(f"expected {names}, but it succeeded")


def eventually(condition):
    end = time.monotonic() + LIMIT
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("waited in vain")
        time.sleep(0.05)


def call(function, *arguments):
    """A function of the C library that returns -1 and sets errno."""
    result = function(*arguments)
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def numbered(count, start=0):
    """Bytes that differ at each offset."""
    return b"".join(b"%09d\n" % (start + i) for i in range(count // 10 + 1))[:count]


def run(function, mount, server, state):
    place = Place(os.path.join(mount, function.__name__), os.path.join(server, function.__name__), state)
    try:
        if not os.path.isdir(place.server):
            os.mkdir(place.mount)
        function(place)
        return True
    except BaseException:
        print(f"FAIL: {function.__name__}\n{traceback.format_exc(limit=-4)}", flush=True)
        return False


def main():
    mount, server, state, which = sys.argv[1:5]
    wanted = sys.argv[5:]
    functions = CHECKS if which == "first" else CHECKS_AGAIN
    results = []
    for function in functions:
        if not wanted or function.__name__ in wanted:
            began = time.monotonic()
            results.append(run(function, mount, server, state))
            print(f"# {function.__name__} {time.monotonic() - began:.2f} s", flush=True)
    sys.exit(0 if all(results) else 1)
