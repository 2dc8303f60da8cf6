"""审计事件只许追加：数据库触发器禁止改内容与删除；封存字段只许从空填一次。

放在单独的迁移里：SQLite 重建表会丢触发器，以后改动 AuditEvent 的迁移之后要再执行一次 ``guard``。
"""

from django.db import migrations

CONTENT = ("id", "at", "person_id", "post_code", "institution_id", "operation", "subject", "on_day", "data", "digest")

SQLITE = [
    "CREATE TRIGGER kit_audit_no_update BEFORE UPDATE ON kit_auditevent WHEN OLD.seal_no IS NOT NULL OR NEW.seal_no IS NULL OR "
    + " OR ".join(f"NEW.{name} IS NOT OLD.{name}" for name in CONTENT)
    + " BEGIN SELECT RAISE(ABORT, 'kit_auditevent is append-only'); END",
    "CREATE TRIGGER kit_audit_no_delete BEFORE DELETE ON kit_auditevent"
    " BEGIN SELECT RAISE(ABORT, 'kit_auditevent is append-only'); END",
]
POSTGRES = [
    "CREATE FUNCTION kit_audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
    " RAISE EXCEPTION 'kit_auditevent is append-only' USING ERRCODE = 'integrity_constraint_violation'; END $$",
    "CREATE TRIGGER kit_audit_no_update BEFORE UPDATE ON kit_auditevent FOR EACH ROW"
    " WHEN (OLD.seal_no IS NOT NULL OR NEW.seal_no IS NULL OR "
    + " OR ".join(f"NEW.{name} IS DISTINCT FROM OLD.{name}" for name in CONTENT)
    + ") EXECUTE FUNCTION kit_audit_refuse()",
    "CREATE TRIGGER kit_audit_no_delete BEFORE DELETE ON kit_auditevent FOR EACH ROW EXECUTE FUNCTION kit_audit_refuse()",
]


def guard(apps, schema_editor):
    for statement in POSTGRES if schema_editor.connection.vendor == "postgresql" else SQLITE:
        schema_editor.execute(statement, params=None)


def unguard(apps, schema_editor):
    on_table = " ON kit_auditevent" if schema_editor.connection.vendor == "postgresql" else ""
    for name in ("kit_audit_no_update", "kit_audit_no_delete"):
        schema_editor.execute(f"DROP TRIGGER {name}{on_table}")
    if on_table:
        schema_editor.execute("DROP FUNCTION kit_audit_refuse()")


class Migration(migrations.Migration):
    dependencies = [("kit", "0001_initial")]

    operations = [migrations.RunPython(guard, unguard)]
