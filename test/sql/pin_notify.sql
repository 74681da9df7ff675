-- Changes of pins are announced with NOTIFY on channel airflow_pin, with what changed as JSON.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
-- psql prints a notification with a process number and the payload with a time: taken apart here.
CALL lab.two_versions('d');
CALL lab.two_versions('it''s "one" \ ☃');
LISTEN airflow_pin;
\o notify.tmp
SELECT airflow_pin.pin('d', 1, reason => 'not in the payload');
SELECT airflow_pin.pin('d', 2);
SELECT airflow_pin.pin('d', 2);
SELECT airflow_pin.pin('d', 1, valid_from => '2999-01-01 00:00+00');
SELECT airflow_pin.rollback('d');
SELECT airflow_pin.unpin('d');
SELECT airflow_pin.unpin('d');
SELECT airflow_pin.pin('it''s "one" \ ☃', 1);
BEGIN;
SELECT airflow_pin.pin('d', 1);
ROLLBACK;
UNLISTEN airflow_pin;
\o
\set payloads `sed -n 's/^Asynchronous notification "airflow_pin" with payload "\(.*\)" received from server process with PID [0-9]*\.$/\1/p' notify.tmp; rm -f notify.tmp`
SELECT payload - 'valid_from' - 'by' AS payload, (payload ->> 'by') = session_user AS by,
       CASE WHEN payload ? 'valid_from' THEN
           (payload ->> 'valid_from')::timestamptz BETWEEN now() - interval '1 min' AND clock_timestamp() END AS now
    FROM (SELECT line::jsonb AS payload FROM regexp_split_to_table(:'payloads', E'\n') line) l;
