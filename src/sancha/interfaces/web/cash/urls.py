"""出纳的网址。"""

from django.urls import path

from sancha.interfaces.web.cash import debits, orders, receipts, reconciliation, till

app_name = "cash"
urlpatterns = [
    path("receipts/", receipts.receipt_list, name="receipts"),
    path("receipts/new/", receipts.record, name="record"),
    path("receipts/<int:receipt_id>/", receipts.receipt, name="receipt"),
    path("receipts/<int:receipt_id>/return/", receipts.return_money, name="return"),
    path("orders/", orders.order_list, name="orders"),
    path("orders/new/", orders.enter, name="enter-order"),
    path("orders/<int:order_id>/", orders.order, name="order"),
    path("orders/<int:order_id>/brief/", orders.order_brief, name="order-brief"),
    path("orders/<int:order_id>/correct/", orders.correct, name="correct-order"),
    path("orders/<int:order_id>/reject/", orders.reject, name="reject-order"),
    path("orders/<int:order_id>/authorize/", orders.authorize, name="authorize-order"),
    path("orders/<int:order_id>/send/", orders.send, name="send-order"),
    path("orders/<int:order_id>/settle/", orders.settle, name="settle-order"),
    path("orders/<int:order_id>/fail/", orders.fail, name="fail-order"),
    path("orders/<int:order_id>/cancel/", orders.cancel, name="cancel-order"),
    path("till/", till.till, name="till"),
    path("till/count/", till.count, name="count"),
    path("till/move/", till.move, name="move"),
    path("accounts/", till.own_account_list, name="accounts"),
    path("reconciliation/", reconciliation.reconciliation, name="reconciliation"),
    path("reconciliation/statement/", reconciliation.upload, name="upload-statement"),
    path("reconciliation/explain/<int:line_id>/", reconciliation.explain, name="explain"),
    path("reconciliation/confirm/", reconciliation.confirm, name="confirm"),
    path("debits/", debits.batches, name="debits"),
    path("debits/new/", debits.new_batch, name="new-batch"),
    path("debits/<int:batch_id>/", debits.batch, name="batch"),
    path("debits/<int:batch_id>/send/", debits.send, name="send-batch"),
    path("debits/<int:batch_id>/file/", debits.file_out, name="batch-file"),
    path("debits/<int:batch_id>/results/", debits.results, name="batch-results"),
    path("debits/<int:batch_id>/post/", debits.post_money, name="post-batch"),
]
