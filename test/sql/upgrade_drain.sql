-- drain() as it waits: without a snapshot or a lock, until others have finished, or it is cancelled. A
-- second session is needed that waits for no lock, which an isolation test cannot have.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\i :abs_srcdir/fixtures/health.sql

SELECT current_database() AS database \gset
\setenv PGDATABASE :database
\setenv PGAPPNAME draining
\setenv PGOPTIONS '-c client_min_messages=error'
CREATE TABLE ended (n serial, how text);
CREATE FUNCTION draining() RETURNS SETOF pg_stat_activity LANGUAGE sql AS $$
    SELECT * FROM pg_stat_activity WHERE application_name = 'draining' AND query LIKE 'CALL%' AND wait_event = 'Extension' $$;
CREATE PROCEDURE until(condition text) LANGUAGE plpgsql AS $$
DECLARE
    deadline timestamptz := clock_timestamp() + interval '30 s';
    done boolean := false;
BEGIN
    WHILE NOT done AND clock_timestamp() < deadline LOOP
        PERFORM pg_sleep(0.01), pg_stat_clear_snapshot();
        EXECUTE condition INTO done;
    END LOOP;
    IF NOT done THEN RAISE 'this never came: %', condition; END IF;
END $$;
INSERT INTO dag_run (dag_id, run_id, run_type, state) VALUES ('d', 'r', 'manual', 'running');

-- It returns as soon as the run has ended.
\! (psql -Xq -c "CALL airflow_pin.drain('1 min', '20 ms')" -c "INSERT INTO ended (how) VALUES ('by itself')") &
CALL until('SELECT EXISTS (SELECT FROM draining())');
SELECT how FROM ended;
UPDATE dag_run SET state = 'success';
CALL until('SELECT count(*) = 1 FROM ended');
SELECT how FROM ended ORDER BY n;

-- Between polls that are far apart it holds nothing, and can be cancelled.
UPDATE dag_run SET state = 'queued';
\! (psql -Xq -v ON_ERROR_STOP=1 -c "CALL airflow_pin.drain('1 day', '1 day')" 2>/dev/null || psql -Xq -c "INSERT INTO ended (how) VALUES ('cancelled')") &
CALL until('SELECT EXISTS (SELECT FROM draining())');
SELECT backend_xid, backend_xmin, (SELECT count(*) FROM pg_locks l WHERE l.pid = d.pid AND locktype <> 'virtualxid') AS locks
FROM draining() d;
SELECT pg_cancel_backend(pid) FROM draining();
CALL until('SELECT count(*) = 2 FROM ended');
SELECT how FROM ended ORDER BY n;

-- A migration that begins meanwhile is not waited for, nor taken for the end.
\! (psql -Xq -c "CALL airflow_pin.drain('200 ms', '20 ms')" -c "INSERT INTO ended (how) VALUES ('at the timeout')") &
BEGIN;
LOCK TABLE dag_run;
CALL until('SELECT count(*) = 3 FROM ended');
SELECT how FROM ended ORDER BY n;
ROLLBACK;
