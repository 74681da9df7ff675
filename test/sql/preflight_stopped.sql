-- preflight()'s checks of whether Airflow is stopped, and of sequences that run out.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\i :abs_srcdir/fixtures/health.sql
CREATE VIEW findings AS
    SELECT check_name, severity, object, value, threshold, regexp_replace(message, '\d+ s ago', 'N s ago') AS message, hint
    FROM airflow_pin.preflight() WHERE check_name IN ('paused_dags', 'heartbeats', 'sessions', 'sequences', 'stopped');
TRUNCATE dag CASCADE;

-- Stopped.
SELECT * FROM findings;
SELECT airflow_pin.is_ready();

-- Going on. What is stale, or had its heartbeat long ago, or has ended, does not count.
INSERT INTO dag (dag_id, bundle_name, is_paused, is_stale) VALUES ('a', 'b', false, false), ('b', 'b', true, false), ('c', 'b', false, true);
INSERT INTO job (state, job_type, latest_heartbeat, hostname) VALUES
    ('running', 'SchedulerJob', now() - interval '5 s', 'one'), ('running', 'SchedulerJob', now() - interval '7 s', 'two'),
    ('running', 'TriggererJob', now() - interval '40 s', NULL), ('running', 'DagProcessorJob', now() - interval '2 min', 'one'),
    ('success', 'LocalTaskJob', now(), 'one');
SELECT * FROM findings WHERE check_name <> 'sequences';
SELECT airflow_pin.is_ready();

-- Airflow 2 has is_active.
ALTER TABLE dag RENAME COLUMN is_stale TO is_active;
UPDATE dag SET is_active = NOT is_active;
SELECT value, message FROM findings WHERE check_name = 'paused_dags';

-- Ids of integer columns end earlier than the sequence; FAB's sequences belong to no column.
SELECT setval('log_id_seq', 1717986917);
SELECT setval('job_id_seq', 1717986918);
CREATE SEQUENCE ab_user_id_seq;
SELECT setval('ab_user_id_seq', 2147483646);
CREATE SEQUENCE other_seq;
SELECT setval('other_seq', 9223372036854775807);
ALTER TABLE backfill ALTER id TYPE bigint;
ALTER SEQUENCE backfill_id_seq AS bigint;
SELECT setval('backfill_id_seq', 2147483646);
SELECT * FROM findings WHERE check_name = 'sequences';

-- Who only monitors sees the same.
CREATE TABLE seen AS SELECT * FROM findings;
GRANT SELECT ON findings, seen TO airflow_pin_monitor;
SET ROLE airflow_pin_monitor;
SELECT check_name, object, value FROM airflow_pin.preflight()
    WHERE check_name IN ('paused_dags', 'heartbeats', 'sessions', 'sequences', 'stopped')
EXCEPT SELECT check_name, object, value FROM seen;
SELECT count(*) = (SELECT count(*) FROM seen) AS no_less FROM findings;
RESET ROLE;
