"""不可改的凭证：建触发器。与 0001 分开，使 0001 可由 makemigrations 重写。"""

from django.db import migrations

from sancha.apps.ledger.guards import create_guards


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial"), ("kit", "0001_initial")]
    operations = [migrations.RunPython(create_guards, migrations.RunPython.noop)]
