-- locks(): a session's own locks, and prepared transactions. (Waiters: test/isolation.)
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\i :abs_srcdir/fixtures/health.sql

SELECT count(*) FROM airflow_pin.locks();
BEGIN;
LOCK TABLE ab_user IN SHARE MODE;
SELECT count(*) FROM ab_role;
SELECT count(*) FROM not_of_airflow;
SELECT pid = pg_backend_pid() AS mine, relation, mode, granted, state, xact_age >= query_age AS age,
       blocked_by, root_blocker, depth, query LIKE 'SELECT%' AS query,
       cancel_sql = format('SELECT pg_cancel_backend(%s)', pg_backend_pid()) AS cancel
FROM airflow_pin.locks();
ROLLBACK;

-- A prepared transaction, where the server has them. It has no session that could be ended.
SELECT current_setting('max_prepared_transactions')::int > 0 AS can_prepare \gset
CREATE TABLE seen (relation text, mode text, state text, query text, cancel_sql text);
\if :can_prepare
BEGIN;
INSERT INTO ab_role VALUES (1, 'held');
PREPARE TRANSACTION 'it''s held';
INSERT INTO seen SELECT relation, mode, state, query, cancel_sql FROM airflow_pin.locks() WHERE pid IS NULL;
ROLLBACK PREPARED 'it''s held';
\else
INSERT INTO seen VALUES ('ab_role', 'RowExclusiveLock', 'prepared transaction',
                         'PREPARE TRANSACTION ''it''''s held''', 'ROLLBACK PREPARED ''it''''s held''');
\endif
SELECT * FROM seen;

-- Query texts are shown as in pg_stat_activity: to monitoring they are, to others not.
CREATE ROLE airflow_pin_nobody;
GRANT USAGE ON SCHEMA airflow_pin TO airflow_pin_nobody;
GRANT EXECUTE ON FUNCTION airflow_pin.locks() TO airflow_pin_nobody;
BEGIN;
LOCK TABLE ab_user;
SET ROLE airflow_pin_nobody;
SELECT relation, mode, state, query FROM airflow_pin.locks();
SET ROLE airflow_pin_monitor;
SELECT relation, mode, state, query LIKE 'SELECT%' AS query FROM airflow_pin.locks();
ROLLBACK;
REVOKE ALL ON SCHEMA airflow_pin FROM airflow_pin_nobody;
REVOKE ALL ON FUNCTION airflow_pin.locks() FROM airflow_pin_nobody;
DROP ROLE airflow_pin_nobody;
