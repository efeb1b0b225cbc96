// Draws everything for the first time, and again when the reader changes what is shown, language, theme, window or paper.
function drawAll() { for (const one of [waterfall, signal, quality, clusters, tokenizers, trainings, verdicts, buckets]) one(); }
function say(language) { root.dataset.language = language; root.lang = language === "zh" ? "zh-Hans" : "en"; drawAll(); }
function dark() { return root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches; }

document.getElementById("language").addEventListener("click", () => say(root.dataset.language === "en" ? "zh" : "en"));
document.getElementById("theme").addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; drawAll(); });
for (const [id, redraw] of [["waterfall-of", waterfall], ["signal", signal], ["quality-of", quality], ["metric", tokenizers]]) document.getElementById(id)?.addEventListener("change", redraw);
addEventListener("resize", () => charts.forEach(chart => chart.resize()));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
const PAPER_WIDTH = 670; // pixels between the margins of A4
let theme;
addEventListener("beforeprint", () => { // paper is light
  theme = root.dataset.theme;
  root.dataset.theme = "light";
  charts.forEach(chart => chart.resize({ width: PAPER_WIDTH }));
  drawAll();
});
addEventListener("afterprint", () => {
  if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
  charts.forEach(chart => chart.resize({ width: "auto" }));
  drawAll();
});
say(navigator.language.startsWith("zh") ? "zh" : "en");
