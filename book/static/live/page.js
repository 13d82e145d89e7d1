// The page itself: buttons, and what each job shows. What it shows is computed by engine.js.
(function () {
  const { SIDE, AMBER, byId, make, grey, paint, frame, small, bar, probability, count, say } = Live.view;
  const MOST_BITS = 5; // at the right end of a bar of bits: what 32 grey levels take where nothing is known of them
  const calm = matchMedia("(prefers-reduced-motion: reduce)");
  const drawing = Live.drawing.values;

  // --- jobs ----------------------------------------------------------------------------------------------------------

  const waiting = new Map(); // id of a job -> what to do with its values
  let post = null;
  let lastId = 0;

  function ask(job, options, onValue) {
    const id = ++lastId;
    waiting.clear(); // a new job ends the one before
    if (asked && job !== "look") [asked, changed] = [false, true]; // a look that was ended is taken later
    waiting.set(id, onValue);
    post({ id, job, ...options });
  }

  function receive({ id, value, done }) {
    const onValue = waiting.get(id);
    if (done) waiting.delete(id);
    onValue?.(value, done);
  }

  // --- what is seen --------------------------------------------------------------------------------------------------

  let asked = false; // a look is under way
  let changed = false; // since the last look

  // The drawing has changed: look at it again, and forget what was found out about the old one.
  function renew() {
    forgetSubsets();
    forgetSimplified();
    changed = true;
    if (!asked) look();
  }

  // One look at a time: a pen is faster than a phone.
  function look() {
    if (!post || !changed) return;
    [asked, changed] = [true, false];
    const image = drawing.slice();
    ask("look", { drawing: image }, (found) => {
      asked = false;
      showSeen(found);
      measurePng(image);
      look();
    });
  }

  function showSeen({ bits, probabilities, similarities }) {
    const digit = Live.indexOfLargest(probabilities);
    const blank = drawing.every((value) => value === 0);
    bar(byId("glow"), bits / MOST_BITS, bits.toFixed(2));
    [...byId("digits").children].forEach((item, i) => {
      item.classList.toggle("sb-live-best", i === digit && !blank);
      bar(item.querySelector(".sb-live-bar"), probabilities[i], probability(probabilities[i]));
    });
    const nearest = Live.indexOfLargest(similarities);
    [...byId("condensed").children].forEach((item, i) => {
      item.classList.toggle("sb-live-best", i === nearest && !blank);
      item.querySelector("span").textContent = similarities[i].toFixed(2) + (i === nearest && !blank ? " nearest" : "");
    });
    say(
      blank
        ? `Nothing is drawn yet: ${bits.toFixed(2)} bits per dimension.`
        : `The network reads a ${digit}, with probability ${probability(probabilities[digit])}. ${bits.toFixed(2)} bits per dimension. ` +
            `Nearest condensed digit: ${nearest}.`,
      blank ? 0 : 400,
    );
  }

  let newestPng = 0;
  async function measurePng(image) {
    if (!window.CompressionStream) {
      byId("png-says").textContent = "This browser cannot pack a PNG file.";
      return;
    }
    const turn = ++newestPng;
    const rounded = Live.coloured(image).map((value) => Math.round(value * 31) / 31); // what Glow sees
    const { length: bytes } = await Live.pngFile(rounded, SIDE);
    if (turn !== newestPng) return;
    bar(byId("png"), (8 * bytes) / rounded.length / MOST_BITS, ((8 * bytes) / rounded.length).toFixed(2));
    byId("png-says").textContent = `The file has ${bytes} bytes, 57 of them the same for every picture of this size.`;
  }

  // --- sufficient subsets --------------------------------------------------------------------------------------------

  let playing = 0; // which playback is on; another number ends it

  function forgetSubsets() {
    playing += 1;
    byId("subsets").replaceChildren();
    bar(byId("kept"), 0, "");
    byId("masked").getContext("2d").clearRect(0, 0, 160, 160);
    byId("masked").ariaLabel = "Nothing selected yet";
  }

  function threshold() {
    return Number(byId("threshold").value);
  }

  function findSubsets(playback) {
    if (!post) return;
    forgetSubsets();
    const turn = playing;
    ask("subsets", { drawing: drawing.slice(), threshold: threshold() }, (found, done) => {
      if (done && turn === playing) showSubsets(found, playback && !calm.matches, turn);
      if (done) look();
    });
  }

  async function showSubsets(found, playback, turn) {
    const { digit, score, rounds } = found;
    if (rounds.length === 0) {
      say(`The network is not sure enough: it gives the ${digit} a probability of ${probability(score)}. Lower the threshold.`);
      showMasked(found, new Set(), score, new Set());
      return;
    }
    const gone = new Set(); // pixels of the subsets that were found before
    for (const [i, round] of rounds.entries()) {
      const masked = new Set(gone);
      const steps = round.order.length - round.sis.length;
      for (let step = 0; step < steps; step++) {
        masked.add(round.order[step]);
        if (playback) {
          showMasked(found, masked, round.values[step], gone);
          await new Promise((go) => setTimeout(go, i === 0 ? 45 : 12));
          if (turn !== playing) return;
        }
      }
      showMasked(found, allBut(round.sis), round.reached, gone);
      byId("subsets").append(subsetItem(found, round, i));
      round.sis.forEach((pixel) => gone.add(pixel));
    }
    showMasked(found, allBut(rounds[0].sis), rounds[0].reached, new Set());
    say(
      `${count(rounds.length, "sufficient subset")}, without a common pixel. The first has ${count(rounds[0].sis.length, "pixel")} of 64: ` +
        `alone it lets the network read a ${digit} with probability ${reached(rounds[0])}.`,
    );
  }

  const allBut = (pixels) => new Set([...Array(64).keys()].filter((pixel) => !pixels.includes(pixel)));
  const reached = (round) => (Number.isNaN(round.reached) ? "not measured" : probability(round.reached));

  function showMasked(found, masked, value, gone) {
    const { digit, small: image, fill } = found;
    const target = byId("masked");
    paint(target, 8, (at) => grey(masked.has(at) ? fill : image[at]));
    for (let at = 0; at < 64; at++) if (!masked.has(at)) frame(target, 8, at, AMBER);
    const text = `${64 - masked.size} of 64 pixels left${gone.size ? `, ${gone.size} used before` : ""}`;
    target.ariaLabel = text;
    byId("masking").textContent = text;
    bar(byId("kept"), Number.isNaN(value) ? 0 : value, Number.isNaN(value) ? "" : `${digit}: ${probability(value)}`);
  }

  function subsetItem({ small: image, fill, digit }, round, i) {
    const size = count(round.sis.length, "pixel");
    const label = `Subset ${i + 1}: ${size}; probability of the ${digit} ${reached(round)}`;
    const canvas = make("canvas", { width: 56, height: 56, role: "img", ariaLabel: label });
    const kept = new Set(round.sis);
    paint(canvas, 8, (at) => grey(kept.has(at) ? image[at] : fill));
    for (const at of kept) frame(canvas, 8, at, AMBER);
    return make("li", {}, canvas, make("span", { textContent: size }), make("span", { textContent: reached(round) }));
  }

  byId("subset").addEventListener("click", () => findSubsets(true));
  byId("threshold").addEventListener("input", () => {
    byId("threshold-says").textContent = probability(threshold());
    if (byId("subsets").children.length) findSubsets(false);
  });

  // --- simplification ------------------------------------------------------------------------------------------------

  let simplifying = false;

  function forgetSimplified() {
    setSimplifying(false);
    byId("simplified").getContext("2d").clearRect(0, 0, 160, 160);
    byId("simplified").ariaLabel = "Nothing simplified yet";
    bar(byId("simple-bits"), 0, "");
    bar(byId("simple-decision"), 0, "");
  }

  function setSimplifying(on) {
    simplifying = on;
    byId("simplify").textContent = on ? "Stop" : "Simplify";
  }

  byId("simplify").addEventListener("click", () => {
    if (!post) return;
    if (simplifying) {
      setSimplifying(false);
      ask("stop", {}, look);
      return;
    }
    forgetSimplified();
    setSimplifying(true);
    let last = null;
    ask("simplify", { drawing: drawing.slice() }, (value, done) => {
      if (!done) showSimplified((last = value));
      else {
        setSimplifying(false);
        const why = value.changed ? "One more step, and the network would read another digit." : "";
        if (last) say(`${simpler(last)} ${why}`);
        look();
      }
    });
  });

  const simpler = ({ step, before, bits, digit, probability: p }) =>
    `After ${count(step, "step")}: ${before.toFixed(2)} → ${bits.toFixed(2)} bits per dimension, still a ${digit} with probability ${probability(p)}.`;

  function showSimplified(value) {
    const { image, before, bits, digit, probability: p } = value;
    const rgb = (at) => [0, 256, 512].map((channel) => Math.round(255 * image[channel + at])).join(" ");
    paint(byId("simplified"), SIDE, (at) => `rgb(${rgb(at)})`);
    bar(byId("simple-bits"), bits / MOST_BITS, bits.toFixed(2));
    byId("simple-bits").style.setProperty("--was", before / MOST_BITS);
    bar(byId("simple-decision"), p, `${digit}: ${probability(p)}`);
    byId("simplified").ariaLabel = byId("simplifying").textContent = simpler(value);
  }

  // --- beginning -----------------------------------------------------------------------------------------------------

  const buffer = Uint8Array.from(atob(Live.data), (letter) => letter.charCodeAt(0)).buffer;
  const { examples, labels, condensed } = Live.readTensors(buffer);
  const pictures = Live.pictures(examples);
  pictures.forEach((image, i) => {
    const button = make("button", { type: "button", ariaLabel: `Example: a ${labels.values[i]}` }, small(image, SIDE, 48, ""));
    button.addEventListener("click", () => Live.drawing.take(image));
    byId("examples").append(button);
  });
  Live.pictures(condensed).forEach((image, digit) => {
    byId("condensed").append(make("li", {}, small(image, SIDE, 64, `Condensed ${digit}`), make("span")));
  });
  for (let digit = 0; digit < 10; digit++) {
    const shown = make("span", { className: "sb-live-bar sb-green" });
    byId("digits").append(make("li", {}, make("span", { textContent: digit }), shown));
  }
  for (const output of document.querySelectorAll("#live [data-about]")) {
    const value = output.dataset.about.split(".").reduce((part, name) => part[name], Live.about);
    output.textContent = value < 1 ? `${(100 * value).toFixed(1)} %` : value;
  }
  Live.drawing.whenChanged(renew);
  Live.drawing.take(pictures[6]);
  Live.start(buffer, Live.about, receive, (send, where) => {
    post = send;
    document.getElementById("live").dataset.ready = where;
    look();
  });
})();
