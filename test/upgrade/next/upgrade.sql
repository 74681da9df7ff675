/* airflow_pin 1.0 to the next version, as test/upgrade has it: one of each kind of change. */

-- complain if script is sourced in psql, rather than via ALTER EXTENSION
\echo Use "ALTER EXTENSION airflow_pin UPDATE" to load this file. \quit

-- A session that began before the upgrade has the old library, which lacks what the new functions call.
DO $$
BEGIN
    IF EXISTS (SELECT FROM airflow_pin.status() AS s WHERE s.item OPERATOR(pg_catalog.=) 'library'
               AND s.state OPERATOR(pg_catalog.<>) '@NEXT@')
    THEN
        RAISE EXCEPTION 'this session has loaded another version of the library than @NEXT@'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'Reconnect, and run ALTER EXTENSION airflow_pin UPDATE again.';
    END IF;
END $$;

-- Columns come last: those that are there keep their numbers, by which the library of 1.0 knows them.
ALTER TABLE airflow_pin.pinned_version ADD COLUMN ticket text
    CONSTRAINT pinned_version_ticket_check CHECK (pg_catalog.length(ticket) OPERATOR(pg_catalog.<) 100);
COMMENT ON COLUMN airflow_pin.pinned_version.ticket IS 'The change that this pin belongs to.';
ALTER TABLE airflow_pin.run_decision ADD COLUMN ticket text;
CREATE INDEX run_decision_ticket_idx ON airflow_pin.run_decision (ticket);

CREATE TABLE airflow_pin.ticket (
    id text PRIMARY KEY
);
COMMENT ON TABLE airflow_pin.ticket IS 'Changes that pins belong to.';
SELECT pg_catalog.pg_extension_config_dump('airflow_pin.ticket', '');
GRANT SELECT ON airflow_pin.ticket TO pg_monitor;

CREATE FUNCTION airflow_pin.next_release() RETURNS boolean LANGUAGE c AS 'MODULE_PATHNAME', 'airflow_pin_next_release';
COMMENT ON FUNCTION airflow_pin.next_release() IS 'Is this the next release?';
REVOKE ALL ON FUNCTION airflow_pin.next_release() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION airflow_pin.next_release() TO pg_monitor;
COMMENT ON FUNCTION airflow_pin.unpin(text, text) IS 'Back to the latest version.';
