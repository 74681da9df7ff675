-- A pg_dump by the role that owns Airflow's tables works before CREATE EXTENSION, and after it: with the pins.
\set ECHO none
\getenv abs_srcdir PG_ABS_SRCDIR
SET client_min_messages = warning;
SELECT current_database() AS regression \gset
DROP DATABASE IF EXISTS regress_airflow_pin_dump;
CREATE DATABASE regress_airflow_pin_dump TEMPLATE template0;
\c regress_airflow_pin_dump
\i :abs_srcdir/fixtures/begin.sql
\set ECHO none
SET client_min_messages = warning;
DROP EXTENSION airflow_pin CASCADE;
DROP ROLE IF EXISTS regress_dump_owner, regress_dump_other;
CREATE ROLE regress_dump_owner;
CREATE ROLE regress_dump_other;
CALL lab.give_tables('regress_dump_owner');
ALTER DATABASE :"DBNAME" OWNER TO regress_dump_owner;
CALL lab.two_versions('d');
RESET client_min_messages;
\set ECHO all
-- before
\! pg_dump -N lab --role regress_dump_owner -d regress_airflow_pin_dump 2>&1 | grep -E '^pg_dump: |^COPY airflow_pin'
-- with the extension, not attached
CREATE EXTENSION airflow_pin;
\! pg_dump -N lab --role regress_dump_owner -d regress_airflow_pin_dump 2>&1 | grep -E '^pg_dump: error|^COPY airflow_pin' | cut -d' ' -f1,2
-- attached, with a pin
SELECT airflow_pin.attach();
SELECT version_number FROM airflow_pin.pin('d', 1, reason => 'kept in the dump');
\! pg_dump -N lab --role regress_dump_owner -d regress_airflow_pin_dump 2>&1 | grep -oE '^pg_dump: error|kept in the dump'
-- The owner reads, and does no more; nobody else reads.
SET ROLE regress_dump_owner;
SELECT version_number FROM airflow_pin.pinned_version;
DELETE FROM airflow_pin.pinned_version;
SELECT airflow_pin.unpin('d');
SET ROLE regress_dump_other;
SELECT version_number FROM airflow_pin.pinned_version;
RESET ROLE;
-- The tables get another owner: attach() lets that one read, too.
CALL lab.give_tables('regress_dump_other');
ALTER DATABASE :"DBNAME" OWNER TO regress_dump_other;
SELECT airflow_pin.attach();
SET ROLE regress_dump_other;
SELECT version_number FROM airflow_pin.pinned_version;
RESET ROLE;
-- The owner attaches without being a superuser: the grant is made in the name of the extension's owner.
SELECT airflow_pin.detach();
CALL lab.give_tables('regress_dump_owner');
ALTER DATABASE :"DBNAME" OWNER TO regress_dump_owner;
REVOKE ALL ON ALL TABLES IN SCHEMA airflow_pin FROM regress_dump_owner;
GRANT EXECUTE ON FUNCTION airflow_pin.attach, airflow_pin.enforce_run, airflow_pin.adopt_version, airflow_pin.protect_version,
    airflow_pin.keep_version, airflow_pin.end_clean, airflow_pin.hold_schedule TO regress_dump_owner;
SET ROLE regress_dump_owner;
SELECT airflow_pin.attach();
SELECT version_number FROM airflow_pin.pinned_version;
RESET ROLE;
-- Where there are no tables of Airflow, or in several schemas, nothing is granted.
SELECT airflow_pin.detach();
CREATE SCHEMA other;
CREATE TABLE other.dag_run ();
CREATE TABLE other.alembic_version ();
SELECT airflow_pin.grant_dump_rights();
\set ECHO none
SET client_min_messages = warning;
\c :regression
DROP DATABASE regress_airflow_pin_dump;
DROP ROLE regress_dump_owner, regress_dump_other;
