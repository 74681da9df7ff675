-- allow_override: a run may ask for a version of its own in its conf.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
CALL lab.two_versions('d');
CALL lab.commit('d', 'c', lab.task('extract'), lab.task('third'));
SELECT version_number, allow_override FROM airflow_pin.pin('d', 1, allow_override => true);
CALL lab.run('d', '01 none', 'manual');
CALL lab.run('d', '02 null', 'manual', '{"airflow_pin_version": null}');
CALL lab.run('d', '03 number', 'manual', '{"airflow_pin_version": 2, "other": [1]}');
CALL lab.run('d', '04 text', 'manual', '{"airflow_pin_version": "2"}');
CALL lab.run('d', '05 latest', 'manual', '{"airflow_pin_version": "latest"}');
CALL lab.run('d', '06 the pinned one', 'manual', '{"airflow_pin_version": 1}');
CALL lab.run('d', '07 scheduled', 'scheduled', '{"airflow_pin_version": 2}');
CALL lab.run('d', '08 conf is a list', 'manual', '["airflow_pin_version"]');
CALL lab.run('d', '09 conf is text', 'manual', '"airflow_pin_version"');
CALL lab.run('d', '10 no conf', 'manual', NULL);
SELECT run_id, state, version, commit FROM lab.runs ORDER BY run_id;
SELECT run_id, string_agg(task_id || ':' || version, ' ' ORDER BY task_id) AS tasks FROM lab.tasks GROUP BY 1 ORDER BY 1;
SELECT run_id, action, requested, effective, req_commit, eff_commit, detail FROM lab.decisions;

-- What cannot be had is an error for who asked, ...
CALL lab.run('d', 'garbage', 'manual', '{"airflow_pin_version": "newest"}');
\echo :SQLSTATE
CALL lab.run('d', 'missing', 'manual', '{"airflow_pin_version": 99}');
\echo :SQLSTATE
CALL lab.run('d', 'zero', 'manual', '{"airflow_pin_version": 0}');
CALL lab.run('d', 'negative', 'manual', '{"airflow_pin_version": -1}');
CALL lab.run('d', 'fraction', 'manual', '{"airflow_pin_version": 1.5}');
CALL lab.run('d', 'too large', 'manual', '{"airflow_pin_version": 99999999999999999999}');
CALL lab.run('d', 'trailing', 'manual', '{"airflow_pin_version": "2; DROP TABLE dag"}');
CALL lab.run('d', 'empty', 'manual', '{"airflow_pin_version": ""}');
CALL lab.run('d', 'boolean', 'manual', '{"airflow_pin_version": true}');
CALL lab.run('d', 'list', 'manual', '{"airflow_pin_version": [2]}');
SELECT count(*) FROM dag_run WHERE run_id !~ '^\d';
-- ... and a failed run for a scheduler.
CALL lab.run('d', 's garbage', 'scheduled', '{"airflow_pin_version": {"a": 1}}');
CALL lab.run('d', 's missing', 'scheduled', '{"airflow_pin_version": 99}');
SELECT run_id, state FROM lab.runs WHERE run_id LIKE 's %' ORDER BY run_id;
SELECT run_id, action, detail FROM lab.decisions WHERE run_id LIKE 's %';

-- A version is tried at the commit that new runs of it would get, also under a pin that rejects.
SELECT lab.change_bodies('d', 'c2') \g /dev/null
SELECT on_mismatch FROM airflow_pin.pin('d', 1, 'reject', allow_override => true);
CALL lab.run('d', 'try latest', 'manual', '{"airflow_pin_version": "latest"}');
CALL lab.run('d', 'try 2', 'manual', '{"airflow_pin_version": 2}');
CALL lab.run('d', 'ask for nothing', 'manual');
SELECT run_id, version, commit FROM lab.runs WHERE run_id LIKE 'try%' ORDER BY run_id;

-- A pin without allow_override ignores the key, and says so where it refuses.
SELECT allow_override FROM airflow_pin.pin('d', 1, 'rewrite', allow_override => false);
CALL lab.run('d', 'ignored', 'manual', '{"airflow_pin_version": 2}');
CALL lab.run('d', 'ignored garbage', 'manual', '{"airflow_pin_version": "x"}');
SELECT run_id, version, commit FROM lab.runs WHERE run_id LIKE 'ignored%' ORDER BY run_id;
SELECT detail FROM lab.decisions WHERE run_id = 'ignored';
SELECT on_mismatch FROM airflow_pin.pin('d', 1, 'reject', allow_override => false);
CALL lab.run('d', 'refused', 'manual', '{"airflow_pin_version": 2}');

-- A DAG without a pin knows no such key.
CALL lab.two_versions('free');
CALL lab.run('free', 'free', 'manual', '{"airflow_pin_version": 1}');
SELECT run_id, version, commit FROM lab.runs WHERE run_id = 'free';

-- A migrated database has conf as json, which may hold what jsonb cannot.
ALTER TABLE dag_run ALTER conf TYPE json;
SELECT allow_override FROM airflow_pin.pin('d', 1, 'rewrite', allow_override => true);
INSERT INTO dag_run (dag_id, run_id, run_type, state, conf, creating_job_id, bundle_version, created_dag_version_id)
    VALUES ('d', 'json', 'scheduled', 'queued', '{"airflow_pin_version": 2}', 1, 'c2', lab.uuid('d3')),
           ('d', 'json with \u0000', 'scheduled', 'queued', '{"a": "\u0000"}', 1, 'c2', lab.uuid('d3'));
SELECT run_id, state, version, commit FROM lab.runs WHERE run_id LIKE 'json%' ORDER BY run_id;
-- A number that no version has.
SELECT version_number FROM airflow_pin.pin('d', 1, 'rewrite', allow_override => true);
CALL lab.run('d', 'beyond', 'manual', '{"airflow_pin_version": 3000000000}');
