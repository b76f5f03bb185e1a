// ---- who met whom --------------------------------------------------------------------------------

const NODES_MAX = 60; // of each side; what is right goes together first
const nameOf = (group) => group.name.replace(/^(Agent|Boundary) /, "");
const good = (group) => group.result === "passed";
const sum = (numbers) => numbers.reduce((all, number) => all + number, 0);

// A group's answers, and where there is none what happened instead.
function endsOf(group) {
  const ends = group.answers.map((answer) => ({ key: `${answer.version} ${answer.pod}`, name: answer.pod || "(pod not named)",
    note: `server ${answer.version || "(no version)"}`, order: answer.version, count: answer.messages, is: answer.is }));
  if (group.other_answers > 0) ends.push({ key: "\uffff0", name: "more pods", note: "not told apart", order: "\uffff0", count: group.other_answers, is: "open" });
  if (ends.length > 0) return ends;
  const rejected = group.outcome.startsWith("rejected");
  return [{ key: rejected ? "\uffff1" : "\uffff2", name: rejected ? "rejected" : "no answer", note: "instead of a pod", order: rejected ? "\uffff1" : "\uffff2",
    count: 0, is: good(group) ? "expected" : group.result === "failed" ? "unexpected" : "open" }];
}

const byName = (a, b) => a.localeCompare(b, "en", { numeric: true });

// The two columns and the links between them.
function makeGraph() {
  const shown = data.groups.length <= NODES_MAX ? data.groups
    : [...data.groups].sort((a, b) => good(a) - good(b)).slice(0, NODES_MAX - 1);
  const left = data.groups.filter((group) => shown.includes(group)).map((group) => ({ name: nameOf(group), note: noteOf(group), result: group.result, ends: endsOf(group) }));
  const rest = data.groups.filter((group) => !shown.includes(group));
  if (rest.length > 0) left.push({ name: `${format.format(rest.length)} more`, note: plural(sum(rest.map((group) => group.received)), "answer", "answers"), result: rest.every(good) ? "passed" : "failed", ends: mergedEnds(rest.flatMap(endsOf)) });
  const right = new Map();
  for (const end of left.flatMap((node) => node.ends)) if (!right.has(end.key)) right.set(end.key, { ...end, count: 0, links: [] });
  const pods = [...right.values()].sort((a, b) => byName(a.order, b.order) || byName(a.name, b.name));
  const links = left.flatMap((node) => node.ends.map((end) => ({ from: node, to: right.get(end.key), count: end.count, is: end.is })));
  for (const node of left) node.links = links.filter((link) => link.from === node).sort((a, b) => pods.indexOf(a.to) - pods.indexOf(b.to));
  for (const pod of pods) {
    pod.links = links.filter((link) => link.to === pod);
    pod.note = pod.links.some((link) => link.count > 0) ? `${pod.note}, ${plural(sum(pod.links.map((link) => link.count)), "answer", "answers")}` : pod.note;
    pod.result = pod.links.some((link) => link.is === "unexpected") ? "failed" : "passed";
  }
  return { left, pods, links };
}

const noteOf = (group) => `${group.name.startsWith("Boundary ") ? "edge, " : ""}expects ${group.expected}`;

function mergedEnds(ends) {
  const merged = new Map();
  for (const end of ends) {
    const last = merged.get(end.key);
    merged.set(end.key, last ? { ...last, count: last.count + end.count, is: last.is === "unexpected" ? last.is : end.is } : end);
  }
  return [...merged.values()];
}

// ---- the picture ---------------------------------------------------------------------------------

const PORT_MAX = 15; // between two links at one box; less where there are hundreds
const PORT_MIN = 3;
const COUNT_HEIGHT = 11; // links that are closer have their counts in the table only
const GAP = 8;

// Places the boxes of a column below each other, each as high as its links need; returns the height.
function stack(nodes, port) {
  let y = 4;
  for (const node of nodes) {
    node.height = Math.max(40, node.links.length * port + 6);
    node.y = y;
    y += node.height + GAP;
  }
  return y - GAP + 4;
}

const placeOf = (node, link, port) => node.y + node.height / 2 + (node.links.indexOf(link) - (node.links.length - 1) / 2) * port;

function paintBox(svg, node, x, width) {
  const group = drawn("g", { class: "node" });
  const middle = node.y + node.height / 2;
  group.append(drawn("title", {}, `${node.name}: ${node.note}`),
    drawn("rect", { class: `box ${node.result}`, x, y: node.y, width, height: node.height, rx: 6 }),
    drawn("text", { class: "name", x: x + 8, y: middle - 2 }, shortened(node.name, Math.floor((width - 12) / 7.6))),
    drawn("text", { class: "sub", x: x + 8, y: middle + 13 }, shortened(node.note, Math.floor((width - 12) / 6))));
  svg.append(group);
}

function paintLink(svg, link, left, right, most, port) {
  const [from, to] = [placeOf(link.from, link, port), placeOf(link.to, link, port)];
  const half = (left + right) / 2;
  const path = drawn("path", { class: `flow ${link.is}`, d: `M${left} ${from}C${half} ${from} ${half} ${to} ${right} ${to}`,
    "stroke-width": Math.min(port, 1.5 + 9 * link.count / most).toFixed(1), "data-count": link.count });
  path.append(drawn("title", {}, `${link.from.name} to ${link.to.name}: ${plural(link.count, "answer", "answers")}${link.is === "unexpected" ? ", which must not be" : ""}`));
  svg.append(path);
  if (link.count > 0 && port >= COUNT_HEIGHT) {
    svg.append(drawn("text", { class: `count ${link.is}`, x: right - 4, y: to + 4, "text-anchor": "end" }, `${link.is === "unexpected" ? "✗ " : ""}${format.format(link.count)}`));
  }
}

function showFlow() {
  const graph = makeGraph();
  const part = section("flow", "From versions to pods", "Each line is as wide as it has answers. Red: who answers must not; dashed: that is not judged.");
  const place = element("div", undefined, "chart");
  part.append(place);
  responsive(place, (width) => {
    const [leftWidth, rightWidth] = width < 560 ? [Math.floor(width * 0.3), Math.floor(width * 0.38)] : [Math.min(220, width * 0.25), Math.min(320, width * 0.32)];
    const port = Math.min(PORT_MAX, Math.max(PORT_MIN, 3000 / graph.links.length));
    const heights = [stack(graph.left, port), stack(graph.pods, port)];
    const height = Math.max(...heights);
    [graph.left, graph.pods].forEach((nodes, i) => nodes.forEach((node) => { node.y += (height - heights[i]) / 2; }));
    const svg = drawn("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img",
      "aria-label": `${plural(graph.left.length, "version", "versions")}, ${plural(graph.pods.length, "pod", "pods")}; the table below says the same` });
    const most = Math.max(1, ...graph.links.map((link) => link.count));
    const inOrder = [...graph.links].sort((a, b) => (a.is === "unexpected") - (b.is === "unexpected"));
    for (const link of inOrder) paintLink(svg, link, leftWidth, width - rightWidth, most, port);
    for (const node of graph.left) paintBox(svg, node, 1, leftWidth - 1);
    for (const pod of graph.pods) paintBox(svg, pod, width - rightWidth, rightWidth - 1);
    place.replaceChildren(svg);
  });
}

// ---- evidence ------------------------------------------------------------------------------------

function listOf(items) {
  const list = element("ul");
  for (const [text, mood] of items) list.append(element("li", text, mood));
  return list;
}

const answerMood = { expected: "", unexpected: "bad", open: "warn" };

function answersOf(group) {
  const items = group.answers.map((answer) => [`${answer.version}/${answer.pod}: ${format.format(answer.messages)}`, answerMood[answer.is]]);
  if (group.other_answers > 0) items.push([`more pods: ${format.format(group.other_answers)}`, "soft"]);
  if (group.missed.length > 0) items.push([`not met: ${group.missed.join(", ")}`, "soft"]);
  return items.length > 0 ? listOf(items) : [group.outcome || "no answer", "soft"];
}

function resultOf(group) {
  const items = [[RESULTS[group.result] ? RESULTS[group.result][0] : group.result, moodOf(group.result)], ...group.findings.map((finding) => [finding.text, ""])];
  items.push(...group.notes.map((note) => [note, "soft"]));
  if (group.unchecked) items.push([`not checked: ${group.unchecked}`, "soft"]);
  return listOf(items);
}

function showEvidence() {
  section("evidence", "Evidence").append(makeTable([["Agents", false, true], ["Expected"], ["Answered by", false, true], ["Streams", true], ["Answers", true], ["Result"]], data.groups.map((group) => {
    const expected = group.because ? listOf([[group.expected, ""], [group.because, "soft"]]) : group.expected;
    return [nameOf(group), expected, answersOf(group), `${format.format(group.streams_done)} of ${format.format(group.streams)}`,
      `${format.format(group.received)} of ${format.format(group.sent)}`, resultOf(group)];
  })));
}

// ---- the page ------------------------------------------------------------------------------------

const REASONS_MAX = 20;
const all = data.groups.flatMap((group) => group.findings.map((finding) => [`${nameOf(group)}: ${finding.text}`, finding.result === "failed" ? "bad" : "warn"]));
if (all.length > REASONS_MAX) all.splice(REASONS_MAX, all.length, [`and ${all.length - REASONS_MAX} more, see below`, "soft"]);
if (data.log_lines_not_understood > 0) all.push([`${plural(data.log_lines_not_understood, "line", "lines")} of ${format.format(data.log_lines)} not understood, one of them: ${data.log_quote}`, "warn"]);

const facts = [[data.from_logs ? "Judged" : "Target", data.from_logs ? `${plural(data.log_lines, "line", "lines")} of logs` : data.target]];
if (!data.from_logs) facts.push(["It took", duration(data.duration_ns)]);
if (data.seed > 0) facts.push(["Order", `shuffled, --seed ${data.seed}`]);
showAbout(facts, all);

const answers = data.groups.flatMap((group) => group.answers);
const wrong = sum(answers.filter((answer) => answer.is === "unexpected").map((answer) => answer.messages));
const [sent, received] = [sum(data.groups.map((group) => group.sent)), sum(data.groups.map((group) => group.received))];
showTiles([
  ["groups", "Passed", `${format.format(data.groups.filter(good).length)} of ${format.format(data.groups.length)}`, "", data.groups.every(good) ? "good" : ""],
  ["streams", "Streams", format.format(sum(data.groups.map((group) => group.streams))), `${format.format(sum(data.groups.map((group) => group.streams_done)))} to their end`],
  ["answers", "Answers", format.format(received), `to ${plural(sent, "message", "messages")}`],
  ["pods", "Pods", format.format(new Set(answers.map((answer) => `${answer.version} ${answer.pod}`)).size), "that answered"],
  ["wrong", "Wrong answers", format.format(wrong), "", wrong > 0 ? "bad" : ""],
]);
showFlow();
showEvidence();
