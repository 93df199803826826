// One job: what it is, how it goes, and what can be done with it.

const FINAL = ["succeeded", "failed", "cancelled"];
const ACTS = {
  pause: {
    offered: (job) => job.status === "running",
    text: "It stops at its next saved state and can be resumed from there.",
  },
  resume: {
    offered: (job) => ["paused", "pausing"].includes(job.status),
    text: "It goes on with the next step.",
  },
  cancel: {
    offered: (job) => !FINAL.includes(job.status),
    text: "What it has learnt so far is lost, and it cannot be taken up again.",
  },
};
const SHOWN_EVENTS = 300;

const jobName = (job) => job.user_provided_suffix || job.id;
const methodOf = (job) => job.method?.type ?? "supervised";

class JobView {
  constructor({ onAct, onChat }) {
    this.loss = new Chart($("loss"));
    this.accuracy = new Chart($("accuracy"));
    this.onAct = onAct;
    this.onChat = onChat;
    this.job = null;
    for (const name of Object.keys(ACTS)) {
      document.querySelector(`[data-act=${name}]`).addEventListener("click", () => this.act(name));
    }
    $("job-chat").addEventListener("click", () => onChat(this.job.fine_tuned_model));
    $("log").addEventListener("change", () => this.showCurves());
    $("with-steps").addEventListener("change", () => this.showEvents());
    $("legend").replaceChildren(
      ...KINDS.map(([kind, name]) =>
        make("li", {}, draw("svg", { "aria-hidden": "true" }, draw("line", { class: `line ${kind}`, x1: 0, x2: 24, y1: 5, y2: 5 })), name),
      ),
    );
  }

  async act(name) {
    const job = this.job;
    const verb = name[0].toUpperCase() + name.slice(1);
    if (!(await confirmed(`${verb} ${jobName(job)}?`, ACTS[name].text, `${verb} the job`))) return;
    this.onAct(job, name);
  }

  show(job, history, checkpoints, fileName) {
    $("no-job").hidden = Boolean(job);
    $("one-job").hidden = !job;
    if (!job) return;
    Object.assign(this, { job, history });
    say($("job-title"), jobName(job));
    say($("job-status"), job.status);
    $("job-status").dataset.status = job.status;
    say($("job-model"), job.fine_tuned_model ? `${job.model} → ${job.fine_tuned_model}` : job.model);
    for (const [name, act] of Object.entries(ACTS)) {
      const node = document.querySelector(`[data-act=${name}]`);
      if (!act.offered(job) && node === document.activeElement) $("job").focus();
      node.hidden = !act.offered(job);
    }
    $("job-chat").hidden = !job.fine_tuned_model;
    $("job-fault").hidden = !job.error?.message;
    say($("job-fault"), job.error?.message ? `${job.error.message}${job.error.code ? ` (${job.error.code})` : ""}` : "");
    this.showProgress();
    this.showCurves();
    this.showCheckpoints(checkpoints);
    this.showFacts(fileName);
    this.showEvents();
  }

  showProgress() {
    const last = this.history.steps.at(-1);
    const total = last?.total_steps;
    $("job-progress").hidden = !total;
    if (!total) return;
    const bar = document.querySelector("#job-progress progress");
    bar.value = last.step / total;
    bar.hidden = this.job.status === "succeeded";
    const left = this.job.estimated_finish ? this.job.estimated_finish - Date.now() / 1000 : 0;
    const isRunning = this.job.status === "running";
    say($("job-steps"), `Step ${whole(last.step)} of ${whole(total)}${isRunning && left > 0 ? `, about ${span(left)} left` : ""}`);
  }

  showCurves() {
    if (!this.history) return;
    const count = this.history.byStep.size;
    $("curves").hidden = !count;
    const isLog = $("log").checked;
    const now = `${this.job.id} ${count} ${this.history.events.length} ${isLog}`;
    if (now === this.curvesShown) return;
    this.curvesShown = now;
    this.loss.show(this.history.series("loss"), { isLog });
    this.accuracy.show(this.history.series("mean_token_accuracy"), { top: 1 });
  }

  showCheckpoints(checkpoints) {
    $("checkpoints").hidden = !checkpoints.length;
    $("no-checkpoints").hidden = checkpoints.length > 0;
    say($("no-checkpoints"), FINAL.includes(this.job.status) ? "None." : "They are listed once the job has succeeded.");
    refill($("checkpoints").tBodies[0], checkpoints, (point) => {
      const model = point.fine_tuned_model_checkpoint;
      const { train_loss, valid_loss, full_valid_loss, full_valid_mean_token_accuracy } = point.metrics;
      const numbers = [train_loss, valid_loss, full_valid_loss, full_valid_mean_token_accuracy].map(figure);
      return make(
        "tr", {},
        make("td", { class: "number" }, whole(point.step_number)),
        ...numbers.map((text, at) => make("td", { class: at === 1 ? "number roomy" : "number" }, text)),
        make("td", { class: "id roomy" }, model),
        make("td", {}, button("Chat", `chat ${model}`, () => this.onChat(model), { "aria-label": `Chat with the checkpoint of step ${point.step_number}` })),
      );
    });
  }

  showFacts(fileName) {
    const { job, history } = this;
    const method = methodOf(job);
    const { startedAt } = history;
    const settings = Object.entries(job.method?.[method]?.hyperparameters ?? job.hyperparameters ?? {});
    const facts = [
      ["Job", job.id],
      ["Method", method],
      ...settings.map(([name, value]) => [words(name), typeof value === "object" ? JSON.stringify(value) : String(value)]),
      ["Seed", String(job.seed)],
      ["Training file", fileName(job.training_file)],
      ["Validation file", job.validation_file && fileName(job.validation_file)],
      ["Results", job.result_files?.map(fileName).join(", ")],
      ["Trained tokens", job.trained_tokens == null ? null : whole(job.trained_tokens)],
      ["Created", when(job.created_at)],
      ["Started", startedAt && when(startedAt)],
      ["Finished", job.finished_at && when(job.finished_at) + (startedAt ? `, after ${span(job.finished_at - startedAt)}` : "")],
      ...Object.entries(job.metadata ?? {}).map(([name, value]) => [`Metadata: ${name}`, value]),
    ].filter(([, value]) => value);
    refill($("facts"), facts, ([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value)));
  }

  showEvents() {
    if (!this.history) return;
    const all = this.history.events.filter((event) => event.type !== "metrics" || $("with-steps").checked);
    const shown = all.slice(-SHOWN_EVENTS).reverse();
    refill($("events"), shown, (event) =>
      make("li", { "data-level": event.level }, timeAt(event.created_at), make("span", {}, event.message)),
    );
    const left = all.length - shown.length;
    $("events-cut").hidden = !left && !this.history.isCut;
    say($("events-cut"), this.history.isCut ? "The oldest events are not shown." : `${plural(left, "older event")} not shown.`);
  }
}

function words(name) {
  const text = name.replaceAll("_", " ").replace(/^n /, "");
  return text[0].toUpperCase() + text.slice(1);
}
