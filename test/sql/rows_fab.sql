-- fab_report(): what is wrong in FAB's tables, in Airflow 2 and 3, and the SQL that mends it.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
\i :abs_srcdir/fixtures/health_begin.sql
SET client_min_messages = warning;
CREATE EXTENSION airflow_pin;
RESET client_min_messages;
\set ECHO all

-- No Airflow tables at all; Airflow's, but not FAB's.
SELECT * FROM airflow_pin.fab_report();
CREATE TABLE dag_run (id int);
CREATE TABLE alembic_version (version_num text);
SELECT * FROM airflow_pin.fab_report();
DROP TABLE dag_run, alembic_version;

-- Limits.
SELECT * FROM airflow_pin.fab_report(max_rows => 0);
\echo :SQLSTATE
SELECT * FROM airflow_pin.fab_report(max_time => '-1 s');
\echo :SQLSTATE

-- Airflow 2.11, all in order.
\set ECHO none
\i :abs_srcdir/fixtures/health_airflow2.sql
\set ECHO all
INSERT INTO ab_role VALUES (1, 'Admin'), (2, 'User');
INSERT INTO ab_user (id, first_name, last_name, username, email)
    SELECT i, 'f', 'l', 'u' || i, i || '@x' FROM generate_series(1, 5) i;
INSERT INTO ab_user_role SELECT i, i, 1 FROM generate_series(1, 5) i;
INSERT INTO ab_permission VALUES (1, 'can_read'), (2, 'can_edit');
INSERT INTO ab_view_menu VALUES (1, 'DAGs'), (2, 'Jobs');
INSERT INTO ab_permission_view VALUES (1, 1, 1), (2, 2, 1);
INSERT INTO ab_permission_view_role VALUES (1, 1, 1), (2, 2, 1);
INSERT INTO ab_register_user (id, first_name, last_name, username, email) VALUES (1, 'f', 'l', 'new', 'new@x');
SELECT * FROM airflow_pin.fab_report();

-- Orphans: with the constraint there (what a restore with triggers off leaves), without it, NOT VALID.
ALTER TABLE ab_user_role DROP CONSTRAINT ab_user_role_user_id_fkey;
ALTER TABLE ab_user_role DROP CONSTRAINT ab_user_role_role_id_fkey;
INSERT INTO ab_user_role VALUES (11, 91, 1), (12, 92, 1), (13, 1, 93), (14, 94, 95);
ALTER TABLE ab_user_role ADD CONSTRAINT ab_user_role_role_id_fkey FOREIGN KEY (role_id) REFERENCES ab_role (id) NOT VALID;
SET session_replication_role = replica;
INSERT INTO ab_permission_view_role VALUES (11, 91, 1), (12, 1, 92);
INSERT INTO ab_permission_view VALUES (11, 91, 1), (12, 1, 92);
INSERT INTO ab_permission_view_role VALUES (13, 11, 1);
UPDATE ab_user SET created_by_fk = 99, changed_by_fk = 98 WHERE id = 5;
RESET session_replication_role;
SELECT check_name, severity, object, value, threshold, message FROM airflow_pin.fab_report();
SELECT object, hint, fix_sql FROM airflow_pin.fab_report() WHERE object LIKE 'ab_user%';
CALL lab.mend('airflow_pin.fab_report(bigint, interval)');
SELECT check_name, severity, message FROM airflow_pin.fab_report();
SELECT * FROM ab_user_role ORDER BY id;
SELECT * FROM ab_permission_view_role ORDER BY id;
SELECT id, created_by_fk, changed_by_fk FROM ab_user WHERE id = 5;
ALTER TABLE ab_user_role VALIDATE CONSTRAINT ab_user_role_role_id_fkey;
ALTER TABLE ab_user_role ADD CONSTRAINT ab_user_role_user_id_fkey FOREIGN KEY (user_id) REFERENCES ab_user (id);

-- NULLs: unique constraints let them through any number of times.
INSERT INTO ab_user_role VALUES (21, NULL, 1), (22, NULL, 1), (23, 1, NULL);
INSERT INTO ab_permission_view VALUES (21, NULL, 1), (22, NULL, 1), (23, 1, NULL);
INSERT INTO ab_permission_view_role VALUES (21, 21, 1), (22, NULL, 1);
SELECT check_name, severity, object, value, message FROM airflow_pin.fab_report();
CALL lab.mend('airflow_pin.fab_report(bigint, interval)');
SELECT check_name, severity FROM airflow_pin.fab_report();
SELECT * FROM ab_permission_view ORDER BY id;

-- Duplicates, where constraints are missing. Usernames differ only in case; e-mails are registered twice.
ALTER TABLE ab_user_role DROP CONSTRAINT ab_user_role_user_id_role_id_uq;
ALTER TABLE ab_permission_view_role DROP CONSTRAINT ab_permission_view_role_permission_view_id_role_id_uq;
ALTER TABLE ab_permission_view DROP CONSTRAINT ab_permission_view_permission_id_view_menu_id_uq;
ALTER TABLE ab_role DROP CONSTRAINT ab_role_name_uq;
ALTER TABLE ab_permission DROP CONSTRAINT ab_permission_name_uq;
ALTER TABLE ab_view_menu DROP CONSTRAINT ab_view_menu_name_uq;
ALTER TABLE ab_user DROP CONSTRAINT ab_user_email_uq;
DROP INDEX idx_ab_user_username, idx_ab_register_user_username;
INSERT INTO ab_user_role VALUES (31, 1, 1), (32, 1, 1), (33, NULL, 2), (34, NULL, 2);
INSERT INTO ab_permission_view VALUES (31, 1, 1), (32, 1, 1);
INSERT INTO ab_permission_view_role VALUES (31, 31, 1), (32, 32, 2), (33, 31, 2), (34, 1, 1);
INSERT INTO ab_role VALUES (31, 'User');
INSERT INTO ab_permission VALUES (31, 'can_read');
INSERT INTO ab_view_menu VALUES (31, 'Jobs');
INSERT INTO ab_user (id, first_name, last_name, username, email) VALUES (31, 'f', 'l', 'U1', '31@x'), (32, 'f', 'l', 'v', '2@x');
INSERT INTO ab_register_user (id, first_name, last_name, username, email, registration_date)
    VALUES (31, 'f', 'l', 'NEW', 'a@x', '2024-01-02'), (32, 'f', 'l', 'b', 'new@x', '2024-01-01'),
           (33, 'f', 'l', 'later', 'twice@x', '2024-01-03'), (34, 'f', 'l', 'earlier', 'twice@x', '2024-01-02');
SELECT check_name, severity, object, value, message, hint FROM airflow_pin.fab_report();
SELECT object, fix_sql FROM airflow_pin.fab_report() WHERE object LIKE 'ab_user%' OR object LIKE 'ab_permission_view (%';
CALL lab.mend('airflow_pin.fab_report(bigint, interval)');
SELECT check_name, severity FROM airflow_pin.fab_report();
SELECT * FROM ab_user_role ORDER BY id;
SELECT * FROM ab_permission_view ORDER BY id;
SELECT * FROM ab_permission_view_role ORDER BY id;
SELECT id, username, email FROM ab_user WHERE id > 30 OR id < 3 ORDER BY id;
SELECT id, username, email FROM ab_register_user ORDER BY id;
SELECT id, name FROM ab_role UNION ALL SELECT id, name FROM ab_view_menu ORDER BY 1, 2;

-- An index that is not unique, is partial, or is over more columns, proves nothing; one over fewer does.
CREATE INDEX ON ab_role (name);
CREATE UNIQUE INDEX ON ab_role (name) WHERE id < 50;
CREATE UNIQUE INDEX ON ab_role (name, id);
INSERT INTO ab_role VALUES (51, 'User'), (52, 'User');
SELECT object, value FROM airflow_pin.fab_report() WHERE object LIKE 'ab_role%';
DELETE FROM ab_role WHERE id > 50;

-- Large tables are read in part: the last blocks, and others far apart.
INSERT INTO ab_user (id, first_name, last_name, username, email)
    SELECT i, 'f', 'l', 'many' || i, i || '@many' FROM generate_series(1001, 11000) i;
INSERT INTO ab_user_role SELECT i, i, 2 FROM generate_series(1001, 11000) i;
ALTER TABLE ab_user_role DROP CONSTRAINT ab_user_role_user_id_fkey;
INSERT INTO ab_user_role SELECT i, i, 2 FROM generate_series(11001, 11003) i;
UPDATE ab_user_role SET user_id = user_id + 100000 WHERE id = 1001;
VACUUM ANALYZE ab_user, ab_user_role;
SELECT check_name, severity, object, value > '0' AS some, regexp_replace(regexp_replace(message, '^\d+', 'N'), '\d+ %', 'P %') AS message, hint
    FROM airflow_pin.fab_report(max_rows => 5000, max_time => NULL);
SELECT check_name, severity, object, value, message FROM airflow_pin.fab_report(max_rows => NULL, max_time => NULL);
SELECT check_name, severity, object, value, message FROM airflow_pin.fab_report(max_rows => NULL, max_time => '1 h');
-- The longest interval of PostgreSQL 15 is no less time than that.
SELECT count(*) FILTER (WHERE severity = 'unknown') AS not_read FROM airflow_pin.fab_report(max_rows => NULL, max_time => '178000000 years');

-- A large parent without its index would be read again and again: only when there are no limits. One of
-- few rows may be.
ALTER TABLE ab_user DROP CONSTRAINT ab_user_pkey CASCADE;
ALTER TABLE ab_role DROP CONSTRAINT ab_role_pkey CASCADE;
SELECT check_name, severity, object, message, hint FROM airflow_pin.fab_report(max_rows => 5000) WHERE severity = 'unknown';
SELECT check_name, severity, object, message FROM airflow_pin.fab_report(max_rows => 30000) WHERE severity = 'unknown';
SELECT check_name, severity FROM airflow_pin.fab_report(NULL, NULL) WHERE severity = 'unknown';
ALTER TABLE ab_role ADD PRIMARY KEY (id);
ALTER TABLE ab_user ADD PRIMARY KEY (id);

-- Who only monitors sees the same; nobody else may call it. Nothing of the caller's is run.
CREATE ROLE regress_health_monitor;
GRANT pg_monitor TO regress_health_monitor;
CREATE ROLE regress_health_nobody;
SET ROLE regress_health_monitor;
SELECT check_name, severity, object, value FROM airflow_pin.fab_report(max_time => NULL);
SELECT * FROM public.ab_user;
SET ROLE regress_health_nobody;
SELECT * FROM airflow_pin.fab_report();
RESET ROLE;

-- A table that is not what it should be.
ALTER TABLE ab_user_role RENAME TO ab_user_role_table;
CREATE VIEW ab_user_role AS SELECT * FROM ab_user_role_table;
SELECT check_name, severity, object, message FROM airflow_pin.fab_report() WHERE severity = 'unknown';
DROP VIEW ab_user_role;
CREATE TABLE ab_user_role (id int, user_id text, role_id int);
INSERT INTO ab_user_role VALUES (1, 'x', 1);
SELECT check_name, severity, object, message FROM airflow_pin.fab_report() WHERE severity = 'unknown';

-- In another schema, with a name that needs quotes; read only, as on a standby.
\set ECHO none
SET client_min_messages = warning;
DROP SCHEMA public CASCADE;
CREATE SCHEMA public;
CREATE SCHEMA "Air flow";
SET search_path = "Air flow";
\i :abs_srcdir/fixtures/health_fab3.sql
SET search_path = public;
RESET client_min_messages;
\set ECHO all
INSERT INTO "Air flow".alembic_version_fab VALUES ('02ca36b0235b');
INSERT INTO "Air flow".ab_role (id, name) VALUES (1, 'Admin');
BEGIN READ ONLY;
SELECT check_name, severity, message FROM airflow_pin.fab_report();
COMMIT;

-- FAB 3.10: groups; and no migration is left that would stop.
SET session_replication_role = replica;
INSERT INTO "Air flow".ab_user_role (id, user_id, role_id) VALUES (1, 99, 1), (2, NULL, 1);
INSERT INTO "Air flow".ab_user_group (id, user_id, group_id) VALUES (1, 99, 98), (2, NULL, 98);
INSERT INTO "Air flow".ab_group_role (id, group_id, role_id) VALUES (1, 98, 97);
RESET session_replication_role;
SELECT check_name, severity, object, value, message FROM airflow_pin.fab_report();
SELECT fix_sql FROM airflow_pin.fab_report() WHERE object = 'ab_user_role (user_id)';
CALL lab.mend('airflow_pin.fab_report(bigint, interval)');
SELECT check_name, severity FROM airflow_pin.fab_report();
UPDATE "Air flow".alembic_version_fab SET version_num = '6709f7a774b9';
SET session_replication_role = replica;
INSERT INTO "Air flow".ab_user_role (id, user_id, role_id) VALUES (1, 99, 1);
RESET session_replication_role;
SELECT check_name, severity, object, value, message FROM airflow_pin.fab_report();

\set ECHO none
SET client_min_messages = warning;
DROP SCHEMA "Air flow", lab CASCADE;
DROP EXTENSION airflow_pin CASCADE;
DROP ROLE regress_health_monitor, regress_health_nobody;
