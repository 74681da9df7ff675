# shellcheck shell=bash
# The suites of test/run-all: which there are, what they run, how long they take, how their checks are counted. Source
# this file in bash.
#
# Each has a cluster of its own, or several, and no suite looks at what another one does: any two can run side by side.
# What they measure does not depend on how busy the machine is: "guard" counts instructions, blocks are counted, and
# limits of time are those of a busy machine.

source "$(dirname "${BASH_SOURCE[0]}")/airflow-versions.sh"
pg_config=${PG_CONFIG:-pg_config}
oldest=${AIRFLOW_VERSIONS[0]}
newest=${AIRFLOW_VERSIONS[-1]}
differential_suites=("${AIRFLOW_VERSIONS[@]/#/differential-}")
schedule_suites=("${AIRFLOW_VERSIONS[@]/#/schedule-}")
commits_suites=("${AIRFLOW_VERSIONS[@]/#/commits-}")
hold_suites=("${AIRFLOW_VERSIONS[@]/#/hold-}" "hold_live-$oldest" "hold_live-$newest")
live_suites=("live-$oldest" "live-$newest")
# shellcheck disable=SC2034
all_suites=(regress isolation pgtap guard security upgrade docs server restore replication pg_upgrade crash faults leaks
    races fuzz health "${differential_suites[@]}" "${schedule_suites[@]}" "${commits_suites[@]}" "${hold_suites[@]}" "${live_suites[@]}"
    pickles runbook throttle migrations watch monitoring)

# Seconds on two idle cores, with another suite beside it. Only the order matters, in which they start: the longest first,
# so that none goes on alone at the end. One that is not here starts first.
declare -A suite_seconds=([migrations]=300 [watch]=250 [live-$newest]=240 [live-$oldest]=230 [differential-$newest]=200
    [health]=90 [monitoring]=90 [crash]=85 [fuzz]=75 [throttle]=70 [differential-3.0.6]=60 [differential-3.1.8]=60
    [differential-3.2.2]=60 [isolation]=35 [regress]=30 [guard]=30 [faults]=30 [server]=17 [restore]=15 [upgrade]=15
    [schedule-3.0.6]=80 [schedule-3.1.8]=80 [schedule-3.2.2]=80 [schedule-$newest]=80 [races]=60 [pickles]=30 [runbook]=75
    [hold-3.0.6]=100 [hold-3.1.8]=100 [hold-3.2.2]=100 [hold-$newest]=100 [hold_live-$oldest]=300 [hold_live-$newest]=300
    [commits-3.0.6]=60 [commits-3.1.8]=60 [commits-3.2.2]=60 [commits-$newest]=60
    [security]=15 [replication]=12 [leaks]=10 [pgtap]=7 [docs]=7 [pg_upgrade]=1)

# The versions of Airflow that a suite needs.
airflow_of() { # suite
    case $1 in
        guard | throttle | monitoring) echo "$newest" ;;
        watch) echo 2.11.2 "$newest" ;;
        migrations) echo 2.11.2 "${AIRFLOW_VERSIONS[@]}" ;;
        health) echo 2.10.5 2.11.2 "${AIRFLOW_VERSIONS[@]}" ;;
        differential-*) echo 2.10.5 "${1#*-}" ;;
        runbook) echo 2.11.2 "$newest" ;;
        pickles) echo 2.11.2 "$oldest" "$newest" ;;
        schedule-* | commits-* | hold-* | hold_live-* | live-*) echo "${1#*-}" ;;
    esac
}

longest_first() { # suite ...
    local suite
    for suite in "$@"; do
        echo "${suite_seconds[$suite]:-9999} $suite"
    done | sort -s -rn -k 1,1 | cut -d ' ' -f 2
}

# pg_regress and pg_isolation_regress look for answers below their output directory first, so they are
# shown the way to them, and leave nothing outside of build/.
output_directory() { # name, the answers
    rm -rf "build/$1"
    mkdir -p "build/$1"
    ln -s "$2" "build/$1/expected"
}

# Why a suite cannot run here; empty when it can.
obstacle() { # suite
    case $1 in
        monitoring) test/monitoring/install 2>&1 >/dev/null | tail -n 1 ;;
        pg_upgrade) test/pg-upgrade --obstacle ;;
        pgtap)
            if ! command -v pg_prove >/dev/null; then
                echo "pg_prove is not installed: tools/install-deps"
            elif [ ! -e "$("$pg_config" --sharedir)/extension/pgtap.control" ]; then
                echo "there is no pgTAP for this PostgreSQL"
            fi
            ;;
    esac
}

# Becomes the suite. KIND-VERSION is a test with that version of Airflow.
exec_suite() { # suite
    local kind=${1%%-*} version=${1#*-} variants=()
    local cluster=(env "CLUSTER_OPTIONS=-c max_prepared_transactions=5" test/lib/with-cluster)

    case $1 in
        regress)
            output_directory regress "$PWD/expected"
            exec "${cluster[@]}" make -s installcheck PG_CONFIG="$pg_config" ISOLATION= \
                REGRESS_OPTS="--inputdir=test --outputdir=build/regress --encoding=UTF8 --no-locale"
            ;;
        isolation)
            output_directory isolation "$PWD/test/isolation/expected"
            exec "${cluster[@]}" make -s installcheck PG_CONFIG="$pg_config" REGRESS= \
                ISOLATION_OPTS="--inputdir=test/isolation --outputdir=build/isolation --launcher=test/isolation/with-fixture"
            ;;
        pgtap) exec "${cluster[@]}" sh -c 'createdb pgtap && pg_prove --verbose -d pgtap test/pgtap/*.sql' ;;
        docs) exec test/doc-examples ;;
        guard) exec test/bench/guard ;;
        server) exec test/server-checks ;;
        pg_upgrade) exec test/pg-upgrade ;;
        security | restore | replication) exec "test/$1" ;;
        leaks) exec test/leaks 100000 5000 ;;
        fuzz) exec test/fuzz/run 35 ;;
        upgrade | crash | races | faults | monitoring) exec "test/$1/run" ;;
        health | throttle | migrations | watch | pickles | runbook) exec "test/airflow/$1" ;;
        *-*)
            if [ "$kind" = differential ] && [ "$version" != "$newest" ]; then
                variants=(--variant plain --variant defaults --variant commit)
            fi
            exec "test/airflow/$kind" --airflow "$version" "${variants[@]}"
            ;;
    esac
}

# Print "passed failed skipped" of a suite's log.
count_checks() { # suite, log
    case $1 in
        regress | isolation) # "test NAME ... ok", from PostgreSQL 16 on TAP
            awk '/^(test|    ).* \.\.\. ok/ || /^ok / { passed++ }
                 /^(test|    ).* \.\.\. FAILED/ || /^not ok / { failed++ }
                 END { print passed + 0, failed + 0, 0 }' ;;
        pgtap)
            awk '/^(not )?ok .*# SKIP/ { skipped++; next } /^ok / { passed++ } /^not ok / { failed++ }
                 END { print passed + 0, failed + 0, skipped + 0 }' ;;
        *) # "N of M equal" a variant, or "N passed, N failed, N skipped"
            awk '/^[0-9]+ of [0-9]+ equal/ { passed += $1; failed += $3 - $1 }
                 match($0, /[0-9]+ passed, [0-9]+ failed/) {
                     split(substr($0, RSTART, RLENGTH), word, " "); passed += word[1]; failed += word[3] }
                 match($0, /[0-9]+ skipped/) { skipped += substr($0, RSTART, RLENGTH) + 0 }
                 END { print passed + 0, failed + 0, skipped + 0 }' ;;
    esac <"$2"
}
