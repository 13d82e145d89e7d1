// Simplification after training, as `sb.simplify.simplify_after_training` in latents and from the image: Adam moves the
// latents of an image so that its bits fall while the reader's answer stays. Two things differ from the paper: the term
// that compares gradients is left out (its weight is 0), and nothing is mixed with the original's latents (alpha = 1).
Live.define(function (Live) {
  // KL(f(x) || f(x_sim)) in nats, its derivative by the logits of x_sim.
  Live.divergence = function (logits, simplified) {
    const [p, q] = [Live.probabilities(logits), Live.probabilities(simplified)];
    const kl = Live.sum(p.map((value, i) => (value > 0 ? value * Math.log(value / q[i]) : 0)));
    return { kl, gradient: q.map((value, i) => value - p[i]) };
  };

  // The loss and its derivative by the latents: the mean of the bits and of how much the answers differ, of the reader and
  // of the reader with all weights scaled, with these weights.
  Live.simplifyLoss = function (glow, readers, x, latents, noise, { bitWeight, predictionWeights }) {
    const whole = bitWeight + Live.sum(predictionWeights);
    const decoded = glow.decode(latents);
    // Clipped, but the derivative passes through.
    const clipped = decoded.x.map((value) => Math.min(1, Math.max(0, value)));
    const { bits, back } = glow.bitsPerDim(clipped, noise);
    const gx = back().map((value) => (value * bitWeight) / whole);
    let loss = (bitWeight * bits) / whole;
    readers.forEach((reader, i) => {
      const wanted = reader.forward(Live.reduce(x)).logits;
      const now = reader.forward(Live.reduce(decoded.x));
      const { kl, gradient } = Live.divergence(wanted, now.logits);
      const share = predictionWeights[i] / whole;
      const gSmall = now.back(gradient.map((value) => value * share));
      Live.reduceBackward(gSmall, glow.channels).forEach((value, at) => { gx[at] += value; });
      loss += share * kl;
    });
    return { loss, bits, gradient: decoded.back(gx) };
  };

  // Adam (Kingma and Ba 2015) with its usual constants.
  class Adam {
    constructor(latents, rate) {
      const zeros = () => latents.map((z) => new Float64Array(z.length));
      Object.assign(this, { latents, rate, mean: zeros(), square: zeros(), steps: 0 });
    }
    step(gradient) {
      this.steps += 1;
      this.latents.forEach((z, level) => {
        const [m, v] = [this.mean[level], this.square[level]];
        gradient[level].forEach((g, i) => {
          m[i] += 0.1 * (g - m[i]);
          v[i] += 0.001 * (g * g - v[i]);
          const size = Math.sqrt(v[i] / (1 - 0.999 ** this.steps)) + 1e-8;
          z[i] -= (this.rate * m[i]) / (1 - 0.9 ** this.steps) / size;
        });
      });
    }
  }

  // Yields the simplified image after every step.
  Live.simplify = function* (glow, reader, x, { steps, rate, scale, random = Math.random, ...weights }) {
    const latents = glow.encode(x);
    const adam = new Adam(latents, rate);
    for (let step = 0; step < steps; step++) {
      const s = step < steps - 1 ? scale[0] + (scale[1] - scale[0]) * random() : scale[1];
      const noise = Float64Array.from({ length: glow.dims }, random);
      const { gradient } = Live.simplifyLoss(glow, [reader, reader.scaled(s)], x, latents, noise, weights);
      adam.step(gradient);
      yield glow.decode(latents).x.map((value) => Math.min(1, Math.max(0, value)));
    }
  };
});
