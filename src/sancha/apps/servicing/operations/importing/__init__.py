"""存量转入与批量还款的写操作：送件预检、转入、对账、差异调整、撤回、自存版式、还款文件入账；每样各在自己的文件里。"""

from sancha.apps.servicing.operations.importing.committing import begin_import, commit_import
from sancha.apps.servicing.operations.importing.layouts import save_import_layout
from sancha.apps.servicing.operations.importing.reconciling import adjust_import_difference, reconcile_import
from sancha.apps.servicing.operations.importing.repayments import post_repayments_file, stage_repayments
from sancha.apps.servicing.operations.importing.staging import cancel_import, recheck_import, stage_import
from sancha.apps.servicing.operations.importing.withdrawing import begin_import_withdrawal, withdraw_import

__all__ = [
    "adjust_import_difference",
    "begin_import",
    "begin_import_withdrawal",
    "cancel_import",
    "commit_import",
    "post_repayments_file",
    "recheck_import",
    "reconcile_import",
    "save_import_layout",
    "stage_import",
    "stage_repayments",
    "withdraw_import",
]
