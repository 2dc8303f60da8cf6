"""签约与放款的写操作：开卷、出文书、面签、作废重出、落实条件、送放款、作废。"""

from sancha.apps.agreements.operations.files import close_file, open_file, reopen_rejected
from sancha.apps.agreements.operations.lending import send_to_lend
from sancha.apps.agreements.operations.signing import meet_condition, redraw_paper, sign_paper

__all__ = [
    "close_file",
    "meet_condition",
    "open_file",
    "redraw_paper",
    "reopen_rejected",
    "send_to_lend",
    "sign_paper",
]
