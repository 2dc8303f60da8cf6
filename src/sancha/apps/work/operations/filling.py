"""表单：发布版本、填报、签名。"""

from __future__ import annotations

import hashlib
import uuid
from datetime import date
from typing import Any

from sancha.apps.work.forms import FormSchema, check, findings
from sancha.apps.work.models import Evidence, Finding, FormVersion, Signature, Submission, Task
from sancha.apps.work.operations.desk import open_task, require_owner
from sancha.kit.actor import Actor
from sancha.kit.clock import now
from sancha.kit.errors import Conflict, DomainError
from sancha.kit.operation import canonical, operation


@operation("work.publish_form", permission="work.forms")
def publish_form(
    *, actor: Actor, key: str, on: date, code: str, schema: FormSchema, effective_from: date
) -> dict[str, Any]:
    """发布表单新版本。已开出的任务仍用旧版本。"""
    version = ensure_form(code=code, schema=schema, effective_from=effective_from)
    return {"subject": f"form:{version.pk}", "form_version_id": version.pk, "version": version.version}


def ensure_form(*, code: str, schema: FormSchema, effective_from: date) -> FormVersion:
    """使表单的最新版本是这份内容：内容没变就不添版本。

    :raises DomainError: 新版本生效日早于上一版本。
    """
    last = FormVersion.objects.filter(code=code).order_by("-version").first()
    if last is not None and last.sha == schema.sha():
        return last
    if last is not None and effective_from < last.effective_from:
        raise DomainError(
            "FORM_OUT_OF_ORDER",
            f"表单「{code}」新版本生效日 {effective_from.isoformat()} 早于上一版本 {last.effective_from.isoformat()}。",
            field="effective_from",
            value=effective_from,
            fix="请用上一版本生效日或以后的日期。",
        )
    return FormVersion.objects.create(
        code=code,
        version=last.version + 1 if last else 1,
        schema=schema.model_dump(mode="json"),
        effective_from=effective_from,
        sha=schema.sha(),
    )


@operation("work.save_form", permission="work.act")
def save_form(
    *, actor: Actor, key: str, on: date, task_id: int, data: dict[str, Any], client_uuid: str, base_revision: int
) -> dict[str, Any]:
    """暂存填报（离线也可）：``client_uuid`` 防重，``base_revision`` 是所依据的版本，已被别人改过就拒绝而不覆盖。

    :raises Conflict: 依据的版本不是最新。
    """
    task = open_task(actor, task_id)
    require_owner(actor, task)
    if task.form_version is None:
        raise DomainError("FORM_NONE", "这类任务没有表单。", field="task_id", value=task_id, fix="请直接办理。")
    received = Submission.objects.filter(client_uuid=_uuid(client_uuid)).values("task_id", "revision").first()
    if received is not None:
        if received["task_id"] != task.pk:
            raise Conflict(
                "CLIENT_UUID_TAKEN", "该 client_uuid 已用于另一条任务。", field="client_uuid", value=client_uuid,
                fix="每次暂存用一个新的 UUID。",
            )  # fmt: skip
        return {"subject": f"task:{task.pk}", "task_id": task.pk, "revision": received["revision"]}
    clean = check(FormSchema.model_validate(task.form_version.schema), data, complete=False)
    row = _add_submission(actor, task, task.form_version, clean, _uuid(client_uuid), base_revision)
    return {"subject": f"task:{task.pk}", "task_id": task.pk, "revision": row.revision}


@operation("work.sign_form", permission="work.act")
def sign_form(
    *,
    actor: Actor,
    key: str,
    on: date,
    task_id: int,
    role: str,
    signer: str,
    method: str,
    evidence_id: int | None = None,
) -> dict[str, Any]:
    """在最近一次填报上签名：签的是那份内容的摘要，内容再改签名便对不上。``evidence_id`` 是笔迹或照片。

    :raises Conflict: 还没有填报。
    :raises DomainError: 没有这个签字位置、没写姓名，或证据不是这条任务的。
    """
    task = open_task(actor, task_id)
    require_owner(actor, task)
    _check_signer(task, role, signer)
    if evidence_id is not None and not Evidence.objects.filter(pk=evidence_id, task=task).exists():
        raise DomainError(
            "EVIDENCE_NOT_FOUND", "笔迹或照片不在这条任务的证据里。", field="evidence_id", value=evidence_id,
            fix="请先上传到这条任务。",
        )  # fmt: skip
    last = _last_submission(task)
    if last is None:
        raise Conflict(
            "NOTHING_TO_SIGN", "还没有填报，无从签名。", field="task_id", value=task_id, fix="请先填写并暂存。"
        )
    row, _ = Signature.objects.get_or_create(
        submission=last,
        role=role,
        signer=signer.strip(),
        defaults={"method": method, "data_sha": _data_sha(last.data), "evidence_id": evidence_id, "at": now()},
    )
    return {"subject": f"task:{task.pk}", "task_id": task.pk, "signature_id": row.pk, "data_sha": row.data_sha}


def take_form(actor: Actor, task: Task, data: dict[str, Any] | None, on: date) -> None:
    """办结时收表单：全部校验，存为最后一版，取出发现。"""
    assert task.form_version is not None
    schema = FormSchema.model_validate(task.form_version.schema)
    last = _last_submission(task)
    clean = check(schema, data if data is not None else (last.data if last else {}), complete=True)
    if last is None or last.data != clean:
        last = _add_submission(actor, task, task.form_version, clean, uuid.uuid4(), last.revision if last else 0)
    _require_signatures(schema, last)
    Finding.objects.bulk_create(
        Finding(
            submission=last,
            subject_type=task.subject_type,
            subject_id=task.subject_id,
            code=value.code,
            on_day=on,
            num=value.num,
            text=value.text,
            day=value.day,
        )
        for value in findings(schema, clean)
    )


def _check_signer(task: Task, role: str, signer: str) -> None:
    """签字的位置由表单定；没有定的，谁都可以签。"""
    if not signer.strip() or not role.strip():
        raise DomainError("SIGNER_MISSING", "须写明谁以什么身份签字。", field="signer", fix="请填签字人的姓名与身份。")
    schema = FormSchema.model_validate(task.form_version.schema) if task.form_version else None
    slots = {slot.role: slot.label for slot in schema.signatures} if schema else {}
    if slots and role not in slots:
        raise DomainError(
            "SIGNATURE_ROLE_UNKNOWN",
            f"这张表没有「{role}」的签字位置。",
            field="role",
            value=role,
            fix="可选：" + "、".join(f"{label}（{code}）" for code, label in slots.items()) + "。",
        )


def _require_signatures(schema: FormSchema, last: Submission) -> None:
    """必签的位置都要签在最后一次填写的内容上。"""
    needed = {slot.role: slot.label for slot in schema.signatures if slot.required}
    if not needed:
        return
    signed = set(Signature.objects.filter(submission=last, role__in=needed).values_list("role", flat=True))
    missing = [label for role, label in needed.items() if role not in signed]
    if missing:
        raise Conflict(
            "SIGNATURE_MISSING",
            f"《{schema.title}》还缺{'、'.join(missing)}的签字。",
            field="signer",
            fix="请先暂存，请其在最后一版上签字，再办结；签后又改了内容的要重新签。",
        )


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise DomainError(
            "UUID_INVALID", "client_uuid 不是 UUID。", field="client_uuid", value=text, fix="请由客户端生成 UUID。"
        ) from None


def _add_submission(
    actor: Actor,
    task: Task,
    form_version: FormVersion,
    clean: dict[str, Any],
    client_uuid: uuid.UUID,
    base_revision: int,
) -> Submission:
    last = _last_submission(task)
    latest = last.revision if last else 0
    if base_revision != latest:
        raise Conflict(
            "FORM_CHANGED",
            f"您依据的是第 {base_revision} 版，现在已是第 {latest} 版。",
            field="base_revision",
            value=base_revision,
            fix="请在最新版上核对后再存；您填的内容没有丢。",
        )
    return Submission.objects.create(
        task=task,
        revision=latest + 1,
        form_version=form_version,
        data=clean,
        by_id=actor.person_id,
        at=now(),
        client_uuid=client_uuid,
        base_revision=base_revision,
    )


def _last_submission(task: Task) -> Submission | None:
    return Submission.objects.filter(task=task).order_by("-revision").first()


def _data_sha(data: dict[str, Any]) -> str:
    return hashlib.sha256(canonical(data).encode()).hexdigest()
