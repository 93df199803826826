// The key, and requests to the API with it.

const KEY = "gpt4o-tune-key";

class Away extends Error {}
class Refused extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

const service = { key: sessionStorage.getItem(KEY) ?? "", engine: "", onLocked: () => {} };

// Take the key from the address, where it would stay in the history, and out of it.
function keyFromAddress() {
  const given = /^#key=(.+)$/.exec(location.hash)?.[1];
  if (!given) return false;
  history.replaceState(null, "", location.pathname + location.search);
  try {
    keepKey(decodeURIComponent(given));
  } catch {
    keepKey(given);
  }
  return true;
}

function keepKey(key) {
  service.key = key.trim();
  sessionStorage.setItem(KEY, service.key);
}

function forgetKey() {
  service.key = "";
  sessionStorage.clear();
}

async function request(path, { method = "GET", body, signal = AbortSignal.timeout(15_000) } = {}) {
  const key = service.key;
  if (!key) throw new Refused("The key was forgotten.", 401);
  // A header holds Latin-1 alone; no server has a key with anything else in it.
  if (!/^[\x21-\xff]+$/.test(key)) return locked("A key has no such characters.");
  let response;
  try {
    response = await fetch(`v1${path}`, {
      method,
      signal,
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
      headers: { authorization: `Bearer ${key}`, ...(body && { "content-type": "application/json" }) },
      body: body && JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Away("The server is away.");
  }
  service.engine = response.headers.get("x-gpt4o-tune-stand-in") ?? service.engine;
  if (response.ok) return response;
  const answer = await response.json().catch(() => null);
  const message = answer?.error?.message ?? `The server answered with status ${response.status}.`;
  if (response.status === 401 && key === service.key) return locked("The server does not know this key.");
  throw new Refused(message, response.status);
}

function locked(message) {
  service.onLocked(message);
  throw new Refused(message, 401);
}

async function read(path, options) {
  const response = await request(path, options);
  try {
    return await response.json();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Away("The server is away.");
  }
}

async function* streamed(response) {
  const pieces = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await pieces.read();
      if (done) return;
      const events = (rest + value).split("\n\n");
      rest = events.pop();
      for (const event of events) if (event.startsWith("data: ")) yield event.slice(6);
    }
  } finally {
    pieces.cancel().catch(() => {});
  }
}
