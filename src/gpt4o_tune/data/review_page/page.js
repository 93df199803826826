"use strict";
(() => {
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

// The list of rows

const searched = [];
function searchText(index) {
  const { row, raw } = rows[index];
  return searched[index] ??= (raw ?? [...textsOfRow(row)].map(([, text]) => text).join("\n")).toLowerCase();
}

const FILTERS = {
  all: () => true,
  undecided: (row) => !entryOf(row.id).decision,
  keep: (row) => entryOf(row.id).decision === "keep",
  fix: (row) => entryOf(row.id).decision === "fix",
  uncorrected: (row) => entryOf(row.id).decision === "fix" && !isCorrected(row.id),
  drop: (row) => entryOf(row.id).decision === "drop",
  noted: (row) => entryOf(row.id).note !== "",
  problems: (row) => row.problems !== undefined,
  alike: (row) => row.alike !== undefined,
};

function fillFilter() {
  const named = { all: "all rows", undecided: "undecided", keep: "keep", fix: "fix", uncorrected: "fix, not corrected yet",
    drop: "drop", noted: "with a note", problems: "with problems", alike: "with duplicates" };
  for (const [value, text] of Object.entries(named)) $("filter").append(make("option", { value }, text));
  const codes = new Map();
  for (const row of rows)
    for (const code of new Set((row.problems ?? []).map((problem) => problem.code)))
      codes.set(code, (codes.get(code) ?? 0) + 1);
  if (!codes.size) return;
  const options = [...codes].sort().map(([code, number]) =>
    make("option", { value: "code:" + code }, `${code} (${number})`));
  $("filter").append(make("optgroup", { label: "Problem" }, ...options));
}

function refresh() {
  const chosen = $("filter").value, wanted = $("search").value.trim().toLowerCase();
  const passes = chosen.startsWith("code:")
    ? (row) => (row.problems ?? []).some((problem) => "code:" + problem.code === chosen)
    : FILTERS[chosen];
  view = [];
  rows.forEach((row, index) => {
    if (passes(row) && (!wanted || searchText(index).includes(wanted))) view.push(index);
  });
  $("shown").textContent = count(view.length, "row");
  $("space").style.height = view.length * ITEM_HEIGHT + "px";
  progress();
  draw();
  show();
}

function preview(index) {
  const { row, raw } = rows[index];
  if (raw !== undefined) return raw.slice(0, 120);
  const messages = row.messages ?? row.input?.messages ?? [];
  const asked = Array.isArray(messages) ? messages.findLast((message) => message?.role === "user") : null;
  const [first] = textsOfMessage(asked, []);
  return (first?.[1] ?? "").slice(0, 120) || "no text of a user";
}

function draw() {
  const list = $("list");
  const first = Math.max(0, Math.floor(list.scrollTop / ITEM_HEIGHT) - 5);
  const last = Math.min(view.length, Math.ceil((list.scrollTop + list.clientHeight) / ITEM_HEIGHT) + 5);
  const items = [];
  for (let place = first; place < last; place += 1) {
    const index = view[place], row = rows[index], entry = entryOf(row.id);
    const errors = (row.problems ?? []).filter((problem) => problem.severity === "error").length;
    const warnings = (row.problems ?? []).length - errors;
    const item = make("div", { class: "item", id: "item-" + index, role: "option",
      "aria-selected": String(index === selected), "aria-posinset": place + 1, "aria-setsize": view.length,
      on: { click: () => select(index) } },
      make("p", {}, `line ${row.line.toLocaleString("en")}`,
        entry.decision ? make("span", {}, DONE[entry.decision]) : null,
        errors ? make("span", { class: "error" }, count(errors, "error")) : null,
        warnings ? make("span", { class: "warning" }, count(warnings, "warning")) : null,
        row.alike ? make("span", {}, "duplicates") : null),
      make("p", {}, preview(index)));
    item.style.top = place * ITEM_HEIGHT + "px";
    item.dataset.choice = entry.decision ?? "";
    items.push(item);
  }
  $("space").replaceChildren(...items);
  if ($("item-" + selected)) list.setAttribute("aria-activedescendant", "item-" + selected);
  else list.removeAttribute("aria-activedescendant");
}

function reveal() {
  const list = $("list"), place = view.indexOf(selected);
  if (place < 0) return;
  const top = place * ITEM_HEIGHT;
  if (top < list.scrollTop) list.scrollTop = top;
  else if (top + ITEM_HEIGHT > list.scrollTop + list.clientHeight)
    list.scrollTop = top + ITEM_HEIGHT - list.clientHeight;
}

function progress() {
  const made = { keep: 0, fix: 0, drop: 0 };
  for (const { decision } of entries.values()) if (decision) made[decision] += 1;
  const total = made.keep + made.fix + made.drop;
  $("counts").textContent = `${total.toLocaleString("en")} of ${count(rows.length, "row")} decided: `
    + `${made.keep} kept, ${made.fix} to fix, ${made.drop} dropped`;
  CHOICES.forEach((choice, place) => {
    $("bar").children[place].style.width = (100 * made[choice]) / Math.max(1, rows.length) + "%";
  });
  $("bar").setAttribute("aria-valuemax", rows.length);
  $("bar").setAttribute("aria-valuenow", total);
}

// One row

function problemBox(problem, path = "") {
  const where = problem.path && problem.path !== path ? problem.path + ": " : "";
  return make("p", { class: "problem " + problem.severity },
    make("b", {}, `${problem.severity} ${problem.code} `),
    make("span", {}, `${where}${problem.message} ${problem.fix}`));
}

function isUnder(path, place) {
  return path === place || path.startsWith(place + ".") || path.startsWith(place + "[");
}

// Indent JSON by its text, so that numbers stay as they were written.
function pretty(text) {
  try { if (typeof JSON.parse(text) !== "object") return null; } catch { return null; }
  const tokens = text.match(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]|[^\s{}[\],:"]+/g);
  let out = "", depth = 0;
  const line = () => "\n" + "  ".repeat(depth);
  tokens.forEach((token, place) => {
    const isEmpty = "{[".includes(tokens[place - 1]) && "}]".includes(token);
    if ("{[".includes(token)) { depth += 1; out += token + ("}]".includes(tokens[place + 1]) ? "" : line()); }
    else if ("}]".includes(token)) { depth -= 1; out += (isEmpty ? "" : line()) + token; }
    else out += token === "," ? "," + line() : token === ":" ? ": " : token;
  });
  return out;
}

function validity(text, wantsObject) {
  try { JSON.parse(text); } catch (error) { return `not valid JSON: ${error.message}`; }
  return !wantsObject || asObject(text) ? "valid JSON" : "valid JSON, but not an object";
}

function textBox(id, path, text, { isCode = false } = {}) {
  const key = JSON.stringify(path), entry = entryOf(id);
  const now = entry.edits[key] ?? text;
  if (entry.decision !== "fix") {
    const code = isCode ? pretty(now) ?? now : null;
    if (isCode) {
      const wrong = pretty(now) === null ? make("p", { class: "problem error" }, validity(now, true)) : null;
      return make("div", {}, make("pre", {}, code), wrong);
    }
    return now ? make("div", { class: "text" }, now) : make("div", { class: "none" }, "empty text");
  }
  const state = make("span", { "aria-live": "polite" });
  const back = make("button", { type: "button" }, "Restore");
  const name = path.length ? shownPath(path) : "the line";
  const area = make("textarea", { value: now, rows: Math.min(14, now.split("\n").length + 1), spellcheck: !isCode,
    class: isCode ? "code" : "", "aria-label": `Text of ${name}` });
  const mark = () => {
    const isChanged = area.value !== text;
    back.hidden = !isChanged;
    state.textContent = [isChanged ? "changed" : "", isCode ? validity(area.value, true) : ""].filter(Boolean).join(", ");
  };
  const write = () => {
    const edits = { ...entryOf(id).edits };
    if (area.value === text) delete edits[key]; else edits[key] = area.value;
    put(id, { ...entryOf(id), edits, time: new Date().toISOString() });
    mark();
    hint(id);
  };
  area.addEventListener("focus", () => { area.before = entries.has(id) ? JSON.stringify(entries.get(id)) : null; });
  area.addEventListener("input", write);
  area.addEventListener("change", () => { undoable.push([id, area.before]); });
  back.addEventListener("click", () => {
    undoable.push([id, JSON.stringify(entryOf(id))]);
    area.value = text;
    write();
    area.focus();
  });
  mark();
  return make("div", { class: "edit" }, area, make("div", {}, state, back));
}

function hint(id) {
  const place = $("hint");
  if (!place) return;
  const entry = entryOf(id);
  place.hidden = entry.decision !== "fix";
  place.textContent = isCorrected(id)
    ? "Corrected. Esc leaves the text, j goes on."
    : "Edit the texts below. Until one is changed, the row counts as not corrected yet.";
}

function contentOf(id, message, path) {
  const { content } = message;
  if (typeof content === "string") {
    const isResult = message.role === "tool" || message.role === "function";
    const code = isResult && entryOf(id).decision !== "fix" ? pretty(content) : null;
    return [code ? make("pre", {}, code) : textBox(id, [...path, "content"], content)];
  }
  if (!Array.isArray(content)) return [];
  return content.map((part, place) => {
    if (typeof part?.text === "string") return textBox(id, [...path, "content", place, "text"], part.text);
    const url = part?.image_url?.url;
    if (typeof url === "string" && IMAGE.test(url))
      return make("img", { src: url, alt: `Image, part ${place + 1} of the message`, loading: "lazy" });
    if (typeof url === "string" && /^https:\/\//i.test(url))
      return make("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, `Image: ${url}`);
    return make("pre", {}, JSON.stringify(part, null, 2));
  });
}

function callsOf(id, message, path) {
  const calls = Array.isArray(message.tool_calls)
    ? message.tool_calls.map((call, place) => [call?.function, [...path, "tool_calls", place, "function"], call?.id])
    : [];
  if (message.function_call) calls.push([message.function_call, [...path, "function_call"], ""]);
  return calls.map(([called, place, callId]) => make("div", { class: "call" },
    make("p", {}, "calls ", make("b", {}, String(called?.name)), make("small", { class: "hint" }, callId ? ` ${callId}` : "")),
    typeof called?.arguments === "string"
      ? textBox(id, [...place, "arguments"], called.arguments, { isCode: true })
      : make("pre", {}, JSON.stringify(called, null, 2) ?? "nothing")));
}

function messageBox(id, message, path, problems) {
  const here = problems.filter((problem) => isUnder(problem.path, shownPath(path)));
  if (message === null || typeof message !== "object")
    return make("div", { class: "message" }, make("div", { class: "body" },
      make("pre", {}, JSON.stringify(message)), ...here.map((problem) => problemBox(problem, shownPath(path)))));
  const role = typeof message.role === "string" ? message.role : "no role";
  const isInstruction = role === "system" || role === "developer";
  const extra = [message.name, message.tool_call_id && `answers ${message.tool_call_id}`,
    message.weight === 0 && "weight 0, not trained"].filter(Boolean).map(String);
  const title = [role, ...extra.map((text) => make("small", {}, text))];
  const parts = [...contentOf(id, message, path), ...callsOf(id, message, path)];
  if (typeof message.refusal === "string") parts.push(make("div", { class: "text" }, `Refusal: ${message.refusal}`));
  const body = make("div", { class: "body" },
    ...(parts.length ? parts : [make("div", { class: "none" }, "no content")]),
    ...here.map((problem) => problemBox(problem, shownPath(path))));
  if (!isInstruction)
    return make("div", { class: "message " + (role === "user" || role === "assistant" ? role : "") },
      make("header", {}, ...title), body);
  const start = typeof message.content === "string" ? message.content.slice(0, 80) : "";
  return make("details", { class: "message", open: entryOf(id).decision === "fix" || here.length > 0 },
    make("summary", {}, ...title, make("small", {}, start)), body);
}

function rowBody(row) {
  const { id, raw } = row;
  const problems = row.problems ?? [];
  const parts = [make("p", { class: "hint", id: "hint", hidden: true })];
  if (row.alike)
    parts.push(make("p", { class: "hint" }, `Like line ${row.alike.slice(0, 8).map((line) => line.toLocaleString("en")).join(", ")}`
      + (row.alike.length > 8 ? ` and ${row.alike.length - 8} more` : "")));
  if (raw !== undefined) {
    parts.push(...problems.map((problem) => problemBox(problem)));
    return [...parts, make("p", { class: "hint" }, "This line is no row that can be read. To fix it, correct its JSON."),
      entryOf(id).decision === "fix" ? textBox(id, [], raw, { isCode: true }) : make("pre", {}, raw)];
  }
  const content = entryOf(id).row ?? row.row;
  const lists = [...messageLists(content)];
  const places = lists.flatMap(([path, messages]) => messages.map((_, place) => shownPath([...path, place])));
  parts.push(...problems.filter(({ path }) => !places.some((place) => isUnder(path, place))).map((problem) => problemBox(problem)));
  const boxes = ([path, messages]) => messages.map((message, place) => messageBox(id, message, [...path, place], problems));
  const outputs = lists.filter(([path]) => path[0].endsWith("_output"));
  for (const list of lists) if (!outputs.includes(list)) parts.push(...boxes(list));
  if (outputs.length)
    parts.push(make("div", { class: "pair" }, ...outputs.map((list) => make("section", {},
      make("h3", {}, list[0][0] === "preferred_output" ? "Preferred" : "Not preferred"), ...boxes(list)))));
  const source = content.input && typeof content.input === "object" ? content.input : content;
  for (const name of ["tools", "functions"])
    if (Array.isArray(source[name]))
      parts.push(make("details", { class: "more" }, make("summary", {}, `${count(source[name].length, name.slice(0, -1))} declared`),
        ...source[name].map((tool) => make("div", { class: "body" }, make("pre", {}, JSON.stringify(tool, null, 2))))));
  const fields = Object.entries(content).filter(([key]) => !KNOWN.has(key));
  if (fields.length)
    parts.push(make("section", { class: "message" },
      make("header", {}, about.format === "reinforcement" ? "For the grader" : "Other fields"),
      make("dl", { class: "fields" }, ...fields.flatMap(([key, value]) => [make("dt", {}, key),
        make("dd", {}, typeof value === "string" ? textBox(id, [key], value) : make("pre", {}, JSON.stringify(value, null, 2)))]))));
  return parts;
}

function show() {
  const row = rows[selected];
  if (!row) { $("place").textContent = "No rows"; return; }
  const entry = entryOf(row.id), place = view.indexOf(selected);
  $("place").textContent = `Line ${row.line.toLocaleString("en")}`
    + (view.length ? place < 0 ? ", not among the rows shown" : `, ${place + 1} of ${view.length}` : ", nothing left to show");
  $("row").replaceChildren(...rowBody(row));
  hint(row.id);
  $("note").value = entry.note;
  for (const button of document.querySelectorAll("[data-choice][type=button]"))
    button.setAttribute("aria-pressed", String(button.dataset.choice === entry.decision));
}

function select(index, { isQuiet = false } = {}) {
  if (index === undefined || !rows[index]) return;
  selected = index;
  show();
  reveal();
  draw();
  $("main").scrollTop = 0;
  if (!isQuiet) say(`${$("place").textContent}. ${DONE[entryOf(rows[index].id).decision] ?? "undecided"}.`);
}

function neighbour(step) {
  const place = view.indexOf(selected);
  if (place >= 0) return view[place + step];
  return step > 0 ? view.find((index) => index > selected) : view.findLast((index) => index < selected);
}

function choose(choice) {
  const row = rows[selected];
  if (!row) return;
  const following = neighbour(1) ?? neighbour(-1);
  const isSame = entryOf(row.id).decision === choice;
  change(row.id, { decision: choice });
  refresh();
  if (choice === "fix") {
    const area = $("row").querySelector(".assistant textarea") ?? $("row").querySelector("textarea");
    area?.focus();
    say(`Line ${row.line}: edit the texts, Esc when done.`);
  } else {
    $("main").focus({ preventScroll: true });
    if (!isSame || following !== undefined) select(following ?? selected, { isQuiet: true });
    say(`Line ${row.line} ${DONE[choice]}. ${$("place").textContent}.`);
  }
}

function undo() {
  const last = undoable.pop();
  if (!last) { say("Nothing to undo."); return; }
  const [id, before] = last;
  put(id, before === null ? { decision: null, note: "", edits: {}, time: null } : JSON.parse(before));
  selected = rowOf.get(id);
  refresh();
  reveal();
  draw();
  say(`Undone on line ${rows[selected].line}.`);
}

// Keys and buttons

const KEYS = {
  k: () => choose("keep"), f: () => choose("fix"), d: () => choose("drop"), u: undo,
  j: () => select(neighbour(1)), ArrowDown: () => select(neighbour(1)), ArrowRight: () => select(neighbour(1)),
  h: () => select(neighbour(-1)), ArrowUp: () => select(neighbour(-1)), ArrowLeft: () => select(neighbour(-1)),
  Home: () => select(view[0]), End: () => select(view.at(-1)),
  i: () => {
    const isOpen = (index) => FILTERS.undecided(rows[index]);
    const open = view.find((index) => index > selected && isOpen(index)) ?? view.find(isOpen);
    if (open === undefined) say("Every row shown is decided."); else select(open);
  },
  n: () => $("note").focus(), "/": () => $("search").focus(), s: download, "?": () => $("keys").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || $("keys").open) return;
  const { target } = event;
  if (target.matches("input, textarea, select")) {
    const isDone = event.key === "Enter" && (target.id === "note" || target.id === "search");
    if (event.key === "Escape" || isDone) {
      // Else Escape would empty the search.
      event.preventDefault();
      target.blur();
      $("main").focus({ preventScroll: true });
    }
    return;
  }
  const act = Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : undefined;
  if (!act) return;
  event.preventDefault();
  act();
});

for (const button of document.querySelectorAll("[data-choice][type=button]"))
  button.addEventListener("click", () => choose(button.dataset.choice));
$("undo").addEventListener("click", undo);
$("next").addEventListener("click", KEYS.j);
$("previous").addEventListener("click", KEYS.h);
$("help").addEventListener("click", KEYS["?"]);
$("export").addEventListener("click", download);
$("load").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", async () => {
  const [file] = $("file").files;
  if (file) load(await file.text());
  $("file").value = "";
});
$("reviewer").addEventListener("input", () => keepInBrowser("reviewer", $("reviewer").value));
$("note").addEventListener("change", () => {
  const row = rows[selected];
  if (row && entryOf(row.id).note !== $("note").value) { change(row.id, { note: $("note").value }); draw(); }
});
$("filter").addEventListener("change", () => {
  refresh();
  if (view.length && !view.includes(selected)) select(view[0], { isQuiet: true });
  say($("shown").textContent + " shown.");
});
let typing;
$("search").addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(refresh, 150); });
$("search").addEventListener("change", () => {
  refresh();
  if (view.length && !view.includes(selected)) select(view[0], { isQuiet: true });
});
$("list").addEventListener("scroll", () => requestAnimationFrame(draw));
addEventListener("resize", draw);

restore();
if (whole.length) {
  $("whole").hidden = false;
  $("whole").firstElementChild.textContent = `${count(whole.length, "problem")} of the whole file`;
  $("whole").append(...whole.map((problem) => problemBox(problem)));
}
fillFilter();
const firstOpen = rows.findIndex((row) => !entryOf(row.id).decision);
selected = Math.max(0, firstOpen);
refresh();
reveal();
draw();
if (entries.size) say(`Went on with ${count(entries.size, "saved decision")}.`);
})();
