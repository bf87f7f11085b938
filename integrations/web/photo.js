// A photo's pixels: decoded by the browser, which also turns it as its EXIF says and converts its colours to sRGB.

const MOST_PIXELS = 4096 * 4096; // some phones have no larger canvas

/**
 * Decode a photo.
 * @param {Blob} file of a format that the browser knows.
 * @returns {{rgba: Uint8ClampedArray, width: number, height: number, opaque: boolean, shrunk: boolean}}
 */
export async function readPhoto(file) {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, Math.sqrt(MOST_PIXELS / (bitmap.width * bitmap.height)));
  const [width, height] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.floor(side * scale)));
  const context = new OffscreenCanvas(width, height).getContext('2d', {willReadFrequently: true});
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  const rgba = context.getImageData(0, 0, width, height).data;
  const opaque = new Uint32Array(rgba.buffer).every((word) => word >>> 24 === 255);
  return {rgba, width, height, opaque, shrunk: scale < 1};
}

/** The photo on white as RGB, which is what the network sees. */
export function onWhite({rgba, opaque}) {
  const pixels = new Uint8ClampedArray((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) {
    const alpha = opaque ? 255 : rgba[from + 3];
    for (let band = 0; band < 3; band += 1) {
      pixels[to + band] = alpha === 255 ? rgba[from + band] : (rgba[from + band] * alpha + 255 * (255 - alpha)) / 255;
    }
  }
  return pixels;
}

/** A canvas of RGBA pixels. */
export function canvasOf(rgba, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext('2d').putImageData(new ImageData(rgba, width, height), 0, 0);
  return canvas;
}
