// ---- topology ------------------------------------------------------------------------------------

const VERSIONS_SHOWN = 12;
const ROW = 54;
const BOX = 40;
const NARROW = 620; // pixels, below which notes are shorter

// Shares of the width: left edge and width of the three columns.
const TOPOLOGY_WIDE = [[0, 0.2], [0.36, 0.22], [0.72, 0.28]];
const TOPOLOGY_NARROW = [[0, 0.26], [0.32, 0.28], [0.66, 0.34]];
const topology = { width: 0, tick: null, shown: "" };

// The busiest versions; the others as one.
function versionsOf(flows) {
  const sums = new Map();
  for (const flow of flows) sums.set(flow.version, (sums.get(flow.version) || 0) + flow.streams);
  const names = [...sums.keys()].sort((a, b) => sums.get(b) - sums.get(a) || (a < b ? -1 : 1));
  const kept = names.slice(0, names.length > VERSIONS_SHOWN ? VERSIONS_SHOWN - 1 : VERSIONS_SHOWN).sort();
  const rest = names.filter((name) => !kept.includes(name));
  const versions = kept.map((name) => ({ label: versionName(name), members: [name], streams: sums.get(name) }));
  if (rest.length > 0) {
    versions.push({ label: `${rest.length} more versions`, members: rest, streams: rest.reduce((sum, name) => sum + sums.get(name), 0) });
  }
  return versions;
}

function columnOf(column) {
  const [left, width] = (topology.width < NARROW ? TOPOLOGY_NARROW : TOPOLOGY_WIDE)[column];
  const room = topology.width - 4; // half of an outline is outside of its box
  return [2 + Math.round(left * room), Math.round(width * room)];
}

const spread = (length, height) => Array.from({ length }, (_, i) => height * (i + 0.5) / length);

// As much of a text as there is room for, which depends on the reader's font.
function fit(node, text, room) {
  node.textContent = text;
  for (let length = text.length; length > 1 && node.getComputedTextLength() > room;) {
    length = Math.min(length - 1, Math.floor(length * room / node.getComputedTextLength()));
    node.textContent = shortened(text, Math.max(1, length));
  }
}

// `filter` is what a click on it leaves in the table; none: it is only shown.
function drawBox(svg, column, y, box) {
  const [x, width] = columnOf(column);
  const label = `${box.name}: ${box.note}`;
  const group = drawn("g", !box.filter ? {} : {
    class: "node", tabindex: 0, role: "button", "data-filter": JSON.stringify(box.filter),
    "aria-pressed": isFilter(box.filter), "aria-label": `${label}. Shows only its streams.`,
  });
  const name = drawn("text", { x: x + 7, y: y - 4 });
  const note = drawn("text", { x: x + 7, y: y + 13, class: "sub" });
  group.append(drawn("title", {}, label), drawn("rect", { x, y: y - BOX / 2, width, height: BOX, rx: 6, class: box.mood || "" }), name, note);
  svg.append(group);
  fit(name, box.name, width - 12);
  fit(note, topology.width < NARROW ? box.brief : box.note, width - 12);
}

function drawRibbon(svg, column, from, to, width, className, label) {
  const [start, length] = columnOf(column);
  const left = start + length;
  const right = columnOf(column + 1)[0];
  const half = (left + right) / 2;
  const path = drawn("path", { d: `M${left} ${from} C${half} ${from} ${half} ${to} ${right} ${to}`, "stroke-width": width.toFixed(2), class: className });
  path.append(drawn("title", {}, label));
  svg.prepend(path);
}

// As wide as its streams; of them, those that are misrouted are red, and can always be seen.
function drawFlow(svg, column, from, to, flow, most) {
  if (flow.streams === 0) {
    drawRibbon(svg, column, from, to, 1, "idle", flow.label);
    return;
  }
  const width = 1.5 + 14 * flow.streams / most;
  const red = flow.misrouted > 0 ? Math.max(1, width * flow.misrouted / flow.streams) : 0;
  if (width > red) drawRibbon(svg, column, from - red / 2, to - red / 2, width - red, "", flow.label);
  if (red > 0) drawRibbon(svg, column, from + (width - red) / 2, to + (width - red) / 2, red, "bad", flow.label);
}

function flowsBetween(tick, versions) {
  return versions.flatMap((version, i) => tick.clusters.flatMap((cluster, k) => {
    if (tick.clusters.findIndex((other) => other.name === cluster.name) !== k) return []; // one of that name is leaving
    const flows = tick.flows.filter((flow) => flow.cluster === cluster.name && version.members.includes(flow.version));
    const streams = flows.reduce((sum, flow) => sum + flow.streams, 0);
    const misrouted = flows.reduce((sum, flow) => sum + flow.misrouted, 0);
    const share = misrouted > 0 ? `, ${format.format(misrouted)} (${percent(misrouted, streams)}) misrouted` : "";
    const label = `agents ${version.label} to ${cluster.name}: ${plural(streams, "stream", "streams")}${share}`;
    return streams === 0 ? [] : [{ i, k, streams, misrouted, label }];
  }));
}

function boxOfEndpoint(endpoint) {
  const state = endpoint.leaving ? "leaving" : endpoint.health;
  const note = `${state}, ${plural(endpoint.streams, "stream", "streams")}, ${plural(endpoint.errors, "error", "errors")}`;
  const more = `${endpoint.misrouted > 0 ? `, ${format.format(endpoint.misrouted)} misrouted` : ""}${endpoint.cause ? `; ${endpoint.cause}` : ""}`;
  const who = `${endpoint.pod || endpoint.address} (${endpoint.address})`;
  return {
    name: endpoint.pod || endpoint.address, note, brief: plural(endpoint.streams, "stream", "streams"), mood: state,
    filter: { endpoint: endpoint.address, cluster: endpoint.cluster.name },
    label: `${endpoint.cluster.name} to ${who}: ${note}, ${format.format(endpoint.streams_total)} in total${more}`,
  };
}

function drawTopology(tick) {
  const svg = byId("topology");
  const versions = versionsOf(tick.flows);
  const endpoints = tick.clusters.flatMap((cluster) => cluster.endpoints.map((endpoint) => ({ ...endpoint, cluster })));
  const height = ROW * Math.max(1, versions.length, tick.clusters.length, endpoints.length);
  const most = Math.max(1, tick.streams);
  const lines = [];
  svg.replaceChildren();
  svg.setAttribute("width", topology.width);
  svg.setAttribute("height", height);
  const [versionY, clusterY, endpointY] = [versions, tick.clusters, endpoints].map((list) => spread(list.length, height));
  for (const flow of flowsBetween(tick, versions)) {
    drawFlow(svg, 0, versionY[flow.i], clusterY[flow.k], flow, most);
    lines.push([flow.label, flow.misrouted > 0]);
  }
  versions.forEach((version, i) => {
    const note = plural(version.streams, "stream", "streams");
    drawBox(svg, 0, versionY[i], { name: version.label, note, brief: note, filter: version.members.length === 1 ? { version: version.members[0] } : null });
  });
  tick.clusters.forEach((cluster, k) => {
    const streams = plural(cluster.streams, "stream", "streams");
    const note = cluster.leaving ? `leaving, ${streams}` : streams;
    drawBox(svg, 1, clusterY[k], { name: cluster.name, note, brief: note, mood: cluster.leaving ? "leaving" : "", filter: { cluster: cluster.name } });
  });
  endpoints.forEach((endpoint, i) => {
    const box = boxOfEndpoint(endpoint);
    drawFlow(svg, 1, clusterY[tick.clusters.indexOf(endpoint.cluster)], endpointY[i], { ...endpoint, label: box.label }, most);
    drawBox(svg, 2, endpointY[i], box);
    lines.push([box.label, endpoint.misrouted > 0 || endpoint.health === "unhealthy"]);
  });
  svg.setAttribute("aria-label", `${plural(versions.length, "agent version", "agent versions")}, ` +
    `${plural(tick.clusters.length, "cluster", "clusters")}, ${plural(endpoints.length, "endpoint", "endpoints")}; details in the text below`);
  byId("topology-text").replaceChildren(...lines.map(([text, bad]) => element("li", text, bad ? "bad" : "")));
}

// Drawn anew only when something changed; what had the focus keeps it.
function showTopology(tick) {
  if (tick) topology.tick = tick;
  if (!topology.tick || topology.width === 0) return;
  const { streams, clusters, flows } = topology.tick;
  const wanted = JSON.stringify([topology.width, streams, clusters, flows, table.filter]);
  if (wanted === topology.shown) return;
  topology.shown = wanted;
  const focused = document.activeElement && byId("topology").contains(document.activeElement) ? document.activeElement.dataset.filter : null;
  drawTopology(topology.tick);
  if (focused) [...byId("topology").querySelectorAll(".node")].find((node) => node.dataset.filter === focused)?.focus();
}

function startTopology() {
  const press = (node) => node && toggleFilter(JSON.parse(node.dataset.filter));
  const svg = byId("topology");
  // Not by the event's target: the node may have been drawn anew between the button's going down and up.
  svg.addEventListener("click", (event) => press(document.elementFromPoint(event.clientX, event.clientY)?.closest(".node")));
  svg.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    press(event.target.closest(".node"));
  });
  responsive(svg.parentElement, (width) => {
    topology.width = width;
    showTopology(null);
  });
}
