# shellcheck shell=bash
# What the tests in bash share: SQL, comparing, waiting, counting. Source this file, after cluster.sh.

passed=0
failed=0

sql() { psql -XAtq -v ON_ERROR_STOP=1 "$@" </dev/null; }

# Compare two texts; a line a test.
expect() { # name, wanted, found
    if [ "$3" = "$2" ]; then
        echo "ok - $1"
        passed=$((passed + 1))
    else
        printf 'not ok - %s\n  wanted: %s\n  found:  %s\n' "$1" "${2//$'\n'/ / }" "${3//$'\n'/ / }"
        failed=$((failed + 1))
    fi
}

# A command that must succeed; a line a test, and the end of what it has said when it does not. It may be a function,
# which ends at its first command that fails. What it has said is in the file $CHECK_OUTPUT.
CHECK_OUTPUT=$(mktemp)
check() { # name, command ...
    local name=$1 status
    shift
    # In "if" or "||", bash would go on after a command that fails.
    set +e
    (set -e; "$@") >"$CHECK_OUTPUT" 2>&1 </dev/null
    status=$?
    set -e
    if [ $status -eq 0 ]; then
        echo "ok - $name"
        passed=$((passed + 1))
    else
        echo "not ok - $name"
        tail -n 40 "$CHECK_OUTPUT" | sed 's/^/    /'
        failed=$((failed + 1))
    fi
}

# Wait until a condition holds, at most 30 s; looks ten times a second.
wait_for() { # command
    local _
    for _ in $(seq 300); do
        if "$@" >/dev/null 2>&1; then return 0; fi
        read -rt 0.1 <> <(:) || true
    done
    echo "not ok - waited 30 s in vain for $*"
    failed=$((failed + 1))
    return 1
}

is_true() { # SQL, options of psql
    [ "$(sql "${@:2}" -c "SELECT $1")" = t ]
}
wait_until() { # SQL that becomes true, options of psql
    wait_for is_true "$@" || true
}

finish_checks() {
    rm -f "$CHECK_OUTPUT"
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}
