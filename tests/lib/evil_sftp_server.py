#!/usr/bin/env python3
"""An SFTP server that lies. As sshd's Subsystem: evil_sftp_server.py [START_LIE]

It serves a made-up tree below /evil; the name of a file or folder decides the lie (see the tables). Lies that leave the
packets whole must cost no more than an error; those under /evil/fatal break the protocol, and end the connection.
START_LIE, told before any path is named: version, garbage, limits-zero, limits-huge.

draft-ietf-secsh-filexfer-02 is the protocol; the extensions are in OpenSSH's PROTOCOL file.
"""

import struct
import sys

INIT, VERSION, OPEN, CLOSE, READ, WRITE, LSTAT, FSTAT = 1, 2, 3, 4, 5, 6, 7, 8
OPENDIR, READDIR, REALPATH, STAT, READLINK, EXTENDED = 11, 12, 16, 17, 19, 200
STATUS, HANDLE, DATA, NAME, ATTRS, EXTENDED_REPLY = 101, 102, 103, 104, 105, 201
OK, EOF, NO_SUCH_FILE, FAILURE, UNSUPPORTED = 0, 1, 2, 4, 8

FOLDER, FILE, LINK = 0o040755, 0o100644, 0o120777
CONTENT = b"content\n"


def string(value):
    return struct.pack(">I", len(value)) + value


def attributes(mode, size=len(CONTENT), uid=0, time=1000000000):
    return struct.pack(">IQIIIII", 0x0F, size, uid, uid, mode, time, time)


def name(text, attrs):
    return string(text) + string(b"-rw-r--r-- 1 x x 0 Jan 1 00:00 \x1b[31m") + attrs


# Folders with lies for names.
BAD_NAMES = [b"..", b".", b"a/b", b"../../etc/passwd", b"/etc/passwd", b"nul\0l", b"", b"x" * 256, b"x" * 5000]
FINE_NAMES = [b"fine", b"new\nline", b"\xff\xfe", b"y" * 255, b"same", b"same"]

# Where a link leads.
LINKS = {
    b"absolute": b"/etc/passwd",
    b"above": b"../../../../../../etc/passwd",
    b"hidden": b"nothing/../../../../etc/passwd",
    b"loop": b"loop",
    b"empty": b"",
    b"nul": b"fine\0/etc/passwd",
    b"long": b"x/" * 30000,
    b"inside": b"../honest",
}

# Files whose attributes lie.
ATTRIBUTES = {
    b"size63": attributes(FILE, size=1 << 63),
    b"size64": attributes(FILE, size=(1 << 64) - 1),
    b"size62": attributes(FILE, size=1 << 62),
    b"owner": attributes(FILE, uid=(1 << 32) - 1),
    b"time": attributes(FILE, time=(1 << 32) - 1),
    b"mode": attributes(0o177777),
    b"typeless": attributes(0),
    b"device": attributes(0o060777),
    b"none": struct.pack(">I", 0),
    b"shorter": attributes(FILE, size=1000),  # than it says
    b"longer": attributes(FILE, size=1),
}

FATAL = [b"unknown_id", b"truncated", b"oversize", b"zero", b"wrong_type", b"more_data", b"handle0", b"handle257", b"string_beyond", b"twice", b"shell"]
FOLDERS = {
    b"/evil": [b"honest", b"names", b"endless", b"empty", b"links", b"attributes", b"handles", b"types", b"fatal", b"refuses"],
    b"/evil/links": list(LINKS),
    b"/evil/attributes": list(ATTRIBUTES),
    b"/evil/handles": [b"handle256"],
    b"/evil/types": [b"says_folder", b"says_file", b"no_status_text"],
    b"/evil/fatal": FATAL + [b"count", b"many_pairs"],
    b"/evil/fatal/count": [],
    b"/evil/fatal/many_pairs": [],
    b"/evil/names": [],
    b"/evil/endless": [],
    b"/evil/empty": [],
}


def attributes_of(path):
    parent, _, last = path.rpartition(b"/")
    if path == b"/" or path in FOLDERS:
        return attributes(FOLDER)
    if parent == b"/evil/links" and last in LINKS:
        return attributes(LINK)
    if parent == b"/evil/attributes" and last in ATTRIBUTES:
        return ATTRIBUTES[last]
    if parent == b"/evil/types" and last == b"says_file":
        return attributes(FOLDER)
    if last in FOLDERS.get(parent, []) or parent == b"/evil/names" and last in FINE_NAMES or parent == b"/evil/endless":
        return attributes(FILE)
    return None


class Server:
    def __init__(self, start_lie):
        self.start_lie = start_lie
        self.handles = {}

    def send_bytes(self, packet):
        sys.stdout.buffer.write(packet)
        sys.stdout.buffer.flush()

    def send(self, kind, body):
        self.send_bytes(struct.pack(">IB", len(body) + 1, kind) + body)

    def status(self, request, code, text=b"no reason"):
        self.send(STATUS, struct.pack(">II", request, code) + string(text) + string(b""))

    # --- requests ---

    def start(self):
        if self.start_lie == "garbage":
            self.send_bytes(b"Welcome to this host. Your quota is exceeded.\n" * 20)
            return
        extensions = [b"statvfs@openssh.com", b"2", b"posix-rename@openssh.com", b"1", b"limits@openssh.com", b"1"]
        version = 99 if self.start_lie == "version" else 3
        self.send(VERSION, struct.pack(">I", version) + b"".join(map(string, extensions)))

    def open(self, request, path, is_folder):
        if attributes_of(path) is None:
            self.status(request, NO_SUCH_FILE)
            return
        last = path.rpartition(b"/")[2]
        handle = {b"handle0": b"", b"handle256": b"h" * 256, b"handle257": b"h" * 257}.get(last, path)
        if is_folder and path == b"/evil/types/says_folder":
            self.status(request, FAILURE)
            return
        self.handles[handle] = [path, 0]
        self.send(HANDLE, struct.pack(">I", request) + string(handle))

    def read(self, request, body):
        handle, rest = take_string(body)
        offset, length = struct.unpack(">QI", rest)
        path, _ = self.handles.get(handle, (b"", 0))
        last = path.rpartition(b"/")[2]
        if path.startswith(b"/evil/fatal/"):
            self.read_fatally(request, last, length)
        elif path == b"/evil/types/no_status_text":
            self.send(STATUS, struct.pack(">II", request, FAILURE))
        elif path == b"/evil/refuses":
            self.status(request, 12345, b"\x1b]0;pwned\x07" * 1000)
        elif offset >= len(CONTENT) and last != b"longer":
            self.status(request, EOF)
        else:
            self.send(DATA, struct.pack(">I", request) + string(CONTENT[offset % len(CONTENT) :][:length]))

    def read_fatally(self, request, lie, length):
        data = struct.pack(">I", request) + string(CONTENT)
        if lie == b"unknown_id":
            self.send(DATA, struct.pack(">I", request ^ 0x40000000) + string(CONTENT))
        elif lie == b"truncated":
            self.send(DATA, struct.pack(">I", request))
        elif lie == b"oversize":
            self.send_bytes(struct.pack(">IB", 0x7FFFFFFF, DATA) + data)
        elif lie == b"zero":
            self.send_bytes(struct.pack(">I", 0))
        elif lie == b"wrong_type":
            self.send(HANDLE, data)
        elif lie == b"more_data":
            self.send(DATA, struct.pack(">I", request) + string(b"m" * (length + 1)))
        elif lie == b"string_beyond":
            self.send(DATA, struct.pack(">II", request, 0xFFFFFFFF) + CONTENT)
        elif lie == b"twice":
            self.send(DATA, data)
            self.send(DATA, data)
            self.send(DATA, data)
        else:
            self.send_bytes(b"Segmentation fault (core dumped)\n" * 10)

    def readdir(self, request, handle):
        entry = self.handles.setdefault(handle, [b"", 0])
        path = entry[0]
        head = struct.pack(">I", request)
        if path == b"/evil/endless":
            self.send(NAME, head + struct.pack(">I", 100) + name(b"again", attributes(FILE)) * 100)
        elif path == b"/evil/empty":
            self.send(NAME, head + struct.pack(">I", 0))
        elif path == b"/evil/fatal/count":
            self.send(NAME, head + struct.pack(">I", 0xFFFFFFFF) + name(b"one", attributes(FILE)))
        elif path == b"/evil/fatal/many_pairs":
            pairs = struct.pack(">II", 0x80000000, 0xFFFFFFFF)
            self.send(NAME, head + struct.pack(">I", 1) + name(b"one", pairs))
        elif entry[1]:
            self.status(request, EOF)
        else:
            entry[1] = 1
            self.send(NAME, head + self.listing(path))

    def listing(self, path):
        if path == b"/evil/names":
            names = [name(text, attributes(FILE)) for text in BAD_NAMES + FINE_NAMES]
        else:
            names = [name(text, self.listed(path, text)) for text in FOLDERS.get(path, [])]
        return struct.pack(">I", len(names)) + b"".join(names)

    def listed(self, folder, text):
        if folder == b"/evil/types":
            return attributes(FOLDER if text == b"says_folder" else FILE)
        return attributes_of(folder + b"/" + text)

    def real_path(self, request, path):
        if not path.startswith(b"/"):
            path = b"/evil" if path == b"." else b"/evil/" + path
        path = path.rstrip(b"/") or b"/"
        self.send(NAME, struct.pack(">II", request, 1) + name(path, struct.pack(">I", 0)))

    def extended(self, request, body):
        extension, rest = take_string(body)
        if extension == b"limits@openssh.com":
            value = {"limits-zero": 0, "limits-huge": (1 << 64) - 1}.get(self.start_lie, 65536)
            self.send(EXTENDED_REPLY, struct.pack(">IQQQQ", request, value, value, value, value))
        elif extension == b"statvfs@openssh.com":
            self.send(EXTENDED_REPLY, struct.pack(">I", request) + struct.pack(">11Q", *([0, 0] + [(1 << 64) - 1] * 9)))
        else:
            self.status(request, UNSUPPORTED)

    def serve(self, kind, body):
        if kind == INIT:
            self.start()
            return
        (request,) = struct.unpack(">I", body[:4])
        body = body[4:]
        first = take_string(body)[0]
        if kind in (OPEN, OPENDIR):
            self.open(request, first, kind == OPENDIR)
        elif kind == CLOSE:
            self.status(request, OK)
        elif kind == READ:
            self.read(request, body)
        elif kind == READDIR:
            self.readdir(request, first)
        elif kind in (LSTAT, STAT, FSTAT):
            path = self.handles.get(first, [b""])[0] if kind == FSTAT else first
            attrs = attributes_of(path)
            if attrs is None:
                self.status(request, NO_SUCH_FILE)
            else:
                self.send(ATTRS, struct.pack(">I", request) + attrs)
        elif kind == REALPATH:
            self.real_path(request, first)
        elif kind == READLINK:
            target = LINKS.get(first.rpartition(b"/")[2], b"?")
            self.send(NAME, struct.pack(">II", request, 1) + name(target, struct.pack(">I", 0)))
        elif kind == EXTENDED:
            self.extended(request, body)
        else:
            self.status(request, UNSUPPORTED)


def take_string(body):
    (length,) = struct.unpack(">I", body[:4])
    return body[4 : 4 + length], body[4 + length :]


def main():
    server = Server(sys.argv[1] if len(sys.argv) > 1 else "")
    while True:
        head = sys.stdin.buffer.read(5)
        if len(head) < 5:
            return
        length, kind = struct.unpack(">IB", head)
        server.serve(kind, sys.stdin.buffer.read(length - 1))


main()
