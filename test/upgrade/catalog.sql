-- Everything that the catalogs say about the objects of the extension, a line each, without OIDs: equal for an extension that
-- was upgraded and one that was installed fresh.
--
--   psql -XAtq -f test/upgrade/catalog.sql
SET search_path = pg_catalog;
CREATE TEMP VIEW members AS
    SELECT classid, objid FROM pg_depend
    WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
      AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'airflow_pin');
-- What a member's rows bring along: row types, constraints, indexes, triggers, defaults, identity sequences.
CREATE TEMP VIEW relations AS
    SELECT c.*, c.oid::regclass::text AS name FROM pg_class c
    WHERE c.oid IN (SELECT objid FROM members WHERE classid = 'pg_class'::regclass)
       OR c.oid IN (SELECT indexrelid FROM pg_index WHERE indrelid IN (SELECT objid FROM members));

SELECT line FROM (
    SELECT 'extension' AS kind, extname::text AS name,
           format('schema %s, relocatable %s, version %s', extnamespace::regnamespace, extrelocatable, extversion) AS line
    FROM pg_extension WHERE extname = 'airflow_pin'
    UNION ALL SELECT 'dumped data', t::regclass::text, format('dumped data of %s: %s', t::regclass, quote_literal(c))
    FROM pg_extension, unnest(extconfig, extcondition) AS u (t, c) WHERE extname = 'airflow_pin'
    UNION ALL SELECT 'member', pg_describe_object(classid, objid, 0),
           format('member: %s', pg_describe_object(classid, objid, 0)) FROM members
    UNION ALL SELECT 'schema', nspname::text, format('schema %s: owner %s, rights %s', nspname, nspowner::regrole, nspacl)
    FROM pg_namespace WHERE nspname = 'airflow_pin'
    UNION ALL SELECT 'relation', name, format('%s %s: owner %s, rights %s, options %s, persistence %s, security %s %s, access %s',
           relkind, name, relowner::regrole, relacl, reloptions, relpersistence, relrowsecurity, relforcerowsecurity,
           (SELECT amname FROM pg_am WHERE pg_am.oid = relam)) FROM relations
    -- With its number: pin.c goes by that.
    UNION ALL SELECT 'column', format('%s %s', r.name, to_char(attnum, '000')),
           format('column %s.%s: number %s, %s, collation %s, not null %s, default %s, identity %s, generated %s, storage %s, rights %s, options %s',
                  r.name, attname, attnum, format_type(atttypid, atttypmod),
                  (SELECT collname FROM pg_collation c WHERE c.oid = attcollation), attnotnull, pg_get_expr(adbin, adrelid),
                  attidentity, attgenerated, attstorage, attacl,
                  -- a number of its own that the server of some systems gives to each table
                  ARRAY(SELECT o FROM unnest(attoptions) o WHERE o NOT LIKE 'pg_attver=%'))
    FROM relations r JOIN pg_attribute ON attrelid = r.oid AND attnum > 0 AND NOT attisdropped
         LEFT JOIN pg_attrdef ON adrelid = r.oid AND adnum = attnum
    UNION ALL SELECT 'constraint', format('%s %s', conrelid::regclass, conname),
           format('constraint %s of %s: %s, validated %s', conname, conrelid::regclass, pg_get_constraintdef(oid), convalidated)
    FROM pg_constraint WHERE conrelid IN (SELECT oid FROM relations)
    UNION ALL SELECT 'index', indexrelid::regclass::text, format('index: %s, valid %s', pg_get_indexdef(indexrelid), indisvalid)
    FROM pg_index WHERE indexrelid IN (SELECT oid FROM relations)
    UNION ALL SELECT 'trigger', format('%s %s', tgrelid::regclass, tgname), format('trigger: %s, enabled %s', pg_get_triggerdef(oid), tgenabled)
    FROM pg_trigger WHERE tgrelid IN (SELECT oid FROM relations) AND NOT tgisinternal
    UNION ALL SELECT 'sequence', seqrelid::regclass::text, format('sequence %s: %s %s %s %s %s %s %s', seqrelid::regclass,
           seqtypid::regtype, seqstart, seqincrement, seqmin, seqmax, seqcache, seqcycle)
    FROM pg_sequence WHERE seqrelid IN (SELECT oid FROM relations)
    UNION ALL SELECT 'rule or policy', name, format('%s on %s', what, name) FROM (
        SELECT ev_class::regclass::text AS name, pg_get_ruledef(oid) AS what FROM pg_rewrite WHERE ev_class IN (SELECT oid FROM relations)
        UNION ALL SELECT polrelid::regclass::text, polname FROM pg_policy WHERE polrelid IN (SELECT oid FROM relations)) x
    UNION ALL SELECT 'function', p.oid::regprocedure::text,
           format('%s: %s, symbol %s of %s, owner %s, rights %s, result %s, arguments %s', p.oid::regprocedure,
                  regexp_replace(pg_get_functiondef(p.oid), '\s+', ' ', 'g'), prosrc, probin, proowner::regrole, proacl,
                  pg_get_function_result(p.oid), pg_get_function_arguments(p.oid))
    FROM pg_proc p WHERE p.oid IN (SELECT objid FROM members WHERE classid = 'pg_proc'::regclass) AND prokind IN ('f', 'p')
    UNION ALL SELECT 'type', oid::regtype::text, format('type %s: %s, owner %s, rights %s', oid::regtype, typtype, typowner::regrole, typacl)
    FROM pg_type WHERE oid IN (SELECT objid FROM members WHERE classid = 'pg_type'::regclass)
                    OR typrelid IN (SELECT oid FROM relations)
    UNION ALL SELECT 'default rights', defaclrole::regrole::text, format('default rights of %s: %s', defaclrole::regrole, defaclacl)
    FROM pg_default_acl WHERE defaclnamespace = 'airflow_pin'::regnamespace
    UNION ALL SELECT 'first rights', pg_describe_object(classoid, objoid, objsubid),
           format('rights that pg_dump takes for those of the extension, on %s: %s', pg_describe_object(classoid, objoid, objsubid), initprivs)
    FROM pg_init_privs i WHERE EXISTS (SELECT FROM members m WHERE m.classid = i.classoid AND m.objid = i.objoid)
    UNION ALL SELECT 'comment', pg_describe_object(classoid, objoid, objsubid),
           format('comment on %s: %s', pg_describe_object(classoid, objoid, objsubid), description)
    FROM pg_description d WHERE EXISTS (SELECT FROM members m WHERE m.classid = d.classoid AND m.objid = d.objoid)
                        OR classoid = 'pg_class'::regclass AND objoid IN (SELECT oid FROM relations)
) lines ORDER BY kind COLLATE "C", name COLLATE "C", line COLLATE "C";
