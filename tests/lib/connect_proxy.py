#!/usr/bin/env python3
"""An HTTP proxy on loopback that knows CONNECT alone (RFC 9110, 9.3.6).

    connect_proxy.py PORT_FILE LOG_FILE [USER:PASSWORD]

The port is written to PORT_FILE when it listens; if there is one in it already, it listens there. What it was asked is
written to LOG_FILE, a line each. Localhost only is connected to. Runs until it is killed.
"""

import base64
import os
import socket
import sys
import threading


def pump(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def read_header(client):
    header = b""
    while not header.endswith(b"\r\n\r\n"):
        byte = client.recv(1)
        if not byte or len(header) > 8192:
            return []
        header += byte
    return header.decode("latin-1").split("\r\n")


def answer(client, status):
    client.sendall(f"HTTP/1.1 {status}\r\nVia: test\r\n\r\n".encode("ascii"))


def serve(client, log, login):
    lines = read_header(client)
    if not lines:
        return
    print(lines[0], file=log, flush=True)
    words = lines[0].split(" ")
    if login and f"Proxy-Authorization: Basic {login}" not in lines:
        answer(client, "407 Proxy Authentication Required")
        return
    host, _, port = words[1].rpartition(":")
    if words[0] != "CONNECT" or host not in ("127.0.0.1", "localhost"):
        answer(client, "403 Forbidden by rule")
        return
    try:
        server = socket.create_connection((host, int(port)))
    except OSError:
        answer(client, "502 Bad Gateway")
        return
    answer(client, "200 Connection established")
    other = threading.Thread(target=pump, args=(server, client), daemon=True)
    other.start()
    pump(client, server)
    other.join()
    server.close()


def main():
    port_file, log_file = sys.argv[1:3]
    login = base64.b64encode(sys.argv[3].encode()).decode("ascii") if len(sys.argv) > 3 else None
    port = 0
    if os.path.exists(port_file):
        with open(port_file, encoding="ascii") as file:
            port = int(file.read())
    listener = socket.create_server(("127.0.0.1", port))
    with open(log_file, "a", encoding="utf-8") as log:
        print("listening", file=log, flush=True)
        with open(port_file + ".new", "w", encoding="ascii") as file:
            file.write(f"{listener.getsockname()[1]}\n")
        os.rename(port_file + ".new", port_file)
        while True:
            client = listener.accept()[0]

            def talk(client=client):
                with client:
                    serve(client, log, login)

            threading.Thread(target=talk, daemon=True).start()


main()
