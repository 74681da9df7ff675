-- on_mismatch observe: a dry run of a pin changes no run, and records what it would have done.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
CALL lab.two_versions('d');
SELECT version_number, on_mismatch FROM airflow_pin.pin('d', 1, 'observe');
CALL lab.run('d', 'scheduled_1');
CALL lab.run('d', 'manual_1', 'manual');
SELECT * FROM lab.runs ORDER BY run_id;
SELECT run_id, task_id, version FROM lab.tasks ORDER BY run_id, task_id;
SELECT * FROM lab.decisions;

-- What matches is not recorded.
SELECT version_number FROM airflow_pin.pin('d', 2, 'observe');
CALL lab.run('d', 'scheduled_2');
SELECT count(*) FROM airflow_pin.run_decision WHERE run_id = 'scheduled_2';

-- A dry run stops nothing, whatever has become of the pinned version.
SELECT version_number FROM airflow_pin.pin('d', 1, 'observe');
DELETE FROM dag_version WHERE dag_id = 'd' AND version_number = 1;
CALL lab.run('d', 'scheduled_3');
CALL lab.run('d', 'manual_3', 'manual');
SELECT * FROM lab.runs WHERE run_id LIKE '%_3' ORDER BY run_id;
SELECT run_id, action, requested, effective FROM lab.decisions WHERE run_id LIKE '%\_3';

CALL lab.two_versions('e');
SELECT version_number FROM airflow_pin.pin('e', 1, 'observe');
DELETE FROM serialized_dag WHERE dag_version_id = lab.uuid('e1');
CALL lab.run('e', 'e_1');
UPDATE dag SET bundle_name = 'elsewhere' WHERE dag_id = 'e';
CALL lab.run('e', 'e_2', 'manual');
SELECT * FROM lab.runs WHERE dag_id = 'e' ORDER BY run_id;
SELECT run_id, action, requested, effective FROM lab.decisions WHERE run_id LIKE 'e\_%';

-- A run that names no version, as of an Airflow that has not parsed the DAG yet.
SELECT version_number FROM airflow_pin.pin('e', 2, 'observe');
INSERT INTO dag_run (dag_id, run_id, run_type, state) VALUES ('e', 'e_none', 'scheduled', 'queued');
SELECT * FROM lab.runs WHERE run_id = 'e_none';
SELECT action, requested, effective, req_commit, eff_commit, detail FROM lab.decisions WHERE run_id = 'e_none';
