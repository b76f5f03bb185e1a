// ---- events --------------------------------------------------------------------------------------

const FEED_MAX = 200;
const feed = { told: new Map(), own: [], said: 0 }; // the proxy's, by id; and what only this page knows
const GOOD = ["endpoint_healthy", "ready", "rebalanced"];

const keyOf = (event) => `${event.id}/${event.number}/${event.time_ms}`;

function entryOf(event) {
  const bad = event.level === "warn" || event.level === "error";
  const entry = element("li", undefined, bad ? "bad" : GOOD.includes(event.event) ? "good" : "");
  const time = element("time", clock(event.time_ms));
  entry.dataset.key = keyOf(event);
  time.dateTime = new Date(event.time_ms).toISOString();
  time.title = new Date(event.time_ms).toLocaleString("en-GB");
  const since = clock(event.first_ms) === clock(event.time_ms) ? "" : ` since ${clock(event.first_ms)}`;
  entry.append(time, event.count > 1 ? `${event.text} (${format.format(event.count)} times${since})` : event.text);
  return entry;
}

// What stays is left where it is, so that only what is new is read out.
function drawFeed() {
  const list = byId("feed");
  const all = [...feed.told.values(), ...feed.own].sort((a, b) => b.time_ms - a.time_ms || b.number - a.number).slice(0, FEED_MAX);
  const known = new Map([...list.children].map((entry) => [entry.dataset.key, entry]));
  const entries = all.map((event) => known.get(keyOf(event)) || entryOf(event));
  for (const entry of known.values()) if (!entries.includes(entry)) entry.remove();
  entries.forEach((entry, i) => {
    if (list.children[i] !== entry) list.insertBefore(entry, list.children[i] || null);
  });
}

function say(text, level) {
  const now = Date.now();
  feed.own = [...feed.own, { id: "page", number: ++feed.said, time_ms: now, first_ms: now, count: 1, level, event: "page", text }].slice(-20);
  drawFeed();
}

// What happened again comes with a new number, and replaces what was said of it.
function showEvents(tick) {
  if (tick.whole) feed.told.clear();
  for (const event of tick.events) {
    feed.told.delete(event.id); // to be the last one of the map
    feed.told.set(event.id, event);
  }
  while (feed.told.size > FEED_MAX) feed.told.delete(feed.told.keys().next().value);
  if (tick.whole || tick.events.length > 0) drawFeed();
}
