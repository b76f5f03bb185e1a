function micros(us) {
  if (us === null) return "–";
  if (us < 1000) return `${Math.round(us)} µs`;
  if (us < 1e6) return `${(us / 1000).toPrecision(3)} ms`;
  return `${(us / 1e6).toPrecision(3)} s`;
}

function age(ms) {
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor(s / 60) % 60} min`;
}

const plural = (count, one, many) => `${format.format(count)} ${count === 1 ? one : many}`;

// ---- tiles -------------------------------------------------------------------------------------

function setTile(id, value, note, mood) {
  const tile = byId(id);
  tile.className = `tile ${mood || ""}`;
  tile.querySelector(".value").textContent = value;
  if (note !== undefined) tile.querySelector(".note").textContent = note;
}

function accuracy(tick) {
  if (tick.checked === 0) return "–";
  const share = (tick.checked - tick.misrouted) / tick.checked;
  // 100 % is said only when it is that.
  return tick.misrouted === 0 ? "100 %" : `${(Math.floor(share * 10000) / 100).toFixed(2)} %`;
}

function showTiles(tick) {
  const endpoints = tick.clusters.flatMap((cluster) => cluster.endpoints);
  const healthy = endpoints.filter((endpoint) => endpoint.health === "healthy").length;
  const known = tick.up_per_s !== null;
  setTile("tile-streams", format.format(tick.streams), `on ${plural(tick.connections, "connection", "connections")}`);
  setTile("tile-messages", known ? format.format(Math.round(tick.up_per_s + tick.down_per_s)) : "–",
    known ? `${format.format(Math.round(tick.up_per_s))} up, ${format.format(Math.round(tick.down_per_s))} down` : "");
  setTile("tile-p50", micros(tick.p50_us));
  setTile("tile-p99", micros(tick.p99_us));
  setTile("tile-accuracy", accuracy(tick),
    tick.misrouted > 0 ? `${format.format(tick.misrouted)} of ${format.format(tick.checked)} misrouted`
      : `${plural(tick.checked, "stream", "streams")} checked`,
    tick.misrouted > 0 ? "bad" : tick.checked > 0 ? "good" : "");
  setTile("tile-health", `${healthy} of ${endpoints.length}`,
    healthy === endpoints.length ? "" : `${endpoints.length - healthy} not healthy`,
    healthy < endpoints.length ? "bad" : "good");
  byId("id").textContent = tick.id || "";
  byId("about").textContent = `${tick.state}, up ${age(tick.uptime_s * 1000)}, ${plural(tick.workers, "worker", "workers")}`;
}

// ---- sparkline ---------------------------------------------------------------------------------

const rates = [];

function showSpark(tick) {
  if (tick.up_per_s === null) return;
  rates.push(tick.up_per_s + tick.down_per_s);
  if (rates.length > 120) rates.shift();
  const top = Math.max(1, ...rates);
  const points = rates.map((rate, i) => `${(600 - (rates.length - 1 - i) * 5).toFixed(0)},${(57 - 54 * rate / top).toFixed(1)}`);
  byId("spark-line").setAttribute("points", points.join(" "));
  byId("spark").setAttribute("aria-label",
    `now ${format.format(Math.round(rates[rates.length - 1]))}, highest ${format.format(Math.round(Math.max(...rates)))} messages per second`);
}

// ---- topology ----------------------------------------------------------------------------------

const VERSIONS_SHOWN = 12;
const ROW = 52;
const BOX = 36;
const TOPOLOGY_COLUMNS = [{ x: 10, width: 170 }, { x: 330, width: 190 }, { x: 650, width: 240 }];

// The busiest versions; the others as one.
function versionsOf(flows) {
  const sums = new Map();
  for (const flow of flows) sums.set(flow.version, (sums.get(flow.version) || 0) + flow.streams);
  const names = [...sums.keys()].sort((a, b) => sums.get(b) - sums.get(a) || (a < b ? -1 : 1));
  const kept = names.slice(0, names.length > VERSIONS_SHOWN ? VERSIONS_SHOWN - 1 : VERSIONS_SHOWN).sort();
  const rest = names.filter((name) => !kept.includes(name));
  const versions = kept.map((name) => ({ label: name || "(no version)", members: [name], streams: sums.get(name) }));
  if (rest.length > 0) {
    versions.push({ label: `${rest.length} more versions`, members: rest, streams: rest.reduce((sum, name) => sum + sums.get(name), 0) });
  }
  return versions;
}

const shortened = (text, length) => text.length > length ? `${text.slice(0, length - 1)}…` : text;

function drawBox(svg, column, y, name, note, className) {
  const { x, width } = TOPOLOGY_COLUMNS[column];
  const group = drawn("g", {});
  group.append(drawn("title", {}, `${name}: ${note}`),
    drawn("rect", { x, y: y - BOX / 2, width, height: BOX, rx: 6, class: className || "" }),
    drawn("text", { x: x + 8, y: y - 3 }, shortened(name, Math.floor(width / 7.6))),
    drawn("text", { x: x + 8, y: y + 12, class: "sub" }, shortened(note, Math.floor(width / 5.6))));
  svg.append(group);
}

function drawFlow(svg, column, from, to, streams, most, bad, label) {
  const left = TOPOLOGY_COLUMNS[column].x + TOPOLOGY_COLUMNS[column].width;
  const right = TOPOLOGY_COLUMNS[column + 1].x;
  const half = (left + right) / 2;
  const path = drawn("path", {
    d: `M${left} ${from} C${half} ${from} ${half} ${to} ${right} ${to}`,
    "stroke-width": streams > 0 ? (1.5 + 12 * streams / most).toFixed(1) : 1,
    class: bad ? "bad" : streams > 0 ? "" : "idle",
  });
  path.append(drawn("title", {}, label));
  svg.prepend(path);
}

function spread(count, height) {
  return Array.from({ length: count }, (_, i) => height * (i + 0.5) / count);
}

function showTopology(tick) {
  const svg = byId("topology");
  const versions = versionsOf(tick.flows);
  const endpoints = tick.clusters.flatMap((cluster) => cluster.endpoints.map((endpoint) => ({ cluster, ...endpoint })));
  const height = ROW * Math.max(1, versions.length, tick.clusters.length, endpoints.length);
  const most = Math.max(1, tick.streams);
  const lines = [];
  svg.replaceChildren();
  svg.setAttribute("viewBox", `0 0 900 ${height}`);
  const versionY = spread(versions.length, height);
  const clusterY = spread(tick.clusters.length, height);
  const endpointY = spread(endpoints.length, height);
  versions.forEach((version, i) => {
    drawBox(svg, 0, versionY[i], version.label, plural(version.streams, "stream", "streams"));
    tick.clusters.forEach((cluster, k) => {
      const flows = tick.flows.filter((flow) => flow.cluster === cluster.name && version.members.includes(flow.version));
      const streams = flows.reduce((sum, flow) => sum + flow.streams, 0);
      const wrong = flows.reduce((sum, flow) => sum + flow.misrouted, 0);
      if (streams === 0) return;
      const label = `agents ${version.label} to ${cluster.name}: ${plural(streams, "stream", "streams")}${wrong > 0 ? `, ${wrong} misrouted` : ""}`;
      drawFlow(svg, 0, versionY[i], clusterY[k], streams, most, wrong > 0, label);
      lines.push([label, wrong > 0]);
    });
  });
  tick.clusters.forEach((cluster, k) => {
    const streams = cluster.endpoints.reduce((sum, endpoint) => sum + endpoint.streams, 0);
    drawBox(svg, 1, clusterY[k], cluster.name, plural(streams, "stream", "streams"));
  });
  endpoints.forEach((endpoint, i) => {
    const name = endpoint.pod || endpoint.address;
    const note = `${endpoint.health}, ${plural(endpoint.streams, "stream", "streams")}, ${plural(endpoint.errors, "error", "errors")}`;
    drawBox(svg, 2, endpointY[i], name, note, endpoint.health);
    const label = `${endpoint.cluster.name} to ${name} (${endpoint.address}): ${note}, ${format.format(endpoint.streams_total)} in total` +
      `${endpoint.misrouted > 0 ? `, ${endpoint.misrouted} misrouted` : ""}${endpoint.cause ? `; ${endpoint.cause}` : ""}`;
    drawFlow(svg, 1, clusterY[tick.clusters.indexOf(endpoint.cluster)], endpointY[i], endpoint.streams, most, endpoint.misrouted > 0, label);
    lines.push([label, endpoint.misrouted > 0 || endpoint.health === "unhealthy"]);
  });
  svg.setAttribute("aria-label", `${plural(versions.length, "agent version", "agent versions")}, ` +
    `${plural(tick.clusters.length, "cluster", "clusters")}, ${plural(endpoints.length, "endpoint", "endpoints")}; details in the text below`);
  byId("topology-text").replaceChildren(...lines.map(([text, bad]) => element("li", text, bad ? "bad" : "")));
}

// ---- events ------------------------------------------------------------------------------------

function say(text, mood) {
  const entry = element("li", undefined, mood);
  const now = new Date();
  const time = element("time", now.toLocaleTimeString("en-GB"));
  time.dateTime = now.toISOString();
  entry.append(time, text);
  const feed = byId("feed");
  feed.prepend(entry);
  while (feed.children.length > 100) feed.lastChild.remove();
}

function endpointsOf(tick) {
  return new Map(tick.clusters.flatMap((cluster) =>
    cluster.endpoints.map((endpoint) => [`${cluster.name} ${endpoint.address}`, endpoint])));
}

function sayHealth(name, endpoint) {
  if (endpoint.health === "healthy") say(`${name} is healthy`, "good");
  if (endpoint.health === "unhealthy") say(`${name} is unhealthy: ${endpoint.cause}`, "bad");
}

function sayChanges(before, tick) {
  const old = endpointsOf(before);
  const now = endpointsOf(tick);
  for (const [name, endpoint] of now) {
    if (!old.has(name)) say(`${name} was added`);
    if (!old.has(name) || old.get(name).health !== endpoint.health) sayHealth(name, endpoint);
  }
  for (const name of old.keys()) if (!now.has(name)) say(`${name} was removed`, "bad");
  if (tick.state !== before.state) say(`the proxy is ${tick.state}`, tick.state === "draining" ? "bad" : "");
  const wrong = tick.misrouted - before.misrouted;
  if (wrong > 0) say(`${plural(wrong, "stream was", "streams were")} misrouted`, "bad");
  const lost = tick.unavailable - before.unavailable;
  if (lost > 0) say(`${plural(lost, "stream found", "streams found")} no endpoint`, "bad");
}

// ---- table of streams --------------------------------------------------------------------------

const PAGE = 50;
const TABLE_COLUMNS = [
  ["number", "No.", true], ["agent_id", "Agent"], ["agent_version", "Version"], ["cluster", "Cluster"], ["pod", "Pod"],
  ["endpoint", "Endpoint"], ["age_ms", "Age", true, age], ["messages_up", "Up", true], ["messages_down", "Down", true],
];
const table = { starts: [0], next: null, rows: [], sort: "number", descending: false, asked: 0, shown: 0 };

function showColumns() {
  byId("columns").replaceChildren(...TABLE_COLUMNS.map(([key, title, isNumber]) => {
    const cell = element("th", undefined, isNumber ? "number" : "");
    const button = element("button", title);
    cell.scope = "col";
    button.type = "button";
    button.addEventListener("click", () => {
      table.descending = table.sort === key && !table.descending;
      table.sort = key;
      showRows();
    });
    cell.append(button);
    return cell;
  }));
}

function compare(a, b) {
  const [x, y] = [a[table.sort], b[table.sort]];
  const order = typeof x === "number" ? x - y : x < y ? -1 : x > y ? 1 : 0;
  return (table.descending ? -order : order) || a.number - b.number;
}

function rowOf(stream) {
  const row = element("tr", undefined, stream.misrouted ? "bad" : "");
  for (const [key, , isNumber, show] of TABLE_COLUMNS) {
    let text = show ? show(stream[key]) : isNumber ? format.format(stream[key]) : stream[key];
    if (key === "pod" && stream.misrouted) text += ` (${stream.server_version}, misrouted)`;
    const cell = element("td", text, isNumber ? "number" : "");
    if (!isNumber) cell.title = text;
    row.append(cell);
  }
  return row;
}

function showRows() {
  TABLE_COLUMNS.forEach(([key, title], i) => {
    const cell = byId("columns").children[i];
    const active = table.sort === key;
    cell.firstChild.textContent = title + (active ? (table.descending ? " ▼" : " ▲") : "");
    if (active) cell.setAttribute("aria-sort", table.descending ? "descending" : "ascending");
    else cell.removeAttribute("aria-sort");
  });
  byId("rows").replaceChildren(...[...table.rows].sort(compare).map(rowOf));
}

function setText(node, text) { // a status that says the same again would be read out again
  if (node.textContent !== text) node.textContent = text;
}

async function loadRows() {
  const asked = ++table.asked;
  const query = byId("query").value;
  const after = table.starts[table.starts.length - 1];
  let answer;
  try {
    answer = await (await fetch(`/streams?limit=${PAGE}&after=${after}&q=${encodeURIComponent(query)}`)).json();
  } catch {
    return; // the state of the link is shown already
  }
  if (asked < table.shown) return; // a newer question was answered
  table.shown = asked;
  if (answer.streams.length === 0 && table.starts.length > 1) { // the page emptied
    table.starts = [0];
    return;
  }
  table.rows = answer.streams;
  table.next = answer.next;
  showRows();
  const count = answer.streams.length;
  setText(byId("found"), count === 0 ? "none" : `page ${table.starts.length}${answer.next === null ? ", the last one" : ""}`);
  byId("previous").disabled = table.starts.length === 1;
  byId("next").disabled = answer.next === null;
}

function turn(change) {
  change();
  return loadRows();
}

let typing = 0;
byId("query").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => turn(() => { table.starts = [0]; }), 150);
});
byId("search").addEventListener("submit", (event) => event.preventDefault());
byId("next").addEventListener("click", () => turn(() => { if (table.next !== null) table.starts.push(table.next); }));
byId("previous").addEventListener("click", () => turn(() => { if (table.starts.length > 1) table.starts.pop(); }));

// ---- the link ----------------------------------------------------------------------------------

const SILENCE_MS = 5000;
const RECONNECT_MS = 1000;
// By name, so that v1 is above v2 in every column.
function inOrder(tick) {
  const byKey = (key) => (a, b) => a[key] < b[key] ? -1 : a[key] > b[key] ? 1 : 0;
  tick.clusters.sort(byKey("name"));
  for (const cluster of tick.clusters) cluster.endpoints.sort(byKey("address"));
  return tick;
}

const link = { source: null, last: null, silence: 0, ticks: 0 };

function setLink(state, text) {
  byId("link").dataset.state = state;
  setText(byId("link"), text);
  document.body.classList.toggle("stale", state !== "live");
}

function lost() {
  clearTimeout(link.silence);
  link.source.close();
  if (byId("link").dataset.state === "live") say("the connection to the proxy was lost", "bad");
  setLink("lost", "disconnected, reconnecting");
  setTimeout(connect, RECONNECT_MS);
}

function onTick(message) {
  const tick = inOrder(JSON.parse(message.data));
  clearTimeout(link.silence);
  link.silence = setTimeout(lost, SILENCE_MS);
  if (byId("link").dataset.state !== "live") {
    say("connected", "good");
    setLink("live", "live");
  }
  // After a restart everything begins anew.
  if (link.last !== null && tick.uptime_s >= link.last.uptime_s) sayChanges(link.last, tick);
  link.last = tick;
  showTiles(tick);
  showSpark(tick);
  showTopology(tick);
  if (link.ticks++ % 2 === 0 && !document.hidden) loadRows();
}

function connect() {
  link.source = new EventSource("/events");
  link.source.onmessage = onTick;
  link.source.onerror = lost;
}

showColumns();
connect();
