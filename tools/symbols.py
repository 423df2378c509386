#!/usr/bin/python3
"""Two dangers that only the built objects show.

Collisions: a global name of ours that a linked library also has. The linker would silently give the library ours
(an executable's `timer_delete` once hijacked libc's).

Hidden state: writable data outside src/run. What changes belongs to a struct worker that is passed in.

    tools/symbols.py [TREE]     needs a build with gcc: make
"""
import subprocess

from csource import Report, tree_of_arguments

WRITABLE = (".data", ".bss", ".tdata", ".tbss", "COMMON", "*COM*")
ALLOWED = {("src/net/fiber.c", "here")}  # which fiber runs is a fact of the thread, not of a worker


def nm(path, *options):
    """(name, class, section) of each symbol."""
    text = subprocess.run(
        ["nm", "--format=sysv", *options, str(path)], capture_output=True, text=True, check=True
    ).stdout
    for line in text.splitlines():
        fields = [field.strip() for field in line.split("|")]
        if len(fields) == 7 and fields[0] != "Name":
            yield fields[0].split("@")[0], fields[2], fields[6]


def libraries(binary):
    text = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=True).stdout
    return [line.split("=>")[1].split()[0] for line in text.splitlines() if "=> /" in line]


def main():
    tree, report = tree_of_arguments(), Report()
    build = tree / "build/release"
    report.need(build / "bifrons")
    objects = sorted((build / "obj/src").rglob("*.o"))
    objects = [o for o in objects if source_of(tree, build, o).exists()]
    taken = {}
    for library in libraries(build / "bifrons"):
        for name, _, _ in nm(library, "-D", "--defined-only"):
            taken.setdefault(name, library.rpartition("/")[2])

    for path in objects:
        source = str(source_of(tree, build, path).relative_to(tree))
        for name, kind, section in nm(path, "--defined-only"):
            if kind.isupper() and name in taken and name != "main":
                report.say(source, 1, f"`{name}` is also a name of {taken[name]}")
            writable = section.split(".rel.ro")[0].startswith(WRITABLE) and ".rel.ro" not in section
            allowed = source.startswith("src/run/") or (source, name) in ALLOWED
            if writable and kind in "bBdDC" and not allowed:
                report.say(source, 1, f"`{name}` is writable at file scope ({section}): put it into a struct")
    report.finish()


def source_of(tree, build, path):
    stem = tree / path.relative_to(build / "obj").with_suffix("")
    return next((s for s in (stem.with_suffix(".c"), stem.with_suffix(".S")) if s.exists()), stem)


main()
