# shellcheck shell=bash
# Commands side by side, as many at a time as there are processors. Source this file in bash; then:
#
#   trap lanes_stop EXIT  # ends all that runs
#   lanes_run NAME ...    # each once, in this order as far as they can; returns when all have ended
#
# The caller names a directory in "logs", and has these functions:
#
#   lane_command NAME                  # sets the array "command"
#   lane_must_wait NAME                # succeeds while it had better not start
#   lane_ended NAME STATUS SECONDS     # what it has said is in $logs/NAME.log
#
# A command has LANE_LIMIT (20m) to end. It has a process group of its own, and LANE_GRACE (a minute) to clean up when
# it is told to end; then it is killed, and what it has left is ended here. CHECK_LANES says how many run at a time: 1 is
# one after the other.

# More would want more memory than most machines have: one Airflow is a dozen processes.
CHECK_LANES=${CHECK_LANES:-$(($(nproc) > 4 ? 4 : $(nproc)))}
LANE_LIMIT=${LANE_LIMIT:-20m}
LANE_GRACE=${LANE_GRACE:-60}
declare -A lane_of=() lane_began=()
lane_queue=()
exec {lane_clock}<> <(:)

# Starts a command beside the others.
lane_start() { # name, command ...
    local name=$1
    shift
    lane_began[$name]=$SECONDS
    # Commands in the background ignore Ctrl-C otherwise, and what they start inherits that.
    LANE=$$-$name CLUSTER_LIST=$logs/$name.clusters env --default-signal=INT,QUIT \
        timeout -k "$LANE_GRACE" "$LANE_LIMIT" "$@" >"${logs:?}/$name.log" 2>&1 </dev/null &
    lane_of[$!]=$name
}

# What a command that was killed could not clean up itself: processes, known by a variable in their environment, and
# clusters, whose processes overwrite theirs.
lane_clean_up() { # name
    local found directory
    while read -r found; do
        found=${found#/proc/}
        kill -KILL "${found%%/*}" 2>/dev/null || true
    done < <(grep -lzxF "LANE=$$-$1" /proc/[0-9]*/environ 2>/dev/null)
    [ -e "$logs/$1.clusters" ] || return 0
    while read -r directory; do
        for found in "$directory"/*/postmaster.pid; do
            [ ! -e "$found" ] || lane_end_server "$(head -n 1 "$found")"
        done
        rm -rf "$directory"
    done <"$logs/$1.clusters"
    rm -f "$logs/$1.clusters"
}

# The first process ends all others of its server when it is told to quit at once.
lane_end_server() { # process id
    local _
    for _ in $(seq 40); do
        kill -QUIT "$1" 2>/dev/null || return 0
        lane_pause
    done
    kill -KILL "$1" 2>/dev/null || true
}

lane_pause() { read -rt 0.25 -u "$lane_clock" || true; }

# Sets "next" to the first that can start. When none can, and nothing runs that could be waited for, to the first of all.
lane_choose() {
    local name
    for name in "${lane_queue[@]}"; do
        next=$name
        lane_must_wait "$name" || return 0
    done
    next=
    [ ${#lane_of[@]} -gt 0 ] || next=${lane_queue[0]}
}

lanes_fill() {
    local next name rest command
    while [ ${#lane_of[@]} -lt "$CHECK_LANES" ] && [ ${#lane_queue[@]} -gt 0 ]; do
        lane_choose
        [ -n "$next" ] || return 0
        rest=()
        for name in "${lane_queue[@]}"; do
            [ "$name" = "$next" ] || rest+=("$name")
        done
        lane_queue=("${rest[@]}")
        command=()
        lane_command "$next"
        lane_start "$next" "${command[@]}"
    done
}

lanes_run() { # name ...
    local pid name status
    lane_queue=("$@")
    lanes_fill
    while [ ${#lane_of[@]} -gt 0 ]; do
        lane_pause
        for pid in "${!lane_of[@]}"; do
            ! kill -0 "$pid" 2>/dev/null || continue
            status=0
            wait "$pid" 2>/dev/null || status=$?
            name=${lane_of[$pid]}
            unset "lane_of[$pid]"
            case $status in
                124 | 137) lane_clean_up "$name" ;; # it was told to end, or killed
            esac
            rm -f "$logs/$name.clusters"
            lane_ended "$name" "$status" $((SECONDS - lane_began[$name]))
        done
        lanes_fill
    done
}

lanes_stop() {
    local name running
    trap '' INT TERM
    mapfile -t running < <(jobs -p)
    [ ${#running[@]} -gt 0 ] || return 0
    kill "${running[@]}" 2>/dev/null || true
    wait "${running[@]}" 2>/dev/null || true
    for name in "${!lane_began[@]}"; do
        lane_clean_up "$name"
    done
}
