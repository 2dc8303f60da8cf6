"""有日期的记录：给予或收回权限、隶属、参数的一切，都只追加、不改写。"""

from __future__ import annotations

from datetime import date
from typing import TypeVar

from django.db import models
from django.db.models import Exists, OuterRef, Q, QuerySet

Row = TypeVar("Row", bound="DatedRecord")


class DatedRecord(models.Model):
    """只追加的有效期记录。

    ``valid_from`` 起效日、``valid_to`` 失效日（不含，空为长期）；结束一段任职是写一条新记录（``supersedes`` 指向旧记录），
    不是改旧行。``booked_on`` 录入时的营业日，``recorded_at`` 录入时刻：回答「当时知道什么」。
    """

    valid_from = models.DateField()
    valid_to = models.DateField(null=True, blank=True)
    seq = models.PositiveIntegerField(default=1)
    booked_on = models.DateField()
    recorded_at = models.DateTimeField()
    recorded_by_id = models.BigIntegerField(null=True)
    supersedes = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        abstract = True


def not_ended(on: date) -> Q:
    """到某日还没有终止的条件：``valid_to`` 空或在其后（止日不含）。"""
    return Q(valid_to__isnull=True) | Q(valid_to__gt=on)


def valid_on(on: date) -> Q:
    """某日在期的条件。"""
    return Q(valid_from__lte=on) & not_ended(on)


def standing(rows: QuerySet[Row], *, known_on: date | None = None) -> QuerySet[Row]:
    """没有被盖过的记录；``known_on`` 给出时，只看那天及以前录入的：回答「那天以为是什么」。"""
    later = rows.model._default_manager.filter(supersedes=OuterRef("pk"))
    if known_on is not None:
        later, rows = later.filter(booked_on__lte=known_on), rows.filter(booked_on__lte=known_on)
    return rows.filter(~Exists(later))
