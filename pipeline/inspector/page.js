"use strict";
// The inspector's page. Whatever comes from a document is set as text, never as markup.
const $ = id => document.getElementById(id);
const form = $("search");
let offset = 0, edges = [], shown = null, labels = {};

function make(tag, text, more = {}) {
  const found = document.createElement(tag);
  if (text !== undefined) found.textContent = text;
  for (const [name, value] of Object.entries(more)) name.startsWith("data-") || name.startsWith("aria-") ? found.setAttribute(name, value) : found[name] = value;
  return found;
}

async function ask(place, parameters = {}, told = "count") { // `told`: where the page says what was wrong
  const given = Object.entries(parameters).filter(([, value]) => value !== "" && value !== undefined);
  const answer = await fetch(`${place}?${new URLSearchParams(given)}`);
  if (!answer.ok) { $(told).textContent = await answer.text(); throw new Error(answer.status); }
  return answer.json();
}

const short = value => value === null || value === undefined ? "" : typeof value === "number" && !Number.isInteger(value) ? value.toPrecision(4) : String(value);
const asked = () => ({ ...Object.fromEntries(new FormData(form)), offset });

async function search() {
  const { count, rows } = await ask("search", asked());
  $("count").textContent = `${count.toLocaleString("en")} documents` + (count > rows.length ? `, ${offset + 1} to ${offset + rows.length}` : "");
  $("signal-name").textContent = form.signal.value;
  $("rows").replaceChildren(...rows.map(row => {
    const line = make("tr", undefined, { "aria-current": String(row.id === shown) });
    const name = make("td");
    name.append(make("button", row.id, { type: "button", onclick: () => open_(row.id) }));
    if (labels[row.id]) name.append(` (${labels[row.id]})`);
    line.append(name, make("td", row.fate, { className: row.fate }), make("td", row.reasons.join(", ")), make("td", short(row.num_chars), { className: "n" }), make("td", short(row.signal), { className: "n" }));
    return line;
  }));
  $("before").disabled = offset === 0;
  $("after").disabled = offset + rows.length >= count;
}

async function open_(id) {
  shown = id;
  const found = await ask("document", { id, mask: String($("mask").checked) });
  const { facts } = found;
  $("document").hidden = false;
  $("title").textContent = id;
  const parts = [`${facts.source}: ${facts.path}:${facts.record}`, facts.domain, facts.lang, facts.fate, facts.reasons.join(", ")];
  if (facts.duplicate_of) parts.push(`duplicate of ${facts.duplicate_of}, similarity ${short(facts.similarity)}`);
  $("facts").textContent = parts.filter(Boolean).join(" · ");
  $("label").textContent = labels[id] ? `labelled ${labels[id]}` : "";
  $("text").replaceChildren(...(found.diff ? [] : found.text === null ? [make("em", "its text was not kept")] : found.text.map(segment =>
    segment.kind === "plain" ? segment.text : make(segment.kind === "cut" ? "del" : "mark", segment.text,
      { "data-rule": segment.rule, title: segment.rule + (segment.partner ? `: ${segment.partner}, similarity ${short(segment.similarity)}` : "") }))));
  $("diff").replaceChildren();
  if (found.diff) {
    const table = make("table"), head = make("tr");
    head.append(make("th", id, { scope: "col" }), make("th", facts.duplicate_of, { scope: "col" }));
    table.append(head, ...found.diff.map(pair => {
      const row = make("tr");
      row.append(...pair.map(side => { const cell = make("td"); cell.append(...side.map(([text, style]) => make("span", text, { className: style }))); return cell; }));
      return row;
    }));
    $("diff").append(table);
  }
  $("signals").replaceChildren(...Object.entries(found.signals).flatMap(([name, value]) => [make("dt", name), make("dd", short(value))]));
  for (const line of $("rows").children) line.setAttribute("aria-current", String(line.querySelector("button").textContent === id));
  $("document").scrollTop = 0;
  $("document").focus({ preventScroll: true });
  if (matchMedia("(max-width: 60rem)").matches) $("document").scrollIntoView();
}

async function histogram() {
  $("threshold").hidden = !form.signal.value;
  if (!form.signal.value) return;
  const found = await ask("histogram", { signal: form.signal.value });
  edges = found.edges;
  $("side").value = found.side;
  $("bound").value = found.side === "max" ? 1000 : 0;
  const most = Math.max(1, ...found.kept.map((kept, i) => kept + found.dropped[i]));
  $("histogram").replaceChildren(...found.kept.map((kept, i) => {
    const bin = make("i", undefined, { title: `${short(edges[i])} to ${short(edges[i + 1])}: ${kept} kept, ${found.dropped[i]} dropped` });
    for (const count of [kept, found.dropped[i]]) { const bar = make("b"); bar.style.height = `${100 * count / most}%`; bin.append(bar); }
    return bin;
  }));
  $("scale").replaceChildren(...[0, .5, 1].map(share => make("span", edges.length ? short(edges[0] + (edges.at(-1) - edges[0]) * share) : "")));
  await threshold();
}

async function threshold() {
  if (!edges.length) return;
  const value = edges[0] + (edges.at(-1) - edges[0]) * $("bound").value / 1000, side = $("side").value;
  $("bound-value").textContent = short(value);
  [...$("histogram").children].forEach((bin, i) => bin.classList.toggle("outside", side === "min" ? edges[i + 1] <= value : edges[i] > value));
  const { drops, spares } = await ask("threshold", { signal: form.signal.value, side, value, lang: form.lang.value, domain: form.domain.value }, "effect");
  const list = (words, found) => [make("strong", found.count.toLocaleString("en")), ` ${words}`, ...found.ids.slice(0, 5).flatMap((id, i) => [i ? ", " : ": ", make("button", id, { type: "button", onclick: () => open_(id) })]), ". "];
  $("effect").replaceChildren(...list("kept documents would be dropped", drops), ...list("dropped ones have no other reason and would be kept", spares),
    "Duplicates are decided by corpus select, with --set stages.heuristics.overrides…");
}

for (const button of document.querySelectorAll("[data-label]")) button.addEventListener("click", async () => {
  const answer = await fetch("label", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ id: shown, label: button.dataset.label || null }) });
  if (!answer.ok) { $("label").textContent = await answer.text(); return; }
  labels = await answer.json();
  $("label").textContent = labels[shown] ? `labelled ${labels[shown]}` : "";
  search();
});

form.addEventListener("submit", event => { event.preventDefault(); offset = 0; search(); });
form.addEventListener("change", () => { offset = 0; search(); });
form.signal.addEventListener("change", histogram);
for (const name of ["lang", "domain"]) form[name].addEventListener("change", threshold);
for (const id of ["side", "bound"]) $(id).addEventListener("input", threshold);
$("mask").addEventListener("change", () => shown && open_(shown));
$("before").addEventListener("click", () => { offset = Math.max(0, offset - 100); search(); });
$("after").addEventListener("click", () => { offset += 100; search(); });

(async () => {
  const facets = await ask("facets");
  labels = facets.labels;
  $("run").textContent = `${facets.name} · labels go to ${facets.labels_folder}`;
  document.title = `${facets.name} · Inspector`;
  for (const name of ["fate", "reason", "source", "domain", "lang"]) form[name].append(make("option", "any", { value: "" }), ...facets[name].map(([value, count]) => make("option", `${value} (${count.toLocaleString("en")})`, { value })));
  form.signal.append(make("option", "none", { value: "" }), ...facets.signals.map(name => make("option", name, { value: name })));
  search();
})();
