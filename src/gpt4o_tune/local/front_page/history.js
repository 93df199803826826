// The events of one job, read once and then only what is new; the API lists them newest first.

const MOST_PAGES = 50;

class History {
  constructor(jobId) {
    this.jobId = jobId;
    this.events = [];
    this.seen = new Set();
    this.byStep = new Map();
    this.isCut = false;
    this.isComplete = false;
  }

  // Read back until an event is known. Nothing is kept of a reading that breaks off, so no gap stays.
  async catchUp() {
    const fresh = [];
    const isFirst = !this.events.length;
    let after = "";
    let isJoined = false;
    for (let page = 0; page < MOST_PAGES && !isJoined; page++) {
      const limit = isFirst || page ? 1000 : 100;
      const list = await read(`/fine_tuning/jobs/${encodeURIComponent(this.jobId)}/events?limit=${limit}${after}`);
      for (const event of list.data) {
        isJoined ||= this.seen.has(event.id);
        if (!isJoined) fresh.push(event);
      }
      isJoined ||= !list.has_more;
      after = `&after=${encodeURIComponent(list.last_id)}`;
    }
    this.isCut ||= !isJoined;
    for (const event of fresh.reverse()) this.add(event);
  }

  add(event) {
    this.events.push(event);
    this.seen.add(event.id);
    if (event.type === "metrics" && event.data) this.byStep.set(event.data.step, event.data);
  }

  get steps() {
    return [...this.byStep.values()].sort((a, b) => a.step - b.step);
  }

  get startedAt() {
    return this.events.find((event) => event.message === "Fine-tuning job started")?.created_at;
  }

  series(what) {
    const steps = this.steps;
    const points = (name) => steps.filter((step) => step[name] != null).map((step) => [step.step, step[name]]);
    return { train: points(`train_${what}`), valid: points(`valid_${what}`), full: points(`full_valid_${what}`) };
  }
}
