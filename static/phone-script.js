/* A scripted caller: does the steps of a script by what is heard on the line, like a caller would.

Its clock is the line's own: it is asked once with every frame of 20 ms. What a step holds is in
assistant/web/phone/scripted.py. */

const FRAME_MS = 20;
const LOUD = 0.006;         // of 1: a voice, not the noise of a line
const SAMPLE_OF_A_LINE = [2000, 2400]; // these bytes of a line tell it from every other

export class ScriptedCaller {
  #steps;
  #voices;
  #deeds;
  #waitedMs = 0;
  #voiceMs = 0;     // since the assistant began to speak, after our last word
  #quietMs = 0;
  #words = "";      // what was heard since our last word, byte by byte
  #speaking = false;

  /** voices: a Map from a step's address to its sound. deeds: say(payload), press(key), hangUp(), show(words). */
  constructor(steps, voices, deeds) {
    this.#steps = [...steps];
    this.#voices = voices;
    this.#deeds = deeds;
  }

  /** The assistant's sound as it arrives. */
  arrived(bytes) {
    this.#words += String.fromCharCode(...bytes);
  }

  /** Another 20 ms have passed. level: the assistant's, as it was heard. */
  tick(level) {
    if (this.#speaking || !this.#steps.length) return;
    this.#listen(level);
    this.#waitedMs += FRAME_MS;
    const step = this.#steps[0];
    if (this.#isDue(step)) this.#next(step);
    else if (step.within_ms && this.#waitedMs > step.within_ms) this.#deeds.hangUp();
  }

  #listen(level) {
    const loud = level > LOUD;
    this.#quietMs = loud ? 0 : this.#quietMs + FRAME_MS;
    if (loud || this.#voiceMs) this.#voiceMs += FRAME_MS;
  }

  /** Our own line is over. */
  said() {
    this.#speaking = false;
    this.#waitedMs = this.#voiceMs = this.#quietMs = 0;
    this.#words = "";
  }

  #isDue(step) {
    if (step.hear === "end") return false;
    if (step.hear) return this.#voiceMs > 0 && this.#quietMs >= step.quiet_ms;
    if (step.interrupt) return this.#voiceMs >= step.after_ms;
    if (step.be_quiet_ms) return this.#waitedMs >= step.be_quiet_ms;
    return true;
  }

  #next(step) {
    this.#steps.shift();
    this.#waitedMs = 0;
    if (step.while_asked) {
      if (!this.#wasAsked(step.while_asked)) return;
      this.#steps.unshift({ hear: "reply", quiet_ms: 900, within_ms: 30000 }, step);
    }
    if (step.say || step.interrupt) this.#say(step);
    else if (step.press) this.#deeds.press(step.press);
    else if (step.hang_up) this.#deeds.hangUp();
  }

  #say(step) {
    this.#speaking = true;
    this.#deeds.show(step.text);
    this.#deeds.say(this.#voices.get(step.say ?? step.interrupt));
  }

  #wasAsked(address) {
    const voice = this.#voices.get(address).slice(...SAMPLE_OF_A_LINE);
    return this.#words.includes(String.fromCharCode(...voice));
  }
}

/** The sound of all lines that these steps say or listen for, by address. */
export async function voicesOf(steps) {
  const addresses = steps.flatMap((step) => [step.say, step.interrupt, step.while_asked]).filter(Boolean);
  const fetched = [...new Set(addresses)].map(async (address) => {
    const response = await fetch(address);
    if (!response.ok) throw new Error(`${response.status}`);
    return [address, new Uint8Array(await response.arrayBuffer())];
  });
  return new Map(await Promise.all(fetched));
}
