// Pictures in and out: a photo for the cells, a picture of the cells.

const LARGEST_FILE = 40e6; // bytes
const LARGEST_PHOTO = 1024; // pixels of its longer side that are kept

/** Read a picture file onto a canvas; throws an Error in words. */
export async function openPhoto(file) {
  if (!file.type.startsWith("image/")) throw new Error(`${file.name} is no picture.`);
  if (file.size > LARGEST_FILE) throw new Error(`${file.name} is too large: a photo may have 40 MB.`);
  let photo;
  try {
    photo = await createImageBitmap(file);
  } catch {
    throw new Error(`${file.name} can't be read: it is damaged, or of a kind that this browser lacks.`);
  }
  const scale = Math.min(1, LARGEST_PHOTO / Math.max(photo.width, photo.height));
  const [width, height] = [photo.width, photo.height].map((n) => Math.max(1, Math.round(n * scale)));
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(photo, 0, 0, width, height);
  photo.close();
  return canvas;
}

/** A picture as ImageData of `[rows, columns]`, cropped to fill it. */
export function pixelsOf(picture, [rows, columns]) {
  const canvas = Object.assign(document.createElement("canvas"), { width: columns, height: rows });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingQuality = "high";
  const scale = Math.max(columns / picture.width, rows / picture.height);
  const [wide, high] = [picture.width * scale, picture.height * scale];
  context.drawImage(picture, (columns - wide) / 2, (rows - high) / 2, wide, high);
  return context.getImageData(0, 0, columns, rows);
}

/** Offer a PNG of `canvas` to be saved as `name`. */
export function savePicture(canvas, name) {
  canvas.toBlob((blob) => saveFile(blob, name), "image/png");
}

/** Offer a file to be saved as `name`. */
export function saveFile(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Draw the world as a person sees it: over one colour, or two in squares by way of a `spare` canvas. */
export function drawWorld(world, canvas, view, backgrounds, spare) {
  const shown = world.canvas;
  world.canvas = canvas;
  world.draw({ ...view, background: backgrounds[0] });
  if (backgrounds.length > 1 && view.channel === null) {
    const { width, height } = canvas;
    if (spare.width !== width || spare.height !== height) Object.assign(spare, { width, height });
    world.canvas = spare;
    world.draw({ ...view, background: backgrounds[1] });
    const context = spare.getContext("2d");
    context.save();
    context.globalCompositeOperation = "destination-in";
    context.translate(view.x, view.y);
    context.fillStyle = context.createPattern(chequer(Math.max(4, Math.round(width / 64))), "repeat");
    context.fillRect(-view.x, -view.y, width, height);
    context.restore();
    canvas.getContext("2d").drawImage(spare, 0, 0);
  }
  world.canvas = shown;
}

// Two filled squares of four, `side` pixels each.
function chequer(side) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 2 * side, height: 2 * side });
  const context = canvas.getContext("2d");
  context.fillRect(0, 0, side, side);
  context.fillRect(side, side, side, side);
  return canvas;
}
