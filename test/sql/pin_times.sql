-- Pins that are scheduled and pins that expire: the clock moves them, with nobody doing anything.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
CALL lab.two_versions('s');
CALL lab.commit('s', 'c', lab.task('third'));
CALL lab.two_versions('e');
SELECT clock_timestamp() + interval '2 seconds' AS later \gset

-- "s" is at version 1 and moves to version 2 in a moment; "e" is at version 1 until then.
SELECT version_number FROM airflow_pin.pin('s', 1, reason => 'now');
SELECT version_number, valid_from = :'later' AS then FROM airflow_pin.pin('s', 2, valid_from => :'later', reason => 'window');
SELECT version_number FROM airflow_pin.pin('e', 1, expires_at => :'later', reason => 'one night');
CALL lab.run('s', 's_before');
CALL lab.run('e', 'e_before');
SELECT dag_id, pinned_version, reason, expires_at = :'later' AS then FROM airflow_pin.pins();
SELECT dag_id, r.version_number, r.action FROM unnest(ARRAY['s', 'e']) dag_id, airflow_pin.resolve(dag_id) r;
SELECT item, state, detail FROM airflow_pin.status() WHERE item = 'pins';
CALL lab.wait_until(:'later');
CALL lab.run('s', 's_after');
CALL lab.run('e', 'e_after');
SELECT * FROM lab.runs ORDER BY run_id COLLATE "C";
SELECT dag_id, pinned_version, reason, expires_at FROM airflow_pin.pins();
SELECT dag_id, r.version_number, r.action FROM unnest(ARRAY['s', 'e']) dag_id, airflow_pin.resolve(dag_id) r;
SELECT item, state, detail FROM airflow_pin.status() WHERE item = 'pins';

-- The next command on the DAG, or prune_decisions(), enters the expiry in history, as of its time.
SELECT * FROM lab.history;
SELECT airflow_pin.prune_decisions();
SELECT dag_id, event, v1, v2, reason FROM lab.history WHERE dag_id = 'e';
SELECT at = :'later' AS at_its_time, by = session_user AS by FROM airflow_pin.pin_history WHERE event = 'expire';
SELECT * FROM lab.pins;

-- Back from the scheduled move leads to what it replaced.
SELECT version_number FROM airflow_pin.rollback('s');
SELECT dag_id, event, v1, v2 FROM lab.history WHERE dag_id = 's';
-- Back from an expired pin: to that pin.
SELECT version_number, expires_at FROM airflow_pin.rollback('e');

-- A later move of the pin in force leaves what is scheduled; its way back is what was in force then.
SELECT version_number FROM airflow_pin.pin('s', 1);
SELECT version_number FROM airflow_pin.pin('s', 3, valid_from => '2999-01-01');
SELECT version_number FROM airflow_pin.pin('s', 2);
SELECT version, valid FROM lab.pins WHERE dag_id = 's';
UPDATE airflow_pin.pinned_version SET valid_from = clock_timestamp() WHERE dag_id = 's' AND version_number = 3;
CALL lab.run('s', 's_third');
SELECT version FROM lab.runs WHERE run_id = 's_third';
SELECT version_number FROM airflow_pin.rollback('s');

-- rollback() says that a move is still to come.
SELECT version_number FROM airflow_pin.pin('s', 3, valid_from => '2999-01-01');
SELECT version_number FROM airflow_pin.rollback('s');
-- The same schedule twice is one; another one for that moment replaces it.
SELECT version_number FROM airflow_pin.pin('s', 3, valid_from => '2999-01-01');
SELECT version_number FROM airflow_pin.pin('s', 2, valid_from => '2999-01-01');
SELECT version_number FROM airflow_pin.pin('s', 3, valid_from => '2999-01-02');
SELECT version, valid FROM lab.pins WHERE dag_id = 's';
-- unpin() takes scheduled pins along, and returns the one that was in force.
SELECT version_number FROM airflow_pin.unpin('s');
SELECT * FROM lab.pins WHERE dag_id = 's';

-- A pin that never came into force is not what rollback() goes back to.
CALL lab.two_versions('n');
SELECT version_number FROM airflow_pin.pin('n', 1);
SELECT version_number FROM airflow_pin.pin('n', 2, valid_from => clock_timestamp() + interval '0.2 seconds');
SELECT version_number FROM airflow_pin.unpin('n');
CALL lab.wait_until(clock_timestamp() + interval '0.3 seconds');
SELECT version_number FROM airflow_pin.rollback('n');

-- Only scheduled, nothing in force.
CALL lab.two_versions('only');
SELECT version_number FROM airflow_pin.pin('only', 1, valid_from => '2999-01-01');
CALL lab.run('only', 'only_1');
SELECT version FROM lab.runs WHERE run_id = 'only_1';
SELECT action FROM airflow_pin.resolve('only');
SELECT count(*) FROM airflow_pin.pins() WHERE dag_id = 'only';
SELECT airflow_pin.unpin('only') IS NULL AS was_not_in_force;
SELECT dag_id, event, v1, v2 FROM lab.history WHERE dag_id = 'only';

-- Of several valid pins the latest valid_from rules, and when it has expired the one before it.
CALL lab.two_versions('two');
CALL lab.commit('two', 'c', lab.task('third'));
SELECT version_number FROM airflow_pin.pin('two', 1);
SELECT version_number FROM airflow_pin.pin('two', 2, valid_from => '2999-01-01', expires_at => '2999-01-02');
UPDATE airflow_pin.pinned_version SET valid_from = clock_timestamp() WHERE dag_id = 'two' AND version_number = 2;
CALL lab.run('two', 'two_during');
UPDATE airflow_pin.pinned_version SET valid_from = '2000-01-02', expires_at = '2000-01-03' WHERE dag_id = 'two' AND version_number = 2;
CALL lab.run('two', 'two_after');
SELECT run_id, version FROM lab.runs WHERE dag_id = 'two' ORDER BY run_id COLLATE "C";

-- A pin that has expired is entered in history before the next one.
CALL lab.two_versions('over');
SELECT version_number FROM airflow_pin.pin('over', 1, expires_at => '2999-01-01');
UPDATE airflow_pin.pinned_version SET valid_from = '2000-01-01', expires_at = '2000-01-02' WHERE dag_id = 'over';
SELECT version_number FROM airflow_pin.pin('over', 2);
SELECT event, v1, v2 FROM lab.history WHERE dag_id = 'over';

-- Plain DML on pinned_version acts at once, too.
DELETE FROM airflow_pin.pinned_version WHERE dag_id = 'two';
CALL lab.run('two', 'two_none');
SELECT version FROM lab.runs WHERE run_id = 'two_none';

-- Pins that were made while the clock was ahead are in force after it was set back, and are moved and removed as others.
CALL lab.two_versions('clock');
CALL lab.version('clock', 'c', ARRAY[lab.task('t')]);
SELECT version_number FROM airflow_pin.pin('clock', 1);
UPDATE airflow_pin.pinned_version SET valid_from = valid_from + interval '2 h', pinned_at = pinned_at + interval '2 h' WHERE dag_id = 'clock';
CALL lab.run('clock', 'ahead');
SELECT version_number, action FROM airflow_pin.resolve('clock');
SELECT dag_id, pinned_version FROM airflow_pin.pins() WHERE dag_id = 'clock';
SELECT state, detail FROM airflow_pin.status() WHERE item = 'pins';
SELECT version_number FROM airflow_pin.pin('clock', 2);
CALL lab.run('clock', 'right');
SELECT run_id, version FROM lab.runs WHERE dag_id = 'clock' ORDER BY run_id;
SELECT version_number FROM airflow_pin.pinned_version WHERE dag_id = 'clock';
SELECT version_number FROM airflow_pin.rollback('clock');
SELECT version_number FROM airflow_pin.unpin('clock');
