"""全部检查的合计：数得对、跳过不被当作通过。"""

import subprocess
import sys
from pathlib import Path

import pytest

from sancha.config import check

SAMPLE = """
import pytest

def test_good(): pass
def test_bad(): assert False
@pytest.fixture
def broken(): raise RuntimeError
def test_error(broken): pass
@pytest.mark.data
def test_without_data(): pytest.skip("no sample data")
def test_without_browser(): pytest.skip("no browser")
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tmp_path = tmp_path_factory.mktemp("check")
    (tmp_path / "test_sample.py").write_text(SAMPLE)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = data: reads sample data\n")
    path = tmp_path / "report.xml"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "sancha.config.check",
        "-p",
        "no:cacheprovider",
        f"--junitxml={path}",
    ]
    subprocess.run(command, cwd=tmp_path, check=False, capture_output=True)
    return path


class TestReadReport:
    def test_counts_errors_as_failures_and_skips_apart(self, report: Path) -> None:
        tally, _, _ = check.read_report(report)

        assert tally == check.Tally(passed=1, failed=2, skipped=2)

    def test_holds_a_missing_browser_against_the_run_but_not_missing_data(self, report: Path) -> None:
        _, ran, missed = check.read_report(report)

        assert missed == {"test_sample::test_without_browser": "no browser"}
        assert "test_sample::test_good" in ran


class TestNeverRan:
    def test_a_case_of_one_database_may_be_skipped_on_the_other(self) -> None:
        sqlite = check.Step("SQLite", True, 0.0, missed={"a::locks": "PostgreSQL only", "a::click": "no browser"})
        postgres = check.Step("PostgreSQL", True, 0.0, ran={"a::locks"}, missed={"a::click": "no browser"})

        assert check.never_ran([sqlite, postgres]) == {"a::click": "no browser"}


class TestMain:
    """``main`` 的判定：用替身代替真正的子进程。"""

    @pytest.fixture
    def stage(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, check.Step]:
        steps = {
            "static": check.Step("ruff", True, 0.0),
            "测试：SQLite": check.Step("测试：SQLite", True, 0.0, check.Tally(5, 0, 1), ran={"a::x"}),
            "测试：PostgreSQL": check.Step("测试：PostgreSQL", True, 0.0, check.Tally(6, 0, 0), ran={"a::x"}),
        }
        monkeypatch.setattr(check, "static_checks", lambda: [steps["static"]])
        monkeypatch.setattr(check, "run_tests", lambda title, arguments, url: steps[title])
        monkeypatch.setattr(check, "find_browser", lambda: "/usr/bin/chromium")
        monkeypatch.setattr(check, "why_no_postgres", lambda url: None)
        monkeypatch.delenv("SANCHA_REQUIRE_ALL", raising=False)
        return steps

    def test_sums_both_databases_on_the_last_line(
        self, stage: dict[str, check.Step], capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert check.main([]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == "11 passed, 0 failed, 1 skipped"

    def test_a_failed_linter_fails_the_whole(
        self, stage: dict[str, check.Step], capsys: pytest.CaptureFixture[str]
    ) -> None:
        stage["static"].ok, stage["static"].tally = False, check.Tally(failed=1)

        assert check.main([]) == 1
        assert capsys.readouterr().out.splitlines()[-1] == "11 passed, 1 failed, 1 skipped"

    def test_says_why_postgres_is_skipped_and_passes(
        self, stage: dict[str, check.Step], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(check, "why_no_postgres", lambda url: "connection refused")

        assert check.main([]) == 0
        out = capsys.readouterr().out
        assert "跳过  PostgreSQL 那一半" in out
        assert "connection refused" in out

    @pytest.mark.parametrize("lack", ["server", "browser", "case"])
    def test_where_all_is_required_a_skip_is_a_failure(
        self, stage: dict[str, check.Step], monkeypatch: pytest.MonkeyPatch, lack: str
    ) -> None:
        monkeypatch.setenv("SANCHA_REQUIRE_ALL", "1")
        assert check.main([]) == 0  # nothing lacking

        if lack == "server":
            monkeypatch.setattr(check, "why_no_postgres", lambda url: "connection refused")
        elif lack == "browser":
            monkeypatch.setattr(check, "find_browser", lambda: None)
        else:
            stage["测试：SQLite"].missed = {"a::click": "no browser"}

        assert check.main([]) == 1
