# tollgate's build: one make over all folders. Each folder's Build.mk says what it contains; `make help` says what there is
# to make. What is built goes below B, with its configuration; the two libraries built from source go to DEPS.

B ?= build
DEPS ?= build/deps
DESTDIR ?=
PREFIX ?= /usr/local
V ?= 0

MAKEFLAGS += --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
.SUFFIXES:

ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin CXX),default)
CXX := $(if $(findstring clang,$(CC)),clang++,g++)
endif
ifeq ($(origin AR),default)
AR := $(if $(findstring clang,$(CC)),ar,gcc-ar)
endif

ifeq ($(V),1)
Q :=
say :=
else
Q := @
say = @printf '  %-8s%s\n' $1 $(patsubst $B/%,%,$2);
endif

include tools/setup/versions.mk

# Goals that compile nothing in this make: they need neither configuration nor libraries when it starts.
light := clean distclean help setup menuconfig savedefconfig olddefconfig defconfig tidy check-packages %_defconfig \
	test faults sim sim-check run bench bench-lookup bench-micro bench-profile bench-keep bench-compare strace-check valgrind fuzz train \
	fuzz-builds fuzz-smoke
goals := $(or $(MAKECMDGOALS),all)
building := $(filter-out $(light),$(goals))

all:

# ---- configuration ----------------------------------------------------------------------------------------------------

config := $B/.config
auto_conf := $B/include/config/auto.conf
autoconf_h := $B/include/generated/autoconf.h
kconfig := tools/kconfig/kconfig
kconfig_files := Kconfig $(wildcard */Kconfig)

ifneq ($(building),)
include $(auto_conf)
endif

# Without a configuration the default one is taken: clone, make, run.
$(auto_conf): $(kconfig_files) $(wildcard $(config)) $(kconfig) | $B/packages
	$(Q)$(kconfig) $B sync
	$(Q)touch $@ $(autoconf_h)

defconfig: $B/packages
	$(Q)$(kconfig) $B use tools/kconfig/default_defconfig

%_defconfig: $B/packages
	$(Q)$(kconfig) $B use tools/kconfig/$@

menuconfig olddefconfig: $B/packages
	$(Q)$(kconfig) $B $@

savedefconfig: $B/packages
	$(Q)$(kconfig) $B savedefconfig && echo 'the choices that differ from the defaults are in $B/defconfig'

# ---- set-up -----------------------------------------------------------------------------------------------------------

liburing := $(DEPS)/liburing-$(LIBURING_VERSION)
wolfssl := $(DEPS)/wolfssl-$(WOLFSSL_VERSION)
libraries := $(liburing)/recipe $(wolfssl)/recipe

# What a plain build needs is only looked at, never installed.
$B/packages: tools/setup/packages tools/setup/versions.mk $(wildcard /var/lib/dpkg/status)
	$(Q)tools/setup/packages check build
	$(Q)mkdir -p $B && touch $@

check-packages:
	$(Q)tools/setup/packages check build

setup:
	$(Q)tools/setup/packages install build
	$(Q)tools/setup/dependencies $(DEPS)

$(liburing)/recipe $(wolfssl)/recipe &: tools/setup/dependencies tools/setup/versions.mk | $B/packages
	$(Q)tools/setup/dependencies $(DEPS)
	$(Q)touch $(libraries)

# ---- flags ------------------------------------------------------------------------------------------------------------

warnings := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wvla -Werror
# gcc counts a cut snprintf as a fault, wherever inlining shows it the size; here cutting is what snprintf is for.
warnings += $(if $(findstring clang,$(CC)),,-Wno-format-truncation)
warnings_c := $(warnings) -Wmissing-prototypes -Wstrict-prototypes
defines := -D_GNU_SOURCE -DLLHTTP_STRICT_MODE=1
includes := -I. -isystem $(liburing)/include -isystem $(wolfssl)/include -isystem /usr/share/include/llhttp
common := -g -pthread -fPIE -fno-strict-aliasing -fno-omit-frame-pointer -fstack-protector-strong
links := -pie -pthread -Wl,-z,relro,-z,now -Wl,--as-needed

ifeq ($(CONFIG_SANITIZE),y)
common += -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined
links += -fsanitize=address,undefined
# clang keeps this check's runtime for programs that are linked as C++.
common += $(if $(findstring clang,$(CC)),-fno-sanitize=vptr)
else
common += -O3 -D_FORTIFY_SOURCE=2
endif
# FUZZER=y: instrumented for libFuzzer, which clang brings along, or for AFL++ with its compiler (fuzz/Build.mk).
FUZZER ?=
common += $(if $(FUZZER),-fsanitize=fuzzer-no-link)
ifeq ($(CONFIG_LTO),y)
common += -flto=auto
links += -flto=auto -O3
endif

c_flags := -std=c17 $(warnings_c) $(defines) $(common) $(includes) -include $(autoconf_h) $(CFLAGS)
cc_flags := -std=c++17 $(warnings) $(defines) $(common) $(includes) -include $(autoconf_h) $(CXXFLAGS)
# The parser's generated sources are built as they come, without our warnings.
llhttp_flags := -std=c17 -w $(defines) $(common) -I/usr/share/include/llhttp $(CFLAGS)
# wolfSSL asks the library for the time (tls/wolfssl_time.c), so the two are one group.
libs = -Wl,--start-group $(library) $(wolfssl)/lib/libwolfssl.a -Wl,--end-group $(liburing)/lib/liburing.a -lrocksdb -lsimdjson -lyaml -lcares -lstdc++ -lm

# Rewritten only when the flags change, so that they are a prerequisite like any other.
flags_now := $(CC) $(CXX) $(AR) $(c_flags) $(cc_flags) $(links) $(libs)
ifneq ($(building),)
ifneq ($(strip $(file <$B/flags)),$(strip $(flags_now)))
$(shell mkdir -p $B)
$(file >$B/flags,$(flags_now))
endif
endif

# ---- what the folders contain -----------------------------------------------------------------------------------------

# Whatever folder has a Build.mk, down to the second level.
rooms := $(patsubst %/Build.mk,%,$(wildcard */Build.mk */*/Build.mk))

programs := tollgate mockllm loadgen lookup micro train
objs :=
tests :=
tollgate_objs :=
mockllm_objs :=
loadgen_objs :=
lookup_objs :=
micro_objs :=
train_objs :=
fuzz_objs :=
sim_objs :=

# In a Build.mk: obj-y goes to the library, PROGRAM-y to that program, test-y names tests/NAME.c, NAME-y what else it links.
define take
obj-y :=
test-y :=
$(foreach p,$(programs) fuzz sim,$p-y :=
)
-include $1/Build.mk
objs += $$(addprefix $B/$1/,$$(obj-y))
tests += $$(addprefix $B/$1/tests/,$$(test-y))
$(foreach p,$(programs) fuzz sim,$p_objs += $$(addprefix $B/$1/,$$($p-y))
)
$$(foreach t,$$(test-y),$$(eval $B/$1/tests/$$t: $$(addprefix $B/$1/,$$($$t-y))))
$$(foreach t,$$(test-y),$$(eval extra_objs += $$(addprefix $B/$1/,$$($$t-y))))
endef
extra_objs :=
$(foreach d,$(rooms),$(eval $(call take,$d)))

llhttp := $(addprefix $B/llhttp/,api.o http.o llhttp.o)
library := $B/libtollgate.a
built := $(foreach p,$(programs),$(if $(strip $($p_objs)),$B/$p)) $(if $(wildcard fuzz/sim/Build.mk),$B/sim)
all_objs := $(sort $(objs) $(extra_objs) $(sim_objs) $(fuzz_objs) $(foreach p,$(programs),$($p_objs)) $(addsuffix .o,$(tests)))

# ---- rules ------------------------------------------------------------------------------------------------------------

all: $(library) $(built) | $B/packages $(auto_conf) $(libraries)

# The dependency on the whole configuration becomes one on the options that the file and its headers name.
option_deps = $(Q)tools/kconfig/option_deps $B $@ $(@:.o=.d)

$B/%.o: %.c $B/flags | $(auto_conf) $(libraries)
	$(call say,CC,$@) mkdir -p $(@D)
	$(Q)$(CC) $(c_flags) -MMD -MP -MF $(@:.o=.d) -c $< -o $@
	$(option_deps)

$B/%.o: %.cc $B/flags | $(auto_conf) $(libraries)
	$(call say,CXX,$@) mkdir -p $(@D)
	$(Q)$(CXX) $(cc_flags) -MMD -MP -MF $(@:.o=.d) -c $< -o $@
	$(option_deps)

$B/llhttp/%.o: /usr/share/llhttp/%.c $B/flags | $(auto_conf)
	$(call say,CC,$@) mkdir -p $(@D)
	$(Q)$(CC) $(llhttp_flags) -c $< -o $@

$(library): $(objs) $(llhttp) $B/flags
	$(call say,AR,$@) rm -f $@
	$(Q)$(AR) rcs $@ $(filter %.o,$^)

define program
$B/$1: $$($1_objs) $(library) $(libraries)
	$$(call say,LINK,$$@) mkdir -p $$(@D)
	$$(Q)$$(CC) $$(common) $$(links) $$(LDFLAGS) $$($1_objs) $$(libs) -o $$@
endef
$(foreach p,$(programs),$(eval $(call program,$p)))

# The simulation names its twins of ring, threads, clock, resolver, disk and database before the library, and is linked without
# what those would need: had it taken the real thing after all, its link would fail.
link_sim = $(CC) $(common) $(links) $(LDFLAGS) $(sim_objs) $1 $(filter-out %/liburing.a -lrocksdb -lcares,$(libs)) -o $@

$B/sim: $(sim_objs) $(library) $(libraries)
	$(call say,LINK,$@) mkdir -p $(@D)
	$(Q)$(call link_sim)

# Faults that the simulation has to find: each is a patch for one source file, and this its simulation with the planted object
# in place of the real one.
plants := $(patsubst fuzz/sim/plants/%.patch,%,$(wildcard fuzz/sim/plants/*.patch))
planted_file = $(shell sed -n 's|^+++ b/||p' fuzz/sim/plants/$1.patch)

define plant
$B/plants/$1/sim: fuzz/sim/plants/$1.patch $2 $B/sim
	$$(call say,PLANT,$$@) rm -rf $$(@D) && mkdir -p $$(@D)/$$(dir $2)
	$$(Q)cp $2 $$(@D)/$2
	$$(Q)patch -s -F0 -p1 -d $$(@D) <$$<
	$$(Q)$$(CC) $$(c_flags) -c $$(@D)/$2 -o $$(@D)/planted.o
	$$(Q)$$(call link_sim,$$(@D)/planted.o)
endef
$(foreach p,$(plants),$(eval $(call plant,$p,$(call planted_file,$p))))

plants: $(foreach p,$(plants),$B/plants/$p/sim)

$(tests): %: %.o $(library) $(libraries)
	$(call say,LINK,$@)
	$(Q)$(CC) $(common) $(links) $(LDFLAGS) $(filter %.o,$^) $(libs) -lcmocka -o $@

# Each fuzz target is a program; without a fuzzer it gets files named as arguments.
fuzz_programs := $(patsubst %.o,%,$(filter %_fuzz.o,$(fuzz_objs)))
$(fuzz_programs): %: %.o $(library) $(libraries) $(if $(FUZZER),,$B/fuzz/replay_main.o)
	$(call say,LINK,$@)
	$(Q)$(CC) $(common) $(links) $(LDFLAGS) $(filter %.o,$^) $(if $(FUZZER),-fsanitize=fuzzer) $(libs) -o $@

-include $(all_objs:.o=.d)

# ---- running and checking ---------------------------------------------------------------------------------------------

unit-tests: $(tests)
	@echo '$(tests)' >$B/unit-tests

unit: $(tests)
	$(Q)tools/tests/unit $(tests)

# Set-up comes first; the build is a make of its own, whose graph is read when everything is there.
remake = $(MAKE) B=$B DEPS=$(DEPS) $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))

test:
	$(Q)tools/setup/packages install test
	$(Q)tools/setup/node_modules
	$(Q)tools/setup/dependencies $(DEPS)
	$(Q)$(remake) all unit-tests
	$(Q)$(MAKE) fuzz-builds
	-$(Q)$(remake) -k plants
	$(Q)tools/tests/all $B

# What the quick part, in `make test`, does once or on a small scale, and the rest: some minutes. PART: of a case's name.
faults:
	$(Q)tools/setup/packages install faults
	$(Q)tools/setup/dependencies $(DEPS)
	$(Q)$(remake) all
	$(Q)node tools/tests/faults/main.mjs $B full '$(PART)'

# SEEDS=1000000 for a night.
SEEDS ?= 1000
sim:
	$(Q)tools/setup/packages install build
	$(Q)tools/setup/dependencies $(DEPS)
	$(Q)$(remake) all
	$(Q)$B/sim --seeds 1-$(SEEDS)

sim-check:
	$(Q)$(remake) all
	-$(Q)$(remake) -k plants
	$(Q)fuzz/sim/check $B

run:
	$(Q)tools/setup/packages install run
	$(Q)tools/setup/dependencies $(DEPS)
	$(Q)$(remake) all
	$(Q)exec tools/demo/run $B

bench:
	$(Q)tools/setup/packages install bench
	$(Q)tools/setup/dependencies $(DEPS)
	$(Q)$(remake) all
	$(Q)bench/run $B $(BENCH)

# The store alone, filled and asked.
bench-lookup:
	$(Q)tools/setup/packages install bench
	$(Q)tools/setup/dependencies $(DEPS)
	$(Q)$(remake) all
	$(Q)bench/run $B --scenarios lookup --targets tollgate $(BENCH)

# Single steps of the library, in seconds.
bench-micro:
	$(Q)tools/setup/dependencies $(DEPS)
	$(Q)$(remake) $B/micro
	$(Q)$B/micro $(BENCH)

# The weights of the score of `auto`, from published verdicts (DATA: see README.md) and tools/train/prompts.jsonl.
train:
	$(Q)tools/setup/dependencies $(DEPS)
	$(Q)$(remake) $B/train
	$(Q)tools/train/run $B '$(DATA)'

# The functions of the gateway that use most, and a flame graph: BENCH='--scenario events-unpaced-64'.
bench-profile:
	$(Q)tools/setup/packages install profile
	$(Q)tools/setup/dependencies $(DEPS)
	$(Q)$(remake) all
	$(Q)bench/profile $B $(BENCH)

# A dated table for bench/results/; what became slower since the last one.
bench-keep bench-compare: bench-%:
	$(Q)tools/setup/packages install bench
	$(Q)tools/setup/dependencies $(DEPS)
	$(Q)$(remake) all
	$(Q)bench/kept $* $B

fuzz-programs: $(fuzz_programs)

# Builds of their own, with sanitizers: for the corpora with gcc, for libFuzzer with clang where there is one.
fuzz_build = { [ -f $1/.config ] || $(MAKE) B=$1 debug_defconfig; } && $(MAKE) B=$1 DEPS=$(DEPS) $2 \
	$(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc)) fuzz-programs
fuzz_gcc := CC=gcc CXX=g++
fuzz_clang := CC=clang CXX=clang++ FUZZER=y

fuzz-builds:
	$(Q)$(call fuzz_build,$B/fuzz-gcc,$(fuzz_gcc))
	$(Q)! tools/setup/packages check fuzz >/dev/null 2>&1 || { $(call fuzz_build,$B/fuzz-clang,$(fuzz_clang)); }

fuzz-smoke: fuzz-builds
	$(Q)fuzz/smoke $B

fuzz:
	$(Q)tools/setup/packages install fuzz
	$(Q)tools/setup/dependencies $(DEPS)
	$(Q)$(call fuzz_build,$B/fuzz-clang,$(fuzz_clang))
	$(Q)JOBS=$(JOBS) fuzz/run $B '$(TARGET)' '$(SECONDS)'

strace-check:
	$(Q)tools/setup/packages install trace
	$(Q)$(remake) all
	$(Q)tools/strace_check $B

# A build of its own: see VALGRIND in Kconfig.
valgrind:
	$(Q)tools/setup/packages install valgrind
	$(Q)tools/setup/dependencies $(DEPS)
	$(Q)$(MAKE) B=$B-valgrind DEPS=$(DEPS) valgrind_defconfig
	$(Q)$(remake) B=$B-valgrind unit-tests
	$(Q)tools/tests/valgrind $$(cat $B-valgrind/unit-tests)

tidy:
	$(Q)tools/tidy

example := $(DESTDIR)$(PREFIX)/share/doc/tollgate/examples/tollgate.yaml

install: $B/tollgate
	install -D -m 755 $B/tollgate $(DESTDIR)$(PREFIX)/bin/tollgate
	install -D -m 644 tools/man/tollgate.1 $(DESTDIR)$(PREFIX)/share/man/man1/tollgate.1
	install -D -m 644 tools/demo/demo.yaml $(example)

# One entry an object, by what would compile it.
compile_commands.json: $(auto_conf)
	$(Q){ printf '['; separator=; for object in $(patsubst $B/%.o,%,$(all_objs)); do \
		if [ -f $$object.cc ]; then file=$$object.cc command='$(CXX) $(cc_flags)'; \
		else file=$$object.c command='$(CC) $(c_flags)'; fi; \
		printf '%s\n{"directory":"%s","file":"%s","command":"%s -c %s"}' \
			"$$separator" '$(CURDIR)' "$$file" "$$command" "$$file"; separator=,; \
	done; printf '\n]\n'; } >$@

clean:
	$(Q)rm -rf $(addprefix $B/,$(rooms) fuzz-gcc fuzz-clang profile llhttp include flags packages unit-tests $(programs) sim plants libtollgate.a)

distclean: clean
	$(Q)rm -rf $B/.config $B/.config.old $B/defconfig $(DEPS)

help:
	@sed 's/^/  /' tools/setup/help.txt

.PHONY: all train setup check-packages menuconfig defconfig olddefconfig savedefconfig unit unit-tests test faults sim sim-check plants run \
	bench bench-lookup bench-micro bench-profile bench-keep bench-compare fuzz fuzz-builds fuzz-programs fuzz-smoke strace-check \
	valgrind tidy install clean distclean help compile_commands.json
