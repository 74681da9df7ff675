# Makes the next version's install script of this one's: with what upgrade.sql adds and changes.
/^    PRIMARY KEY (dag_id, valid_from)/i\
    ticket           text CONSTRAINT pinned_version_ticket_check CHECK (pg_catalog.length(ticket) OPERATOR(pg_catalog.<) 100),
/^    dag_run_id  *bigint$/c\
    dag_run_id               bigint,\
    ticket                   text
/^CREATE INDEX run_decision_dag_id_run_id_idx/a\
CREATE INDEX run_decision_ticket_idx ON airflow_pin.run_decision (ticket);\
COMMENT ON COLUMN airflow_pin.pinned_version.ticket IS 'The change that this pin belongs to.';\
CREATE TABLE airflow_pin.ticket (\
    id text PRIMARY KEY\
);\
COMMENT ON TABLE airflow_pin.ticket IS 'Changes that pins belong to.';\
GRANT SELECT ON airflow_pin.ticket TO pg_monitor;\
CREATE FUNCTION airflow_pin.next_release() RETURNS boolean LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_next_release';\
COMMENT ON FUNCTION airflow_pin.next_release() IS 'Is this the next release?';\
GRANT EXECUTE ON FUNCTION airflow_pin.next_release() TO pg_monitor;
/run_decision_id_seq', '');$/a\
SELECT pg_catalog.pg_extension_config_dump('airflow_pin.ticket', '');
/^COMMENT ON FUNCTION airflow_pin.unpin/,/;$/c\
COMMENT ON FUNCTION airflow_pin.unpin(text, text) IS 'Back to the latest version.';
