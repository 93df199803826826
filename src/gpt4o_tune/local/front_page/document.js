// Small ways to fill the document. Whatever the server says goes in as text, never as markup.

const $ = (id) => document.getElementById(id);

function make(tag, settings = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(settings)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function draw(tag, settings = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(settings)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Build only the items that changed, and leave an unchanged list alone: a button that is replaced between
// press and release would lose its click, and its focus.
const drawn = new WeakMap();
function refill(list, items, build) {
  const before = drawn.get(list) ?? new Map();
  const now = new Map();
  for (const item of items) {
    const text = JSON.stringify(item);
    now.set(text, before.get(text) ?? build(item));
  }
  const [old, fresh] = [[...before.values()], [...now.values()]];
  if (old.length === fresh.length && old.every((node, at) => node === fresh[at])) return;
  drawn.set(list, now);
  const focused = document.activeElement?.dataset?.focus;
  list.replaceChildren(...fresh);
  if (focused && !document.activeElement?.dataset?.focus) {
    [...list.querySelectorAll("[data-focus]")].find((each) => each.dataset.focus === focused)?.focus();
  }
}

function button(label, focus, act, settings = {}) {
  const node = make("button", { type: "button", class: "small", ...settings, "data-focus": focus }, label);
  node.addEventListener("click", act);
  return node;
}

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const calendar = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

function when(seconds) {
  const date = new Date(seconds * 1000);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday ? clock.format(date) : `${calendar.format(date)}, ${clock.format(date)}`;
}

function timeAt(seconds) {
  const node = make("time", { datetime: new Date(seconds * 1000).toISOString() }, when(seconds));
  node.title = new Date(seconds * 1000).toString();
  return node;
}

function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}

const whole = (number) => number.toLocaleString("en");
const figure = (number) => (number === undefined || number === null ? "–" : Number(number.toPrecision(4)).toString());
const plural = (count, noun) => `${whole(count)} ${noun}${count === 1 ? "" : "s"}`;

function size(bytes) {
  if (bytes < 1000) return plural(bytes, "byte");
  const power = Math.min(3, Math.floor(Math.log10(bytes) / 3));
  return `${Number((bytes / 1000 ** power).toPrecision(3))} ${["", "kB", "MB", "GB"][power]}`;
}

function notify(text) {
  $("notice").hidden = !text;
  say($("notice").firstElementChild, text);
}

// The event of closing comes later than the closing; a next question may be open by then.
let decide = () => {};

function confirmed(title, text, yes) {
  say($("ask-title"), title);
  say($("ask-text"), text);
  say($("ask-yes"), yes);
  $("ask").showModal();
  $("ask-no").focus();
  return new Promise((resolve) => {
    decide = (isYes) => {
      $("ask").close();
      resolve(isYes);
    };
  });
}
$("ask-yes").addEventListener("click", () => decide(true));
$("ask-no").addEventListener("click", () => decide(false));
$("ask").addEventListener("cancel", () => decide(false));
$("notice").lastElementChild.addEventListener("click", () => notify(""));
