-- The two functions of faults.c, and what must hold after every failure.
CREATE FUNCTION lab.arm_fault(text, integer) RETURNS void LANGUAGE c AS :'library', 'arm_fault';
CREATE FUNCTION lab.fault_struck() RETURNS boolean LANGUAGE c AS :'library', 'fault_struck';

CALL lab.two_versions('d');
SELECT airflow_pin.pin('d', 1);
CALL lab.two_versions('e');
SELECT airflow_pin.pin('e', 2);

CREATE TABLE lab.triggers AS SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'airflow\_pin\_%'
    AND tgrelid = ANY ('{dag_run,dag_version,serialized_dag,dag_code}'::regclass[]);

-- A run of DAG d is whole: of version 1 as pinned, or failed and of one version.
CREATE VIEW lab.problems AS
    SELECT format('run %s is %s, version %s at %s with %s', run_id, state, version, commit, tasks) AS problem
    FROM lab.whole
    WHERE ((version, commit, tasks) = (1, 'a', 'extract:1 load:1') AND state IN ('queued', 'failed')
           OR (version, commit, tasks) = (2, 'b', 'extract:2 report:2') AND state = 'failed') IS NOT TRUE
UNION ALL
    SELECT format('run %s has %s decisions', run_id, count(d.run_id))
    FROM lab.runs r LEFT JOIN airflow_pin.run_decision d USING (dag_id, run_id)
    WHERE r.state = 'queued' GROUP BY run_id HAVING count(d.run_id) <> 1
UNION ALL
    SELECT format('run %s is recorded, but is not there', run_id)
    FROM airflow_pin.run_decision LEFT JOIN lab.runs r USING (dag_id, run_id) WHERE r.run_id IS NULL
UNION ALL
    SELECT format('task instance %s of run %s, which is not there', task_id, t.run_id)
    FROM task_instance t LEFT JOIN dag_run r USING (dag_id, run_id) WHERE r.run_id IS NULL
UNION ALL
    SELECT 'the last entry of the history is not the pin'
    FROM (SELECT to_version FROM airflow_pin.pin_history WHERE dag_id = 'd' ORDER BY id DESC LIMIT 1) h
    WHERE h.to_version IS DISTINCT FROM (SELECT version_number FROM airflow_pin.pinned_version WHERE dag_id = 'd')
UNION ALL
    SELECT 'a trigger is missing' WHERE (SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'airflow\_pin\_%'
        AND tgrelid = ANY ('{dag_run,dag_version,serialized_dag,dag_code}'::regclass[])) <>
        (SELECT count FROM lab.triggers);
