// What all reports share.

const about = JSON.parse(byId("about-data").textContent);
const data = JSON.parse(byId("data").textContent);

const plural = (count, one, many) => `${format.format(count)} ${count === 1 ? one : many}`;
const shortened = (text, length) => text.length > length ? `${text.slice(0, Math.max(1, length - 1))}…` : text;
const rounded = (value) => value >= 1000 ? format.format(Math.round(value)) : String(Number(value.toPrecision(3)));

function duration(ns) {
  if (ns < 1e3) return `${Math.round(ns)} ns`;
  if (ns < 1e6) return `${rounded(ns / 1e3)} µs`;
  if (ns < 1e9) return `${rounded(ns / 1e6)} ms`;
  if (ns < 60e9) return `${rounded(ns / 1e9)} s`;
  const [hours, minutes, seconds] = [Math.floor(ns / 3600e9), Math.floor(ns / 60e9) % 60, Math.floor(ns / 1e9) % 60];
  if (hours > 0) return `${hours} h${minutes > 0 ? ` ${minutes} min` : ""}`;
  return `${minutes} min${seconds > 0 ? ` ${seconds} s` : ""}`;
}

// ---- colours -----------------------------------------------------------------------------------

const COLOURS = 10;
// The first ones are told apart by anybody; of many, neighbours differ.
const colour = (index) => index < COLOURS ? `var(--c${index})` : `hsl(${(index * 137.5 + 40) % 320 + 20} 50% 50%)`;

function swatch(fill) {
  const made = element("span", "", "swatch");
  made.style.background = fill;
  return made;
}

// Items are [colour, text].
function legend(items) {
  const list = element("ul", undefined, "legend");
  for (const [fill, text] of items) {
    const item = element("li");
    item.append(swatch(fill), text);
    list.append(item);
  }
  return list;
}

// ---- parts of a page ---------------------------------------------------------------------------

const RESULTS = {
  passed: ["Passed", "good"], failed: ["Failed", "bad"], no_evidence: ["Not enough evidence", "warn"],
  not_connected: ["Not connected", "bad"], interrupted: ["Interrupted", "warn"], error: ["Error", "bad"],
};
const moodOf = (result) => (RESULTS[result] || ["", "warn"])[1];

// `facts`: [name, text or node] of this report, behind what every report says. `reasons`: [text, mood].
function showAbout(facts, reasons) {
  const [word, mood] = RESULTS[about.result] || [about.result, "warn"];
  byId("command").textContent = about.command;
  byId("verdict").hidden = false;
  byId("verdict").className = mood;
  byId("verdict").querySelector(".word").textContent = word;
  byId("verdict").querySelector(".headline").textContent = about.headline;
  byId("reasons").replaceChildren(...reasons.map(([text, kind]) => element("li", text, kind)));
  const all = [
    ["Date", `${about.started_at.replace("T", " ").replace("Z", "")} UTC`],
    ["Program", `grpcroute ${about.version}`],
    ["Command", element("code", about.typed)],
    ["Exit code", String(about.exit_code)],
    ...facts,
  ];
  byId("about").replaceChildren(...all.flatMap(([name, value]) => {
    const definition = element("dd");
    definition.append(value);
    return [element("dt", name), definition];
  }));
}

function section(id, title, note) {
  const made = element("section");
  const heading = element("h2", title);
  made.id = id;
  heading.id = `${id}-title`;
  made.setAttribute("aria-labelledby", heading.id);
  made.append(heading);
  if (note) made.append(element("p", note, "note"));
  byId("report").append(made);
  return made;
}

// Tiles are [id, title, value, note, mood].
function showTiles(tiles) {
  const made = element("section", undefined, "tiles");
  made.setAttribute("aria-label", "Main figures");
  for (const [id, title, value, note, mood] of tiles) {
    const tile = element("div", undefined, `tile ${mood || ""}`);
    tile.id = `tile-${id}`;
    tile.append(element("h2", title), element("p", value, "value"), element("p", note || "", "note"));
    made.append(tile);
  }
  byId("report").append(made);
}

// Columns are [title, isNumber, isRoomy]; a cell is a text, a node, or [text, mood]. On a phone each row of a wide one is a card that its first cell heads.
function makeTable(columns, rows) {
  const made = element("table", undefined, columns.length > 3 ? "wide" : "");
  const head = element("tr");
  for (const [title, isNumber] of columns) {
    const cell = element("th", title, isNumber ? "number" : "");
    cell.scope = "col";
    head.append(cell);
  }
  const top = element("thead");
  const body = element("tbody");
  top.append(head);
  for (const row of rows) {
    const line = element("tr");
    row.forEach((value, i) => {
      const [content, mood] = Array.isArray(value) ? value : [value, ""];
      const kinds = [columns[i][1] && "number", columns[i][2] && "roomy", i === 0 && "head", mood];
      const cell = element("td", undefined, kinds.filter(Boolean).join(" "));
      cell.dataset.label = columns[i][0];
      cell.append(content);
      line.append(cell);
    });
    body.append(line);
  }
  made.append(top, body);
  return made;
}
