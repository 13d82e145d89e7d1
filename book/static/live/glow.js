// Glow in a browser: the same model as `sb.density.Glow`, with the same names. It is an invertible network, so that the
// density of an image is that of its latents times a volume. Each forward step also returns `back`, which takes the
// derivatives of its results and gives those of its input: the chain rule, one step at a time.
Live.define(function (Live) {
  // One step of flow: ActNorm and 1x1 convolution (one linear map of the channels), then an affine coupling.
  class GlowStep {
    constructor(tensors, name, side, floor) {
      const of = (part) => tensors[`${name}.${part}`].values;
      const bias = of("actnorm.bias");
      const n = bias.length;
      const logScale = of("actnorm.log_scale");
      // W e^s (x + b) is the linear map W e^s with bias W e^s b.
      const mix = matrixOf(of, n).map((w, at) => w * Math.exp(logScale[at % n]));
      this.mix = new Live.Linear(mix, Live.product(mix, bias, n, n), n, n);
      this.unmix = new Live.Linear(Live.inverse(mix, n), bias.map((b) => -b), n, n);
      this.coupling = new Coupling(tensors, `${name}.coupling`, n, side, floor);
      this.logDet = (Live.sum(logScale) + Live.sum(of("conv1x1.log_diagonal"))) * side * side;
    }
    forward(x) {
      const { y, logDet, back } = this.coupling.forward(this.mix.forward(x));
      return { y, logDet: logDet + this.logDet, back: (gy, gLogDet) => this.mix.backward(back(gy, gLogDet)) };
    }
    inverse(y) {
      const { x, back } = this.coupling.inverse(y);
      return { x: this.unmix.forward(x), back: (gx) => back(this.unmix.backward(gx)) };
    }
  }

  // W = P (L + I) (U + diag(sign e^w)), the matrix of the 1x1 convolution.
  function matrixOf(of, n) {
    const [lower, upper] = [of("conv1x1.lower"), of("conv1x1.upper")];
    const [sign, logDiagonal] = [of("conv1x1.sign"), of("conv1x1.log_diagonal")];
    const l = lower.map((v, at) => (at % n < Math.floor(at / n) ? v : at % n === Math.floor(at / n) ? 1 : 0));
    const u = upper.map((v, at) => {
      const [row, column] = [Math.floor(at / n), at % n];
      return column > row ? v : column === row ? sign[row] * Math.exp(logDiagonal[row]) : 0;
    });
    return Live.product(of("conv1x1.permutation"), Live.product(l, u, n, n), n, n);
  }

  // The first half of the channels stays and decides how the second moves: y2 = (x2 + t) s, s = floor + (1 - floor) sigmoid.
  class Coupling {
    constructor(tensors, name, channels, side, floor) {
      const of = (part) => tensors[`${name}.${part}`].values;
      const half = channels / 2;
      const hidden = of("actnorm1.bias").length;
      this.floor = floor;
      this.conv1 = normalised(Live.Conv3x3, of("conv1.weight"), of, "actnorm1", hidden, half, side);
      this.conv2 = normalised(Live.Linear, of("conv2.weight"), of, "actnorm2", hidden, hidden);
      this.conv3 = lastConvolution(of, channels, hidden, side);
    }
    shiftAndScale(first) {
      const h1 = Live.relu(this.conv1.forward(first));
      const h2 = Live.relu(this.conv2.forward(h1));
      const out = this.conv3.forward(h2);
      const sigmoid = out.slice(out.length / 2).map((raw) => 1 / (1 + Math.exp(-raw)));
      const back = (gShift, gScale) => {
        const gRaw = gScale.map((g, i) => g * (1 - this.floor) * sigmoid[i] * (1 - sigmoid[i]));
        const gHidden = Live.reluBackward(this.conv3.backward(Live.concat(gShift, gRaw)), h2);
        return this.conv1.backward(Live.reluBackward(this.conv2.backward(gHidden), h1));
      };
      const scale = sigmoid.map((value) => this.floor + (1 - this.floor) * value);
      return { shift: out.subarray(0, out.length / 2), scale, back };
    }
    forward(x) {
      const [first, second] = halves(x);
      const { shift, scale, back } = this.shiftAndScale(first);
      const moved = second.map((value, i) => (value + shift[i]) * scale[i]);
      return {
        y: Live.concat(first, moved),
        logDet: Live.sum(scale.map(Math.log)),
        back: (gy, gLogDet) => {
          const [gFirst, gMoved] = halves(gy);
          const gSecond = gMoved.map((g, i) => g * scale[i]);
          const gScale = gMoved.map((g, i) => g * (second[i] + shift[i]) + gLogDet / scale[i]);
          return Live.concat(added(gFirst, back(gSecond, gScale)), gSecond);
        },
      };
    }
    inverse(y) {
      const [first, moved] = halves(y);
      const { shift, scale, back } = this.shiftAndScale(first);
      const second = moved.map((value, i) => value / scale[i] - shift[i]);
      return {
        x: Live.concat(first, second),
        back: (gx) => {
          const [gFirst, gSecond] = halves(gx);
          const gMoved = gSecond.map((g, i) => g / scale[i]);
          const gShift = gSecond.map((g) => -g);
          const gScale = gSecond.map((g, i) => (-g * moved[i]) / scale[i] ** 2);
          return Live.concat(added(gFirst, back(gShift, gScale)), gMoved);
        },
      };
    }
  }

  // ActNorm after a convolution: e^s (W h + b) is the convolution (e^s W) h with bias e^s b.
  function normalised(Layer, weight, of, actnorm, outs, ins, side) {
    const factor = of(`${actnorm}.log_scale`).map(Math.exp);
    const each = weight.length / outs;
    const bias = of(`${actnorm}.bias`).map((b, o) => b * factor[o]);
    return new Layer(weight.map((w, at) => w * factor[Math.floor(at / each)]), bias, outs, ins, side);
  }

  // Its output is multiplied by e^(3 s). Even rows give the shift, odd ones the raw scale, to which 2 is added.
  function lastConvolution(of, outs, ins, side) {
    const [weight, bias, logScale] = [of("conv3.weight"), of("conv3.bias"), of("conv3.log_scale")];
    const each = 9 * ins;
    const sorted = new Float64Array(weight.length);
    const shifts = new Float64Array(outs);
    for (let to = 0; to < outs; to++) {
      const row = to < outs / 2 ? 2 * to : 2 * (to - outs / 2) + 1;
      const factor = Math.exp(3 * logScale[row]);
      for (let k = 0; k < each; k++) sorted[to * each + k] = weight[row * each + k] * factor;
      shifts[to] = bias[row] * factor + (to < outs / 2 ? 0 : 2);
    }
    return new Live.Conv3x3(sorted, shifts, outs, ins, side);
  }

  Live.Glow = class {
    // tensors: as saved by the library; config: {levels, steps, image_size, channels, bit_depth, scale_floor}.
    constructor(tensors, config) {
      Object.assign(this, config, { dims: config.channels * config.image_size ** 2, scales: [] });
      let side = config.image_size;
      for (let level = 0; level < config.levels; level++) {
        const steps = [];
        for (let k = 0; k < config.steps; k++) {
          steps.push(new GlowStep(tensors, `flow.${level}.${k}`, side / 2, config.scale_floor));
        }
        const [bias, logScale] = ["bias", "log_scale"].map((part) => tensors[`prior.${level}.${part}`].values);
        this.scales.push({ side, steps, bias, factor: logScale.map(Math.exp), logDet: Live.sum(logScale) });
        side /= 2;
      }
    }

    // Centred image to latents, finest first, with log|det| in nats.
    flowForward(g) {
      const latents = [];
      const backs = [];
      let logDet = 0;
      let h = g;
      for (const { side, steps, bias, factor, logDet: ofPrior } of this.scales) {
        h = squeeze(h, side);
        for (const step of steps) {
          const { y, logDet: change, back } = step.forward(h);
          h = y;
          logDet += change;
          backs.push(back);
        }
        const last = latents.length === this.levels - 1;
        const [leaving, staying] = last ? [h, null] : halves(h);
        latents.push(leaving.map((value, i) => (value + bias[i]) * factor[i]));
        logDet += ofPrior;
        h = staying;
      }
      const back = (gLatents, gLogDet) => {
        let gh = null;
        for (let level = this.levels - 1; level >= 0; level--) {
          const { side, steps, factor } = this.scales[level];
          const gLeaving = gLatents[level].map((value, i) => value * factor[i]);
          gh = gh ? Live.concat(gLeaving, gh) : gLeaving;
          for (const _ of steps) gh = backs.pop()(gh, gLogDet);
          gh = unsqueeze(gh, side);
        }
        return gh;
      };
      return { latents, logDet, back };
    }

    // Latents to centred image: the exact inverse.
    flowInverse(latents) {
      const backs = [];
      let h = null;
      for (let level = this.levels - 1; level >= 0; level--) {
        const { side, steps, bias, factor } = this.scales[level];
        const leaving = latents[level].map((value, i) => value / factor[i] - bias[i]);
        h = h ? Live.concat(leaving, h) : leaving;
        for (const step of [...steps].reverse()) {
          const { x, back } = step.inverse(h);
          h = x;
          backs.push(back);
        }
        h = unsqueeze(h, side);
      }
      const back = (gg) => {
        const gLatents = [];
        let gh = gg;
        for (const { side, steps, factor } of this.scales) {
          gh = squeeze(gh, side);
          for (const _ of steps) gh = backs.pop()(gh);
          const last = gLatents.length === this.levels - 1;
          const [gLeaving, gStaying] = last ? [gh, null] : halves(gh);
          gLatents.push(gLeaving.map((value, i) => value / factor[i]));
          gh = gStaying;
        }
        return gLatents;
      };
      return { g: h, back };
    }

    encode(x) {
      return this.flowForward(this.centre(x)).latents;
    }

    // Not clipped: latents that no image has can leave [0, 1].
    decode(latents) {
      const { g, back } = this.flowInverse(latents);
      const factor = 2 ** this.bit_depth / (2 ** this.bit_depth - 1);
      return { x: g.map((value) => (value + 0.5) * factor), back: (gx) => back(gx.map((value) => value * factor)) };
    }

    // Bits per dimension of an image in [0, 1]: b - log p(g) / (d ln 2), where uniform noise in [0, 1) spreads each grey
    // level over its bin.
    bitsPerDim(x, noise) {
      const levels = 2 ** this.bit_depth;
      const centred = this.centre(x).map((value, i) => value + noise[i] / levels);
      const { latents, logDet, back } = this.flowForward(centred);
      const squares = Live.sum(latents.map((z) => Live.sum(z.map((value) => value * value))));
      const logDensity = logDet - 0.5 * squares - 0.5 * this.dims * Math.log(2 * Math.PI);
      const unit = 1 / (this.dims * Math.LN2);
      return {
        bits: this.bit_depth - logDensity * unit,
        back: () => {
          const gg = back(latents.map((z) => z.map((value) => value * unit)), -unit);
          return gg.map((value) => (value * (levels - 1)) / levels);
        },
      };
    }

    centre(x) {
      const levels = 2 ** this.bit_depth;
      return x.map((value) => (value * (levels - 1)) / levels - 0.5);
    }

    // The nearest of the model's grey levels.
    quantise(x) {
      const top = 2 ** this.bit_depth - 1;
      return x.map((value) => Math.round(Math.min(1, Math.max(0, value)) * top) / top);
    }
  };

  // Space for channels: pixel (row i, column j) of each 2x2 block of channel c goes to channel 4c + 2i + j.
  function squeeze(x, side) {
    const y = new Float64Array(x.length);
    eachBlock(x.length, side, (fine, coarse) => { y[coarse] = x[fine]; });
    return y;
  }

  function unsqueeze(y, side) {
    const x = new Float64Array(y.length);
    eachBlock(y.length, side, (fine, coarse) => { x[fine] = y[coarse]; });
    return x;
  }

  function eachBlock(length, side, visit) {
    const half = side / 2;
    for (let fine = 0; fine < length; fine++) {
      const column = fine % side;
      const row = Math.floor(fine / side) % side;
      const channel = 4 * Math.floor(fine / side ** 2) + 2 * (row % 2) + (column % 2);
      visit(fine, (channel * half + Math.floor(row / 2)) * half + Math.floor(column / 2));
    }
  }

  const halves = (x) => [x.subarray(0, x.length / 2), x.subarray(x.length / 2)];
  const added = (a, b) => a.map((value, i) => value + b[i]);
});
