/* The browser phone's sound, in the thread where sound is made: the line's two directions and its clock.

Between the browser, which runs at any rate, and the line, which is 8 kHz mu-law, stands a windowed-sinc
filter each way. Twenty milliseconds of the caller are a frame, and frames are sent for as long as the call
lasts, silence too: they are the clock that the other side measures by. What is played is a queue of sound
and marks; a mark comes back when the sound before it has left the loudspeaker, and all of them when the
queue is thrown away. */
"use strict";

const RATE_HZ = 8000;
const FRAME = 160;
const CROSSINGS = 12;      // of the filter's sinc, to each side
const PHASES = 256;        // between two samples; finer cannot be heard behind mu-law
const PASS = 0.92;         // of the band: 3.7 kHz of 4
const ASIDE_GAIN = 0.45;   // a scripted caller, heard beside the assistant

/** The linear value, -1..1, of each mu-law byte. Source: ITU-T G.711. */
const LINEAR = Float32Array.from({ length: 256 }, (_, byte) => {
  const code = ~byte & 0xff;
  const magnitude = ((2 * (code & 15) + 33) << ((code >> 4) & 7)) * 4 - 132;
  return (code & 0x80 ? -magnitude : magnitude) / 32768;
});
const SILENCE = 0xff;

/** The mu-law byte of a sample, -1..1. */
function encoded(sample) {
  const magnitude = Math.min(Math.round(Math.abs(sample) * 32768), 32635) + 132;
  const segment = 24 - Math.clz32(magnitude); // 132 is in segment 0
  return ~((sample < 0 ? 0x80 : 0) | (segment << 4) | ((magnitude >> (segment + 3)) & 15)) & 0xff;
}

/** A stretch of samples, and the smooth curve through their middle. */
class Curve {
  /** share: how much of the samples' band may pass; below 1 where the other rate is lower. */
  constructor(share) {
    this.half = Math.ceil(CROSSINGS / share);
    this.samples = new Float32Array(2 * this.half);
    this.oldest = 0;
    this.bank = Array.from({ length: PHASES }, (_, phase) => this.#taps(phase / PHASES, share * PASS));
  }

  #taps(ago, band) {
    const taps = this.samples.map((_, n) => {
      const t = n - this.half + ago;
      const sinc = t === 0 ? 1 : Math.sin(Math.PI * band * t) / (Math.PI * band * t);
      return sinc * (0.5 + 0.5 * Math.cos((Math.PI * t) / this.half));
    });
    const sum = taps.reduce((total, tap) => total + tap, 0);
    return taps.map((tap) => tap / sum); // a steady level stays as it is
  }

  push(sample) {
    this.samples[this.oldest] = sample;
    this.oldest = (this.oldest + 1) % this.samples.length;
  }

  /** The curve's value `ago` (0..1) of a sample before its middle. */
  value(ago) {
    const taps = this.bank[Math.min(PHASES - 1, Math.floor(ago * PHASES))];
    const size = taps.length;
    let sum = 0;
    for (let n = 0, at = this.oldest; n < size; n += 1, at = at + 1 === size ? 0 : at + 1) {
      sum += this.samples[at] * taps[n];
    }
    return sum;
  }
}

/** The microphone at 8 kHz. */
class Capture {
  constructor(rateHz) {
    this.step = RATE_HZ / rateHz;
    this.phase = 0;
    this.curve = new Curve(Math.min(1, this.step));
  }

  /** The sample that is due with this one of the microphone's, or null. */
  take(sample) {
    this.curve.push(sample);
    this.phase += this.step;
    if (this.phase < 1) return null;
    this.phase -= 1;
    return this.curve.value(this.phase / this.step);
  }
}

/** 8 kHz at the loudspeaker's rate. `next` gives one sample of the line. */
class PlayOut {
  constructor(rateHz, next) {
    this.step = RATE_HZ / rateHz;
    this.phase = 0;
    this.curve = new Curve(1);
    this.next = next;
  }

  sample() {
    this.phase += this.step;
    while (this.phase >= 1) {
      this.phase -= 1;
      this.curve.push(this.next());
    }
    return this.curve.value(1 - this.phase);
  }
}

/** Sound that is waiting, byte by byte. */
class Waiting {
  constructor() {
    this.pieces = [];
    this.at = 0;
  }

  get empty() {
    return this.pieces.length === 0;
  }

  take() {
    const piece = this.pieces[0];
    const byte = piece[this.at];
    this.at += 1;
    if (this.at === piece.length) {
      this.pieces.shift();
      this.at = 0;
    }
    return byte;
  }

  clear() {
    this.pieces = [];
    this.at = 0;
  }
}

class PhoneLine extends AudioWorkletProcessor {
  constructor() {
    super();
    this.capture = new Capture(sampleRate);
    this.playOut = new PlayOut(sampleRate, () => this.nextHeard());
    this.running = false;
    this.muted = false;
    this.latency = 0;          // in the context's frames: from here to the loudspeaker
    this.frame = new Uint8Array(FRAME);
    this.filled = 0;
    this.frames = 0;
    this.said = new Waiting(); // the scripted caller, on the line
    this.aside = new Waiting(); // the same, at the loudspeaker
    this.queue = [];           // of the assistant's: sound, and names of marks
    this.at = 0;
    this.due = [];             // marks whose sound is on its way to the loudspeaker
    this.voiceAt = -Infinity;  // when the last of the assistant's sound was taken
    this.played = 0;
    this.power = { caller: 0, assistant: 0 };
    this.port.onmessage = ({ data }) => this.told(data);
  }

  told({ run, play, mark, clear, say, hush, muted, latency }) {
    if (run !== undefined) this.running = run;
    if (muted !== undefined) this.muted = muted;
    if (latency !== undefined) this.latency = Math.round(latency * sampleRate);
    if (play?.length) this.queue.push(play);
    if (mark !== undefined) this.queue.push(mark);
    if (clear) this.clear();
    if (hush) [this.said, this.aside].forEach((waiting) => waiting.clear());
    if (say?.length) [this.said, this.aside].forEach((waiting) => waiting.pieces.push(say));
  }

  process(inputs, outputs) {
    const microphone = inputs[0][0];
    const speaker = outputs[0];
    for (let n = 0; n < speaker[0].length; n += 1) {
      const sample = this.capture.take(microphone ? microphone[n] : 0);
      if (sample !== null && this.running) this.hear(sample);
      const heard = this.playOut.sample();
      for (const channel of speaker) channel[n] = heard;
    }
    while (this.due.length && this.due[0].frame <= currentFrame) this.port.postMessage({ mark: this.due.shift().name });
    return true;
  }

  /** One sample of the caller's. */
  hear(sample) {
    const scripted = !this.said.empty;
    const byte = scripted ? this.said.take() : encoded(this.muted ? 0 : sample);
    if (scripted && this.said.empty) this.port.postMessage({ said: true });
    this.power.caller += LINEAR[byte] ** 2;
    this.frame[this.filled] = byte;
    this.filled += 1;
    if (this.filled === FRAME) this.send();
  }

  send() {
    this.port.postMessage({
      frame: this.frame,
      at_ms: this.frames * 20,
      caller: Math.sqrt(this.power.caller / FRAME),
      assistant: Math.sqrt(this.power.assistant / FRAME),
      played_ms: this.played / 8,
    });
    this.frame = new Uint8Array(FRAME).fill(SILENCE);
    this.filled = 0;
    this.frames += 1;
    this.power = { caller: 0, assistant: 0 };
  }

  /** One sample for the loudspeaker. */
  nextHeard() {
    const aside = this.aside.empty ? 0 : LINEAR[this.aside.take()] * ASIDE_GAIN;
    while (typeof this.queue[0] === "string") {
      this.due.push({ name: this.queue.shift(), frame: this.voiceAt + this.latency });
    }
    if (!this.queue.length) return aside;
    const voice = LINEAR[this.queue[0][this.at]];
    this.at += 1;
    if (this.at === this.queue[0].length) {
      this.queue.shift();
      this.at = 0;
    }
    this.voiceAt = currentFrame;
    this.played += 1;
    this.power.assistant += voice ** 2;
    return Math.max(-1, Math.min(1, voice + aside));
  }

  /** What has not been played is thrown away; every mark comes back. */
  clear() {
    const names = [...this.due.map(({ name }) => name), ...this.queue.filter((entry) => typeof entry === "string")];
    this.queue = [];
    this.due = [];
    this.at = 0;
    for (const name of names) this.port.postMessage({ mark: name });
  }
}

registerProcessor("phone-line", PhoneLine);
