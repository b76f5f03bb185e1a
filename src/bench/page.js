// ---- a run ---------------------------------------------------------------------------------------

const runs = data.runs;
const several = runs.length > 1;
const nameOf = (run, i) => several ? `${i === 0 ? "before: " : "now: "}${run.name}` : "";
const strokeOf = (i) => `var(--c${i % COLOURS})`;
const rateOf = (run) => run.seconds_ns > 0 ? run.answered / (run.seconds_ns / 1e9) : 0;
// As text_format_size() writes it.
const size = (bytes) => {
  const unit = bytes < 1024 ? 0 : Math.min(3, Math.floor(Math.log2(bytes) / 10));
  return `${unit === 0 ? Math.round(bytes) : (bytes / 1024 ** unit).toPrecision(3)} ${["B", "KiB", "MiB", "GiB"][unit]}`;
};
const share = (part) => part === 0 ? "0 %" : part < 0.0001 ? "< 0.01 %" : `${Number((part * 100).toPrecision(3))} %`;

const QUANTILES = [["p50", 0.5], ["p90", 0.9], ["p95", 0.95], ["p99", 0.99], ["p99.9", 0.999], ["p99.99", 0.9999], ["max", 1]];
const quantileOf = (run, name) => run.latency[`${name.replace(".", "_")}_ns`];

const perCall = runs[0].call !== "bidi"; // a call for each, or messages on streams that stay
const UNIT = perCall ? ["call", "calls"] : ["message", "messages"];
const setupOf = (run) => `${run.method} (${run.call}), ${run.connections} connections × ${run.streams_per_connection} ` +
  `${perCall ? "calls at a time" : "streams"}, agents ${run.versions.join(" ")}, ` +
  `${run.rate > 0 ? `open loop at ${format.format(run.rate)} ${UNIT[1]}/s` : "closed loop"}, ${run.size_bytes} bytes, ` +
  `${duration(run.seconds_ns)} of ${duration(run.duration_ns)} after ${duration(run.warmup_ns)}`;

function driverOf(run) {
  const busy = run.seconds_ns > 0 ? run.busiest_driver_cpu_seconds * 1e9 / run.seconds_ns : 0;
  const late = run.lateness.count > 0 ? `, sent ${share(0.99)} of its messages at most ${duration(run.lateness.p99_ns)} late` : "";
  return `grpcroute bench, ${share(busy)} of one core${late}${run.valid ? "" : ` (${run.invalid_because})`}`;
}

// The bucket's first value and the next one's: below 128 they are single values, then 128 for each power of two.
function boundsOf(bucket) {
  if (bucket < 128) return [bucket, bucket + 1];
  const width = 2 ** (Math.floor(bucket / 128) - 1);
  const low = (128 + bucket % 128) * width;
  return [low, low + width];
}

function bucketsOf(run) {
  const buckets = [];
  for (let i = 0; i < run.latency.buckets.length; i += 2) {
    buckets.push({ number: run.latency.buckets[i], count: run.latency.buckets[i + 1] });
  }
  return buckets;
}

// `size` neighbours as one, so that a bar can be seen; 128 / size of them fill each power of two. Only below 128 ns there is less to join.
function grouped(buckets, size) {
  const groups = new Map();
  for (const { number, count } of buckets) {
    const first = Math.floor(number / size) * size;
    groups.set(first, (groups.get(first) || 0) + count);
  }
  return [...groups].map(([first, count]) => ({ low: Math.max(boundsOf(first)[0], 1), high: boundsOf(first + size - 1)[1], count }));
}

// ---- limits --------------------------------------------------------------------------------------

const limits = data.checks.filter((check) => check.limit !== undefined);
const limitsOf = (names) => limits.filter((check) => names.includes(check.metric));
const moodOfLimit = (check) => check.holds ? "kept" : "missed";
const verdictOf = (check) => check.holds ? ["kept", "good"] : check.unproven ? ["not checked", "warn"] : ["missed", "bad"];
// What nobody could see is no zero.
const seen = (count) => count ?? "not checked";
// An axis shows a limit that is not far beyond its figures; a limit further out stands at the edge.
const withLimits = (high, values, reach) => Math.max(high, ...values.filter((value) => value <= high * reach).map((value) => value * 1.08));

// ---- charts --------------------------------------------------------------------------------------

const time = (low, high) => ({ low, high, text: duration, log: true, time: true, title: "latency" });

function showHistogram() {
  const counts = runs.map(bucketsOf);
  const all = counts.flat();
  if (all.length === 0) return;
  const part = section("histogram", `Latency: how many ${UNIT[1]} took how long`,
    "Both scales are logarithmic; a single one is seen as well as a million. Bars are the buckets that were counted in, whose width is at most " +
    "1/128 of their value, joined where they are narrower than a bar can be.");
  const times = limits.filter((check) => check.unit === "ns" && check.metric !== "mean");
  const low = Math.max(1, Math.min(...all.map((bucket) => boundsOf(bucket.number)[0])) * 0.9);
  const most = Math.max(...all.map((bucket) => boundsOf(bucket.number)[1])) * 1.1;
  const x = time(low, withLimits(most, times.map((check) => check.limit), 20));
  const highest = Math.max(...counts.map((buckets) => Math.max(0, ...grouped(buckets, 128).map((group) => group.count))));
  const y = { low: 0.7, high: highest * 1.3, log: true, title: UNIT[1], text: (value) => value < 1 ? "" : format.format(value) };
  const made = chart(part, { label: `latency of ${plural(runs[0].latency.count, ...UNIT)}`, height: 300, x, y, paint: (plot) => {
    const octave = plot.x(x.low * 2) - plot.x(x.low);
    let size = 1;
    while (size < 64 && octave * size / 128 < 3) size *= 2;
    counts.forEach((buckets, i) => paintBuckets(plot, grouped(buckets, size), i));
    times.forEach((check, row) => paintLimitX(plot, x, check.limit, check.text, moodOfLimit(check), row));
  } });
  made.id = "histogram-chart";
  if (several) part.append(legend(runs.map((run, i) => [strokeOf(i), nameOf(run, i)])));
}

// Filled bars of one run; outlines of several, so that none hides another.
function paintBuckets(plot, groups, run) {
  let outline = "";
  let end = null;
  for (const { low, high, count } of groups) {
    const [left, right, top] = [plot.x(low), plot.x(high), plot.y(count)];
    const text = `${duration(low)} to ${duration(high)}: ${plural(count, ...UNIT)}`;
    if (several) {
      outline += `${end === low ? "L" : `${end === null ? "" : `V${plot.bottom}`}M${left.toFixed(1)} ${plot.bottom}L`}${left.toFixed(1)} ${top.toFixed(1)}H${right.toFixed(1)}`;
      end = high;
    } else {
      const bar = drawn("rect", { class: "bar", x: left, y: top, width: Math.max(1, right - left - 0.5), height: plot.bottom - top, fill: strokeOf(0), "data-count": count });
      bar.append(drawn("title", {}, text));
      plot.svg.append(bar);
    }
  }
  if (outline !== "") plot.svg.append(drawn("path", { class: "line", d: `${outline}V${plot.bottom}`, stroke: strokeOf(run) }));
}

// On a scale of nines: 90 % is 1, 99 % is 2. No further than there are messages for.
function showQuantiles() {
  const shown = runs.filter((run) => run.latency.count > 0);
  if (shown.length === 0) return;
  const part = section("quantiles", "Latency by percentile", "How long all but the slowest took. Each step to the right leaves a tenth of the messages out.");
  const nines = (quantile) => -Math.log10(1 - quantile);
  const end = (run) => Math.min(5, Math.log10(run.latency.count));
  const points = runs.map((run) => run.latency.count === 0 ? [] : curveOf(run, end(run)));
  const times = limitsOf(QUANTILES.map(([name]) => name));
  const values = points.flat().map((point) => point[1]);
  const y = { low: Math.min(...values) * 0.8, high: withLimits(Math.max(...values) * 1.2, times.map((check) => check.limit), 20), log: true, time: true, text: duration, title: "latency" };
  const last = Math.max(...shown.map(end), nines(0.5));
  const x = { low: 0, high: last, title: "percentile", ticks: [0, ...QUANTILES.map(([, quantile]) => quantile).filter((quantile) => quantile < 1).map(nines)].filter((tick) => tick <= last),
    text: (value) => `${Number((100 * (1 - 10 ** -value)).toPrecision(6))} %` };
  chart(part, { label: "latency by percentile", height: 260, x, y, paint: (plot) => {
    points.forEach((line, i) => paintLine(plot, line, strokeOf(i), nameOf(runs[i], i)));
    times.forEach((check) => paintLimitY(plot, y, check.limit, check.text, moodOfLimit(check)));
  } });
  if (several) part.append(legend(runs.map((run, i) => [strokeOf(i), nameOf(run, i)])));
}

function curveOf(run, end) {
  const points = [];
  let seen = 0;
  for (const { number, count } of bucketsOf(run)) {
    const [low, high] = boundsOf(number);
    const before = seen / run.latency.count;
    seen += count;
    points.push([Math.min(end, -Math.log10(Math.max(1 - before, 1e-9))), Math.max(1, Math.min((low + high) / 2, run.latency.max_ns))]);
  }
  points.push([end, Math.max(1, run.latency.max_ns)]);
  return points;
}

// Where each second begins and ends; the last may be shorter.
function secondsOf(run) {
  let begin = 0;
  return run.timeline.map((second) => {
    const made = { ...second, begin, end: begin + second.length_ns / 1e9 };
    made.rate = second.length_ns > 0 ? second.answered / (second.length_ns / 1e9) : 0;
    begin = made.end;
    return made;
  });
}

// A value holds from the begin of its second to its end.
const stepsOf = (seconds, value) => seconds.flatMap((second) => value(second) === null ? [null] : [[second.begin, value(second)], [second.end, value(second)]]);

function showTimeline() {
  const lines = runs.map(secondsOf);
  const measured = Math.max(...lines.map((seconds) => seconds.length > 0 ? seconds[seconds.length - 1].end : 0));
  const length = Math.abs(measured - Math.round(measured)) < 0.05 ? Math.max(measured, Math.round(measured)) : measured; // timers are late
  if (length === 0) return;
  const decimals = length < 3 ? 1 : 0;
  const x = { low: 0, high: length, text: (value) => `${Number(value.toFixed(3))} s`, title: "since the load began to count", whole: decimals === 0 };
  const rates = section("rate", "Answers per second");
  const rateLimits = limitsOf(["rate"]);
  const top = Math.max(...lines.flat().map((second) => second.rate), 1);
  const y = { low: 0, high: withLimits(top * 1.08, rateLimits.map((check) => check.limit), 4), text: rounded, title: `${UNIT[1]}/s` };
  chart(rates, { label: "answers per second over time", height: 220, x, y, paint: (plot) => {
    lines.forEach((seconds, i) => paintLine(plot, stepsOf(seconds, (second) => second.rate), strokeOf(i), nameOf(runs[i], i)));
    rateLimits.forEach((check) => paintLimitY(plot, y, check.limit, check.text, moodOfLimit(check)));
  } }).id = "rate-chart";
  if (several) rates.append(legend(runs.map((run, i) => [strokeOf(i), nameOf(run, i)])));
  showLatencies(lines, x);
}

function showLatencies(lines, x) {
  const values = lines.flat().filter((second) => second.answered > 0);
  if (values.length === 0) return;
  const part = section("latencies", "Latency over time", "By when answers came; a second without one is a hole.");
  const shown = several ? [["p99", (second) => second.answered > 0 ? Math.max(1, second.p99_ns) : null]]
    : [["p50", (second) => second.answered > 0 ? Math.max(1, second.p50_ns) : null], ["p99", (second) => second.answered > 0 ? Math.max(1, second.p99_ns) : null]];
  const times = limitsOf(shown.map(([name]) => name));
  const low = Math.max(1, Math.min(...values.map((second) => second.p50_ns)) * 0.7);
  const y = { low, high: withLimits(Math.max(low * 2, ...values.map((second) => second.p99_ns * 1.3)), times.map((check) => check.limit), 20), log: true, time: true, text: duration, title: several ? "p99" : "latency" };
  chart(part, { label: "latency over time", height: 240, x, y, paint: (plot) => {
    lines.forEach((seconds, i) => shown.forEach(([name, value], k) =>
      paintLine(plot, stepsOf(seconds, value), strokeOf(several ? i : k), `${name} ${nameOf(runs[i], i)}`)));
    times.forEach((check) => paintLimitY(plot, y, check.limit, check.text, moodOfLimit(check)));
  } }).id = "latencies-chart";
  part.append(legend(several ? runs.map((run, i) => [strokeOf(i), nameOf(run, i)]) : shown.map(([name], k) => [strokeOf(k), name])));
}

// ---- tables --------------------------------------------------------------------------------------

function showLimits() {
  if (data.checks.length === 0) return;
  section("limits", "Limits").append(makeTable([["Limit"], ["Value", true], ["Verdict"]], data.checks.map((check) =>
    [check.text, check.value || "", verdictOf(check)])));
}

function showFigures(run) {
  const rows = [
    ["Sent", run.sent], ["Answered", run.answered], ["Not answered", run.unanswered, true], ["Lost with their stream", run.lost, true],
    ["Answered by the wrong version", seen(run.misrouted), true],
    ...(perCall ? [] : [["Moved to another server", seen(run.moved), true], ["Out of order or too many", seen(run.disordered), true]]),
    ["Streams opened", run.streams_opened], ["Streams not opened", run.streams_unopened, true], ["Streams opened again", run.reopened],
    ["Left open by the server", run.streams_left_open], ["Ended as planned", run.ended_as_planned],
    ["Seen by nobody, sent again", run.withdrawn],
    ...(perCall ? [["Not processed, sent again", run.sent_again]] : []),
    ...Object.entries(run.errors).map(([cause, count]) => [cause, count, true]),
  ];
  section("figures", perCall ? "Calls and errors" : "Messages, streams and errors").append(makeTable([["What"], ["Count", true]],
    rows.map(([name, count, isBad]) => [name, typeof count === "string" ? [count, "warn"] : isBad && count > 0 ? [format.format(count), "bad"] : format.format(count)])));
  section("percentiles", "Percentiles").append(makeTable([["Percentile"], ["Latency", true], [perCall ? "Calls beyond it" : "Messages beyond it", true]],
    QUANTILES.map(([name, quantile]) => [name, duration(quantileOf(run, name)), format.format(Math.round(run.latency.count * (1 - quantile)))])));
  if (run.processes.length === 0) return;
  section("cost", "Cost").append(makeTable([["Process"], [`CPU per ${UNIT[0]}`, true], ["Cores", true], ["Memory", true], ["Memory per idle stream", true]],
    run.processes.map((cost) => cost.ended ? [String(cost.pid), ["ended before the load did", "bad"], "", "", ""] : [
      String(cost.pid), run.answered > 0 ? duration(cost.cpu_seconds * 1e9 / run.answered) : "–", (cost.cpu_seconds * 1e9 / run.seconds_ns).toFixed(2),
      size(1024 * cost.memory_kib), run.streams_opened > 0 ? size(1024 * Math.max(0, cost.idle_streams_kib) / run.streams_opened) : "–"])));
}

const figure = (row, value) => value === null ? row.unit === "" ? "not checked" : "–" : row.unit === "us" ? duration(value * 1e3) : `${Number(value.toFixed(2))}${row.unit === "/s" ? "/s" : ""}`;

function showComparison(comparison, number) {
  const run = runs[number + 1];
  const part = section(`comparison-${number + 1}`, `${run.name} with ${runs[0].name}`,
    comparison.same_load ? "" : "The two were not loaded alike (method, versions, connections, streams, rate, size or TLS).");
  part.append(makeTable([["Figure"], ["Before", true], ["Now", true], ["Ratio", true], ["Verdict"]], comparison.metrics.map((row) => [
    row.metric, figure(row, row.before), figure(row, row.now), row.ratio === null ? "–" : row.ratio.toFixed(2),
    [(row.judged ? row.missing ? "missing" : row.worse ? "worse" : `within ${Math.round(comparison.tolerance * 100)} %` : "not judged") +
      (row.uncertain ? `, uncertain: rests on ${plural(row.rests_on_messages, ...UNIT)}` : ""),
      row.judged ? row.missing ? "warn" : row.worse ? "bad" : "good" : "soft"]])));
}

// ---- the page ------------------------------------------------------------------------------------

function showOne(run) {
  showAbout([["Target", `${run.target}${run.tls ? " with TLS" : ""}`], ["Load", setupOf(run)], ["Driver", driverOf(run)]],
    [...data.checks.filter((check) => !check.holds).map((check) => [check.value ? `${check.text}: ${check.value}` : check.text, verdictOf(check)[1]]),
      ...(run.merged_unlike ? [["merged from loads that were not alike", "warn"]] : []),
      ...data.unchecked.map((one) => [`which server answers ${one.version} was not checked: ${one.reason}`, "warn"]),
      ...(run.valid ? [] : [[run.invalid_because, "warn"]])]);
  showTiles([
    ["rate", perCall ? "Calls per second" : "Messages per second", rounded(rateOf(run)), run.rate > 0 ? `of ${format.format(run.rate)} wanted` : "closed loop"],
    ["p50", "Latency, p50", duration(quantileOf(run, "p50"))], ["p99", "Latency, p99", duration(quantileOf(run, "p99"))],
    ["max", "Latency, max", duration(quantileOf(run, "max"))],
    ["answered", "Answered", format.format(run.answered), `of ${format.format(run.sent)} sent`, run.answered < run.sent ? "warn" : ""],
    ["streams", "Streams", format.format(run.streams_opened), run.streams_unopened > 0 ? `${format.format(run.streams_unopened)} not opened` : "all opened",
      run.streams_unopened > 0 ? "bad" : ""],
  ]);
  showLimits();
  showHistogram();
  showQuantiles();
  showTimeline();
  showFigures(run);
}

function showSeveral() {
  const facts = runs.flatMap((run, i) => [[i === 0 ? "Before" : "Now", run.name], ["", `${run.target}: ${setupOf(run)}`], ["", driverOf(run)]]);
  showAbout(facts, data.comparisons.flatMap((comparison, i) => comparison.metrics.filter((row) => row.worse).map((row) =>
    [`${row.metric} of ${runs[i + 1].name}: ${figure(row, row.before)} before, ${figure(row, row.now)} now`, "bad"]))
    .concat(runs.filter((run) => !run.valid).map((run) => [`${run.name} is not valid: ${run.invalid_because}`, "warn"])));
  data.comparisons.forEach(showComparison);
  showHistogram();
  showQuantiles();
  showTimeline();
}

if (several) showSeveral();
else showOne(runs[0]);
