/* 图表：<div data-chart="数据 id">，数据由 json_script 给出：
   {kind: "bar"|"line"|"mix"|"pie", labels: [...], series: [{name, data, type?, axis?}], unit?, unit2?, scale?: "wan"|"ppm"}。
   金额数据是整数分，只在这里为了画图折成万元；提示框用 richText，不产生内联样式（CSP）。 */
(() => {
  "use strict";
  const COLORS = ["#2563b8", "#3aa6a0", "#e0a030", "#d9703a", "#b23a48", "#6b7fa3"];
  const SCALE = { wan: 1e6, yuan: 100, ppm: 1e4 };
  const MAX_BAR = 26;
  const drawn = [];

  const scaled = (value, scale) => (value === null ? null : value / (SCALE[scale] || 1));
  const words = (value, digits) =>
    value === null || value === undefined ? "—" : value.toLocaleString("zh-CN", { minimumFractionDigits: digits, maximumFractionDigits: digits });

  const option = (spec) => {
    const text = { fontFamily: getComputedStyle(document.body).fontFamily, color: "#566377", fontSize: 12 };
    const digits = spec.scale ? 2 : 0;
    const tip = {
      renderMode: "richText", confine: true, backgroundColor: "#fff", borderColor: "#d5dce6", textStyle: { ...text, color: "#1c2738" },
      valueFormatter: (v) => words(v, digits) + (spec.unit ? ` ${spec.unit}` : ""),
    };
    const legend = { top: 0, left: "center", itemWidth: 14, itemHeight: 9, textStyle: text };
    if (spec.kind === "pie") {
      return {
        color: COLORS, textStyle: text, tooltip: { ...tip, trigger: "item" },
        legend: { ...legend, orient: "vertical", top: "middle", left: "auto", right: 8 },
        series: [{
          type: "pie", radius: ["46%", "74%"], center: ["36%", "50%"], label: { show: false }, itemStyle: { borderColor: "#fff", borderWidth: 1 },
          data: spec.labels.map((name, i) => ({ name, value: scaled(spec.series[0].data[i], spec.scale) })),
        }],
      };
    }
    const second = spec.series.some((s) => s.axis === 1);
    const axis = (name, extra) => ({
      type: "value", name, nameTextStyle: text, axisLabel: text, splitLine: { lineStyle: { color: "#edf0f4" } }, ...extra,
    });
    return {
      color: COLORS, textStyle: text, tooltip: { ...tip, trigger: "axis" }, legend: { ...legend, show: spec.series.length > 1 },
      grid: { left: 8, right: second ? 8 : 14, top: spec.series.length > 1 ? 44 : 28, bottom: 4, containLabel: true },
      xAxis: { type: "category", data: spec.labels, axisLabel: text, axisTick: { show: false }, axisLine: { lineStyle: { color: "#cdd5df" } } },
      yAxis: second ? [axis(spec.unit || ""), axis(spec.unit2 || "", { splitLine: { show: false } })] : axis(spec.unit || ""),
      series: spec.series.map((s) => ({
        name: s.name, type: s.type || (spec.kind === "line" ? "line" : "bar"), yAxisIndex: s.axis || 0, barMaxWidth: MAX_BAR,
        stack: s.stack, symbolSize: 5, data: s.data.map((v) => scaled(v, s.scale || spec.scale)),
      })),
    };
  };

  const draw = (root) => {
    for (const box of root.querySelectorAll("[data-chart]:not([data-drawn])")) {
      const spec = JSON.parse(document.getElementById(box.dataset.chart).textContent);
      const chart = window.echarts.init(box, null, { renderer: "canvas" });
      chart.setOption({ animationDuration: 250, ...option(spec) });
      box.dataset.drawn = "1";
      drawn.push(chart);
    }
  };

  let timer = 0;
  window.addEventListener("resize", () => {
    clearTimeout(timer);
    timer = setTimeout(() => drawn.forEach((chart) => chart.resize()), 120);
  });
  window.addEventListener("beforeprint", () => drawn.forEach((chart) => chart.resize({ width: 640 })));
  window.addEventListener("afterprint", () => drawn.forEach((chart) => chart.resize({ width: "auto" })));
  document.addEventListener("htmx:load", (event) => draw(event.detail.elt.parentElement || document));
  draw(document);
})();
