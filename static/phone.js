/* The browser phone's buttons, and what its screen says. The sound is in phone-line.js. */

import { KEY_NAMES, Line, Trouble, openMicrophone } from "./phone-line.js";
import { Meter } from "./phone-meter.js";
import { ScriptedCaller, voicesOf } from "./phone-script.js";
import { Words } from "./phone-words.js";

const phone = document.getElementById("phone");
const part = (id) => document.getElementById(id);
const choices = part("ring-as");
const keys = [...phone.querySelectorAll("button[data-key]")];
const meter = new Meter(part("levels"));
const words = new Words(part("words"));

const WORDS = {
  idle: "Ready",
  asking: "Waiting for the microphone…",
  dialling: "Ringing…",
  talking: "On the line",
};
const ENDS = {
  1001: "The program is being stopped, and the call with it.",
  1006: "The line was lost.",
  1008: "The call was not taken. Reload this page, and call again.",
  1011: "The assistant has left the call. On the telephone, a caller would now be asked for a recording.",
};

const UNREACHED = "The assistant could not be reached. Is the program still running?";

let call = null; // the one that is being made or held

class BrowserCall {
  line = null;
  script = null;
  pressedAt = performance.now();
  talking = false;

  constructor() {
    this.context = new AudioContext({ latencyHint: "interactive" }); // now: a press of a button allows sound
  }

  /** From the press of the button to the open line. Raises Trouble. */
  async make() {
    const form = new FormData(choices);
    show("asking");
    const microphone = form.get("speaks") ? null : await openMicrophone();
    this.line = new Line(this.context, microphone, this);
    if (call !== this) return this.line.hangUp();
    show("dialling");
    const ticket = await dial(form);
    await this.line.prepare(phone.dataset.worklet);
    if (ticket.steps) this.script = await this.rehearse(ticket.steps);
    if (call !== this) return this.line.hangUp();
    this.ticket = ticket;
    const address = new URL(phone.dataset.stream, location.href);
    address.protocol = address.protocol.replace("http", "ws");
    this.line.connect(address, ticket.call_sid, ticket.token);
  }

  async rehearse(steps) {
    const voices = await voicesOf(steps);
    return new ScriptedCaller(steps, voices, {
      say: (payload) => this.line.say(payload),
      press: (key) => this.line.press(key),
      hangUp: () => this.line.hangUp(),
      show: (text) => { part("caption").textContent = `“${text}”`; },
    });
  }

  // --- what happens on the line ---

  began() {
    this.talking = true;
    phone.dataset.callSid = this.ticket.call_sid;
    part("watch").href = this.ticket.watch;
    show("talking");
  }

  kept() {
    words.follow(`${this.ticket.watch}/live`);
  }

  arrived(bytes) {
    this.script?.arrived(bytes);
  }

  said() {
    this.script?.said();
  }

  frame(levels) {
    if (call !== this) return;
    this.script?.tick(levels.assistant);
    meter.frame(levels);
    phone.style.setProperty("--voice", Math.min(1, Math.sqrt(levels.assistant * 3)).toFixed(2));
    note(levels, this.pressedAt);
  }

  over(code) {
    if (call !== this) return;
    call = null;
    if (this.talking) show("ended", ENDS[code] ?? "The call is over.");
    else show("idle");
    if (!this.talking && code !== 1000) complain(UNREACHED);
  }

  /** It came to nothing. */
  fail(error) {
    if (call !== this) return;
    call = null;
    if (this.line) this.line.hangUp();
    else this.context.close();
    show("idle");
    complain(error instanceof Trouble ? error.message : UNREACHED);
    if (!(error instanceof Trouble)) console.warn("the call could not be made:", error);
  }
}

async function dial(form) {
  const response = await fetch(phone.dataset.dial, { method: "POST", body: form });
  if (response.status === 401 || response.redirected) throw new Trouble("You are logged out. Log in again, and call.");
  if (response.status === 400) throw new Trouble("This page is too old. Reload it, and call again.");
  if (response.status === 409) throw new Trouble((await response.json()).problem);
  if (!response.ok) throw new Error(`dialling: ${response.status}`);
  return response.json();
}

// --- the screen ---

function show(state, told) {
  if (state === "asking") makeReady();
  phone.dataset.state = state;
  const isOpen = state !== "idle" && state !== "ended";
  part("status").textContent = told ?? WORDS[state];
  part("call").setAttribute("aria-label", isOpen ? "Hang up" : "Call");
  part("mute").disabled = state !== "talking";
  keys.forEach((key) => { key.disabled = state !== "talking"; });
  choices.hidden = isOpen;
  part("said").hidden = !phone.dataset.callSid;
  part("problem").hidden = true;
  part("watch").hidden = !phone.dataset.callSid;
  part("watch").textContent = state === "ended" ? "See this call" : "Watch this call";
  part("watch").target = isOpen ? "_blank" : ""; // to leave this page is to hang up
  if (isOpen) return;
  phone.style.setProperty("--voice", 0);
  mute(false);
}

function makeReady() {
  for (const name of ["callSid", "firstSoundMs", "frames", "heardMs"]) delete phone.dataset[name];
  part("timer").textContent = "0:00";
  part("caption").textContent = "";
  meter.clear();
  words.clear();
}

function note({ at_ms, played_ms }, pressedAt) {
  const seconds = Math.floor(at_ms / 1000);
  const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  if (part("timer").textContent !== time) part("timer").textContent = time;
  phone.dataset.frames = at_ms / 20 + 1;
  phone.dataset.heardMs = Math.round(played_ms);
  if (played_ms && !phone.dataset.firstSoundMs) {
    phone.dataset.firstSoundMs = Math.round(performance.now() - pressedAt);
  }
}

function complain(reason) {
  part("problem").textContent = reason;
  part("problem").hidden = false;
}

// --- the buttons ---

function ring() {
  const made = (call = new BrowserCall());
  made.make().catch((error) => made.fail(error));
}

function hangUp() {
  const ended = call;
  if (ended.line) ended.line.hangUp();
  else ended.context.close();
  if (call === ended) { // not yet on the line: nothing is told of its end
    call = null;
    show("idle");
  }
}

function mute(muted) {
  part("mute").setAttribute("aria-pressed", String(muted));
  part("mute").setAttribute("aria-label", muted ? "Unmute" : "Mute");
  if (call?.line) call.line.muted = muted;
}

function press(key) {
  if (!call?.talking) return;
  call.line.press(key);
  const button = keys.find(({ dataset }) => dataset.key === key);
  button.classList.add("pressed");
  setTimeout(() => button.classList.remove("pressed"), 140);
}

part("call").addEventListener("click", () => (call ? hangUp() : ring()));
part("mute").addEventListener("click", () => mute(part("mute").getAttribute("aria-pressed") !== "true"));
keys.forEach((button) => button.addEventListener("click", () => press(button.dataset.key)));
document.addEventListener("keydown", (event) => {
  const typing = event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea");
  if (!typing && !event.repeat && KEY_NAMES.includes(event.key)) press(event.key);
});
window.addEventListener("beforeunload", (event) => {
  if (call?.talking) event.preventDefault(); // the browser asks whether that is meant
});
window.addEventListener("pagehide", () => call?.line?.hangUp());

part("call").disabled = false;
part("call").setAttribute("aria-label", "Call");
