"""The peers under faults: clusterfs, and sshfs as its users set it up against them.

limit_to() says how long an outage the mount is asked to bear; deadline_s() is the most that any call may then take.
"""

import json
import re
import subprocess
import tempfile

import patience
import peers
from place import FAR_ADDRESS, run_quietly

OP_TIMEOUT_S = 10
SLACK_S = 15  # a busy machine; and the pauses between the two limits
ALIVE_INTERVAL_S, ALIVE_COUNT = 5, 2


class Limits:
    """What a mount is told, and must keep to."""

    reconnect_s = 30
    varied = ""
    more = ""  # options of the fault
    takes_over = False  # a mount point whose program has died

    def vary(self, _random):
        """What a mount may be told besides, by the seed."""

    def set_for(self, fault):
        """What the mount is told for a fault."""

    def knows(self, _place, _option):
        return False

    def limit_to(self, outage_s):
        self.reconnect_s = 30 + 2 * outage_s

    def deadline_s(self):
        """The most that any call may take."""
        return OP_TIMEOUT_S + self.reconnect_s + SLACK_S


class Clusterfs(Limits, peers.Clusterfs):
    durability = this_durability = "close"
    takes_over = True

    def vary(self, random):
        self.varied = random.choice(["", "cache_size=4M,dirty_limit=2M", "connections=3", "channels=1"])

    def set_for(self, fault):
        self.more, self.this_durability = fault.options, fault.durability or self.durability

    def knows(self, place, option):
        """A build may be older than the option."""
        super().command(place, place.mnt)  # writes the profile
        config = f"{place.sandbox}/{self.name}.conf"
        shown = run_quietly([self.program, "config", "show", "-c", config, "bench"], env=place.environment())
        return re.search(rf"^\W*{option} *=", shown, re.MULTILINE) is not None

    def command(self, place, path):
        self.options = f"op_timeout={OP_TIMEOUT_S}s,durability={self.this_durability},log_level=info"
        self.options += "".join("," + more for more in [self.varied, self.more] if more)
        if self.knows(place, "reconnect_timeout"):
            self.options += f",reconnect_timeout={self.reconnect_s}s"
        return super().command(place, path)

    def state(self, place, path):
        try:
            words = run_quietly([self.program, "status", "--json", path], env=place.environment(), timeout=20)
            return json.loads(words).get("state", "")
        except Exception as failure:  # it is shown to people only
            return str(failure)


class Openssh(Clusterfs):
    """The same with the connection in the hands of the user's ssh."""

    def vary(self, random):
        super().vary(random)
        self.varied = ",".join(filter(None, [self.varied, "transport=openssh", "ssh_command=ssh -F none"]))


class Sshfs(Limits, peers.Sshfs):
    durability = "close"

    def command(self, place, path):
        box = place.sandbox
        options = (f"IdentityFile={box}/user_key,UserKnownHostsFile={box}/known_hosts,StrictHostKeyChecking=yes,"
                   f"reconnect,ServerAliveInterval={ALIVE_INTERVAL_S},ServerAliveCountMax={ALIVE_COUNT}")
        return [self.program, "-F", "/dev/null", "-o", options, f"root@{FAR_ADDRESS}:{place.work}", path]

    def state(self, place, path):
        return ""


def known(build):
    program = build + "/src/clusterfs"
    return {"clusterfs": Clusterfs("clusterfs", program), "clusterfs-openssh": Openssh("clusterfs-openssh", program),
            "sshfs": Sshfs("sshfs", "sshfs")}


# "  path: what: why", as umount lists what is lost; and as the log tells each of it.
LOST_LINE = re.compile(r"^  (.+?): .*: [^:]+$", re.MULTILINE)
LOGGED_LINE = re.compile(r" error \w+\[\w+\]: (.+?): .*: [^:]+$", re.MULTILINE)
AND_MORE = re.compile(r"^  and \d+ more", re.MULTILINE)


def names_told(peer, place, said):
    """What umount has told to be lost. If it does not name all of it, the log does. A temporary file of rsync's stands
    for what it was to become."""
    named = set(LOST_LINE.findall(said or ""))
    if AND_MORE.search(said or ""):
        with open(f"{place.sandbox}/{peer.name}.log", encoding="utf-8", errors="replace") as log:
            named.update(LOGGED_LINE.findall(log.read()))
    named = {name.strip("/") for name in named}
    return named | {re.sub(r"(^|/)\.([^/]+)\.\w{6}$", r"\1\2", name) for name in named}


def unmount(peer, place, path, limit_s):
    """A sentence if it could not be unmounted as a user does it."""
    command = [peer.program, "umount", path] if peer.name.startswith("clusterfs") else ["umount", path]
    with tempfile.TemporaryFile("w+") as said:
        process = subprocess.Popen(command, env=place.environment(), stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        if not patience.wait(lambda: process.poll() is not None, limit_s):
            process.kill()
            return f"umount takes longer than {limit_s:.0f} s"
        said.seek(0)
        return said.read().strip() or f"umount ends with {process.returncode}" if process.returncode else None
