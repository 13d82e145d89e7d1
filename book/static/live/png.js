// The size of a PNG file that holds a picture, as a second opinion on how simple it is: `sb.density.png_bits_per_dim`.
Live.define(function (Live) {
  // Bytes of an RGB file without any remarks: 8 of signature, three chunks of 12 bytes around their contents, which are a
  // head of 13 bytes and the packed pixels. PNG may predict each row from what is above or to its left by one of five
  // filters; tried are each of them for all rows, and for each row the one that leaves the smallest differences.
  Live.pngBytes = async function (x, side) {
    const rows = rowsOf(x, side);
    const filtered = FILTERS.map((filter) => rows.map((row, i) => [FILTERS.indexOf(filter), ...differences(rows, i, filter)]));
    const smallest = rows.map((_, i) => filtered.map((all) => all[i]).reduce((a, b) => (cost(b) < cost(a) ? b : a)));
    const sizes = [];
    for (const candidate of [...filtered, smallest]) sizes.push(await packedSize(candidate.flat()));
    return 8 + 3 * 12 + 13 + Math.min(...sizes);
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

  // Deflate, as the browser has it.
  async function packedSize(bytes) {
    const stream = new Blob([Uint8Array.from(bytes)]).stream().pipeThrough(new CompressionStream("deflate"));
    return (await new Response(stream).arrayBuffer()).byteLength;
  }
});
