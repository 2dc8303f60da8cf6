"""推导用的中文名：事实、各数、头寸、各期、累计数。"""

from __future__ import annotations

from sancha.kernel.facts import FactKind

FACT_LABELS = {
    FactKind.OPENING: "期初余额", FactKind.PLAN_GIVEN: "照录计划", FactKind.CALENDAR: "节假日公布", FactKind.PAYER_SHARES: "承担份额变更",
    FactKind.RATE_CHANGE: "利率变更", FactKind.DISBURSEMENT: "放款", FactKind.FEE: "收费", FactKind.EXTENSION: "展期",
    FactKind.NEW_PLAN: "重订计划", FactKind.TRANSFER: "划转", FactKind.CLASSIFICATION: "分类认定", FactKind.ACCRUAL_STATUS: "应计认定",
    FactKind.MISUSE: "挪用罚息", FactKind.RESTATEMENT: "重述", FactKind.ADJUSTMENT: "调整", FactKind.WAIVER: "减免",
    FactKind.REPAYMENT: "还款", FactKind.PREPAYMENT: "提前还本", FactKind.SETTLEMENT: "提前结清", FactKind.REFUND: "退还溢缴款",
    FactKind.ACCELERATION: "宣布提前到期", FactKind.WRITE_OFF: "核销", FactKind.RECOVERY: "核销后收回", FactKind.REVERSAL: "冲正",
}  # fmt: skip

FIGURES = {
    "principal": "本金余额",
    "principal_not_due": "未到期本金",
    "principal_due": "已到期未还本金",
    "overdue_principal": "逾期本金",
    "interest_due": "已结未还利息",
    "interest_accrued": "应计利息（本期未结，借款人）",
    "subsidy_accrued": "应计利息（本期未结，第三方）",
    "penalty": "应还罚息",
    "compound": "应还复利",
    "fee": "应还费用",
    "overpayment": "溢缴款",
    "payoff": "结清金额",
    "days_past_due": "逾期天数",
    "class": "五级分类",
}

CODE_LABELS = {
    "CASH": "贷款收付过渡", "PRINCIPAL": "正常本金", "PRINCIPAL_OVERDUE": "逾期本金", "PRINCIPAL_NONACCRUAL": "非应计本金",
    "INTEREST_RECEIVABLE": "应收利息", "SUBSIDY_RECEIVABLE": "应收第三方利息", "PENALTY_RECEIVABLE": "应收罚息",
    "COMPOUND_RECEIVABLE": "应收复利", "FEE_RECEIVABLE": "应收费用", "OVERPAYMENT": "溢缴款", "INTEREST_INCOME": "利息收入",
    "PENALTY_INCOME": "罚息收入", "COMPOUND_INCOME": "复利收入", "FEE_INCOME": "费用收入", "LOSS": "损失",
    "RECOVERY_INCOME": "核销收回", "ADJUSTMENT": "调整", "OPENING_EQUITY": "期初对应", "OFF_INTEREST": "表外利息",
    "OFF_SUBSIDY": "表外第三方利息", "OFF_PENALTY": "表外罚息", "OFF_COMPOUND": "表外复利", "OFF_CONTRA": "表外对应",
    "WRITTEN_OFF_PRINCIPAL": "已核销本金", "WRITTEN_OFF_INTEREST": "已核销利息", "WRITTEN_OFF_CONTRA": "已核销对应",
}  # fmt: skip

PARTS = {
    "principal": "应还本金", "interest": "应还利息（借款人）", "subsidy": "应还利息（第三方）", "total": "应还合计",
    "principal_unpaid": "未还本金", "interest_unpaid": "未还利息",
}  # fmt: skip

COUNTER_LABELS = {
    "drawn": "放款", "not_due": "未到期本金", "principal_paid": "已还本金", "interest_paid": "已还利息", "subsidy_paid": "第三方已付",
    "penalty_paid": "已还罚息", "compound_paid": "已还复利", "fee_paid": "已还费用", "principal_waived": "减免本金",
    "interest_waived": "减免利息", "penalty_waived": "减免罚息", "compound_waived": "减免复利", "fee_waived": "减免费用",
    "fee_due": "应收费用", "overpayment": "溢缴款", "received": "收款", "refunded": "退款", "recovered": "核销后收回",
    "written_off_principal": "核销本金", "written_off_interest": "核销利息", "deferred_interest": "重订计划移出的欠息",
    "subsidy_billed": "第三方已结利息",
}  # fmt: skip

GIVEN_LABELS = {
    "principal": "本金",
    "interest": "利息",
    "penalty": "罚息",
    "compound": "复利",
    "fee": "费用",
    "overpayment": "溢缴款",
}
