// Charts of what was made of the corpus: tokenizers, trainings, verdicts on variants.
const SYMBOLS = ["circle", "rect", "triangle", "diamond", "emptyCircle", "emptyRect", "emptyTriangle", "emptyDiamond"];
const palette = place => color("series-" + place % 8);
const symbol = place => SYMBOLS[(place + Math.floor(place / 8)) % 8];
const signed = (share, digits = 2) => (share > 0 ? "+" : "") + (100 * share).toFixed(digits) + " %";
const wide = () => document.getElementById("main").clientWidth > 600;
const groupName = ([lang, domain]) => domain || (lang ? `${word("all_of")} ${lang}` : word("everything"));

const ends = (low, high, row) => [low, high].map(value => ({ value: [value, row], symbolSize: 0 })); // points that only stretch the axis
function span(low, high, row, stroke) { // an interval as a line of a chart whose rows are categories
  return [{ coord: [low, row], symbol: "none", lineStyle: { color: stroke, width: 2, type: "solid" } }, { coord: [high, row], symbol: "none" }];
}

function tokenizers() {
  const metric = document.getElementById("metric")?.value;
  if (!metric) return;
  const { groups, values } = data.tokenizers[metric], names = groups.map(groupName), every = Object.entries(values);
  document.getElementById("tokenizers-chart").style.height = `${90 + 24 * groups.length}px`;
  charts.get("tokenizers-chart")?.resize({ height: "auto" });
  draw("tokenizers-chart", {
    grid: { left: wide() ? 150 : 112, right: 24, top: every.length > 5 || !wide() ? 64 : 36, bottom: 44 },
    tooltip: { ...tip(f => `${f.seriesName}, ${names[f.value[1]]}: ${f.value[0].toFixed(3)}`), trigger: "item" },
    xAxis: axis({ type: "value", scale: true, name: word(metric), nameLocation: "middle", nameGap: 28 }),
    yAxis: axis({ type: "category", inverse: true, data: names }),
    series: every.map(([name, found], place) => ({
      type: "scatter", name, symbol: symbol(place), symbolSize: 9, itemStyle: { color: palette(place) },
      data: found.flatMap(([value, low, high], row) => value === null ? [] : low === null ? [[value, row]] : [[value, row], ...ends(low, high, row)]),
      markLine: { silent: true, symbol: "none", label: { show: false }, data: found.flatMap(([, low, high], row) => low === null ? [] : [span(low, high, row, palette(place))]) },
    })),
  });
}

function smoothed(points) { // means of neighbouring points; the legend shows this line
  const reach = Math.round(points.length / 80);
  return points.map(([tokens], i) => {
    const near = points.slice(Math.max(0, i - reach), i + reach + 1);
    return [tokens, near.reduce((sum, point) => sum + point[1], 0) / near.length];
  });
}

function trainings() {
  if (!data.trainings.length) return;
  const series = data.trainings.flatMap(({ name, control, entropy, curves }, place) => {
    if (control) name = `${name} (${word("shuffled")})`;
    const shade = palette(place), about = { showSymbol: false, itemStyle: { color: shade } };
    return [
      { ...about, type: "line", id: `${name} each`, data: curves.steps, lineStyle: { color: shade, width: 1, opacity: .25 }, tooltip: { show: false }, silent: true },
      { ...about, type: "line", name, data: smoothed(curves.steps), lineStyle: { color: shade, width: 2 },
        markLine: entropy === null ? undefined : { silent: true, symbol: "none", data: [{ yAxis: entropy }], lineStyle: { color: color("faint"), type: "dashed" },
          label: { show: !place, formatter: word("entropy"), position: "insideEndTop", color: color("faint") } } },
      { ...about, type: "line", name: `${name}, ${word("held_out_loss")}`, data: curves.heldout, showSymbol: true, symbol: symbol(place + 1), symbolSize: 9, lineStyle: { color: shade, type: "dotted", width: 2 } },
    ];
  }).filter(one => one.data.length);
  draw("trainings-chart", {
    grid: { left: 56, right: 24, top: wide() ? 40 : 96, bottom: 48 },
    legend: { textStyle: { color: color("ink") }, top: 0, data: series.filter(one => one.name).map(one => one.name) },
    tooltip: { ...tip(f => `${f.seriesName}: ${f.value[1].toFixed(3)}, ${whole(f.value[0])} ${word("tokens")}`), trigger: "item" },
    xAxis: axis({ type: "value", name: word("tokens"), nameLocation: "middle", nameGap: 28, axisLabel: { color: color("faint"), formatter: value => value >= 1e6 ? `${value / 1e6} M` : value >= 1e3 ? `${value / 1e3} k` : value } }),
    yAxis: axis({ type: "value", scale: true, name: word("nats"), nameLocation: "middle", nameGap: 36 }),
    series,
  });
}

function forest(id, lines) { // a line each: the interval, a ring for each seed, the mean
  const names = lines.map(line => line.name), shade = line => color({ better: "better", worse: "worse" }[line.word] || "faint");
  document.getElementById(id).style.height = `${84 + 34 * lines.length}px`;
  charts.get(id)?.resize({ height: "auto" });
  draw(id, {
    grid: { left: wide() ? 150 : 112, right: wide() ? 150 : 24, top: 36, bottom: 44 },
    tooltip: { ...tip(f => `${names[f.value[1]]}: ${signed(f.value[0])}`), trigger: "item" },
    xAxis: axis({ type: "value", name: word("change_of_bits"), nameLocation: "middle", nameGap: 28, axisLabel: { color: color("faint"), hideOverlap: true, formatter: value => signed(value, 1) } }),
    yAxis: [
      axis({ type: "category", inverse: true, data: names, axisLine: { show: false }, axisTick: { show: false } }),
      axis({ show: wide(), type: "category", inverse: true, position: "right", axisLine: { show: false }, axisTick: { show: false }, axisLabel: { color: color("ink") },
        data: lines.map(line => line.word ? `${signed(line.change)} ${word(line.word)}` : signed(line.change)) }),
    ],
    series: [
      { type: "scatter", name: word("each_seed"), symbol: "emptyCircle", symbolSize: 8, itemStyle: { color: color("faint") },
        data: lines.flatMap((line, row) => line.by_seed.map(change => [change, row])) },
      { type: "scatter", name: word("mean_and_interval"), symbol: "rect", symbolSize: [4, 18], itemStyle: { color: color("ink") },
        data: lines.flatMap((line, row) => [{ value: [line.change, row], itemStyle: { color: shade(line) } }, ...ends(...line.interval, row)]),
        markLine: { silent: true, symbol: "none", label: { show: false }, data: lines.map((line, row) => span(...line.interval, row, shade(line))) } },
    ],
  });
}

function verdicts() {
  if (data.forest) forest("verdicts-chart", data.forest);
}

function buckets() {
  if (!data.buckets) return;
  const { changes, intervals, by_seed: seeds } = data.buckets;
  forest("buckets-chart", changes.map((change, i) => ({ name: `${word("bucket")} ${i + 1}`, change, interval: intervals[i], by_seed: seeds.map(one => one[i]) })));
}
