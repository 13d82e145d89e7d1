// Tensors as flat arrays of numbers, channel after channel: what Glow and the reader are made of.
Live.define(function (Live) {
  // A safetensors file: the length of the header, the header (JSON), then all numbers. Returns {name: {shape, values}}.
  Live.readTensors = function (buffer) {
    const length = Number(new DataView(buffer).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
    const tensors = {};
    for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(header)) {
      if (name === "__metadata__") continue;
      const bytes = buffer.slice(8 + length + offsets[0], 8 + length + offsets[1]);
      tensors[name] = { shape, values: Float64Array.from(numbers[dtype](bytes)) };
    }
    return tensors;
  };

  const numbers = {
    F16: (bytes) => Float64Array.from(new Uint16Array(bytes), halfToNumber),
    F32: (bytes) => new Float32Array(bytes),
    U8: (bytes) => new Uint8Array(bytes),
  };

  // Half precision: 1 bit of sign, 5 of exponent, 10 of fraction.
  function halfToNumber(half) {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
  }

  // A linear map of the channels, the same at every pixel: y[o, p] = sum over i of weight[o, i] x[i, p], plus bias[o].
  Live.Linear = class {
    constructor(weight, bias, outs, ins) {
      Object.assign(this, { weight, bias, outs, ins });
      this.transposed = Live.transpose(weight, outs, ins);
    }
    forward(x) {
      return product(this.weight, x, this.outs, this.ins, this.bias);
    }
    // The weights are frozen: only the input gets a gradient.
    backward(gradient) {
      return product(this.transposed, gradient, this.ins, this.outs);
    }
  };

  // A 3x3 convolution with a border of zeros is a linear map of the nine neighbours of each pixel.
  Live.Conv3x3 = class {
    constructor(weight, bias, outs, ins, side) {
      Object.assign(this, { ins, side, linear: new Live.Linear(weight, bias, outs, 9 * ins) });
    }
    forward(x) {
      const columns = new Float64Array(9 * x.length);
      eachNeighbour(this.ins, this.side, (column, pixel) => { columns[column] = x[pixel]; });
      return this.linear.forward(columns);
    }
    backward(gradient) {
      const columns = this.linear.backward(gradient);
      const x = new Float64Array(columns.length / 9);
      eachNeighbour(this.ins, this.side, (column, pixel) => { x[pixel] += columns[column]; });
      return x;
    }
  };

  function eachNeighbour(channels, side, visit) {
    for (let channel = 0; channel < channels; channel++) {
      for (let k = 0; k < 9; k++) {
        const down = Math.floor(k / 3) - 1;
        const right = (k % 3) - 1;
        for (let row = Math.max(0, -down); row < Math.min(side, side - down); row++) {
          for (let column = Math.max(0, -right); column < Math.min(side, side - right); column++) {
            visit(
              ((9 * channel + k) * side + row) * side + column,
              (channel * side + row + down) * side + column + right,
            );
          }
        }
      }
    }
  }

  // Nearly all of the time goes by in here. Four inputs at once visit y a quarter as often: twice as fast, measured.
  function product(weight, x, outs, ins, bias) {
    const n = x.length / ins;
    const y = new Float64Array(outs * n);
    const fours = ins - (ins % 4);
    for (let o = 0; o < outs; o++) {
      const to = o * n;
      if (bias) y.fill(bias[o], to, to + n);
      for (let i = 0; i < fours; i += 4) {
        const at = o * ins + i;
        const [w0, w1, w2, w3] = [weight[at], weight[at + 1], weight[at + 2], weight[at + 3]];
        const [x0, x1, x2, x3] = [i * n, (i + 1) * n, (i + 2) * n, (i + 3) * n];
        for (let p = 0; p < n; p++) {
          y[to + p] += w0 * x[x0 + p] + w1 * x[x1 + p] + w2 * x[x2 + p] + w3 * x[x3 + p];
        }
      }
      for (let i = fours; i < ins; i++) {
        for (let p = 0; p < n; p++) y[to + p] += weight[o * ins + i] * x[i * n + p];
      }
    }
    return y;
  }
  Live.product = product;

  Live.relu = (x) => x.map((value) => Math.max(value, 0));
  Live.reluBackward = (gradient, y) => gradient.map((g, i) => (y[i] > 0 ? g : 0));

  Live.transpose = function (matrix, rows, columns) {
    return Float64Array.from(matrix, (_, at) => matrix[(at % rows) * columns + Math.floor(at / rows)]);
  };

  // Gauss and Jordan: what turns the matrix into the identity turns the identity into the inverse.
  Live.inverse = function (matrix, n) {
    const left = Float64Array.from(matrix);
    const right = new Float64Array(n * n);
    for (let i = 0; i < n; i++) right[i * n + i] = 1;
    for (let column = 0; column < n; column++) {
      let pivot = column;
      for (let row = column; row < n; row++) {
        if (Math.abs(left[row * n + column]) > Math.abs(left[pivot * n + column])) pivot = row;
      }
      for (const m of [left, right]) {
        const upper = m.slice(column * n, column * n + n);
        m.copyWithin(column * n, pivot * n, pivot * n + n);
        m.set(upper, pivot * n);
      }
      const head = left[column * n + column];
      for (const m of [left, right]) for (let j = 0; j < n; j++) m[column * n + j] /= head;
      for (let row = 0; row < n; row++) {
        const factor = left[row * n + column];
        if (row === column || factor === 0) continue;
        for (const m of [left, right]) for (let j = 0; j < n; j++) m[row * n + j] -= factor * m[column * n + j];
      }
    }
    return right;
  };

  Live.concat = function (first, second) {
    const whole = new Float64Array(first.length + second.length);
    whole.set(first);
    whole.set(second, first.length);
    return whole;
  };

  Live.sum = (values) => values.reduce((total, value) => total + value, 0);
});
