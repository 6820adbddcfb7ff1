"""Finds co_await where g++ 12 miscompiles it: under &&, || or ?:, or inside a braced list; and a
conditional or a list of several values inside what is awaited.

usage: co_await_traps.py FILE…        exits 1 when there are any, each as file:line: why
       co_await_traps.py --self-test
"""

import re
import sys

TOKEN = re.compile(
    r"""//[^\n]*|/\*.*?\*/                                     # comments
      |R"([^()\\\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'   # texts
      |[A-Za-z_]\w*|\d[\w.']*|&&|\|\||->|::|\S""",
    re.VERBOSE | re.DOTALL,
)
OPEN, CLOSE = {"(": ")", "[": "]", "{": "}"}, {")", "]", "}"}


def tokens_of(text):
    """(token, line) without comments and preprocessor lines; texts are replaced by \"\"."""
    text = re.sub(r"^[ \t]*#.*?(?<!\\)$", "", text, flags=re.MULTILINE)
    out = []
    for m in TOKEN.finditer(text):
        token = m.group()
        if token.startswith(("//", "/*")):
            continue
        if token[0] in "\"'" or token.startswith('R"'):
            token = '""'
        out.append((token, text.count("\n", 0, m.start()) + 1))
    return out


def pairs_of(tokens):
    """Place of the other bracket, both ways."""
    pairs, stack = {}, []
    for i, (token, _) in enumerate(tokens):
        if token in OPEN:
            stack.append(i)
        elif token in CLOSE and stack:
            pairs[i] = stack.pop()
            pairs[pairs[i]] = i
    return pairs


def is_reference(tokens, i):
    """`auto&& x`, `T&& x`, `T&&...`: no logical and."""
    before, after = tokens[i - 1][0], tokens[i + 1][0] if i + 1 < len(tokens) else ""
    return before in ("auto", ">", "T") or after in (")", ",", ">", "...", ".")


def is_block(tokens, pairs, start):
    """A brace whose own level holds a statement, not a list."""
    i = start + 1
    while i < pairs.get(start, len(tokens)):
        token = tokens[i][0]
        if token == ";":
            return True
        i = pairs.get(i, i) + 1 if token in OPEN else i + 1
    # A single compound statement: { for (…) {…} }
    return tokens[start + 1][0] in ("for", "while", "if", "do", "try", "switch", "{")


def why_bad(tokens, pairs, at):
    """The trap that the co_await at place `at` stands in, or None."""
    left, right = at - 1, at + 1
    while True:
        # To the right, to the end of this level of brackets.
        while right < len(tokens):
            token = tokens[right][0]
            if token in CLOSE or token in (";", ","):
                break
            if token in ("&&", "||", "?") and not (token == "&&" and is_reference(tokens, right)):
                return f"under {token}"
            right = pairs.get(right, right) + 1 if token in OPEN else right + 1
        while left >= 0:
            token = tokens[left][0]
            if token in OPEN or token == ";":
                break
            if token in ("&&", "||", "?") and not (token == "&&" and is_reference(tokens, left)):
                return f"under {token}"
            if token == "}" and is_block(tokens, pairs, pairs.get(left, left)):
                return None
            # Another argument: what stands in it is evaluated apart from this one.
            if token == ",":
                while left >= 0 and tokens[left][0] not in OPEN and tokens[left][0] != ";":
                    left = pairs[left] - 1 if tokens[left][0] in CLOSE and left in pairs else left - 1
                break
            left = pairs[left] - 1 if token in CLOSE and left in pairs else left - 1
        if left < 0 or tokens[left][0] == ";":
            return None
        if tokens[left][0] == "{":
            return None if is_block(tokens, pairs, left) else "inside a braced list"
        # Out of this pair of brackets.
        right = pairs.get(left, len(tokens)) + 1
        left -= 1


def why_bad_operand(tokens, pairs, at):
    """The trap that the awaited expression holds, or None."""
    end = at + 1
    while end < len(tokens) and tokens[end][0] not in CLOSE and tokens[end][0] not in (";", ","):
        end = pairs.get(end, end) + 1 if tokens[end][0] in OPEN else end + 1
    i = at + 1
    while i < end:
        token = tokens[i][0]
        if token == "{":
            if not is_block(tokens, pairs, i) and any(t == "," for t, _ in tokens[i : pairs.get(i, i)]):
                return "of a braced list"
            i = pairs.get(i, i)
        elif token == "?":
            return "of a conditional"
        i += 1
    return None


def traps_in(text):
    tokens = tokens_of(text)
    pairs = pairs_of(tokens)
    for at, (token, line) in enumerate(tokens):
        if token == "co_await":
            why = why_bad(tokens, pairs, at) or why_bad_operand(tokens, pairs, at)
            if why:
                yield line, why


BAD = [
    "void f() { while (co_await a() && co_await b()) c(); }",
    "void f() { if (x || co_await a()) c(); }",
    "void f() { auto y = x ? co_await a() : b(); }",
    "void f() { auto y = co_await a() ? 1 : 2; }",
    "void f() { if (!(co_await a()).ok() && x) c(); }",
    "void f() { g(x && h(co_await a())); }",
    "void f() { std::vector<int> v{co_await a()}; }",
    "void f() { g({1, co_await a()}); }",
    "void f() { return_t r = {.x = co_await a()}; d(); }",
    "void f() { co_await a({1, 2}); }",
    "void f() { co_await a(x ? b : c); }",
]
GOOD = [
    "void f() { if (x && y) co_await a(); }",
    "void f() { if (co_await a()) { b(); } }",
    "void f() { co_await (a() || b()); }",
    "void f() { auto&& x = co_await a(); }",
    "void f() { for (auto&& x : co_await a()) b(); }",
    "void f() { g(x && y, co_await a()); }",
    "void f() { auto w = [&] { co_await a(); return x && y; }; }",
    "void f() { // x && co_await a()\n  co_await a(\"&&\"); }",
    "void f() { if (x && y) { z(); } else { co_await a(); } }",
    "void f() { while (true) { co_await a(); } }",
    "void f() { co_await a(seconds{2}); }",
    "void f() { co_await a([] { b(x ? 1 : 2, c{1, 2}); }); }",
    "void f() { case_of(x ? 1 : 2); co_await a(); }",
]


def self_test():
    for text in BAD:
        assert list(traps_in(text)), f"not found: {text}"
    for text in GOOD:
        assert not list(traps_in(text)), f"found: {text} {list(traps_in(text))}"


def main():
    if sys.argv[1:] == ["--self-test"]:
        self_test()
        return 0
    self_test()
    found = 0
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            for line, why in traps_in(file.read()):
                print(f"{path}:{line}: co_await {why}: give it a statement of its own")
                found += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
