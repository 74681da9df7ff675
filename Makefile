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
SHLIB_LINK = -lz

EXTRA_CLEAN = build/regress build/isolation


# These goals install what they need themselves, so they must work where there is no PGXS yet. (PGXS
# has a "check" of its own, which only says that it is not supported.)
OWN_GOALS = help deps demo check check-airflow-all check-static check-sanitizers coverage bench format

.PHONY: $(OWN_GOALS)

ifneq ($(filter $(OWN_GOALS),$(MAKECMDGOALS)),)

help:
	@echo 'make               build'
	@echo 'make install       install into the server of PG_CONFIG'
	@echo 'make installcheck  SQL tests on a running server'
	@echo 'make check         every test, on private clusters with real Airflow; installs what is missing'
	@echo 'make check-airflow-all   the tests with real Airflow on every version, in every variant (20 minutes)'
	@echo 'make check-static     clang-tidy, scan-build, cppcheck and shellcheck'
	@echo 'make check-sanitizers the SQL tests on a PostgreSQL with assertions and sanitizers, built from source'
	@echo 'make coverage      which lines the tests run, and why the others are not run'
	@echo 'make demo          pin, promote, roll back and unpin a DAG under a real Airflow (ARGS=--keep)'
	@echo 'make bench         what it costs, beside the alternatives, into doc/benchmarks.md (SCALE=1: all of it)'
	@echo 'make format        clang-format'

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

bench: deps
	test/bench/run $(SCALE)

format:
	clang-format -i src/*.[ch] src/*/*.[ch] test/fuzz/*.c test/faults/*.c

else

PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)
$(OBJS): $(ALL_HEADERS)

endif
