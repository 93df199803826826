// The chat box: a conversation with one model, answered as it is generated.

class ChatView {
  constructor() {
    this.turns = [];
    this.stop = null;
    this.wanted = sessionStorage.getItem("gpt4o-tune-model") ?? "";
    $("chat-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    $("chat-text").addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.send();
    });
    $("chat-stop").addEventListener("click", () => this.stop?.abort());
    $("chat-clear").addEventListener("click", () => this.clear());
    $("chat-model").addEventListener("change", () => this.keep($("chat-model").value));
  }

  offer(models) {
    const ids = models.map((model) => model.id);
    const model = ids.includes(this.wanted) ? this.wanted : (ids[0] ?? "");
    const groups = [
      ["Fine-tuned", ids.filter((id) => id.startsWith("ft:"))],
      ["Stand-ins of base models", ids.filter((id) => !id.startsWith("ft:"))],
    ].filter(([, members]) => members.length);
    refill($("chat-model"), groups, ([name, members]) =>
      make("optgroup", { label: name }, ...members.map((id) => make("option", { value: id }, id))),
    );
    $("chat-model").value = model;
    $("chat-model").title = model;
  }

  keep(model) {
    this.wanted = model;
    sessionStorage.setItem("gpt4o-tune-model", model);
    $("chat-model").title = model;
  }

  // Turn to a model from elsewhere on the page.
  open(model) {
    const list = $("chat-model");
    if (![...list.options].some((option) => option.value === model)) return notify(`${model} was deleted.`);
    list.value = model;
    this.keep(model);
    $("chat").scrollIntoView({ block: "nearest" });
    $("chat-text").focus();
  }

  clear() {
    this.stop?.abort();
    this.turns = [];
    $("talk").replaceChildren($("talk-empty") ?? make("p", { class: "soft", id: "talk-empty" }, "What you write and what the model answers appear here."));
    say($("usage"), "");
    $("chat-text").focus();
  }

  async send() {
    const text = $("chat-text").value;
    if (this.stop || !text.trim()) return;
    const fault = ["temperature", "seed", "limit"].map((name) => $(`chat-${name}`)).find((field) => !field.checkValidity());
    if (fault) {
      fault.closest("details").open = true;
      fault.reportValidity();
      return;
    }
    const turns = this.turns;
    const model = $("chat-model").value;
    this.keep(model);
    const asked = { role: "user", content: text };
    const asking = this.bubble("user", "You", text);
    const bubble = this.bubble("assistant", model, "");
    $("chat-text").value = "";
    this.busy(new AbortController());
    try {
      const answer = await this.answer(this.body(model, [...turns, asked]), bubble);
      turns.push(asked, answer);
    } catch (error) {
      bubble.remove();
      this.fail(asking, error, text);
    } finally {
      this.busy(null);
    }
  }

  body(model, messages) {
    const system = $("chat-system").value.trim();
    const number = (name) => ($(`chat-${name}`).value === "" ? undefined : Number($(`chat-${name}`).value));
    return {
      model,
      messages: [...(system ? [{ role: "system", content: system }] : []), ...messages],
      temperature: number("temperature"),
      seed: number("seed"),
      max_completion_tokens: number("limit"),
      stream: true,
      stream_options: { include_usage: true },
    };
  }

  // Write the answer down as it comes; what had come when the person stopped it stays.
  async answer(body, bubble) {
    const { signal } = this.stop;
    const answer = { role: "assistant", content: "" };
    let reason = null;
    let usage = null;
    try {
      const response = await request("/chat/completions", { method: "POST", body, signal });
      for await (const piece of streamed(response)) {
        if (piece === "[DONE]") break;
        const { error, choices = [], usage: counted } = JSON.parse(piece);
        if (error) throw new Refused(error.message, 500);
        usage = counted ?? usage;
        const { delta = {}, finish_reason = null } = choices[0] ?? {};
        answer.content += delta.content ?? "";
        if (delta.tool_calls) answer.tool_calls = delta.tool_calls.map(({ index, ...call }) => call);
        reason = finish_reason ?? reason;
        this.write(bubble, answer);
      }
    } catch (error) {
      if (!signal.aborted) throw error instanceof Refused ? error : new Away("The server went away.");
      reason = "stopped";
    }
    if (!reason) throw new Away("The answer broke off.");
    if (!answer.content && !answer.tool_calls) say(bubble.lastElementChild, "(nothing)");
    this.report(reason, usage);
    return answer;
  }

  write(bubble, answer) {
    const isAtEnd = $("talk").scrollHeight - $("talk").scrollTop - $("talk").clientHeight < 40;
    const calls = (answer.tool_calls ?? []).map((call) => `${call.function.name}(${call.function.arguments})`);
    say(bubble.lastElementChild, [answer.content, ...calls].filter(Boolean).join("\n"));
    if (isAtEnd) $("talk").scrollTop = $("talk").scrollHeight;
  }

  report(reason, usage) {
    const ends = { length: "Cut off at the most tokens.", stopped: "Stopped." };
    const counts = usage && `Prompt ${whole(usage.prompt_tokens)}, answer ${whole(usage.completion_tokens)}, together ${plural(usage.total_tokens, "token")}.`;
    say($("usage"), [ends[reason], counts].filter(Boolean).join(" "));
  }

  fail(asking, error, text) {
    asking.append(make("p", { class: "fault" }, error.message));
    asking.dataset.failed = "true";
    if (!$("chat-text").value) $("chat-text").value = text;
    say($("usage"), "");
  }

  bubble(role, who, text) {
    $("talk-empty")?.remove();
    for (const failed of $("talk").querySelectorAll("[data-failed]")) failed.remove();
    const turn = make("div", { class: "turn", "data-role": role }, make("p", { class: "who" }, who), make("p", { class: "what" }, text));
    $("talk").append(turn);
    $("talk").scrollTop = $("talk").scrollHeight;
    return turn;
  }

  busy(stop) {
    this.stop = stop;
    $("talk").setAttribute("aria-busy", String(Boolean(stop)));
    $("chat-send").hidden = Boolean(stop);
    $("chat-stop").hidden = !stop;
    if (stop) say($("usage"), "Answering …");
  }
}
