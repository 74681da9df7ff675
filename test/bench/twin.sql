-- What a user would write without this extension: a trigger function in plpgsql, and its table.
CREATE TABLE twin_pin (dag_id text PRIMARY KEY, version uuid, commit text);
CREATE FUNCTION twin() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    pin twin_pin;
BEGIN
    SELECT * INTO pin FROM twin_pin WHERE dag_id = NEW.dag_id;
    IF FOUND AND (NEW.created_dag_version_id, NEW.bundle_version)
                 IS DISTINCT FROM (pin.version, pin.commit) THEN
        NEW.created_dag_version_id := pin.version;
        NEW.bundle_version := pin.commit;
    END IF;
    RETURN NEW;
END $$;
