// What is decided, saved and exported. The scripts are joined into one module.

const { about, whole, rows } = JSON.parse(document.getElementById("data").textContent);
const STORE = `gpt4o-tune/review/${about.fingerprint}/`;
const ITEM_HEIGHT = 52;
const CHOICES = ["keep", "fix", "drop"];
const DONE = { keep: "kept", fix: "to fix", drop: "dropped" };
const KNOWN = new Set(["messages", "tools", "functions", "parallel_tool_calls", "input",
  "preferred_output", "non_preferred_output"]);
const IMAGE = /^data:image\/(png|jpe?g|gif|webp);base64,/i;

const $ = (id) => document.getElementById(id);
const rowOf = new Map(rows.map((row, index) => [row.id, index]));
const entries = new Map();  // row id -> {decision, note, edits, row, time}; edits: path as JSON -> text
const elsewhere = new Map();  // decisions of a loaded file on rows that this page does not show
const undoable = [];
let view = [];
let selected = 0;
let stores = true;

function make(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name === "class") element.className = value;
    else if (name === "on") for (const [event, act] of Object.entries(value)) element.addEventListener(event, act);
    else if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

function say(text) { $("status").textContent = text; }
function count(number, noun) { return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`; }

// What was decided

function entryOf(id) { return entries.get(id) ?? { decision: null, note: "", edits: {}, time: null }; }

function keepInBrowser(key, value) {
  try {
    if (value === null) localStorage.removeItem(STORE + key);
    else localStorage.setItem(STORE + key, value);
  } catch {
    if (stores) say("This browser does not save your decisions. Export them before you leave.");
    stores = false;
  }
}

function put(id, entry) {
  const isEmpty = !entry.decision && !entry.note && !Object.keys(entry.edits).length;
  if (isEmpty) entries.delete(id);
  else entries.set(id, entry);
  keepInBrowser("row/" + id, isEmpty ? null : JSON.stringify(entry));
}

function change(id, changes) {
  undoable.push([id, entries.has(id) ? JSON.stringify(entries.get(id)) : null]);
  put(id, { ...entryOf(id), ...changes, time: new Date().toISOString() });
}

function restore() {
  try {
    for (const key of Object.keys(localStorage)) {
      if (!key.startsWith(STORE)) continue;
      const [kind, id] = key.slice(STORE.length).split("/");
      if (kind === "row" && rowOf.has(id)) entries.set(id, JSON.parse(localStorage.getItem(key)));
      if (kind === "other") elsewhere.set(id, JSON.parse(localStorage.getItem(key)));
    }
    $("reviewer").value = localStorage.getItem(STORE + "reviewer") ?? about.reviewer;
  } catch {
    stores = false;
    $("reviewer").value = about.reviewer;
  }
}

// The texts of a row that can be edited, each with its path

function* messageLists(row) {
  if (Array.isArray(row.messages)) yield [["messages"], row.messages];
  if (Array.isArray(row.input?.messages)) yield [["input", "messages"], row.input.messages];
  for (const side of ["preferred_output", "non_preferred_output"])
    if (Array.isArray(row[side])) yield [[side], row[side]];
}

function* textsOfMessage(message, path) {
  if (typeof message?.content === "string") yield [[...path, "content"], message.content];
  if (Array.isArray(message?.content))
    for (const [place, part] of message.content.entries())
      if (typeof part?.text === "string") yield [[...path, "content", place, "text"], part.text];
  if (Array.isArray(message?.tool_calls))
    for (const [place, call] of message.tool_calls.entries())
      if (typeof call?.function?.arguments === "string")
        yield [[...path, "tool_calls", place, "function", "arguments"], call.function.arguments];
  if (typeof message?.function_call?.arguments === "string")
    yield [[...path, "function_call", "arguments"], message.function_call.arguments];
}

function* textsOfRow(row) {
  for (const [path, messages] of messageLists(row))
    for (const [place, message] of messages.entries()) yield* textsOfMessage(message, [...path, place]);
  for (const [key, value] of Object.entries(row))
    if (!KNOWN.has(key) && typeof value === "string") yield [[key], value];
}

function shownPath(path) {
  return path.map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`)).join("").slice(1);
}

function editedRow(id) {
  const { row, raw } = rows[rowOf.get(id)];
  const entry = entryOf(id);
  const base = entry.row ?? row;
  const edits = Object.entries(entry.edits);
  if (raw !== undefined) return edits.length ? asObject(entry.edits["[]"]) : entry.row ?? null;
  if (!edits.length) return entry.row ?? null;
  const copy = JSON.parse(JSON.stringify(base));
  for (const [key, text] of edits) {
    const path = JSON.parse(key);
    let place = copy;
    for (const step of path.slice(0, -1)) place = place[step];
    place[path.at(-1)] = text;
  }
  return copy;
}

function isCorrected(id) {
  const entry = entryOf(id), edits = Object.values(entry.edits);
  if (!edits.length) return entry.row !== undefined;
  return rows[rowOf.get(id)].raw === undefined || asObject(edits[0]) !== null;
}

function asObject(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === "object" && !Array.isArray(value) ? value : null;
  } catch { return null; }
}

function entryFrom(decision) {
  const { row, raw } = rows[rowOf.get(decision.id)];
  const entry = { decision: decision.decision, note: decision.note ?? "", edits: {}, time: decision.time ?? null };
  if (!decision.row) return entry;
  if (raw !== undefined) return { ...entry, edits: { "[]": JSON.stringify(decision.row) } };
  const now = new Map([...textsOfRow(decision.row)].map(([path, text]) => [JSON.stringify(path), text]));
  for (const [path, text] of textsOfRow(row)) {
    const key = JSON.stringify(path);
    if (now.has(key) && now.get(key) !== text) entry.edits[key] = now.get(key);
  }
  const before = entries.get(decision.id);
  entries.set(decision.id, entry);
  const isWhole = JSON.stringify(editedRow(decision.id) ?? row) === JSON.stringify(decision.row);
  if (before) entries.set(decision.id, before); else entries.delete(decision.id);
  // More than texts was changed, by another program: take the row as it is.
  return isWhole ? entry : { ...entry, edits: {}, row: decision.row };
}

// Files

function exported() {
  const decisions = [];
  for (const { id, line } of rows) {
    const { decision, note, time } = entryOf(id);
    if (!decision) continue;
    const item = { id, line, decision, note, time };
    const row = decision === "fix" ? editedRow(id) : null;
    if (row) item.row = row;
    decisions.push(item);
  }
  const { schema, version, fingerprint, source, format } = about;
  return {
    schema, version,
    dataset: { fingerprint, source, rows: about.rows, format },
    reviewer: $("reviewer").value.trim(),
    exported_at: new Date().toISOString(),
    decisions: [...decisions, ...elsewhere.values()],
  };
}

function download() {
  const file = exported();
  const stem = about.source.replace(/\.jsonl?$/, "");
  const who = file.reviewer.replace(/[^\p{L}\p{N}]+/gu, "-").replace(/^-|-$/g, "");
  const address = URL.createObjectURL(new Blob([JSON.stringify(file, null, 1)], { type: "application/json" }));
  make("a", { href: address, download: `${stem}.review${who ? "-" + who : ""}.json` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
  const notes = rows.filter(({ id }) => !entryOf(id).decision && entryOf(id).note).length;
  const left = notes ? ` ${count(notes, "note")} on undecided rows stay in this browser.` : "";
  say(`Exported ${count(file.decisions.length, "decision")}.${left}`);
}

function load(text) {
  const file = asObject(text);
  if (file?.schema !== about.schema || !Array.isArray(file.decisions) || file.version > about.version) {
    say("This file holds no decisions of this page. Choose a file that was exported from it.");
    return;
  }
  let taken = 0, others = 0, older = 0;
  for (const decision of file.decisions) {
    if (!CHOICES.includes(decision?.decision) || typeof decision.id !== "string") continue;
    const known = rowOf.has(decision.id) ? entries.get(decision.id) : elsewhere.get(decision.id);
    if (known?.decision && known.time && decision.time && known.time > decision.time) older += 1;
    else if (rowOf.has(decision.id)) { taken += 1; put(decision.id, entryFrom(decision)); }
    else {
      others += 1;
      elsewhere.set(decision.id, decision);
      keepInBrowser("other/" + decision.id, JSON.stringify(decision));
    }
  }
  undoable.length = 0;
  if (file.reviewer && !$("reviewer").value) $("reviewer").value = file.reviewer;
  refresh();
  say(`Loaded ${count(taken, "decision")}` + (older ? `; ${older} were older than yours` : "")
    + (others ? `; ${others} are on rows not shown here and stay in the export` : "") + ".");
}
