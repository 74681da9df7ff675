-- A later commit that cannot be parsed, or has the DAG no more, does not stop it while its bundle is active.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\i :abs_srcdir/fixtures/hold.sql
CALL lab.scheduled('d', 'c1', lab.cron('0 0 * * *'));
CALL lab.scheduled('e', 'c1', lab.cron('0 0 * * *'));
UPDATE dag SET fileloc = '/dags/' || dag_id || '.py', relative_fileloc = dag_id || '.py';
SELECT version_number, schedule FROM airflow_pin.pin('d');
CREATE VIEW lab.flags AS SELECT dag_id, is_stale, has_import_errors FROM dag ORDER BY 1;
CREATE VIEW lab.notes AS SELECT dag_id, removed_since IS NOT NULL AS removed FROM airflow_pin.held_schedule ORDER BY 1;

-- The file cannot be parsed any more; some time later the DAG seems to be gone, too.
INSERT INTO import_error (filename, bundle_name) VALUES ('d.py', 'git');
UPDATE dag SET has_import_errors = true, is_stale = true;
SELECT * FROM lab.flags;
SELECT drift FROM airflow_pin.pins();
UPDATE dag SET is_stale = true;
SELECT * FROM lab.flags;
SELECT drift FROM airflow_pin.pins();
-- In 3.0 the error names the file by its whole path.
UPDATE import_error SET filename = '/dags/d.py';
SELECT drift FROM airflow_pin.pins();
-- It can be parsed again, and the DAG is not in it.
TRUNCATE import_error;
SELECT drift FROM airflow_pin.pins();
SELECT * FROM lab.notes;
SELECT removed_since AS since FROM airflow_pin.held_schedule \gset
UPDATE dag SET is_stale = true;
SELECT removed_since = :'since' AS same FROM airflow_pin.held_schedule;
-- It is back.
CALL lab.parse('d', '0 0 * * *', '2026-01-02');
SELECT * FROM lab.notes;
SELECT drift FROM airflow_pin.pins();

-- Unpinned, it is what Airflow says: at the next look.
UPDATE dag SET is_stale = true;
SELECT * FROM lab.notes;
SELECT version_number FROM airflow_pin.unpin('d');
SELECT * FROM lab.flags;
SELECT * FROM lab.notes;
UPDATE dag SET is_stale = true;
SELECT * FROM lab.flags;
-- Pinned, it comes back.
SELECT version_number FROM airflow_pin.pin('d');
SELECT * FROM lab.flags;
SELECT drift FROM airflow_pin.pins();
-- Not so where its bundle is not parsed any more, is not there, or cannot be looked up.
UPDATE dag_bundle SET active = false;
UPDATE dag SET is_stale = true;
SELECT * FROM lab.flags;
UPDATE dag_bundle SET active = true;
UPDATE dag SET is_stale = true;
SELECT * FROM lab.flags;
DELETE FROM dag_bundle;
UPDATE dag SET is_stale = true;
SELECT * FROM lab.flags;
ALTER TABLE dag_bundle RENAME TO bundles;
UPDATE dag SET is_stale = true;
SELECT * FROM lab.flags;
DROP TABLE import_error;
SELECT drift FROM airflow_pin.pins();
