"""产品方案：随系统发布的样例产品定义（``programs/products.yaml``），每个都注明依据的条款。机构据此建自己的产品。"""

from __future__ import annotations

import functools
from datetime import date
from pathlib import Path

import yaml
from pydantic import Field, ValidationError, model_validator

from sancha.rulebook.catalog import ROOT, Catalog, catalog, problems_of, read_yaml
from sancha.rulebook.documents import ORIGIN_PATTERN, UNSURE_ORIGINS, Document
from sancha.rulebook.errors import NotYetInForce, Problem, RulebookError, UnknownCode
from sancha.rulebook.product_terms import ProductTerms, pin, rate_band
from sancha.rulebook.vocabulary import CustomerKind

FILE = "programs/products.yaml"


class ProductDefinition(Document):
    """产品定义：代码、名称、方案、客户类别、条款依据与产品条款。"""

    code: str = Field(pattern=r"^[A-Z][A-Z0-9_]+$")
    name: str = Field(min_length=2)
    program: str = Field(min_length=2)
    customer_kinds: tuple[CustomerKind, ...] = Field(min_length=1)
    clauses: tuple[str, ...] = Field(min_length=1)
    source: str = Field(min_length=2)
    origin: str = Field(pattern=ORIGIN_PATTERN)
    unsure: bool = False
    last_checked: date
    valid_from: date
    terms: ProductTerms

    @model_validator(mode="after")
    def _flagged(self) -> ProductDefinition:
        if self.origin in UNSURE_ORIGINS and not self.unsure:
            raise ValueError(f"unsure：出处标记 {self.origin} 把握不足，须写明 unsure: true")
        return self


class ProductFile(Document):
    """``programs/products.yaml``。"""

    products: tuple[ProductDefinition, ...] = Field(min_length=1)


def read_products(root: Path, book: Catalog) -> tuple[tuple[ProductDefinition, ...], list[Problem]]:
    """读样例产品；与条款、参数对不上的列为问题。装载与体检共用。"""
    path = root / FILE
    if not path.exists():
        return (), []
    try:
        content = read_yaml(path)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        return (), [Problem("error", FILE, "", "", f"不是合格的 YAML：{error}")]
    try:
        definitions = ProductFile.model_validate(content).products
    except ValidationError as error:
        return (), list(problems_of(FILE, content, error))
    problems: list[Problem] = []
    seen: set[str] = set()
    for definition in definitions:
        if definition.code in seen:
            problems.append(Problem("error", FILE, definition.code, "code", "代码重复"))
        seen.add(definition.code)
        problems.extend(
            Problem("error", FILE, definition.code, "clauses", str(UnknownCode("条款", code, book.clauses)))
            for code in definition.clauses
            if code not in book.clauses
        )
        try:
            pinned = pin(definition.terms, definition.valid_from, book=book)
            rate_band(pinned.terms, definition.valid_from, book=book)
        except (UnknownCode, NotYetInForce, ValueError, TypeError) as error:
            problems.append(Problem("error", FILE, definition.code, "terms", str(error)))
    return definitions, problems


@functools.cache
def product_definitions() -> tuple[ProductDefinition, ...]:
    """随系统发布的样例产品。

    :raises RulebookError: 产品文件有错。
    """
    definitions, problems = read_products(ROOT, catalog())
    if problems:
        raise RulebookError(problems)
    return definitions


def product_name(code: str) -> str:
    """产品代码的名称；机构自建的、不认识的原样写代码。"""
    return next((item.name for item in product_definitions() if item.code == code), code)
