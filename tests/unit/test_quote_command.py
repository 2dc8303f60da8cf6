"""``sancha quote``：一份或多份，坏的一份不碍别的，退出码说真话，不等 Django。"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sancha.interfaces.cli.main import main
from sancha.interfaces.cli.quote import documents
from sancha.kernel.calculator import calculate, schema

DOCUMENT: dict[str, Any] = {
    "terms": {"start": "2026-01-15", "principal_fen": 5_000_000, "rate_ppm": 144_000, "method": "LEVEL_PAYMENT", "periods": 12},
    "on": "2026-03-02",
}  # fmt: skip
LINE = json.dumps(DOCUMENT)


def quoted(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]], str]:
    code = main(["quote", str(path)])
    shown = capsys.readouterr()
    return code, [json.loads(line) for line in shown.out.splitlines()], shown.err


def test_one_document_over_many_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "one.json"
    path.write_text(json.dumps(DOCUMENT, indent=2), encoding="utf-8-sig")
    assert quoted(path, capsys) == (0, [calculate(DOCUMENT)], "")


def test_lines_give_lines_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "many.jsonl"
    other = DOCUMENT | {"on": "2026-02-01"}
    path.write_text(f"{LINE}\n\n{json.dumps(other)}\n")
    assert quoted(path, capsys) == (0, [calculate(DOCUMENT), calculate(other)], "")


@pytest.mark.parametrize("bad", ["{bad}", '{"terms": {}}', "[]", "1", '{"a": NaN}'])
@pytest.mark.parametrize("place", [0, 1])
def test_a_bad_line_is_told_and_the_others_still_come(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], bad: str, place: int
) -> None:
    lines = [LINE, LINE]
    lines.insert(place, bad)
    path = tmp_path / "many.jsonl"
    path.write_text("\n".join(lines))
    code, results, errors = quoted(path, capsys)
    assert code == 1
    assert [result["ok"] for result in results] == [index != place for index in range(3)]
    assert results[place]["errors"][0]["message"]
    assert "3 份文档中有 1 份不成立" in errors


def test_nothing_to_read_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").write_text("\n \n")
    assert quoted(tmp_path / "empty", capsys)[:2] == (1, [])
    assert quoted(tmp_path / "absent", capsys)[:2] == (1, [])
    assert main(["quote"]) == 1


def test_the_schema_is_the_kernels(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["quote", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out) == schema()


def test_lines_are_read_one_by_one() -> None:
    """边读边算：第一份出来时，后面的还没有读。"""

    class Slow(io.BytesIO):
        read_lines = 0

        def __next__(self) -> bytes:
            Slow.read_lines += 1
            return super().__next__()

    source = documents(Slow((LINE + "\n").encode() * 1000))
    next(source)
    assert Slow.read_lines == 1


def test_it_waits_for_no_django() -> None:
    program = (
        "import sys; from sancha.interfaces.cli.main import main; code = main(['quote', '-']); "
        "sys.exit(code or int('django' in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=LINE.encode(), capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, json.loads(done.stdout)) == (0, calculate(DOCUMENT)), done.stderr.decode()
