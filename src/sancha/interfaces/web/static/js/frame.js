/* 框架交互：侧栏开合、确认对话框、上传文件名、填入样例登录、打印、防重复提交。没有内联脚本（CSP）。 */
(() => {
  "use strict";
  const doc = document;

  const openSide = (open) => {
    doc.body.classList.toggle("side-open", open);
    doc.querySelector("[data-side-toggle]")?.setAttribute("aria-expanded", String(open));
  };

  /* 确认框：<button data-confirm="说明" data-confirm-title="标题" data-confirm-ok="按钮字">，htmx 的 hx-confirm 也用它。 */
  const ask = (message, { title = "", ok = "" } = {}) =>
    new Promise((resolve) => {
      const dialog = doc.getElementById("ask");
      dialog.querySelector("[data-ask-title]").textContent = title || dialog.dataset.title;
      dialog.querySelector("[data-ask-message]").textContent = message;
      const button = dialog.querySelector("[data-ask-ok]");
      button.textContent = ok || dialog.dataset.ok;
      dialog.returnValue = "";
      dialog.addEventListener("close", () => resolve(dialog.returnValue === "ok"), { once: true });
      dialog.showModal();
      button.focus();
    });

  doc.addEventListener("click", (event) => {
    const on = (selector) => event.target.closest(selector);
    if (on("[data-side-toggle]")) openSide(!doc.body.classList.contains("side-open"));
    else if (on("[data-side-close]")) openSide(false);
    else if (on("[data-print]")) window.print();
    else if (on("[data-back]")) history.back();
    else if (on("[data-ask-cancel]")) on("dialog").close("");
    else if (on("[data-ask-ok]")) on("dialog").close("ok");
    const fill = on("[data-fill]");
    if (fill) {
      for (const [name, value] of Object.entries(JSON.parse(fill.dataset.fill))) {
        const input = doc.querySelector(`[name="${name}"]`);
        if (input) input.value = value;
      }
      doc.querySelector("[data-fill-submit]")?.focus();
    }
    const copy = on("[data-copy]");
    if (copy) navigator.clipboard?.writeText(copy.dataset.copy).then(() => copy.classList.add("text-success"));
  });

  doc.addEventListener("keydown", (event) => {
    if (event.key === "Escape") openSide(false);
    if (event.key === "k" && (event.ctrlKey || event.metaKey)) {
      const box = doc.querySelector(".top-search input");
      if (box) { event.preventDefault(); box.focus(); box.select(); }
    }
  });

  /* 一次提交只办一次：幂等键在服务端兜底，这里只是不让人以为没点着而连点。 */
  doc.addEventListener("submit", (event) => {
    const form = event.target;
    const button = event.submitter;
    const message = button?.dataset.confirm || form.dataset.confirm;
    if (message && !form.dataset.confirmed) {
      event.preventDefault();
      event.stopImmediatePropagation();
      const words = { title: button?.dataset.confirmTitle, ok: button?.dataset.confirmOk };
      ask(message, words).then((yes) => {
        if (!yes) return;
        form.dataset.confirmed = "1";
        form.requestSubmit(button || undefined);
        delete form.dataset.confirmed;
      });
      return;
    }
    if (form.method === "post" && !form.hasAttribute("hx-post")) {
      if (form.dataset.sent) { event.preventDefault(); return; }
      form.dataset.sent = "1";
      form.setAttribute("aria-busy", "true");
      setTimeout(() => form.querySelectorAll("button[type=submit], button:not([type])").forEach((b) => { b.disabled = true; }), 0);
    }
  }, true);

  /* 浏览器后退取回旧页时，恢复可提交。 */
  window.addEventListener("pageshow", () => {
    doc.querySelectorAll("form[data-sent]").forEach((form) => {
      delete form.dataset.sent;
      form.removeAttribute("aria-busy");
      form.querySelectorAll("button").forEach((b) => { b.disabled = false; });
    });
  });

  doc.addEventListener("change", (event) => {
    const input = event.target;
    if (input.matches(".upload input[type=file]")) {
      const names = [...input.files].map((f) => `${f.name}（${Math.max(1, Math.round(f.size / 1024))} KB）`);
      input.closest(".upload").querySelector("[data-upload-name]").textContent = names.join("、") || input.dataset.empty || "";
    }
    if (input.matches("[data-autosubmit]")) input.form.requestSubmit();
  });
  for (const kind of ["dragenter", "dragleave", "drop"]) {
    doc.addEventListener(kind, (event) => {
      event.target.closest?.(".upload")?.classList.toggle("over", kind === "dragenter");
    });
  }

  doc.addEventListener("htmx:confirm", (event) => {
    if (!event.detail.question) return;
    event.preventDefault();
    ask(event.detail.question).then((yes) => yes && event.detail.issueRequest(true));
  });

  /* 断网或服务器出错时说一句，不要静悄悄。 */
  const failed = () => {
    const bar = doc.getElementById("offline");
    if (bar) bar.hidden = false;
  };
  doc.addEventListener("htmx:sendError", failed);
  doc.addEventListener("htmx:responseError", (event) => { if (event.detail.xhr.status >= 500) failed(); });
  doc.addEventListener("htmx:afterOnLoad", () => { const bar = doc.getElementById("offline"); if (bar) bar.hidden = true; });

  const current = doc.querySelector(".side [aria-current]");
  if (current && current.offsetTop > window.innerHeight - 80) current.scrollIntoView({ block: "center" });
})();
