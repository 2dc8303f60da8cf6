"""放了款的与过了期的：日终时上层来问。"""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from sancha.apps.agreements.models import FileState, SigningFile
from sancha.apps.servicing.queries import standing_of, void_loans

BOOKED = frozenset({"ACTIVE", "SETTLED", "WRITTEN_OFF"})


def lent_applications(application_ids: Collection[int]) -> list[int]:
    """这些申请里已放款（复核通过）的。两条语句。"""
    files = dict(
        SigningFile.objects.filter(application_id__in=application_ids, state=FileState.SENT).values_list(
            "application_id", "loan_id"
        )
    )
    loans = standing_of([loan for loan in files.values() if loan])
    return [application for application, loan in files.items() if loan and loans[loan][1] in BOOKED]


def closed_files(application_ids: Collection[int], *, expired_before: date, reason: str) -> list[int]:
    """把这些申请里批复已过期、没有在途放款的卷作废，返回它们的申请。"""
    rows = SigningFile.objects.filter(application_id__in=application_ids, expires_on__lt=expired_before)
    files = list(rows.exclude(state=FileState.CLOSED))
    void = void_loans([file.loan_id for file in files if file.loan_id])
    idle = [file for file in files if file.state == FileState.OPEN or file.loan_id in void]
    SigningFile.objects.filter(pk__in=[file.pk for file in idle]).update(
        state=FileState.CLOSED, closing_reason=reason[:300]
    )
    return [file.application_id for file in idle]
