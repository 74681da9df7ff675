-- The role that monitoring logs in as. Run as superuser:
--
--   psql -f monitoring/role.sql
--
-- It is a member of pg_monitor and nothing else: it may call the extension's functions that look, and read no table of
-- Airflow. Give it a password, or a line in pg_hba.conf. (Timeouts belong to the connection, not here: preflight() warns of
-- those that are set for a role.)
CREATE ROLE airflow_monitor LOGIN IN ROLE pg_monitor CONNECTION LIMIT 10;
ALTER ROLE airflow_monitor SET default_transaction_read_only = on;
ALTER ROLE airflow_monitor SET search_path = '';
