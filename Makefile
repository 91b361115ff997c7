# smtpsec: everything is built out of tree, under $(BUILD), for both Luas. `make help` says what there is to do.

BUILD    ?= build
CC       ?= cc
LUAS     := 5.4 jit
PREFIX   ?= /usr/local

LUA_5.4  := lua5.4
LUA_jit  := luajit
# Asked for when something is compiled, because `make demo` may have to install them first.
CFLAGS_5.4 = $(shell pkg-config --cflags lua5.4)
CFLAGS_jit = $(shell pkg-config --cflags luajit)
CFLAGS_luarocks = -I$(LUA_INCDIR)

WARN     := -Wall -Wextra -Wconversion -Wpedantic -Wshadow -Werror
HARDEN   := -fstack-protector-strong -D_FORTIFY_SOURCE=2
OPTIMIZE ?= -O2 -g
SANITIZE ?=
CFLAGS   += -std=c11 -D_GNU_SOURCE -Icsrc -fPIC -fvisibility=hidden -MMD -MP $(WARN) $(OPTIMIZE) \
            $(if $(SANITIZE),$(SANITIZE),$(HARDEN)) $(INCLUDES)
LDFLAGS  += -shared -Wl,-z,relro,-z,now -Wl,--as-needed $(SANITIZE) $(LIBRARIES)

# The engine knows no Lua and is compiled once; the bindings are compiled for each ABI.
ENGINE   := $(wildcard csrc/*.c $(foreach f,base smtp sasl tls mime dkim smime,csrc/$(f)/*.c))
BINDING  := $(filter-out csrc/lua/check.c,$(wildcard csrc/lua/*.c))
SOCKET   := $(wildcard csrc/sock/*.c)
ENGINE_O := $(ENGINE:csrc/%.c=$(BUILD)/engine/%.o)
STATUS_O := $(BUILD)/engine/base/status.o
# Each file of csrc/prep is a module of its own, with a library of its own.
PREP_O   := $(STATUS_O) $(BUILD)/engine/base/utf8.o $(BUILD)/engine/base/wipe.o
PREP_saslprep := -lidn
PREP_idna     := -lidn2
NAMES    := core sock saslprep idna
MODULES  := $(foreach l,$(LUAS),$(NAMES:%=$(BUILD)/$(l)/smtpsec/%.so))

V ?=
quiet = @$(if $(V),,echo "  $(1)  $@";)

.PHONY: all demo test check cuts million lint format asan valgrind gcstress failmalloc fuzz bench rock rock-build \
        rock-install env clean help
all: $(MODULES)                     ## build the C modules for both Luas (the default; V=1 shows the commands)

$(BUILD)/engine/%.o: csrc/%.c
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(CFLAGS) -c $< -o $@

define for-lua
$(BUILD)/$(1)/obj/%.o: csrc/%.c
	@mkdir -p $$(@D)
	$$(call quiet,CC)$(CC) $(CFLAGS) $$(CFLAGS_$(1)) -c $$< -o $$@

$(BUILD)/$(1)/smtpsec/core.so: $(ENGINE_O) $(BINDING:csrc/%.c=$(BUILD)/$(1)/obj/%.o) $(BUILD)/$(1)/obj/lua/check.o
	@mkdir -p $$(@D)
	$$(call quiet,LD)$(CC) $(LDFLAGS) $$^ -o $$@.new -lssl -lcrypto -lunistring -lm && mv $$@.new $$@

$(BUILD)/$(1)/smtpsec/sock.so: $(SOCKET:csrc/%.c=$(BUILD)/$(1)/obj/%.o) $(BUILD)/$(1)/obj/lua/check.o $(STATUS_O)
	@mkdir -p $$(@D)
	$$(call quiet,LD)$(CC) $(LDFLAGS) $$^ -o $$@.new -pthread -lm && mv $$@.new $$@

$(BUILD)/$(1)/smtpsec/saslprep.so $(BUILD)/$(1)/smtpsec/idna.so: $(BUILD)/$(1)/smtpsec/%.so: \
    $(BUILD)/$(1)/obj/prep/%.o $(BUILD)/$(1)/obj/lua/check.o $(PREP_O)
	@mkdir -p $$(@D)
	$$(call quiet,LD)$(CC) $(LDFLAGS) $$^ -o $$@.new $$(PREP_$$*) -lcrypto -lm && mv $$@.new $$@
endef
$(foreach l,$(LUAS) luarocks,$(eval $(call for-lua,$(l))))
-include $(shell test -d $(BUILD) && find $(BUILD) -name '*.d')

# ---- trying it ----------------------------------------------------------------------------------------------------

demo:                               ## install what is missing, build, and watch two mails travel and arrive
	@sh spec/support/deps.sh demo
	@$(MAKE) --no-print-directory all
	@$(call with,5.4) lua5.4 examples/demo.lua

# ---- testing ------------------------------------------------------------------------------------------------------

with    = LUA_PATH='$(CURDIR)/lua/?.lua;$(CURDIR)/lua/?/init.lua;$(CURDIR)/?.lua;;' \
          LUA_CPATH='$(abspath $(BUILD))/$(1)/?.so;;'
BUSTED  := /usr/bin/busted
SPECS   ?= spec
EACH_SPEC = $(wildcard spec/*_spec.lua spec/*/*_spec.lua)
tally   := sh spec/support/tally.sh
# Counts of a run, in a file that programs below find through the environment.
COUNTS  ?= $(BUILD)/counts

test:                               ## install what is missing, and check everything, on both Luas
	@sh spec/support/deps.sh test
	@mkdir -p $(BUILD) && rm -f $(COUNTS)*
	@$(MAKE) --no-print-directory all
	@$(MAKE) --no-print-directory -j2 --output-sync=target $(PARTS:%=counted-%)
	@SMTPSEC_GC=stress SMTPSEC_THIN=5 $(tally) run $(COUNTS)-asan $(MAKE) --no-print-directory asan
	@cat $(COUNTS)-* >$(COUNTS) && $(tally) sum $(COUNTS)

# Two at a time: most of them wait for servers and clocks most of the time.
PARTS    := $(LUAS:%=specs-%) lint failmalloc rock
.PHONY: $(PARTS:%=counted-%) $(LUAS:%=specs-%)
$(PARTS:%=counted-%): counted-%:
	@$(tally) run $(COUNTS)-$* $(MAKE) --no-print-directory $*

$(LUAS:%=specs-%): specs-%:
	@$(MAKE) --no-print-directory specs LUA=$*

check:                              ## the specs alone, on both Luas (SPECS=spec/x_spec.lua for some of them)
	@sh spec/support/deps.sh test
	@$(MAKE) --no-print-directory all
	@rm -f $(COUNTS)
	@$(foreach l,$(LUAS),$(tally) run $(COUNTS) $(MAKE) --no-print-directory specs LUA=$(l);)
	@$(tally) sum $(COUNTS)

.PHONY: specs
specs:
	@echo "== $(LUA_$(LUA)): $(if $(word 5,$(SPECS)),$(words $(SPECS)) files,$(SPECS))"
	@$(call with,$(LUA)) $(RUNNER) $(LUA_$(LUA)) $(BUSTED) $(SPECS)

# Every case is a connection cut at every byte: what the client reports is compared with what the server accepted.
CUTS ?=
cuts:                               ## cut connections at every byte, both ways, on both Luas (CUTS='thin=9 only=TLS')
	@sh spec/support/deps.sh test
	@$(MAKE) --no-print-directory all
	@rm -f $(COUNTS)
	@$(foreach l,$(LUAS),$(call with,$(l)) $(tally) run $(COUNTS) $(LUA_$(l)) spec/cuts/run.lua $(CUTS);)
	@$(tally) sum $(COUNTS)

MAILS ?= 1000000
million:                            ## send MAILS mails, and watch verdicts, memory and descriptors, on both Luas
	@sh spec/support/deps.sh test
	@$(MAKE) --no-print-directory all
	@rm -f $(COUNTS)
	@$(foreach l,$(LUAS),$(call with,$(l)) $(tally) run $(COUNTS) $(LUA_$(l)) spec/cuts/run_million.lua $(MAILS);)
	@$(tally) sum $(COUNTS)

FORMATTED = $(wildcard csrc/*.[ch] csrc/*/*.[ch] spec/fuzz/*.c spec/sasl/*.c spec/support/*.c spec/bench/*.[ch] spec/bench/*/*.[ch])
lint:                               ## warnings as errors on clang too, formatting, luacheck, the rockspec
	@$(MAKE) --no-print-directory all CC=clang BUILD=$(BUILD)/clang
	clang-format --dry-run --Werror $(FORMATTED)
	luacheck -q lua spec examples rockspec/*.rockspec
	luarocks lint rockspec/smtpsec-scm-1.rockspec

format:                             ## format the C files
	clang-format -i $(FORMATTED)

asan:                               ## the specs under AddressSanitizer and UndefinedBehaviorSanitizer, on both Luas
	@sh spec/support/deps.sh test
	@$(MAKE) --no-print-directory all BUILD=$(BUILD)/asan OPTIMIZE='-O1 -g' \
	  SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=undefined'
	@$(MAKE) --no-print-directory -j2 --output-sync=target $(LUAS:%=asan-%)

# Both Luas at once: what takes long here is one of two processors. That time-outs are kept is not asked then.
.PHONY: $(LUAS:%=asan-%)
ASAN_SPECS = $(if $(filter spec,$(SPECS)),$(filter-out spec/timeouts_spec.lua,$(EACH_SPEC)),$(SPECS))
$(LUAS:%=asan-%): asan-%:
	@$(MAKE) --no-print-directory specs BUILD=$(BUILD)/asan LUA=$* SPECS='$(ASAN_SPECS)' RUNNER="env LSAN_OPTIONS=print_suppressions=0:suppressions=$(CURDIR)/spec/support/lsan.supp LD_PRELOAD=$$($(CC) -print-file-name=libasan.so)"

# Under valgrind everything takes twenty times as long: specs that measure time have no place there, nor those of other
# programs, which it does not watch.
TIMED    := spec/timeouts_spec.lua spec/cuts_spec.lua spec/sink_spec.lua spec/nginx_spec.lua spec/drivers/nginx_spec.lua \
            spec/servers_spec.lua spec/auth_servers_spec.lua
UNTIMED  ?= $(filter-out $(TIMED),$(EACH_SPEC))
valgrind:                           ## the specs that measure no time under valgrind, on both Luas
	@sh spec/support/deps.sh test
	@$(MAKE) --no-print-directory all
	@$(foreach l,$(LUAS),SMTPSEC_THIN=20 $(MAKE) --no-print-directory specs LUA=$(l) SPECS='$(UNTIMED)' \
	  RUNNER="valgrind -q --suppressions=spec/support/valgrind.supp --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite" &&) true

gcstress:                           ## the specs with a garbage collector that never rests, on both Luas
	@sh spec/support/deps.sh test
	@$(foreach l,$(LUAS),SMTPSEC_GC=stress $(MAKE) --no-print-directory specs LUA=$(l) &&) true

failmalloc:                         ## the engine with each of its allocations failing in turn
	@sh spec/support/deps.sh test
	sh spec/fuzz/failmalloc.sh

FUZZ_SECONDS ?= 60
fuzz:                               ## the libFuzzer targets, FUZZ_SECONDS each
	@sh spec/support/deps.sh test
	sh spec/fuzz/run.sh $(FUZZ_SECONDS)

# The bench's own programs: the sink that counts, and the clients in C that are compared with.
BENCH_C  := -std=c11 -D_GNU_SOURCE $(WARN) -O2 -g
BENCH    := $(BUILD)/bench
$(BENCH)/sink: $(wildcard spec/bench/sink/*.c) spec/bench/sink/sink.h
$(BENCH)/bare: spec/bench/bare.c spec/bench/common.h
$(BENCH)/esmtp $(BENCH)/curl: $(BENCH)/%: spec/bench/peers/%.c spec/bench/common.h
$(BENCH)/curl: BENCH_L = -lcurl
$(BENCH)/esmtp: BENCH_L = -lesmtp -lssl -lcrypto
$(BENCH)/sign: spec/bench/sign.c spec/bench/common.h
$(BENCH)/sink $(BENCH)/bare $(BENCH)/sign: BENCH_L = -lssl -lcrypto
$(BENCH)/held: spec/bench/held.c spec/bench/common.h
$(BENCH)/kernel: spec/bench/kernel.c spec/bench/common.h $(wildcard csrc/mime/base64_*.c) $(addprefix csrc/base/,base64.c buf.c wipe.c)
$(BENCH)/kernel: BENCH_L = -lcrypto
$(addprefix $(BENCH)/,sink bare curl esmtp held sign kernel):
	@mkdir -p $(@D)
	$(call quiet,CC)$(CC) $(BENCH_C) -Icsrc $(filter %.c,$^) -o $@.new $(BENCH_L) && mv $@.new $@

BENCH_ROUNDS ?=
BENCH_QUICK  ?=
bench:                              ## round trips, CPU and memory beside other clients (BENCH_ROUNDS=5; BENCH_QUICK=1: a minute)
	@sh spec/support/deps.sh test && sh spec/support/deps.sh bench
	@$(MAKE) --no-print-directory --silent all $(addprefix $(BENCH)/,sink bare curl esmtp held sign kernel)
	@$(call with,5.4) BENCH_ROUNDS=$(BENCH_ROUNDS) BENCH_QUICK=$(BENCH_QUICK) \
	  lua5.4 spec/bench/run.lua $(BUILD)

# ---- installing ---------------------------------------------------------------------------------------------------

# What the rockspec calls: LuaRocks says where its Lua is, which flags and folders it wants, and where things go. What
# is left of a build before may be another Lua's.
rock-build:
	rm -rf $(BUILD)/luarocks
	$(MAKE) $(NAMES:%=$(BUILD)/luarocks/smtpsec/%.so)

rock-install:
	mkdir -p $(TO_LIB)/smtpsec $(TO_LUA)
	cp $(BUILD)/luarocks/smtpsec/*.so $(TO_LIB)/smtpsec/
	cp -R lua/smtpsec $(TO_LUA)/

# LuaRocks builds inside the tree that it is given, so it gets a copy.
rock:                               ## build and install the rock for both Luas into $(BUILD)/rock, and load it from there
	sh spec/support/rock.sh $(abspath $(BUILD))/rock

LUA ?=
env:                                ## print LUA_PATH and LUA_CPATH to use this checkout (LUA=5.4 or LUA=jit: just that one)
	@$(foreach l,$(if $(LUA),$(LUA),$(LUAS)),$(if $(LUA),,echo "# $(LUA_$(l))";) echo "export $(call with,$(l))";)

clean:                              ## remove everything that was built
	rm -rf $(BUILD)

help:                               ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' Makefile | expand -t 14
