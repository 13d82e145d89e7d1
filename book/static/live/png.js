// A picture as a PNG file, made here; its size is a second opinion on how simple the picture is.
Live.define(function (Live) {
  // The bytes of an RGB file without any remarks. PNG may predict each row from what is above or to its left by one of
  // five filters; tried are each of them for all rows, and for each row the one that leaves the smallest differences.
  Live.pngFile = async function (x, side) {
    const rows = rowsOf(x, side);
    const filtered = FILTERS.map((filter, number) => rows.map((_, i) => [number, ...differences(rows, i, filter)]));
    const smallest = rows.map((_, i) => filtered.map((all) => all[i]).reduce((a, b) => (cost(b) < cost(a) ? b : a)));
    const packed = await Promise.all([...filtered, smallest].map((candidate) => deflate(candidate.flat())));
    const shortest = packed.reduce((a, b) => (b.length < a.length ? b : a));
    const head = [...bytesOf(side), ...bytesOf(side), 8, 2, 0, 0, 0]; // 8 bits a channel, RGB, no choices
    const signature = [137, 80, 78, 71, 13, 10, 26, 10];
    return Uint8Array.from([...signature, ...chunk("IHDR", head), ...chunk("IDAT", shortest), ...chunk("IEND", [])]);
  };

  // Red, green and blue of each pixel, row by row.
  function rowsOf(x, side) {
    const pixels = side * side;
    return Array.from({ length: side }, (_, row) =>
      Array.from({ length: 3 * side }, (_, at) => Math.round(255 * x[(at % 3) * pixels + row * side + Math.floor(at / 3)])),
    );
  }

  // What a filter predicts from the byte to the left, above, and above to the left.
  const FILTERS = [
    () => 0,
    (left) => left,
    (left, above) => above,
    (left, above) => Math.floor((left + above) / 2),
    (left, above, corner) => {
      const [a, b, c] = [left, above, corner].map((value) => Math.abs(left + above - corner - value));
      return a <= b && a <= c ? left : b <= c ? above : corner;
    },
  ];

  function differences(rows, i, filter) {
    const above = rows[i - 1] ?? [];
    return rows[i].map((value, at) => (value - filter(rows[i][at - 3] ?? 0, above[at] ?? 0, above[at - 3] ?? 0)) & 255);
  }

  const cost = (bytes) => Live.sum(bytes.map((value) => Math.min(value, 256 - value)));

  // As the browser packs it.
  async function deflate(bytes) {
    const stream = new Blob([Uint8Array.from(bytes)]).stream().pipeThrough(new CompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  // Length, name, content, and a sum (CRC-32) by which damage is found.
  function chunk(name, content) {
    const body = [...name].map((letter) => letter.charCodeAt(0)).concat(...content);
    let sum = ~0;
    for (const byte of body) {
      sum ^= byte;
      for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 ? 0xedb88320 : 0);
    }
    return [...bytesOf(content.length), ...body, ...bytesOf(~sum)];
  }

  const bytesOf = (number) => [24, 16, 8, 0].map((shift) => (number >>> shift) & 255);
});
