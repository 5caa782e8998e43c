// Running calls, told while they run: the banner of every page, and on a call's own page what is said, how
// it stands, and the owner's step-ins.
//
// A plain EventSource, not htmx's: lines have to come to their place in the conversation, a line that is told
// anew has to take the place of the old one, and a line that was told before must not come twice. htmx swaps
// what arrives in the order it arrives, and only hands named events on.
//
// The browser itself comes back after a cut, and says what it has heard last (Last-Event-ID). Where it gives up
// (the server answered with an error), or hears nothing for too long, the stream is opened anew from `rev`. A
// page has one stream, and none while it is hidden.

const SILENCE_MS = 40_000; // the server says something every 15 s
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
const ANSWER_MS = 10_000;
const AT_THE_END_PX = 48; // so close to the newest line, the owner follows

const banner = document.getElementById("live-banner");
const panel = document.getElementById("live");

// --- the stream -----------------------------------------------------------------

let source = null;
let over = !panel;
let rev = Number(panel?.dataset.after ?? 0);
let pause_ms = FIRST_PAUSE_MS;
let again = 0; // timer of the next try
let silence = 0; // timer that ends a connection which says nothing

function address() {
  return over ? banner.dataset.live : `${panel.dataset.stream}?after=${rev}`;
}

function open() {
  close();
  if (document.hidden) return;
  source = new EventSource(address());
  source.addEventListener("open", () => {
    pause_ms = FIRST_PAUSE_MS;
    tellConnection("");
    listenOn();
  });
  source.addEventListener("error", () => {
    tellConnection("Reconnecting…");
    if (source.readyState === EventSource.CLOSED) openLater();
  });
  for (const [name, hear] of Object.entries({ line: hearLine, state: hearState, banner: hearBanner, over: hearOver, beat: () => {} })) {
    source.addEventListener(name, (event) => {
      listenOn();
      hear(event);
    });
  }
  listenOn();
}

function close() {
  clearTimeout(again);
  clearTimeout(silence);
  source?.close();
  source = null;
}

function openLater() {
  close();
  again = setTimeout(open, pause_ms * (0.75 + Math.random() / 2));
  pause_ms = Math.min(2 * pause_ms, LONGEST_PAUSE_MS);
}

function listenOn() {
  clearTimeout(silence);
  silence = setTimeout(() => {
    tellConnection("Reconnecting…");
    openLater();
  }, SILENCE_MS);
}

function tellConnection(words) {
  if (over) return;
  panel.classList.toggle("lost", words !== "");
  document.getElementById("live-connection").textContent = words;
}

// --- what comes -------------------------------------------------------------------

function hearBanner(event) {
  const before = markOf();
  banner.innerHTML = event.data;
  runClocks(banner);
  if (markOf() !== before) document.dispatchEvent(new CustomEvent("afterbeep:calls"));
}

function markOf() {
  return banner.querySelector("[data-mark]")?.dataset.mark;
}

function hearLine(event) {
  const told = Number(event.lastEventId);
  if (told <= rev) return;
  rev = told;
  const template = document.createElement("template");
  template.innerHTML = event.data;
  place(template.content.querySelector("li"));
}

function hearState(event) {
  const state = document.getElementById("live-state");
  state.innerHTML = event.data;
  runClocks(state);
}

function hearOver(event) {
  over = true;
  panel.classList.remove("lost");
  panel.classList.add("over");
  stopClocks(panel);
  for (const mark of document.querySelectorAll("main .outcome.running")) {
    mark.classList.remove("running");
    mark.textContent = "Over";
  }
  const end = document.getElementById("live-over");
  const inForm = document.activeElement?.closest("#step-in form");
  end.innerHTML = event.data;
  document.querySelector("#step-in-result .will")?.remove(); // it will not, any more
  if (inForm) end.querySelector("a").focus();
  open(); // from here on the banner alone
}

// --- the lines of the conversation --------------------------------------------------

const log = document.getElementById("live-log");
const lines = document.getElementById("live-lines");
const newest = document.getElementById("live-newest");
let follows = true;

function place(line) {
  const old = [...lines.children].find((other) => other.dataset.line === line.dataset.line);
  line.classList.add("new");
  if (old) old.replaceWith(line);
  else lines.append(line);
  settle();
  document.getElementById("live-nothing").hidden = true;
  if (follows) toTheEnd();
  else newest.hidden = false;
}

// As web/live.py orders them: turns as they were spoken, what was done between them by its time.
function inOrder() {
  const at = (line) => Number(line.dataset.at);
  const all = [...lines.children];
  const turns = all.filter((line) => line.matches(".turn"));
  const deeds = all.filter((line) => !line.matches(".turn")).sort((one, other) => at(one) - at(other));
  turns.sort((one, other) => one.dataset.position - other.dataset.position || at(one) - at(other));
  turns.forEach((turn, n) => (turn.id = `turn-${n + 1}`));
  return [...turns.flatMap((turn) => {
    const before = deeds.findIndex((deed) => at(deed) >= at(turn));
    return [...deeds.splice(0, before < 0 ? deeds.length : before), turn];
  }), ...deeds];
}

// Only what stands in the wrong place is moved: a line that is moved is read out again.
function settle() {
  let next = null;
  for (const line of inOrder().reverse()) {
    if (line.nextElementSibling !== next) lines.insertBefore(line, next);
    next = line;
  }
}

function toTheEnd() {
  log.scrollTop = log.scrollHeight;
  newest.hidden = true;
}

function follow() {
  follows = log.scrollHeight - log.scrollTop - log.clientHeight < AT_THE_END_PX;
  if (follows) newest.hidden = true;
}

// --- clocks -------------------------------------------------------------------------

function runClocks(where) {
  for (const clock of where.querySelectorAll("[data-clock]")) {
    clock.dataset.began = performance.now() - Number(clock.dataset.clock);
  }
}

function stopClocks(where) {
  for (const clock of where.querySelectorAll("[data-began]")) delete clock.dataset.began;
}

function tick() {
  for (const clock of document.querySelectorAll("[data-began]")) {
    const all_s = Math.max(0, Math.floor((performance.now() - Number(clock.dataset.began)) / 1000));
    const [hours, minutes, seconds] = [Math.floor(all_s / 3600), Math.floor(all_s / 60) % 60, all_s % 60];
    const padded = (number) => String(number).padStart(2, "0");
    clock.textContent = hours ? `${hours}:${padded(minutes)}:${padded(seconds)}` : `${minutes}:${padded(seconds)}`;
  }
}

// --- stepping in ----------------------------------------------------------------------

async function stepIn(event) {
  const form = event.target.closest("#step-in form");
  if (!form) return;
  event.preventDefault();
  if (form.dataset.sent) return;
  form.dataset.sent = "1";
  tellResult("…", "sent");
  try {
    await hearAnswer(form, await send(form, event.submitter));
  } catch {
    // The key stays: should the first try have come through, the second does nothing.
    tellResult("That did not get through. Try again.", "problem");
  } finally {
    delete form.dataset.sent;
  }
}

function send(form, button) {
  return fetch(form.action, {
    method: "POST",
    body: new FormData(form, button),
    headers: { "X-Afterbeep": "fragment" },
    redirect: "error",
    signal: AbortSignal.timeout(ANSWER_MS),
  });
}

async function hearAnswer(form, response) {
  const words = await response.text();
  if (!response.headers.get("Content-Type")?.startsWith("text/html")) {
    tellResult(`${words.trim()}. Reload the page and try again.`, "problem");
    return;
  }
  const result = document.getElementById("step-in-result");
  result.innerHTML = words;
  result.firstElementChild.classList.toggle("will", form.id === "step-in-say");
  const key = result.querySelector("[data-step-key]")?.dataset.stepKey;
  if (key) form.elements.step_key.value = key;
  const text = form.elements.text;
  if (text && response.status === 422) text.setAttribute("aria-invalid", "true");
  else text?.removeAttribute("aria-invalid");
  if (!response.ok) {
    text?.focus();
    return;
  }
  if (text) text.value = "";
  const asked = form.closest("details");
  if (asked) {
    asked.open = false;
    asked.querySelector("summary").focus();
  }
}

function tellResult(words, kind) {
  const told = document.createElement("p");
  told.className = kind;
  told.textContent = words;
  document.getElementById("step-in-result").replaceChildren(told);
}

// --- all of it ----------------------------------------------------------------------------

if (panel) {
  log.addEventListener("scroll", follow, { passive: true });
  newest.addEventListener("click", () => {
    follows = true;
    toTheEnd();
    log.focus({ preventScroll: true });
  });
  document.addEventListener("submit", stepIn);
  toTheEnd();
}
runClocks(document);
setInterval(tick, 1000);
document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
window.addEventListener("pagehide", close);
window.addEventListener("pageshow", (event) => event.persisted && open());
open();
