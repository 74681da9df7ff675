-- What the DAG processor writes for commit n of DAG d, as write_dag does (airflow/models/serialized_dag.py), each in one
-- transaction that locks the DAG first; and which content each commit has.
SET client_min_messages = warning;
CREATE SEQUENCE lab.commits;
CREATE TABLE lab.parsed (commit text, dag_hash text, PRIMARY KEY (commit, dag_hash));
CREATE FUNCTION lab.latest() RETURNS uuid LANGUAGE sql STABLE AS
    $$SELECT id FROM dag_version WHERE dag_id = 'd' ORDER BY version_number DESC LIMIT 1$$;
CREATE FUNCTION lab.content(n bigint) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object('__version', lab.serializer(), 'dag', jsonb_build_object('dag_id', 'd',
        'tasks', jsonb_build_array(lab.task('t', jsonb_build_object('pool', 'of_' || n))), 'timetable', '{}'::jsonb)) $$;
CREATE PROCEDURE lab.new_version(n bigint) LANGUAGE plpgsql AS $$
DECLARE
    version uuid := gen_random_uuid();
BEGIN
    INSERT INTO dag_version (id, version_number, dag_id, bundle_name, bundle_version)
        SELECT version, 1 + coalesce(max(version_number), 0), 'd', 'git', 'c' || n FROM dag_version WHERE dag_id = 'd';
    INSERT INTO serialized_dag (id, dag_id, data, dag_hash, dag_version_id)
        VALUES (gen_random_uuid(), 'd', lab.content(n)::text::LAB_JSON, 'h' || n, version);
    INSERT INTO dag_code (id, dag_id, fileloc, source_code, source_code_hash, dag_version_id)
        VALUES (gen_random_uuid(), 'd', 'd.py', 'c' || n, md5('c' || n), version);
    INSERT INTO lab.parsed VALUES ('c' || n, 'h' || n);
END $$;
CREATE PROCEDURE lab.update_code(n bigint) LANGUAGE sql AS $$
    UPDATE dag_code SET source_code = 'c' || n, source_code_hash = md5('c' || n), last_updated = clock_timestamp()
        WHERE id = (SELECT id FROM dag_code WHERE dag_version_id = lab.latest()) $$;
CREATE PROCEDURE lab.in_place(n bigint) LANGUAGE plpgsql AS $$
DECLARE
    version uuid := lab.latest();
BEGIN
    -- 3.0 leaves the order to SQLAlchemy, which writes a parent first.
    IF NOT LAB_ROWS_FOLLOW THEN
        UPDATE dag_version SET bundle_version = 'c' || n WHERE id = version;
    END IF;
    UPDATE serialized_dag SET data = lab.content(n)::text::LAB_JSON, dag_hash = 'h' || n, last_updated = clock_timestamp()
        WHERE dag_version_id = version;
    IF LAB_ROWS_FOLLOW THEN
        UPDATE dag_version SET bundle_version = 'c' || n WHERE id = version;
    END IF;
    CALL lab.update_code(n);
    INSERT INTO lab.parsed VALUES ('c' || n, 'h' || n);
END $$;
-- A commit that changes only bodies. From 3.3 on the version's row follows.
CREATE PROCEDURE lab.bodies(n bigint) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO lab.parsed SELECT 'c' || n, dag_hash FROM serialized_dag WHERE dag_version_id = lab.latest();
    IF LAB_ROWS_FOLLOW THEN
        UPDATE dag_version SET bundle_version = 'c' || n WHERE id = lab.latest();
    END IF;
    CALL lab.update_code(n);
END $$;
-- Every version that is there, the guard's among them; and those that were.
CREATE VIEW lab.mismatched_version AS
    SELECT v.version_number, v.bundle_version, s.dag_hash FROM dag_version v JOIN serialized_dag s ON s.dag_version_id = v.id
    WHERE NOT EXISTS (SELECT FROM lab.parsed WHERE commit = v.bundle_version AND parsed.dag_hash = s.dag_hash);
CREATE TABLE lab.was_mismatched AS SELECT * FROM lab.mismatched_version;
CREATE PROCEDURE lab.remove_versions() LANGUAGE plpgsql AS $$
DECLARE
    oldest integer := (SELECT version_number - 100 FROM dag_version WHERE id = lab.latest());
BEGIN
    INSERT INTO lab.was_mismatched SELECT * FROM lab.mismatched_version WHERE version_number < oldest;
    DELETE FROM dag_version WHERE dag_id = 'd' AND version_number < oldest;
END $$;
CREATE PROCEDURE lab.parse(kind integer) LANGUAGE plpgsql AS $$
DECLARE
    n bigint := nextval('lab.commits');
BEGIN
    PERFORM FROM dag WHERE dag_id = 'd' FOR UPDATE;
    UPDATE dag SET bundle_version = 'c' || n, last_parsed_time = clock_timestamp() WHERE dag_id = 'd';
    CASE
        WHEN kind <= 6 THEN CALL lab.new_version(n);
        WHEN kind <= 8 THEN CALL lab.in_place(n);
        WHEN kind = 9 THEN CALL lab.bodies(n);
        ELSE CALL lab.update_code(n); -- within the interval: nobody has looked
    END CASE;
    IF n % 200 = 0 THEN
        CALL lab.remove_versions();
    END IF;
END $$;
INSERT INTO dag (dag_id, bundle_name) VALUES ('d', 'git');
CALL lab.parse(1);
CALL lab.parse(1);

CREATE FUNCTION lab.try(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
    RETURN '';
EXCEPTION WHEN SQLSTATE '02000' OR no_data_found OR object_not_in_prerequisite_state THEN
    RETURN SQLSTATE;
END $$;
-- Every pin that was made, where the commit never had that content.
CREATE VIEW lab.mismatched AS
    SELECT h.id, h.event, h.to_version, p.bundle_version AS commit, p.dag_hash
    FROM airflow_pin.pin_history h, jsonb_populate_record(NULL::airflow_pin.pinned_version, h.pin) p
    WHERE h.pin IS NOT NULL AND NOT EXISTS (SELECT FROM lab.parsed WHERE commit = p.bundle_version AND parsed.dag_hash = p.dag_hash);
