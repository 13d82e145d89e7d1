// What the page asks for, one job at a time, and who does it: a worker, or the page itself between two frames.
Live.define(function (Live) {
  // As the library's simplify_after_training: bit_weight, prediction_weights and scale are the paper's; steps and rate are
  // what it suggests for a start from the image itself.
  Live.SETTINGS = { steps: 100, rate: 0.03, bitWeight: 1, predictionWeights: [1, 1], scale: [0.8, 0.95] };

  // Each job is a generator: it yields what the page can show already, or nothing, and returns its result. A drawing is
  // a grey picture of 16x16 pixels in [0, 1].
  Live.Engine = class {
    constructor(buffer, about) {
      const tensors = Live.readTensors(buffer);
      const under = (prefix) =>
        Object.fromEntries(
          Object.entries(tensors).flatMap(([name, value]) =>
            name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
          ),
        );
      this.glow = new Live.Glow(under("glow."), about.glow);
      this.reader = new Live.Reader(under("reader."));
      this.noise = tensors.noise.values;
      this.fill = about.reader.mean_pixel;
      this.condensed = Live.pictures(tensors.condensed).map((image) => this.features(image));
    }

    // Bits per dimension of a picture in three colours, rounded to the grey levels of Glow, always with the same noise.
    bits(x) {
      return this.glow.bitsPerDim(this.glow.quantise(x), this.noise).bits;
    }

    probabilities(x) {
      return Live.probabilities(this.reader.forward(Live.reduce(x)).logits);
    }

    features(x) {
      return this.reader.forward(Live.reduce(x)).features;
    }

    *look({ drawing }) {
      const features = this.features(drawing);
      return {
        bits: this.bits(Live.coloured(drawing)),
        probabilities: this.probabilities(drawing),
        similarities: this.condensed.map((other) => cosine(features, other)),
      };
    }

    *subsets({ drawing, threshold }) {
      const small = Live.reduce(drawing);
      const digit = Live.indexOfLargest(this.probabilities(drawing));
      const score = (inputs, n) =>
        Live.probabilities(this.reader.forward(inputs).logits, n).slice(digit * n, digit * n + n);
      const work = Live.sisCollection(score, small, threshold, this.fill);
      let step = work.next();
      for (; !step.done; step = work.next()) yield;
      return { digit, small, fill: this.fill, score: score(small, 1)[0], rounds: step.value };
    }

    // Ends early where the reader's answer would become another one; the last picture still has the old answer.
    *simplify({ drawing, settings }) {
      const digit = Live.indexOfLargest(this.probabilities(drawing));
      const x = Live.coloured(drawing);
      const before = this.bits(x);
      let step = 0;
      for (const image of Live.simplify(this.glow, this.reader, x, { ...Live.SETTINGS, ...settings })) {
        const probabilities = this.probabilities(image);
        if (Live.indexOfLargest(probabilities) !== digit) return { digit, changed: true };
        step += 1;
        yield { digit, step, image, before, bits: this.bits(image), probability: probabilities[digit] };
      }
      return { digit, changed: false };
    }

    *stop() {}
  };

  // Bytes [n, 1, 16, 16] to pictures in [0, 1].
  Live.pictures = function ({ shape, values }) {
    const size = values.length / shape[0];
    return Array.from({ length: shape[0] }, (_, i) => values.slice(i * size, (i + 1) * size).map((v) => v / 255));
  };

  // Glow knows colour pictures only: a grey one has the same three channels.
  Live.coloured = (drawing) => Live.concat(drawing, Live.concat(drawing, drawing));

  function cosine(a, b) {
    const dot = (u, v) => Live.sum(u.map((value, i) => value * v[i]));
    return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b) || 1);
  }

  // Takes jobs {id, job, ...} and sends {id, value, done}. A new job ends the one before; a pause every 12 ms lets it come.
  Live.serve = function (buffer, about, send) {
    const engine = new Live.Engine(buffer, about);
    let current = null;
    return async function ({ id, job, ...options }) {
      current = id;
      const work = engine[job](options);
      let began = performance.now();
      for (;;) {
        const { value, done } = work.next();
        if (done || value) send({ id, value, done });
        if (done) return;
        if (performance.now() - began > 12) {
          await new Promise((go) => setTimeout(go));
          if (current !== id) return;
          began = performance.now();
        }
      }
    };
  };

  // Starts a worker with the text of all parts; where that is not allowed, the page does the work. Calls `ready` with a
  // function that takes jobs.
  Live.start = function (buffer, about, receive, ready) {
    const here = () => ready(Live.serve(buffer, about, receive), "page");
    const text = `const Live = { define(part) { part(this); } };
      ${Live.parts.map((part) => `Live.define(${part});`).join("\n")}
      let serve;
      onmessage = ({ data }) => {
        if (serve) return serve(data);
        serve = Live.serve(data.buffer, data.about, postMessage);
        postMessage("ready");
      };`;
    try {
      const worker = new Worker(URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
      worker.onerror = (event) => { event.preventDefault(); worker.terminate(); here(); };
      worker.onmessage = () => {
        worker.onmessage = ({ data }) => receive(data);
        ready((job) => worker.postMessage(job), "worker");
      };
      worker.postMessage({ buffer, about });
    } catch {
      here();
    }
  };
});
