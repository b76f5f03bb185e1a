// ---- tiles and workers ---------------------------------------------------------------------------

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
  setTile("tile-health", `${format.format(tick.healthy)} of ${format.format(tick.endpoints)}`,
    tick.healthy === tick.endpoints ? "" : `${format.format(tick.endpoints - tick.healthy)} not healthy`,
    tick.healthy < tick.endpoints ? "bad" : "good");
  byId("id").textContent = tick.id || "";
  byId("about").textContent = `${tick.state}, up ${age(tick.uptime_s * 1000)}`;
}

function showWorkers(tick) {
  const most = Math.max(1, ...tick.workers.map((worker) => worker.streams));
  byId("workers").replaceChildren(...tick.workers.map((worker, i) => {
    const item = element("li");
    const bar = element("span", undefined, "bar");
    bar.style.width = `${100 * worker.streams / most}%`;
    const streams = plural(worker.streams, "stream", "streams");
    item.append(element("span", `worker ${i}: ${streams} on ${plural(worker.connections, "connection", "connections")}`), bar);
    return item;
  }));
}
