// ---- the last 15 minutes -------------------------------------------------------------------------

const past = { samples: [], kept: 180, period_ms: 5000 };
const flowName = (flow) => `${versionName(flow.version)} → ${flow.cluster || "…"}`;

// Takes what is new, as columns; all of it is new to a page that has nothing, or whose proxy began anew.
function remember(history, whole) {
  if (whole) past.samples = [];
  past.kept = history.kept;
  past.period_ms = history.period_ms;
  const last = past.samples.length > 0 ? past.samples[past.samples.length - 1].number : 0;
  history.number.forEach((number, i) => {
    if (number <= last) return;
    const sample = { flows: {} };
    for (const [name, column] of Object.entries(history)) if (Array.isArray(column) && name !== "flows") sample[name] = column[i];
    for (const flow of history.flows) if (flow.streams[i] > 0) sample.flows[flowName(flow)] = flow.streams[i];
    past.samples.push(sample);
  });
  past.samples = past.samples.slice(-past.kept);
}

const perSecond = (count, sample) => count * 1000 / Math.max(1, sample.interval_ms);
const FLOWS_DRAWN = 8;

// The flows with the most streams, and all streams where there are more.
function streamLines() {
  const most = {};
  for (const sample of past.samples) {
    for (const [name, streams] of Object.entries(sample.flows)) most[name] = Math.max(most[name] || 0, streams);
  }
  const names = Object.keys(most).sort((a, b) => most[b] - most[a] || (a < b ? -1 : 1));
  const lines = names.slice(0, FLOWS_DRAWN).sort().map((name) => ({ name, of: (sample) => sample.flows[name] || 0 }));
  const rest = names.length > FLOWS_DRAWN ? ` (${names.length - FLOWS_DRAWN} flows more)` : "";
  return [{ name: `all${rest}`, of: (sample) => sample.streams, colour: "var(--text)" }, ...lines];
}

const count = (value) => format.format(Math.round(value * 10) / 10);
const CHARTS = [
  { id: "streams", unit: "live streams", text: count, whole: true, lines: streamLines },
  { id: "messages", unit: "messages per second", text: count, lines: () => [
    { name: "up", of: (sample) => perSecond(sample.messages_up, sample) },
    { name: "down", of: (sample) => perSecond(sample.messages_down, sample) },
  ] },
  { id: "answers", unit: "answer time", text: (ns) => micros(ns / 1000), log: true, lines: () => [
    { name: "p50", of: (sample) => sample.p50_us === null ? null : Math.max(1, sample.p50_us) * 1000 },
    { name: "p99", of: (sample) => sample.p99_us === null ? null : Math.max(1, sample.p99_us) * 1000 },
  ] },
  { id: "begun", unit: "begun in 5 s", text: count, whole: true, lines: () => [
    { name: "streams", of: (sample) => sample.streams_begun },
    { name: "connections", of: (sample) => sample.connections_begun },
  ] },
  { id: "wrong", unit: "streams in 5 s", text: count, whole: true, lines: () => [
    { name: "misrouted", of: (sample) => sample.misrouted, colour: "var(--bad)" },
    { name: "refused", of: (sample) => sample.refused },
  ] },
];

// ---- one chart -----------------------------------------------------------------------------------

const FIVE_MINUTES = 300000;

// Whole minutes of the reader's clock, as far as they fit.
function timeAxis() {
  const high = past.samples[past.samples.length - 1].time_ms;
  const low = high - past.kept * past.period_ms;
  const ticks = [];
  for (let at = Math.ceil(low / FIVE_MINUTES) * FIVE_MINUTES; at <= high; at += FIVE_MINUTES) ticks.push(at);
  return { low, high, ticks, text: clockMinutes };
}

function valueAxis(chart, lines) {
  const values = lines.flatMap((line) => line.points.filter((point) => point !== null).map((point) => point[1]));
  const highest = Math.max(...values, -Infinity);
  const axis = { text: chart.text, title: chart.unit, whole: chart.whole };
  if (!chart.log) return { ...axis, low: 0, high: Math.max(highest * 1.1, chart.whole ? 4 : 1) };
  if (values.length === 0) return { ...axis, low: 1e5, high: 1e7, log: true, time: true };
  return { ...axis, low: 10 ** Math.floor(Math.log10(Math.min(...values))), high: 10 ** Math.ceil(Math.log10(highest * 1.01)), log: true, time: true };
}

// A hole where the proxy stood still, or nothing was measured.
function pointsOf(of) {
  return past.samples.flatMap((sample) => {
    const value = of(sample);
    const point = value === null ? null : [sample.time_ms, value];
    return sample.interval_ms > 3 * past.period_ms ? [null, point] : [point];
  });
}

function describe(chart, lines) {
  const parts = lines.map((line) => {
    const values = line.points.filter((point) => point !== null).map((point) => point[1]);
    if (values.length === 0) return `${line.name}: nothing`;
    return `${line.name}: now ${chart.text(values[values.length - 1])}, highest ${chart.text(Math.max(...values))}`;
  });
  return `${chart.title}, ${chart.unit}, last 15 minutes. ${parts.join("; ")}. Arrow keys read the values.`;
}

function showLegend(chart, lines) {
  byId(`chart-${chart.id}-legend`).replaceChildren(...lines.map((line) => {
    const item = element("li");
    const swatch = element("span", "", "swatch");
    swatch.style.background = line.stroke;
    item.append(swatch, line.name);
    return item;
  }));
}

// What was at the sample under the pointer, or where the keys went.
function readOut(chart) {
  const sample = past.samples[chart.cursor];
  const rule = chart.place.querySelector(".cursor");
  if (!sample || !rule) return;
  const x = chart.plot.x(sample.time_ms);
  rule.setAttribute("x1", x);
  rule.setAttribute("x2", x);
  rule.setAttribute("visibility", "visible");
  const values = chart.drawn.map((line) => {
    const value = line.of(sample);
    return `${line.name} ${value === null ? "–" : chart.text(value)}`;
  });
  setText(byId(`chart-${chart.id}-value`), `${clock(sample.time_ms)}  ${values.join(", ")}`);
}

function hideCursor(chart) {
  chart.cursor = -1;
  const rule = chart.place.querySelector(".cursor");
  if (rule) rule.setAttribute("visibility", "hidden");
  setText(byId(`chart-${chart.id}-value`), "");
}

function drawPast(chart) {
  if (past.samples.length === 0 || chart.width === 0) return;
  const lines = chart.lines().map((line, i) => ({ ...line, stroke: line.colour || `var(--c${i})`, points: pointsOf(line.of) }));
  const shownAt = chart.cursor >= 0 && past.samples[chart.cursor] ? past.samples[chart.cursor].time_ms : null;
  chart.drawn = lines;
  drawChart(chart.place, chart.width, {
    label: describe(chart, lines), height: 170, x: timeAxis(), y: valueAxis(chart, lines),
    paint: (plot) => {
      chart.plot = plot;
      for (const line of lines) {
        paintLine(plot, line.points, line.stroke, line.name);
        paintLonely(plot, line);
      }
      plot.svg.append(drawn("line", { class: "cursor", y1: plot.top, y2: plot.bottom, visibility: "hidden" }));
    },
  });
  showLegend(chart, lines);
  if (shownAt !== null) {
    readOut(chart);
  }
}

// A value without neighbours is no line.
function paintLonely(plot, line) {
  line.points.forEach((point, i) => {
    if (point !== null && !line.points[i - 1] && !line.points[i + 1]) {
      plot.svg.append(drawn("circle", { cx: plot.x(point[0]), cy: plot.y(point[1]), r: 2, fill: line.stroke }));
    }
  });
}

function nearest(chart, event) {
  const x = event.clientX - chart.place.getBoundingClientRect().left;
  let best = -1;
  past.samples.forEach((sample, i) => {
    if (best < 0 || Math.abs(chart.plot.x(sample.time_ms) - x) < Math.abs(chart.plot.x(past.samples[best].time_ms) - x)) best = i;
  });
  return best;
}

function moveCursor(chart, event) {
  const step = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
  if (event.key === "Escape") hideCursor(chart);
  if (step === undefined || past.samples.length === 0) return;
  event.preventDefault();
  const from = chart.cursor < 0 ? past.samples.length - 1 - Math.min(step, 0) : chart.cursor;
  chart.cursor = Math.max(0, Math.min(past.samples.length - 1, from + step));
  readOut(chart);
}

function startCharts() {
  for (const chart of CHARTS) {
    chart.place = byId(`chart-${chart.id}`);
    chart.title = byId(`chart-${chart.id}-title`).textContent;
    chart.cursor = -1;
    chart.width = 0;
    responsive(chart.place, (width) => {
      chart.width = width;
      drawPast(chart);
    });
    chart.place.addEventListener("pointermove", (event) => {
      if (!chart.plot) return;
      chart.cursor = nearest(chart, event);
      readOut(chart);
    });
    chart.place.addEventListener("pointerleave", () => hideCursor(chart));
    chart.place.addEventListener("blur", () => hideCursor(chart));
    chart.place.addEventListener("keydown", (event) => moveCursor(chart, event));
  }
}

function showPast(tick) {
  const before = past.samples.length > 0 ? past.samples[past.samples.length - 1].number : 0;
  remember(tick.history, tick.whole);
  const now = past.samples.length > 0 ? past.samples[past.samples.length - 1].number : 0;
  if (now !== before || tick.whole) CHARTS.forEach(drawPast);
}
