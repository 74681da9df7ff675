# shellcheck shell=bash
# A database with pins, history, decisions and runs, and whether another one is the same and goes on from there: for
# tests of restores, replicas and upgrades. Source this file, after checks.sh.
#
# DAG "d" has versions 1 to 3. It was pinned to 1, then to 2, which is in force: rollback() leads to 1.

fixtures=$(cd "$(dirname "${BASH_SOURCE[0]}")/../fixtures" && pwd)

make_pinned_dag() { # database
    sql -d "$1" -f "$fixtures/begin.sql" >/dev/null
    sql -d "$1" >/dev/null -c "CALL lab.two_versions('d')" -c "CALL lab.commit('d', 'c', lab.task('third'))" \
        -c "CALL lab.run('d', 'free')" -c "CALL lab.run('d', 'free_manual', 'manual')" \
        -c "SELECT airflow_pin.pin('d', 1, reason => 'first')" -c "CALL lab.run('d', 'first')" \
        -c "SELECT airflow_pin.pin('d', 2, reason => 'second')" -c "CALL lab.run('d', 'second')" \
        -c "CALL lab.run('d', 'second_manual', 'manual')" \
        -c "UPDATE dag_run SET state = 'running' WHERE run_id IN ('free', 'first')"
}

# All rows that matter, as one line.
rows_of() { # database, options of psql
    local table
    for table in airflow_pin.pinned_version airflow_pin.pin_history airflow_pin.run_decision dag_run task_instance \
        dag_version serialized_dag dag_code; do
        sql "${@:2}" -d "$1" -c "SET timezone = 'UTC'" -c "SELECT '$table', count(*), md5(string_agg(t::text, ' ' ORDER BY t::text COLLATE \"C\")) FROM $table t"
    done
}

same_rows() { # name, database, the rows wanted, options of psql
    expect "$1: pins, history, decisions, runs and versions are as they were" "$3" "$(rows_of "$2" "${@:4}")"
}

in_force() { # database, options of psql
    sql "${@:2}" -d "$1" -c "SELECT state || ': ' || detail FROM airflow_pin.status() WHERE item = 'in_force'"
}

run_of() { # database, run_id, options of psql
    sql "${@:3}" -d "$1" -c "SELECT state, version, commit, tasks FROM lab.whole WHERE run_id = '$2'"
}

# Pins are in force, and the next run, pin and rollback go on from what was there.
goes_on() { # name, database, options of psql
    local name=$1 db=$2 options=("${@:3}")

    expect "$name: status() says that pins are in force" \
        "yes: Pins are obeyed by every insert into dag_run." "$(in_force "$db" "${options[@]}")"
    expect "$name: all triggers are there" present \
        "$(sql "${options[@]}" -d "$db" -c "SELECT DISTINCT state FROM airflow_pin.status() WHERE item LIKE 'trigger %'")"
    sql "${options[@]}" -d "$db" -c "CALL lab.run('d', 'after')" -c "CALL lab.run('d', 'after_manual', 'manual')"
    expect "$name: a scheduled run is held" 'queued|2|b|extract:2 report:2' "$(run_of "$db" after "${options[@]}")"
    expect "$name: a manual run is held" 'queued|2|b|extract:2 report:2' "$(run_of "$db" after_manual "${options[@]}")"
    expect "$name: rollback() knows the way back" 1 \
        "$(sql "${options[@]}" -d "$db" -c "SELECT version_number FROM airflow_pin.rollback('d')")"
    sql "${options[@]}" -d "$db" -c "CALL lab.run('d', 'rolled_back')"
    expect "$name: and is obeyed" 'queued|1|a|extract:1 load:1' "$(run_of "$db" rolled_back "${options[@]}")"
    expect "$name: the pinned version cannot be deleted" 3 \
        "$(sql "${options[@]}" -d "$db" -c "SET client_min_messages = error" -c "DELETE FROM dag_version WHERE version_number = 1" -c "SELECT count(*) FROM dag_version WHERE dag_id = 'd'")"
}
