"""催收任务种类（第一批）：逾期跟进。"""

from sancha.apps.work.forms import FormField, FormSchema, SignatureSlot
from sancha.apps.work.kinds import Outcome, TaskKind

FOLLOW_UP_FORM = FormSchema(
    title="逾期跟进记录",
    fields=(
        FormField(
            code="channel",
            label="方式",
            type="choice",
            choices={"PHONE": "电话", "VISIT": "上门", "MESSAGE": "短信或微信", "LETTER": "信函", "OTHER": "其他"},
            report=True,
        ),
        FormField(code="reached", label="联系到本人", type="bool", report=True),
        FormField(
            code="cause",
            label="逾期原因",
            type="choice",
            choices={
                "FORGOT": "忘记还款",
                "CASH_FLOW": "周转困难",
                "LOSS": "经营亏损或受灾",
                "ILLNESS": "疾病或家庭变故",
                "DISPUTE": "对账有异议",
                "UNWILLING": "有能力而不还",
                "OTHER": "其他",
            },
            report=True,
        ),
        FormField(code="promised_on", label="承诺还款日", type="date", report=True),
        FormField(code="promised_fen", label="承诺金额", type="fen", least=0, report=True),
        FormField(code="said", label="谈话内容", type="text", longest=400),
    ),
    signatures=(SignatureSlot(role="BORROWER", label="借款人", required=False),),
)

FOLLOW_UP = TaskKind(
    code="OVERDUE_FOLLOW_UP",
    name="逾期跟进",
    posts=("LOAN_OFFICER", "COMMUNITY_CLERK", "GC_HANDLER"),
    permission="work.act",
    outcomes=(
        Outcome("PAID", "已还款"),
        Outcome("PROMISED", "承诺还款", needs_opinion=True),
        Outcome("HARDSHIP", "确有困难", needs_opinion=True),
        Outcome("UNREACHED", "未联系上", needs_opinion=True),
        Outcome("REFUSED", "拒绝还款", needs_opinion=True),
    ),
    form_code="recovery.follow_up",
    duty="COLLECTOR",
    clause="recovery.followup_ladder_dpd",
)
