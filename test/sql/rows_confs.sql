-- bad_rows() on pickled confs of every kind. test/fixtures/pickled_confs.csv has what step 0055 of "airflow db migrate"
-- makes of each before Airflow 3.3 and since; test/airflow/pickles wrote it, and tries thousands of others.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/health_begin.sql
SET client_min_messages = warning;
CREATE EXTENSION airflow_pin;
RESET client_min_messages;
\i :abs_srcdir/fixtures/health_airflow2.sql
\set ECHO all
INSERT INTO dag (dag_id, has_task_concurrency_limits, max_active_tasks, max_consecutive_failed_dag_runs) VALUES ('d', false, 1, 0);
INSERT INTO dag_run (id, dag_id, run_id, execution_date, run_type) VALUES (1, 'd', 'r', '2024-01-01', 'manual');
CREATE FUNCTION lab.verdict(pickle bytea) RETURNS text LANGUAGE sql AS $$
    UPDATE public.dag_run SET conf = pickle;
    SELECT COALESCE((SELECT concat_ws(': ', severity, message, hint) FROM airflow_pin.bad_rows(NULL, NULL)
                     WHERE check_name = 'dag_run_conf'), 'in order')
$$;
CREATE TABLE lab.confs (pickle text, before_3_3 text, since_3_3 text);
\set file :abs_srcdir /fixtures/pickled_confs.csv
COPY lab.confs FROM :'file' (FORMAT csv, FORCE_NOT_NULL (pickle));
\x on
SELECT verdict, before_3_3, since_3_3, count(*), CASE WHEN count(*) < 4 THEN array_agg(pickle ORDER BY pickle) END AS pickles
    FROM lab.confs, lab.verdict(decode(pickle, 'hex')) verdict GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;

\x off
-- Each list has the one before twice.
CREATE FUNCTION lab.doubled(levels integer) RETURNS bytea LANGUAGE sql AS $$
    SELECT decode('5d' || string_agg('71' || n || '5d2868' || n || '68' || n || '65', '' ORDER BY i) || '2e', 'hex')
    FROM (SELECT i, lpad(to_hex(i), 2, '0') AS n FROM generate_series(0, levels - 1) i) level
$$;
SELECT lab.verdict(lab.doubled(24)); -- 256 MB less 8 bytes; PostgreSQL and Airflow take it
SELECT lab.verdict(lab.doubled(25)); -- "total size of jsonb array elements exceeds the maximum"
SELECT lab.verdict(lab.doubled(60));
-- However deep, it is lost; however wide, it is not.
SELECT lab.verdict(decode(repeat('5d', 500000) || repeat('61', 499999) || '2e', 'hex'));
SELECT lab.verdict(decode('5d28' || repeat('4e', 500000) || '652e', 'hex'));
-- What takes too much memory or too long is given up: lists, a list made a set again and again.
SELECT lab.verdict(decode(repeat('5d', 5000000) || '2e', 'hex'));
SELECT lab.verdict(decode('5d7100' || '28' || repeat('4e', 10000) || '65' || encode(E'c__builtin__\\012set\\012', 'hex') || '7101'
                          || '68016800' || repeat('85523068016800', 10000) || '2e', 'hex'));
-- A place of the memo for which Python needs 4 GB.
SELECT lab.verdict('\x4e72ffffff1f6affffff1f2e');
SELECT lab.verdict('\x4e72ffffff1f2e');
