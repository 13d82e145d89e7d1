// The field to draw in, with a mouse, a finger or the keys.
Live.drawing = (function () {
  const { SIDE, AMBER, byId, grey, paint, frame, say } = Live.view;
  const canvas = byId("drawing");
  const values = new Float64Array(SIDE * SIDE); // 0 black to 1 white, row by row
  const cursor = { row: 8, column: 8, shown: false, down: false };
  let erasing = false;
  let onChange = () => {};

  function show() {
    paint(canvas, SIDE, (at) => grey(values[at]));
    if (cursor.shown) frame(canvas, SIDE, cursor.row * SIDE + cursor.column, AMBER);
  }

  function take(image) {
    values.set(image);
    show();
    onChange();
  }

  // A round, soft pen at a place that is counted in pixels from the top left corner.
  function dot(x, y) {
    for (let at = 0; at < values.length; at++) {
      const distance = Math.hypot((at % SIDE) + 0.5 - x, Math.floor(at / SIDE) + 0.5 - y);
      const ink = Math.min(1, Math.max(0, 1.7 - distance));
      values[at] = erasing ? Math.min(values[at], 1 - ink) : Math.max(values[at], ink);
    }
  }

  function line(from, to) {
    const dots = Math.ceil(Math.hypot(to.x - from.x, to.y - from.y) * 3) || 1;
    for (let i = 1; i <= dots; i++) dot(from.x + ((to.x - from.x) * i) / dots, from.y + ((to.y - from.y) * i) / dots);
    show();
    onChange();
  }

  function place(event) {
    const box = canvas.getBoundingClientRect();
    return { x: ((event.clientX - box.left) / box.width) * SIDE, y: ((event.clientY - box.top) / box.height) * SIDE };
  }

  let pen = null; // where it was last, while it is down
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    cursor.shown = false;
    pen = place(event);
    line(pen, pen);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!pen) return;
    const to = place(event);
    line(pen, to);
    pen = to;
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { pen = null; });

  const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  canvas.addEventListener("keydown", (event) => {
    const move = MOVES[event.key];
    if (!move && event.key !== " ") return;
    event.preventDefault(); // the page does not scroll
    const from = { x: cursor.column + 0.5, y: cursor.row + 0.5 };
    const inside = (value) => Math.min(SIDE - 1, Math.max(0, value));
    if (move) [cursor.row, cursor.column] = [inside(cursor.row + move[0]), inside(cursor.column + move[1])];
    else cursor.down = true;
    cursor.shown = true;
    if (cursor.down) line(from, { x: cursor.column + 0.5, y: cursor.row + 0.5 });
    else {
      show();
      say(`Row ${cursor.row + 1}, column ${cursor.column + 1}`);
    }
  });
  canvas.addEventListener("keyup", (event) => {
    if (event.key === " ") cursor.down = false;
  });
  canvas.addEventListener("focus", () => { cursor.shown = canvas.matches(":focus-visible"); show(); });
  canvas.addEventListener("blur", () => { cursor.shown = cursor.down = false; show(); });

  byId("clear").addEventListener("click", () => take(new Float64Array(SIDE * SIDE)));
  byId("erase").addEventListener("click", (event) => {
    erasing = !erasing;
    event.currentTarget.ariaPressed = erasing;
  });

  return { values, take, whenChanged: (action) => { onChange = action; } };
})();
