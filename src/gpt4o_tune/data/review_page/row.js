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
