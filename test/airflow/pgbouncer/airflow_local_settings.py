"""How Airflow from 3.1 on gets on with PgBouncer in transaction mode: its asynchronous sessions must not keep
prepared statements (doc/pinning.md)."""

from uuid import uuid4

connect_args_async = {
    "statement_cache_size": 0,
    "prepared_statement_cache_size": 0,
    "prepared_statement_name_func": lambda: f"__asyncpg_{uuid4()}__",
}
