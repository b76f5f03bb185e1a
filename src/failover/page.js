// ---- streams and pods ----------------------------------------------------------------------------

// Kinds of what a stream does at a moment: a pod's number, or one of these.
const SILENT = -1;
const WRONG = -2;
const REOPENED_BIT = 1;
const WRONG_BIT = 2;

const byName = (a, b) => a.localeCompare(b, "en", { numeric: true });
const order = data.pods.map((name, i) => i).sort((a, b) => byName(data.pods[a], data.pods[b]) || a - b);
const placeOf = new Map(order.map((pod, place) => [pod, place])); // pods are numbered by name from here on
const pods = order.map((pod) => data.pods[pod]);
const zero = data.fault_began ? 0 : data.began_us;

// [pod, begin, end, bits] of each lane. A stream that went over to another pod without being opened again was not silent meanwhile.
const streams = data.streams.map((stream) => {
  const lanes = [];
  for (let i = 0; i < stream.lanes.length; i += 4) {
    const lane = [placeOf.get(stream.lanes[i]), stream.lanes[i + 1], stream.lanes[i + 2], stream.lanes[i + 3]];
    const last = lanes[lanes.length - 1];
    if (last && !((lane[3] & REOPENED_BIT) > (last[3] & REOPENED_BIT)) && lane[1] - last[2] <= data.silence_us) last[2] = lane[1];
    lanes.push(lane);
  }
  return { ...stream, lanes };
});

function podAt(stream, at) {
  const lane = stream.lanes.find((one) => one[1] <= at && at <= one[2]);
  return lane === undefined ? SILENT : lane[0];
}

// The last one before the fault, also where it was silent just then.
function podBefore(stream) {
  const before = stream.lanes.filter((lane) => lane[1] <= zero);
  return before.length > 0 ? before[before.length - 1][0] : stream.lanes.length > 0 ? stream.lanes[0][0] : SILENT;
}

const held = streams.map((stream) => ({ stream, before: podBefore(stream), after: podAt(stream, data.ended_us) }));
held.sort((a, b) => (a.before < 0) - (b.before < 0) || a.before - b.before || b.stream.gap_ns - a.stream.gap_ns || byName(a.stream.id, b.stream.id));

const colourOf = (kind) => kind === SILENT ? "var(--gap)" : kind === WRONG ? "var(--bad)" : colour(kind);
const someWrong = streams.some((stream) => stream.lanes.some((lane) => lane[3] & WRONG_BIT));
const interrupted = streams.filter((stream) => stream.interrupted);

// ---- the time axis -------------------------------------------------------------------------------

// From a little before the fault: the time in which the streams were opened is not what is looked for.
const lead = Math.max(0.12 * (data.ended_us - zero), 200e3);
const first = streams.reduce((least, stream) => stream.lanes.length > 0 ? Math.min(least, stream.lanes[0][1]) : least, Math.max(zero, data.began_us));
const timeAxis = {
  low: Math.max(first, data.fault_began ? -lead : first), high: Math.max(data.ended_us, first + 1000),
  text: (us) => `${Number((us / 1e6).toFixed(3))} s`, title: data.fault_began ? "since the fault began" : "",
};
const longestName = Math.max(6, ...pods.map((name) => name.length));
const margin = (width) => width < 560 ? 44 : Math.min(170, Math.max(44, longestName * GLYPH + 16));


function paintFault(plot, withText) {
  if (!data.fault_began) return;
  const marks = [[0, "fault"]];
  if (data.fault_ended && data.over_us > (data.ended_us - timeAxis.low) * 0.01) marks.push([data.over_us, "its end"]);
  marks.forEach(([at, text], i) => {
    const x = plot.x(at);
    plot.svg.append(drawn("line", { class: "fault", x1: x, x2: x, y1: plot.top - (withText ? 4 : 0), y2: plot.bottom, "data-value": at, "stroke-dasharray": i > 0 ? "3 3" : "none" }));
    if (withText) plot.svg.append(drawn("text", { class: "fault", x: Math.min(x + 3, plot.width - 50), y: plot.top - 6 }, text));
  });
}

// ---- what streams do in each column of pixels ----------------------------------------------------

// Runs [first column, behind the last, kind] of a stream. What is shorter than a column is as wide as one, so that nothing is hidden.
function runsOf(stream, columnOf, columns) {
  const runs = [];
  let last = null; // where the last lane ended
  for (const [pod, from, to, bits] of stream.lanes) {
    if (columnOf(to) < 0) { // before the picture begins
      last = { to, column: 0 };
      continue;
    }
    let first = Math.max(0, Math.min(columns, columnOf(from)));
    if (last !== null && from > last.to) {
      first = Math.max(first, Math.min(columns, last.column + 1));
      if (first > last.column) runs.push([last.column, first, SILENT]);
    } else if (last !== null) {
      first = last.column;
    }
    const end = Math.min(columns, Math.max(first + 1, columnOf(to)));
    if (end > first) runs.push([first, end, bits & WRONG_BIT ? WRONG : pod]);
    last = { to, column: end };
  }
  if (last !== null && last.column < columns) runs.push([last.column, columns, last.to < data.ended_us ? SILENT : runs.length > 0 ? runs[runs.length - 1][2] : SILENT]);
  return runs;
}

// How many of these streams did what, column by column: calls paint(first, end, Map of kind to count) for each piece in which that is the same.
function eachPiece(members, columnOf, columns, paint) {
  const changes = new Map(); // column -> [kind, difference]s
  const note = (column, kind, difference) => {
    if (!changes.has(column)) changes.set(column, []);
    changes.get(column).push([kind, difference]);
  };
  for (const stream of members) {
    for (const [first, end, kind] of runsOf(stream, columnOf, columns)) {
      note(first, kind, 1);
      note(end, kind, -1);
    }
  }
  const counts = new Map();
  const edges = [...changes.keys()].sort((a, b) => a - b);
  edges.forEach((column, i) => {
    for (const [kind, difference] of changes.get(column)) counts.set(kind, (counts.get(kind) || 0) + difference);
    if (i + 1 < edges.length) paint(column, edges[i + 1], counts);
  });
}

// Silence on top, then what is wrong, then pods.
const kinds = [...pods.keys(), WRONG, SILENT];

// ---- charts --------------------------------------------------------------------------------------

// Stacks rectangles from `bottom` up; `height` stands for `all` streams. A silence is never too thin to be seen.
function paintPiece(group, x, width, bottom, height, all, counts) {
  const silent = counts.get(SILENT) || 0;
  const least = silent > 0 ? Math.max(height * silent / all, Math.min(1, height)) : 0;
  const scale = all > silent ? (height - least) / (all - silent) : 0;
  let y = bottom;
  for (const kind of kinds) {
    const count = counts.get(kind) || 0;
    if (count <= 0) continue;
    const size = kind === SILENT ? least : count * scale;
    y -= size;
    group.append(drawn("rect", { x, y: y.toFixed(2), width, height: size.toFixed(2), fill: colourOf(kind), "data-kind": kind, "data-count": count }));
  }
}

function columnsOf(plot) {
  const columns = Math.max(1, Math.round(plot.right - plot.left));
  return [columns, (us) => Math.round(plot.x(us) - plot.left)];
}

function showShares() {
  const part = section("shares", "How many streams each pod holds", "Grey are the streams that wait for an answer.");
  const all = streams.length;
  const y = { low: 0, high: all, whole: true, text: (value) => format.format(value), title: "streams" };
  chart(part, { label: `streams of ${plural(pods.length, "pod", "pods")} over time`, height: 200, x: timeAxis, y, left: margin, paint: (plot) => {
    const [columns, columnOf] = columnsOf(plot);
    const group = drawn("g", { "shape-rendering": "crispEdges" });
    plot.svg.append(group);
    eachPiece(streams, columnOf, columns, (first, end, counts) => {
      const known = [...counts.values()].reduce((sum, count) => sum + count, 0);
      if (known > 0) paintPiece(group, plot.left + first, end - first, plot.bottom, plot.y(0) - plot.y(known), known, counts);
    });
    paintFault(plot, true);
  } }).id = "shares-chart";
}

const LANES_HEIGHT = 560;
const LANES_MAX = 186; // thinner ones could not be told apart

function bandsOf() {
  const size = Math.ceil(held.length / (held.length > LANES_MAX ? 140 : LANES_MAX));
  const bands = [];
  for (let i = 0; i < held.length; i += size) bands.push(held.slice(i, i + size));
  return { bands, size, height: Math.min(18, Math.max(3, Math.floor(LANES_HEIGHT / bands.length))) };
}

function bandText(band, first) {
  const longest = band.reduce((most, one) => Math.max(most, one.stream.gap_ns), 0);
  if (band.length === 1) {
    const { stream } = band[0];
    return `${stream.id} ${stream.version}: silent for ${duration(stream.gap_ns)}, ${stream.before || "?"} → ${stream.back ? stream.after : "not back"}, ` +
      `${stream.lost} of ${stream.sent} messages lost${stream.interrupted ? `; saw: ${stream.saw}` : ""}`;
  }
  const hit = band.filter((one) => one.stream.interrupted).length;
  return `streams ${first + 1} to ${first + band.length}: ${hit} interrupted, longest silence ${duration(longest)}`;
}

// The name of each pod beside its streams, where there is room for it.
function paintNames(plot, bands, height) {
  const groups = [];
  bands.forEach((band, i) => {
    const pod = band[0].before;
    const last = groups[groups.length - 1];
    if (last && last.pod === pod) last.count++;
    else groups.push({ pod, first: i, count: 1 });
  });
  for (const { pod, first, count } of groups) {
    if (plot.left < 60 || count * height < 12) continue;
    const y = plot.top + (first + count / 2) * height + 4;
    plot.svg.append(drawn("text", { class: "soft", x: plot.left - 8, y, "text-anchor": "end" }, shortened(pod < 0 ? "nobody" : pods[pod], Math.floor((plot.left - 12) / GLYPH))));
  }
}

function showLanes() {
  if (held.length === 0) return;
  const { bands, size, height } = bandsOf();
  const part = section("lanes", size === 1 ? "Every stream" : `Every stream, ${format.format(size)} to a lane`,
    `${size === 1 ? "A lane is a stream" : `A lane is ${size} streams, and its colours are in proportion`}: its colour is the pod that answers it, grey is silence, from one answer to the next. ` +
    "Sorted by the pod before the fault, then by the longest silence.");
  const axis = { low: 0, high: 1, hidden: true, ticks: [], text: () => "" };
  chart(part, { label: `${plural(held.length, "stream", "streams")} over time`, height: bands.length * height + 48, x: timeAxis, y: axis, left: margin, paint: (plot) => {
    const [columns, columnOf] = columnsOf(plot);
    bands.forEach((band, i) => {
      const group = drawn("g", { class: "band", "shape-rendering": size === 1 ? "crispEdges" : "auto" });
      const thin = height > 4 ? 1 : 0; // between lanes
      group.append(drawn("title", {}, bandText(band, i * size)));
      eachPiece(band.map((one) => one.stream), columnOf, columns, (first, end, counts) => {
        const known = [...counts.values()].reduce((sum, count) => sum + count, 0);
        if (known > 0) paintPiece(group, plot.left + first, end - first, plot.top + (i + 1) * height - thin, height - thin, known, counts);
      });
      plot.svg.append(group);
    });
    paintNames(plot, bands, height);
    paintFault(plot, false);
  } }).id = "lanes-chart";
  part.append(legendOfPods());
}

const PODS_SHOWN = 24;
const holds = (when) => (pod) => held.filter((one) => one[when] === pod).length;

// How many streams each held before the fault and holds in the end.
function legendOfPods() {
  const items = pods.slice(0, PODS_SHOWN).map((name, pod) => [colourOf(pod), `${name}: ${format.format(holds("before")(pod))} → ${format.format(holds("after")(pod))}`]);
  if (pods.length > PODS_SHOWN) items.push(["transparent", `and ${plural(pods.length - PODS_SHOWN, "pod", "pods")} more`]);
  items.push([colourOf(SILENT), `silent: ${format.format(holds("before")(SILENT))} → ${format.format(holds("after")(SILENT))}`]);
  if (someWrong) items.push([colourOf(WRONG), "answered by a version that must not answer"]);
  return legend(items);
}

// ---- the spread ----------------------------------------------------------------------------------

const percent = (value) => `${rounded(value)} %`;
const spreads = data.spreads.filter((spread) => !spread.unknown && (spread.pods.length > 1 || data.spread_judged));

// Each value holds until the next.
function stepsOf(spread) {
  const steps = [];
  for (let i = 0; i < spread.points.length; i += 2) {
    const until = i + 2 < spread.points.length ? spread.points[i + 2] : data.ended_us;
    steps.push([spread.points[i], spread.points[i + 1]], [until, spread.points[i + 1]]);
  }
  return steps;
}

function showSpread() {
  if (!data.fault_began || spreads.length === 0) return;
  const part = section("spread", "How unevenly the pods hold them", "The largest deviation of a pod's share from even, in percent of even, of the pods that are there at the end." +
    (data.roll_call_made ? "" : " Pods that hold no stream are not known without --roll-call."));
  const lines = spreads.map((spread) => [spread, stepsOf(spread)]);
  const most = Math.max(data.even_percent * 1.5, ...lines.flatMap(([, steps]) => steps.map(([, value]) => value))) * 1.08;
  const y = { low: 0, high: most, text: (value) => `${format.format(value)} %`, title: "from even" };
  const bad = spreads.some((spread) => spread.after > data.even_percent);
  chart(part, { label: `spread of ${plural(spreads.length, "backend", "backends")} over time`, height: 180, x: timeAxis, y, left: margin, paint: (plot) => {
    lines.forEach(([spread, steps], i) => paintLine(plot, steps, colour(i), spread.backend));
    if (data.spread_judged) paintLimitY(plot, y, data.even_percent, percent(data.even_percent), bad ? "missed" : "kept");
    paintFault(plot, false);
  } }).id = "spread-chart";
  if (spreads.length > 1) part.append(legend(spreads.map((spread, i) => [colour(i), spread.backend])));
  part.append(makeTable([["Server"], ["Streams", true], ["Pods", true], ["Spread at the fault", true], ["At the end", true], ["Even for good after", true]], spreads.map((spread) => [
    spread.backend, format.format(spread.streams), format.format(spread.pods.filter((pod) => pod.state !== "gone").length), percent(spread.before),
    [percent(spread.after), data.spread_judged && spread.after > data.even_percent ? "bad" : ""], spread.even_after_ns < 0 ? "never" : spread.even_after_ns === 0 ? "all the time" : duration(spread.even_after_ns)])));
  if (data.roll_call_made) showRollCall(part);
}

function showRollCall(part) {
  part.append(makeTable([["Server"], ["Pod"], ["Streams at the fault", true], ["At the end", true], ["New streams of the roll call", true]],
    spreads.flatMap((spread) => spread.pods.map((pod) => [spread.backend, pod.state ? `${pod.name} (${pod.state})` : pod.name,
      ...[pod.before, pod.after, pod.called].map((value) => format.format(value))]))));
}

// Sums of bins, so that bars are not thinner than they can be drawn.
function joined(bins, size) {
  const sums = [];
  bins.forEach((count, i) => { sums[Math.floor(i / size)] = (sums[Math.floor(i / size)] || 0) + count; });
  return sums;
}

const sum = (counts) => counts.reduce((all, count) => all + count, 0);

const herdText = data.herd.count > 0 ? `At most ${plural(data.herd.peak, "stream", "streams")} came back within 100 ms, ${rounded(data.herd.ratio)} times the mean over ${duration(data.herd.window_ns)}.` : "";

function showReconnects() {
  if (!data.fault_began || sum(data.back) + sum(data.ended) === 0) return;
  const part = section("reconnects", "Ends and reconnects");
  const note = element("p", "", "note");
  const least = data.bin_us / (timeAxis.high - timeAxis.low);
  part.append(note);
  const sizeFor = (width) => [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((size) => size * least * width >= 3) || 2000;
  const tallest = (size) => Math.max(1, ...joined(data.back, size), ...joined(data.ended, size));
  const place = element("div");
  part.append(place);
  responsive(place, (width) => {
    const size = sizeFor(width - margin(width));
    const y = { low: 0, high: tallest(size) * 1.08, whole: true, text: (value) => format.format(value), title: "streams" };
    note.textContent = `Per ${duration(size * data.bin_us * 1e3)}. ${herdText}`;
    place.replaceChildren();
    chart(place, { label: `${plural(sum(data.back), "reconnect", "reconnects")} over time`, height: 180, x: timeAxis, y, left: margin, paint: (plot) => paintBins(plot, size) }).id = "reconnects-chart";
  });
  part.append(legend([["var(--soft)", `answered again: ${format.format(sum(data.back))}`], ["var(--bad)", `ended: ${format.format(sum(data.ended))}`]]));
}

function paintBins(plot, size) {
  const bin = size * data.bin_us;
  joined(data.back, size).forEach((count, i) => {
    if (count === 0) return;
    const bar = drawn("rect", { class: "back", x: plot.x(i * bin) + 0.5, y: plot.y(count), width: Math.max(1, plot.x((i + 1) * bin) - plot.x(i * bin) - 1),
      height: plot.bottom - plot.y(count), fill: "var(--soft)", "data-count": count });
    bar.append(drawn("title", {}, `${plural(count, "stream", "streams")} answered again`));
    plot.svg.append(bar);
  });
  const ended = joined(data.ended, size);
  paintLine(plot, [[0, 0], ...ended.flatMap((count, i) => [[i * bin, count], [(i + 1) * bin, count]]), [ended.length * bin, 0]], "var(--bad)");
  paintFault(plot, false);
}

// ---- tables --------------------------------------------------------------------------------------

function showPods() {
  const part = section("pods", "Pods");
  const count = (test) => held.filter(test).length;
  const rows = pods.map((name, pod) => {
    const cell = element("span");
    cell.append(swatch(colourOf(pod)), name);
    return [cell, ...[holds("before")(pod), holds("after")(pod),
      count((one) => one.before === pod && one.stream.interrupted), count((one) => one.after === pod && one.before !== pod)].map((value) => format.format(value))];
  });
  const silent = element("span");
  silent.append(swatch("var(--gap)"), "silent");
  rows.push([silent, format.format(holds("before")(SILENT)), format.format(holds("after")(SILENT)), "", ""]);
  part.append(makeTable([["Pod"], ["Streams at the fault", true], ["At the end", true], ["Interrupted", true], ["Came from elsewhere", true]], rows));
}

const ROWS_MAX = 100;

function showStreams() {
  const told = streams.filter((stream) => stream.interrupted || !stream.good).sort((a, b) => a.good - b.good || b.gap_ns - a.gap_ns);
  if (told.length === 0 || !data.fault_began) return;
  const part = section("streams", "Interrupted streams", told.length > ROWS_MAX ? `The first ${ROWS_MAX} of ${format.format(told.length)}; -o json has all of them.` : "");
  part.append(makeTable([["Stream", false, true], ["Version"], ["Silent for", true], ["From", false, true], ["To", false, true], ["Lost", true], ["Verdict"], ["Saw"]], told.slice(0, ROWS_MAX).map((stream) => [
    stream.id, stream.version, [duration(stream.gap_ns), stream.gap_ns > data.max_gap_ns ? "bad" : ""], stream.before, stream.back ? stream.after : ["not back", "bad"],
    `${stream.lost} of ${stream.sent}`, stream.undecided ? ["the test ended first", "warn"] : stream.good ? ["good", "good"] : [problemOf(stream), "bad"], stream.saw])));
}

function problemOf(stream) {
  if (stream.misrouted > 0) return `${stream.misrouted} misrouted`;
  if (!stream.back) return "not back";
  if (stream.gap_ns > data.max_gap_ns) return "silent for too long";
  if (stream.repeated > 0) return `${stream.repeated} answered twice`;
  return stream.disordered > 0 ? `${stream.disordered} answered out of order` : `${stream.moved} answered by another pod`;
}

// ---- the page ------------------------------------------------------------------------------------

function reasons() {
  const unchecked = new Map(streams.filter((stream) => stream.unchecked).map((stream) => [stream.version, stream.unchecked]));
  const cut = streams.filter((stream) => stream.cut).length;
  return [...[...unchecked].map(([version, reason]) => [`which server answers ${version} was not checked: ${reason}`, "warn"]),
    ...data.notes, ...data.limits.filter((limit) => limit.why && limit.verdict === "no_evidence").map((limit) => [`whether ${limit.text} could not be judged: ${limit.why}`, "warn"]),
    ...(cut > 0 ? [[`${plural(cut, "stream", "streams")} went from pod to pod more often than is drawn`, "warn"]] : [])];
}

const gaps = interrupted.map((stream) => stream.gap_ns).sort((a, b) => a - b);
const gapAt = (part) => gaps.length === 0 ? "–" : duration(gaps[Math.min(gaps.length - 1, Math.ceil(part * gaps.length) - 1)]);
const totalOf = (name) => sum(streams.map((stream) => stream[name]));

showAbout([["Target", data.target], ...(data.service ? [["Service", element("code", `${data.service.method} (${data.service.call})`)]] : []), ["Fault", element("code", data.fault)], ...(data.command !== data.fault ? [["It ran", element("code", data.command)]] : []),
  ["It ran for", data.fault_ended ? `${duration(data.over_us * 1e3)}, exit code ${data.fault_exit_code}` : data.fault_began ? "was not over" : "was not begun"],
  ["Streams", `${format.format(streams.length)}, a ping every ${duration(data.interval_ns)}, order by --seed ${data.seed}`]], reasons());
showTiles([
  ["interrupted", "Interrupted", format.format(interrupted.length), `of ${plural(streams.length, "stream", "streams")}`],
  ["gap", "Silence, p50", gapAt(0.5), "of the interrupted ones"],
  ["longest", "Longest silence", gapAt(1), `${duration(data.max_gap_ns)} are allowed`, gaps.length > 0 && gaps[gaps.length - 1] > data.max_gap_ns ? "bad" : ""],
  ["notback", "Not back", format.format(data.fault_began ? streams.filter((stream) => !stream.back).length : 0), "", data.fault_began && streams.some((stream) => !stream.back) ? "bad" : ""],
  ["lost", "Messages lost", format.format(totalOf("lost")), `of ${format.format(totalOf("sent"))} since the fault`],
  ["misrouted", "Misrouted", format.format(totalOf("misrouted")), totalOf("repeated") > 0 ? `${format.format(totalOf("repeated"))} answered twice` : "", totalOf("misrouted") + totalOf("repeated") > 0 ? "bad" : ""],
  ...data.limits.filter((limit) => ["spread", "herd"].includes(limit.metric)).map((limit) =>
    [limit.metric, limit.metric === "spread" ? "Spread at the end" : "Herd", limit.value, limit.text, moodOf(limit.verdict) === "good" ? "" : moodOf(limit.verdict)]),
]);
if (streams.some((stream) => stream.lanes.length > 0)) {
  showShares();
  showLanes();
  showSpread();
  showReconnects();
  showPods();
  showStreams();
} else {
  section("nothing", "Streams", "None was answered, so there is nothing to draw.");
}
