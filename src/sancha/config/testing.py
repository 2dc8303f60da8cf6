"""测试插件：在 Django 读设置之前定好测试用的目录与数据库。

不设 SANCHA_TEST_DATABASE_URL 时用临时目录里的 SQLite；``sancha.config.check`` 会再用 PostgreSQL 跑一遍。
"""

import os
import tempfile

if "SANCHA_HOME" not in os.environ or not os.environ.get("PYTEST_XDIST_WORKER"):
    os.environ["SANCHA_HOME"] = tempfile.mkdtemp(prefix="sancha-test-")
os.environ["SANCHA_DATABASE_URL"] = os.environ.get(
    "SANCHA_TEST_DATABASE_URL", f"sqlite:///{os.environ['SANCHA_HOME']}/test.sqlite3"
)
os.environ.setdefault("SANCHA_SECRET_KEY", "test-only")
# whitenoise warns on every client of a test when the folder of collected files is absent.
os.makedirs(os.path.join(os.environ["SANCHA_HOME"], "static"), exist_ok=True)
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # playwright's sync API runs an event loop in the thread
