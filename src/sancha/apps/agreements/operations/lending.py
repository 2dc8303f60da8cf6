"""送放款：条件逐条、三方核对（批复 ↔ 合同 ↔ 放款指令）、放款环节的规则重查，都过了才登记借据，由另一人复核（CON-2）。"""

from __future__ import annotations

from datetime import date
from typing import Any

from sancha.apps.agreements.approved import pass_gates
from sancha.apps.agreements.models import FileState, SigningFile
from sancha.apps.agreements.operations.files import locked_file, require_in_force
from sancha.apps.agreements.readiness import guarantor_names, unmet
from sancha.apps.agreements.terms import elements_for
from sancha.apps.servicing.operations import book_loan
from sancha.kernel.money import format_yuan
from sancha.kit.actor import Actor
from sancha.kit.errors import Conflict, DomainError
from sancha.kit.operation import operation


@operation("agreements.send_to_lend", permission="servicing.book")
def send_to_lend(
    *,
    actor: Actor,
    key: str,
    on: date,
    file_id: int,
    amount_fen: int,
    term_count: int,
    rate_ppm: int,
    contract_number: str,
) -> dict[str, Any]:
    """按放款指令送放款：放款岗照合同重新录入金额、期限、利率、合同号，与批复、合同逐项相符才登记借据。

    :raises Conflict: 批复过期、文书没签全、条件没落实（逐条列出）。
    :raises DomainError: 指令与批复不符，或放款环节的规则不符合。
    """
    file = locked_file(actor, file_id)
    require_in_force(file, on)
    if missing := unmet(file):
        raise Conflict(
            "NOT_READY_TO_LEND", "还不能放款：" + "；".join(missing) + "。", field="file_id", value=file.number,
            clause="CON-2", fix="请逐条办妥后再送。",
        )  # fmt: skip
    _require_matching(file, amount_fen, term_count, rate_ppm, contract_number)
    pass_gates(actor, file.application_id, on)
    booked = book_loan(
        actor=actor,
        key=f"{key}:book",
        on=on,
        party_id=file.party_id,
        product_id=file.product_id,
        institution_id=file.institution_id,
        elements=elements_for(file, on),
        officer_id=file.officer_id,
        contract_number=file.number,
        purpose=file.purpose,
        guarantor="、".join(guarantor_names(file)),
    )
    file.state, file.loan_id = FileState.SENT, booked["loan_id"]
    file.save(update_fields=["state", "loan_id"])
    return {
        "subject": f"signing_file:{file.pk}",
        "file_id": file.pk,
        "loan_id": booked["loan_id"],
        "number": booked["number"],
        "task_id": booked["task_id"],
    }


def _require_matching(file: SigningFile, amount_fen: int, term_count: int, rate_ppm: int, contract_number: str) -> None:
    checks = (
        ("amount_fen", "金额", amount_fen == file.amount_fen, format_yuan(amount_fen), format_yuan(file.amount_fen)),
        ("term_count", "期限", term_count == file.term_count, str(term_count), str(file.term_count)),
        ("rate_ppm", "年利率", rate_ppm == file.rate_ppm, f"{rate_ppm} ppm", f"{file.rate_ppm} ppm"),
        ("contract_number", "合同号", contract_number.strip() == file.number, contract_number, file.number),
    )
    wrong = [
        (field, f"{name}指令为 {given}，批复与合同为 {agreed}")
        for field, name, same, given, agreed in checks
        if not same
    ]
    if wrong:
        raise DomainError(
            "INSTRUCTION_DIFFERS", "三方核对不符：" + "；".join(text for _field, text in wrong) + "。", field=wrong[0][0],
            clause="CON-2", fix="请照合同重新录入；合同错了的作废重出，批复错了的重新审批。",
        )  # fmt: skip
