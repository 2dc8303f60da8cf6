"""存量转入与批量还款的写操作：送件预检、复核、转入、对账、差异调整、撤回、自存版式、还款文件入账；每样各在自己的文件里。"""

from sancha.apps.servicing.operations.importing.checks import (
    DIFFERENCE_CHECK,
    IMPORT_CHECK,
    WITHDRAWAL_CHECK,
    register_runner,
)
from sancha.apps.servicing.operations.importing.layouts import (
    delete_import_layout,
    save_batch_layout,
    save_import_layout,
)
from sancha.apps.servicing.operations.importing.reconciling import (
    adjust_import_difference,
    propose_import_adjustment,
    reconcile_import,
)
from sancha.apps.servicing.operations.importing.repayments import (
    begin_repayments,
    post_repayments_file,
    stage_repayments,
)
from sancha.apps.servicing.operations.importing.reviewing import check_import, resume_import
from sancha.apps.servicing.operations.importing.running import install_import, run_import
from sancha.apps.servicing.operations.importing.staging import cancel_import, recheck_import, stage_import
from sancha.apps.servicing.operations.importing.withdrawing import check_import_withdrawal, request_import_withdrawal

CHECKS = (
    (IMPORT_CHECK, check_import),
    (DIFFERENCE_CHECK, adjust_import_difference),
    (WITHDRAWAL_CHECK, check_import_withdrawal),
)
"""任务种类 → 办结操作，由 ``config/wiring`` 登记。"""

__all__ = [
    "CHECKS",
    "DIFFERENCE_CHECK",
    "IMPORT_CHECK",
    "WITHDRAWAL_CHECK",
    "adjust_import_difference",
    "begin_repayments",
    "cancel_import",
    "check_import",
    "check_import_withdrawal",
    "delete_import_layout",
    "install_import",
    "post_repayments_file",
    "propose_import_adjustment",
    "recheck_import",
    "reconcile_import",
    "register_runner",
    "request_import_withdrawal",
    "resume_import",
    "run_import",
    "save_batch_layout",
    "save_import_layout",
    "stage_import",
    "stage_repayments",
]
