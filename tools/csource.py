"""Just enough C to measure and to judge our own sources: what the lints share.

Not a C parser: it knows this tree's style (no typedefs of structs, no macros that hide braces) and reads
tokens. Comments and literals are blanked first, so that no rule is tripped by what only looks like code.
"""
import re
import sys
from pathlib import Path

TOKEN = re.compile(r"[A-Za-z_]\w*|\d[\w.]*|->|\+\+|--|<<=?|>>=?|[<>=!+\-*/%&|^]=|&&|\|\||\.\.\.|[^\s\w]")
BLANKED = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
PAIRS = {"(": ")", "[": "]", "{": "}"}


class Token(str):
    """A word or sign of the source that knows its line."""

    def __new__(cls, text, line):
        token = super().__new__(cls, text)
        token.line = line
        return token


def blank(text, keep_strings=False):
    """The text with comments (and the inside of literals) as spaces; lines and columns stay."""

    def spaces(match):
        found = match.group()
        if found[0] == "/":
            return re.sub(r"[^\n]", " ", found)
        return found if keep_strings else found[0] + " " * (len(found) - 2) + found[-1]

    return BLANKED.sub(spaces, text)


def without_directives(code):
    """Preprocessor lines (with their continuations) as blanks."""
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: re.sub(r"[^\n]", " ", m.group()), code, flags=re.M)


def tokens_of(code):
    tokens, line, at = [], 1, 0
    for match in TOKEN.finditer(code):
        line += code.count("\n", at, match.start())
        at = match.start()
        tokens.append(Token(match.group(), line))
    return tokens


def closing(tokens, at):
    """The index of the bracket that closes the one at `at`."""
    depth = 0
    for i in range(at, len(tokens)):
        if tokens[i] in PAIRS:
            depth += 1
        elif tokens[i] in PAIRS.values():
            depth -= 1
            if depth == 0:
                return i
    return len(tokens) - 1


def split(tokens, sign):
    """The parts between `sign` outside of all brackets."""
    parts, part, depth = [], [], 0
    for token in tokens:
        depth += (token in PAIRS) - (token in PAIRS.values())
        if token == sign and depth == 0:
            parts.append(part)
            part = []
        else:
            part.append(token)
    return parts + [part] if part else parts


class Function:
    """A definition: its name, lines, parameters, and its body's tokens without the outer braces."""

    def __init__(self, name, first, last, parameters, body):
        self.name, self.line, self.lines = name, first, last - first + 1
        self.parameters, self.body = parameters, body
        self.depth, self.labels, self.switches = 0, [], []
        at = 0
        while at < len(body):
            at = self.statement(at, 0)

    def statement(self, at, depth):
        """Walks one statement, noting depth, labels and switches; returns where the next one begins."""
        body = self.body
        if at >= len(body):
            return at
        self.depth = max(self.depth, depth)
        word = body[at]
        after = body[at + 1] if at + 1 < len(body) else ""

        if word == "{":
            end = closing(body, at)
            at += 1
            while at < end:
                at = self.statement(at, depth)
            return end + 1
        if word in ("case", "default"):
            while body[at] != ":" and at < len(body) - 1:
                at = closing(body, at) + 1 if body[at] in PAIRS else at + 1
            return at + 1
        if word in ("if", "for", "while", "switch") and after == "(":
            inner = closing(body, at + 1) + 1
            if word == "switch" and body[inner] == "{":
                self.switches.append((word.line, body[inner + 1 : closing(body, inner)]))
            at = self.statement(inner, depth + 1)
            if word == "if" and at < len(body) and body[at] == "else":
                chained = at + 1 < len(body) and body[at + 1] == "if"
                at = self.statement(at + 1, depth if chained else depth + 1)
            return at
        if word == "do":
            at = self.statement(at + 1, depth + 1)  # behind it, `while (...)` reads as a loop without a body
            return closing(body, at + 1) + 2
        if after == ":" and re.match(r"[a-z_]\w*$", word):
            self.labels.append(word)
            return at + 2
        if after == "(" and re.match(r"\w+$", word):  # a macro that loops: list_each(...) { }
            end = closing(body, at + 1) + 1
            if end < len(body) and body[end] == "{":
                return self.statement(end, depth + 1)
        while at < len(body) and body[at] != ";":
            at = closing(body, at) + 1 if body[at] in PAIRS else at + 1
        return at + 1


class Aggregate:
    """A struct or union: (type words, name, is a bit-field) of each member; anonymous ones are merged in."""

    def __init__(self, kind, name, line, body):
        self.kind, self.name, self.line = kind, name, line
        self.members, self.inner = [], []
        for declaration in split(body, ";"):
            self.read(declaration)

    def read(self, declaration):
        if not declaration:
            return
        if "{" in declaration and declaration[0] in ("struct", "union"):
            start = declaration.index("{")
            end = closing(declaration, start)
            inner = Aggregate(declaration[0], "", declaration[0].line, declaration[start + 1 : end])
            if end == len(declaration) - 1:  # anonymous: its members are ours
                self.members += inner.members
                self.inner += inner.inner
                return
            self.inner.append(inner)
            declaration = [declaration[0]] + declaration[end + 1 :]
        for part in split(declaration, ","):
            kind = "function" if "(" in part else declaration[0]  # a pointer to one that gives a bool is no bool
            self.members.append((kind, part[-1], ":" in part))


class Source:
    """One file of ours."""

    def __init__(self, path, root=Path(".")):
        self.path = Path(path)
        self.name = str(self.path.relative_to(root))
        self.text = self.path.read_text(errors="replace")
        self.lines = self.text.splitlines()
        self.code = blank(self.text)
        self.code_lines = self.code.splitlines()
        self.directives = [
            (number, line.strip())
            for number, line in enumerate(blank(self.text, keep_strings=True).splitlines(), 1)
            if line.lstrip().startswith("#")
        ]
        self.tokens = tokens_of(without_directives(self.code))
        self.functions, self.aggregates, self.enums = [], [], {}
        self.scan()

    def includes(self):
        """(line, path, is ours) of each #include."""
        for number, line in self.directives:
            match = re.match(r'#\s*include\s*(?:"([^"]+)"|<([^>]+)>)', line)
            if match:
                yield number, match[1] or match[2], match[1] is not None

    def scan(self):
        """Finds functions, structs and named enums at file scope; enums and structs inside functions too."""
        tokens, at, start = self.tokens, 0, 0
        while at < len(tokens):
            if tokens[at] == ";":
                start = at + 1
            elif tokens[at] == "{":
                end = closing(tokens, at)
                head = tokens[start:at]
                if is_function(head):
                    self.add_function(head, tokens[at + 1 : end], tokens[end].line)
                    start = end + 1
                at = end
            at += 1
        for i, token in enumerate(tokens):
            if token in ("struct", "union", "enum") and i + 2 < len(tokens) and tokens[i + 2] == "{":
                body = tokens[i + 3 : closing(tokens, i + 2)]
                if token == "enum":
                    self.enums[tokens[i + 1]] = [part[0] for part in split(body, ",") if part]
                else:
                    self.aggregates.append(Aggregate(token, tokens[i + 1], token.line, body))

    def add_function(self, head, body, last):
        at = parameters_at(head)
        inside = head[at + 1 : closing(head, at)]
        parameters = [] if inside in ([], ["void"]) else split(inside, ",")
        self.functions.append(Function(head[at - 1], head[0].line, last, parameters, body))


def parameters_at(head):
    """Where the parameter list opens: the first bracket behind a name that is no attribute; -1: nowhere."""
    at = 0
    while at < len(head):
        if head[at] == "(" and at > 0 and re.match(r"[A-Za-z_]\w*$", head[at - 1]):
            if head[at - 1] not in ("__attribute__", "_Alignas", "__asm__", "_Static_assert"):
                return at
        at = closing(head, at) + 1 if head[at] in PAIRS else at + 1
    return -1


def is_function(head):
    return "=" not in head and "typedef" not in head and parameters_at(head) > 0


def sources(root, *folders, suffixes=(".c", ".h")):
    """All our sources below these folders of the tree, in a stable order."""
    root = Path(root)
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in suffixes and path.is_file():
                yield Source(path, root)


class Report:
    """Collects what a lint found, prints it as FILE:LINE: message, and says how to exit."""

    def __init__(self):
        self.count = 0

    def say(self, name, line, message):
        self.count += 1
        print(f"{name}:{line}: {message}")

    def need(self, path):
        """Ends the lint with one line where the build that it looks at is missing."""
        if not path.exists():
            self.say(path, 1, "is missing: run make first")
            self.finish()

    def finish(self):
        sys.exit(1 if self.count else 0)


def tree_of_arguments():
    """The tree to look at: the first argument, else the one that this script lies in."""
    return Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
