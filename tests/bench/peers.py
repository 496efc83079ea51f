"""The programs that are compared: clusterfs, sshfs and rclone, each with its own defaults, before the same sshd.

rclone needs one option to write as other programs expect, --vfs-cache-mode writes; it then uploads after close(),
which the figures show: see Run.wait_for_server. Its --vfs-write-back is 0, so that no pause of its own is measured.
"""

import json
import os
import shutil
import subprocess

from place import FAR_ADDRESS, Failure, mounted, run_quietly, wait_for


class Peer:
    def __init__(self, name, program, options=""):
        self.name, self.options = name, options
        self.program = program if os.path.isabs(program) else shutil.which(program)

    def missing(self):
        return None if self.program and os.access(self.program, os.X_OK) else f"{self.name}: the program is missing"

    def version(self):
        return run_quietly([self.program, "--version"]).split("\n")[0]

    def mount(self, place, path):
        if not mounted(path):  # a dead mount is no folder
            os.makedirs(path, exist_ok=True)
        command = place.link.near + self.command(place, path)
        log = f"{place.sandbox}/{self.name}.log"
        with open(log, "ab") as output:
            result = subprocess.run(command, env=place.environment(), stdin=subprocess.DEVNULL, stdout=output,
                                    stderr=output, timeout=120, check=False)
        if result.returncode or not mounted(path):
            with open(log, encoding="utf-8", errors="replace") as text:
                raise Failure(f"{self.name} cannot mount: {text.read().strip()[-1000:]}")

    def unmount(self, place, path):
        run_quietly(["umount", path], timeout=300)
        wait_for(lambda: not place.link.processes("near"), f"the end of {self.name}")

    def counters(self, place, path):
        return {}


class Clusterfs(Peer):
    def command(self, place, path):
        config = f"{place.sandbox}/{self.name}.conf"
        with open(os.open(config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as text:
            text.write(
                f"[bench]\nhost = {FAR_ADDRESS}\nuser = root\nremote_dir = {place.work}\nidentity_agent = none\n"
                f"identity_file = {place.sandbox}/user_key\nknown_hosts = {place.sandbox}/known_hosts\n"
                f"log_file = {place.sandbox}/{self.name}.log\n"
            )
        options = ["-o", self.options] if self.options else []
        return [self.program, "mount", "-c", config] + options + ["bench", path]

    def unmount(self, place, path):
        run_quietly([self.program, "umount", path], env=place.environment(), timeout=300)
        wait_for(lambda: not place.link.processes("near"), f"the end of {self.name}")

    def counters(self, place, path):
        status = json.loads(run_quietly([self.program, "status", "--json", path], env=place.environment()))
        return {"requests": status["counters"]["sftp_requests"]}


class Sshfs(Peer):
    def version(self):
        lines = run_quietly([self.program, "--version"]).splitlines()
        return next((line for line in lines if line.startswith("SSHFS")), lines[0])

    def command(self, place, path):
        box = place.sandbox
        options = f"IdentityFile={box}/user_key,UserKnownHostsFile={box}/known_hosts,StrictHostKeyChecking=yes"
        return [self.program, "-F", "/dev/null", "-o", options, f"root@{FAR_ADDRESS}:{place.work}", path]


class Rclone(Peer):
    def version(self):
        return run_quietly([self.program, "version"]).split("\n")[0]

    def command(self, place, path):
        box = place.sandbox
        with open(box + "/rclone.conf", "w", encoding="utf-8") as text:
            text.write(
                f"[bench]\ntype = sftp\nhost = {FAR_ADDRESS}\nuser = root\nkey_file = {box}/user_key\n"
                f"known_hosts_file = {box}/known_hosts\nshell_type = unix\n"
            )
        shutil.rmtree(box + "/rclone-cache", ignore_errors=True)  # cold
        return [self.program, "mount", "--config", box + "/rclone.conf", "--cache-dir", box + "/rclone-cache",
                "--daemon", "--vfs-cache-mode", "writes", "--vfs-write-back", "0s", "bench:" + place.work, path]


def known(clusterfs, variants):
    """All peers; VARIANTS are (name, options) of more mounts by clusterfs."""
    peers = [Clusterfs("clusterfs", clusterfs)]
    peers += [Clusterfs(name, clusterfs, options) for name, options in variants]
    return peers + [Sshfs("sshfs", "sshfs"), Rclone("rclone", "rclone")]
