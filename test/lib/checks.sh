# shellcheck shell=bash
# Tests that are a list of checks. Source this file in bash under "set -e", then:
#
#   check NAME COMMAND [ARGUMENT ...]   # "ok - NAME", or "not ok - NAME" and the end of what the command has said
#   checks_done                         # "N passed, N failed"; fails when one failed
#
# The command may be a function: it ends at its first command that fails. Its output is in $CHECK_OUTPUT.

CHECK_OUTPUT=$(mktemp)
checks_passed=0
checks_failed=0

check() {
    local name=$1 status
    shift
    # In "if" or "||", bash would go on after a command that fails.
    set +e
    (set -e; "$@") >"$CHECK_OUTPUT" 2>&1 </dev/null
    status=$?
    set -e
    if [ $status -eq 0 ]; then
        echo "ok - $name"
        checks_passed=$((checks_passed + 1))
    else
        echo "not ok - $name"
        tail -n 40 "$CHECK_OUTPUT" | sed 's/^/    /'
        checks_failed=$((checks_failed + 1))
    fi
}

checks_done() {
    rm -f "$CHECK_OUTPUT"
    echo "$checks_passed passed, $checks_failed failed"
    [ "$checks_failed" -eq 0 ]
}
