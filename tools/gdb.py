"""For gdb, on a live process or a core file: where the fibers are.

    gdb -p PID -x tools/gdb.py        then: info fibers

A sleeping fiber has no thread, so `bt` does not show it; what its switch has saved lies on its stack. An unwinder
says that this is what called the innermost frame: so gdb walks on into the fiber, and no register is written.
"""
import gdb
from gdb.unwinder import Unwinder, register_unwinder

# What fiber_$(arch).S has saved at a sleeper's `sp`: register, offset; how far the stack goes on behind it.
SAVED = {
    "x86_64": ({"r15": 8, "r14": 16, "r13": 24, "r12": 32, "rbx": 40, "rbp": 48, "rip": 56}, "rsp", 64),
    "aarch64": ({**{f"x{19 + i}": 8 * i for i in range(12)}, "pc": 88}, "sp", 176),
}


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


class Sleeper(Unwinder):
    """While `sp` is set, the innermost frame of the thread was called by whoever sleeps there."""

    def __init__(self):
        super().__init__("fibers")
        self.sp = self.innermost = None

    def __call__(self, frame):
        if self.sp is None or int(frame.read_register("sp")) != self.innermost:
            return None
        registers, stack, size = SAVED[machine()]
        word = gdb.lookup_type("unsigned long")
        info = frame.create_unwind_info(FrameId(frame.read_register("sp"), frame.read_register("pc")))
        for name, offset in registers.items():
            info.add_saved_register(name, gdb.Value(self.sp + offset).cast(word.pointer()).dereference())
        info.add_saved_register(stack, gdb.Value(self.sp + size).cast(word))
        return info


def machine():
    name = gdb.selected_inferior().architecture().name()
    return "x86_64" if "x86-64" in name else name


def scheduler():
    """The `struct fibers` of this thread: of the fiber that runs, else of the loop that waits."""
    frame = gdb.newest_frame()
    while frame is not None:
        for name, path in (("l", "fibers"), ("fs", None)):
            try:
                value = frame.read_var(name)
                if str(value.type) == "struct loop *" and int(value):
                    return value["fibers"]
                if str(value.type) == "struct fibers *" and int(value):
                    return value.dereference()
            except (ValueError, gdb.error):
                pass  # no such variable, or it was optimised away
        frame = frame.older()
    try:
        current = gdb.parse_and_eval("'fiber.c'::here.scheduler")
    except gdb.error as error:
        raise gdb.GdbError(f"no loop in this thread ({error})")
    if not int(current):
        raise gdb.GdbError("no loop in this thread")
    return current.dereference()


def live(fibers):
    """Those that have begun and not ended, in the order in which their stacks were made."""
    fiber = gdb.lookup_type("struct fiber")
    offset = next(f.bitpos // 8 for f in fiber.fields() if f.name == "made")
    link, head = fibers["made"]["next"], int(fibers["made"].address)
    while int(link) != head:
        f = gdb.Value(int(link) - offset).cast(fiber.pointer())
        if int(f["run"]):
            yield f
        link = link["next"]


def state(f, fibers):
    if int(f) == int(fibers["running"]):
        return "runs"
    return "sleeps" if int(f["wait"]) else "is ready"


class InfoFibers(gdb.Command):
    """Lists the live fibers with their backtraces."""

    def __init__(self):
        super().__init__("info fibers", gdb.COMMAND_STATUS)
        self.sleeper = Sleeper()
        register_unwinder(None, self.sleeper, replace=True)

    def backtrace(self, sp):
        gdb.newest_frame().select()
        self.sleeper.innermost, self.sleeper.sp = int(gdb.newest_frame().read_register("sp")), sp
        try:
            gdb.invalidate_cached_frames()
            text = gdb.execute("backtrace", to_string=True)
        finally:
            self.sleeper.sp = None
            gdb.invalidate_cached_frames()
        return [line for line in text.splitlines() if not line.startswith("#0 ")]

    def invoke(self, argument, from_tty):
        fibers = scheduler()
        all_live = list(live(fibers))
        print(f"{len(all_live)} fibers live, {int(fibers['idle_count'])} stacks idle")
        for number, f in enumerate(all_live, 1):
            what = state(f, fibers)
            print(f"fiber {number} {what}{', cancelled' if f['cancelled'] else ''}: {f['run'].format_string(symbols=True)}")
            if machine() not in SAVED:
                print("    (how its switch saves registers is not known for this machine)")
            elif what != "runs":
                print("\n".join("    " + line for line in self.backtrace(int(f["sp"]))))


InfoFibers()
