"""The faults: one entry a fault of FAULTS, at the end. `strike` does it to a trial, and takes it back before it
returns.

A fault that is a `pause` must not be seen by programs at all: they wait until it is over. Of the others they may be
told, by the errnos of judge.SENSIBLE and those of the fault. What was acknowledged must be there in any case.
"""

import errno
import time

import machine
import scenes
from device import Device


class Fault:
    def __init__(self, name, title, strike, pause=True, outage_s=0, errors=(), sshd="", needs="", final=False,
                 long=False, clock=None, quota=False, disk="tmpfs", option=None, options="", durability=None,
                 believed=None, keeps_attributes=True):
        """OUTAGE_S: how long the server is away at most. SSHD: lines for its configuration, from the start on. FINAL:
        the mount need not be of use afterwards. NEEDS: programs without which it cannot be done. LONG: not by default.
        CLOCK: the peer's clock can be set; "must", or "may" where that is possible. QUOTA: the server's user has one.
        DISK: the file system of the server. OPTION: one without which the peer cannot be tried; OPTIONS, DURABILITY:
        what clusterfs is told. BELIEVED: which durability it is judged by, if it is another one. KEEPS_ATTRIBUTES:
        modes and times that were set are there, unless the end of the mount tells otherwise."""
        self.name, self.title, self.strike, self.pause, self.outage_s = name, title, strike, pause, outage_s
        self.errors, self.sshd, self.needs, self.final, self.long = set(errors), sshd, needs, final, long
        self.clock, self.quota, self.disk = clock, quota, disk
        self.option, self.options, self.durability, self.believed = option, options, durability, believed
        self.keeps_attributes = keeps_attributes


def wait(seconds):
    """For the harness itself, and for what is in sshd's configuration."""
    return lambda _trial: time.sleep(seconds)


def again(times, action):
    """TIMES strikes, a moment apart."""
    def strike(trial):
        for _ in range(times):
            action(trial.device)
            time.sleep(trial.random.uniform(0.5, 4))
    return strike


def for_a_while(seconds, begin, end):
    def strike(trial):
        begin(trial.device)
        try:
            time.sleep(seconds)
        finally:
            end(trial.device)
    return strike


def down(seconds, meanwhile=lambda device: None, back=lambda device: None):
    """The whole sshd, with its sessions, and its start SECONDS later. MEANWHILE something is done to it, BACK undoes
    it."""
    def begin(device):
        device.stop_sshd()
        meanwhile(device)

    def end(device):
        back(device)
        device.start_sshd()

    return for_a_while(seconds, begin, end)


def cut(seconds):
    return for_a_while(seconds, Device.cut, Device.restore)


def stopped(seconds):
    return for_a_while(seconds, Device.stop_sessions, Device.continue_sessions)


def other_machine(seconds, change, back):
    """sshd is away for a moment, and another one until SECONDS are over."""
    def begin(device):
        device.stop_sshd()
        change(device)
        device.start_sshd()

    def end(device):
        device.stop_sshd()
        back(device)
        device.start_sshd()

    return for_a_while(seconds, begin, end)


def folder(change):
    """While the sessions are away; and back after five seconds."""
    def begin(device):
        device.cut()
        device.kill_sessions()
        change(device)
        device.restore()

    return for_a_while(5, begin, Device.bring_folder_back)


def daemon_killed(trial):
    """The program behind the mount, with whatever it had not sent; the user mounts again."""
    trial.kill_peer()
    time.sleep(1)
    trial.mount_again()


def clock(trial):
    """Of the program behind the mount alone: forward, back, and right again."""
    for hours in [3, -5, 0]:
        trial.device.set_clock(hours * 3600)
        time.sleep(2)


FAULTS = [
    Fault("none", "no fault", wait(3)),
    Fault("kill-session", "sshd's children that serve us killed, three times", again(3, Device.kill_sessions)),
    Fault("kill-sftp", "sftp-server killed, three times", again(3, Device.kill_sftp_servers)),
    Fault("sshd-0", "all of sshd killed and started again, at once", down(0)),
    Fault("sshd-5", "all of sshd killed and started again after 5 s", down(5), outage_s=5),
    Fault("sshd-60", "all of sshd killed and started again after 60 s", down(60), outage_s=60, long=True),
    Fault("cut-0.1", "the link cut for 0.1 s", cut(0.1), outage_s=0.1),
    Fault("cut-1", "the link cut for 1 s", cut(1), outage_s=1),
    Fault("cut-10", "the link cut for 10 s", cut(10), outage_s=10),
    Fault("cut-90", "the link cut for 90 s", cut(90), outage_s=90, long=True),
    Fault("reset", "RST in the middle of packets, three times", again(3, Device.reset_connections), needs="ss"),
    Fault("stop-3", "the server stopped for 3 s", stopped(3), outage_s=3),
    Fault("stop-30", "the server stopped for 30 s", stopped(30), outage_s=30),
    Fault("loss", "5% of the packets lost, 15 s", for_a_while(15, lambda device: device.lose_packets(5),
                                                              lambda device: device.lose_packets(0))),
    Fault("host-key", "a new host key for 5 s", other_machine(5, Device.change_host_key, Device.bring_host_key_back),
          pause=False, outage_s=5, final=True),
    Fault("locked-out", "our key is not let in any more for 5 s", other_machine(5, Device.lock_out, Device.let_in),
          pause=False, outage_s=5, final=True),
    Fault("folder-away", "the work folder away for 5 s, sessions killed", folder(Device.take_folder_away), pause=False,
          outage_s=5, errors=[errno.ENOENT]),
    Fault("folder-other", "another work folder for 5 s, sessions killed", folder(Device.replace_folder), pause=False,
          outage_s=5, errors=[errno.ENOENT]),
    Fault("max-sessions", "MaxSessions 1, and sessions killed", again(2, Device.kill_sessions), sshd="MaxSessions 1"),
    Fault("max-startups", "MaxStartups 1:60:3, and sessions killed", again(2, Device.kill_sessions),
          sshd="MaxStartups 1:60:3"),
    Fault("rekey", "RekeyLimit 1M, 10 s", wait(10), sshd="RekeyLimit 1M"),
    Fault("disk-full", "the disk full for 3 s", for_a_while(3, Device.fill_disk, Device.empty_disk), pause=False,
          errors=[errno.ENOSPC, errno.EDQUOT]),
    Fault("read-only", "the folder read-only for 3 s", for_a_while(3, Device.make_read_only, Device.make_writable),
          pause=False, errors=[errno.EROFS, errno.EPERM, errno.EACCES]),
    Fault("quota", "the quota used up for 3 s", for_a_while(3, Device.use_up_quota, Device.raise_quota), pause=False,
          errors=[errno.ENOSPC, errno.EDQUOT], needs="cc", quota=True),
    # What statvfs tells of such a disk is that there is room: since Linux 6.15 not that it is read-only.
    Fault("remount-ro", "the disk read-only for 3 s, under open files; and repaired",
          for_a_while(3, Device.fail_disk, Device.repair_disk), pause=False, outage_s=3, disk="ext4",
          errors=[errno.EROFS, errno.EPERM, errno.EACCES], needs="mkfs.ext4 fsfreeze"),
    Fault("changed-read", "files that are read changed by others, sessions killed", scenes.changed(False), outage_s=1),
    Fault("changed-dirty", "files changed by others under what was written, sessions killed", scenes.changed(True),
          outage_s=2),
    Fault("changed-dirty-copy", "the same, with conflict = copy", scenes.changed(True, copies=True), outage_s=2,
          option="conflict", options="conflict=copy"),
    Fault("sleep", "this machine asleep for 20 s, sessions killed meanwhile", machine.sleep(20), outage_s=25,
          clock="may"),
    Fault("no-network", "ls, cat, df without a network for 25 s, and Ctrl-C", scenes.interactive(25), outage_s=25),
    Fault("mounts", "20 mounts and unmounts beside", scenes.many_mounts(20)),
    Fault("mounts-200", "200 mounts and unmounts beside", scenes.many_mounts(200), long=True),
    Fault("clock", "the local clock jumps by hours", clock, needs="cc", clock="must"),
    Fault("daemon", "the program behind the mount killed, and mounted again", daemon_killed, pause=False,
          errors=[errno.ENOENT, errno.EROFS], keeps_attributes=False),
    Fault("daemon-dirty", "the program behind the mount killed with dirty data, and mounted again",
          machine.daemon_killed_dirty, pause=False, errors=[errno.ENOENT, errno.EROFS], option="journal",
          durability="fsync", believed="journal", keeps_attributes=False),
    Fault("drain-cut", "the mount ended while the link is cut, with dirty data", machine.drain_cut(False), pause=False,
          outage_s=10, errors=[errno.EROFS, errno.ENOENT], option="drain_timeout", options="drain_timeout=5s",
          durability="fsync", believed="close"),
    Fault("drain-force", "the same, by force", machine.drain_cut(True), pause=False, outage_s=10,
          errors=[errno.EROFS, errno.ENOENT], option="drain_timeout", durability="fsync", believed="close"),
]
