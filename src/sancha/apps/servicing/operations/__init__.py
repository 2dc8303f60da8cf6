"""借据的写操作：登记与复核放款、还款、变更、核销、期初转入。每个动词一个函数，各在自己的文件里。"""

from sancha.apps.servicing.operations.adjusting import (
    adjust_loan,
    correct_adjustment,
    propose_adjustment,
    withdraw_adjustment,
)
from sancha.apps.servicing.operations.booking import authorize_booking, book_loan
from sancha.apps.servicing.operations.changes import (
    accelerate_loan,
    change_plan,
    change_rate,
    charge_fee,
    classify_loan,
    extend_loan,
    mark_misuse,
    set_accrual_status,
    set_payer_shares,
    transfer_loan,
    waive,
)
from sancha.apps.servicing.operations.holding import release_loan
from sancha.apps.servicing.operations.repayment import (
    post_repayment,
    prepay_loan,
    refund_overpayment,
    reverse_fact,
    settle_loan,
)
from sancha.apps.servicing.operations.write_off import post_recovery, write_off_loan

__all__ = [
    "accelerate_loan",
    "adjust_loan",
    "authorize_booking",
    "book_loan",
    "change_plan",
    "change_rate",
    "charge_fee",
    "classify_loan",
    "correct_adjustment",
    "extend_loan",
    "mark_misuse",
    "post_recovery",
    "post_repayment",
    "prepay_loan",
    "propose_adjustment",
    "refund_overpayment",
    "release_loan",
    "reverse_fact",
    "set_accrual_status",
    "set_payer_shares",
    "settle_loan",
    "transfer_loan",
    "waive",
    "withdraw_adjustment",
    "write_off_loan",
]
