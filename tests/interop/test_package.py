"""find_package(skirmish) works for somebody else's program, and the documented examples compile."""

import pathlib
import subprocess

import pytest
from conftest import ROOT, examples


def test_the_installed_package_builds_the_documented_examples(tmp_path):
    build = pathlib.Path(examples()).parent
    if not (build / "libskirmish_tasks.a").exists():
        pytest.skip("skipped: not a build directory")

    def run(*command):
        done = subprocess.run(command, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, done.stdout + done.stderr

    run("cmake", "--install", str(build), "--prefix", str(tmp_path / "installed"))
    # A library with sanitizers wants a program with them.
    flags = [line.split("=", 1)[1].strip() for line in (build / "CMakeCache.txt").read_text().splitlines()
             if line.startswith("SKIRMISH_SANITIZE:")]
    sanitize = [f"-DCMAKE_CXX_FLAGS=-fsanitize={flags[0]}"] if flags and flags[0] else []
    run("cmake", "-S", str(ROOT / "tests/package"), "-B", str(tmp_path / "build"), "-G", "Ninja",
        f"-DCMAKE_PREFIX_PATH={tmp_path / 'installed'}", *sanitize)
    run("cmake", "--build", str(tmp_path / "build"))
    assert (tmp_path / "build/quick_start").exists() and (tmp_path / "build/cached_profiles").exists()
