#!/usr/bin/env python3
"""An agent for systemd-ask-password(1), as systemd.io/PASSWORD_AGENTS describes it: answers every question.

    password_agent.py ANSWER QUESTIONS

Each question is added to the file QUESTIONS, as it is. An empty ANSWER gives up. Makes the file "agent" in the folder of the
questions when it is ready.
"""

import configparser
import os
import socket
import sys
import time

FOLDER = "/run/systemd/ask-password"


def take(path, answer, log):
    question = configparser.ConfigParser(interpolation=None, strict=False)
    question.optionxform = str
    try:
        with open(path, encoding="utf-8") as file:
            question.read_file(file)
    except FileNotFoundError:  # it was answered meanwhile
        return
    ask = question["Ask"]
    with open(log, "a", encoding="utf-8") as file:
        file.write(ask["Message"] + "\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        to.sendto(b"+" + answer.encode() if answer else b"-", ask["Socket"])


def main():
    answer, log = sys.argv[1:]
    seen = set()
    with open(os.path.join(FOLDER, "agent"), "w", encoding="utf-8"):
        pass
    while True:
        for name in sorted(os.listdir(FOLDER)):
            if name.startswith("ask.") and name not in seen:
                seen.add(name)
                take(os.path.join(FOLDER, name), answer, log)
        time.sleep(0.05)


main()
