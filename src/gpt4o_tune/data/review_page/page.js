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

// Going and deciding

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
