-- pause_all() and resume(): every DAG is paused, and those that were active come back in waves.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\i :abs_srcdir/fixtures/health.sql
SET client_min_messages = warning;
TRUNCATE dag CASCADE;
CREATE TABLE dag_tag (name text, dag_id text, PRIMARY KEY (name, dag_id));
RESET client_min_messages;
INSERT INTO dag (dag_id, bundle_name, is_paused) VALUES
    ('a', 'b', false), ('b', 'b', false), ('c1', 'b', false), ('c2', 'b', false), ('gone', 'b', false), ('old', 'b', true);
INSERT INTO dag_tag VALUES ('daily', 'a'), ('daily', 'c2'), ('daily', 'old'), ('Critical', 'c2');

-- Who has EXECUTE needs no right on Airflow's tables, and nobody else may.
CREATE ROLE regress_pauser;
GRANT USAGE ON SCHEMA airflow_pin TO regress_pauser;
SET ROLE regress_pauser;
SELECT * FROM airflow_pin.pause_all('upgrade');
SELECT * FROM airflow_pin.resume('upgrade');
RESET ROLE;
GRANT EXECUTE ON FUNCTION airflow_pin.pause_all, airflow_pin.resume TO regress_pauser;
SET ROLE regress_pauser;
SELECT * FROM airflow_pin.pause_all('upgrade', 'to 3.3');
SELECT * FROM airflow_pin.pause_all('upgrade', 'again');
RESET ROLE;
SELECT bool_and(is_paused) FROM dag;
SELECT label, dag_id, reason, paused_by = session_user AS by, resumed_at FROM airflow_pin.paused_dag ORDER BY dag_id;

-- In waves. What was paused before stays paused.
DELETE FROM dag WHERE dag_id = 'gone';
SELECT * FROM airflow_pin.resume('upgrade', tag => 'daily', max_dags => 1);
SELECT * FROM airflow_pin.resume('upgrade', tag => 'daily');
SELECT * FROM airflow_pin.resume('upgrade', tag => 'daily');
SELECT dag_id FROM dag WHERE NOT is_paused ORDER BY 1;
-- Somebody pauses one again, and unpauses another.
UPDATE dag SET is_paused = true WHERE dag_id = 'a';
UPDATE dag SET is_paused = false WHERE dag_id = 'b';
SELECT * FROM airflow_pin.resume('upgrade', dag_like => 'c%');
SELECT * FROM airflow_pin.resume('upgrade');
SELECT * FROM airflow_pin.resume('upgrade');
SELECT dag_id FROM dag WHERE NOT is_paused ORDER BY 1;
SELECT dag_id, resumed_at IS NOT NULL AS resumed FROM airflow_pin.paused_dag ORDER BY 1;

-- The same label again remembers what has become active since, and only that.
SELECT * FROM airflow_pin.pause_all('upgrade');
SELECT * FROM airflow_pin.resume('upgrade');

-- Refused.
SELECT * FROM airflow_pin.pause_all(NULL);
SELECT * FROM airflow_pin.pause_all('');
SELECT * FROM airflow_pin.resume(NULL);
SELECT * FROM airflow_pin.resume('other');
SELECT * FROM airflow_pin.resume('upgrade', max_dags => 0);
TRUNCATE airflow_pin.paused_dag;
SELECT * FROM airflow_pin.resume('upgrade');
SET airflow_pin.airflow_schema = 'nowhere';
SELECT * FROM airflow_pin.pause_all('upgrade');
RESET airflow_pin.airflow_schema;

-- A trigger of somebody's that would fire at commit, with the caller's rights.
INSERT INTO dag (dag_id, bundle_name, is_paused) VALUES ('watched', 'b', false);
CREATE CONSTRAINT TRIGGER "Watch" AFTER UPDATE ON dag DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
SELECT * FROM airflow_pin.pause_all('watched');
\echo :SQLSTATE
SELECT * FROM airflow_pin.resume('upgrade');
ALTER TABLE public.dag DISABLE TRIGGER "Watch";
SELECT paused_now FROM airflow_pin.pause_all('watched');
-- One for other commands does not fire.
DROP TRIGGER "Watch" ON dag;
CREATE CONSTRAINT TRIGGER "Watch" AFTER INSERT OR DELETE ON dag DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
SELECT * FROM airflow_pin.resume('watched');
DROP TRIGGER "Watch" ON dag;

-- Of many that are gone a few are named.
INSERT INTO dag (dag_id, bundle_name, is_paused) SELECT 'many_' || lpad(n::text, 2, '0'), 'b', false FROM generate_series(1, 12) n;
SELECT paused_now >= 12 AS paused FROM airflow_pin.pause_all('many');
DELETE FROM dag WHERE dag_id LIKE 'many%';
SELECT count(*) FROM airflow_pin.resume('many') WHERE resume LIKE 'many%';

\set ECHO none
REVOKE ALL ON SCHEMA airflow_pin FROM regress_pauser;
REVOKE ALL ON FUNCTION airflow_pin.pause_all, airflow_pin.resume FROM regress_pauser;
DROP ROLE regress_pauser;
