// The reader of digits: a small network of three linear maps that sees 8x8 pixels and gives a number to each digit.
Live.define(function (Live) {
  Live.Reader = class {
    // tensors: as saved by the library. All weights can be scaled, as simplification after training does.
    constructor(tensors, scale = 1) {
      this.tensors = tensors;
      const layer = (name) => {
        const [weight, bias] = ["weight", "bias"].map((part) => tensors[`${name}.${part}`]);
        const scaled = [weight, bias].map(({ values }) => values.map((value) => value * scale));
        return new Live.Linear(...scaled, ...weight.shape);
      };
      this.layers = [layer("features.1"), layer("features.3"), layer("linear")];
    }

    scaled(scale) {
      return new Live.Reader(this.tensors, scale);
    }

    // Logits of any number of images at once: x[pixel, image] to logits[digit, image]; and what comes before them.
    forward(x) {
      const h1 = Live.relu(this.layers[0].forward(x));
      const features = Live.relu(this.layers[1].forward(h1));
      const back = (gLogits) => {
        const g2 = Live.reluBackward(this.layers[2].backward(gLogits), features);
        return this.layers[0].backward(Live.reluBackward(this.layers[1].backward(g2), h1));
      };
      return { logits: this.layers[2].forward(features), features, back };
    }
  };

  // Softmax over the digits of each of n images.
  Live.probabilities = function (logits, n = 1) {
    const result = new Float64Array(logits.length);
    for (let image = 0; image < n; image++) {
      let [largest, total] = [-Infinity, 0];
      for (let at = image; at < logits.length; at += n) largest = Math.max(largest, logits[at]);
      for (let at = image; at < logits.length; at += n) total += result[at] = Math.exp(logits[at] - largest);
      for (let at = image; at < logits.length; at += n) result[at] /= total;
    }
    return result;
  };

  Live.indexOfLargest = (values) => values.reduce((best, value, i) => (value > values[best] ? i : best), 0);

  // What the reader sees of a picture of 16x16 pixels in c channels: the mean over channels and blocks of 2x2.
  Live.reduce = function (x, side = 16) {
    const channels = x.length / side ** 2;
    const small = new Float64Array((side / 2) ** 2);
    for (let at = 0; at < x.length; at++) small[place(at, side)] += x[at] / (4 * channels);
    return small;
  };
  Live.reduceBackward = function (gradient, channels, side = 16) {
    return Float64Array.from({ length: channels * side ** 2 }, (_, at) => gradient[place(at, side)] / (4 * channels));
  };
  function place(at, side) {
    const row = Math.floor(at / side) % side;
    return Math.floor(row / 2) * (side / 2) + Math.floor((at % side) / 2);
  }
});
