"use strict";
// Draws the charts of the report from the JSON in the page, and switches language and theme. No request leaves the page.
const root = document.documentElement;
const data = JSON.parse(document.getElementById("data").textContent);
const word = key => data.words[key][root.dataset.language];
const color = name => getComputedStyle(root).getPropertyValue("--" + name).trim();
const percent = share => (100 * share).toFixed(1) + " %";
const whole = value => value.toLocaleString("en");
const charts = new Map();

function draw(id, option) {
  const place = document.getElementById(id);
  if (!place) return;
  if (!charts.has(id)) {
    const canvas = document.createElement("div");
    canvas.style.height = "100%";
    place.append(canvas);
    charts.set(id, echarts.init(canvas, null, { renderer: "svg" }));
  }
  charts.get(id).setOption({
    animation: false, textStyle: { color: color("ink"), fontFamily: "inherit" },
    tooltip: { trigger: "axis", backgroundColor: color("panel"), borderColor: color("line"), textStyle: { color: color("ink") },
      axisPointer: { type: "shadow" } },
    legend: { textStyle: { color: color("ink") }, top: 0 }, ...option,
  }, true);
}

const axis = more => ({ axisLabel: { color: color("faint") }, axisLine: { lineStyle: { color: color("line") } }, nameTextStyle: { color: color("faint") },
  splitLine: { lineStyle: { color: color("line") } }, ...more });
const bars = (key, values, name, stack) => ({ type: "bar", name: word(key), data: values, itemStyle: { color: color(name) }, stack, barCategoryGap: "12%" });

function waterfall() {
  const rows = data.waterfalls[document.getElementById("waterfall-of").value];
  draw("waterfall-chart", {
    grid: { left: 130, right: 64, top: 36, bottom: 28 },
    tooltip: { trigger: "axis", axisPointer: { type: "shadow" }, backgroundColor: color("panel"), textStyle: { color: color("ink") },
      formatter: found => `${rows[found[0].dataIndex][0]}: ${whole(rows[found[0].dataIndex][1])} ${word("documents")}, ` + found.map(f => `${f.seriesName} ${percent(f.value)}`).join(", ") },
    xAxis: axis({ type: "value", max: 1, axisLabel: { color: color("faint"), formatter: value => 100 * value + " %" } }),
    yAxis: axis({ type: "category", inverse: true, data: rows.map(row => row[0]), splitLine: { show: false } }),
    series: [
      { ...bars("of_bytes", rows.map(row => row[3]), "kept"), label: { show: true, position: "right", color: color("ink"), formatter: f => percent(f.value) } },
      bars("of_documents", rows.map(row => row[2]), "second"),
    ],
  });
}

function histogram(id, edges, kept, dropped, name, lines) {
  draw(id, {
    grid: { left: 64, right: 24, top: 40, bottom: 48 },
    xAxis: [axis({ type: "category", data: edges.slice(0, -1).map(String), name, nameLocation: "middle", nameGap: 28, splitLine: { show: false } })],
    yAxis: axis({ type: "value", name: word("documents") }),
    series: [{ ...bars("kept", kept, "kept", "all"), markLine: { symbol: "none", data: lines, lineStyle: { color: color("ink"), width: 2 }, label: { color: color("ink") } } },
      bars("dropped", dropped, "dropped", "all")],
  });
}

function place(edges, value) { // where a bound stands on an axis of bins
  let bin = edges.findIndex(edge => edge > value) - 1;
  if (bin === -2) bin = edges.length - 2;
  return Math.max(0, bin);
}

function signal() {
  const name = document.getElementById("signal")?.value;
  if (!name) return;
  const { edges, kept, dropped, bounds } = data.signals[name];
  const lines = bounds.flatMap(bound => ["min", "max"].filter(side => bound[side] !== null).map(side => ({
    xAxis: place(edges, bound[side]), label: { formatter: `${side === "min" ? "≥" : "≤"} ${bound[side]}\n${bound.languages.join(" ")}` } })));
  const seen = new Set();
  histogram("signal-chart", edges, kept, dropped, word("value"), lines.filter(line => !seen.has(line.label.formatter) && seen.add(line.label.formatter)).slice(0, 8));
}

function quality() {
  const name = document.getElementById("quality-of")?.value;
  if (name === undefined) return;
  const [dropped, kept] = data.quality[name];
  histogram("quality-chart", Array.from({ length: kept.length + 1 }, (_, i) => (i / kept.length).toFixed(2)), kept, dropped, word("score"), []);
}

function clusters() {
  if (!data.clusters.length) return;
  draw("clusters-chart", {
    grid: { left: 64, right: 24, top: 40, bottom: 48 },
    xAxis: axis({ type: "category", data: data.clusters.map(([low, high]) => `${low}–${high}`), name: word("cluster_size"), nameLocation: "middle", nameGap: 28 }),
    yAxis: axis({ type: "value" }),
    series: [bars("num_clusters", data.clusters.map(row => row[3]), "kept"), bars("documents", data.clusters.map(row => row[2]), "second")],
  });
}

function drawAll() { waterfall(); signal(); quality(); clusters(); }
function say(language) { root.dataset.language = language; root.lang = language === "zh" ? "zh-Hans" : "en"; drawAll(); }

document.getElementById("language").addEventListener("click", () => say(root.dataset.language === "en" ? "zh" : "en"));
document.getElementById("theme").addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  drawAll();
});
for (const [id, redraw] of [["waterfall-of", waterfall], ["signal", signal], ["quality-of", quality]]) document.getElementById(id)?.addEventListener("change", redraw);
addEventListener("resize", () => charts.forEach(chart => chart.resize()));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
say(navigator.language.startsWith("zh") ? "zh" : "en");
