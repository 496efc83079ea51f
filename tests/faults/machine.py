"""Faults of this machine, and of what its user does: it sleeps, the program behind the mount dies with data that the
server has not got, the mount is ended while the link is cut.
"""

import os
import signal
import subprocess
import time

import mounts
import patience
import watch
from device import signal_all
from place import Failure, wait_for

UMOUNT_LOST = 24
SLEPT_S = 3600  # as the clock tells, where it can be set


def programs_of(trial):
    """All processes of the workloads."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return [pid for pid in pids if watch.session_of(pid) in trial.sessions]


def sleep(seconds):
    """The lid is shut: nobody here runs, the network is gone, and the server ends the sessions meanwhile."""
    def strike(trial):
        device = trial.device
        asleep = device.link.processes("near") + programs_of(trial)
        signal_all(asleep, signal.SIGSTOP)
        try:
            device.cut()
            time.sleep(seconds / 2)
            device.kill_sessions()
            time.sleep(seconds / 2)
            if device.clock:
                device.set_clock(SLEPT_S, SLEPT_S)
        finally:
            device.restore()
            signal_all(asleep, signal.SIGCONT)
    return strike


def start_leaver(trial):
    """Who leaves much behind, when it is at work."""
    leaver = trial.start_worker("leaver")
    wait_for(lambda: any(line["kind"] == "acked" for line in leaver.lines()), "the first files that are left")


def daemon_killed_dirty(trial):
    """The server stands still, so that nothing of what is written now reaches it; then the program behind the mount is
    killed, the server goes on, and the user mounts again."""
    start_leaver(trial)
    trial.device.stop_sessions()
    try:
        time.sleep(trial.random.uniform(1, 3))
        trial.kill_peer()
    finally:
        trial.device.continue_sessions()
    trial.mount_again()


def end_workloads(trial):
    """By SIGKILL: what they were told counts, and nothing else comes."""
    for worker in trial.workers:
        worker.end_at_once()
    if not patience.wait(lambda: all(worker.process.poll() is not None for worker in trial.workers), 30):
        trial.verdict.hangs.append("a workload does not end by SIGKILL")


def drain_cut(force):
    """The link is cut under what is written with durability = fsync, and the mount is ended: it tells what is lost."""
    def strike(trial):
        start_leaver(trial)
        trial.device.cut()
        try:
            time.sleep(trial.random.uniform(1, 3))
            end_workloads(trial)
            said, code = umount(trial, force)
        finally:
            trial.device.restore()
        if code not in (0, UMOUNT_LOST):
            trial.verdict.wrong.append(f"umount ends with {code}: {said[:500]}")
        if code == 0 and said.strip():
            trial.verdict.wrong.append(f"umount ends with 0, and says: {said[:500]}")
        trial.forgiven = mounts.names_told(trial.peer, trial.device, said)
        wait_for(lambda: not trial.device.link.processes("near"), "the end of the program behind the mount")
        trial.outcome.notes.append(f"umount ended with {code}, told {len(trial.forgiven)} names")
        trial.mount()
    return strike


def umount(trial, force):
    command = [trial.peer.program, "umount"] + (["--force"] if force else []) + [trial.mnt]
    limit_s = trial.peer.deadline_s() + mounts.SLACK_S
    try:
        result = subprocess.run(command, env=trial.device.environment(), stdin=subprocess.DEVNULL, capture_output=True,
                                text=True, errors="replace", timeout=limit_s, check=False)
    except subprocess.TimeoutExpired as expired:
        raise Failure(f"umount takes longer than {limit_s:.0f} s") from expired
    return result.stderr, result.returncode
