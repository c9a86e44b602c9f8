-- The user of reports: Superset, notebooks, any SQL tool. For a ClickHouse server; a person with access management runs it:
--
--     clickhouse-client --param_password='…' --multiquery < deploy/clickhouse/bi_user.sql
--
-- Not run here: the engine on one machine knows no users. What is granted below is also what the local front lets the user
-- `bi` of .throughline/keys.json read (pipeline/local/clickhouse_reader.py takes the list from this file), and a test
-- compares it with the views for people in schemas/clickhouse/VIEWS.md. Left out: `lookups` (who looked at whom is for
-- governance), and all tables. Another database's name: replace `throughline.` here.
--
-- It may be run again, after every upgrade for one.

CREATE USER IF NOT EXISTS bi IDENTIFIED WITH sha256_password BY {password:String};

-- It reads, changes no setting, and no query of it takes the server from others. Compiling a dashboard's hundred formulas would
-- take longer than they ever do (compile_expressions; for the queries of `throughline` as well).
CREATE SETTINGS PROFILE OR REPLACE bi SETTINGS
    readonly = 1, allow_ddl = 0, max_execution_time = 60, max_memory_usage = 4294967296, max_result_bytes = 134217728,
    max_concurrent_queries_for_user = 16, allow_introspection_functions = 0, compile_expressions = 0
    TO bi;
CREATE QUOTA IF NOT EXISTS bi KEYED BY user_name FOR INTERVAL 1 minute MAX queries = 1200, execution_time = 600 TO bi;

-- A view reads with the rights of whoever made it (`throughline`, the user of THROUGHLINE_CLICKHOUSE_URL), so that `bi` needs none
-- on what it is made of. The setting is for views that `throughline prepare` makes anew (a user from users.xml gets it there),
-- the statements at the end are for those that are there.
ALTER USER throughline ADD SETTINGS default_normal_view_sql_security = 'DEFINER', default_view_definer = 'CURRENT_USER',
    compile_expressions = 0;

GRANT SELECT ON throughline.touchpoint_dots TO bi;
GRANT SELECT ON throughline.touchpoint_hourly TO bi;
GRANT SELECT ON throughline.touchpoint_daily TO bi;
GRANT SELECT ON throughline.touchpoint_weekly TO bi;
GRANT SELECT ON throughline.evidence_daily TO bi;
GRANT SELECT ON throughline.channel_daily TO bi;
GRANT SELECT ON throughline.touchpoint_control TO bi;
GRANT SELECT ON throughline.touchpoint_consistency TO bi;
GRANT SELECT ON throughline.touchpoints TO bi;
GRANT SELECT ON throughline.persons TO bi;
GRANT SELECT ON throughline.customer_current TO bi;
GRANT SELECT ON throughline.experience_by_segment TO bi;
GRANT SELECT ON throughline.interactions_by_person TO bi;
GRANT SELECT ON throughline.person_timeline TO bi;
GRANT SELECT ON throughline.identities_current TO bi;
GRANT SELECT ON throughline.journey_steps TO bi;
GRANT SELECT ON throughline.journey_edges TO bi;
GRANT SELECT ON throughline.contacts_resolved TO bi;
GRANT SELECT ON throughline.queue_intervals TO bi;
GRANT SELECT ON throughline.queue_now TO bi;
GRANT SELECT ON throughline.answers TO bi;
GRANT SELECT ON throughline.complaint_times TO bi;
GRANT SELECT ON throughline.alerts_open TO bi;
GRANT SELECT ON throughline.business_results TO bi;
GRANT SELECT ON throughline.changes_current TO bi;
GRANT SELECT ON throughline.ledger TO bi;
GRANT SELECT ON throughline.rejections TO bi;
GRANT SELECT ON throughline.arrivals TO bi;
GRANT SELECT ON throughline.definition_live TO bi;
GRANT SELECT ON throughline.definition_differences TO bi;
GRANT SELECT ON throughline.definition_customers TO bi;
GRANT SELECT ON throughline.touchpoint_daily_by_definition TO bi;
GRANT SELECT ON throughline.customer_by_definition TO bi;
GRANT SELECT ON throughline.analyses_newest TO bi;
GRANT SELECT ON throughline.drivers TO bi;
GRANT SELECT ON throughline.segments TO bi;
GRANT SELECT ON throughline.paths TO bi;
GRANT SELECT ON throughline.link_effects TO bi;
GRANT SELECT ON throughline.link_bands TO bi;
GRANT SELECT ON throughline.change_effects TO bi;

ALTER TABLE throughline.touchpoint_dots MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.touchpoint_hourly MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.touchpoint_daily MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.touchpoint_weekly MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.evidence_daily MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.channel_daily MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.touchpoint_control MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.touchpoint_consistency MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.touchpoints MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.persons MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.customer_current MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.experience_by_segment MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.interactions_by_person MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.person_timeline MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.identities_current MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.journey_steps MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.journey_edges MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.contacts_resolved MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.queue_intervals MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.queue_now MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.answers MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.complaint_times MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.alerts_open MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.business_results MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.changes_current MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.ledger MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.rejections MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.arrivals MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.definition_live MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.definition_differences MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.definition_customers MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.touchpoint_daily_by_definition MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.customer_by_definition MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.analyses_newest MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.drivers MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.segments MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.paths MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.link_effects MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.link_bands MODIFY SQL SECURITY DEFINER DEFINER = throughline;
ALTER TABLE throughline.change_effects MODIFY SQL SECURITY DEFINER DEFINER = throughline;
