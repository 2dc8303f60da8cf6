/* 分录：加一行、随填随加总。金额按分相加，不用小数。 */
(() => {
  "use strict";
  const table = document.querySelector("[data-entry-lines]");
  if (!table) return;
  const prefix = table.dataset.entryLines;
  const count = document.querySelector(`[name="${prefix}-TOTAL_FORMS"]`);
  const fen = (text) => {
    const plain = text.normalize("NFKC").replace(/[,\s]/g, "");
    const found = /^(\d{1,13})(?:\.(\d{1,2}))?$/.exec(plain);
    return found ? BigInt(found[1]) * 100n + BigInt((found[2] || "").padEnd(2, "0")) : 0n;
  };
  const yuan = (value) => {
    const digits = (value < 0n ? -value : value).toString().padStart(3, "0");
    return `${digits.slice(0, -2).replace(/\B(?=(\d{3})+$)/g, ",")}.${digits.slice(-2)}`;
  };
  const add = () => {
    const sums = {};
    for (const side of ["debit", "credit"]) {
      sums[side] = [...table.querySelectorAll(`[name$="-${side}"]`)].reduce((total, input) => total + fen(input.value), 0n);
      table.querySelector(`[data-sum=${side}]`).textContent = yuan(sums[side]);
    }
    const gap = sums.debit - sums.credit;
    const mark = table.querySelector("[data-balance]");
    mark.textContent = gap === 0n ? mark.dataset.even : `${mark.dataset.odd} ${yuan(gap)}`;
    mark.className = `pill ${gap === 0n ? "green" : "amber"}`;
  };
  document.querySelector("[data-add-line]").addEventListener("click", () => {
    const rows = table.tBodies[0].rows;
    const row = rows[rows.length - 1].cloneNode(true);
    const number = Number(count.value);
    for (const input of row.querySelectorAll("input, select")) {
      input.name = input.name.replace(/-\d+-/, `-${number}-`);
      input.id = input.id.replace(/-\d+-/, `-${number}-`);
      input.value = "";
    }
    row.querySelectorAll(".errors").forEach((line) => line.remove());
    table.tBodies[0].append(row);
    count.value = number + 1;
  });
  table.addEventListener("input", add);
  add();
})();
