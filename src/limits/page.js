// ---- what was found ------------------------------------------------------------------------------

const limits = data.limits || [];
const measured = limits.filter((limit) => limit.state !== "not_measured");
const notable = limits.filter((limit) => ["found", "unsteady", "by_other"].includes(limit.state) && !(limit.kind === "fact" && limit.holds) &&
  !(limit.shape === "buffered" && limit.state === "found")); // which is a measure
const SIDES = { unknown: "not known", client_hop: "client's hop", server_hop: "server's hop", both_hops: "both hops at once", server: "the server itself", server_no_hop: "the server, no hop" };
const hasEnd = (limit) => notable.includes(limit) && limit.state !== "unsteady" && !(limit.kind === "fact" && limit.ended_by === "unknown");
const endedBy = (limit) => limit.state === "by_other" ? `by ${limit.by}` : hasEnd(limit) ? SIDES[limit.ended_by] : "";
const lookOf = (limit) => ["not_measured", "unsteady"].includes(limit.state) ? limit.why : limit.look;
const moodOfLimit = (limit) => limit.state === "not_measured" || limit.state === "unsteady" ? "warn" : notable.includes(limit) && limit.kind === "fact" ? "bad" : "";

// ---- the timeline --------------------------------------------------------------------------------

const LANE = 10; // of one try
const NAME = 17; // the line above the lanes of a shape
const BETWEEN = 8;
const lives = (sample) => sample.end === "open" || sample.end === "here";

const timed = measured.filter((limit) => limit.kind === "duration" && limit.samples.some((sample) => sample.opened));
const endOf = (sample) => sample.opened ? sample.opened_ns + sample.lived_ns : 0;

function sampleText(limit, sample, number) {
  const saw = [sample.client_saw, sample.server_saw ? `the server: ${sample.server_saw}` : ""].filter(Boolean).join("; ");
  if (!sample.opened) return `${limit.shape}, try ${number + 1}: not begun; ${saw}`;
  return `${limit.shape}, try ${number + 1}: ${lives(sample) ? "open for" : "ended after"} ${duration(sample.lived_ns)}${saw ? `; ${saw}` : ""}`;
}

// A bar as long as it lived, and a mark where it ended.
function paintSample(plot, limit, sample, number, top) {
  if (!sample.opened) return;
  const [left, right] = [plot.x(sample.opened_ns), plot.x(endOf(sample))];
  const group = drawn("g", { class: "try", "data-shape": limit.shape, "data-try": number, "data-end": sample.end });
  group.append(drawn("title", {}, sampleText(limit, sample, number)),
    drawn("rect", { class: "life", x: left, y: top, width: Math.max(1, right - left), height: LANE - 2, fill: lives(sample) ? "var(--flow)" : colour(0), "data-from": sample.opened_ns, "data-to": endOf(sample) }));
  if (!lives(sample)) group.append(drawn("rect", { class: "end", x: right - 1.5, y: top - 1, width: 3, height: LANE, fill: "var(--bad)" }));
  plot.svg.append(group);
}

function showTimeline() {
  if (timed.length === 0) return;
  const part = section("timeline", "How long each stream lived", "A bar is a stream, or a connection where no stream was to be on it. Each shape was tried twice, on connections of its own. " +
    "A red mark is its end; a pale bar was still open when it was not looked at any more.");
  const heights = timed.map((limit) => NAME + limit.samples.length * LANE + BETWEEN);
  const x = { low: 0, high: Math.max(1e9, ...timed.flatMap((limit) => limit.samples.map(endOf))), text: (ns) => `${Number((ns / 1e9).toFixed(3))} s`, title: "since the run began" };
  const y = { low: 0, high: 1, hidden: true, ticks: [], text: () => "" };
  chart(part, { label: `${plural(timed.length, "shape", "shapes")} over time`, height: heights.reduce((sum, one) => sum + one, 0) + 48, x, y, left: () => 4, paint: (plot) => {
    let top = plot.top;
    timed.forEach((limit, i) => {
      const room = Math.floor((plot.right - plot.left) / GLYPH);
      const text = `${limit.shape}: ${limit.text}${endedBy(limit) ? `, ${endedBy(limit)}` : ""}`;
      plot.svg.append(drawn("text", { class: "shape", x: plot.left, y: top + 12, "data-shape": limit.shape }, shortened(text, room)));
      limit.samples.forEach((sample, number) => paintSample(plot, limit, sample, number, top + NAME + number * LANE));
      top += heights[i];
    });
  } }).id = "timeline-chart";
  part.append(legend([[colour(0), "ended"], ["var(--flow)", "still open"], ["var(--bad)", "its end"]]));
}

// ---- tables --------------------------------------------------------------------------------------

const VERDICTS = { kept: ["kept", "good"], broken: ["broken", "bad"], not_checked: ["not checked", "warn"] };

function showContract() {
  if (!data.contract) return;
  const part = section("contract", "Contract", data.contract.file);
  part.append(makeTable([["Promise"], ["Verdict"], ["Evidence", false, true], ["Line", true]], data.contract.promises.map((one) =>
    [one.promise, VERDICTS[one.verdict], one.why, String(one.line)])));
}

function showLimits() {
  const part = section("limits", "All shapes", data.looked_ns > 0 ? `Looked for ${duration(data.looked_ns)}: "none within" says nothing of what is longer.` : "");
  part.append(makeTable([["Shape", false, true], ["What", false, true], ["Found", false, true], ["Ended by"], ["What the client saw", false, true]], limits.map((limit) =>
    [limit.shape, limit.what, [limit.text, moodOfLimit(limit)], endedBy(limit), lookOf(limit)])));
}

function listOf(lines) {
  const list = element("ul");
  for (const line of lines) list.append(element("li", line));
  return list;
}

function showSettings() {
  const told = notable.filter((limit) => limit.settings.length > 0 || limit.advice);
  if (told.length === 0) return;
  const part = section("settings", "Which setting it may be, and what to set");
  part.append(makeTable([["Shape", false, true], ["Found", false, true], ["Settings that look like it", false, true], ["What a client can set", false, true]], told.map((limit) =>
    [limit.shape, limit.text, listOf(limit.settings.map((one) => `${one.program} ${one.name} (${one.usual}): ${one.mend}`)), limit.advice])));
}

// What both ends saw of each try.
function showSamples() {
  const tries = notable.flatMap((limit) => limit.samples.map((sample, number) => [limit, sample, number]));
  if (tries.length === 0) return;
  const part = section("tries", "What both ends saw");
  part.append(makeTable([["Shape", false, true], ["Try", true], ["For", true], ["The client saw", false, true], ["The server saw", false, true]], tries.map(([limit, sample, number]) =>
    [limit.shape, String(number + 1), sample.opened ? duration(sample.lived_ns) : "not begun", sample.client_saw, sample.server_saw || ""])));
}

// ---- the page ------------------------------------------------------------------------------------

function reasons() {
  const missing = new Map();
  for (const limit of limits.filter((one) => one.state === "not_measured")) missing.set(limit.why, [...(missing.get(limit.why) || []), limit.shape]);
  return [...[...missing].map(([why, shapes]) => [`not measured: ${shapes.join(", ")}: ${why}`, "warn"]),
    ...limits.filter((limit) => limit.state === "unsteady").map((limit) => [`unsteady: ${limit.shape}: ${limit.why}`, "warn"])];
}

const count = (state) => limits.filter((limit) => limit.state === state).length;
const facts = measured.filter((limit) => limit.kind === "fact" && limit.state === "found");

showAbout([["Target", data.target], ...(data.looked_ns > 0 ? [["Looked for", duration(data.looked_ns)]] : []),
  ...(data.within_ns === undefined ? [] : [["Took", duration(data.took_ns)], ["Server", data.server_id || "not known"]])], reasons());
if (limits.length > 0) {
  showTiles([
    ["found", "Limits found", format.format(measured.filter((limit) => limit.kind !== "fact" && limit.state === "found").length), `of ${plural(limits.length, "shape", "shapes")}`],
    ["none", "None as far as was looked", format.format(count("none_within")), data.looked_ns > 0 ? duration(data.looked_ns) : ""],
    ["facts", "Holds or arrives as sent", `${facts.filter((limit) => limit.holds).length} of ${facts.length}`, "", facts.some((limit) => !limit.holds) ? "bad" : ""],
    ["unsteady", "Unsteady", format.format(count("unsteady")), "", count("unsteady") > 0 ? "warn" : ""],
    ["missing", "Not measured", format.format(count("not_measured")), "", count("not_measured") > 0 ? "warn" : ""],
    ...(data.contract ? [["contract", "Promises kept", `${data.contract.promises.filter((one) => one.verdict === "kept").length} of ${data.contract.promises.length}`, "", moodOf(about.result)]] : []),
  ]);
  showContract();
  showTimeline();
  showLimits();
  showSettings();
  showSamples();
} else {
  section("nothing", "Limits", "Nothing was measured, so there is nothing to draw.");
}
