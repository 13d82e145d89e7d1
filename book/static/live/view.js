// What the page shows with: pictures, bars and a sentence for those who cannot see them.
Live.view = (function () {
  const SIDE = 16;
  const AMBER = "#E69F00";
  const byId = (id) => document.getElementById(`live-${id}`);
  const make = (tag, properties = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };

  const grey = (value) => `rgb(${Array(3).fill(Math.round(255 * value)).join(" ")})`;

  function paint(canvas, side, colour) {
    const context = canvas.getContext("2d");
    const cell = canvas.width / side;
    for (let at = 0; at < side * side; at++) {
      context.fillStyle = colour(at);
      context.fillRect((at % side) * cell, Math.floor(at / side) * cell, cell, cell);
    }
  }

  function frame(canvas, side, at, colour) {
    const context = canvas.getContext("2d");
    const cell = canvas.width / side;
    context.strokeStyle = colour;
    context.lineWidth = Math.max(2, cell / 8);
    const inset = context.lineWidth / 2;
    const [x, y] = [(at % side) * cell + inset, Math.floor(at / side) * cell + inset];
    context.strokeRect(x, y, cell - 2 * inset, cell - 2 * inset);
  }

  function small(image, side, size, label) {
    const canvas = make("canvas", { width: size, height: size, role: "img", ariaLabel: label });
    paint(canvas, side, (at) => grey(image[at]));
    return canvas;
  }

  function bar(element, share, text) {
    element.style.setProperty("--share", Math.min(1, Math.max(0, share)));
    element.textContent = text;
  }

  const probability = (value) => value.toFixed(2);
  const count = (n, thing) => `${n} ${thing}${n === 1 ? "" : "s"}`;
  let speaking = 0;
  function say(text, pause = 0) {
    clearTimeout(speaking);
    speaking = setTimeout(() => { byId("says").textContent = text; }, pause);
  }

  return { SIDE, AMBER, byId, make, grey, paint, frame, small, bar, probability, count, say };
})();
