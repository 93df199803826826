// One chart: series of [step, value], drawn as SVG, read with the pointer or the arrow keys.

const KINDS = [
  ["train", "Training"],
  ["valid", "Validation"],
  ["full", "Full validation"],
];
const EDGE = { left: 46, right: 10, top: 8, bottom: 20 };

class Chart {
  constructor(holder) {
    this.plot = holder.querySelector(".plot");
    this.readout = holder.querySelector(".readout");
    this.series = {};
    this.steps = [];
    this.chosen = null;
    new ResizeObserver(() => this.render()).observe(this.plot);
    this.plot.addEventListener("pointermove", (event) => this.point(event));
    this.plot.addEventListener("pointerdown", (event) => this.point(event));
    this.plot.addEventListener("pointerleave", () => this.choose(null));
    this.plot.addEventListener("blur", () => this.choose(null));
    this.plot.addEventListener("keydown", (event) => this.press(event));
  }

  show(series, { isLog = false, top = null } = {}) {
    const steps = [...new Set(Object.values(series).flatMap((points) => points.map(([step]) => step)))];
    this.steps = steps.sort((a, b) => a - b);
    Object.assign(this, { series, isLog, top });
    if (!this.steps.includes(this.chosen)) this.chosen = null;
    this.render();
  }

  render() {
    const { clientWidth: width, clientHeight: height } = this.plot;
    if (!width || !this.steps.length) return this.plot.replaceChildren();
    this.width = width;
    const values = Object.values(this.series).flatMap((points) => points.map(([, value]) => value));
    const scale = this.isLog ? logScale(values) : linearScale(values, this.top);
    const y = (value) => EDGE.top + (1 - scale.place(value)) * (height - EDGE.top - EDGE.bottom);
    const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
    for (const tick of scale.ticks) {
      svg.append(
        draw("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: y(tick), y2: y(tick) }),
        draw("text", { x: EDGE.left - 6, y: y(tick) + 4, "text-anchor": "end" }, scale.label(tick)),
      );
    }
    const [first, last] = [this.steps[0], this.steps.at(-1)];
    svg.append(draw("text", { x: EDGE.left, y: height - 5 }, `step ${whole(first)}`));
    if (last > first) svg.append(draw("text", { x: width - EDGE.right, y: height - 5, "text-anchor": "end" }, whole(last)));
    // Where both validations agree, the dashed line lies over the whole one and both are seen.
    for (const kind of ["train", "full", "valid"]) this.drawSeries(svg, kind, scale, y);
    if (this.chosen !== null) {
      const x = this.x(this.chosen);
      svg.append(draw("line", { class: "guide", x1: x, x2: x, y1: EDGE.top, y2: height - EDGE.bottom }));
    }
    this.plot.replaceChildren(svg);
    this.describe();
  }

  drawSeries(svg, kind, scale, y) {
    const points = (this.series[kind] ?? []).filter(([, value]) => scale.holds(value));
    if (!points.length) return;
    const line = thinned(points, this.width).map(([step, value]) => `${this.x(step).toFixed(1)},${y(value).toFixed(1)}`);
    svg.append(draw("polyline", { class: `line ${kind}`, points: line.join(" "), "data-points": points.length }));
    const isSparse = kind === "full" || points.length === 1;
    if (isSparse && points.length <= 40) {
      for (const [step, value] of points) svg.append(draw("circle", { class: `dot ${kind}`, cx: this.x(step), cy: y(value), r: 3 }));
    }
  }

  x(step) {
    const [first, last] = [this.steps[0], this.steps.at(-1)];
    const share = last > first ? (step - first) / (last - first) : 0.5;
    return EDGE.left + share * (this.width - EDGE.left - EDGE.right);
  }

  describe() {
    const step = this.chosen ?? this.steps.at(-1);
    const values = KINDS.flatMap(([kind, name]) => {
      const point = this.series[kind]?.find(([each]) => each === step);
      return point ? [`${name.toLowerCase()} ${figure(point[1])}`] : [];
    });
    const text = `Step ${whole(step)}: ${values.join(", ")}`;
    say(this.readout, text);
    for (const [name, value] of [["min", this.steps[0]], ["max", this.steps.at(-1)], ["now", step], ["text", text]]) {
      this.plot.setAttribute(`aria-value${name}`, value);
    }
  }

  choose(step) {
    if (step === this.chosen) return;
    this.chosen = step;
    this.render();
  }

  point(event) {
    if (!this.steps.length) return;
    const x = event.clientX - this.plot.getBoundingClientRect().left;
    const away = (step) => Math.abs(this.x(step) - x);
    this.choose(this.steps.reduce((best, step) => (away(step) < away(best) ? step : best)));
  }

  press(event) {
    const last = this.steps.length - 1;
    const at = this.chosen === null ? last : this.steps.indexOf(this.chosen);
    const stride = Math.max(1, Math.round(last / 10));
    const to = {
      ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1,
      PageDown: at - stride, PageUp: at + stride, Home: 0, End: last,
    }[event.key];
    if (to === undefined || last < 0) return;
    event.preventDefault();
    this.choose(this.steps[Math.min(last, Math.max(0, to))]);
  }
}

// Of more points than there is room for, keep the lowest and highest of each stretch: no peak is lost.
function thinned(points, width) {
  const stretch = Math.ceil((2 * points.length) / width);
  if (stretch < 3) return points;
  const kept = [];
  for (let start = 0; start < points.length; start += stretch) {
    const part = points.slice(start, start + stretch);
    const low = part.reduce((a, b) => (b[1] < a[1] ? b : a));
    const high = part.reduce((a, b) => (b[1] > a[1] ? b : a));
    kept.push(...(low === high ? [low] : [low, high].sort((a, b) => a[0] - b[0])));
  }
  return kept;
}

function linearScale(values, top) {
  const high = top ?? values.reduce((a, b) => Math.max(a, b), 0);
  const rough = (high || 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= rough * 0.999);
  const count = Math.ceil((high || 1) / step - 1e-9);
  const ticks = Array.from({ length: count + 1 }, (_, index) => index * step);
  return { ticks, place: (value) => value / ticks.at(-1), holds: () => true, label: (tick) => figure(tick) };
}

function logScale(values) {
  const above = values.filter((value) => value > 0);
  const low = above.reduce((a, b) => Math.min(a, b), Infinity);
  const high = above.reduce((a, b) => Math.max(a, b), 0);
  if (!above.length) return { ticks: [], place: () => 0, holds: () => false, label: figure };
  const [from, to] = [Math.floor(Math.log10(low)), Math.max(Math.floor(Math.log10(low)) + 1, Math.ceil(Math.log10(high)))];
  const ticks = [];
  for (let power = from; power <= to; power++) {
    for (const digit of to - from <= 2 && power < to ? [1, 2, 5] : [1]) ticks.push(digit * 10 ** power);
  }
  const place = (value) => (Math.log10(value) - from) / (to - from);
  return { ticks, place, holds: (value) => value > 0, label: (tick) => figure(tick) };
}
