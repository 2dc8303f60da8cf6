/* 手写签字：手指、触笔或鼠标写在框里，交出一张透明底的 PNG；什么也没写就什么也不交。 */
(() => {
  "use strict";
  const pad = document.querySelector("[data-ink-pad]");
  const field = document.querySelector("[data-ink]");
  if (!pad || !field) return;
  const canvas = pad.querySelector("canvas");
  const pen = canvas.getContext("2d");
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  let last = null;

  const size = () => {
    const box = canvas.getBoundingClientRect();
    canvas.width = Math.round(box.width * ratio);
    canvas.height = Math.round(box.height * ratio);
    pen.scale(ratio, ratio);
    pen.lineWidth = 2.4;
    pen.lineCap = "round";
    pen.lineJoin = "round";
    pen.strokeStyle = "#12233f";
    field.value = "";
  };
  const point = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  canvas.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    last = point(event);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!last) return;
    const here = point(event);
    pen.beginPath();
    pen.moveTo(last.x, last.y);
    pen.lineTo(here.x, here.y);
    pen.stroke();
    last = here;
  });
  const lift = () => {
    if (!last) return;
    last = null;
    field.value = canvas.toDataURL("image/png");
  };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);
  pad.querySelector("[data-ink-clear]").addEventListener("click", size);
  size();
})();
