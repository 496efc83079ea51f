#!/usr/bin/env python3
"""Runs a command on a pseudo-terminal of its own and answers its prompts, as a person would.

    on_terminal.py [ANSWER...] -- COMMAND...

Each time the output ends with ": " or "? " the next answer is typed, with the return key; a control character (Ctrl-C)
without. Prints what the terminal showed; exits with the command's exit code (124 when a prompt is left without an answer, or nothing happens for a minute).
"""

import os
import pty
import select
import signal
import sys

SILENCE = 60


def give_up(child, why):
    sys.stdout.write(f"\non_terminal.py: {why}\n")
    sys.stdout.flush()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    sys.exit(124)


def main():
    split = sys.argv.index("--")
    answers, command = sys.argv[1:split], sys.argv[split + 1 :]
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(command[0], command)
    shown = b""
    while True:
        if not select.select([terminal], [], [], SILENCE)[0]:
            give_up(child, "nothing happens")
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # EIO: nobody holds the terminal any more
            piece = b""
        if not piece:
            break
        sys.stdout.buffer.write(piece)
        sys.stdout.flush()
        shown += piece
        if shown.endswith((b": ", b"? ")):
            if not answers:
                give_up(child, "no answer is left for this prompt")
            answer = answers.pop(0)
            os.write(terminal, answer.encode() + (b"" if len(answer) == 1 and answer < " " else b"\n"))
            shown = b""
    status = os.waitpid(child, 0)[1]
    sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)


main()
