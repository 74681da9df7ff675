# shellcheck shell=bash
# What the benchmarks share. Source it, then:
#
#   bench_start                # build and install the extension, start a cluster, make $BENCH_WORK
#   bench_metadata DATABASE    # an empty metadata database of Airflow $BENCH_AIRFLOW, real tables
#   bench_python SCRIPT ...    # run it in that Airflow, on DATABASE of the last bench_metadata
#   bench_write TITLE          # standard input becomes that section of doc/benchmarks.md, and is shown
#
# The cluster and $BENCH_WORK are gone when the script ends. fsync is off in it, as in all the tests: what is
# added to a transaction weighs more than on a server that waits for its disk.

BENCH=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
BENCH_AIRFLOW=${BENCH_AIRFLOW:-3.3.2}
# shellcheck source=test/lib/cluster.sh
source "$BENCH/../lib/cluster.sh"

bench_start() {
    BENCH_WORK=$(mktemp -d)
    chmod a+rx "$BENCH_WORK"
    trap 'cluster_stop; rm -rf "$BENCH_WORK"' EXIT
    trap 'exit 130' INT TERM
    "$BENCH/../lib/install-extension"
    CLUSTER_OPTIONS="-c shared_buffers=1GB -c max_wal_size=8GB -c autovacuum=off -c max_connections=300 \
        ${CLUSTER_OPTIONS:-}" cluster_start
    PATH=$CLUSTER_BIN:$PATH
    bench_environment
}

# Python and shell of Airflow: import paths, and no files outside of $BENCH_WORK.
bench_environment() {
    BENCH_VENV=$("$BENCH/../airflow/install" "$BENCH_AIRFLOW")
    export AIRFLOW_HOME=$BENCH_WORK/home AIRFLOW__CORE__LOAD_EXAMPLES=False AIRFLOW__LOGGING__LOGGING_LEVEL=ERROR
    export AIRFLOW__CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL=0
    export PYTHONPATH=$BENCH/../airflow:$BENCH PYTHONDONTWRITEBYTECODE=1 PYTHONWARNINGS=ignore
}

bench_metadata() { # DATABASE
    createdb "$1"
    export AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="postgresql+psycopg2://$PGUSER@127.0.0.1:$PGPORT/$1"
    "$BENCH/../airflow/metadata" "$BENCH_AIRFLOW" "$1"
}

bench_python() {
    "$BENCH_VENV/bin/python" "$@" </dev/null
}

# A module with an empty trigger; prints its path without ".so".
bench_empty_trigger() {
    cp "$BENCH"/empty_trigger/* "$BENCH_WORK"
    make -s -C "$BENCH_WORK" with_llvm=no PG_CONFIG="${PG_CONFIG:-pg_config}" >&2
    chmod -R a+rX "$BENCH_WORK"
    echo "$BENCH_WORK/empty_trigger"
}

bench_write() { # TITLE
    tee "$BENCH_WORK/section.md"
    "$BENCH/section" "$1" <"$BENCH_WORK/section.md"
}
