// What the inbox does more quickly with a script than without: a new call appears by itself, sound is heard in its
// row, and single keys do what the buttons do. Every deed is still the page's own form.
(() => {
  "use strict";

  const PLACE = "inbox.place"; // where the reader was when a button was pressed
  const AWAY_MS = 60_000; // a list that was out of sight for longer is fetched anew
  const TICK_MS = 20_000;
  const UNITS = [["year", 31_536_000], ["month", 2_592_000], ["week", 604_800], ["day", 86_400], ["hour", 3_600], ["minute", 60], ["second", 1]];

  const inbox = () => document.getElementById("inbox");
  const rows = () => [...inbox().querySelectorAll(".call")];
  const rowAt = (element) => element?.closest?.("#inbox .call") ?? null;
  const ticks = () => [...inbox().querySelectorAll(".call .tick input")];

  // --- times ------------------------------------------------------------------

  const english = new Intl.RelativeTimeFormat("en");

  function ago(at) {
    const seconds = Math.max(1, (Date.now() - new Date(at)) / 1000);
    const [unit, length] = UNITS.find(([, length]) => seconds / length >= 0.85) ?? UNITS.at(-1);
    return english.format(-Math.max(1, Math.round(seconds / length)), unit);
  }

  function tellTimes() {
    for (const time of inbox().querySelectorAll(".call .when")) time.textContent = ago(time.dateTime);
    const fresh = document.getElementById("fresh");
    if (fresh) fresh.textContent = Date.now() - new Date(fresh.dateTime) < 60_000 ? "just now" : ago(fresh.dateTime);
  }

  // --- a new call appears -----------------------------------------------------

  let fetching = false;
  let fetchAgain = false;
  let hiddenSince = 0;

  async function refresh() {
    fetchAgain = fetching;
    if (fetching) return;
    fetching = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const fresh = page.getElementById("inbox");
      if (fresh) replace(document.adoptNode(fresh), page.title);
    } catch {
      // Not reachable just now: the list says from when it is.
    } finally {
      fetching = false;
      if (fetchAgain) refresh();
    }
  }

  // What a thing is called in both lists, the old and the new: its row and what it leads to.
  function nameOf(element) {
    const row = rowAt(element)?.querySelector(".open").getAttribute("href") ?? "";
    return [row, element.tagName, element.getAttribute("href") ?? element.value ?? element.className].join(" ");
  }

  function replace(fresh, title) {
    const old = inbox();
    const focused = old.contains(document.activeElement) ? nameOf(document.activeElement) : "";
    const ticked = new Set(ticks().filter((tick) => tick.checked).map((tick) => tick.value));
    const sounds = [...old.querySelectorAll(".call audio")].map((sound) => [nameOf(rowAt(sound).querySelector(".open")), sound]);
    const byName = new Map();
    old.after(fresh);
    for (const element of fresh.querySelectorAll("a, button, input")) byName.set(nameOf(element), element);
    for (const tick of fresh.querySelectorAll(".call .tick input")) tick.checked = ticked.has(tick.value);
    for (const [name, sound] of sounds) rowAt(byName.get(name))?.append(sound);
    old.remove();
    document.title = title;
    begin();
    if (focused) byName.get(focused)?.focus({ preventScroll: true });
  }

  document.addEventListener("afterbeep:calls", refresh);
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) hiddenSince = Date.now();
    else if (hiddenSince && Date.now() - hiddenSince > AWAY_MS) refresh();
  });

  // --- sound in its row -------------------------------------------------------

  function listen(link) {
    const row = rowAt(link);
    const there = row.querySelector("audio");
    if (there) {
      there.remove();
      return;
    }
    const sound = document.createElement("audio");
    sound.controls = true;
    sound.preload = "none";
    sound.src = link.href;
    sound.setAttribute("aria-label", `Recording of the call, ${row.querySelector(".open b").lastChild.textContent}`);
    row.append(sound);
    row.scrollIntoView({ block: "nearest" });
    sound.play().catch(() => {}); // then it waits for its own button
  }

  document.addEventListener("play", (event) => {
    for (const sound of document.querySelectorAll(".call audio")) if (sound !== event.target) sound.pause();
  }, true);

  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("#inbox .listen");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      listen(link);
    }
  });

  // --- the selected rows ------------------------------------------------------

  function tellChosen() {
    const all = document.getElementById("all");
    if (!all) return;
    const chosen = ticks().filter((tick) => tick.checked).length;
    document.getElementById("chosen").textContent = `${chosen} selected`;
    all.checked = chosen > 0 && chosen === ticks().length;
    all.indeterminate = chosen > 0 && !all.checked;
  }

  document.addEventListener("change", (event) => {
    if (event.target.id === "all") for (const tick of ticks()) tick.checked = event.target.checked;
    if (event.target.closest?.("#deeds")) tellChosen();
  });

  // --- keys -------------------------------------------------------------------

  const help = document.getElementById("keys");

  function move(step) {
    const all = rows();
    if (!all.length) return;
    const here = all.indexOf(rowAt(document.activeElement));
    const next = here < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(here + step, 0), all.length - 1);
    const link = all[next].querySelector(".open");
    link.focus({ preventScroll: true });
    all[next].scrollIntoView({ block: "nearest" });
  }

  // What a key means: the selected rows, or, with nothing selected, the one that has the focus.
  function meant() {
    const chosen = ticks().filter((tick) => tick.checked);
    return (chosen.length ? chosen : [rowAt(document.activeElement)?.querySelector(".tick input")]).filter(Boolean);
  }

  // `isSo`: whether a row is that already. When all are, the key takes it back.
  function mark(state, isSo) {
    const among = meant();
    if (!among.length) return;
    for (const tick of among) tick.checked = true;
    const next = among.map(rowAt).every(isSo) ? "open" : state;
    document.querySelector(`.bulk button[value=${next}]`).click();
  }

  const KEYS = {
    j: () => move(1),
    k: () => move(-1),
    e: () => mark("done", (row) => row.querySelector(".acts button[value^=open]")),
    u: () => mark("unread", (row) => row.classList.contains("unread")),
    x: () => rowAt(document.activeElement)?.querySelector(".tick input")?.click(),
    z: () => document.querySelector("form.undo")?.requestSubmit(),
    "/": () => location.assign("/search"),
    "?": () => help.showModal(),
  };

  document.addEventListener("keydown", (event) => {
    const writing = event.target.closest?.("input:not([type=checkbox]), textarea, select, [contenteditable]");
    if (document.documentElement.dataset.keys === "off" || writing || document.querySelector("dialog[open]")) return;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const deed = Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : null;
    if (!deed) return;
    event.preventDefault();
    deed();
  });

  // --- back where the reader was ----------------------------------------------

  document.addEventListener("submit", (event) => {
    if (event.target.id !== "deeds" && !event.target.matches("form.undo")) return;
    const row = rowAt(document.activeElement);
    const place = { path: location.pathname + location.search, top: scrollY, row: row ? rows().indexOf(row) : -1 };
    sessionStorage.setItem(PLACE, JSON.stringify(place));
  });

  function comeBack() {
    const kept = sessionStorage.getItem(PLACE);
    sessionStorage.removeItem(PLACE);
    if (!kept) return;
    const place = JSON.parse(kept);
    if (place.path !== location.pathname + location.search) return;
    scrollTo({ top: place.top, behavior: "instant" });
    const row = place.row < 0 ? null : rows()[Math.min(place.row, rows().length - 1)];
    row?.querySelector(".open").focus({ preventScroll: true });
  }

  function begin() {
    const all = document.getElementById("all");
    if (all) all.parentElement.hidden = false;
    tellChosen();
    tellTimes();
  }

  document.getElementById("help").hidden = false;
  document.querySelector("#help button").addEventListener("click", () => help.showModal());
  begin();
  comeBack();
  setInterval(tellTimes, TICK_MS);
})();
