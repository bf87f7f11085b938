// Connected pieces of a mask, of eight neighbours.

/**
 * Number the pieces of a mask from 1.
 * @param {Uint8Array} mask not 0 where something is.
 * @returns {{numbers: Int32Array, found: {left, top, width, height, area}[]}}
 */
export function pieces(mask, width, height) {
  const numbers = new Int32Array(width * height);
  const found = [];
  const waiting = [];
  for (let start = 0; start < mask.length; start += 1) {
    if (!mask[start] || numbers[start]) continue;
    const number = found.length + 1;
    let [left, top, right, bottom, area] = [width, height, 0, 0, 0];
    numbers[start] = number;
    waiting.push(start);
    while (waiting.length) {
      const at = waiting.pop();
      const x = at % width;
      const y = (at - x) / width;
      [left, top] = [Math.min(left, x), Math.min(top, y)];
      [right, bottom] = [Math.max(right, x + 1), Math.max(bottom, y + 1)];
      area += 1;
      for (let row = Math.max(0, y - 1); row <= Math.min(height - 1, y + 1); row += 1) {
        for (let column = Math.max(0, x - 1); column <= Math.min(width - 1, x + 1); column += 1) {
          const next = row * width + column;
          if (!mask[next] || numbers[next]) continue;
          numbers[next] = number;
          waiting.push(next);
        }
      }
    }
    found.push({left, top, width: right - left, height: bottom - top, area});
  }
  return {numbers, found};
}
