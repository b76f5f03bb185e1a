// ---- table of streams ----------------------------------------------------------------------------

const PAGE = 50;
const TABLE_COLUMNS = [
  ["number", "No.", true], ["agent_id", "Agent"], ["agent_version", "Version"], ["cluster", "Cluster"], ["pod", "Pod"],
  ["endpoint", "Endpoint"], ["age_ms", "Age", true, age], ["messages_up", "Up", true], ["messages_down", "Down", true],
];
// `filter` has whole texts by name: version, cluster, endpoint.
const table = { starts: [0], next: null, rows: [], sort: "number", descending: false, asked: 0, shown: 0, filter: {} };

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
  for (const [key, title, isNumber, show] of TABLE_COLUMNS) {
    let text = show ? show(stream[key]) : isNumber ? format.format(stream[key]) : stream[key];
    if (key === "pod" && stream.misrouted) text += ` (${stream.server_version}, misrouted)`;
    const cell = element("td", text, isNumber ? "number" : "");
    cell.dataset.label = title;
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

// ---- what is asked for ---------------------------------------------------------------------------

const isFilter = (filter) => JSON.stringify(table.filter) === JSON.stringify(filter);

function setFilter(filter) {
  table.filter = filter;
  table.starts = [0];
  byId("filters").replaceChildren(...Object.entries(filter).map(([name, value]) => {
    const chip = element("button", `${name} ${name === "version" ? versionName(value) : value} ✕`, "chip");
    chip.type = "button";
    chip.setAttribute("aria-label", `Show streams of any ${name} again, not only ${value}`);
    chip.addEventListener("click", () => setFilter(Object.fromEntries(Object.entries(table.filter).filter(([other]) => other !== name))));
    return chip;
  }));
  showTopology(null);
  return loadRows();
}

// The same again takes it back.
function toggleFilter(filter) {
  return setFilter(isFilter(filter) ? {} : filter);
}

function question() {
  const asked = new URLSearchParams({ limit: PAGE, after: table.starts[table.starts.length - 1], q: byId("query").value, ...table.filter });
  if (byId("misrouted").checked) asked.set("misrouted", 1);
  return asked;
}

async function loadRows() {
  const asked = ++table.asked;
  let answer;
  try {
    answer = await (await fetch(`/streams?${question()}`)).json();
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
  const found = answer.streams.length;
  setText(byId("found"), found === 0 ? "none" : `page ${table.starts.length}${answer.next === null ? ", the last one" : ""}`);
  byId("previous").disabled = table.starts.length === 1;
  byId("next").disabled = answer.next === null;
}

function turn(change) {
  change();
  return loadRows();
}

function startTable() {
  let typing = 0;
  const anew = () => turn(() => { table.starts = [0]; });
  showColumns();
  byId("query").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(anew, 150);
  });
  byId("misrouted").addEventListener("change", anew);
  byId("search").addEventListener("submit", (event) => event.preventDefault());
  byId("next").addEventListener("click", () => turn(() => { if (table.next !== null) table.starts.push(table.next); }));
  byId("previous").addEventListener("click", () => turn(() => { if (table.starts.length > 1) table.starts.pop(); }));
}
