#!/usr/bin/env python3
"""A TCP server on loopback that is no SSH server.

    tcp_server.py silent|http|closes|banner PORT_FILE

silent: accepts and never says a word. http: speaks HTTP. closes: hangs up at once. banner: says an SSH banner, then
nothing. The port is written to PORT_FILE when it listens. Runs until it is killed.
"""

import os
import socket
import sys

GREETINGS = {"silent": b"", "http": b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "banner": b"SSH-2.0-silent\r\n"}


def main():
    kind, port_file = sys.argv[1:]
    listener = socket.create_server(("127.0.0.1", 0))
    with open(port_file + ".new", "w", encoding="ascii") as file:
        file.write(f"{listener.getsockname()[1]}\n")
    os.rename(port_file + ".new", port_file)
    held = []
    while True:
        connection = listener.accept()[0]
        if kind == "closes":
            connection.close()
            continue
        connection.sendall(GREETINGS[kind])
        if kind == "http":
            connection.recv(1024)
            connection.close()
        else:
            held.append(connection)


main()
