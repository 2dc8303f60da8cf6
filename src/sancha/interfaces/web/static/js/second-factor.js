/* 第二因素二维码：在本机浏览器里画，密钥不出本站。 */
(() => {
  "use strict";
  const box = document.querySelector("[data-qr]");
  if (!box || !window.qrcode) return;
  const code = window.qrcode(0, "M");
  code.addData(box.dataset.qr);
  code.make();
  const cells = code.getModuleCount();
  let path = "";
  for (let row = 0; row < cells; row += 1) {
    for (let column = 0; column < cells; column += 1) {
      if (code.isDark(row, column)) path += `M${column} ${row}h1v1h-1z`;
    }
  }
  const ns = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(ns, "svg");
  svg.setAttribute("viewBox", `0 0 ${cells} ${cells}`);
  svg.setAttribute("shape-rendering", "crispEdges");
  const shape = document.createElementNS(ns, "path");
  shape.setAttribute("d", path);
  svg.append(shape);
  box.append(svg);
})();
