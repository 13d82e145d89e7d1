// Sufficient input subsets: the same algorithm as `sb.subsets.sis_collection`. The functions are generators: they pause
// after each step, so that whoever runs them can do something else in between.
Live.define(function (Live) {
  // Backward selection: mask one pixel after the other, always the one without which the score stays highest; of equal
  // ones the first. `score(inputs, n)` evaluates n inputs at once, laid out as inputs[pixel, input].
  Live.backSelect = function* (score, x, kept, fill) {
    const left = kept.slice();
    const order = [];
    const values = [];
    const start = score(masked(x, left, fill), 1)[0];
    for (let count = left.filter(Boolean).length; count > 0; count--) {
      const candidates = [...left.keys()].filter((pixel) => left[pixel]);
      const scores = score(withOneLess(masked(x, left, fill), candidates, fill), count);
      const best = Live.indexOfLargest(scores);
      order.push(candidates[best]);
      values.push(scores[best]);
      left[candidates[best]] = false;
      yield { order, values };
    }
    return { order, values, score: start };
  };

  // The pixels masked last, as few as reach the threshold; null where the whole input does not.
  Live.sufficient = function ({ order, values, score }, threshold) {
    if (order.length === 0 || !(score >= threshold)) return null;
    const first = values.slice(0, -1).findLastIndex((value) => value >= threshold) + 1;
    const sis = order.slice(first).reverse();
    let reached = first > 0 ? values[first - 1] : score;
    if (values.at(-1) >= threshold) {
      // The wholly masked input reaches the threshold too: as in the paper's code, the pixel masked last is left out.
      sis.shift();
      reached = sis.length > 0 ? NaN : values.at(-1);
    }
    return { sis, score: reached };
  };

  // All disjoint subsets: each is found with the earlier ones masked, until what is left does not reach the threshold.
  Live.sisCollection = function* (score, x, threshold, fill) {
    const left = Array(x.length).fill(true);
    const rounds = [];
    while (left.some(Boolean)) {
      if (!(score(masked(x, left, fill), 1)[0] >= threshold)) break;
      const selection = yield* Live.backSelect(score, x, left, fill);
      const { sis, score: reached } = Live.sufficient(selection, threshold);
      rounds.push({ ...selection, sis, reached });
      for (const pixel of sis) left[pixel] = false;
      if (sis.length === 0) break;
    }
    return rounds;
  };

  const masked = (x, left, fill) => x.map((value, pixel) => (left[pixel] ? value : fill));

  // One input for each candidate: the image without that pixel too.
  function withOneLess(x, candidates, fill) {
    const n = candidates.length;
    const inputs = new Float64Array(x.length * n);
    for (let pixel = 0; pixel < x.length; pixel++) inputs.fill(x[pixel], pixel * n, pixel * n + n);
    candidates.forEach((pixel, input) => { inputs[pixel * n + input] = fill; });
    return inputs;
  }
});
