#!/usr/bin/env python3
"""Reports includes that break the layout of src/ (docs/architecture.md), and exits with 1 if there are any.

A folder of src/ is the platform (core, redis, db, http, metrics, cache), a feature, or one of the tools. Files in src/ itself
put everything together: they may include all. For the others:

- The platform includes no feature and no tool; a feature includes no tool.
- Of another feature only the header named like its folder is included: `players/players.hpp`, or `tasks/worker/worker.hpp`.
- Folders do not include each other in a circle.

Tests may also include what tests share (src/testing, tests/support).

usage: include_rules.py FILE…    (C++ files below src/, as paths from the repository's root)
"""

import re
import sys
from pathlib import PurePosixPath

PLATFORM = {"core", "redis", "db", "http", "metrics", "cache"}
TOOLS = {"cli", "bench", "replay", "simulation", "api_client", "testing"}
INCLUDE = re.compile(r'^#include "([^"]+)"')


def folder_of(path):
    """The folder of src/ that a path below it belongs to; None for a file in src/ itself."""
    return path.parts[0] if len(path.parts) > 1 else None


def is_contract(path):
    return path.stem == path.parent.name


def is_test(path):
    return path.stem.endswith(("_test", "_redistest", "_fixture"))


def problem_of(file, included):
    """What is wrong with this include, or None."""
    own, other = folder_of(file), folder_of(included)
    if own is None or own in TOOLS or other is None or other == own or other in PLATFORM:
        return None
    if is_test(file) and other == "testing":
        return None
    if own in PLATFORM:
        return f"the platform ({own}) includes no feature"
    if other in TOOLS:
        return f"a feature ({own}) includes no tool"
    if not is_contract(included):
        return f"of another feature only {other}/{other}.hpp is included"
    return None


def circles_of(edges):
    """Groups of folders that include each other, by Tarjan's algorithm (strongly connected components)."""
    index, low, stack, found = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for next_node in sorted(edges.get(node, {})):
            if next_node not in index:
                visit(next_node)
                low[node] = min(low[node], low[next_node])
            elif next_node in stack:
                low[node] = min(low[node], index[next_node])
        if low[node] == index[node]:
            group = stack[stack.index(node):]
            del stack[stack.index(node):]
            if len(group) > 1:
                found.append(sorted(group))

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return found


def main(paths):
    files = {PurePosixPath(p).relative_to("src"): p for p in paths if p.startswith("src/")}
    edges, problems = {}, []
    for file, path in sorted(files.items()):
        with open(path, encoding="utf-8") as text:
            lines = text.readlines()
        for number, line in enumerate(lines, 1):
            match = INCLUDE.match(line)
            included = PurePosixPath(match[1]) if match else None
            if included not in files:
                continue  # what is generated (*.lua.inc), tests/support and include/
            if problem := problem_of(file, included):
                problems.append(f"{path}:{number}: {included}: {problem}")
            own, other = folder_of(file), folder_of(included)
            if own and other and own != other and not is_test(file):
                edges.setdefault(own, {}).setdefault(other, f"{path}:{number}")
    for group in circles_of(edges):
        problems.append("these folders include each other in a circle: " + ", ".join(group))
        for own in group:
            for other in group:
                if place := edges.get(own, {}).get(other):
                    problems.append(f"  {own} -> {other}, first at {place}")
    print("\n".join(problems) if problems else f"{len(files)} files checked")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
