-- Every column that pins need is known to be needed: each column of the tables is taken away, one by one. status() must say no wherever a run is not held then, or a parse gets into the pinned version,
-- or a version is not kept; and must not say it of a column that nothing needs.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/begin.sql
\set ECHO none
SET client_min_messages = warning;
\o /dev/null
SET airflow_pin.log_decisions = off;
CALL lab.commit('d', 'a', lab.task('extract'), lab.task('load'), lab.task('more'));
CALL lab.commit('d', 'b', lab.task('extract'), lab.task('report'));
CALL lab.two_versions('e');

-- What Airflow inserts for a run of version 2, by column, as it is without a pin.
CALL lab.run('d', 'template');
CREATE TABLE lab.template AS
    SELECT 'dag_run' AS name, to_jsonb(r) AS content FROM dag_run r
    UNION ALL SELECT 'task_instance', to_jsonb(t) FROM task_instance t;
DELETE FROM dag_run;
SELECT version_number FROM airflow_pin.pin('d', 1);
SELECT version_number FROM airflow_pin.pin('e', 2);
DROP ROLE IF EXISTS airflow_pin_parser;
CREATE ROLE airflow_pin_parser;
GRANT USAGE ON SCHEMA public, lab TO airflow_pin_parser;
GRANT ALL ON ALL TABLES IN SCHEMA public TO airflow_pin_parser;
CREATE TABLE lab.result (name text, change text, in_force text, detail text, held text);

-- The content with a column's name changed.
CREATE FUNCTION lab.renamed(content jsonb, col text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT CASE WHEN content ? col THEN content - col || jsonb_build_object('taken', content -> col) ELSE content END $$;

-- What becomes of a run, when "col" of "tab" has another name: "held", or what else.
CREATE FUNCTION lab.try_run(tab text, col text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    run text := CASE tab WHEN 'dag_run' THEN col END;
    task text := CASE tab WHEN 'task_instance' THEN col END;
    result text;
    problem text;
BEGIN
    SET CONSTRAINTS ALL DEFERRED;
    EXECUTE 'INSERT INTO dag_run SELECT r.* FROM lab.template t, jsonb_populate_record(NULL::dag_run, lab.renamed(t.content, $1)) r
             WHERE t.name = ''dag_run''' USING run;
    EXECUTE 'INSERT INTO task_instance SELECT r.* FROM lab.template t, jsonb_populate_record(NULL::task_instance, lab.renamed(t.content, $1)) r
             WHERE t.name = ''task_instance''' USING task;
    SET CONSTRAINTS ALL IMMEDIATE;
    SELECT string_agg(concat_ws(' ', r.j ->> coalesce(nullif('state', run), 'taken'), v.version_number), ',') INTO result
        FROM (SELECT to_jsonb(r) AS j FROM dag_run r) r
        LEFT JOIN (SELECT to_jsonb(v) ->> CASE WHEN tab = 'dag_version' AND col = 'id' THEN 'taken' ELSE 'id' END AS id,
                          to_jsonb(v) ->> CASE WHEN tab = 'dag_version' AND col = 'version_number' THEN 'taken'
                                               ELSE 'version_number' END AS version_number FROM dag_version v) v
            ON v.id = r.j ->> coalesce(nullif('created_dag_version_id', run), 'taken');
    SELECT string_agg(t.j ->> coalesce(nullif('task_id', task), 'taken'), ',' ORDER BY t.j ->> coalesce(nullif('task_id', task), 'taken')) INTO problem
        FROM (SELECT to_jsonb(t) AS j FROM task_instance t) t;
    RETURN CASE WHEN result = 'queued 1' AND problem = 'extract,load,more' THEN 'held'
                ELSE concat_ws(': ', result, problem) END;
EXCEPTION WHEN OTHERS THEN
    RETURN 'error: ' || SQLERRM;
END $$;

-- Does the pinned version stay what it is, when the latest is pinned and is parsed again with other content?
CREATE FUNCTION lab.try_parse(tab text, col text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hash text := CASE WHEN tab = 'serialized_dag' AND col = 'dag_hash' THEN 'taken' ELSE 'dag_hash' END;
    version text := CASE WHEN tab = 'serialized_dag' AND col = 'dag_version_id' THEN 'taken' ELSE 'dag_version_id' END;
    held boolean;
BEGIN
    -- without the owner's rights it is no migration that has just altered the table
    SET LOCAL ROLE airflow_pin_parser;
    EXECUTE format('UPDATE serialized_dag SET %I = ''other'' WHERE %I = $1', hash, version) USING lab.uuid('e2');
    EXECUTE format('SELECT %I <> ''other'' FROM serialized_dag WHERE %I = $1', hash, version) INTO held USING lab.uuid('e2');
    IF NOT held THEN
        RESET ROLE;
        RETURN 'parse got in';
    END IF;
    EXECUTE format('DELETE FROM serialized_dag WHERE %I = $1', version) USING lab.uuid('e2');
    EXECUTE format('SELECT count(*) = 1 FROM serialized_dag WHERE %I = $1', version) INTO held USING lab.uuid('e2');
    RESET ROLE;
    RETURN CASE WHEN held THEN 'held' ELSE 'deleted' END;
EXCEPTION WHEN OTHERS THEN
    RETURN 'error: ' || SQLERRM;
END $$;

CREATE PROCEDURE lab.try(tab text, col text, change text, ddl text) LANGUAGE plpgsql AS $$
DECLARE
    state text;
    detail text;
    run text;
    parse text;
BEGIN
    BEGIN
        EXECUTE ddl;
        SELECT s.state, s.detail INTO state, detail FROM airflow_pin.status() s WHERE s.item = 'in_force';
        run := lab.try_run(tab, CASE change WHEN 'renamed' THEN col END);
        parse := lab.try_parse(tab, CASE change WHEN 'renamed' THEN col END);
        RAISE EXCEPTION USING ERRCODE = 'ZZ999';
    EXCEPTION WHEN SQLSTATE 'ZZ999' THEN
    END;
    INSERT INTO lab.result VALUES (tab || '.' || col, change, state, detail, nullif(concat_ws('; ', run, parse), 'held; held'));
END $$;

SET client_min_messages = error;
DROP VIEW lab.whole, lab.runs, lab.tasks CASCADE;
DO $$
DECLARE c record;
BEGIN
    FOR c IN SELECT relname, attname, format_type(atttypid, atttypmod) AS type FROM pg_attribute a JOIN pg_class t ON t.oid = attrelid
             WHERE t.relname IN ('dag', 'dag_run', 'dag_version', 'dag_code', 'serialized_dag', 'task_instance')
               AND t.relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped ORDER BY 1, 2
    LOOP
        CALL lab.try(c.relname, c.attname, 'renamed', format('ALTER TABLE %I RENAME %I TO taken', c.relname, c.attname));
    END LOOP;
END $$;
\o
\set ECHO all
-- Nothing but what is needed, and all of it, where nothing else tells: this must be empty.
SELECT name, change, in_force, held FROM lab.result WHERE in_force IS DISTINCT FROM 'no' AND held IS NOT NULL;
-- Where status() says no and this run and this parse were held all the same: what only some runs need.
SELECT name FROM lab.result WHERE in_force = 'no' AND held IS NULL ORDER BY name COLLATE "C";
-- All together.
SELECT in_force, held IS NULL AS held, count(*) FROM lab.result GROUP BY 1, 2 ORDER BY 1, 2;
DROP OWNED BY airflow_pin_parser;
DROP ROLE airflow_pin_parser;
