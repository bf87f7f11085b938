// One drawing of the frame.

let scheduled = 0;
function redraw() {
  if (!scheduled) scheduled = requestAnimationFrame(paint);
}

function paint() {
  scheduled = 0;
  const density = Math.max(1, window.devicePixelRatio || 1);
  const across = Math.round(frame.clientWidth * density);
  const down = Math.round(frame.clientHeight * density);
  if (!state.value || !across || !down) return;
  if (canvas.width !== across || canvas.height !== down) [canvas.width, canvas.height] = [across, down];
  const {scale, left, top} = placed();
  const rect = [left, top, state.width * scale, state.height * scale].map((at) => at * density);
  frame.dataset.photo = JSON.stringify(rect.map((at) => at / density)); // position of the photo, for tests
  paintBase(rect, density, scale);
  const pictures = on(canvas.getContext('2d'), rect, density, scale);
  pictures.context.clearRect(0, 0, across, down);
  pictures.context.drawImage(base, 0, 0);
  if (state.view === 'cutout') paintGhost(pictures);
  paintOutlines(pictures);
  paintEdits(pictures);
}

// The input of painters: a context to draw on, the position of the photo, and a function that draws over it.
function on(context, rect, density, scale) {
  const overFrame = () => context.setTransform(1, 0, 0, 1, 0, 0);
  const overMap = () => context.setTransform(scale * density, 0, 0, scale * density, rect[0], rect[1]);
  overFrame();
  context.globalAlpha = 1;
  context.imageSmoothingEnabled = scale * density < 4; // at higher zoom, single pixels are shown
  context.imageSmoothingQuality = 'high';
  return {context, rect, density, scale, overMap, overFrame, whole: (picture) => context.drawImage(picture, ...rect)};
}

// The view itself, redrawn only when it changes: overlays that follow the pointer are drawn over it.
const base = blank(1, 1);
function paintBase(rect, density, scale) {
  const veil = fading();
  const dark = Boolean(element.closest('.dark'));
  const {number, background, cutout} = state.value;
  const shown = JSON.stringify([
    [...rect, canvas.width, canvas.height, density, dark, veil, state.view, state.opacity, state.split],
    [number, pickedKeys(), background, refined() ? cutout.picture.url : null],
  ]);
  if (veil) redraw();
  if (shown === drawn) return;
  drawn = shown;
  [base.width, base.height] = [canvas.width, canvas.height]; // clears it
  const pictures = on(base.getContext('2d'), rect, density, scale);
  if (state.view === 'regions') paintRegions(pictures);
  if (state.view === 'cutout') paintCutout(pictures, veil || (state.picked.size ? 0 : GHOST));
  if (state.view === 'compare') paintCompare(pictures);
}

function paintGround({context, rect, density}, color) {
  context.save();
  context.beginPath();
  context.rect(...rect);
  context.clip();
  context.fillStyle = color || checkerboard(context, density);
  context.fillRect(...rect);
  context.restore();
}

function checkerboard(context, density) {
  const dark = element.closest('.dark'); // light enough for black clothes to be seen
  const side = Math.round(9 * density);
  const tile = blank(2 * side, 2 * side);
  const paper = tile.getContext('2d');
  paper.fillStyle = dark ? '#7d7671' : '#ffffff';
  paper.fillRect(0, 0, 2 * side, 2 * side);
  paper.fillStyle = dark ? '#6b6560' : '#e7e4e0';
  paper.fillRect(0, 0, side, side);
  paper.fillRect(side, side, side, side);
  return context.createPattern(tile, 'repeat');
}

function paintPhoto(pictures) {
  paintGround(pictures, null);
  pictures.whole(state.photo);
}

// The cut-out on its background, with the photo between them at the opacity `ghost`, 0..1.
const GHOST = 0.25;
function paintCutout(pictures, ghost = 0) {
  const {context, whole} = pictures;
  paintGround(pictures, state.value.background);
  if (ghost) {
    context.globalAlpha = ghost;
    whole(state.photo);
    context.globalAlpha = 1;
  }
  whole(refined() || cutoutPicture());
}

// The part that a click under the pointer would add to the cut-out.
const PREVIEW = 0.55;
function paintGhost({context, rect}) {
  const picture = state.hover && !isPicked(state.hover) ? partPicture(state.hover) : null;
  if (!picture) return;
  const [x, y, width, height] = boxOf(state.hover);
  const [across, down] = [rect[2] / state.width, rect[3] / state.height];
  context.globalAlpha = PREVIEW;
  context.drawImage(picture, rect[0] + x * across, rect[1] + y * down, width * across, height * down);
  context.globalAlpha = 1;
}

// Opacity of a new photo's background, 1..0: it fades out, and the cut-out remains.
const FADE = 450; // milliseconds
function fading() {
  const left = 1 - (performance.now() - state.arrived) / FADE;
  return left > 0 && !matchMedia('(prefers-reduced-motion: reduce)').matches ? left * left : 0;
}

function paintRegions(pictures) {
  const {context, whole} = pictures;
  paintPhoto(pictures);
  context.globalAlpha = state.opacity;
  whole(regionsPicture());
  context.globalAlpha = 1;
  if (state.opacity > 0) paintNumbers(pictures);
}

function paintCompare(pictures) {
  const {context, density} = pictures;
  const at = state.split * frame.clientWidth * density;
  const half = (from, to, painter) => {
    context.save();
    context.beginPath();
    context.rect(from, 0, to - from, canvas.height);
    context.clip();
    painter();
    context.restore();
  };
  half(0, at, () => paintPhoto(pictures));
  half(at, canvas.width, () => paintCutout(pictures));
}

// Class numbers in the parts that are large enough.
function paintNumbers({context, density, scale}) {
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  state.value.parts.forEach((found) => {
    const toScreen = scale * (state.width / state.value.width);
    const radius = Math.min(11, found.depth * toScreen * 0.9);
    if (radius < 6.5) return;
    const [x, y] = toFrame(
      (found.point[0] * state.width) / state.value.width,
      (found.point[1] * state.height) / state.value.height,
    ).map((at) => at * density);
    const chosen = state.picked.has(found.key);
    context.beginPath();
    context.arc(x, y, radius * density, 0, 2 * Math.PI);
    context.fillStyle = found.color;
    context.fill();
    context.lineWidth = (chosen ? 2 : 1) * density;
    context.strokeStyle = chosen ? '#ffffff' : 'rgba(255, 255, 255, 0.6)';
    context.stroke();
    context.fillStyle = found.ink;
    context.font = `600 ${Math.round(radius * 1.1 * density)}px system-ui, sans-serif`;
    context.fillText(String(found.number), x, y + density / 2);
  });
}

function paintOutlines({context, overMap, overFrame, scale}) {
  const line = (id, width, color) => {
    overMap();
    context.lineWidth = width / scale;
    context.strokeStyle = color;
    context.lineCap = 'square';
    context.stroke(outline(id));
    overFrame();
  };
  if (state.view === 'regions') {
    state.value.parts.forEach((found, index) => {
      if (!state.picked.has(found.key)) return;
      line(index + 1, 3, 'rgba(20, 18, 16, 0.55)');
      line(index + 1, 1.5, '#ffffff');
    });
  }
  const lit = state.hover;
  if (lit && state.view !== 'compare') {
    line(lit, 5, 'rgba(20, 18, 16, 0.65)');
    line(lit, 2.5, '#ffffff');
  }
}

// Unanswered edits, the positions of clicks, and the brush.
function paintEdits({context, overMap, overFrame, density}) {
  const shrink = state.width / state.value.width;
  const draw = ({points, radius, label}) => {
    overMap();
    context.globalAlpha = 0.75;
    context.strokeStyle = classOf(label).color;
    context.lineWidth = 2 * radius * shrink;
    context.lineCap = 'round';
    context.lineJoin = 'round';
    context.beginPath();
    context.moveTo(points[0][0] * shrink, points[0][1] * shrink);
    points.slice(points.length > 1 ? 1 : 0).forEach(([x, y]) => context.lineTo(x * shrink, y * shrink));
    context.stroke();
    context.globalAlpha = 1;
    overFrame();
  };
  const ring = (x, y, radius, color, inner) => {
    context.beginPath();
    context.arc(x * density, y * density, radius * density, 0, 2 * Math.PI);
    if (inner) {
      context.fillStyle = inner;
      context.fill();
    }
    context.lineWidth = 3.5 * density;
    context.strokeStyle = 'rgba(20, 18, 16, 0.6)';
    context.stroke();
    context.lineWidth = 1.75 * density;
    context.strokeStyle = color;
    context.stroke();
  };
  unanswered().filter(({kind}) => kind === 'stroke').forEach(draw);
  if (state.stroke) draw(state.stroke);
  if (!state.correct) return;
  for (const {kind, x, y, label} of liveEdits()) {
    if (kind === 'click') ring(...toFrame(x * shrink, y * shrink), 5, '#ffffff', classOf(label).color);
  }
  if (state.cursor && state.tool !== 'click') ring(...state.cursor, state.size, '#ffffff');
}

// The server's cut-out, if it shows exactly the picked parts.
function refined() {
  const wanted = state.value.cutout;
  if (!wanted || !state.refined || state.refined.url !== wanted.picture.url) return null;
  return same(wanted.picked) ? state.refined.image : null;
}

function same(keys) {
  const mine = pickedKeys();
  return mine.length === keys.length && mine.every((key) => keys.includes(key));
}
