// What the page knows, and when it asks again.

const LIVE_MS = 1_000;
const QUIET_MS = 5_000;
const HIDDEN_MS = 30_000;
const MOST_AWAY_MS = 15_000;
const LISTS_MS = 10_000;
const JOBS_A_PAGE = 50;
const FILES_SHOWN = 200;

const known = { jobs: null, hasMoreJobs: false, models: [], files: [], hasMoreFiles: false, checkpoints: new Map(), histories: new Map() };
const CHOSEN = "gpt4o-tune-job";
let chosen = sessionStorage.getItem(CHOSEN);
let pages = 1;
let listsAt = -Infinity;
let failures = 0;
let timer = 0;
let looking = null;

const chat = new ChatView();
const view = new JobView({ onAct: act, onChat: (model) => chat.open(model) });

function showRoom() {
  $("door").hidden = true;
  $("room").hidden = false;
  $("lock").hidden = false;
  look();
}

function showDoor(message = "") {
  clearTimeout(timer);
  forgetKey();
  chat.stop?.abort();
  for (const [id, isHidden] of [["door", false], ["room", true], ["lock", true], ["key-fault", !message]]) $(id).hidden = isHidden;
  say($("key-fault"), message);
  say($("connection"), "");
  $("key").value = "";
  $("key").focus();
}

// One look at a time; who asks during one gets another right after it.
function look() {
  clearTimeout(timer);
  looking = (looking ?? Promise.resolve()).then(lookOnce);
  return looking;
}

async function lookOnce() {
  if (!service.key) return;
  try {
    await gather();
    if (!service.key) return;
    failures = 0;
    say($("connection"), "Connected");
    $("connection").className = "here";
  } catch (error) {
    if (!service.key) return;
    failures += 1;
    listsAt = -Infinity;
    const wait = Math.min(MOST_AWAY_MS, LIVE_MS * 2 ** (failures - 1));
    const isAway = error instanceof Away;
    say($("connection"), isAway ? `The server is away; trying again in ${span(Math.max(1, wait / 1000))}` : error.message);
    $("connection").className = "away";
  }
  show();
  clearTimeout(timer);
  timer = setTimeout(look, pause());
}

function pause() {
  if (failures) return Math.min(MOST_AWAY_MS, LIVE_MS * 2 ** (failures - 1));
  if (document.hidden) return HIDDEN_MS;
  return known.jobs.some((job) => !FINAL.includes(job.status) && job.status !== "paused") ? LIVE_MS : QUIET_MS;
}

async function gather() {
  const before = new Map(known.jobs?.map((job) => [job.id, job.status]));
  await gatherJobs();
  const news = known.jobs.filter((job) => before.has(job.id) && before.get(job.id) !== job.status);
  if (news.length) say($("news"), news.map((job) => `${jobName(job)} is now ${job.status}.`).join(" "));
  if (!known.jobs.some((job) => job.id === chosen)) choose(known.jobs[0]?.id ?? null);
  if (chosen) await gatherJob(known.jobs.find((job) => job.id === chosen));
  const isNew = known.jobs.some((job) => !before.has(job.id));
  if (isNew || news.length || performance.now() - listsAt > LISTS_MS) await gatherLists();
}

async function gatherJobs() {
  const jobs = [];
  let list;
  for (let page = 0; page < pages && (list?.has_more ?? true); page++) {
    const after = list ? `&after=${encodeURIComponent(list.last_id)}` : "";
    list = await read(`/fine_tuning/jobs?limit=${JOBS_A_PAGE}${after}`);
    jobs.push(...list.data);
  }
  known.jobs = jobs;
  known.hasMoreJobs = list.has_more;
}

async function gatherJob(job) {
  const history = historyOf(job.id);
  if (history.isComplete) return;
  await history.catchUp();
  if (job.status === "succeeded") {
    const list = await read(`/fine_tuning/jobs/${encodeURIComponent(job.id)}/checkpoints?limit=100`);
    known.checkpoints.set(job.id, list.data);
  }
  // The job was read before its events, so an ended one has no further event to come.
  history.isComplete = FINAL.includes(job.status);
}

async function gatherLists() {
  const [models, files] = [await read("/models"), await read(`/files?limit=${FILES_SHOWN}`)];
  const tuned = models.data.filter(isTuned).sort(newestFirst);
  known.models = [...tuned, ...models.data.filter((model) => !isTuned(model))];
  Object.assign(known, { files: files.data, hasMoreFiles: files.has_more });
  listsAt = performance.now();
}

// A job's own model stands before its checkpoints, and the last checkpoint before the others.
function newestFirst(a, b) {
  const [aModel, aStep = Infinity] = a.id.split(":ckpt-step-");
  const [bModel, bStep = Infinity] = b.id.split(":ckpt-step-");
  if (aModel !== bModel) return b.created - a.created || aModel.localeCompare(bModel);
  return bStep - aStep;
}

const isTuned = (model) => model.id.startsWith("ft:");

function historyOf(jobId) {
  if (!known.histories.has(jobId)) known.histories.set(jobId, new History(jobId));
  return known.histories.get(jobId);
}

function choose(jobId) {
  chosen = jobId;
  if (jobId) sessionStorage.setItem(CHOSEN, jobId);
}

async function act(job, name) {
  try {
    await request(`/fine_tuning/jobs/${encodeURIComponent(job.id)}/${name}`, { method: "POST" });
    notify("");
  } catch (error) {
    notify(error.message);
  }
  look();
}

async function deleteModel(id) {
  const text = "It can no longer be used. Its weights are removed once no checkpoint answers from them.";
  if (!(await confirmed(`Delete ${id}?`, text, "Delete the model"))) return;
  try {
    await request(`/models/${encodeURIComponent(id)}`, { method: "DELETE" });
    notify("");
  } catch (error) {
    notify(error.message);
  }
  listsAt = -Infinity;
  look();
}

function show() {
  say($("engine"), engineNote(service.engine));
  if (!known.jobs) return;
  showJobs();
  const job = known.jobs.find((each) => each.id === chosen);
  view.show(job, job && historyOf(job.id), known.checkpoints.get(chosen) ?? [], fileName);
  showModels();
  showFiles();
  const running = known.jobs.filter((each) => each.status === "running").length;
  document.title = running ? `${plural(running, "job")} running · Local fine-tuning` : "Local fine-tuning";
}

function engineNote(engine) {
  if (!engine) return "";
  if (engine === "scripted") return "Scripted jobs for tests: nothing is trained here.";
  return `A stand-in: a small “${engine}” model trains and answers here, not GPT-4o. Its losses and answers are its own.`;
}

function fileName(id) {
  const file = known.files.find((each) => each.id === id);
  return file?.filename ? `${file.filename} (${id})` : id;
}

function showJobs() {
  const count = `${whole(known.jobs.length)}${known.hasMoreJobs ? "+" : ""}`;
  say(document.querySelector("#jobs-title .count"), known.jobs.length ? count : "");
  $("no-jobs").hidden = known.jobs.length > 0;
  $("more-jobs").hidden = !known.hasMoreJobs;
  const rows = known.jobs.map((job) => ({
    id: job.id,
    name: jobName(job),
    status: job.status,
    about: `${job.model} · ${methodOf(job)}`,
    when: `${when(job.created_at)}${job.finished_at ? ` to ${when(job.finished_at)}` : ""}${job.trained_tokens == null ? "" : ` · ${plural(job.trained_tokens, "token")}`}`,
    isChosen: job.id === chosen,
  }));
  refill($("job-list"), rows, (row) => {
    const node = button("", `job ${row.id}`, () => pick(row.id), { class: "item", "aria-current": row.isChosen });
    node.append(
      make("span", { class: "name" }, row.name),
      make("span", { class: "pill", "data-status": row.status }, row.status),
      make("span", { class: "about" }, row.about),
      make("span", { class: "when" }, row.when),
    );
    node.append(make("progress", { max: 1, "aria-label": "Progress" }));
    return make("li", {}, node);
  });
  known.jobs.forEach((job, at) => {
    const bar = $("job-list").children[at].querySelector("progress");
    const share = FINAL.includes(job.status) ? null : progressOf(job.id);
    bar.hidden = share === null;
    bar.value = share ?? 0;
  });
}

function progressOf(jobId) {
  const last = known.histories.get(jobId)?.steps.at(-1);
  return last?.total_steps ? last.step / last.total_steps : null;
}

function pick(jobId) {
  choose(jobId);
  show();
  if (matchMedia("(max-width: 46rem)").matches) $("job").scrollIntoView();
  look();
}

function showModels() {
  chat.offer(known.models);
  const tuned = known.models.filter(isTuned);
  const bases = known.models.filter((model) => !isTuned(model));
  say(document.querySelector("#models-title .count"), tuned.length ? whole(tuned.length) : "");
  say($("base-count"), whole(bases.length));
  $("no-tuned").hidden = tuned.length > 0;
  const chatWith = (id) => button("Chat", `model ${id}`, () => chat.open(id), { "aria-label": `Chat with ${id}` });
  refill($("tuned"), tuned.map(({ id, created }) => ({ id, created })), ({ id, created }) =>
    make(
      "li", {},
      make("span", { class: "id" }, id),
      make("span", { class: "soft" }, timeAt(created)),
      chatWith(id),
      button("Delete", `delete ${id}`, () => deleteModel(id), { class: "small grave", "aria-label": `Delete ${id}` }),
    ),
  );
  refill($("bases"), bases.map(({ id }) => id), (id) => make("li", {}, make("span", { class: "id" }, id), chatWith(id)));
}

function showFiles() {
  say(document.querySelector("#files-title .count"), known.files.length ? `${whole(known.files.length)}${known.hasMoreFiles ? "+" : ""}` : "");
  $("no-files").hidden = known.files.length > 0;
  $("files-cut").hidden = !known.hasMoreFiles;
  say($("files-cut"), `The newest ${whole(FILES_SHOWN)} are shown.`);
  refill($("file-list"), known.files, (file) =>
    make(
      "li", {},
      make("p", { class: "id" }, file.filename || file.id),
      make("p", { class: "soft" }, `${file.purpose} · ${size(file.bytes)} · `, timeAt(file.created_at), ` · ${file.id}`),
    ),
  );
}

service.onLocked = showDoor;
// A page loaded anew holds nothing of what the key had opened.
$("lock").addEventListener("click", () => {
  forgetKey();
  location.reload();
});
$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  keepKey($("key").value);
  showRoom();
});
$("more-jobs").addEventListener("click", () => {
  pages += 1;
  look();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && service.key) look();
});
addEventListener("hashchange", () => {
  if (keyFromAddress()) showRoom();
});
keyFromAddress();
if (service.key) showRoom();
else showDoor();
