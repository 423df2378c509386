# Builds everything, out of tree, without recursion. Sources are found, not listed.
#
#     make                    build/release/bifrons: what is shipped (hardened, optimised)
#     make BUILD=debug        the same, easy to step through
#     make BUILD=asan tests   unit, replay and corpus tests under AddressSanitizer and UBSan
#     make BUILD=fuzz fuzzers libFuzzer targets (clang)
#     make BUILD=cov tests    the tests with coverage counters (gcov)
#     make bench              the load generator, origin and bare relay of tests/bench
#     make reference          doc/reference, doc/man and the completion, from the rows
#
# SWITCH=ucontext takes the C library's switch of stacks instead of ours for this machine.
# CC=gcc (default) or clang, a cross compiler too; OUT=folder to keep two compilers apart.
# V=1 shows the commands. A change of flags rebuilds; an added or removed source relinks.

VERSION := 0.1.0
BUILD ?= release
OUT ?= build/$(BUILD)

ifeq ($(origin CC),default)
CC := $(if $(filter fuzz,$(BUILD)),clang,gcc)
endif
arch := $(firstword $(subst -, ,$(shell $(CC) -dumpmachine)))
compiles = $(shell $(CC) -Werror $(1) -c -x c /dev/null -o /dev/null 2>/dev/null && echo yes)

# --- flags ------------------------------------------------------------------------------------

warnings := -Wall -Wextra -Wshadow -Wswitch -Wmissing-prototypes -Wstrict-prototypes -Wvla -Werror
zero_init := -ftrivial-auto-var-init=zero
ifneq ($(call compiles,$(zero_init)),yes) # clang before 16 wants to hear it twice
zero_init += -enable-trivial-auto-var-init-zero-knowing-it-will-be-removed-from-clang
endif
hardening := -fvisibility=hidden -fstack-protector-strong -fstack-clash-protection -fPIE $(zero_init)
sanitizers := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

flags_release := -O2 -fno-plt -Wframe-larger-than=2048 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
ifneq ($(findstring gcc,$(CC)),) # calls from file to file are inlined too: a tenth of our own CPU time
flags_release += -flto=auto
endif
flags_debug := -Og -Wframe-larger-than=2048
flags_asan := -O1 $(sanitizers)
flags_fuzz := -O1 $(sanitizers) -fsanitize=fuzzer-no-link
flags_cov := -O0 --coverage

mode := $(flags_$(BUILD))
ifeq ($(mode),)
$(error BUILD=$(BUILD): expected release, debug, asan, fuzz or cov)
endif

cppflags := -D_GNU_SOURCE -DBIFRONS_VERSION='"$(VERSION)"' -Isrc -MMD -MP $(CPPFLAGS)
cflags := -std=gnu17 -g $(warnings) $(hardening) $(mode) $(CFLAGS)
ldflags := $(mode) -pie -Wl,--as-needed -Wl,-z,now,-z,relro,-z,noexecstack $(LDFLAGS)
libs := -lssl -lcrypto -lpcre2-8 -lz -pthread

# --- what there is ----------------------------------------------------------------------------

SWITCH ?= $(if $(wildcard src/net/fiber_$(arch).S),$(arch),ucontext)
switch := src/net/frame_$(SWITCH).c
# The system calls that the sandbox allows beside those of every machine: of this one, of this build.
calls := src/run/sandbox/calls_
machine_calls := $(or $(wildcard $(calls)$(arch).c),$(calls)other.c)
build_calls := $(calls)$(if $(filter release debug,$(BUILD)),plain,watched).c
found := $(wildcard src/*/*.c src/*/*/*.c src/*/*/*/*.c)
sources := $(filter-out src/main.c src/net/frame_%.c $(calls)%.c,$(found)) $(switch) \
    $(machine_calls) $(build_calls)
assembly := $(wildcard src/net/fiber_$(SWITCH).S)
lib_objects := $(sources:%.c=$(OUT)/obj/%.o) $(assembly:%.S=$(OUT)/obj/%.o)
lib := $(OUT)/libbifrons.a
main := $(OUT)/obj/src/main.o
binary := $(OUT)/bifrons

unit := $(wildcard tests/unit/*/test_*.c tests/unit/*/*/test_*.c)
replay := $(wildcard tests/replay/test_*.c)
support := $(filter-out $(replay),$(wildcard tests/replay/*.c))
fuzz := $(wildcard tests/fuzz/fuzz_*.c)
bench := $(wildcard tests/bench/*.c)

# tests/unit/base/test_buf.c -> $(OUT)/tests/unit_base_buf; tests/fuzz/fuzz_uri.c -> .../fuzz_uri
program = $(OUT)/tests/$(subst /,_,$(patsubst tests/%,%,$(subst fuzz/fuzz_,fuzz_,$(subst test_,,$(1:.c=)))))
unit_programs := $(foreach t,$(unit),$(call program,$(t)))
replay_programs := $(foreach t,$(replay),$(call program,$(t)))
fuzz_programs := $(foreach t,$(fuzz),$(call program,$(t)))
bench_programs := $(bench:tests/bench/%.c=$(OUT)/bench/%)

# --- goals ------------------------------------------------------------------------------------

.PHONY: all lib objects tests fuzzers bench list clean
.DELETE_ON_ERROR:
.SECONDARY:
all: $(binary)
lib: $(lib)
objects: $(lib_objects) $(main)
tests: $(unit_programs) $(replay_programs) $(fuzz_programs)
fuzzers: $(fuzz_programs)
bench: $(bench_programs)
list: # for tests/run: the test programs of this build
	@printf '%s\n' $(unit_programs) $(replay_programs) $(fuzz_programs)
clean:
	rm -rf build

# --- how it is made ---------------------------------------------------------------------------

say = $(if $(V),,@printf '  %-5s %s\n' $(1) $@;)

# Stamps: files that change only when what they hold changes.
$(shell mkdir -p $(OUT))
flags_now := $(CC) $(cppflags) $(cflags) $(ldflags)
ifneq ($(strip $(file <$(OUT)/flags)),$(strip $(flags_now)))
$(file >$(OUT)/flags,$(flags_now))
endif
ifneq ($(strip $(file <$(OUT)/sources)),$(strip $(sources) $(assembly)))
$(file >$(OUT)/sources,$(sources) $(assembly))
endif

$(OUT)/obj/tests/%.o: cppflags += -Itests -Itests/replay
$(OUT)/obj/tests/%.o: cflags += -Wno-frame-larger-than # no fiber's stack
$(OUT)/obj/tests/fuzz/%.o: cflags += -Wno-missing-prototypes # the driver's entry point has none

$(OUT)/obj/%.o: %.c $(OUT)/flags
	@mkdir -p $(@D)
	$(call say,cc)$(CC) $(cppflags) $(cflags) -c $< -o $@

$(OUT)/obj/%.o: %.S $(OUT)/flags
	@mkdir -p $(@D)
	$(call say,as)$(CC) $(cppflags) -c $< -o $@

$(lib): $(lib_objects) $(OUT)/sources
	@rm -f $@
	$(call say,ar)$(AR) rcs $@ $(lib_objects)

$(binary): $(main) $(lib)
	$(call say,link)$(CC) $(ldflags) $^ $(libs) -o $@

# $(1): source, $(2): further sources, $(3): what else to link with
define test_program
$(call program,$(1)): $(patsubst %.c,$(OUT)/obj/%.o,$(1) $(2)) $(lib)
	@mkdir -p $$(@D)
	$$(call say,link)$$(CC) $$(ldflags) $$^ $(3) $$(libs) -o $$@
endef

fuzz_driver := $(if $(filter fuzz,$(BUILD)),,tests/fuzz/replay_main.c)
fuzz_library := $(if $(filter fuzz,$(BUILD)),-fsanitize=fuzzer)
$(foreach t,$(unit),$(eval $(call test_program,$(t),,-lcmocka)))
$(foreach t,$(replay),$(eval $(call test_program,$(t),$(support),-lcmocka)))
$(foreach t,$(fuzz),$(eval $(call test_program,$(t),$(fuzz_driver),$(fuzz_library))))

$(bench_programs): $(OUT)/bench/%: $(OUT)/obj/tests/bench/%.o
	@mkdir -p $(@D)
	$(call say,link)$(CC) $(ldflags) -Wno-frame-larger-than $^ -o $@

# The tests of the fibers alone, without a library: to be run with each switch, on other machines,
# under valgrind (./dev test fibers).
fibers := $(OUT)/fibers
fibers_parts := $(addprefix src/net/,fiber.c stack.c timer.c) $(switch) $(assembly)
.PHONY: fibers
fibers: $(fibers)
$(fibers): tests/unit/net/test_fiber.c $(fibers_parts) $(wildcard src/net/*.h src/base/*.h tests/fibers/*.h) $(OUT)/flags
	$(call say,link)$(CC) -Itests/fibers $(cppflags) $(cflags) $(ldflags) -Wno-frame-larger-than \
	    $(filter-out %.h %/flags,$^) -o $@

# doc/reference, doc/man and the completion, from the rows of the modules and the tables of the
# command line; tests/docs fails when they are not current.
printers := $(OUT)/reference $(OUT)/manual
.PHONY: reference reference-tool
reference-tool: $(printers)
reference: $(printers)
	@mkdir -p doc/reference doc/man packaging/completion
	$(OUT)/reference directives >doc/reference/directives.md
	$(OUT)/reference variables >doc/reference/variables.md
	$(OUT)/manual bifrons.8 >doc/man/bifrons.8
	$(OUT)/manual bifrons.conf.5 >doc/man/bifrons.conf.5
	$(OUT)/manual bash >packaging/completion/bifrons

$(printers): $(OUT)/%: $(OUT)/obj/tools/%.o $(lib)
	$(call say,link)$(CC) $(ldflags) $^ $(libs) -o $@

-include $(shell find $(OUT)/obj -name '*.d' 2>/dev/null)
