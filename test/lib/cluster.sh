# shellcheck shell=bash
# A throwaway PostgreSQL cluster for tests. Source this file in bash, then:
#
#   cluster_start          # initdb in a new directory and start it; exports
#                          # PGHOST, PGPORT, PGUSER and PGDATABASE
#   trap cluster_stop EXIT # ends the server and removes the directory
#   cluster_restart        # the same server with nothing in its memory
#
# PG_CONFIG names the server's pg_config (default: the one on the PATH).
# CLUSTER_KEEP=1 makes cluster_stop leave the cluster up and say how to reach
# and how to end it. CLUSTER_OPTIONS adds options for the server ("-c a=b").
# CLUSTER_LIST is a file that gets the directory as a line, for whoever has to
# clean up after a test that was killed.
#
# As root the server runs as user postgres, else as oneself. It listens on a
# socket in its own directory and on 127.0.0.1, at a port that was free, and
# trusts everybody.

CLUSTER_DIR=

cluster_as_owner() {
    if [ "$(id -u)" -eq 0 ]; then
        (cd / && runuser -u postgres -- "$@")
    else
        "$@"
    fi
}

cluster_free_port() {
    python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

cluster_pg_ctl() {
    cluster_as_owner "$CLUSTER_BIN/pg_ctl" -s -w -D "$CLUSTER_DIR/data" "$@"
}

# A new data directory: a copy of the first one that initdb of this server made, in a third of the time.
cluster_initdb() {
    local build kept output share
    share=$("${PG_CONFIG:-pg_config}" --sharedir)
    build=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/build
    # By what is in it, and whose it is.
    kept=$build/initdb/$({ cluster_as_owner id -u && cat "$CLUSTER_BIN"/{initdb,postgres} "$share"/*.{bki,sample,sql}; } |
        md5sum | cut -c -32)
    if [ -d "$kept" ] && cp -a "$kept" "$CLUSTER_DIR/data" 2>/dev/null; then
        return 0
    fi
    rm -rf "$CLUSTER_DIR/data"
    if ! output=$(cluster_as_owner "$CLUSTER_BIN/initdb" -D "$CLUSTER_DIR/data" -U postgres -A trust \
        --encoding=UTF8 --locale=C.UTF-8 --no-sync 2>&1); then
        echo "$output" >&2
        echo "cluster: initdb failed" >&2
        return 1
    fi
    # Where others do the same just now, the first one wins. Without one, the next cluster takes longer.
    if ! { mkdir -p "$build/initdb" && cp -a "$CLUSTER_DIR/data" "$kept.$$" && mv -T "$kept.$$" "$kept"; } 2>/dev/null; then
        rm -rf "$kept.$$"
    fi
}

cluster_start() {
    CLUSTER_BIN=$("${PG_CONFIG:-pg_config}" --bindir)
    CLUSTER_DIR=$(cluster_as_owner mktemp -d /tmp/airflow_pin.XXXXXX)
    # Others may look into it: Airflow and psql may run as another user.
    cluster_as_owner chmod 755 "$CLUSTER_DIR"
    [ -z "${CLUSTER_LIST:-}" ] || echo "$CLUSTER_DIR" >>"$CLUSTER_LIST"

    cluster_initdb || return

    # Somebody may take the port between the choice and the start.
    local _
    for _ in 1 2 3; do
        PGPORT=$(cluster_free_port)
        if cluster_pg_ctl -l "$CLUSTER_DIR/log" -o "-p $PGPORT -k $CLUSTER_DIR \
            -c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off \
            -c synchronous_commit=off -c max_connections=200 ${CLUSTER_OPTIONS:-}" start; then
            export PGHOST=$CLUSTER_DIR PGPORT PGUSER=postgres PGDATABASE=postgres
            return 0
        fi
    done
    cat "$CLUSTER_DIR/log" >&2
    echo "cluster: the server did not start" >&2
    return 1
}

cluster_restart() {
    cluster_pg_ctl -m fast -l "$CLUSTER_DIR/log" restart
}

cluster_stop() {
    [ -n "$CLUSTER_DIR" ] || return 0
    if [ "${CLUSTER_KEEP:-0}" = 1 ]; then
        local owner=
        [ "$(id -u)" -ne 0 ] || owner='runuser -u postgres -- '
        cat >&2 <<KEPT

The cluster is kept:  psql -h $CLUSTER_DIR -p $PGPORT -U postgres
Its log:              $CLUSTER_DIR/log
To end it:            $owner$CLUSTER_BIN/pg_ctl -D $CLUSTER_DIR/data stop && rm -r $CLUSTER_DIR
KEPT
        return 0
    fi
    if [ -e "$CLUSTER_DIR/data/postmaster.pid" ]; then
        cluster_pg_ctl -m immediate stop || true
    fi
    rm -rf "$CLUSTER_DIR"
    CLUSTER_DIR=
}
