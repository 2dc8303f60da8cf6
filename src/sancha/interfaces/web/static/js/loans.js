/* 借据页面：日期滑块、推导框、常用金额、存在本机的视图。没有内联脚本（CSP）。 */
(() => {
  "use strict";
  const doc = document;
  const iso = (from, days) => {
    const [y, m, d] = from.split("-").map(Number);
    return new Date(Date.UTC(y, m - 1, d + days)).toISOString().slice(0, 10);
  };
  const daysBetween = (from, to) => Math.round((Date.parse(to) - Date.parse(from)) / 86400000);
  const changed = (input) => input.dispatchEvent(new Event("change", { bubbles: true }));

  /* 日期滑块：拖动时只改日期框，放手才去取。 */
  const bar = doc.querySelector(".datebar");
  if (bar) {
    const slider = bar.querySelector("[data-days-from]");
    const day = bar.querySelector("[name=on]");
    slider.addEventListener("input", () => { day.value = iso(slider.dataset.daysFrom, Number(slider.value)); });
    day.addEventListener("change", () => { if (day.value) slider.value = daysBetween(slider.dataset.daysFrom, day.value); });
    bar.addEventListener("click", (event) => {
      const button = event.target.closest("[data-day]");
      if (!button) return;
      day.value = button.dataset.day;
      if ("known" in button.dataset) bar.querySelector("[name=known_at]").value = "";
      changed(day);
    });
  }

  /* 推导框。 */
  const box = doc.getElementById("why");
  if (box) {
    doc.addEventListener("htmx:afterSwap", (event) => { if (event.detail.target.id === "why-body" && !box.open) box.showModal(); });
    box.addEventListener("click", (event) => { if (event.target === box || event.target.closest("[data-why-close]")) box.close(); });
  }

  /* 常用金额。 */
  doc.addEventListener("click", (event) => {
    const button = event.target.closest("[data-put]");
    if (!button) return;
    const input = button.form?.elements[button.dataset.put] || doc.querySelector(`[name="${button.dataset.put}"]`);
    input.value = button.dataset.value;
    changed(input);
    input.focus();
  });

  /* 存为视图：名字与网址参数只存在这台机器上。 */
  const tabs = doc.querySelector("[data-views]");
  if (tabs) {
    const store = `sancha.views.${tabs.dataset.views}`;
    const mine = tabs.querySelector("[data-views-mine]");
    const read = () => { try { return JSON.parse(localStorage.getItem(store)) || []; } catch { return []; } };
    const conditions = () => {
      const params = new URLSearchParams(location.search);
      params.delete("page");
      for (const [name, value] of [...params]) if (!value) params.delete(name);
      return params.toString();
    };
    const show = () => {
      mine.replaceChildren(...read().flatMap((view) => {
        const link = doc.createElement("a");
        link.href = `${location.pathname}?${view.query}`;
        link.textContent = view.name;
        if (view.query === conditions()) link.setAttribute("aria-current", "page");
        const drop = doc.createElement("button");
        drop.type = "button";
        drop.textContent = "×";
        drop.title = drop.ariaLabel = `${tabs.dataset.remove} ${view.name}`;
        drop.addEventListener("click", () => { localStorage.setItem(store, JSON.stringify(read().filter((v) => v.name !== view.name))); show(); });
        return [link, drop];
      }));
    };
    tabs.querySelector("[data-views-save]").addEventListener("click", (event) => {
      const name = (window.prompt(event.currentTarget.dataset.prompt) || "").trim().slice(0, 20);
      if (!name) return;
      localStorage.setItem(store, JSON.stringify([...read().filter((view) => view.name !== name), { name, query: conditions() }]));
      show();
    });
    show();
  }
})();
