"""The server that things happen to: an sshd behind a link (tests/bench/place.py), with all that can go wrong there.

The exported folder lies on a small file system of its own, so that it can be filled. sshd's SFTP servers are programs
of their own, so that they can be killed alone. For each thing that is
done there is one that takes it back.
"""

import glob
import os
import shutil
import signal
import subprocess

from place import Place, find_program, run_quietly, wait_for

DISK_MB = 2048
SUPPRESSED_LEAKS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + "/lib/lsan.supp"
SFTP_SERVERS = ["/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server", "/usr/lib/ssh/sftp-server"]


def name_of(pid):
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8") as text:
            return text.read().strip()
    except OSError:
        return ""


def signal_all(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def compile_library(name, library):
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    run_quietly([find_program("cc"), "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"])


class Device(Place):
    def __init__(self, link_program, round_trip_ms, rate_mbit, fault):
        self.subsystem = next((path for path in SFTP_SERVERS if os.access(path, os.X_OK)), "internal-sftp")
        self.has_quota, self.disk_kind = fault.quota, fault.disk
        # bash reads the user's start-up files when sshd runs it; we must not kill what they start in the middle of it.
        self.sshd_options = f"SetEnv SHLVL=2 HOME=/nonexistent\n{fault.sshd}"
        self.clock = None
        super().__init__(link_program, round_trip_ms, rate_mbit)

    def make_folders(self):
        """The disk; and where mounts are made: nobody can write there when a mount is gone."""
        super().make_folders()
        os.rmdir(self.work)
        self.disk, below = self.sandbox + "/disk", self.sandbox + "/mounts"
        self.mnt, self.second = below + "/mnt", below + "/second"
        self.work = self.disk + "/work"
        os.mkdir(self.disk)
        self.make_disk()
        if self.has_quota:
            self.make_quota()
        os.mkdir(below)
        run_quietly(["mount", "-t", "tmpfs", "-o", "size=1m,mode=755", "tmpfs", below])
        for folder in [self.work, self.mnt, self.second]:
            os.mkdir(folder)
        run_quietly(["mount", "-o", "remount,ro", below])

    def make_disk(self):
        if self.disk_kind == "tmpfs":
            run_quietly(["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=755", "tmpfs", self.disk])
            return
        image = self.sandbox + "/image"
        with open(image, "wb") as file:
            file.truncate(DISK_MB << 20)
        run_quietly(["mkfs." + self.disk_kind, "-q", "-F", image])
        self.mount_disk()

    def mount_disk(self):
        run_quietly(["mount", "-t", self.disk_kind, "-o", "loop,errors=remount-ro", self.sandbox + "/image", self.disk])

    # --- sshd and its children ---

    def sftp_servers(self):
        return [pid for pid in self.sessions() if name_of(pid) == "sftp-server"]

    def sessions(self):
        """All processes that serve us; those of an sshd that has ended, too."""
        return [pid for pid in self.link.processes("far") if pid != self.sshd.pid]

    def kill_sessions(self):
        signal_all(self.sessions(), signal.SIGKILL)

    def kill_sftp_servers(self):
        signal_all(self.sftp_servers(), signal.SIGKILL)

    def stop_sessions(self):
        signal_all(self.sessions(), signal.SIGSTOP)

    def continue_sessions(self):
        signal_all(self.sessions(), signal.SIGCONT)

    def stop_sshd(self):
        """The listener, with everything below it."""
        self.sshd.kill()
        self.sshd.wait()
        self.kill_sessions()

    def restart_sshd(self):
        if self.sshd.poll() is None:
            self.stop_sshd()
        self.start_sshd()

    # --- the link ---

    def tell_link(self, *command):
        run_quietly([self.link.program, "tell", self.link.socket, *command])

    def cut(self):
        self.tell_link("cut")

    def restore(self):
        self.tell_link("restore")

    def lose_packets(self, percent):
        self.tell_link("set", f"loss_percent={percent}")

    def reset_connections(self):
        """The server's kernel gives its connections up and sends RST, in the middle of whatever they carry."""
        run_quietly(self.link.far + [find_program("ss"), "-K", "state", "established"])

    # --- who we are, and who it is ---

    def change_host_key(self):
        os.rename(self.sandbox + "/host_key", self.sandbox + "/host_key.old")
        run_quietly(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "new", "-f", self.sandbox + "/host_key"])

    def bring_host_key_back(self):
        os.replace(self.sandbox + "/host_key.old", self.sandbox + "/host_key")

    def lock_out(self):
        os.rename(self.sandbox + "/authorized_keys", self.sandbox + "/authorized_keys.away")

    def let_in(self):
        os.rename(self.sandbox + "/authorized_keys.away", self.sandbox + "/authorized_keys")

    # --- the disk ---

    def fill_disk(self):
        """Nothing is left of it. What programs free meanwhile is left."""
        filler = os.open(self.disk + "/filler", os.O_WRONLY | os.O_CREAT, 0o600)
        state = os.fstatvfs(filler)
        size, start = state.f_bavail * state.f_frsize, os.fstat(filler).st_size
        while size > 0:
            try:
                os.posix_fallocate(filler, start, size)
                start += size
            except OSError:
                size //= 2
            if size < 4096:
                break
        os.close(filler)

    def empty_disk(self):
        os.unlink(self.disk + "/filler")

    def make_read_only(self):
        """For everything that is opened from now on. (What has open files cannot be made so: it is done aside.)"""
        aside = self.sandbox + "/read-only"
        os.makedirs(aside, exist_ok=True)
        run_quietly(["mount", "--bind", self.work, aside])
        run_quietly(["mount", "-o", "remount,bind,ro", aside])
        run_quietly(["mount", "--move", aside, self.work])

    def make_writable(self):
        run_quietly(["umount", "-l", self.work])

    def fail_disk(self):
        """The server's kernel finds an error on it, and makes it read-only, under all that is open for writing. What
        was written before is there: the disk stands still while it happens."""
        with open("/proc/self/mountinfo", encoding="utf-8") as lines:
            source = next(line.split()[-2] for line in lines if line.split()[4] == self.disk)
        run_quietly(["fsfreeze", "-f", self.disk])
        try:
            with open(f"/sys/fs/ext4/{os.path.basename(source)}/trigger_fs_error", "w", encoding="ascii") as trigger:
                trigger.write("1")
        finally:
            run_quietly(["fsfreeze", "-u", self.disk])

    def repair_disk(self):
        """As an administrator does it: nobody uses it meanwhile."""
        self.stop_sshd()
        wait_for(lambda: not self.sessions(), "the end of sshd's sessions")
        run_quietly(["umount", self.disk])
        self.mount_disk()
        self.start_sshd()

    def make_quota(self):
        library, self.quota = self.sandbox + "/quota.so", self.sandbox + "/quota-is-used-up"
        compile_library("quota.c", library)
        self.subsystem = f"/usr/bin/env LD_PRELOAD={library} QUOTA_FILE={self.quota} {self.subsystem}"

    def use_up_quota(self):
        with open(self.quota, "w", encoding="ascii"):
            pass

    def raise_quota(self):
        os.unlink(self.quota)

    def take_folder_away(self):
        os.rename(self.work, self.work + ".away")

    def replace_folder(self):
        self.take_folder_away()
        os.mkdir(self.work)

    def bring_folder_back(self):
        """With what was written to the other one, which had its name: it was acknowledged."""
        other = self.work + ".other"
        if os.path.exists(self.work):
            os.rename(self.work, other)
        os.rename(self.work + ".away", self.work)
        if os.path.exists(other):
            run_quietly(["cp", "-a", "--no-clobber", other + "/.", self.work])

    # --- the local clock: that of the program behind the mount ---

    def make_clock(self):
        self.clock = self.local + "/clock_jump.so"
        compile_library("clock_jump.c", self.clock)
        self.set_clock(0)

    def set_clock(self, offset_s, slept_s=0):
        with open(self.local + "/clock.new", "w", encoding="ascii") as file:
            file.write(f"{offset_s} {slept_s}")
        os.rename(self.local + "/clock.new", self.local + "/clock")

    def environment(self):
        """Of the program behind the mount. Sanitizers that it was built with write their reports where we find them."""
        more = {"LD_PRELOAD": self.clock, "CLOCK_JUMP_FILE": self.local + "/clock"} if self.clock else {}
        where = f"log_path={self.sandbox}/report"
        return {**super().environment(), **more, "ASAN_OPTIONS": "detect_leaks=1:" + where,
                "LSAN_OPTIONS": f"suppressions={SUPPRESSED_LEAKS}:print_suppressions=0",
                "UBSAN_OPTIONS": "print_stacktrace=1:" + where, "TSAN_OPTIONS": where}

    def reports(self):
        """What sanitizers have found since the last time."""
        found = []
        for path in glob.glob(self.sandbox + "/report.*"):
            with open(path, encoding="utf-8", errors="replace") as text:
                found.append(text.read())
            os.unlink(path)
        return found

    # --- before and after ---

    def is_quiet(self):
        return not self.sessions()

    def settle(self):
        """All that was sent is done: sessions without a client come to their end by themselves, or are ended."""
        self.continue_sessions()
        try:
            wait_for(self.is_quiet, "the end of sshd's sessions", 5)
        except Exception:
            self.kill_sessions()
            wait_for(self.is_quiet, "the end of sshd's sessions")

    def clear(self):
        for name in os.listdir(self.disk):
            path = os.path.join(self.disk, name)
            if os.path.isdir(path):
                shutil.rmtree(path)
            else:
                os.unlink(path)
        os.mkdir(self.work)

    def close(self):
        if self.link:
            self.continue_sessions()
            subprocess.run([self.link.program, "tell", self.link.socket, "restore"], capture_output=True, check=False)
        super().close()
