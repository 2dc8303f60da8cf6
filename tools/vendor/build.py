"""把前端成品从 node_modules 拷进仓库：去掉 source map 行、带上许可证、拼好图标雪碧图。

只有维护者改版本时才跑（``make vendor``）；使用与测试 Sancha 都不需要 node，运行时也不向外网取任何文件。
"""

import json
import re
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
MODULES = HERE / "node_modules"
TARGET = HERE.parents[1] / "src/sancha/interfaces/web/static/vendor"

# package → (files to copy, licence files of the package, copyright line where the package ships no licence file)
PACKAGES: dict[str, tuple[list[str], list[str], str]] = {
    "@tabler/core": (
        ["dist/css/tabler.min.css", "dist/js/tabler.min.js"],
        [],
        "Copyright 2018-2026 The Tabler Authors\nCopyright 2018-2026 codecalm.net Paweł Kuna\n"
        "Contains Bootstrap, Copyright 2011-2025 The Bootstrap Authors, and Popper, Copyright 2019 Federico Zivolo.",
    ),
    "htmx.org": (["dist/htmx.min.js"], ["LICENSE"], ""),
    "echarts": (["dist/echarts.common.min.js"], ["LICENSE", "NOTICE"], ""),
    "qrcode-generator": (["dist/qrcode.js"], [], "Copyright (c) 2009 Kazuhiko Arase"),
    "@tabler/icons": ([], ["LICENSE"], ""),
}
SOURCE_MAP = re.compile(r"\n?(?:/\*# sourceMappingURL=.*?\*/|//# sourceMappingURL=.*)\s*$")
OUTER_SVG = re.compile(r"^.*?<svg.*?>|</svg>\s*$", re.DOTALL)
BLANK_BOX = re.compile(r'<path stroke="none" d="M0 0h24v24H0z" fill="none" ?/>')


def copy_package(name: str) -> str:
    """拷一个包，返回「包名 版本」。"""
    files, licences, notice = PACKAGES[name]
    source, target = MODULES / name, TARGET / name.lstrip("@").replace("/", "-")
    target.mkdir(parents=True)
    for file in files:
        # A map that is named but absent makes the manifest storage fail, and a browser ask for nothing.
        (target / Path(file).name).write_text(SOURCE_MAP.sub("\n", (source / file).read_text()))
    for licence in licences:
        shutil.copyfile(source / licence, target / licence)
    manifest = json.loads((source / "package.json").read_text())
    if notice:
        assert manifest["license"] == "MIT", f"{name} is {manifest['license']}, not MIT"
        terms = (HERE / "licences/MIT.txt").read_text()
        (target / "LICENSE").write_text(f"The MIT License (MIT)\n\n{notice}\n\n{terms}")
    return f"{name} {manifest['version']} ({manifest['license']})"


def build_sprite() -> int:
    """拼图标：每个图标一个 <symbol>，颜色与粗细由样式表继承。"""
    names = [n for n in (HERE / "icons.txt").read_text().split("\n") if n and not n.startswith("#")]
    symbols = []
    for name in sorted(set(names)):
        inner = OUTER_SVG.sub("", (MODULES / f"@tabler/icons/icons/outline/{name}.svg").read_text())
        inner = " ".join(BLANK_BOX.sub("", inner).split())
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{inner}</symbol>')
    sprite = '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"
    (TARGET / "tabler-icons/sprite.svg").write_text(sprite)
    return len(symbols)


def main() -> None:
    """重建整个 vendor 目录。"""
    if not MODULES.is_dir():
        sys.exit("node_modules 不存在：请用 make vendor（先 npm ci）。")
    shutil.rmtree(TARGET, ignore_errors=True)
    versions = [copy_package(name) for name in PACKAGES]
    count = build_sprite()
    (TARGET / "VERSIONS").write_text("\n".join(versions) + "\n")
    sys.stdout.write("\n".join(versions) + f"\n{count} icons\n")


if __name__ == "__main__":
    main()
