"""One fault, once, for one peer: mount, let all workloads run, strike, mend, look whether the mount can be used again,
stop, unmount, judge. Everything that it starts ends with it.
"""

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import judge
import mounts
import oracle
import patience
import programs
import scenes
import watch
import workloads
from place import Failure, mounts as mount_points, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
WARM_UP_LIMIT_S = 60
LOOK_AT_STATE_S = 5
AFTER_S = 3  # how long everything runs on when the fault is over


class Outcome:
    """What a trial has shown."""

    def __init__(self, fault, peer, seed):
        self.fault, self.peer, self.seed = fault, peer, seed
        self.verdict = judge.Verdict()
        self.recovered_s = None  # after the end of the fault
        self.notes = []

    def safe(self):
        return self.verdict.safe()

    def survived(self):
        """As well as it is meant to be."""
        if not self.safe() or (self.recovered_s is None and not self.fault.final):
            return False
        return not self.verdict.errors if self.fault.pause else True


class Worker:
    """A workload, running; its session is its own, so that all of it can be ended."""

    def __init__(self, trial, name):
        self.name, self.ended_by_us = name, False
        self.oracle = f"{trial.folder}/{name}.oracle"
        command = [sys.executable, "-B", HERE + "/workloads.py", name, trial.mnt, self.oracle, str(trial.seed),
                   trial.stop, trial.local]
        with open(f"{trial.folder}/{name}.log", "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True, cwd="/")
        trial.sessions[self.process.pid] = name

    def lines(self):
        return oracle.read(self.oracle) if os.path.exists(self.oracle) else []

    def began(self):
        return bool(self.lines()) or self.process.poll() is not None

    def wait(self, limit_s):
        """False if it does not end by itself."""
        return patience.wait(lambda: self.process.poll() is not None, limit_s)

    def end_at_once(self):
        """As part of a fault."""
        self.ended_by_us = True
        self.kill()

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


class Trial:
    def __init__(self, device, peer, fault, seed, names):
        self.device, self.peer, self.fault, self.seed, self.names = device, peer, fault, seed, names
        self.random = random.Random(f"{fault.name}/{seed}")
        self.mnt, self.second = device.mnt, device.second  # a fault may want another mount
        self.folder = device.sandbox + "/trial"
        self.local, self.stop = device.local, self.folder + "/stop"
        self.sessions, self.workers, self.started = {}, [], []
        self.outcome = Outcome(fault, peer, seed)
        self.verdict = self.outcome.verdict
        self.forgiven = set()  # names that the mount has told to be lost
        self.untrue = set()  # those of which it has told so at its very end: their modes and times may be others
        self.believed = fault.believed or fault.durability or peer.durability

    # --- before ---

    def prepare(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        os.mkdir(self.folder)
        self.device.clear()
        for name in list(workloads.WORKLOADS) + ["prober"]:
            os.mkdir(f"{self.device.work}/{name}")
        for number in range(workloads.KNOWN_FILES):
            with open(f"{self.device.work}/{workloads.known_name(number)}", "wb") as file:
                file.write(workloads.known_content(number))
        scenes.prepare(self.device.work)
        if not os.path.exists(self.local + "/tree"):
            programs.make_tree(self.local + "/tree")

    def start(self):
        self.watch = watch.Watch(self.sessions)
        self.peer.limit_to(self.fault.outage_s)
        self.peer.set_for(self.fault)
        self.peer.vary(random.Random(f"mount/{self.seed}"))
        self.mount()
        self.workers = [Worker(self, name) for name in self.names]
        wait_for(lambda: all(worker.began() for worker in self.workers), "all workloads", WARM_UP_LIMIT_S)
        time.sleep(self.random.uniform(3, 6))  # somewhere in the middle of things

    def mount(self):
        """Once more if this machine stood still meanwhile."""
        try:
            self.peer.mount(self.device, self.mnt)
        except Failure:
            if not self.watch.pauses:
                raise
            self.peer.mount(self.device, self.mnt)

    # --- what a fault may do besides ---

    def start_worker(self, name):
        self.workers.append(Worker(self, name))
        return self.workers[-1]

    def kill_peer(self):
        for pid in self.device.link.processes("near"):
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not self.device.link.processes("near"), "the end of the killed program")
        wait_for(self.is_dead, "the end of its mount")  # which comes with its last thread

    def is_dead(self):
        try:
            os.statvfs(self.mnt)
        except OSError as error:
            return error.errno in (errno.ENOTCONN, errno.ECONNABORTED)
        return False

    def mount_again(self):
        """As a user does it, whose mount is dead."""
        if not self.peer.takes_over:
            subprocess.run(["umount", "-l", self.mnt], check=False)
        self.peer.mount(self.device, self.mnt)

    def unmount_quietly(self, path):
        said = mounts.unmount(self.peer, self.device, path, self.peer.deadline_s())
        if said:
            raise Failure(said)

    # --- after ---

    def probe(self):
        """How long it takes until the mount can be used again."""
        began = time.monotonic()
        prober = self.start_worker("prober")
        # A connection that is lost for good need not be waited for.
        while not prober.wait(LOOK_AT_STATE_S) and self.peer.state(self.device, self.mnt) != "lost":
            if time.monotonic() - began > self.peer.deadline_s():
                break
        if prober.process.poll() == 0:
            self.outcome.recovered_s = time.monotonic() - began
        else:
            self.outcome.notes.append("not of use afterwards" + self.peer_state())

    def peer_state(self):
        state = self.peer.state(self.device, self.mnt)
        return f" (state: {state})" if state else ""

    def finish(self):
        """All workloads end, by themselves if they can."""
        with open(self.stop, "w", encoding="ascii"):
            pass
        limit = self.peer.deadline_s() + mounts.SLACK_S
        patience.wait(lambda: all(worker.process.poll() is not None for worker in self.workers), limit)
        stuck = [worker for worker in self.workers if worker.process.poll() is None]
        for worker in stuck:
            worker.kill()
        for worker in stuck:
            gone = worker.wait(5)
            self.verdict.hangs.append(f"{worker.name} does not end" + ("" if gone else ", not even by SIGKILL"))
        for worker in self.workers:
            if worker not in stuck and worker.process.returncode and not worker.ended_by_us:
                self.verdict.wrong.append(f"{worker.name} ended with {worker.process.returncode}, see its log")
        self.end_started()
        self.watch.close()

    def unmount(self):
        if not self.device.link.processes("near"):
            self.verdict.wrong.append(f"{self.peer.name} is not there any more")
        said = mounts.unmount(self.peer, self.device, self.mnt, self.peer.deadline_s() + mounts.SLACK_S)
        if said:
            self.outcome.notes.append(said[:300])
            self.untrue = mounts.names_told(self.peer, self.device, said)

    def end_started(self):
        """What a scene has started."""
        for process in self.started:
            process.kill()
        # One may hang in the mount, which has been noted.
        patience.wait(lambda: all(process.poll() is not None for process in self.started), 5)

    def end_all(self):
        """Whatever the state of things: also after a failure."""
        for worker in self.workers:
            worker.kill()
        self.end_started()
        self.device.link.end_processes("near")
        for path in [path for path in mount_points() if path in (self.mnt, self.second)]:
            subprocess.run(["umount", "-l", path], check=False)
        for worker in self.workers:
            worker.wait(30)

    # --- the verdict ---

    def judge_waits(self, worker):
        deadline = self.peer.deadline_s()
        for seconds, program, number in self.watch.waits_of(worker.name):
            self.verdict.longest_s = max(self.verdict.longest_s, seconds)
            own = any("took" in hang for hang in self.verdict.hangs) and "workloads.py" in program
            if seconds > deadline and not own:
                self.verdict.hangs.append(f"{worker.name}: {program}: system call {number} waited for {seconds:.0f} s")

    def judge(self):
        self.device.settle()
        self.verdict.wrong += [report[:3000] for report in self.device.reports()]
        stood = sum(end - begin for begin, end in self.watch.pauses)
        if stood:
            self.outcome.notes.append(f"this machine stood still for {stood:.0f} s, which may have been too long")
        told = judge.Told(self.forgiven, self.untrue, self.fault.keeps_attributes)
        for worker in self.workers:
            judge.judge(worker.lines(), self.device.work, self.local, self.believed, self.peer.deadline_s(),
                        self.fault.errors, self.verdict, self.watch.pauses, told)
            self.judge_waits(worker)

    def run(self):
        self.prepare()
        try:
            self.start()
            self.fault.strike(self)
            self.probe()
            time.sleep(AFTER_S)
            self.finish()
            self.unmount()
        except (Failure, OSError, subprocess.SubprocessError) as failure:
            self.outcome.notes.append(f"FAILED: {failure}")
            self.verdict.wrong.append(str(failure))
        finally:
            self.end_all()
        self.judge()
        return self.outcome

    def keep(self, folder):
        """Logs and oracles, for whoever wants to know why."""
        where = f"{folder}/{self.peer.name}-{self.fault.name}-{self.seed}"
        shutil.rmtree(where, ignore_errors=True)
        shutil.copytree(self.folder, where)
        for log in [f"{self.peer.name}.log", "sshd.log"]:
            if os.path.exists(f"{self.device.sandbox}/{log}"):
                shutil.copy(f"{self.device.sandbox}/{log}", where)
        return where
