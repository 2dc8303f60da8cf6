"""只许追加的表：建触发器。与 0001 分开，使 0001 可由 makemigrations 重写。"""

from django.db import migrations

from sancha.apps.servicing.guards import GUARDS
from sancha.kit.guards import create_guards, drop_guards


class Migration(migrations.Migration):
    dependencies = [("servicing", "0001_initial"), ("kit", "0001_initial")]
    operations = [migrations.RunPython(create_guards("servicing", GUARDS), drop_guards("servicing", GUARDS))]
