/** Plots as SVG text: lines and points over two axes. No script, no reference to anything outside. */

export interface PlotSeries {
  readonly name: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** Joined by lines; else points alone. */
  readonly isLine: boolean;
}

export interface Band {
  readonly from: number;
  readonly to: number;
  readonly name: string;
}

export interface Plot {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly series: readonly PlotSeries[];
  readonly hasLogX?: boolean;
  /** Of the vertical axis; the largest value when absent. */
  readonly yMax?: number;
  /** Spans of the horizontal axis that have a name. */
  readonly bands?: readonly Band[];
}

const WIDTH = 860;
const HEIGHT = 300;
const MARGIN = { left: 64, right: 28, top: 14, bottom: 44 };
/** Distinguishable in both colour schemes and for most eyes (Okabe and Ito). */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f"];
const TICKS = 6;

/** Draws a plot as an `<figure>`. */
export function drawPlot(plot: Plot): string {
  const points = plot.series.flatMap((series) => series.points);
  if (points.length === 0) return "";
  const x = axis(
    points.map(([value]) => value),
    { isLog: plot.hasLogX === true, isTight: true },
  );
  const y = axis([0, ...(plot.yMax === undefined ? points.map(([, value]) => value) : [plot.yMax])], {
    isLog: false,
    isTight: false,
  });
  const left = (value: number) => MARGIN.left + x.place(value) * (WIDTH - MARGIN.left - MARGIN.right);
  const top = (value: number) => HEIGHT - MARGIN.bottom - y.place(value) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const bands = plot.bands ?? [];
  const parts = [
    ...bands.map((band, place) => drawBand(band, place, left)),
    ...x.ticks.map(
      (tick) =>
        `<line class="grid" x1="${px(left(tick))}" x2="${px(left(tick))}" y1="${MARGIN.top}" y2="${HEIGHT - MARGIN.bottom}"/>` +
        `<text x="${px(left(tick))}" y="${HEIGHT - MARGIN.bottom + 16}" text-anchor="middle">${tickText(tick)}</text>`,
    ),
    ...y.ticks.map(
      (tick) =>
        `<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${px(top(tick))}" y2="${px(top(tick))}"/>` +
        `<text x="${MARGIN.left - 8}" y="${px(top(tick) + 4)}" text-anchor="end">${tickText(tick)}</text>`,
    ),
    `<text x="${(WIDTH + MARGIN.left) / 2}" y="${HEIGHT - 6}" text-anchor="middle">${escapeHtml(plot.xLabel)}</text>`,
    `<text transform="translate(14 ${HEIGHT / 2 - 12}) rotate(-90)" text-anchor="middle">${escapeHtml(plot.yLabel)}</text>`,
    ...plot.series.map((series, place) => drawSeries(series, colourOf(place), left, top)),
    // Above the lines, which may run along the upper edge.
    ...bands.map((band) => drawBandName(band, left)),
  ];
  const legend = plot.series
    .map(({ name }, place) => `<span><i style="background:${colourOf(place)}"></i>${escapeHtml(name)}</span>`)
    .join("");
  const svg = `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(plot.title)}">${parts.join("")}</svg>`;
  return `<figure><figcaption>${escapeHtml(plot.title)}</figcaption><div class="legend">${legend}</div>${svg}</figure>`;
}

function drawBand(band: Band, place: number, left: (value: number) => number): string {
  const shade = place % 2 === 0 ? "band" : "band other";
  return `<rect class="${shade}" x="${px(left(band.from))}" y="${MARGIN.top}" width="${px(widthOf(band, left))}" height="${HEIGHT - MARGIN.top - MARGIN.bottom}"><title>${escapeHtml(band.name)}</title></rect>`;
}

/** Where there is room for it. */
function drawBandName(band: Band, left: (value: number) => number): string {
  if (widthOf(band, left) <= band.name.length * 6.5) return "";
  return `<text class="band-name" x="${px(left(band.from) + 4)}" y="${MARGIN.top + 12}">${escapeHtml(band.name)}</text>`;
}

function widthOf(band: Band, left: (value: number) => number): number {
  return Math.max(1, left(band.to) - left(band.from));
}

function drawSeries(
  series: PlotSeries,
  colour: string,
  left: (value: number) => number,
  top: (value: number) => number,
): string {
  if (series.isLine) {
    const path = series.points
      .map(([x, y], place) => `${place === 0 ? "M" : "L"}${px(left(x))} ${px(top(y))}`)
      .join("");
    return `<path d="${path}" fill="none" stroke="${colour}" stroke-width="1.8"/>`;
  }
  return series.points
    .map(([x, y]) => `<circle cx="${px(left(x))}" cy="${px(top(y))}" r="2" fill="${colour}"/>`)
    .join("");
}

function colourOf(place: number): string {
  return COLOURS[place % COLOURS.length] ?? "#000";
}

interface Axis {
  readonly ticks: readonly number[];
  /** Between 0 and 1. */
  readonly place: (value: number) => number;
}

/** `isTight`: it ends where the values end, not at the next tick. */
function axis(
  values: readonly number[],
  { isLog, isTight }: { readonly isLog: boolean; readonly isTight: boolean },
): Axis {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  if (isLog) {
    const from = Math.floor(Math.log10(Math.max(low, 1e-3)));
    const to = Math.max(from + 1, Math.ceil(Math.log10(Math.max(high, 1e-3))));
    const ticks = Array.from({ length: to - from + 1 }, (_, n) => 10 ** (from + n));
    return { ticks, place: (value) => (Math.log10(Math.max(value, 10 ** from)) - from) / (to - from) };
  }
  if (high <= low) high = low + 1;
  const step = niceStep((high - low) / TICKS);
  const first = Math.floor(low / step) * step;
  const last = isTight ? high : Math.ceil(high / step - 1e-9) * step;
  const ticks = Array.from({ length: Math.floor((last - first) / step + 1e-9) + 1 }, (_, n) => first + n * step);
  return { ticks, place: (value) => (value - first) / (last - first) };
}

/** 1, 2 or 5 times a power of ten, at least as large. */
function niceStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  return [1, 2, 5, 10].map((each) => each * power).find((each) => each >= step * 0.999) ?? step;
}

function tickText(value: number): string {
  if (Math.abs(value) >= 1e6) return `${Number((value / 1e6).toPrecision(3))} M`;
  if (Math.abs(value) >= 10_000) return `${Number((value / 1000).toPrecision(3))} k`;
  return String(Number(value.toPrecision(4)));
}

function px(value: number): string {
  return String(Math.round(value * 10) / 10);
}

export function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
