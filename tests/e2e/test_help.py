"""The help of every subcommand shows how it is called."""

import os
import re
import subprocess


def help_of(*words):
    done = subprocess.run([os.environ["SKIRMISH_BIN"], *words, "--help"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


def subcommands(text):
    found = re.search(r"^Subcommands:\n((?:  .*\n)+)", text, re.MULTILINE)
    return re.findall(r"^  (\S+)", found[1], re.MULTILINE) if found else []


def commands(*words):
    for name in subcommands(help_of(*words)):
        yield (*words, name)
        yield from commands(*words, name)


def test_every_subcommand_has_an_example():
    every = list(commands())
    assert {("worker",), ("beat",), ("check",), ("key",), ("migrate",), ("task", "call"),
            ("task", "deadletter", "requeue"), ("bench", "tasks")} <= set(every)
    without = [" ".join(words) for words in every
               if f"skirmish {' '.join(words)}" not in help_of(*words).lower().partition("examples:")[2]]
    assert not without, without


def test_a_worker_says_which_queues_it_serves():
    told = help_of("worker")
    assert "-Q" in told and "Default: skirmish; on serve's own Redis celery,skirmish" in re.sub(r"\s+", " ", told)
