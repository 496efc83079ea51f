"""Where a benchmark happens, or a fault: a link between two network namespaces, an sshd at its far end, and folders in
memory.

All files, the server's and the local ones, lie on one tmpfs: the link is measured, not this machine's disk. The caller
must be in a mount namespace of its own, where no mount can stay behind. Everything else ends with close().
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time

FAR_ADDRESS = "192.0.2.2"
LIMIT_S = 60

# What TCP can carry at an MTU of 1500: 1448 bytes of data in a packet that takes 1538 bytes of Ethernet.
PAYLOAD_SHARE = 1448 / 1538


def payload_rate(rate_mbit):
    """Bytes a second that TCP can carry over the link."""
    return rate_mbit * 1e6 / 8 * PAYLOAD_SHARE


class Failure(Exception):
    """A sentence for whoever runs the benchmark."""


def wait_for(condition, what, limit_s=LIMIT_S):
    end = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > end:
            raise Failure(f"waited in vain for {what}")
        time.sleep(0.01)


def run_quietly(command, **options):
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **options)
    if result.returncode:
        raise Failure(f"{' '.join(command)}: exit code {result.returncode}: {result.stderr.strip()}")
    return result.stdout


def mounts():
    """All mount points; what is mounted there may be dead."""
    with open("/proc/self/mountinfo", encoding="utf-8") as lines:
        return [line.split()[4] for line in lines]


def mounted(path):
    return path in mounts()


def find_program(name):
    path = shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/local/sbin:/usr/sbin:/sbin")
    if not path:
        raise Failure(f"{name} is not installed")
    return path


class Link:
    """tests/bench/emulated_link.c, running."""

    def __init__(self, program, sandbox, round_trip_ms, rate_mbit):
        self.program, self.socket = program, sandbox + "/link"
        command = [program, "run", self.socket, f"round_trip_ms={round_trip_ms}", f"rate_mbit={rate_mbit}"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        wait_for(lambda: self.process.poll() is not None or self.answers(), "the emulated link")
        if self.process.poll() is not None:
            raise Failure("the emulated link does not start")
        status = self.status()
        self.near = ["nsenter", "--net=" + status["near"], "--"]
        self.far = ["nsenter", "--net=" + status["far"], "--"]
        self.namespaces = {}
        for name, prefix in [("near", self.near), ("far", self.far)]:
            self.namespaces[name] = run_quietly(prefix + ["readlink", "/proc/self/ns/net"]).strip()

    def answers(self):
        command = [self.program, "tell", self.socket, "status"]
        return os.path.exists(self.socket) and subprocess.run(command, capture_output=True, check=False).returncode == 0

    def status(self):
        lines = run_quietly([self.program, "tell", self.socket, "status"]).splitlines()
        return dict(line.split("=", 1) for line in lines)

    def bytes_carried(self):
        """(to the far end, from it), with all headers."""
        status = self.status()
        return int(status["out_bytes"]), int(status["in_bytes"])

    def processes(self, end):
        """Of all that runs at an end, which only we can have started: the namespace is ours."""
        found = []
        for name in os.listdir("/proc"):
            try:
                if name.isdigit() and os.readlink(f"/proc/{name}/ns/net") == self.namespaces[end]:
                    found.append(int(name))
            except OSError:
                pass
        return [pid for pid in found if pid != self.process.pid]

    def end_processes(self, end):
        for number in [signal.SIGTERM] * 200 + [signal.SIGKILL] * 200:
            left = self.processes(end)
            if not left:
                return
            for pid in left:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    pass
            time.sleep(0.02)

    def close(self):
        self.end_processes("near")
        self.end_processes("far")
        self.process.terminate()
        self.process.wait()


class Place:
    # Not the sftp-server program: else this machine's shell and its start-up files are measured, too.
    subsystem = "internal-sftp"
    sshd_options = ""  # more lines, which come first: sshd takes the first value of a keyword

    def __init__(self, link_program, round_trip_ms, rate_mbit):
        self.sandbox = tempfile.mkdtemp(prefix="cfs.", dir="/tmp")
        self.link = None
        self.round_trip_ms, self.rate_mbit = round_trip_ms, rate_mbit
        try:
            run_quietly(["mount", "-t", "tmpfs", "-o", "size=75%,mode=700", "tmpfs", self.sandbox])
            self.make_folders()
            self.link = Link(link_program, self.sandbox, round_trip_ms, rate_mbit)
            self.make_keys()
            self.start_sshd()
        except BaseException:
            self.close()
            raise

    def make_folders(self):
        self.work, self.local = self.sandbox + "/work", self.sandbox + "/local"
        for folder in [self.work, self.local, self.sandbox + "/home", self.sandbox + "/run"]:
            os.makedirs(folder, mode=0o700)

    def environment(self):
        kept = {key: os.environ[key] for key in ("PATH", "LANG", "LC_ALL") if key in os.environ}
        return {"PATH": os.defpath, **kept, "HOME": self.sandbox + "/home", "XDG_RUNTIME_DIR": self.sandbox + "/run",
                "XDG_STATE_HOME": self.sandbox + "/home/state", "TMPDIR": self.local}

    def make_keys(self):
        box = self.sandbox
        for key in ["host_key", "user_key"]:
            run_quietly(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", key, "-f", f"{box}/{key}"])
        shutil.copy(box + "/user_key.pub", box + "/authorized_keys")
        with open(box + "/host_key.pub", encoding="ascii") as file:
            key = file.read().split()[:2]
        with open(box + "/known_hosts", "w", encoding="ascii") as file:
            file.write(" ".join([FAR_ADDRESS] + key) + "\n")

    def write_sshd_config(self):
        box = self.sandbox
        with open(box + "/sshd_config", "w", encoding="utf-8") as config:
            config.write(
                f"{self.sshd_options}\n"
                f"Port 22\nListenAddress {FAR_ADDRESS}\nHostKey {box}/host_key\nPidFile none\nUseDNS no\nUsePAM no\n"
                f"AuthorizedKeysFile {box}/authorized_keys\nStrictModes no\nPermitRootLogin yes\n"
                f"PasswordAuthentication no\nKbdInteractiveAuthentication no\nMaxStartups 100:30:200\n"
                f"Subsystem sftp {self.subsystem}\n"
            )

    def start_sshd(self):
        """Once more is fine, when the one before has ended."""
        self.write_sshd_config()
        os.makedirs("/run/sshd", exist_ok=True)
        log = self.sandbox + "/sshd.log"
        with open(log, "ab") as output:
            said_before = output.tell()
            command = self.link.far + [find_program("sshd"), "-D", "-e", "-f", self.sandbox + "/sshd_config"]
            self.sshd = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=output)

        def said():
            with open(log, encoding="utf-8", errors="replace") as lines:
                lines.seek(said_before)
                return lines.read()

        wait_for(lambda: "Server listening" in said() or self.sshd.poll() is not None, "sshd")
        if self.sshd.poll() is not None:
            raise Failure("sshd does not start: " + said())

    def close(self):
        if self.link:
            self.link.close()
        for mountpoint in reversed([path for path in mounts() if path.startswith(self.sandbox)]):
            subprocess.run(["umount", "-l", mountpoint], check=False)
        shutil.rmtree(self.sandbox, ignore_errors=True)
