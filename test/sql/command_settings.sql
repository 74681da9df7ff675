-- Moving a pin keeps its settings: a promotion is pin(dag, version) and must not loosen the pin.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
CREATE VIEW lab.settings AS
    SELECT version_number AS version, on_mismatch, run_types, allow_override, reruns, reason, expires_at IS NOT NULL AS expires
    FROM airflow_pin.pinned_version ORDER BY dag_id, valid_from;
CALL lab.two_versions('d');

-- Without a pin, what is not given is the default; NULL is the same as not given.
SELECT version_number FROM airflow_pin.pin('d', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
SELECT * FROM lab.settings;
-- A pin with all settings, and a promotion. Reason and end are of the new pin alone.
SELECT version_number FROM airflow_pin.pin('d', 1, on_mismatch => 'reject', reruns => 'pinned', run_types => '{scheduled,manual}',
    allow_override => true, reason => 'strict', expires_at => '2999-01-01');
SELECT version_number FROM airflow_pin.pin('d', 2);
SELECT * FROM lab.settings;
-- One setting is changed, the others are kept. '{}' stands for all run types.
SELECT version_number FROM airflow_pin.pin('d', 2, run_types => '{}');
SELECT * FROM lab.settings;
SELECT version_number FROM airflow_pin.pin('d', 2, allow_override => false);
SELECT version_number FROM airflow_pin.pin('d', 2, reruns => 'airflow');
SELECT version_number FROM airflow_pin.pin('d', 2, on_mismatch => 'observe');
SELECT * FROM lab.settings;
-- The same again changes nothing, and says nothing.
SELECT version_number FROM airflow_pin.pin('d', 2);
-- A scheduled pin takes them from the pin in force, too.
SELECT version_number FROM airflow_pin.pin('d', 1, valid_from => '2999-01-01');
SELECT * FROM lab.settings;
-- rollback() brings back the settings of the pin that it goes to.
SELECT version_number, on_mismatch, reruns, run_types, allow_override FROM airflow_pin.rollback('d');
-- After unpin() there is nothing to keep.
SELECT version_number FROM airflow_pin.unpin('d');
SELECT version_number, on_mismatch, reruns, run_types, allow_override FROM airflow_pin.pin('d', 1);
-- Back at a pin that only observes, new runs get the latest version: a NOTICE says it.
SELECT version_number, on_mismatch FROM airflow_pin.pin('d', 1, 'observe');
SELECT version_number, on_mismatch FROM airflow_pin.pin('d', 2, 'rewrite');
SELECT version_number, on_mismatch FROM airflow_pin.rollback('d');
-- At the end of a pin the one that it replaced does not come back: a NOTICE says it, and what to do, ...
SELECT version_number FROM airflow_pin.pin('d', 2, 'rewrite');
SELECT version_number FROM airflow_pin.pin('d', 1, expires_at => '2999-01-01');
SELECT version_number FROM airflow_pin.pin('d', 2, valid_from => '2999-01-01');
-- ... and none where that is done, or where the one that is replaced has an end, too.
SELECT version_number FROM airflow_pin.pin('d', 1, expires_at => '2999-01-01', reason => 'again');
SELECT version_number FROM airflow_pin.unpin('d');
SELECT version_number FROM airflow_pin.pin('d', 1, expires_at => '2999-01-01');
SELECT version_number FROM airflow_pin.pin('d', 1, expires_at => '2999-01-02');

-- A pin whose time is over has no say.
SET client_min_messages = warning;
SELECT version_number FROM airflow_pin.pin('d', 1, 'reject', expires_at => clock_timestamp() + '50 ms');
SELECT expires_at AS end FROM airflow_pin.pinned_version \gset
CALL lab.wait_until(:'end');
SELECT version_number, on_mismatch FROM airflow_pin.pin('d', 1);
