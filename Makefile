# airflow_pin: what a person does with it, one target each. `make help` lists them.

PG_CONFIG ?= pg_config

EXTENSION = airflow_pin
MODULE_big = airflow_pin
EXTVERSION = $(shell sed -n "s/^default_version = '\(.*\)'/\1/p" airflow_pin.control)

OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c src/*/*.c)))
DATA = $(sort $(wildcard sql/airflow_pin--*.sql))
ALL_HEADERS = $(sort $(wildcard src/*.h src/*/*.h))

REGRESS = $(sort $(patsubst test/sql/%.sql,%,$(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test --encoding=UTF8 --no-locale
ISOLATION = $(sort $(patsubst test/isolation/specs/%.spec,%,$(wildcard test/isolation/specs/*.spec)))
ISOLATION_OPTS = --inputdir=test/isolation --launcher=$(srcdir)/test/isolation/with-fixture

# The server's headers count as system headers, so that -Wextra is about this project's code only.
PG_CPPFLAGS = -I$(srcdir)/src -isystem $(shell $(PG_CONFIG) --includedir-server) \
	-DAIRFLOW_PIN_VERSION='"$(EXTVERSION)"'
PG_CFLAGS = -Wall -Wextra
# src/exports.map is for GNU's linker and those like it. PostgreSQL 16 and later hide as much, but not from PostgreSQL 15.
SHLIB_LINK = -lz $(if $(filter linux,$(PORTNAME)),-Wl$(comma)--version-script=$(srcdir)/src/exports.map)
comma = ,
# No bitcode for LLVM: no function is called so often that inlining it would pay, and the build needs no clang.
override with_llvm = no

EXTRA_CLEAN = build/regress build/isolation


# These goals install what they need themselves, so they must work where there is no PGXS yet. (PGXS
# has a "check" of its own, which only says that it is not supported.)
OWN_GOALS = help deps demo check check-airflow-all check-pg-all check-packages check-static check-sanitizers coverage dist \
	reference bench format

.PHONY: $(OWN_GOALS)

ifneq ($(filter $(OWN_GOALS),$(MAKECMDGOALS)),)

help:
	@echo 'make               build'
	@echo 'make install       install into the server of PG_CONFIG'
	@echo 'make installcheck  SQL tests on a running server'
	@echo 'make check         every test, on private clusters with real Airflow; installs what is missing'
	@echo 'make check-airflow-all   the tests with real Airflow on every version, in every variant (40 minutes)'
	@echo 'make check-pg-all  the SQL tests on PostgreSQL 15 to 19, in chroots (needs root)'
	@echo 'make check-packages   the Debian package, the RPM spec and the PGXN zip: built, installed, tested (needs root)'
	@echo 'make check-static  clang-tidy, scan-build, cppcheck, shellcheck, and the order of the folders of src/'
	@echo 'make check-sanitizers   the SQL tests on a PostgreSQL with assertions and sanitizers, built from source'
	@echo 'make coverage      which lines and branches the tests run, and why the others are not run'
	@echo 'make demo          pin, promote, roll back and unpin a DAG under a real Airflow (ARGS=--keep)'
	@echo 'make bench         what it costs, beside the alternatives, into doc/benchmarks.md (SCALE=1: all of it; SECTIONS=...)'
	@echo 'make reference     doc/reference.md from the comments in the catalogue'
	@echo 'make dist          the zip for PGXN, of the last commit, into build/dist'
	@echo 'make format        clang-format over the C code'

deps:
	tools/install-deps

demo: deps
	test/airflow/demo $(ARGS)

check: deps
	test/run-all

check-airflow-all: deps
	test/lib/install-extension
	test/airflow/all

check-static: deps
	test/static

check-sanitizers: deps
	test/sanitizers asan

coverage: deps
	test/coverage

check-pg-all: deps
	tools/install-deps debootstrap
	test/pg-all

check-packages: deps
	tools/install-deps debootstrap rpm rpmlint
	test/packages/dist
	test/packages/rpm
	test/packages/deb
	test/packages/image-volume

# The last commit, so that nothing gets in that is not the project's.
DISTVERSION = $(shell sed -n '1,/"version"/s/.*"version": "\(.*\)".*/\1/p' META.json)
dist:
	rm -rf build/dist
	mkdir -p build/dist
	git archive --format=zip --prefix=airflow_pin-$(DISTVERSION)/ -o build/dist/airflow_pin-$(DISTVERSION).zip HEAD

reference: deps
	test/lib/install-extension
	tools/reference/generate

bench: deps
	test/bench/run $(or $(SCALE),0.1) $(SECTIONS)

format:
	clang-format -i src/*.[ch] src/*/*.[ch] test/fuzz/*.c test/faults/*.c

else

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)
$(OBJS): $(ALL_HEADERS)
src/plan/plan_steps.o src/plan/plan_names.o: src/plan/migration_steps.inc
airflow_pin.so: src/exports.map

endif
