"""签约一侧对客户删除与并档要做的事：签约中的挡着，签字人与地点、用途、条件删净，改归存续的一档。"""

from __future__ import annotations

from datetime import date

from django.db.models import Q

from sancha.apps.agreements.models import FileState, LendingCondition, PaperSignature, SigningFile, SigningPaper
from sancha.apps.parties.departing import ERASED, Departing, Hold


def holds_on_erasure(party_ids: tuple[int, ...], names: tuple[str, ...], on: date) -> list[Hold]:
    """删除的妨碍：签约中的合同；已放款的由借据的保存期管。"""
    mine = Q(party_id__in=party_ids) | Q(papers__party_id__in=party_ids)
    files = SigningFile.objects.filter(mine, state=FileState.OPEN).distinct().order_by("number")
    return [Hold("agreement", f"合同 {file.number} 正在签约", "PIPL-47") for file in files]


def erase_signer(departing: Departing) -> dict[str, int]:
    """删净签约一侧的个人信息；合同号、金额与谁见证留着。"""
    ids = departing.party_ids
    own = SigningFile.objects.filter(party_id__in=ids)
    signed = PaperSignature.objects.filter(Q(paper__party_id__in=ids) | Q(paper__file__party_id__in=ids))
    counts = {
        "agreements_papersignature": signed.update(signer=ERASED, place=""),
        "agreements_lendingcondition": LendingCondition.objects.filter(file__in=own).update(text=ERASED, proof=""),
        "agreements_signingfile": own.update(purpose="", closing_reason=""),
    }
    return {place: count for place, count in counts.items() if count}


def move_files(duplicate_id: int, survivor_id: int) -> dict[str, int]:
    """并档：签约卷与文书改归存续的一档。"""
    counts = {
        "agreements_signingfile": SigningFile.objects.filter(party_id=duplicate_id).update(party_id=survivor_id),
        "agreements_signingpaper": SigningPaper.objects.filter(party_id=duplicate_id).update(party_id=survivor_id),
    }
    return {place: count for place, count in counts.items() if count}
