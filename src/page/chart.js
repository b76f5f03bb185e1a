// ---- axes --------------------------------------------------------------------------------------

// Steps of 1, 2 or 5 times a power of ten, at most `most` of them; whole ones where only those mean something.
function linearTicks(low, high, most, whole) {
  const least = (high - low) / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(least));
  let step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= least * 0.9999);
  if (whole) step = Math.max(1, Math.round(step));
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

// Powers of ten, with 2 and 5 between them where there is room.
function logTicks(low, high, most) {
  const decades = Math.log10(high / low);
  const factors = decades * 3 <= most ? [1, 2, 5] : [1];
  const every = factors.length === 3 ? 1 : Math.ceil(decades / Math.max(1, most));
  const ticks = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power++) {
    if (power % every !== 0) continue;
    for (const factor of factors) {
      const value = Number((factor * 10 ** power).toPrecision(12));
      if (value >= low * 0.9999 && value <= high * 1.0001) ticks.push(value);
    }
  }
  return ticks;
}

// The same for times in ns, which people do not count in powers of ten above a second.
const LONG_TIMES = [1, 10, 60, 600, 3600, 36000].map((seconds) => seconds * 1e9);
function timeTicks(low, high, most) {
  if (high <= 20e9) return logTicks(low, high, most);
  const short = low < 1e9 ? logTicks(low, 0.99e9, most / 2) : [];
  return [...short, ...LONG_TIMES.filter((value) => value >= low && value <= high)];
}

// From values to pixels: `axis` has low, high, log, and says how ticks read.
function scaleOf(axis, from, to) {
  const map = axis.log ? Math.log : (value) => value;
  const low = map(axis.low);
  const width = map(axis.high) - low || 1;
  return (value) => from + (map(value) - low) / width * (to - from);
}

function ticksOf(axis, most) {
  if (axis.ticks) return axis.ticks;
  if (axis.log && axis.time) return timeTicks(axis.low, axis.high, most);
  return axis.log ? logTicks(axis.low, axis.high, most) : linearTicks(axis.low, axis.high, most, axis.whole);
}

const GLYPH = 7; // about the width of one in pixels

// ---- a chart -----------------------------------------------------------------------------------

// Draws whenever the width changes: letters keep their size on a phone.
function responsive(parent, draw) {
  let width = 0;
  const redraw = () => {
    const now = Math.floor(parent.clientWidth);
    if (now > 0 && now !== width) {
      width = now;
      draw(width);
    }
  };
  new ResizeObserver(redraw).observe(parent);
  redraw();
}

function drawAxisX(plot, axis) {
  const { svg, x, left, right, bottom } = plot;
  let free = -Infinity;
  for (const value of ticksOf(axis, Math.floor((right - left) / 70))) {
    const text = axis.text(value);
    const half = text.length * GLYPH / 2;
    const at = x(value);
    svg.append(drawn("line", { class: "grid", x1: at, x2: at, y1: plot.top, y2: bottom }));
    const place = Math.min(Math.max(at, half), plot.width - half);
    if (place - half < free) continue; // would be written over its neighbour
    free = place + half + 8;
    svg.append(drawn("text", { class: "tick x soft", x: place, y: bottom + 16, "text-anchor": "middle", "data-value": value, "data-at": at }, text));
  }
  if (axis.title) svg.append(drawn("text", { class: "soft", x: right, y: bottom + 32, "text-anchor": "end" }, axis.title));
}

function drawAxisY(plot, axis) {
  const { svg, y, left, right } = plot;
  for (const value of ticksOf(axis, Math.floor((plot.bottom - plot.top) / 32))) {
    const at = y(value);
    svg.append(drawn("line", { class: "grid", x1: left, x2: right, y1: at, y2: at }),
      drawn("text", { class: "tick y soft", x: left - 6, y: at + 4, "text-anchor": "end", "data-value": value, "data-at": at }, axis.text(value)));
  }
  if (axis.title) svg.append(drawn("text", { class: "soft", x: 0, y: 12 }, axis.title));
}

// Draws in `place`, anew each time. `options`: label, height, x and y axes, and paint(plot), which draws what is between them.
function drawChart(place, width, options) {
  const longest = Math.max(...ticksOf(options.y, Math.floor(options.height / 32)).map((value) => options.y.text(value).length), 1);
  const plot = { width, height: options.height, top: options.y.title ? 24 : 10, right: width - 8, bottom: options.height - (options.x.title ? 38 : 22) };
  plot.left = options.left === undefined ? Math.ceil(longest * GLYPH + 10) : options.left(width);
  plot.x = scaleOf(options.x, plot.left, plot.right);
  plot.y = scaleOf(options.y, plot.bottom, plot.top);
  plot.svg = drawn("svg", { width, height: options.height, viewBox: `0 0 ${width} ${options.height}`, role: "img", "aria-label": options.label });
  drawAxisX(plot, options.x);
  if (!options.y.hidden) drawAxisY(plot, options.y);
  options.paint(plot);
  place.replaceChildren(plot.svg);
}

// A chart that is as wide as `parent`, whenever that changes.
function chart(parent, options) {
  const place = element("div", undefined, "chart");
  parent.append(place);
  responsive(place, (width) => drawChart(place, width, options));
  return place;
}

// ---- what is between the axes ------------------------------------------------------------------

// Points are [x, y]; null is a hole.
function paintLine(plot, points, stroke, title) {
  let path = "";
  let pen = "M";
  for (const point of points) {
    if (point === null) {
      pen = "M";
    } else {
      path += `${pen}${plot.x(point[0]).toFixed(1)} ${plot.y(point[1]).toFixed(1)}`;
      pen = "L";
    }
  }
  const made = drawn("path", { class: "line", d: path, stroke });
  if (title) made.append(drawn("title", {}, title));
  plot.svg.append(made);
}

// Where a text of this width ends, further left while another is there.
function freeEnd(plot, end, y, width) {
  plot.texts = plot.texts || [];
  let taken;
  while ((taken = plot.texts.find((other) => Math.abs(other.y - y) < 13 && end > other.end - other.width && end - width < other.end))) {
    end = taken.end - taken.width - 6;
  }
  plot.texts.push({ end, y, width });
  return end;
}

// A limit across the chart, or at its edge with an arrow where it lies beyond.
function paintLimitY(plot, axis, value, text, className) {
  const beyond = value > axis.high;
  const at = beyond ? plot.top : plot.y(Math.max(value, axis.low));
  const y = at < plot.top + 14 ? at + 14 : at - 5;
  const end = freeEnd(plot, plot.right - 4, y, (text.length + 3) * GLYPH);
  plot.svg.append(drawn("line", { class: `limit ${className}`, x1: plot.left, x2: plot.right, y1: at, y2: at, "data-value": value }),
    drawn("text", { class: `limit ${className}`, x: end, y, "text-anchor": "end" }, beyond ? `${text} ↑` : text));
}

function paintLimitX(plot, axis, value, text, className, row) {
  const beyond = value > axis.high;
  const at = beyond ? plot.right : plot.x(Math.max(value, axis.low));
  const atEnd = at > (plot.left + plot.right) / 2;
  plot.svg.append(drawn("line", { class: `limit ${className}`, x1: at, x2: at, y1: plot.top, y2: plot.bottom, "data-value": value }),
    drawn("text", { class: `limit ${className}`, x: atEnd ? at - 4 : at + 4, y: plot.top + 12 + 14 * (row || 0), "text-anchor": atEnd ? "end" : "start" },
      beyond ? `${text} →` : text));
}
