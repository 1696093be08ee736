"use strict";
// Every text reaches the page through textContent: a title or query is never markup.

const form = document.getElementById("form");
const input = document.getElementById("query");
const status = document.getElementById("status");
const columns = document.getElementById("engines");
const TAGS = { th: "ไทย", en: "EN", mixed: "ไทย+EN", und: "–" };
const LANG = { th: "th", en: "en", mixed: "mul", und: "und" };
let pool;
let asked = 0;

function element(tag, className, text, lang) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  if (lang) made.lang = lang;
  return made;
}

// English, and Thai beside it.
function say(target, english, thai) {
  target.replaceChildren(english + " ", element("span", "", thai, "th"));
  target.classList.add("bilingual");
}

function tell(english, thai, isError = false) {
  say(status, english, thai);
  status.classList.toggle("error", isError);
}

const percent = (share) => `${Math.round(share * 100)} %`;

async function fetchJson(address) {
  const response = await fetch(address);
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(body.error ?? `status ${response.status}`);
  return body;
}

function shareBar({ thai, results }) {
  const others = results.filter(({ language }) => !["th", "en"].includes(language));
  const uncounted = element("p", "facts");
  if (others.length) {
    say(
      uncounted,
      `${others.length} in both languages or neither: not counted`,
      `ไม่นับ ${others.length} รายการที่ปนสองภาษาหรือไม่ใช่ทั้งสองภาษา`,
    );
  }
  if (thai === null) return [uncounted];
  const bar = element("div", "share");
  bar.setAttribute("role", "img");
  const left = element("div", "th");
  left.style.width = `${thai * 100}%`;
  bar.append(left, element("div", "en"));
  let label = `Thai ${percent(thai)}, English ${percent(1 - thai)} of the results`;
  if (pool.thai !== null) {
    const truth = element("div", "truth");
    truth.style.left = `${pool.thai * 100}%`;
    const note = element("span", "", `Thai in all titles: ${percent(pool.thai)}`);
    note.style.transform = `translateX(-${pool.thai * 100}%)`; // never over the edge
    truth.append(note);
    bar.append(truth);
    label += `; Thai ${percent(pool.thai)} of all titles`;
  }
  bar.setAttribute("aria-label", label);
  const ends = element("div", "ends");
  const thaiEnd = element("span", "", "ไทย ", "th");
  thaiEnd.append(element("span", "", `Thai ${percent(thai)}`, "en"));
  const englishEnd = element("span", "", `English ${percent(1 - thai)} `);
  englishEnd.append(element("span", "", "อังกฤษ", "th"));
  ends.append(thaiEnd, englishEnd);
  return [bar, ends, uncounted];
}

function resultItem(result, number) {
  const item = element("li");
  const title = element("span", "title", result.title, LANG[result.language]);
  const more = result.postings > 1 ? ` + ${result.postings - 1}` : "";
  title.append(element("small", "", result.ids[0] + more, "und"));
  item.append(
    element("span", "rank", number),
    element("span", `tag ${result.language}`, TAGS[result.language]),
    title,
    element("span", "score", result.score.toFixed(3)),
  );
  return item;
}

function engineSection(engine) {
  const section = element("section");
  const heading = element("h2", "", engine.name);
  const milliseconds = engine.milliseconds.toFixed(1);
  const facts = element("p", "facts");
  say(facts, `answered in ${milliseconds} ms`, `ใช้เวลา ${milliseconds} มิลลิวินาที`);
  const list = element("ol");
  list.append(...engine.results.map((result, at) => resultItem(result, at + 1)));
  section.append(heading, facts, ...shareBar(engine), list);
  return section;
}

async function search(query) {
  const turn = ++asked; // a later query may be answered first
  columns.replaceChildren();
  if (!query) {
    tell("Type a job title.", "พิมพ์ชื่อตำแหน่งงาน", true);
    return;
  }
  if ([...query].length > pool.max_characters) {
    const most = pool.max_characters.toLocaleString("en");
    tell(
      `The query is too long: at most ${most} characters.`,
      `ข้อความยาวเกินไป ไม่เกิน ${most} ตัวอักษร`,
      true,
    );
    return;
  }
  tell("Searching …", "กำลังค้นหา …");
  try {
    const answer = await fetchJson(`api/search?q=${encodeURIComponent(query)}`);
    if (turn !== asked) return;
    columns.append(...answer.engines.map(engineSection));
    const count = answer.engines[0].results.length;
    tell(`${count} results of each model.`, `ผลลัพธ์โมเดลละ ${count} รายการ`);
  } catch (error) {
    if (turn !== asked) return;
    tell(`No answer: ${error.message}`, "ค้นหาไม่สำเร็จ ลองอีกครั้ง", true);
  }
}

function ask(query) {
  input.value = query;
  // An overlong address would be refused before the page could say why.
  const long = query.length > pool.max_characters;
  const address = long ? location.pathname : `?q=${encodeURIComponent(query)}`;
  history.pushState(null, "", address);
  search(query);
}

function showAddress() {
  const query = new URLSearchParams(location.search).get("q");
  input.value = query ?? "";
  if (query !== null) search(query.trim());
}

async function start() {
  try {
    pool = await fetchJson("api/pool");
  } catch (error) {
    tell(`No answer: ${error.message}`, "เชื่อมต่อไม่ได้", true);
    return;
  }
  const count = pool.entries.toLocaleString("en");
  const english = pool.thai === null ? "" : `, ${percent(pool.thai)} in Thai`;
  const thai = pool.thai === null ? "" : ` เป็นภาษาไทย ${percent(pool.thai)}`;
  say(document.getElementById("pool"), `${count} titles${english}`, `${count} ตำแหน่ง${thai}`);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask(input.value.trim());
  });
  for (const button of document.querySelectorAll(".example")) {
    button.addEventListener("click", () => ask(button.textContent));
  }
  window.addEventListener("popstate", showAddress);
  showAddress();
}

start();
