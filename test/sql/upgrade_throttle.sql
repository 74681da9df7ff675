-- throttle() and unthrottle(): every DAG's max_active_runs is held down, although each parse writes it back.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
SET client_min_messages = warning;
TRUNCATE dag CASCADE;
CREATE VIEW limits AS SELECT dag_id, max_active_runs FROM dag ORDER BY dag_id;
RESET client_min_messages;
INSERT INTO dag (dag_id, bundle_name, max_active_runs) VALUES ('few', 'b', 2), ('many', 'b', 16), ('none', 'b', NULL), ('some', 'b', 5);

SELECT airflow_pin.throttle('first day', 4);
SELECT * FROM limits;
-- A parse writes the DAG's own limit back, and new DAGs come.
UPDATE dag SET max_active_runs = 16 WHERE dag_id = 'many';
UPDATE dag SET max_active_runs = 3 WHERE dag_id = 'some';
INSERT INTO dag (dag_id, bundle_name, max_active_runs) VALUES ('new', 'b', 100), ('newer', 'b', 1) ON CONFLICT (dag_id) DO UPDATE SET max_active_runs = 100;
SELECT * FROM limits;
SELECT label, max_active_runs, before, throttled_by = session_user AS by FROM airflow_pin.throttle;
-- Lower still: what was remembered stays.
SELECT airflow_pin.throttle('first day', 1);
SELECT * FROM limits;
SELECT max_active_runs, before FROM airflow_pin.throttle;
SELECT airflow_pin.throttle('other', 2);
SELECT airflow_pin.unthrottle('other');

-- Higher again: each DAG gets its own limit back as far as the new one goes.
SELECT airflow_pin.throttle('first day', 5);
SELECT * FROM limits;
SELECT airflow_pin.throttle('first day', 5);
SELECT airflow_pin.throttle('first day', 4);
SELECT * FROM limits;

-- Back to what was, but for what somebody has lowered since.
ALTER TABLE dag DISABLE TRIGGER airflow_pin_throttle;
UPDATE dag SET max_active_runs = 7 WHERE dag_id = 'some';
ALTER TABLE dag ENABLE TRIGGER airflow_pin_throttle;
SELECT airflow_pin.unthrottle('first day');
SELECT * FROM limits;
SELECT count(*) AS rows FROM airflow_pin.throttle;
SELECT count(*) AS triggers FROM pg_trigger WHERE tgname = 'airflow_pin_throttle';
UPDATE dag SET max_active_runs = 16 WHERE dag_id = 'many';
SELECT max_active_runs FROM dag WHERE dag_id = 'many';

-- Refused.
SELECT airflow_pin.throttle('', 1);
SELECT airflow_pin.throttle('x', 0);
SELECT airflow_pin.throttle('x', NULL);
SELECT airflow_pin.unthrottle('x');
CREATE TRIGGER wrong AFTER UPDATE ON dag FOR EACH ROW EXECUTE FUNCTION airflow_pin.hold_max_active_runs('1');
UPDATE dag SET max_active_runs = 1;
DROP TRIGGER wrong ON dag;
SELECT airflow_pin.hold_max_active_runs();
-- As somebody else's trigger: no limit is below the argument; without one, or without the column, nothing is held.
CREATE TABLE lab.limited (max_active_runs int);
CREATE TRIGGER one BEFORE INSERT ON lab.limited FOR EACH ROW EXECUTE FUNCTION airflow_pin.hold_max_active_runs('1');
INSERT INTO lab.limited VALUES (NULL), (7) RETURNING *;
CREATE OR REPLACE TRIGGER one BEFORE INSERT ON lab.limited FOR EACH ROW EXECUTE FUNCTION airflow_pin.hold_max_active_runs();
INSERT INTO lab.limited VALUES (7) RETURNING *;
CREATE OR REPLACE TRIGGER one BEFORE INSERT ON lab.limited FOR EACH ROW EXECUTE FUNCTION airflow_pin.hold_max_active_runs('1');
ALTER TABLE lab.limited RENAME TO unlimited;
ALTER TABLE lab.unlimited RENAME max_active_runs TO other;
INSERT INTO lab.unlimited VALUES (7) RETURNING *;
CREATE ROLE regress_throttler;
GRANT USAGE ON SCHEMA airflow_pin TO regress_throttler;
GRANT EXECUTE ON FUNCTION airflow_pin.throttle TO regress_throttler;
SET ROLE regress_throttler;
SELECT airflow_pin.throttle('x', 1);
RESET ROLE;
SELECT count(*) AS rows FROM airflow_pin.throttle;
ALTER TABLE dag_run RENAME COLUMN triggering_user_name TO other;
SELECT airflow_pin.throttle('x', 1);
SELECT airflow_pin.unthrottle('x');
ALTER TABLE dag_run RENAME COLUMN other TO triggering_user_name;

-- A trigger of somebody's that would fire at commit.
CREATE CONSTRAINT TRIGGER watch AFTER UPDATE ON dag DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
ALTER TABLE dag ENABLE ALWAYS TRIGGER watch;
SELECT airflow_pin.throttle('x', 1);
SELECT count(*) AS triggers FROM pg_trigger WHERE tgname = 'airflow_pin_throttle';
DROP TRIGGER watch ON dag;

-- The trigger goes with the extension.
SELECT airflow_pin.throttle('x', 1);
SET client_min_messages = warning;
DROP SCHEMA lab CASCADE;
DROP EXTENSION airflow_pin;
SELECT count(*) AS triggers FROM pg_trigger WHERE tgname ~ 'airflow_pin';
CREATE EXTENSION airflow_pin;

-- A schema that has no Airflow, and a column that is not Airflow's any more: nothing is held then.
SET airflow_pin.airflow_schema = 'lab';
SELECT airflow_pin.throttle('x', 1);
CREATE SCHEMA lab;
CREATE TABLE lab.dag (max_active_runs int);
SELECT airflow_pin.throttle('x', 1);
RESET airflow_pin.airflow_schema;
DROP VIEW limits;
SELECT airflow_pin.throttle('y', 4) >= 0 AS throttled;
ALTER TABLE dag ALTER max_active_runs TYPE bigint;
UPDATE dag SET max_active_runs = 99;
SELECT DISTINCT max_active_runs FROM dag;

\set ECHO none
DROP OWNED BY regress_throttler;
DROP ROLE regress_throttler;
