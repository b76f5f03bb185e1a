// ---- endpoints and rules -------------------------------------------------------------------------

function healthOf(endpoint) {
  const mood = { unhealthy: "bad", healthy: "good" }[endpoint.health] || "";
  const cell = element("td", endpoint.leaving ? "leaving" : endpoint.health, mood);
  if (endpoint.cause) cell.append(element("span", `: ${endpoint.cause}`, "cause"));
  return cell;
}

function endpointRow(cluster, endpoint) {
  const row = element("tr");
  const address = element("td");
  const button = element("button", endpoint.address, "plain");
  button.type = "button";
  button.title = "Show only its streams";
  button.dataset.filter = JSON.stringify({ endpoint: endpoint.address, cluster: cluster.name });
  address.append(button);
  const name = element("td", cluster.name + (cluster.leaving ? " (leaving)" : ""));
  const misrouted = numberCell(endpoint.misrouted, endpoint.misrouted > 0 ? "bad" : "");
  row.append(address, name, element("td", endpoint.pod), healthOf(endpoint),
    numberCell(endpoint.streams), numberCell(endpoint.streams_total), numberCell(endpoint.errors), misrouted);
  return labelled(row, "endpoint-columns");
}

// On a phone a row is a card, whose lines say what they are.
function labelled(row, columns) {
  [...row.children].forEach((cell, i) => { cell.dataset.label = byId(columns).children[i].textContent; });
  return row;
}

let endpointsShown = "";

function showEndpoints(tick) {
  const wanted = JSON.stringify([tick.clusters, tick.endpoints_more, tick.clusters_more]);
  if (wanted === endpointsShown) return;
  endpointsShown = wanted;
  const focused = document.activeElement?.dataset.filter;
  byId("endpoints").replaceChildren(...tick.clusters.flatMap((cluster) => cluster.endpoints.map((endpoint) => endpointRow(cluster, endpoint))));
  if (focused) [...byId("endpoints").querySelectorAll("button")].find((button) => button.dataset.filter === focused)?.focus();
  const more = [];
  if (tick.endpoints_more > 0) more.push(plural(tick.endpoints_more, "more endpoint", "more endpoints"));
  if (tick.clusters_more > 0) more.push(plural(tick.clusters_more, "more cluster", "more clusters"));
  setText(byId("endpoints-more"), more.length > 0 ? `and ${more.join(" and ")}, see /clusters` : "");
}

function startEndpoints() {
  byId("endpoints").addEventListener("click", (event) => {
    const button = document.elementFromPoint(event.clientX, event.clientY)?.closest("button") || event.target.closest("button");
    if (button) toggleFilter(JSON.parse(button.dataset.filter));
  });
}

function ruleRow(rule) {
  const row = element("tr");
  const all = rule.backends.reduce((sum, backend) => sum + backend.weight, 0);
  const backends = rule.backends.map((backend) => `${backend.cluster}${rule.backends.length > 1 ? ` (${percent(backend.weight, all || 1)})` : ""}`);
  row.append(element("td", `${rule.route}, ${rule.name || `rule ${rule.rule}`}`), element("td", rule.hostnames.join(", ") || "any"),
    element("td", rule.matches.join(", or ") || "anything"), element("td", backends.join(", ") || "none"), numberCell(rule.streams));
  return labelled(row, "rule-columns");
}

let rulesOf = 0; // when the rules that are shown were put in force

async function showRules(tick) {
  if (tick.updated_ms === rulesOf && !tick.whole) return;
  rulesOf = tick.updated_ms;
  try {
    const config = await (await fetch("/config_dump")).json();
    byId("rules").replaceChildren(...config.rules.map(ruleRow));
    setText(byId("rules-source"), config.routes);
    setText(byId("rules-since"), `in force since ${new Date(tick.updated_ms).toLocaleString("en-GB")}`);
  } catch {
    rulesOf = 0; // the state of the link is shown already
  }
}
