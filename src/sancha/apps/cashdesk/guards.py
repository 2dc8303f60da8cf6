"""只许追加的表：收款、用途、现金收付、日结、银行流水、对账结论。会变的只有收款的余额与流水的解释。"""

from sancha.kit.guards import Guard

GUARDS = (
    Guard(
        "Receipt",
        changing=("used_fen", "returned_fen", "state"),
        erasable=("payer_name", "payer_account_masked", "memo"),
    ),
    Guard("ReceiptUse"),
    Guard("CashMovement"),
    Guard("TellerDay"),
    Guard(
        "StatementLine",
        changing=("explained_by",),
        erasable=("counterparty", "counterparty_account_masked", "memo"),
    ),
    Guard("Reconciliation"),
)
