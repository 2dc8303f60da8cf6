"""运行设置：默认是嵌入式 SQLite；设 SANCHA_DATABASE_URL 即用 PostgreSQL。

环境变量：SANCHA_HOME（数据目录，默认 ./var）、SANCHA_DATABASE_URL、SANCHA_SECRET_KEY、SANCHA_ALLOWED_HOSTS、SANCHA_DEBUG、
SANCHA_WEBHOOK_NETWORKS、SANCHA_WEBHOOK_HTTP（事件推送放行的内网网段、是否许 http）。
"""

import os
import secrets
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

HOME = Path(os.environ.get("SANCHA_HOME", "var")).resolve()
PACKAGE = Path(__file__).resolve().parent.parent


def _secret_key() -> str:
    """取密钥：环境变量优先，否则在数据目录生成一次并只许本人读。"""
    if given := os.environ.get("SANCHA_SECRET_KEY"):
        return given
    path = HOME / "secret.key"
    if not path.exists():
        HOME.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48))
    return path.read_text().strip()


def _database(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        name = unquote(parts.path)
        return {
            "ENGINE": "sancha.kit.database.sqlite3",
            "NAME": name,
            # Said outright: pytest knows only Django's own engine as one whose test base is in memory.
            "TEST": {"NAME": ":memory:"},
            "OPTIONS": {
                # IMMEDIATE: a writer takes the lock at BEGIN, so no upgrade dead-locks (docs/adr/0012).
                "transaction_mode": "IMMEDIATE",
                "timeout": 30,
                "init_command": "PRAGMA journal_mode=WAL;PRAGMA synchronous=NORMAL;PRAGMA foreign_keys=ON;",
            },
        }
    if parts.scheme in {"postgres", "postgresql"}:
        return {
            "ENGINE": "sancha.kit.database.postgresql",
            "NAME": unquote(parts.path.lstrip("/")) or "sancha",
            "USER": unquote(parts.username or ""),
            "PASSWORD": unquote(parts.password or ""),
            "HOST": parts.hostname or "",
            "PORT": str(parts.port or ""),
            "CONN_MAX_AGE": 60,
            "CONN_HEALTH_CHECKS": True,
        }
    raise SystemExit(f"SANCHA_DATABASE_URL={url!r}：只支持 sqlite:///路径 或 postgresql://用户@主机/库名。")


SECRET_KEY = _secret_key()
DEBUG = os.environ.get("SANCHA_DEBUG") == "1"
ALLOWED_HOSTS = os.environ.get("SANCHA_ALLOWED_HOSTS", "127.0.0.1,localhost,[::1],testserver").split(",")
CSRF_TRUSTED_ORIGINS = [o for o in os.environ.get("SANCHA_TRUSTED_ORIGINS", "").split(",") if o]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.forms",
    "django_htmx",
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",
    "axes",
    "sancha.kit",
    "sancha.apps.access",
    "sancha.apps.businessday",
    "sancha.apps.work",
    "sancha.apps.webhooks",
    "sancha.apps.authority",
    "sancha.apps.parties",
    "sancha.apps.products",
    "sancha.apps.ledger",
    "sancha.apps.cashdesk",
    "sancha.apps.servicing",
    "sancha.apps.recovery",
    "sancha.apps.agreements",
    "sancha.apps.origination",
    "sancha.dayclose",
    "sancha.interfaces.web",
    "sancha.config.apps.WiringConfig",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "sancha.interfaces.web.middleware.ActorMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "sancha.config.urls"
WSGI_APPLICATION = "sancha.config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "sancha.interfaces.web.context.frame",
            ],
            "builtins": ["sancha.interfaces.web.templatetags.sancha"],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"

DATABASES = {"default": _database(os.environ.get("SANCHA_DATABASE_URL", f"sqlite:///{HOME / 'sancha.sqlite3'}"))}
# Processes for the day close on PostgreSQL; each has its own connection. One means: do it all here.
DAYCLOSE_WORKERS = int(os.environ.get("SANCHA_DAYCLOSE_WORKERS") or os.cpu_count() or 1)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "access.Person"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "sancha.apps.access.login.HoldingsBackend"]
# scrypt: memory-hard, and an order faster to log in with than a million PBKDF2 rounds.
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.ScryptPasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_VERBOSE = False

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "简体中文"), ("en", "English")]
LOCALE_PATHS = [PACKAGE / "locale"]
TIME_ZONE = "Asia/Shanghai"
USE_TZ = True
USE_I18N = True

STATIC_URL = "/static/"
STATIC_ROOT = HOME / "static"
WHITENOISE_USE_FINDERS = True
DOCUMENT_ROOT = HOME / "documents"

SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 8 * 3600
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
# HTTPS hardening is switched on by the deployment that has a certificate; the embedded default serves 127.0.0.1.
if os.environ.get("SANCHA_HTTPS") == "1":
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = 31536000

# Where events may be pushed besides public https addresses: networks like 10.20.0.0/16, and plain http (tests, intranets).
WEBHOOK_NETWORKS = [text for text in os.environ.get("SANCHA_WEBHOOK_NETWORKS", "").split(",") if text.strip()]
WEBHOOK_PLAIN_HTTP = os.environ.get("SANCHA_WEBHOOK_HTTP") == "1"

# Posts marked second_factor in posts.yaml must have one where this is on: with HTTPS, unless SANCHA_SECOND_FACTOR says otherwise.
SECOND_FACTOR_ENFORCED = os.environ.get("SANCHA_SECOND_FACTOR", os.environ.get("SANCHA_HTTPS", "0")) == "1"

DATA_UPLOAD_MAX_NUMBER_FIELDS = 5000
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "WARNING"},
    "loggers": {"axes": {"level": "ERROR"}},
}
