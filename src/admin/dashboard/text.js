// How numbers, times and names read.

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

// 100 % is said only when it is that, 0 % likewise.
function percent(part, whole) {
  if (part === 0 || part === whole) return part === 0 ? "0 %" : "100 %";
  return `${Math.min(99.99, Math.max(0.01, Math.round(part / whole * 1e4) / 100)).toFixed(2)} %`;
}

const plural = (count, one, many) => `${format.format(count)} ${count === 1 ? one : many}`;
const clock = (ms) => new Date(ms).toLocaleTimeString("en-GB");
const clockMinutes = (ms) => new Date(ms).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
const versionName = (version) => version || "(no version)";

// Names of pods differ in their ends: the middle is left out.
function shortened(text, length) {
  if (text.length <= length) return text;
  const end = Math.floor((length - 1) / 2);
  return `${text.slice(0, length - 1 - end)}…${text.slice(text.length - end)}`;
}

function setText(node, text) { // a status that says the same again would be read out again
  if (node.textContent !== text) node.textContent = text;
}

function numberCell(value, mood) {
  return element("td", format.format(value), mood ? `number ${mood}` : "number");
}
