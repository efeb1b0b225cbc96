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
    animation: false, textStyle: { color: color("ink"), fontFamily: getComputedStyle(document.body).fontFamily },
    tooltip: { ...tip(), trigger: "axis", axisPointer: { type: "shadow" } },
    legend: { textStyle: { color: color("ink") }, top: 0 }, ...option,
  }, true);
}

// What a tooltip says is text: names of languages, trainings and variants are the user's, and ECharts would take them for markup.
const tip = say => ({ backgroundColor: color("panel"), borderColor: color("line"), textStyle: { color: color("ink") },
  ...(say && { formatter: found => echarts.format.encodeHTML(say(found)) }) });
const axis = more => ({ axisLabel: { color: color("faint") }, axisLine: { lineStyle: { color: color("line") } }, nameTextStyle: { color: color("faint") },
  splitLine: { lineStyle: { color: color("line") } }, ...more });
const bars = (key, values, name, stack) => ({ type: "bar", name: word(key), data: values, itemStyle: { color: color(name) }, stack, barCategoryGap: "12%" });

function waterfall() {
  const rows = data.waterfalls[document.getElementById("waterfall-of").value];
  draw("waterfall-chart", {
    grid: { left: 130, right: 64, top: 36, bottom: 28 },
    tooltip: { trigger: "axis", axisPointer: { type: "shadow" },
      ...tip(found => `${rows[found[0].dataIndex][0]}: ${whole(rows[found[0].dataIndex][1])} ${word("documents")}, ` + found.map(f => `${f.seriesName} ${percent(f.value)}`).join(", ")) },
    xAxis: axis({ type: "value", max: 1, axisLabel: { color: color("faint"), hideOverlap: true, formatter: value => 100 * value + " %" } }),
    yAxis: axis({ type: "category", inverse: true, data: rows.map(row => row[0]), splitLine: { show: false } }),
    series: [
      { ...bars("of_bytes", rows.map(row => row[3]), "kept"), label: { show: true, position: "right", color: color("ink"), formatter: f => percent(f.value) } },
      bars("of_documents", rows.map(row => row[2]), "second"),
    ],
  });
}

function histogram(id, edges, log, kept, dropped, name, bounds) {
  const [low, high] = [edges[0], edges.at(-1)], levels = Math.min(3, bounds.length);
  const lines = bounds.map(({ side, value, languages }, i) => { // those beyond the axis stand at its end with an arrow
    const text = `${side === "min" ? "≥" : "≤"} ${value} ${languages.join(" ")}`, beyond = value > high ? "right" : value < low ? "left" : "center";
    return { xAxis: Math.min(high, Math.max(low, value)),
      label: { formatter: { right: `${text} →`, left: `← ${text}`, center: text }[beyond], align: beyond, distance: 4 + 15 * (i % 3) } };
  });
  draw(id, {
    grid: { left: 72, right: 28, top: 40 + 15 * levels, bottom: 48 },
    tooltip: { trigger: "axis", axisPointer: { type: "shadow" },
      ...tip(found => `${name} ${edges[found[0].dataIndex]} – ${edges[found[0].dataIndex + 1]}: ` + found.map(f => `${f.seriesName} ${whole(f.value)}`).join(", ")) },
    xAxis: [
      axis({ type: "category", data: edges.slice(0, -1).map(String), show: false }),
      axis({ type: log ? "log" : "value", min: low, max: high, position: "bottom", name, nameLocation: "middle", nameGap: 28, splitLine: { show: false }, axisPointer: { show: false },
        axisTick: { show: true }, axisLabel: { color: color("faint"), hideOverlap: true, formatter: value => String(+value.toPrecision(3)) } }),
    ],
    yAxis: axis({ type: "value", name: word("documents"), nameLocation: "middle", nameGap: 52 }),
    series: [bars("kept", kept, "kept", "all"), bars("dropped", dropped, "dropped", "all"),
      { type: "line", xAxisIndex: 1, data: [[low, 0]], symbol: "none", silent: true, tooltip: { show: false },
        markLine: { silent: true, symbol: "none", animation: false, data: lines, lineStyle: { color: color("ink"), width: 1.5, type: "dashed" }, label: { color: color("ink") } } }],
  });
}

function signal() {
  const name = document.getElementById("signal")?.value;
  if (!name) return;
  const { edges, log, kept, dropped, bounds } = data.signals[name];
  const sides = new Map();
  for (const bound of bounds) for (const side of ["min", "max"]) if (bound[side] !== null) {
    const key = `${side} ${bound[side]}`, languages = sides.get(key)?.languages ?? [];
    sides.set(key, { side, value: bound[side], languages: [...new Set([...languages, ...bound.languages])].sort() });
  }
  histogram("signal-chart", edges, log, kept, dropped, name, [...sides.values()].sort((one, two) => one.value - two.value).slice(0, 8));
}

function quality() {
  const name = document.getElementById("quality-of")?.value;
  if (name === undefined) return;
  const [dropped, kept] = data.quality[name].documents;
  histogram("quality-chart", Array.from({ length: kept.length + 1 }, (_, i) => +(i / kept.length).toFixed(2)), false, kept, dropped, word("score"), []);
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
