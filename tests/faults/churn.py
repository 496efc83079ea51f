"""The workload of names: folders, files, links, renames, each with one true outcome.

Every name is new, and nobody else uses the folder: so EEXIST for what we make, ENOENT for what we have made, are lies,
and the judge takes them for such. They are what comes of an operation that is repeated when only its reply was lost.
"""

import os

class Round:
    """One folder's worth of operations. Once one has failed, nothing more is done with the names it was about."""

    def __init__(self, work, folder):
        self.work, self.oracle, self.folder = work, work.oracle, folder
        self.lost = False

    def path(self, name):
        return f"{self.folder}/{name}"

    def call(self, function, *arguments, **keywords):
        """False when it failed: its outcome is then unknown."""
        try:
            result = self.oracle.call(function, *arguments, **keywords)
            if function is os.open:
                self.oracle.call(os.close, result)  # which may be the first to tell
        except OSError:
            self.lost = True
            return False
        return True

    def make(self, kind, name, function, *arguments, target=None):
        self.oracle.say("unknown", path=self.path(name))
        if self.call(function, *arguments):
            self.oracle.say("there", path=self.path(name), type=kind, target=target)

    def full(self, name):
        return self.work.path(self.path(name))

    def move(self, old, new):
        self.oracle.say("unknown", path=self.path(old))
        self.oracle.say("unknown", path=self.path(new))
        self.oracle.say("either", paths=[self.path(old), self.path(new)])
        if self.call(os.rename, self.full(old), self.full(new)):
            self.oracle.say("absent", path=self.path(old))
            self.oracle.say("there", path=self.path(new), type="file", target=None)

    def remove(self, name, function):
        self.oracle.say("unknown", path=self.path(name))
        if self.call(function, self.full(name)):
            self.oracle.say("absent", path=self.path(name))

    def steps(self):
        exclusive = os.O_CREAT | os.O_EXCL | os.O_WRONLY
        yield lambda: self.make("folder", "sub", os.mkdir, self.full("sub"))
        yield lambda: self.make("file", "one", os.open, self.full("one"), exclusive)
        yield lambda: self.make("file", "two", os.open, self.full("two"), exclusive)
        yield lambda: self.make("file", "linked", os.link, self.full("one"), self.full("linked"))
        yield lambda: self.make("symlink", "pointer", os.symlink, "one", self.full("pointer"), target="one")
        yield lambda: self.move("two", "three")
        yield lambda: self.move("three", "sub/three")
        yield lambda: self.remove("linked", os.unlink)
        yield lambda: self.remove("pointer", os.unlink)
        yield lambda: self.make("folder", "empty", os.mkdir, self.full("empty"))
        yield lambda: self.remove("empty", os.rmdir)

    def run(self):
        self.oracle.say("unknown", path=self.folder)
        if not self.call(os.mkdir, self.work.path(self.folder)):
            return
        self.oracle.say("there", path=self.folder, type="folder", target=None)
        for step in self.steps():
            step()
            if self.lost:
                return


def churn(work):
    for number in work.items():
        one = Round(work, f"churn/{number}")
        one.run()
        if one.lost:
            work.rest()
