// ---- the link ------------------------------------------------------------------------------------

const SILENCE_MS = 5000;
const RECONNECT_MS = 1000;
const link = { source: null, silence: 0, ticks: 0 };

// By name, so that v1 is above v2 in every column; what is leaving is last.
function inOrder(tick) {
  const by = (key) => (a, b) => Number(a.leaving) - Number(b.leaving) || (a[key] < b[key] ? -1 : a[key] > b[key] ? 1 : 0);
  tick.clusters.sort(by("name"));
  for (const cluster of tick.clusters) cluster.endpoints.sort(by("address"));
  return tick;
}

function setLink(state, text) {
  byId("link").dataset.state = state;
  setText(byId("link"), text);
  document.body.classList.toggle("stale", state !== "live");
}

function lost() {
  clearTimeout(link.silence);
  link.source.close();
  if (byId("link").dataset.state === "live") say("the connection to the proxy was lost", "error");
  setLink("lost", "disconnected, reconnecting");
  setTimeout(connect, RECONNECT_MS);
}

function onTick(message) {
  const tick = inOrder(JSON.parse(message.data));
  clearTimeout(link.silence);
  link.silence = setTimeout(lost, SILENCE_MS);
  setLink("live", "live");
  showTiles(tick);
  showWorkers(tick);
  showPast(tick);
  showTopology(tick);
  showEndpoints(tick);
  showEvents(tick);
  showRules(tick);
  if (link.ticks++ % 2 === 0 && !document.hidden) loadRows();
}

function connect() {
  link.source = new EventSource("/events");
  link.source.onmessage = onTick;
  link.source.onerror = lost;
}

startCharts();
startTopology();
startEndpoints();
startTable();
connect();
