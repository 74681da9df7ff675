# shellcheck shell=bash
# PgBouncer in transaction mode before the cluster of test/lib/cluster.sh. Source both, then, after cluster_start:
#
#   pooler_start ROLE      # for this role only; exports POOLER_PORT
#   pooler_stop            # before cluster_stop
#
# Few server connections for many clients: what one transaction leaves in a session, others get to see.

POOLER_PID=

pooler_start() {
    local role=$1 options=()

    "${BASH_SOURCE[0]%/*}/../../tools/install-deps" pgbouncer || return 1
    POOLER_PORT=$(cluster_free_port)
    export POOLER_PORT
    echo "\"$role\" \"\"" | cluster_as_owner tee "$CLUSTER_DIR/pgbouncer.users" >/dev/null
    cluster_as_owner tee "$CLUSTER_DIR/pgbouncer.ini" >/dev/null <<INI
[databases]
* = host=127.0.0.1 port=$PGPORT
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $POOLER_PORT
unix_socket_dir =
auth_type = trust
auth_file = $CLUSTER_DIR/pgbouncer.users
pool_mode = transaction
default_pool_size = 12
max_client_conn = 500
ignore_startup_parameters = extra_float_digits
logfile = $CLUSTER_DIR/pgbouncer.log
INI
    [ "$(id -u)" -ne 0 ] || options=(-u postgres)
    PATH=$PATH:/usr/sbin pgbouncer -q "${options[@]}" "$CLUSTER_DIR/pgbouncer.ini" &
    POOLER_PID=$!
}

pooler_stop() {
    [ -n "$POOLER_PID" ] || return 0
    kill "$POOLER_PID" 2>/dev/null || true
    wait "$POOLER_PID" 2>/dev/null || true
    POOLER_PID=
}
