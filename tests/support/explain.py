"""`bifrons explain --json` as objects."""
import json

from support.proxy import run


class Explained:
    def __init__(self, document):
        self.document = document

    def __getitem__(self, name):
        return self.document[name]

    def all(self, what):
        """The decisions of a kind, in order."""
        return [d for d in self["decisions"] if d["what"] == what]

    def subjects(self, what):
        return [d["subject"] for d in self.all(what)]

    def header(self, name):
        return next((v for n, v in self["headers"] if n.lower() == name.lower()), None)


def explain(config, url, *words, forward=False, room=None):
    """It must succeed and say nothing beside the document."""
    face = ["forward", "explain"] if forward else ["explain"]
    prefix = ["-p", room] if room else []
    done = run(*face, "-c", config, *prefix, "--json", *words, url)
    assert done.returncode == 0 and done.stderr == "", (done.returncode, done.stderr)
    return Explained(json.loads(done.stdout))
